"""gateway/chronicle.py: what a real gateway writes into its audit log, read back from there."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors
from tests.audit.test_log import contents
from tests.gateway.serving import configuration, go_on, stop
from tests.gateway.test_recorder import ORIGIN, recorder, stopped

from strongroom.audit.records.reading import read
from strongroom.audit.records.running import Gap
from strongroom.audit.records.sessions import Ending, LoginFailed, Refusal, SessionClosed, SessionOpened, Way
from strongroom.audit.records.shared import Result
from strongroom.audit.records.statements import Deed, Denied, Permitted
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

COLUMN = {"type": "text", "encryption": "randomized"}
ROLES: dict[str, Any] = {
    "application": {
        "databases": ["audited"],
        "tables": {"public.people": ["select", "insert", "update", "copy"], "public.wide": ["select"]},
        "columns": {
            "public.people.*": "reveal",
            "public.wide.*": "reveal",
            "public.people.phone": {"show": {"mask": "last", "n": 4}, "write": True},
        },
    }
}
TABLE = "CREATE TABLE people (id int PRIMARY KEY, note bytea, phone text)"
LONG = "\x01" * 59
"""The most of a name that JSON makes longer, with room for a number."""
SECRET, PHONE = "the-secret-note", "0301234567"


def audited(**more: object) -> Callable[[Gateway], None]:
    """Writes a configuration with an audit log."""

    def configure(gateway: Gateway) -> None:
        found = configuration(gateway)
        found["accounts"]["app"]["roles"] = ["application"]
        gateway.configure(found | {"roles": ROLES, "audit": {"log": "audit", "origin": ORIGIN, **more}})

    return configure


def started(postgres: PostgresServer, **more: object) -> Iterator[Gateway]:
    postgres.create_database("audited")
    postgres.run(TABLE, "audited")
    with Gateway.start(
        postgres, "audited", more={"columns": {"public.people.note": COLUMN}}, first=audited(**more)
    ) as running:
        yield running
    postgres.run("DROP DATABASE audited WITH (FORCE)", "postgres")


@pytest.fixture
def gateway(postgres: PostgresServer) -> Iterator[Gateway]:
    """With a protected column, a masked one and an audit log."""
    yield from started(postgres)


def records(gateway: Gateway) -> list[Any]:
    """All that is in the log of a gateway that was stopped."""
    return [read(one) for one in contents(gateway.folder / "audit")]


def one_of(found: list[Any], kind: type) -> Any:
    (one,) = (record for record in found if isinstance(record, kind))
    return one


def test_a_session_from_beginning_to_end(gateway: Gateway) -> None:
    """Who came, what each statement showed, wrote and filtered by, what was denied, and when it ended."""
    with psycopg.connect(gateway.uri(), autocommit=True, application_name="billing") as client:
        client.execute("INSERT INTO people VALUES (%s, %s, %s)", (1, SECRET, PHONE))
        assert client.execute("SELECT note, phone FROM people WHERE id = %s", (1,)).fetchall() == [
            (SECRET, "****4567")
        ]
        client.execute(f"UPDATE people SET phone = '{PHONE}' WHERE id = 1")
        with pytest.raises(errors.InsufficientPrivilege):
            client.execute("DELETE FROM people WHERE id = 1")
        with pytest.raises(errors.UniqueViolation):
            client.execute("INSERT INTO people VALUES (1, NULL, NULL)")
    stopped(gateway)
    found = records(gateway)
    opened = one_of(found, SessionOpened)
    assert (opened.client.account, opened.client.address) == ("app", "127.0.0.1")
    assert (opened.client.application, opened.database) == ("billing", "audited")
    assert opened.way in {Way.SCRAM, Way.SCRAM_PLUS}
    assert (opened.is_mfa, opened.roles, opened.upstream_user) == (
        False,
        ("application",),
        gateway_user(gateway),
    )
    insert, select, update, again = (
        one for one in found if isinstance(one, Permitted) and "people" in str(one.plan.tables)
    )
    assert insert.plan.deed is Deed.CREATE
    assert insert.plan.text == "INSERT INTO people VALUES ($1, ...)"
    assert insert.plan.written == ("public.people.id", "public.people.note", "public.people.phone")
    assert select.plan.revealed == ("public.people.note",)
    assert [(one.column, one.mask) for one in select.plan.masked] == [("public.people.phone", "last 4")]
    assert select.plan.filtered == ("public.people.id",)
    assert (select.outcome.rows, select.outcome.sqlstate) == (1, "00000")
    assert select.plan.rules == (
        "roles.application.columns.public.people.*",
        "roles.application.columns.public.people.phone",
        "roles.application.tables.public.people",
    )
    assert update.plan.text == "UPDATE people SET phone = $1 WHERE id = $2"
    assert (again.outcome.result, again.outcome.sqlstate) == (Result.FAILURE, "23505")
    denied = one_of(found, Denied)
    assert (denied.plan.deed, denied.code, denied.sqlstate) == (Deed.DELETE, "access-denied", "42501")
    closed = one_of(found, SessionClosed)
    assert (closed.ending, closed.client) == (Ending.CLIENT, opened.client)
    assert closed.statements == len([one for one in found if isinstance(one, Permitted | Denied)])
    for process in {one.head.process for one in found}:
        numbers = [one.head.sequence for one in found if one.head.process == process]
        assert numbers == list(range(1, len(numbers) + 1))


def gateway_user(gateway: Gateway) -> str:
    """As whom it logs in to the database."""
    upstream: str = configuration(gateway)["databases"]["audited"]["upstream"]
    return upstream.partition("//")[2].partition("@")[0].partition(":")[0]


def test_no_value_is_in_it(gateway: Gateway) -> None:
    """Neither of a row, nor of a parameter, a literal, a password, or a name that somebody typed."""
    with psycopg.connect(gateway.uri(), autocommit=True) as client:
        client.execute("INSERT INTO people VALUES (%s, %s, %s)", (1, SECRET, PHONE))
        client.execute(f"INSERT INTO people VALUES (2, '{SECRET}', '{PHONE}')")
        client.execute("SELECT * FROM people WHERE id = 1").fetchall()
        with pytest.raises(psycopg.Error):
            client.execute(f"SELECT '{SECRET}'::int FROM people")
        with pytest.raises(psycopg.Error):
            client.execute(f"SELEKT '{SECRET}' -- {PHONE}")
    for user, password in (("app", SECRET), (SECRET, SECRET)):
        uri = f"host=127.0.0.1 port={gateway.port} dbname=audited user={user} password={password}"
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(uri)
    stopped(gateway)
    for path in (gateway.folder / "audit").rglob("*"):
        if path.is_file():
            octets = path.read_bytes()
            assert SECRET.encode() not in octets
            assert PHONE.encode() not in octets
    failed = [one for one in records(gateway) if isinstance(one, LoginFailed)]
    assert [(one.user, one.refusal) for one in failed] == [
        ("app", Refusal.PROOF),
        ("(unknown)", Refusal.UNKNOWN),
    ]


def test_what_a_record_cannot_hold_does_not_pass(gateway: Gateway, postgres: PostgresServer) -> None:
    """Names of so many columns, each as long as JSON makes it; the refusal is recorded."""
    names = ", ".join(f'"{LONG}{number:04}" bool' for number in range(1500))
    postgres.run(f"CREATE TABLE wide ({names})", "audited")
    with psycopg.connect(gateway.uri(), autocommit=True) as client:
        with pytest.raises(errors.StatementTooComplex, match="than its audit record can"):
            client.execute("SELECT * FROM wide")
        assert client.execute(f'SELECT "{LONG}0000" FROM wide').fetchall() == []
    stopped(gateway)
    denied = one_of(records(gateway), Denied)
    assert (denied.plan.tables, denied.plan.revealed) == (("public.wide",), ())
    assert denied.code == "statement-too-complex"


def test_what_a_drain_cuts_off(postgres: PostgresServer) -> None:
    """Its end is recorded, and that nobody knows what came of the statement that was under way."""

    def first(gateway: Gateway) -> None:
        limits = {"limits": {"drain_seconds": 1}}
        gateway.configure(configuration(gateway) | limits | {"audit": {"log": "audit", "origin": ORIGIN}})

    with Gateway.start(postgres, "postgres", first=first) as gateway:
        with closing(psycopg.connect(gateway.uri(), autocommit=True)) as client:
            client.pgconn.send_query(b"SELECT pg_sleep(60)")
            wait_until(partial(is_asleep, postgres), "it is under way")
            stopped(gateway)
        found = records(gateway)
        under_way = [one for one in found if isinstance(one, Permitted) and "pg_sleep" in one.plan.text]
        assert [one.outcome.result for one in under_way] == [Result.UNKNOWN]
        assert one_of(found, SessionClosed).statements >= 1


def is_asleep(postgres: PostgresServer) -> bool:
    with postgres.connect("postgres") as db:
        query = "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"
        return db.execute(query).fetchone() is not None


def test_a_database_without_anything_to_protect(postgres: PostgresServer) -> None:
    """Its statements are recorded, too."""

    def first(gateway: Gateway) -> None:
        gateway.configure(configuration(gateway) | {"audit": {"log": "audit", "origin": ORIGIN}})

    with Gateway.start(postgres, "postgres", first=first) as gateway:
        with psycopg.connect(gateway.uri(), autocommit=True) as client:
            client.execute("SELECT relname FROM pg_class WHERE relname = 'pg_class'")
        stopped(gateway)
        texts = [one.plan.text for one in records(gateway) if isinstance(one, Permitted)]
        assert "SELECT relname FROM pg_class WHERE relname = $1" in texts


ASKING = """\
import pathlib, psycopg, sys
count = pathlib.Path(sys.argv[2])
with psycopg.connect(sys.argv[1], autocommit=True) as client:
    for number in range(1000):
        client.execute("SELECT id FROM people WHERE id = 1")
        count.write_text(str(number + 1))
"""


def unread(port: int) -> bool:
    """Whether octets wait at a socket of this port that nobody reads (proc(5), /proc/net/tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and int(row[4].partition(":")[2], 16) > 0 for row in rows)


def test_it_cannot_be_written_and_sessions_wait(postgres: PostgresServer, tmp_path: Path) -> None:
    """What has no room for its record is not taken; once there is some all goes on, with nothing missing."""
    count = tmp_path / "count"
    counts = [""]

    def stands_still(port: int) -> bool:
        counts.append(count.read_text() if count.exists() else "")
        return unread(port) and counts[-1] != "" and len(set(counts[-20:])) == 1

    for gateway in started(postgres, waiting_bytes=65536):
        paused, port = recorder(gateway), gateway.port
        stop(paused)
        command = [sys.executable, "-c", ASKING, gateway.uri(), str(count)]
        with subprocess.Popen(command) as asking:
            wait_until(partial(stands_still, port), "nobody hears it")
            assert int(counts[-1]) < 500
            go_on(paused)
            assert asking.wait() == 0
        stopped(gateway)
        found = [one for one in records(gateway) if isinstance(one, Permitted)]
        assert len([one for one in found if "public.people" in one.plan.tables]) == 1000


def test_it_cannot_be_written_and_sessions_go_on(postgres: PostgresServer) -> None:
    """Where that is allowed: how many went unrecorded, and for how long, is recorded."""
    for gateway in started(postgres, waiting_bytes=65536, unwritable="allow"):
        paused = recorder(gateway)
        with psycopg.connect(gateway.uri(), autocommit=True) as client:
            stop(paused)
            for _ in range(1000):
                client.execute("SELECT id FROM people WHERE id = 1")
            go_on(paused)
            wait_until(partial(has_room, client, gateway), "there is room again")
        stopped(gateway)
        found = records(gateway)
        lost = sum(one.lost for one in found if isinstance(one, Gap))
        asked = [one for one in found if isinstance(one, Permitted) and "people" in str(one.plan.tables)]
        assert lost > 0
        closed = one_of(found, SessionClosed)
        assert closed.statements == lost + len([one for one in found if isinstance(one, Permitted)])
        assert len(asked) < 1000 + lost


def has_room(client: psycopg.Connection[Any], gateway: Gateway) -> bool:
    client.execute("SELECT id FROM people WHERE id = 1")
    contents = [one.read_bytes() for one in (gateway.folder / "audit" / "content").glob("*")]
    return any(b"log.gap" in one for one in contents)
