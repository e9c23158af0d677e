"""gateway/metrics.py and meters.py: what a real gateway serves at /metrics of what clients did."""

import json
import os
import re
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, LiteralString
from urllib.request import urlopen

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from psycopg import errors
from tests.gateway.serving import configuration, logged, workers
from tests.gateway.test_recorder import ORIGIN, recorder

from strongroom.audit.records.sessions import Ending, Refusal
from strongroom.gateway.meters import CODES, FAMILIES, Merged, Report
from strongroom.gateway.metrics import Metrics, merged
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

ROOT = Path(__file__).parent.parent.parent
DASHBOARD = ROOT / "docs" / "grafana" / "strongroom.json"
GUIDE = ROOT / "docs" / "guides" / "metrics.md"
PHASES = ("parse", "decide", "protect", "upstream", "audit")
DATABASE = "counted"
TABLE = "CREATE TABLE people (id int PRIMARY KEY, note {}, phone text)"
PROTECTED = {"columns": {"public.people.note": {"type": "text", "encryption": "randomized"}}}
ROLES: dict[str, Any] = {
    "application": {
        "databases": [DATABASE],
        "tables": {"public.people": ["select", "insert", "update", "copy"]},
        "columns": {
            "public.people.*": "reveal",
            "public.people.phone": {"show": {"mask": "last", "n": 4}, "write": True},
        },
    }
}
SECRET, PHONE, STRANGER = "the-secret-note", "0301234567", "zaphod"
KINDS = ["plain", "protected", "policed"]

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Whether sessions look into statements, and a policy is asked about them, which are recorded too."""
    return str(request.param)


@pytest.fixture
def gateway(postgres: PostgresServer, kind: str) -> Iterator[Gateway]:
    """A gateway of two workers."""
    yield from started(postgres, kind)


def started(postgres: PostgresServer, kind: str) -> Iterator[Gateway]:
    def configure(gateway: Gateway) -> None:
        if kind == "policed":
            found = configuration(gateway)
            found["accounts"]["app"]["roles"] = ["application"]
            gateway.configure(found | {"roles": ROLES, "audit": {"log": "audit", "origin": ORIGIN}})

    postgres.create_database(DATABASE)
    postgres.run(TABLE.format("text" if kind == "plain" else "bytea"), DATABASE)
    more = {} if kind == "plain" else PROTECTED
    with Gateway.start(postgres, DATABASE, workers=2, more=more, first=configure) as running:
        yield running
    postgres.run(f"DROP DATABASE {DATABASE} WITH (FORCE)", "postgres")


def served(gateway: Gateway) -> str:
    """What Prometheus would be given now."""
    with urlopen(f"http://127.0.0.1:{gateway.health_port}/metrics", timeout=5) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return str(answer.read().decode())


def samples(gateway: Gateway) -> Samples:
    """The same, as Prometheus' own library reads it."""
    found = {}
    for family in text_string_to_metric_families(served(gateway)):
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found, f"{key} stands twice"
            found[key] = sample.value
    return found


def total(found: Samples, name: str, **labels: str) -> int:
    """The sum of all samples of this name with these labels."""
    wanted = set(labels.items())
    return int(sum(value for (one, its), value in found.items() if one == name and wanted <= its))


def verdicts(gateway: Gateway) -> dict[str, int]:
    """The statements by verdict, those that were not met left out."""
    found = samples(gateway)
    counts = {
        verdict: total(found, "strongroom_statements_total", verdict=verdict, database=DATABASE)
        for verdict in ("permitted", "masked", "denied", "refused")
    }
    return {verdict: count for verdict, count in counts.items() if count}


def await_verdicts(gateway: Gateway, **expected: int) -> Samples:
    """Wait until the workers have reported as many, which takes them a second; never more than these."""
    wait_until(lambda: verdicts(gateway) == expected, f"{expected} are counted", seconds=30)
    return samples(gateway)


def work(client: "psycopg.Connection[Any]") -> None:
    """Statements of each form: simple and extended, rows, COPY both ways, a pipeline, rounds, failures."""
    client.execute("INSERT INTO people VALUES (%s, %s, %s)", (1, SECRET, PHONE))
    client.execute(f"UPDATE people SET phone = '{PHONE}' WHERE id = 1; SELECT 1")
    client.execute("-- nothing at all")
    with pytest.raises(errors.UniqueViolation):
        client.execute("INSERT INTO people VALUES (1, NULL, NULL)")
    with client.cursor() as cursor:
        with cursor.copy("COPY people (id, note) FROM STDIN") as copy:
            for number in (2, 3, 4):
                copy.write_row((number, SECRET))
        with cursor.copy("COPY people (id, note) TO STDOUT") as copy:
            assert len(list(copy.rows())) == 4
    with client.pipeline(), client.cursor() as cursor:
        insert = "INSERT INTO people VALUES (%s, %s, NULL)"
        cursor.executemany(insert, [(number, SECRET) for number in range(5, 15)])
    for _ in range(20):
        row = client.execute("SELECT note FROM people WHERE id = %s", (1,), prepare=True).fetchone()
        assert row == (SECRET,)


def in_pipeline(client: "psycopg.Connection[Any]", *statements: LiteralString) -> None:
    with client.pipeline():
        for one in statements:
            client.execute(one)


WORK = 1 + 2 + 1 + 2 + 10 + 20
"""The statements in it that are carried out or fail; an empty query is none."""


def test_statements_are_counted_exactly(gateway: Gateway, kind: str) -> None:
    """Whether they are looked into or not, recorded or not, however they came."""
    with psycopg.connect(gateway.uri(), autocommit=True) as client:
        work(client)
    found = await_verdicts(gateway, permitted=WORK)
    assert total(found, "strongroom_database_errors_total", **{"class": "23"}) == 1
    assert total(found, "strongroom_database_errors_total") == 1
    assert total(found, "strongroom_errors_total") == 0
    assert "ciphertext-tag" in served(gateway), "what never happened is 0"
    protected = kind != "plain"
    assert total(found, "strongroom_values_sealed_total") == (1 + 3 + 10) * protected
    assert total(found, "strongroom_values_opened_total") == (4 + 20) * protected
    assert total(found, "strongroom_audit_records_total") == (WORK + 2) * (kind == "policed")
    looked_up = total(found, "strongroom_cache_lookups_total", cache="analyses")
    assert (looked_up > 0) == protected
    for phase, is_timed in {
        "parse": protected,
        "protect": protected,
        "decide": kind == "policed",
        "audit": kind == "policed",
        "upstream": True,
    }.items():
        assert (total(found, "strongroom_phase_seconds_count", phase=phase) > 0) == is_timed, phase
    assert total(found, "strongroom_sessions_opened_total") == 1
    wait_until(lambda: total(samples(gateway), "strongroom_sessions_open") == 0, "it is closed")
    assert total(samples(gateway), "strongroom_sessions_closed_total", ending="client") == 1


@pytest.mark.parametrize("kind", ["policed"], indirect=True)
def test_masked_denied_and_refused(gateway: Gateway) -> None:
    """What the gateway says to a statement is its verdict; why, in the code of its error."""
    with psycopg.connect(gateway.uri(), autocommit=True) as client:
        client.execute("INSERT INTO people VALUES (%s, %s, %s)", (1, SECRET, PHONE))
        for _ in range(5):
            row = client.execute("SELECT note, phone FROM people WHERE id = %s", (1,), prepare=True)
            assert row.fetchone() == (SECRET, "****4567")
        assert client.execute("SELECT phone FROM people").fetchone() == ("****4567",)
        with pytest.raises(errors.InsufficientPrivilege):
            client.execute("DELETE FROM people WHERE id = 1")
        with pytest.raises(errors.InsufficientPrivilege):
            in_pipeline(client, "DELETE FROM people WHERE id = 1", "SELECT 1")  # which PostgreSQL skips
        with pytest.raises(psycopg.Error):
            client.execute(f"SELECT note || '{SECRET}' FROM people")
    found = await_verdicts(gateway, permitted=1, masked=6, denied=2, refused=1)
    assert total(found, "strongroom_errors_total", code="access-denied") == 2
    assert total(found, "strongroom_errors_total") == 3
    assert total(found, "strongroom_values_opened_total") == 5
    wait_until(lambda: total(samples(gateway), "strongroom_audit_records_waiting") == 0, "all is on the disk")
    wait_until(
        lambda: total(samples(gateway), "strongroom_audit_log_records") >= 10, "the recorder has reported"
    )


@pytest.mark.parametrize("kind", ["policed"], indirect=True)
def test_nothing_that_a_client_sent_is_served(gateway: Gateway) -> None:
    """Neither a name that a stranger typed, nor a text, nor a value, nor a SQLSTATE of the client's own."""
    for name, password in ((STRANGER, "x"), (gateway.account.name, f"wrong-{SECRET}")):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(gateway.uri(name, password))
    with psycopg.connect(gateway.uri(), autocommit=True, application_name="billing") as client:
        client.execute("INSERT INTO people VALUES (%s, %s, %s)", (1, SECRET, PHONE))
        with pytest.raises(psycopg.Error):
            client.execute(f"SELECT {STRANGER} FROM people WHERE note = '{SECRET}'")
    await_verdicts(gateway, permitted=1, refused=1)
    refused = "strongroom_logins_refused_total"
    wait_until(lambda: total(samples(gateway), refused) == 2, "both workers have reported")
    found = samples(gateway)
    assert total(found, "strongroom_logins_refused_total", reason="unknown") == 1
    assert total(found, "strongroom_logins_refused_total", reason="proof") == 1
    text = served(gateway)
    for one in (STRANGER, SECRET, PHONE, "billing", gateway.account.name + '"', "people", "SELECT"):
        assert one not in text


@pytest.mark.parametrize("kind", ["plain"], indirect=True)
def test_counts_outlive_a_worker_that_is_killed(gateway: Gateway) -> None:
    """They never go backwards, and what comes later is added; what is open is what the living have."""
    client = psycopg.connect(gateway.uri(), autocommit=True)
    work(client)
    await_verdicts(gateway, permitted=WORK)
    assert total(samples(gateway), "strongroom_sessions_open") == 1
    seen = [WORK]
    for pid in workers(gateway):
        os.kill(pid, signal.SIGKILL)

    def is_back() -> bool:
        seen.append(verdicts(gateway)["permitted"])
        return len(logged(gateway, "worker died")) == 2 and gateway.is_ready()

    wait_until(is_back, "others are there", seconds=60)
    assert set(seen) == {WORK}
    with pytest.raises(psycopg.OperationalError):
        client.execute("SELECT 1")
    client.close()
    with psycopg.connect(gateway.uri(), autocommit=True) as another:
        another.execute("SELECT 1")
    found = await_verdicts(gateway, permitted=WORK + 1)
    assert total(found, "strongroom_worker_deaths_total") == 2
    assert total(found, "strongroom_sessions_opened_total") == 2


@pytest.mark.parametrize("kind", ["policed"], indirect=True)
def test_a_recorder_that_is_gone_shows(gateway: Gateway) -> None:
    """Its own gauges vanish with it: the supervisor says so, until another has the log open."""
    assert total(samples(gateway), "strongroom_recorder_ready") == 1
    checkpoint = gateway.folder / "audit" / "checkpoint"
    wait_until(checkpoint.exists, "the log has begun")
    aside = checkpoint.rename(gateway.folder / "aside")
    checkpoint.mkdir()  # which no recorder can begin with
    os.kill(recorder(gateway), signal.SIGKILL)
    wait_until(lambda: samples(gateway)["strongroom_recorder_ready", frozenset()] == 0, "it is missed")
    checkpoint.rmdir()
    aside.rename(checkpoint)
    wait_until(lambda: total(samples(gateway), "strongroom_recorder_ready") == 1, "another runs", seconds=60)


@pytest.mark.parametrize("kind", ["plain"], indirect=True)
def test_without_a_log_no_recorder_is_missed(gateway: Gateway) -> None:
    """No alarm is raised for what is not to be there."""
    assert "strongroom_recorder_ready" not in served(gateway)


@pytest.mark.parametrize("kind", ["policed"], indirect=True)
def test_every_family_is_served(gateway: Gateway) -> None:
    """With type and help, from the first moment on or once there is something to say."""
    with psycopg.connect(gateway.uri(), autocommit=True) as client:
        client.execute("INSERT INTO people VALUES (1, NULL, NULL)")
        with pytest.raises(errors.UniqueViolation):
            client.execute("INSERT INTO people VALUES (1, NULL, NULL)")
        with pytest.raises(errors.InsufficientPrivilege):
            client.execute("DELETE FROM people WHERE id = 1")
    await_verdicts(gateway, permitted=2, denied=1)
    wait_until(lambda: "strongroom_audit_log_records " in served(gateway), "the recorder has reported")
    text = served(gateway)
    elsewhere = {"strongroom_audit_sent_timestamp_seconds", "strongroom_audit_send_failures_total"}
    for name in FAMILIES.keys() - elsewhere:
        assert f"# HELP {name} " in text
        assert f"# TYPE {name} " in text


# ------------------------------------------------------------------------------------------- added up


def report(count: float, sessions: float, age: float) -> Report:
    return {
        "strongroom_statements_total": {("shop", "permitted"): [count]},
        "strongroom_phase_seconds": {("shop", "parse"): [count / 10, *[count] * 15]},
        "strongroom_sessions_open": {("shop",): [sessions]},
        "strongroom_catalog_age_seconds": {("shop",): [age]},
    }


def test_reports_are_added_up() -> None:
    """Counters, gauges and classes of times by sums; the age of what is oldest."""
    found = merged([report(5, 1, 30), report(7, 2, 3)])
    assert found["strongroom_statements_total"] == {("shop", "permitted"): [12]}
    assert found["strongroom_phase_seconds"] == {("shop", "parse"): [1.2, *[12] * 15]}
    assert found["strongroom_sessions_open"] == {("shop",): [3]}
    assert found["strongroom_catalog_age_seconds"] == {("shop",): [30]}


def test_what_a_dead_process_counted_stays_and_its_gauges_go() -> None:
    """However many die."""
    metrics = Metrics()
    for process in range(3):
        metrics.take(process, report(1, 1, 30))
        metrics.take(process, report(5, 1, 30))
        metrics.ended(process)
        metrics.ended(process)
    metrics.take("living", report(1, 2, 3))
    text = metrics.text({}).decode()
    assert 'strongroom_statements_total{database="shop",verdict="permitted"} 16.0' in text
    assert 'strongroom_phase_seconds_count{database="shop",phase="parse"} 240.0' in text
    assert 'strongroom_phase_seconds_bucket{database="shop",le="1e-05",phase="parse"} 16.0' in text
    assert 'strongroom_sessions_open{database="shop"} 2.0' in text
    assert 'strongroom_catalog_age_seconds{database="shop"} 3.0' in text


def test_names_are_as_prometheus_wants_them() -> None:
    """Counters end in _total, and nothing else does; times are in seconds (its "Metric and label naming")."""
    for name, family in FAMILIES.items():
        assert name.startswith("strongroom_")
        assert name.endswith("_total") == (family.merged is Merged.COUNTER), name
        assert family.help.endswith(".")
        assert "account" not in family.labels


# ------------------------------------------------------------------------------------- what names them

NAME = re.compile(r"strongroom_[a-z_]+")
LABELLED = re.compile(r"(strongroom_[a-z_]+)\{([^}]*)\}")
LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")


def base(name: str) -> str:
    """The family of a sample: a histogram has three kinds of them."""
    return re.sub(r"_(bucket|sum|count)$", "", name)


def expressions(node: object) -> Iterator[str]:
    """Everything in the dashboard that asks Prometheus."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in {"expr", "definition"}:
                yield value
            yield from expressions(value)
    elif isinstance(node, list):
        for one in node:
            yield from expressions(one)


def test_the_dashboard_asks_for_what_is_served() -> None:
    """Each name and label in it is one of ours; and each of ours is shown."""
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    asked = list(expressions(dashboard))
    assert {base(name) for one in asked for name in NAME.findall(one)} == FAMILIES.keys()
    for name, matchers in (found for one in asked for found in LABELLED.findall(one)):
        assert set(LABEL.findall(matchers)) <= {"instance", "job", *FAMILIES[base(name)].labels}
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(numbers) == len(set(numbers))
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["type"] == "row" or panel["targets"], panel["title"]
    assert not dashboard["id"]


def test_the_guide_names_what_is_served() -> None:
    """All of it, and nothing else; with the labels of each, and codes that there are."""
    text = GUIDE.read_text(encoding="utf-8")
    assert {base(name) for name in NAME.findall(text)} == FAMILIES.keys()
    for name, matchers in LABELLED.findall(text):
        assert set(LABEL.findall(matchers)) <= {"instance", "job", *FAMILIES[base(name)].labels}
    for pattern in re.findall(r'code=~?"([^"]+)"', text):
        assert any(re.fullmatch(pattern, code) for code in CODES), pattern
    for word in (*Ending, *Refusal, "permitted", "masked", "denied", "refused", *PHASES):
        assert f"`{word}`" in text
