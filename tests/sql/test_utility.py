"""Statements that are neither queries nor changes."""

import pytest
from tests.sql.world import CONTEXT, PATH, SCHEMA, one, shown

from strongroom.errors import ConstructRefused, DefinitionRefused, Denied, UserCodeRefused
from strongroom.sql.resolve import after
from strongroom.sql.statement import Barrier, Context, Kind

HOLE = "⟨public.customers.email⟩"


@pytest.mark.parametrize(
    ("text", "transaction", "takes_back"),
    [
        ("begin", "begin", False), ("start transaction isolation level serializable", "begin", False),
        ("commit", "commit", True), ("end", "commit", True), ("rollback", "rollback", True),
        ("abort and chain", "rollback", True), ("savepoint a", "savepoint", False),
        ("release a", "release", False), ("rollback to a", "rollback to", True),
        ("prepare transaction 'x'", "prepare", True), ("rollback prepared 'x'", "rollback prepared", False),
    ],
)  # fmt: skip
def test_transactions(text: str, transaction: str, takes_back: bool) -> None:
    """Each is told by name, and whether it may undo what the transaction changed."""
    resolved = one(text)
    assert (resolved.kind, resolved.transaction) == (Kind.TRANSACTION, transaction)
    assert resolved.takes_back is takes_back
    assert resolved.barriers is Barrier.NONE


def test_another_transaction_may_have_changed_the_catalog() -> None:
    """COMMIT PREPARED makes the DDL of whoever prepared it hold."""
    assert one("commit prepared 'x'").barriers is Barrier.CATALOG


@pytest.mark.parametrize(
    ("text", "kind", "barriers"),
    [
        ("discard all", Kind.DISCARD, ~Barrier.NONE), ("discard temp", Kind.DISCARD, Barrier.CATALOG),
        ("discard plans", Kind.DISCARD, Barrier.NONE), ("discard sequences", Kind.DISCARD, Barrier.NONE),
        ("set search_path to a", Kind.SET, Barrier.SEARCH_PATH), ("set role a", Kind.SET, Barrier.ROLE),
        ("set datestyle to german", Kind.SET, Barrier.STYLE), ("set lock_timeout to 1",
        Kind.SET, Barrier.NONE),
        ("call listed()", Kind.OTHER, Barrier.CATALOG), ("listen a", Kind.OTHER, Barrier.NONE),
        ("do 'begin end'", Kind.OTHER, Barrier.CATALOG | Barrier.SEARCH_PATH | Barrier.STYLE),
        ("show search_path", Kind.OTHER, Barrier.NONE), ("checkpoint", Kind.OTHER, Barrier.NONE),
        ("create role a", Kind.DDL, Barrier.CATALOG), ("drop table plain", Kind.DDL, Barrier.CATALOG),
        ("create extension a", Kind.DDL, Barrier.CATALOG), ("import foreign schema a from server b into c",
        Kind.DDL, Barrier.CATALOG), ("create temp table a (b int)", Kind.DDL, Barrier.CATALOG),
        ("select 1 into a", Kind.DDL, Barrier.CATALOG), ("reassign owned by a to b",
        Kind.DDL, Barrier.CATALOG),
        ("explain analyze create table a as select 1", Kind.EXPLAIN, Barrier.CATALOG),
        ("explain select 1", Kind.EXPLAIN, Barrier.NONE),
        ("select set_config('role', 'a', true)", Kind.SELECT, Barrier.ROLE),
    ],
)  # fmt: skip
def test_away_from_protected_tables(text: str, kind: Kind, barriers: Barrier) -> None:
    """Sent as they came; whatever is not known to leave names as they are is a barrier."""
    resolved = one(text)
    assert (resolved.kind, resolved.barriers, resolved.touched) == (kind, barriers, False)
    assert shown(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "truncate customers", "lock customers in share mode", "vacuum (analyze) customers (email)",
        "cluster customers using i", "reindex table customers", "refresh materialized view mails",
        "analyze customers",
    ],
)  # fmt: skip
def test_maintenance_leaves_everything_as_it_is(text: str) -> None:
    """Near a protected table, too, and without a barrier."""
    assert shown(text) == text
    assert one(text).barriers is Barrier.NONE


@pytest.mark.parametrize(
    "text",
    [
        "create rule r as on insert to customers do also select 1", "create type t as (c customers)",
        "create cast (customers as text) with inout", "create foreign table f (c customers) server s",
        "create operator === (leftarg = customers, rightarg = customers, procedure = f)",
        "call listed((select email from customers limit 1))",
        ("alter default privileges grant select on tables to x;"
        " create domain d as customers"),
    ],
)  # fmt: skip
def test_what_is_not_listed_is_refused_near_a_protected_table(text: str) -> None:
    """Statements that may pass are listed, not those that must fail."""
    with pytest.raises(Denied):
        one(text.rsplit("; ", maxsplit=1)[-1])


def test_explain_seals_what_it_shows() -> None:
    """Its literals are sealed like those of the statement; DECLARE and EXECUTE may be explained, too."""
    for text in (
        "explain select id from customers where email = 'a'",
        "explain (analyze, buffers) delete from customers where email = 'a'",
        "explain declare c cursor for select id from customers where email = 'a'",
    ):
        assert HOLE in shown(text)
        assert one(text).outputs is None
    context = after(CONTEXT, one("prepare p as delete from customers where email = $1"))
    resolved = one("explain execute p('a')", context=context)
    assert (resolved.kind, resolved.touched, resolved.context_free) == (Kind.EXPLAIN, True, False)
    with pytest.raises(ConstructRefused, match="EXPLAIN of"):
        one("explain create materialized view v as select email from customers")


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        ("do $$ begin raise notice 'x'; end $$", True), ("do language sql $$ select 1 $$", True),
        ("do $$ begin delete from customers; end $$ language plpgsql", False),
        ("do $$ begin execute 'x'; end $$", False), ("do $$ begin perform sneak(); end $$", False),
        ("do language plpython3u $$ x $$", False), ("do $$ begin set role bob; end $$", False),
        ("do $$ begin update plain set id = 1; end $$", True),
    ],
)  # fmt: skip
def test_do(code: str, passes: bool) -> None:
    """Its words decide, and its language; without anything protected, everything passes."""
    if passes:
        assert shown(code) == code
    else:
        with pytest.raises(UserCodeRefused):
            one(code)
    assert shown(code, context=Context(SCHEMA, {}, PATH)) == code


def test_a_table_made_of_a_prepared_statement() -> None:
    """Is one that holds what the statement gives: refused if that is near, or not known."""
    touched = after(CONTEXT, one("prepare p as select email from customers"))
    plain = after(CONTEXT, one("prepare p as select txt from plain"))
    for text in ("create table t as execute p", "explain analyze create table t as execute p"):
        for context in (touched, CONTEXT):
            with pytest.raises(DefinitionRefused):
                one(text, context=context)
        assert shown(text, context=plain) == text
        assert shown(text, context=Context(SCHEMA, {}, PATH)) == text
