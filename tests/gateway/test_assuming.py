"""A dangerous role at a running gateway: it counts where it is assumed, with a fresh second factor."""

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg import errors
from tests.gateway.serving import logged
from tests.gateway.signed_in import (
    EVERYTHING,
    LOOK,
    MASKED,
    SUPPORT,
    WHOLE,
    House,
    housed,
    rename,
    sees,
    shows,
)

from strongroom.lending import store
from strongroom.testing.raw_client import RawClient
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres import messages as m

ROLES: dict[str, Any] = {
    "support": SUPPORT,
    "dba": EVERYTHING | {"when": {"assumed": True, "second_factor": "5m"}},
    "other": SUPPORT | {"when": {"assumed": True, "second_factor": "5m"}},
}
PEOPLE = {"anna": ["support", "dba"], "berta": ["support"], "carl": ["dba"]}
REFUSED = (errors.InsufficientPrivilege, errors.FeatureNotSupported, errors.CantChangeRuntimeParam)
ASSUME = "SET strongroom.role = 'dba: order 17'"


@pytest.fixture(scope="module")
def house(shop: PostgresServer) -> Iterator[House]:
    """Anna and carl may assume a role, carl no other."""
    with housed(shop, "assumed", ROLES, PEOPLE) as opened:
        yield opened


@pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
def test_a_session_assumes_a_role(house: House, extended: bool) -> None:
    """It alone, from its next statement on, until it puts it down; log and record have who, what and why."""
    before = len(logged(house.gateway, "a role was assumed"))
    with house.session("anna") as anna, house.session("anna") as other:
        assert sees(anna) == MASKED
        anna.execute(ASSUME, prepare=extended)
        assert anna.execute(LOOK, prepare=extended).fetchone() == WHOLE
        anna.execute("UPDATE people SET name = 'Johanna' WHERE id = 1", prepare=extended)
        assert sees(other) == MASKED
        anna.execute("RESET strongroom.role", prepare=extended)
        assert anna.execute(LOOK, prepare=extended).fetchone() == MASKED
    (line,) = logged(house.gateway, "a role was assumed")[before:]
    assert (line["person"], line["role"], line["reason"]) == ("anna", "dba", "order 17")
    assert (line["level"], line["source"]) == ("warning", "127.0.0.1")
    with house.state.engine.begin() as connection:
        event = store.record(connection)[-1]
    assert (event.what, event.person, event.role) == ("a role was assumed", "anna", "dba")
    assert event.details["until"] == line["until"]


@pytest.mark.parametrize("end", ["ROLLBACK", "ROLLBACK TO s", "RESET ALL", "DISCARD ALL", "COMMIT"])
def test_it_ends_as_every_setting_does(house: House, end: str) -> None:
    """With what takes a setting back; SET LOCAL with its transaction."""
    with house.session("anna") as anna:
        local = " LOCAL" if end == "COMMIT" else ""
        if end != "DISCARD ALL":
            anna.execute("BEGIN")
            anna.execute("SAVEPOINT s")
        anna.execute(ASSUME.replace("SET", f"SET{local}"))
        assert sees(anna) == WHOLE
        anna.execute(end)
        assert sees(anna) == MASKED


def test_a_stale_second_factor_is_refused(house: House) -> None:
    """At SET, with what to do; and a session that has assumed the role loses it by the clock."""
    with house.session("anna", ago=timedelta(minutes=6)) as anna:
        with pytest.raises(errors.InsufficientPrivilege, match="cannot be assumed now") as refused:
            anna.execute(ASSUME)
        assert "strongroom login" in str(refused.value)
        assert "order 17" not in str(refused.value)
        assert sees(anna) == MASKED
    with house.session("anna", ago=timedelta(minutes=5) - timedelta(seconds=10)) as anna:
        anna.execute(ASSUME)
        assert sees(anna) == WHOLE
        wait_until(partial(shows, anna, MASKED), "the second factor is stale")
        with pytest.raises(errors.InsufficientPrivilege):
            anna.execute(ASSUME)


@pytest.mark.parametrize(
    "wish",
    [
        "SET strongroom.role = 'other: not mine'",
        "SET strongroom.role = 'nobody: is this'",
        "SET strongroom.role = 'support: need not be assumed'",
        "SET strongroom.role = 'DBA: another name'",
        "SET strongroom.role = 'dbа: with a Cyrillic a'",
        "SET strongroom.role = 'dba'",
        "SET strongroom.role TO dba",
        "SET LOCAL strongroom.role = 'other: not mine'",
        "SELECT set_config('strongroom.role', 'dba: by a function', false)",
    ],
)
def test_what_is_not_assumed(house: House, wish: str) -> None:
    """What is not one's own, has another name, or comes without a reason or by another way."""
    with house.session("anna") as anna:
        with pytest.raises(REFUSED):
            anna.execute(wish)
        assert sees(anna) == MASKED


def test_what_the_database_says_by_itself_is_nobodys_wish(house: House, shop: PostgresServer) -> None:
    """A default of the database's; start-up options neither."""
    database = house.gateway.database
    shop.run(f"ALTER DATABASE {database} SET strongroom.role = 'dba: order 17'", database)
    try:
        with house.session("anna") as anna:
            assert anna.execute("SHOW strongroom.role").fetchone() == ("dba: order 17",)
            assert sees(anna) == MASKED
    finally:
        shop.run(f"ALTER DATABASE {database} RESET strongroom.role", database)


@pytest.mark.parametrize("late", [LOOK, "UPDATE people SET name = 'x'"])
def test_what_stands_in_one_text_with_it(house: House, late: str) -> None:
    """Would run before it counts, and is refused with it."""
    with house.session("anna") as anna:
        with pytest.raises(REFUSED):
            anna.execute(f"{ASSUME}; {late}")
        assert sees(anna) == MASKED


def test_in_a_pipeline(house: House) -> None:
    """What follows waits until it is written down."""
    with house.session("anna") as anna, anna.pipeline():
        anna.execute(ASSUME)
        cursor = anna.execute(LOOK)
        assert cursor.fetchone() == WHOLE


def test_what_was_begun_while_it_was_assumed(house: House) -> None:
    """A cursor and a prepared statement give no more once it is put down."""
    with house.session("anna") as anna:
        anna.execute("BEGIN")
        anna.execute(ASSUME)
        anna.execute("DECLARE c CURSOR FOR SELECT upper(name) FROM people ORDER BY id")
        assert anna.execute("FETCH 1 FROM c").fetchone() == ("JOHANNA",)
        assert anna.execute(LOOK, prepare=True).fetchone() == WHOLE
        anna.execute("RESET strongroom.role")
        assert anna.execute(LOOK, prepare=True).fetchone() == MASKED
        with pytest.raises(errors.InsufficientPrivilege):
            anna.execute("FETCH 1 FROM c")


@pytest.mark.parametrize("end", ["RESET strongroom.role", "RESET ALL", "SET strongroom.role = ''"])
def test_a_portal_that_is_suspended(house: House, end: str) -> None:
    """Goes on no more once the role is put down that it was bound under, though nothing is bound anew."""
    with RawClient.connect(house.gateway.port) as client:
        client.log_in("anna", house.password("anna"), house.gateway.database)
        client.ask("BEGIN")
        client.ask(ASSUME)
        bound = m.Parse("", "SELECT name FROM people ORDER BY id").serialise() + m.Bind("p", "").serialise()
        client.send(bound + m.Execute("p", 1).serialise() + m.SYNC)
        assert [tag for tag, _ in client.until("Z")] == ["1", "2", "D", "s", "Z"]
        client.ask(end)
        client.send(m.Execute("p", 1).serialise() + m.SYNC)
        assert [tag for tag, _ in client.until("Z")] == ["E", "Z"]


def test_who_holds_nothing_else(house: House) -> None:
    """May do nothing but assume the role."""
    with house.session("carl") as carl:
        with pytest.raises(errors.InsufficientPrivilege):
            sees(carl)
        carl.execute(ASSUME)
        assert sees(carl) == WHOLE


def test_what_cannot_be_written_down_does_not_count(house: House) -> None:
    """Until it is said once more, and can be."""
    with house.session("anna") as anna:
        rename(house.state, "role_events", "away")
        try:
            anna.execute(ASSUME)
            assert sees(anna) == MASKED
        finally:
            rename(house.state, "away", "role_events")
        assert logged(house.gateway, "a role was not assumed")
        anna.execute(ASSUME)
        assert sees(anna) == WHOLE


def test_psql(house: House, shop: PostgresServer) -> None:
    """As any tool that can SET."""
    psql = shop.installation.program("psql")
    uri = house.gateway.uri("anna", house.password("anna"))
    run = subprocess.run(
        [psql, "-XAtq", "-c", ASSUME, "-c", LOOK, uri], capture_output=True, text=True, check=True
    )
    assert run.stdout == "Johanna\n"


def test_a_program_assumes_nothing(house: House) -> None:
    """It has no second factor, though it holds the role."""
    with psycopg.connect(house.gateway.uri(), autocommit=True) as program:
        assert sees(program) == MASKED
        with pytest.raises(errors.InsufficientPrivilege, match="cannot be assumed now"):
            program.execute(ASSUME)
