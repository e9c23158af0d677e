"""``strongroom keys``: looking at keys, rotating them, and what their versions may do, on a real database."""

import json
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import yaml

from strongroom.errors import ServerFailed
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

TABLE = "CREATE TABLE people (id int PRIMARY KEY, email bytea UNIQUE, note bytea)"
COLUMNS = {
    "public.people.email": {"type": "text", "encryption": "deterministic"},
    "public.people.note": {"type": "text", "encryption": "randomized"},
}
NOTE = "public.people.note"
EMAIL = "public.people.email"


@pytest.fixture
def gateway(postgres: PostgresServer) -> Iterator[Gateway]:
    """A gateway in front of a database of its own, with people in it."""
    database = f"db{secrets.token_hex(4)}"
    postgres.create_database(database)
    postgres.run(TABLE, database)
    with Gateway.start(postgres, database, more={"columns": COLUMNS}) as running:
        with psycopg.connect(running.uri(), autocommit=True) as one:
            one.cursor().executemany(
                "INSERT INTO people VALUES (%s, %s, %s)", [(i, f"p{i}", f"n{i}") for i in range(50)]
            )
        yield running


def rows(gateway: Gateway, *command: str) -> list[dict[str, object]]:
    """What a command prints for programs: on standard output alone."""
    arguments = ["keys", *command, "--json", "--config", str(gateway.configuration)]
    run = subprocess.run(
        [sys.executable, "-m", "strongroom", *arguments],
        env=dict(gateway.environment),
        capture_output=True,
        text=True,
        check=True,
    )
    return list(json.loads(run.stdout))


def read(gateway: Gateway) -> list[tuple[object, ...]]:
    """Everything, through the gateway."""
    with psycopg.connect(gateway.uri(), autocommit=True) as one:
        return one.execute("SELECT id, email, note FROM people ORDER BY id").fetchall()


def test_list_and_show(gateway: Gateway) -> None:
    """Each key with what it serves; each version with what it may do."""
    listed = {str(row["key"]).partition("/")[2]: row for row in rows(gateway, "list")}
    assert set(listed) == {"", EMAIL, NOTE}
    assert listed[""]["key"] == f"kek {gateway.database}"
    assert listed[NOTE]["versions"] == 1
    assert listed[NOTE]["due"] is None
    assert int(str(listed[NOTE]["uses"])) >= 50
    (version,) = rows(gateway, "show", NOTE)
    assert (version["version"], version["state"], version["seals"], version["opens"]) == (
        1,
        "active",
        True,
        True,
    )
    with pytest.raises(ServerFailed) as caught:
        gateway.command("keys", "show", "public.people.town")
    assert "keyset-missing" in caught.value.detail


def test_rotate_seals_anew(gateway: Gateway) -> None:
    """Both kinds of columns, in one command; it is written down."""
    before = read(gateway)
    done = rows(gateway, "rotate", NOTE, EMAIL, "--reencrypt", "--no-wait")
    assert [(row["version"], row["resealed"]) for row in done] == [(2, 50), (2, 50)]
    wait_until(lambda: attempt(gateway) == before, "the gateway knows the new keys")
    states = [row["state"] for row in rows(gateway, "show", EMAIL)]
    assert states == ["deactivated", "active"]
    events = [(row["what"], row["subject"]) for row in rows(gateway, "events")]
    assert events == [("rotated", f"{gateway.database}/{name}") for name in (NOTE, EMAIL)]


def attempt(gateway: Gateway) -> list[tuple[object, ...]] | None:
    try:
        return read(gateway)
    except psycopg.Error:
        return None


def test_what_is_due(gateway: Gateway) -> None:
    """By the configured age; `list` says so by its status, `rotate --due` deals with it."""
    assert rows(gateway, "rotate", "--due", "--no-wait") == []
    settings = yaml.safe_load(gateway.configuration.read_text())
    settings["keys"]["rotate"] = {"share": 1e-8}
    gateway.configure(settings)
    with pytest.raises(ServerFailed) as caught:
        gateway.command("keys", "list")
    assert "uses of" in caught.value.detail
    done = rows(gateway, "rotate", "--due", "--no-wait")
    assert [row["key"] for row in done] == [f"{gateway.database}/{NOTE}"]


def test_a_kek_is_rotated_under_a_running_gateway(gateway: Gateway) -> None:
    """Its keysets are wrapped anew; the gateway fetches the new version when it meets it."""
    before = read(gateway)
    assert "wraps 2 keysets" in gateway.command("keys", "rotate", "--kek")
    assert [row["state"] for row in rows(gateway, "show", f"kek {gateway.database}")] == [
        "deactivated",
        "active",
    ]
    with psycopg.connect(gateway.uri(), autocommit=True) as one:
        one.execute("CREATE TABLE other (id int)")  # has the catalog, and the keys, be read
    wait_until(lambda: "configuration accepted" in gateway.log.read_text(), "the new version is fetched")
    assert read(gateway) == before
    rows(gateway, "rotate", NOTE, "--no-wait")
    with psycopg.connect(gateway.uri(), autocommit=True) as one:
        one.execute("DROP TABLE other")
    wait_until(lambda: attempt(gateway) == before, "the gateway reads keysets under it")


def test_states_and_floors(gateway: Gateway) -> None:
    """A suspended version opens nothing, an active one does again; floors hold whatever the state."""
    rows(gateway, "rotate", NOTE, "--no-wait")
    assert "version 1" in gateway.command("keys", "suspend", NOTE, "--version", "1")
    assert [row["opens"] for row in rows(gateway, "show", NOTE)] == [False, True]
    gateway.command("keys", "activate", NOTE, "--version", "1")
    gateway.command("keys", "floor", NOTE, "--opening", "2", "--sealing", "2")
    assert [row["opens"] for row in rows(gateway, "show", NOTE)] == [False, True]
    gateway.command("keys", "floor", NOTE, "--opening", "1", "--sealing", "2")
    gateway.command("keys", "deactivate", NOTE, "--version", "1")
    assert [row["state"] for row in rows(gateway, "show", NOTE)] == ["deactivated", "active"]
    for command in (["suspend", NOTE, "--version", "2"], ["activate", NOTE, "--version", "1"]):
        with pytest.raises(ServerFailed) as caught:
            gateway.command("keys", *command)
        assert "key-transition" in caught.value.detail
    with pytest.raises(ServerFailed) as caught:
        gateway.command("keys", "suspend", NOTE, "--version", "9")
    assert "has 2 versions" in caught.value.detail


def test_a_suspected_leak_is_one_command(gateway: Gateway) -> None:
    """A new version, everything sealed anew, the old one trusted no more, and a record of it."""
    before = read(gateway)
    said = gateway.command("keys", "compromise", NOTE, "--no-wait")
    assert "exposed are the values of public.people.note" in said
    assert [(row["state"], row["opens"]) for row in rows(gateway, "show", NOTE)] == [
        ("compromised", False),
        ("active", True),
    ]
    wait_until(lambda: attempt(gateway) == before, "the gateway knows the new key")
    event = rows(gateway, "events")[0]
    details = event["details"]
    assert isinstance(details, dict)
    assert (event["what"], details["columns"]) == ("compromised", [NOTE])
    since = datetime.fromisoformat(str(details["since"]))
    assert datetime.now(UTC) - since < timedelta(hours=1)
    assert int(details["uses"]) >= 50


def test_wrong_use(gateway: Gateway) -> None:
    """Says what to give instead."""
    for arguments in ([], ["--due", NOTE], ["--kek", "--due"], ["public.people.town"]):
        with pytest.raises(ServerFailed):
            gateway.command("keys", "rotate", *arguments)


def test_a_backup_that_should_have_been_tested(gateway: Gateway) -> None:
    """`list` says so, and by its status."""
    gateway.command("keys", "custody", NOTE, "--keeper", "Ada", "--every", "1d")
    assert [row["due"] for row in rows(gateway, "list")] == [None, None, None]
    with sqlite3.connect(gateway.folder / "state" / "state.db") as state:
        state.execute("UPDATE key_custody SET since = '2026-01-01 00:00:00.000000'")
    state.close()
    with pytest.raises(ServerFailed) as caught:
        gateway.command("keys", "list")
    assert "its backup should have been tested by 2026-01-02" in caught.value.detail
