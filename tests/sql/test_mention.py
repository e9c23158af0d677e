"""Which texts of code are harmless."""

import pytest

from strongroom.sql.mention import harmless, has_literal, mentions

HOT = frozenset({"customers", "sneak", "my table"})


@pytest.mark.parametrize(
    "text",
    [
        "begin new.at := now(); return new; end",
        "select $1 + 1",
        "",
        "select * from customers_old",
        "raise notice 'x'",
        "update people set role = 'x', schema = 'y' where all_of(them)",
        "insert into people values (1) on conflict do update set role = 'x'",
        "select set role, reset all",
        "select setting from pg_settings",
        "set local lock_timeout = '1s'",
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
        "set schema 'x'",
        "begin set local schema 'x'; end",
        "begin\n  -- as another\n  SET ROLE bob;\nend",
        "if a then set role = 'bob'; end if",
        "begin null; /* now */ set session authorization bob; end",
        "loop reset all; end loop",
        "begin reset role; end",
        "update pg_settings set setting = 'x'",
        "set bytea_output = 'escape'",
    ],
)
def test_not_harmless(text: str) -> None:
    """A hot word anywhere, strings and comments included, or a way to run text, is not."""
    assert not harmless(text, HOT)


def test_what_may_be_a_value() -> None:
    """A string that is not empty, or a number; not a parameter, a name with digits, or 0 and 1."""
    assert not any(map(has_literal, ("select $1, t1.a2, ''", "limit 1", "select count(*) from customers")))
    assert all(map(has_literal, ("where a = 'x'", "where a = 12", "E'\\n'", "a>.5", "a=10", "$q$x'y$q$")))


def test_what_names_something() -> None:
    """A word, in any case and quoted or not; an escape that could spell one."""
    names = {"customers", "odd name"}
    assert all(
        mentions(text, names) for text in ('"Customers"', "from customers;", 'x."odd name"', 'U&"\\0061"')
    )
    assert not mentions("from customers2", names)
