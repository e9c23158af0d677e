"""sql/narrowing.py: which conditions say what rows are changed, and which only look like it."""

from dataclasses import replace

import pytest
from tests.sql.test_access import POLICED, accesses
from tests.sql.world import PLAIN, SCHEMA

from strongroom.sql.resolve import analyse
from strongroom.sql.statement import Context


def of_all(text: str) -> set[str]:
    """What the statement does to all rows."""
    return {one for one in accesses(text) if "_all" in one}


NARROW = [
    "id = 1",
    "plain.id = $1",
    "id > 0",
    "id in (1, 2)",
    "id = any($1)",
    "txt is null",
    "txt is not null",
    "txt like 'a%'",
    "lower(txt) = 'a'",
    "not (id = 1)",
    "not (txt <> 'a')",
    "id <> 1",
    "id between 1 and 2",
    "id = 1 and true",
    "true and (id = 1 or txt = 'a')",
    "id = 1 or id = 2",
    "id is distinct from 1",
    "id = id + 1",
    "id in (select id from orders)",
    "id = (select max(id) from orders)",
    "exists (select from orders o where o.id = plain.id)",
    "exists (select from orders o where o.customer = id and plain.id = 3)",
    "case when id = 1 then true else false end",
    "plain = $1",
    "plain.* is not null",
    "ctid = '(0,1)'",
    "ctid in (select ctid from plain limit 10)",
    "plain.tableoid = 1",
    "current of c",
]
IDLE = [
    "true",
    "1 = 1",
    "$1",
    "$1 = 1",
    "not false",
    "now() > '2026-01-01'",
    "random() < 0.5",
    "id = id",
    "plain.id = id",
    "plain.id = public.plain.id",
    "id <= id",
    "lower(txt) = lower(plain.txt)",
    "id is not distinct from id",
    "not (id <> id)",
    "not (id is distinct from id)",
    "id in (1, id)",
    "id between id and id",
    "txt like '%'",
    "txt ilike '%%'",
    "id = 1 or true",
    "id = 1 or 1 = 1",
    "not (id = 1 and false)",
    "id = 1 or $1",
    "$1 is null or id = $1",
    "id = 1 or id <> 1",
    "id < 5 or id >= 5",
    "txt is null or txt is not null",
    "txt = 'a' or not txt = 'a'",
    "id = id and 1 = 1",
    "exists (select from orders)",
    "exists (select from plain p where p.id = 3)",
    "exists (select from orders where id = 3)",
    "(select true)",
    "(select count(*) from plain) > 3",
    "ctid = ctid",
]


@pytest.mark.parametrize("where", NARROW)
def test_a_condition_on_the_row_says_which(where: str) -> None:
    """Whatever it comes to, a column of the row decides."""
    assert of_all(f"delete from plain where {where}") == set()
    assert of_all(f"update plain set txt = 'a' where {where}") == set()


@pytest.mark.parametrize("where", IDLE)
def test_a_condition_that_says_nothing_of_the_row(where: str) -> None:
    """Is none: it is the same for each row, or written so that it holds for each."""
    assert of_all(f"delete from plain where {where}") == {"delete_all plain"}
    assert of_all(f"update plain set txt = 'a' where {where}") == {"update_all plain"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("delete from plain", {"delete_all plain"}),
        ("update plain set txt = 'a'", {"update_all plain"}),
        ("update plain set id = o.customer from orders o where o.id = 3", {"update_all plain"}),
        ("update plain set id = o.customer from orders o where o.id = plain.id", set()),
        ("delete from plain using orders o where o.id = 3", {"delete_all plain"}),
        ("delete from plain using orders o where o.id = plain.id", set()),
        ("delete from plain p using plain q where q.id = 3", {"delete_all plain"}),
        ("delete from plain p using plain q where q.id = p.id and q.txt = 'a'", set()),
        ("delete from plain p using plain q where q.ctid = '(0,1)'", {"delete_all plain"}),
        ("with x as (delete from plain returning txt) select txt from x", {"delete_all plain"}),
        ("with x as (delete from plain where id = 1 returning id) select id from x", set()),
        (
            (
                "with x as (delete from plain where id = 1 returning id)"
                " delete from orders where exists (select from x where x.id = 3)"
            ),
            {"delete_all orders"},
        ),
        (
            (
                "with x as (delete from plain where id = 1 returning id)"
                " delete from orders where id in (select id from x)"
            ),
            set(),
        ),
        ("prepare p as delete from plain", {"delete_all plain"}),
        ("explain delete from plain", {"delete_all plain"}),
        ("update mails set id = 1", {"update_all mails"}),
        ("update mails set id = 1 where mail = 'a'", set()),
        ("update customers set name = 'a'", {"update_all customers"}),
        ("update customers set name = 'a' where email = $1", set()),
        ("update customers set name = 'a' where id is not null", {"update_all customers"}),
        ("delete from customers where not (id is null)", {"delete_all customers"}),
        ("delete from customers where email is not null", set()),
        ("insert into plain values (1, 'a') on conflict (id) do update set txt = 'b'", set()),
        ("select id from plain for update", set()),
        ("lock plain", set()),
        ("truncate plain", set()),
        ("copy plain from stdin", set()),
    ],
)
def test_statements(text: str, found: set[str]) -> None:
    """What FROM, USING and WITH add says nothing of the row, unless a condition ties it to them."""
    assert of_all(text) == found


@pytest.mark.parametrize(
    ("when", "on", "found"),
    [
        ("when matched then delete", "p.id = o.id", set()),
        ("when matched then delete", "true", {"delete_all plain"}),
        ("when matched then update set txt = 'a'", "o.id = 3", {"update_all plain"}),
        ("when matched and p.id = 3 then update set txt = 'a'", "o.id = 3", set()),
        ("when matched and o.id = 3 then delete", "true", {"delete_all plain"}),
        ("when not matched then insert (id) values (1)", "true", set()),
        ("when not matched by source then delete", "p.id = o.id", {"delete_all plain"}),
        ("when not matched by source and p.txt = 'a' then delete", "p.id = o.id", set()),
        ("when matched then do nothing", "true", set()),
    ],
)
def test_merge(when: str, on: str, found: set[str]) -> None:
    """Rows are matched by the join; those without a match may be all that there are."""
    assert of_all(f"merge into plain p using orders o on {on} {when}") == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("update plain set txt = 'a' where id in (select (plain).* from plain)", {"update_all plain"}),
        ("delete from plain where id in (select (plain).* from plain)", {"delete_all plain"}),
        ("insert into plain select (plain).* from plain", set()),
    ],
)
def test_what_cannot_be_followed_may_change_all_rows(text: str, found: set[str]) -> None:
    """An INSERT among it changes none that is there."""
    assert of_all(text) == found


def test_nothing_is_asked_where_there_is_no_policy() -> None:
    """The same text is analysed as ever."""
    context = replace(POLICED, policed=False)
    (resolved,) = analyse("update customers set name = 'a'", (), context).statements
    assert resolved.accesses == frozenset()


def test_a_primary_key_is_never_null() -> None:
    """So IS NOT NULL says nothing of it; of other columns it does."""
    keyed = replace(SCHEMA, relations={**SCHEMA.relations, PLAIN.oid: replace(PLAIN, key=(1,))})
    context = Context(keyed, POLICED.protections, POLICED.search_path, policed=True)

    def actions(text: str) -> set[str]:
        (resolved,) = analyse(text, (), context).statements
        return {one.action.value for one in resolved.accesses}

    assert "delete_all" in actions("delete from plain where id is not null")
    assert "delete_all" not in actions("delete from plain where txt is not null")
