"""changeover/record.py: what the next run finds."""

import pytest
from tests.changeover.shop import EMAIL, HASTY, ORDER_EMAIL, Shop, target

from strongroom.changeover import record
from strongroom.changeover.database import Database
from strongroom.changeover.model import Direction
from strongroom.changeover.survey import survey
from strongroom.errors import ChangeoverBusy, KeysetMissing


def test_a_row_tells_of_each_table_until_it_is_done(shop: Shop) -> None:
    """From the shadows to the last statement."""
    with shop.connect() as connection:
        database = Database(connection, HASTY)
        assert record.read(database) == {}
        plan = survey(database, [target(EMAIL), target(ORDER_EMAIL)], Direction.PROTECT)
        customers, orders = plan.tables
        database.run(record.CREATE)
        for table in plan.tables:
            record.begin(database, table, Direction.PROTECT)
        record.filled(database, customers.oid, 17)
        row = record.read(database)[customers.oid]
        assert (row.direction, row.filled, row.remaining) == (Direction.PROTECT, 17, None)
        assert row.columns == {"email": "shop/public.customers.email"}

        record.swapped(database, plan)
        left = record.read(database)
        assert set(left) == {customers.oid}
        steps = left[customers.oid].remaining
        assert steps is not None
        assert "VALIDATE" in steps[0].sql
        record.strike_off(database, customers.oid)
        assert record.read(database)[customers.oid].remaining == steps[1:]
        record.finish(database, customers.oid)
        assert record.read(database) == {}
        assert orders.oid != customers.oid


def test_protected_columns_are_listed_beside_their_keysets(shop: Shop) -> None:
    """In the transaction of the swap, and no longer after `unprotect`."""
    shop.change(Direction.PROTECT, EMAIL, ORDER_EMAIL)
    listed = "SELECT name, keyset FROM strongroom_keys.columns ORDER BY 1"
    assert shop.rows(listed) == [(s.column, s.keyset) for s in (EMAIL, ORDER_EMAIL)]
    shop.change(Direction.UNPROTECT, EMAIL, ORDER_EMAIL)
    assert shop.rows(listed) == []


def test_only_one_run_has_the_lock(shop: Shop) -> None:
    """It goes with the connection."""
    with shop.connect() as other:
        with shop.connect() as first:
            record.lock(Database(first, HASTY))
            with pytest.raises(ChangeoverBusy):
                record.lock(Database(other, HASTY))
        shop.server.run("SELECT 1")
        database = Database(other, HASTY)
        record.lock(database)
        record.unlock(database)


def test_a_keyset_must_be_beside_the_data(shop: Shop) -> None:
    """Also where there is no such table at all."""
    with shop.connect() as connection:
        database = Database(connection, HASTY)
        plan = survey(database, [target(EMAIL), target(ORDER_EMAIL)], Direction.PROTECT)
        record.check_keysets(database, plan)
        for statement in ("DELETE FROM strongroom_keys.keysets", "DROP SCHEMA strongroom_keys CASCADE"):
            shop.run(statement)
            with pytest.raises(KeysetMissing):
                record.check_keysets(database, plan)


def test_what_we_keep_stands_in_no_ones_way(shop: Shop) -> None:
    """A role named as the guides propose finds `public` as before, not a schema of ours."""
    shop.change(Direction.PROTECT, EMAIL, ORDER_EMAIL)
    shop.run("CREATE ROLE strongroom")
    try:
        with shop.connect() as connection:
            connection.execute("SET ROLE strongroom")
            assert connection.execute("SELECT current_schemas(false)").fetchone() == (["public"],)
    finally:
        shop.run("DROP ROLE strongroom")
