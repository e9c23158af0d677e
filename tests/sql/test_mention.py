"""Which texts of code are harmless."""

import pytest

from strongroom.sql.mention import harmless

HOT = frozenset({"customers", "sneak", "my table"})


@pytest.mark.parametrize(
    "text",
    [
        "begin new.at := now(); return new; end",
        "select $1 + 1",
        "",
        "select * from customers_old",
        "raise notice 'x'",
    ],
)
def test_harmless(text: str) -> None:
    """A text that names nothing hot and runs no text is harmless."""
    assert harmless(text, HOT)


@pytest.mark.parametrize(
    "text",
    [
        "select * from customers",
        'select * from "Customers"',
        "select * from public.CUSTOMERS",
        "select '...customers...'",
        "-- customers",
        'select * from "my table"',
        "select sneak()",
        "execute 'select ' || x",
        "select query_to_xml(x, true, true, '')",
        "perform set_config('search_path', x, false)",
        "set search_path to x",
        'select * from U&"cust\\006fmers"',
        "select dblink(x)",
    ],
)
def test_not_harmless(text: str) -> None:
    """A hot word anywhere, strings and comments included, or a way to run text, is not."""
    assert not harmless(text, HOT)
