"""changeover/leftovers.py: where plaintext may remain."""

from tests.changeover.shop import HASTY, IBAN, Shop, target

from strongroom.changeover import leftovers
from strongroom.changeover.database import Database
from strongroom.changeover.model import Direction
from strongroom.changeover.survey import survey


def told(shop: Shop, direction: Direction, *, rewritten: bool) -> str:
    """All sentences."""
    with shop.connect() as connection:
        database = Database(connection, HASTY)
        plan = survey(database, [target(IBAN)], direction)
        return "\n".join(leftovers.of(database, plan, rewritten=rewritten, statistics_cleared=rewritten))


def test_each_place_is_named(shop: Shop) -> None:
    """Files, log, backups; and the statement that rewrites the table."""
    text = told(shop, Direction.PROTECT, rewritten=False)
    for place in (
        'VACUUM (FULL, ANALYZE) "public"."customers"',
        "VACUUM FULL pg_catalog.pg_statistic",
        "write-ahead log",
        "Backups",
        "log_statement",
    ):
        assert place in text
    assert "VACUUM" not in told(shop, Direction.PROTECT, rewritten=True)


def test_slots_keep_the_write_ahead_log(shop: Shop) -> None:
    """Said where there are any."""
    assert "slots" not in told(shop, Direction.PROTECT, rewritten=True)
    shop.run("SELECT pg_create_physical_replication_slot('kept')")
    try:
        assert "replication slots keep it" in told(shop, Direction.PROTECT, rewritten=True)
    finally:
        shop.run("SELECT pg_drop_replication_slot('kept')")


def test_unprotect_leaves_no_plaintext_to_remove(shop: Shop) -> None:
    """What changes for clients is said instead."""
    assert "stands last" in told(shop, Direction.UNPROTECT, rewritten=False)
