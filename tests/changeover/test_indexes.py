"""changeover/indexes.py: indexes are built anew as they were."""

import pytest
from tests.changeover.shop import EMAIL, IBAN, ORDER_EMAIL, Shop

from strongroom.changeover.model import Direction
from strongroom.protect.scheme import Scheme

DEFINITION = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname = 'i'"
NAME = Scheme.parse("shop", "public.customers.name", type="text", encryption="deterministic")


@pytest.mark.parametrize(
    "definition",
    [
        "CREATE INDEX i ON public.customers USING btree (name)",
        "CREATE INDEX i ON public.customers USING hash (name)",
        "CREATE INDEX i ON public.customers USING btree (born DESC, name DESC NULLS LAST, id)",
        "CREATE UNIQUE INDEX i ON public.customers USING btree (name, id) INCLUDE (born)",
        "CREATE INDEX i ON public.customers USING btree (id) INCLUDE (name)",
        "CREATE INDEX i ON public.customers USING btree (lower(email), name) WITH (fillfactor='70')",
        'CREATE INDEX i ON public.customers USING btree (name, email COLLATE "POSIX" text_pattern_ops)',
        "CREATE INDEX i ON public.customers USING btree (id) WHERE (name IS NOT NULL)",
        "CREATE INDEX i ON public.customers USING btree (name) WHERE ((name IS NOT NULL) AND (id > 10))",
    ],
)
def test_a_definition_is_the_same_afterwards(shop: Shop, definition: str) -> None:
    """Kind, order, collation, included columns, storage and predicate."""
    shop.keep_keysets([NAME])
    shop.run(definition)
    assert shop.rows(DEFINITION) == [(definition,)]
    shop.change(Direction.PROTECT, NAME)
    assert shop.rows(DEFINITION) == [(definition,)]
    shop.change(Direction.UNPROTECT, NAME)
    assert shop.rows(DEFINITION) == [(definition,)]


def test_an_index_of_randomized_values_alone_is_dropped(shop: Shop) -> None:
    """And that is said before."""
    shop.run("CREATE INDEX i ON customers (iban)")
    assert any("index i is dropped" in note for note in shop.plan(IBAN).notes)
    shop.change(Direction.PROTECT, IBAN)
    assert shop.rows(DEFINITION) == []


def test_an_index_made_invalid_is_refused(shop: Shop) -> None:
    """What a failed CREATE INDEX CONCURRENTLY left has no meaning to keep."""
    shop.run(
        "CREATE INDEX i ON customers (email)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass",
    )
    assert "not valid" in shop.plan(EMAIL, ORDER_EMAIL).refusals[0]


def test_nulls_not_distinct_is_refused(shop: Shop) -> None:
    """Shadows are NULL until they are filled."""
    shop.run("CREATE UNIQUE INDEX i ON customers (name, id) NULLS NOT DISTINCT")
    assert "NULLS NOT DISTINCT" in shop.plan(NAME).refusals[0]


def test_a_unique_constraint_keeps_how_it_is_deferred(shop: Shop) -> None:
    """Its definition is the same afterwards."""
    shop.keep_keysets([NAME])
    shop.run("ALTER TABLE customers ADD CONSTRAINT i UNIQUE (name, id) DEFERRABLE INITIALLY DEFERRED")
    shop.change(Direction.PROTECT, NAME)
    definition = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'i'"
    assert shop.rows(definition) == [("UNIQUE (name, id) DEFERRABLE INITIALLY DEFERRED",)]
