"""changeover/fill.py: batches of rows, filled and compared."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.changeover.shop import HASTY, IBAN, Shop, target

from strongroom.changeover import places, record, statements
from strongroom.changeover.database import Database
from strongroom.changeover.fill import Filler
from strongroom.changeover.model import Direction
from strongroom.changeover.pace import Pace
from strongroom.changeover.survey import survey
from strongroom.changeover.throttle import Throttle
from strongroom.errors import ChangeoverMismatch

EMPTY = "SELECT count(*) FROM customers WHERE strongroom_shadow_iban IS NULL AND iban IS NOT NULL"
TRIGGER = f'ALTER TABLE customers DISABLE TRIGGER "{statements.TRIGGER}"'


@pytest.fixture
def filler(shop: Shop) -> Iterator[Filler]:
    """The filler of customers.iban, its shadow made and empty."""
    with shop.connect() as connection:
        database = Database(connection, HASTY)
        database.settle_session()
        database.run(record.CREATE)
        (table,) = survey(database, [target(IBAN)], Direction.PROTECT).tables
        for statement in statements.prepare(table, Direction.PROTECT):
            database.run(statement)
        yield Filler(database, table, Direction.PROTECT, lambda _: None, Throttle(HASTY), lambda _: None)


def blocks(filler: Filler) -> int:
    return Pace(filler.database, filler.table.oid, filler.throttle).blocks()


def test_a_pass_fills_every_row(shop: Shop, filler: Filler) -> None:
    """All but those that are NULL, and notes how far it came."""
    noted: list[int] = []
    filler.note = noted.append
    filler.fill(0)
    assert filler.rows == 429
    assert shop.rows(EMPTY) == [(0,)]
    assert noted[-1] == blocks(filler)
    filler.verify()
    assert filler.verified == 429


def test_a_pass_begins_where_the_last_one_stopped(filler: Filler) -> None:
    """What is before is left for the end."""
    filler.fill(blocks(filler))
    assert filler.rows == 0
    assert filler.left(1000) == 429
    filler.catch_up(0)
    assert filler.left(1000) == 0


def test_a_shadow_is_emptied_when_its_column_changes(shop: Shop, filler: Filler) -> None:
    """In any bit; and kept when others change."""
    filler.fill(0)
    shop.run(
        "UPDATE customers SET iban = 'DE 1' WHERE id = 1",
        "UPDATE customers SET name = 'B'",
        "INSERT INTO customers (id, email, iban, strongroom_shadow_iban) SELECT 1000, 'x', 'y',"
        " strongroom_shadow_iban FROM customers WHERE id = 2",
    )
    assert shop.rows(EMPTY) == [(2,)]


def test_other_roles_write_as_before(shop: Shop, filler: Filler) -> None:
    """They need no right on anything of ours for the trigger to do its work."""
    filler.fill(0)
    shop.run(
        "DROP ROLE IF EXISTS writer",
        "CREATE ROLE writer",
        "REVOKE ALL ON SCHEMA strongroom_keys FROM PUBLIC",
        "GRANT SELECT, INSERT, UPDATE ON customers TO writer",
    )
    with shop.connect() as connection:
        connection.execute("SET ROLE writer")
        connection.execute("UPDATE customers SET iban = 'written' WHERE id = 1")
        connection.execute("INSERT INTO customers (id, email, iban) VALUES (1001, 'w', 'w')")
    assert shop.rows(EMPTY) == [(2,)]
    shop.run("DROP OWNED BY writer")


def test_a_row_that_changed_meanwhile_is_not_overwritten(shop: Shop, filler: Filler) -> None:
    """The batch was read before, and is written after."""
    real = filler.database.run

    def run(statement: str, *parameters: object) -> None:
        if statement.startswith("UPDATE"):
            shop.run("UPDATE customers SET iban = 'new' || id WHERE id <= 100")
        real(statement, *parameters)

    filler.database = replace(filler.database)
    filler.database.run = run  # type: ignore[method-assign]  # a moment between reading and writing
    filler.fill(0)
    assert shop.rows(EMPTY) == [(100,)]


def test_a_value_that_went_wrong_is_found(shop: Shop, filler: Filler) -> None:
    """Here because the trigger was off for a while."""
    filler.fill(0)
    shop.run(TRIGGER, "UPDATE customers SET iban = 'other' WHERE id = 300")
    with pytest.raises(ChangeoverMismatch):
        filler.verify()


def test_the_last_rows_are_found_by_their_index(shop: Shop, filler: Filler) -> None:
    """At any size of the table, without reading it."""
    filler.fill(0)
    filler.database.run(statements.todo_index(filler.table))
    shop.run("UPDATE customers SET iban = NULL WHERE id = 1", "UPDATE customers SET iban = 'x' WHERE id = 2")
    filler.database.run("SET enable_seqscan = off")
    condition = statements.missing(filler.table)
    lines = shop_explain(filler.database, f"SELECT ctid FROM {filler.table.sql} t WHERE {condition} LIMIT 10")
    assert statements.todo_name(filler.table.oid) in lines
    assert filler.fill_some(10) == 1


def test_rows_are_written_by_their_place(filler: Filler) -> None:
    """The UPDATE looks up each ctid; it does not read the table."""
    update = filler._update().replace(
        places.UNNESTED, "ARRAY['(0,1)']::tid[], ARRAY['7']::xid[]"
    )  # its plan is the fact
    lines = shop_explain(filler.database, update.replace("%b::bytea[]", "ARRAY['\\x01']::bytea[]"))
    assert "Tid Scan" in lines
    assert "Seq Scan" not in lines


def shop_explain(database: Database, statement: str) -> str:
    """The plan of a statement."""
    return "\n".join(row[0] for row in database.rows(f"EXPLAIN {statement}"))
