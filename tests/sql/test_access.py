"""sql/access.py: what a statement does to what, for a policy to decide about."""

from dataclasses import replace

import pytest
from tests.sql.world import CONTEXT, one

from strongroom.policy.model import Action
from strongroom.sql.access import Access, named, unseen
from strongroom.sql.statement import Resolved

POLICED = replace(CONTEXT, policed=True)


def resolved(text: str) -> Resolved:
    """The record of one statement where a policy asks about each."""
    return one(text, context=POLICED)


def accesses(text: str) -> set[str]:
    """What a statement does, in short: ``select plain``, ``filter plain.txt``."""
    return {_short(access) for access in resolved(text).accesses}


def _short(access: Access) -> str:
    schema = "" if access.schema in {"", "public"} else f"{access.schema}."
    column = f".{access.column}" if access.column else ""
    name = f"{schema}{access.name}{column}" if access.name else access.schema and f"schema {access.schema}"
    return f"{access.action.value} {name}".strip()


def shown(text: str) -> list[str | None]:
    """The columns that are output as they stand; None for what is computed."""
    outputs = resolved(text).outputs or ()
    schema = CONTEXT.schema
    return [None if one.column is None else ".".join(named(schema, one.column)[1:]) for one in outputs]


@pytest.mark.parametrize(
    ("text", "found", "columns"),
    [
        ("select id, txt from plain", {"select plain"}, ["plain.id", "plain.txt"]),
        ("select * from plain", {"select plain"}, ["plain.id", "plain.txt"]),
        ("table plain", {"select plain"}, ["plain.id", "plain.txt"]),
        ("select id as txt from plain", {"select plain"}, ["plain.id"]),
        ("select 1 from plain", {"select plain"}, [None]),
        ("select email, iban from customers", {"select customers"}, ["customers.email", "customers.iban"]),
        ("select x.t from (select txt as t from plain) x", {"select plain"}, ["plain.txt"]),
        ("with x as (select txt from plain) select txt from x", {"select plain"}, ["plain.txt"]),
        ("select txt from plain union all select txt from plain", {"select plain"}, ["plain.txt"]),
        ("select mail from mails", {"select mails"}, ["customers.email"]),
    ],
)
def test_a_column_that_is_output_as_it_stands_says_which(
    text: str, found: set[str], columns: list[str | None]
) -> None:
    """So that it may be masked on its way: through subqueries, WITH, views and UNION ALL."""
    assert (accesses(text), shown(text)) == (found, columns)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("select upper(txt) from plain", {"reveal plain.txt"}),
        ("select txt || 'x' from plain", {"reveal plain.txt"}),
        ("select txt::varchar from plain", {"reveal plain.txt"}),
        ("select coalesce(txt, '') from plain", {"reveal plain.txt"}),
        ("select max(txt) from plain", {"reveal plain.txt"}),
        ("select (select txt from plain limit 1)", {"reveal plain.txt"}),
        ("select array(select txt from plain)", {"reveal plain.txt"}),
        ("select array_agg(txt) from plain", {"reveal plain.txt"}),
        ("select x.t from (select lower(txt) as t from plain) x", {"reveal plain.txt"}),
        (
            "select txt from plain union all select id::text from plain",
            {"reveal plain.txt", "reveal plain.id"},
        ),
        ("select count(plain.*) from plain", {"reveal plain.txt", "reveal plain.id"}),
        ("select row_to_json(plain) from plain", {"reveal plain.txt", "reveal plain.id"}),
        ("select plain from plain", {"reveal plain.txt", "reveal plain.id"}),
        ("select u from plain, string_to_table(txt, ',') u", {"reveal plain.txt"}),
        ("select u from plain, lateral generate_series(1, id) u", {"reveal plain.id"}),
        ("select txt = 'a' from plain", {"reveal plain.txt"}),
        ("select id in (select id from plain) from plain", {"reveal plain.id"}),
        ("select case id when 1 then 'a' end from plain", {"reveal plain.id"}),
        ("select x.v from plain, lateral (values (txt)) x(v)", set()),
        ("select 1 from plain, generate_series(1, ascii(txt))", {"reveal plain.txt"}),
        ("select 1 from (select generate_series(1, length(txt)) from plain) x", {"reveal plain.txt"}),
        (
            "with x as materialized (select 1 / length(txt) as y from plain) select 1 from x",
            {"reveal plain.txt"},
        ),
        ("select 1 where exists (select 1 / length(txt) from plain offset 0)", {"reveal plain.txt"}),
        ("select 1 from plain where pg_notify('c', txt) is null", {"filter plain.txt", "reveal plain.txt"}),
        ("select 1 from plain, lateral (values (length(txt))) x", {"reveal plain.txt"}),
        (
            "select count(*) over w from plain window w as (rows (select id from plain) preceding)",
            {"reveal plain.id"},
        ),
        ("select xmlelement(name x, txt) from plain", {"reveal plain.txt"}),
        ("select xmlparse(content txt) from plain", {"reveal plain.txt"}),
        ("select json_object('k': txt) from plain", {"reveal plain.txt"}),
        ("select json_array(txt) from plain", {"reveal plain.txt"}),
        ("select x.v from plain, lateral (values (txt), ('a')) x(v)", {"reveal plain.txt"}),
    ],
)
def test_what_is_computed_of_a_column_reveals_it(text: str, found: set[str]) -> None:
    """Whatever is between; a value alone is none."""
    assert accesses(text) - {"select plain"} == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("select id from plain where txt = $1", {"filter plain.txt"}),
        ("select id from plain where upper(txt) like 'A%'", {"filter plain.txt"}),
        ("select id from plain where txt is null", {"filter plain.txt"}),
        ("select id from plain order by txt", {"filter plain.txt"}),
        ("select txt from plain order by 1", {"filter plain.txt"}),
        ("select txt from plain group by txt", {"filter plain.txt"}),
        ("select distinct txt from plain", {"filter plain.txt"}),
        ("select distinct on (txt) id from plain", {"filter plain.txt"}),
        ("select txt from plain union select txt from plain", {"filter plain.txt"}),
        (
            "select count(*) from plain group by id having max(txt) > 'a'",
            {"filter plain.txt", "filter plain.id"},
        ),
        ("select count(*) filter (where txt = 'a') from plain", {"filter plain.txt"}),
        (
            "select 1 from plain limit (select count(txt) from plain)",
            {"filter plain.txt", "reveal plain.txt"},
        ),
        ("select 1 from plain a join plain b on a.txt = b.txt", {"filter plain.txt"}),
        ("select 1 from plain a join plain b using (txt)", {"filter plain.txt"}),
        ("select 1 from plain a natural join plain b", {"filter plain.txt", "filter plain.id"}),
        ("select exists (select from plain where txt = 'a')", {"filter plain.txt"}),
        (
            "select 1 from plain where id in (select id from plain where txt = 'a')",
            {"filter plain.txt", "filter plain.id"},
        ),
        ("select case when txt = 'a' then 1 end from plain", {"filter plain.txt"}),
        ("select 1 from (select txt as t from plain) x where t = 'a'", {"filter plain.txt"}),
        (
            "select 1 from (select upper(txt) as t from plain) x where t = 'a'",
            {"filter plain.txt", "reveal plain.txt"},
        ),
        ("with x as (select txt from plain) select 1 from x where txt = 'a'", {"filter plain.txt"}),
        ("explain select txt from plain", {"filter plain.txt"}),
    ],
)
def test_what_tells_rows_apart_filters(text: str, found: set[str]) -> None:
    """In WHERE, ON, USING, HAVING, ORDER BY, GROUP BY, DISTINCT, LIMIT, and inside of subqueries."""
    assert accesses(text) - {"select plain"} == found


def test_a_recursive_query_hides_no_column() -> None:
    """What a later turn puts into a column counts for it."""
    text = (
        "with recursive r(a, b) as (select id, 0 from plain union all select b, p.id from r, plain p)"
        " select b from r"
    )
    assert accesses(text) >= {"reveal plain.id", "filter plain.id"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("insert into plain values (1, 'a')", {"insert plain", "write plain.id", "write plain.txt"}),
        ("insert into plain (txt) values (default)", {"insert plain", "write plain.txt"}),
        (
            "insert into plain (id) select id from orders",
            {"insert plain", "write plain.id", "select orders", "reveal orders.id"},
        ),
        (
            "insert into plain (txt) values ('a') returning id",
            {"insert plain", "write plain.txt", "select plain"},
        ),
        (
            "insert into plain (id, txt) values (1, 'a') on conflict (id) do update set txt = excluded.txt",
            {
                "insert plain",
                "update plain",
                "select plain",
                "write plain.id",
                "write plain.txt",
                "filter plain.id",
            },
        ),
        ("update plain set txt = 'a'", {"update plain", "update_all plain", "write plain.txt"}),
        (
            "update plain set txt = 'a' where id = 1",
            {"update plain", "write plain.txt", "select plain", "filter plain.id"},
        ),
        (
            "update plain set txt = txt || 'a'",
            {"update plain", "update_all plain", "write plain.txt", "reveal plain.txt"},
        ),
        (
            "insert into plain (id, txt) values (1, 'a') on conflict do nothing",
            {"insert plain", "select plain", "write plain.txt", "write plain.id"},
        ),
        (
            "insert into plain (id) values (1) on conflict (lower(txt), id) do nothing",
            {"insert plain", "select plain", "write plain.id", "filter plain.txt", "filter plain.id"},
        ),
        (
            "insert into plain (txt) values ('a') on conflict on constraint plain_txt do nothing",
            {"insert plain", "select plain", "write plain.txt", "filter plain.txt"},
        ),
        (
            "insert into plain (txt) values ('a') on conflict on constraint plain_computed do nothing",
            {"insert plain", "select plain", "write plain.txt", "filter plain.txt", "filter plain.id"},
        ),
        (
            "insert into plain (txt) values ('a') on conflict on constraint another do nothing",
            {"insert plain", "select plain", "write plain.txt", "filter plain.txt", "filter plain.id"},
        ),
        (
            "update plain set (id, txt) = (1, 'a')",
            {"update plain", "update_all plain", "write plain.txt", "write plain.id"},
        ),
        ("delete from plain", {"delete plain", "delete_all plain"}),
        (
            "delete from plain where txt = 'a' returning id",
            {"delete plain", "select plain", "filter plain.txt"},
        ),
        (
            (
                "merge into plain p using orders o on p.id = o.id when matched then delete"
                " when not matched then insert (id) values (1)"
            ),
            {
                "delete plain",
                "insert plain",
                "select plain",
                "select orders",
                "filter plain.id",
                "filter orders.id",
                "write plain.id",
            },
        ),
        (
            "with x as (delete from plain returning txt) select txt from x",
            {"delete plain", "delete_all plain", "select plain"},
        ),
        (
            "update mails set id = 1",
            {"update mails", "update_all mails", "write mails.id", "write customers.id"},
        ),
        ("copy plain (txt) from stdin", {"copy plain", "insert plain", "write plain.txt"}),
        ("copy plain (txt) to stdout", {"copy plain", "select plain", "reveal plain.txt"}),
        ("copy (select txt from plain) to stdout", {"select plain", "copy plain", "reveal plain.txt"}),
        ("select id from plain for update", {"select plain", "update plain"}),
        ("select id from (select id from plain) x for update", {"select plain", "update plain"}),
        ("select txt into temp t from plain", {"select plain", "reveal plain.txt", "ddl plain", "ddl"}),
        (
            "create table t as select txt from plain",
            {"select plain", "reveal plain.txt", "ddl plain", "ddl schema public"},
        ),
    ],
)
def test_changes(text: str, found: set[str]) -> None:
    """What is changed, which columns are written, and what was read for it."""
    assert accesses(text) == found


def test_prepared_statements_and_cursors_keep_their_accesses() -> None:
    """EXECUTE and FETCH are asked about again: the policy may be another by then."""
    made = resolved("prepare p as select upper(txt) from plain")
    assert made.defines is not None
    assert made.defines.accesses == made.accesses
    later = replace(POLICED, prepared={"p": made.defines})
    assert one("execute p", context=later).accesses == made.accesses
    assert one("explain execute p", context=later).accesses == made.accesses


def test_what_was_not_followed_may_do_all() -> None:
    """To each column of what is named, and of what that depends on."""
    found = {_short(access) for access in unseen([Action.SELECT], [103], CONTEXT.schema)}
    assert {"select mails", "reveal mails.mail", "reveal customers.note", "write customers.note"} <= found
    assert not any(access.startswith("select customers") for access in found)
