"""changeover/database.py: locks that give up, values as they came."""

import psycopg
import pytest
from tests.changeover.shop import Shop

from strongroom.changeover.database import Database
from strongroom.changeover.model import Limits
from strongroom.errors import ChangeoverLocked

LIMITS = Limits(lock_wait=0.05, lock_tries=3)


def test_an_exclusive_lock_is_tried_for_and_given_up(shop: Shop) -> None:
    """Between the tries others get through; at last it is an error, and nothing was done."""
    with shop.connect() as ours, shop.connect() as other, other.transaction():
        other.execute("SELECT FROM customers")
        rests: list[float] = []

        def rest(seconds: float) -> None:
            rests.append(seconds)
            shop.run("UPDATE customers SET name = 'through' WHERE id = 1")

        database = Database(ours, LIMITS, sleep=rest)
        with pytest.raises(ChangeoverLocked):
            database.locked(["customers"], lambda: database.run("TRUNCATE customers, orders"))
        assert rests == [0.1, 0.2, 0.4]
        assert database.locks.attempts == 3
    assert shop.rows("SELECT count(*) FROM customers") == [(500,)]


def test_the_longest_lock_is_measured_without_the_wait(shop: Shop) -> None:
    """From when it was had until it was let go."""
    with shop.connect() as connection:
        database = Database(connection, Limits())
        database.locked(["customers"], lambda: database.run("SELECT pg_sleep(0.05)"))
        database.locked(["customers"], lambda: None)
        assert 0.05 <= database.locks.longest < 5


def test_work_under_a_lock_is_done_whole_or_not_at_all(shop: Shop) -> None:
    """An error undoes it and comes out as it is."""
    with shop.connect() as connection:
        database = Database(connection, Limits())

        def work() -> None:
            database.run("DELETE FROM orders")
            database.run("SELECT 1 / 0")

        with pytest.raises(psycopg.errors.DivisionByZero):
            database.locked(["orders"], work)
    assert shop.rows("SELECT count(*) FROM orders") == [(500,)]


def test_values_come_as_bytes(shop: Shop) -> None:
    """In the format that is asked for."""
    with shop.connect() as connection:
        database = Database(connection, Limits())
        assert database.raw("SELECT 258, NULL::text", binary=True) == [(b"\0\0\1\2", None)]
        assert database.raw("SELECT %s::int, 'é'", 258, binary=False) == [(b"258", "é".encode())]


def test_the_session_is_settled(shop: Shop) -> None:
    """Whatever the role or the database set."""
    shop.run(
        f"ALTER DATABASE {shop.database} SET DateStyle = 'German'",
        f"ALTER DATABASE {shop.database} SET statement_timeout = '1s'",
    )
    with shop.connect() as connection:
        database = Database(connection, Limits())
        database.settle_session()
        assert database.value("SHOW DateStyle") == "ISO, YMD"
        assert database.value("SHOW statement_timeout") == "0"
        assert database.value("SHOW search_path") == "pg_catalog"
