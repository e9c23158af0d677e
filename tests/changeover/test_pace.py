"""changeover/pace.py: batches of blocks, and what is looked at between them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from tests.changeover.shop import HASTY, Shop

from strongroom.changeover.database import Database
from strongroom.changeover.pace import Pace
from strongroom.changeover.throttle import Load, Throttle
from strongroom.testing.waiting import wait_until


@pytest.fixture
def pace(shop: Shop) -> Iterator[Pace]:
    """A walk over customers."""
    with shop.connect() as connection:
        database = Database(connection, HASTY)
        database.settle_session()
        yield Pace(
            database, database.value("SELECT 'public.customers'::regclass::oid::int8"), Throttle(HASTY)
        )


def test_batches_cover_each_block_once(pace: Pace) -> None:
    """From where one begins to the end that the table has then, in batches that grow while they are quick."""
    total = pace.blocks()
    for start in (0, 1, total):
        batches = list(pace.batches(start))
        edges = [(batch.first, batch.last) for batch in batches]
        assert [first for first, _ in edges[1:]] == [last for _, last in edges[:-1]]
        assert (edges[0][0], batches[-1].done) == (start, total) if start < total else not edges
        assert all(batch.total == total for batch in batches)


def test_what_else_the_database_does(pace: Pace, shop: Shop) -> None:
    """No replica is behind; another session is at work while its statement runs, and for a second."""
    with shop.server.connect(shop.database) as other, ThreadPoolExecutor() as pool:
        wait_until(lambda: not pace.load().others, "nobody else is at work")
        running = pool.submit(other.execute, "SELECT pg_sleep(60)")
        wait_until(lambda: pace.load().others, "another session is seen")
        other.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            running.result()
        assert pace.load() == Load(lag_bytes=0, others=True)


def test_others_are_seen_inside_a_transaction(pace: Pace, shop: Shop) -> None:
    """As in `verify`, although PostgreSQL shows the same activity for the whole of it."""
    wait_until(lambda: not pace.load().others, "nobody else is at work")
    with pace.database.transaction():
        assert not pace.load().others
        with shop.server.connect(shop.database) as other:
            other.execute("SELECT 1")
            assert pace.load().others
