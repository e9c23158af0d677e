"""Names of tables and columns in records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.audit.records.naming import means, parts, qualified


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("public", "customers", "iban"), "public.customers.iban"),
        (("public", "Customers"), 'public."Customers"'),
        (("a.b", 'c"d'), '"a.b"."c""d"'),
        (("", "x"), '"".x'),
    ],
)
def test_the_spelling(names: tuple[str, ...], text: str) -> None:
    """As PostgreSQL quotes what it would otherwise read differently."""
    assert qualified(*names) == text


NAMES = st.lists(st.text('ab."A', max_size=4), min_size=1, max_size=3)


@given(NAMES, NAMES)
def test_no_two_are_written_alike(one: list[str], other: list[str]) -> None:
    """Whatever is in the names."""
    assert (qualified(*one) == qualified(*other)) is (one == other)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("public.customers.iban", True),
        ("customers.iban", True),
        ("iban", True),
        ("Customers.IBAN", True),
        ('customers."iban"', True),
        ('customers."IBAN"', False),
        ("orders.iban", False),
        ("ban", False),
        ("shop.public.customers.iban", False),
        ("", False),
        (".", False),
    ],
)
def test_a_name_or_its_end(asked: str, found: bool) -> None:
    """As PostgreSQL folds it, part by part."""
    assert means(parts(asked), "public.customers.iban") is found


@given(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=3))
def test_what_is_written_is_taken_apart(names: list[str]) -> None:
    """Dots and quotes in names as well."""
    assert parts(qualified(*names)) == tuple(names)


@pytest.mark.parametrize(
    ("name", "asked", "found"),
    [
        ("public.customers.*", "customers.iban", True),
        ("public.customers.*", "public.customers.iban", True),
        ("public.customers.*", "other.customers.iban", False),
        ("public.customers.*", "orders.iban", False),
        ("public.customers.*", "iban", True),
        ("nowhere.*", "public.nowhere.iban", True),
        ("*", "public.customers.iban", True),
        ('public.customers."*"', "customers.iban", False),
        ("*", "", False),
    ],
)
def test_every_column_is_any(name: str, asked: str, found: bool) -> None:
    """What may have been the one that is asked for is found; a column may have a star for its name."""
    assert means(parts(asked), name) is found
