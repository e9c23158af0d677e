"""changeover/swap.py: what happens under the lock."""

from dataclasses import replace

import psycopg
import pytest
from tests.changeover.shop import HASTY, IBAN, Shop

from strongroom.changeover.model import Direction, Progress, Stage
from strongroom.errors import ChangeoverRefused

ORDER = "SELECT obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE conname = 'strongroom_iban'"


def test_too_many_rows_are_not_filled_under_the_lock(shop: Shop) -> None:
    """It is let go, the rows are filled beside the writers, and it is tried again."""
    swaps: list[int] = []

    def tell(progress: Progress) -> None:
        if progress.stage is Stage.SWAP:
            swaps.append(progress.done)
            if len(swaps) < 3:
                shop.run("UPDATE customers SET iban = 'new' || id || '-' || txid_current()")

    shop.change(Direction.PROTECT, IBAN, tell=tell, limits=replace(HASTY, last_rows=50))
    assert swaps == [0, 1, 2]
    assert all(row[2].startswith("new") for row in shop.contents([IBAN])["customers"])


def test_a_few_rows_are(shop: Shop) -> None:
    """They are found by their index, and sealed before the names change."""

    def tell(progress: Progress) -> None:
        if progress.stage is Stage.SWAP:
            shop.run(
                "UPDATE customers SET iban = 'last' WHERE id IN (7, 8)",
                "UPDATE customers SET iban = NULL WHERE id = 9",
            )

    shop.change(Direction.PROTECT, IBAN, tell=tell)
    found = {row[3]: row[2] for row in shop.contents([IBAN])["customers"]}
    assert (found["7"], found["8"], found["9"], found["10"]) == ("last", "last", None, "DE10")


def test_rows_that_something_changes_back_stop_it(shop: Shop) -> None:
    """An accepted trigger that changes what we fill must not end in lost values."""
    shop.run(
        "CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.iban := 'x' || random(); RETURN NEW; END $$",
        "CREATE TRIGGER back BEFORE UPDATE ON customers FOR EACH ROW WHEN (OLD.id = 3)"
        " EXECUTE FUNCTION back()",
    )
    with pytest.raises(ChangeoverRefused, match="cannot be filled"):
        shop.change(Direction.PROTECT, IBAN, accepted=["public.back"])


def test_grants_of_columns_are_given_again(shop: Shop) -> None:
    """With their options."""
    shop.run(
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader",
        "GRANT SELECT (iban), UPDATE (iban) ON customers TO reader WITH GRANT OPTION",
    )
    query = (
        "SELECT attacl::text FROM pg_attribute WHERE attname = 'iban' AND attrelid = 'customers'::regclass"
    )
    before = shop.rows(query)
    shop.change(Direction.PROTECT, IBAN)
    assert shop.rows(query) == before
    shop.run("DROP OWNED BY reader")


def test_the_order_is_written_on_the_check(shop: Shop) -> None:
    """Where a dump takes it along."""
    shop.change(Direction.PROTECT, IBAN)
    ((comment,),) = shop.rows(ORDER)
    assert '"names": ["id", "email", "name", "iban"' in comment
    with pytest.raises(psycopg.errors.UndefinedColumn):
        shop.run("SELECT strongroom_shadow_iban FROM customers")
