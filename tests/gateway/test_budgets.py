"""What roles limit in an hour: the count in the state, and before a real gateway."""

import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.rows import TupleRow

from strongroom.config import StateAddress
from strongroom.errors import BudgetSpent
from strongroom.gateway.budgets import Budgets, Given
from strongroom.policy.model import Subject
from strongroom.policy.residual import Limits
from strongroom.state import open_state
from strongroom.testing.gateway import Account, Gateway
from strongroom.testing.servers import PostgresServer

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SAM = Subject("sam")
TEN = Limits(rows_per_hour=10)


@pytest.fixture
def budgets(tmp_path: Path) -> Iterator[Budgets]:
    """Nobody was given anything."""
    state = open_state(StateAddress(tmp_path / "state.db"))
    yield Budgets(state)
    state.close()


def test_what_goes_out_is_counted(budgets: Budgets) -> None:
    """For each subject by itself, a person and an account of one name too."""
    budgets.spend(SAM, TEN, Given(4, 8), NOON)
    budgets.spend(SAM, TEN, Given(3, 0), NOON + timedelta(minutes=5))
    assert budgets.given(SAM, NOON + timedelta(minutes=5)) == Given(7, 8)
    assert budgets.given(Subject("sam", "person"), NOON) == Given()


def test_too_much_is_not_counted(budgets: Budgets) -> None:
    """It did not go out; less may, up to the limit itself."""
    budgets.spend(SAM, TEN, Given(8), NOON)
    with pytest.raises(BudgetSpent, match="10 rows an hour"):
        budgets.spend(SAM, TEN, Given(3), NOON)
    budgets.spend(SAM, TEN, Given(2), NOON)
    with pytest.raises(BudgetSpent):
        budgets.spend(SAM, TEN, Given(1), NOON)


def test_both_limits_hold(budgets: Budgets) -> None:
    """That of revealed values, too."""
    with pytest.raises(BudgetSpent):
        budgets.spend(SAM, Limits(10, 5), Given(3, 6), NOON)
    budgets.spend(SAM, Limits(10, 5), Given(3, 5), NOON)


def test_any_hour(budgets: Budgets) -> None:
    """Never is more given within sixty minutes, and a minute later there is room again."""
    budgets.spend(SAM, TEN, Given(10), NOON + timedelta(seconds=59))
    assert budgets.given(SAM, NOON + timedelta(minutes=60, seconds=58)) == Given(10)
    assert budgets.given(SAM, NOON + timedelta(minutes=61)) == Given()
    budgets.spend(SAM, TEN, Given(10), NOON + timedelta(minutes=61))


def test_a_clock_put_back_gives_no_more(budgets: Budgets) -> None:
    """What was given later by the clock was given before."""
    budgets.spend(SAM, TEN, Given(10), NOON)
    assert budgets.given(SAM, NOON - timedelta(hours=3)) == Given(10)


def test_what_is_over_is_forgotten(budgets: Budgets) -> None:
    """The state does not grow."""
    for hours in range(0, 20, 2):
        budgets.spend(SAM, TEN, Given(1), NOON + timedelta(hours=hours))
    with budgets.state.engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM given").scalar() == 1


# -------------------------------------------------------------------- before a gateway

PASSWORD = "correct horse battery"
TABLES = """
CREATE TABLE people (id int, iban bytea, name text);
CREATE TABLE notes (id int);
INSERT INTO notes SELECT generate_series(1, 30);
"""
COLUMNS = {"public.people.iban": {"type": "text", "encryption": "randomized"}}
FREE: dict[str, Any] = {
    "tables": {"public.*": ["select", "insert", "copy"]},
    "columns": {"*": "reveal"},
}
ROLES = {
    "free": FREE,
    "few_rows": FREE | {"limits": {"rows_per_hour": 10}},
    "few_values": FREE | {"limits": {"reveals_per_hour": 4}},
}


@pytest.fixture(scope="module")
def limited(shop: PostgresServer) -> Iterator[Gateway]:
    """Two workers before ten people and thirty notes; each account of ``accounts`` is used by one test."""
    shop.create_database("limited")
    shop.run(TABLES, "limited")

    def configure(gateway: Gateway) -> None:
        held = {"app": ["free"], "values": ["few_values"]}
        held |= {f"rows{number}": ["few_rows"] for number in range(len(WAYS) + 3)}
        gateway.give_roles(ROLES, held, PASSWORD, classes={"public.people.id": "public"})

    account = Account("app", PASSWORD)
    more = {"columns": COLUMNS}
    with Gateway.start(shop, "limited", workers=2, account=account, more=more, first=configure) as running:
        with session(running, "app") as app:
            for number in range(10):
                app.execute("INSERT INTO people VALUES (%s, %s, 'Jo')", (number, "DE0012345678"))
        yield running


def session(gateway: Gateway, account: str) -> psycopg.Connection[TupleRow]:
    """Logged in as an account."""
    return psycopg.connect(gateway.uri(account, PASSWORD), autocommit=True)


def _once(one: psycopg.Connection[TupleRow], table: str, rows: int) -> int:
    return len(one.execute(f"SELECT * FROM {table} LIMIT {rows}").fetchall())


def _simple(one: psycopg.Connection[TupleRow], table: str, rows: int) -> int:
    cursor = psycopg.ClientCursor(one)
    return len(cursor.execute(f"SELECT * FROM {table} LIMIT {rows}").fetchall())


def _prepared(one: psycopg.Connection[TupleRow], table: str, rows: int) -> int:
    query = f"SELECT * FROM {table} LIMIT %s"
    return len(one.execute(query, (rows,), prepare=True, binary=True).fetchall())


def _pipelined(one: psycopg.Connection[TupleRow], table: str, rows: int) -> int:
    with one.pipeline():
        return len(one.execute(f"SELECT * FROM {table} LIMIT %s", (rows,)).fetchall())


def _copied(one: psycopg.Connection[TupleRow], table: str, rows: int) -> int:
    with one.cursor().copy(f"COPY (SELECT * FROM {table} LIMIT {rows}) TO STDOUT") as copy:
        return len(list(copy.rows()))


def _fetched(one: psycopg.Connection[TupleRow], table: str, rows: int) -> int:
    with one.transaction():
        one.execute(f"DECLARE c CURSOR FOR SELECT * FROM {table}")
        return len(one.execute(f"FETCH {rows} FROM c").fetchall())


def _executed(one: psycopg.Connection[TupleRow], table: str, rows: int) -> int:
    one.execute("DEALLOCATE ALL")
    one.execute(f"PREPARE p AS SELECT * FROM {table} LIMIT {rows}")
    return len(one.execute("EXECUTE p").fetchall())


def _returned(one: psycopg.Connection[TupleRow], _table: str, rows: int) -> int:
    many = f"INSERT INTO notes SELECT 0 FROM generate_series(1, {rows}) RETURNING id"
    return len(one.execute(many).fetchall())


Way = Callable[[psycopg.Connection[TupleRow], str, int], int]
WAYS: list[Way] = [_once, _simple, _prepared, _pipelined, _copied, _fetched, _executed, _returned]


@pytest.mark.parametrize("way", WAYS)
def test_no_more_rows_than_the_limit(limited: Gateway, way: Way) -> None:
    """However they are asked for, from a sealed table or not; a result that has too many ends its session."""
    account = f"rows{WAYS.index(way)}"
    with session(limited, account) as one, session(limited, account) as another:
        assert way(one, "notes", 3) == 3
        assert way(another, "people" if way is not _copied else "notes", 4) == 4
        with pytest.raises(psycopg.Error, match="no more than 10 rows an hour"):
            way(one, "notes", 4)
        assert way(another, "notes", 3) == 3
        with pytest.raises(errors.InsufficientPrivilege):
            way(another, "notes", 1)
        assert another.execute("SELECT 1").fetchone() == (1,)
        assert another.execute("SELECT count(*) FROM pg_class").fetchone() is not None


def test_a_result_of_many_rows_is_cut(limited: Gateway) -> None:
    """The session ends before more than the limit has gone out, if a single row of it."""
    with session(limited, f"rows{len(WAYS)}") as one:
        with pytest.raises(errors.ConfigurationLimitExceeded):
            one.execute("SELECT a.id FROM notes a, notes b, notes c, notes d").fetchall()
        assert one.closed


def test_the_count_outlasts_the_gateway(limited: Gateway) -> None:
    """A start anew gives nobody more."""
    account = f"rows{len(WAYS) + 1}"
    with session(limited, account) as one:
        assert _once(one, "notes", 10) == 10
    limited.signal(signal.SIGTERM)
    limited.wait()
    limited.launch()
    with session(limited, account) as one, pytest.raises(errors.InsufficientPrivilege):
        _once(one, "notes", 1)


def test_revealed_values(limited: Gateway) -> None:
    """Those that come as they are count, but for public ones; what is computed of them is not given."""
    with session(limited, "values") as one:
        assert len(one.execute("SELECT id FROM people").fetchall()) == 10
        assert len(one.execute("SELECT id, name, iban FROM people LIMIT 1").fetchall()) == 1
        for computed in ("lower(name)", "string_agg(name, '')", "count(name)"):
            with pytest.raises(errors.InsufficientPrivilege):
                one.execute(f"SELECT {computed} FROM people".encode())
        with pytest.raises(errors.ConfigurationLimitExceeded):
            one.execute("SELECT name FROM people LIMIT 3").fetchall()
    with session(limited, "values") as one:
        assert len(one.execute("SELECT name FROM people LIMIT 2").fetchall()) == 2
        with pytest.raises(errors.InsufficientPrivilege):
            one.execute("SELECT name FROM people LIMIT 1")
        assert len(one.execute("SELECT id FROM people").fetchall()) == 10
