"""sql/policed.py: every statement says what it does, also one that cannot be followed."""

from dataclasses import replace

import pytest
from tests.sql.test_access import POLICED, accesses, resolved
from tests.sql.world import one

from strongroom.errors import Denied
from strongroom.policy.model import Action
from strongroom.sql.access import Access


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("begin", set()),
        ("set application_name = 'x'", set()),
        ("show search_path", set()),
        ("listen x", set()),
        ("deallocate all", set()),
        ("truncate plain", {"truncate plain"}),
        ("truncate plain cascade", {"truncate plain"}),
        ("truncate customers cascade", {"truncate customers", "truncate orders", "truncate plain"}),
        ("truncate customers", {"truncate customers"}),
        ("truncate events cascade", {"truncate events", "truncate listed"}),
        ("commit", set()),
        ("prepare transaction 'x'", {"call pg_catalog.pg_prepared_xact"}),
        ("commit prepared 'x'", {"call pg_catalog.pg_prepared_xact"}),
        ("rollback prepared 'x'", {"call pg_catalog.pg_prepared_xact"}),
        ("lock plain", {"update plain"}),
        ("lock plain, pg_catalog.pg_authid", {"update plain", "update pg_catalog.pg_authid"}),
        ("alter table plain add note text", {"ddl plain"}),
        ("create index on plain (txt)", {"ddl plain"}),
        ("create unique index on plain (txt)", {"ddl plain", "filter plain.txt"}),
        ("alter table plain rename column txt to words", {"ddl plain", "reveal plain.txt"}),
        ("vacuum plain", {"ddl plain"}),
        ("drop table plain", {"ddl plain"}),
        ("create table t (id int)", {"ddl schema public"}),
        ("set role admin", {"ddl"}),
        ('set "Role" to admin', {"ddl"}),
        ('set local "SESSION_AUTHORIZATION" to admin', {"ddl"}),
        ("set session authorization admin", {"ddl"}),
        ("do $$ begin end $$", {"ddl", "call pg_catalog.plpgsql_inline_handler"}),
        ("create function f() returns int language sql as 'select 1'", {"ddl"}),
        ("create extension x", {"ddl"}),
        ("grant select on plain to x", {"ddl plain"}),
        ("call harmless(1)", {"call harmless"}),
    ],
)
def test_what_is_no_query(text: str, found: set[str]) -> None:
    """What changes the session alone is nobody's business, and what is not known to is DDL."""
    assert accesses(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("select harmless(id) from plain", {"select plain", "reveal plain.id", "call harmless"}),
        ("select plain.harmless from plain", {"call harmless"}),
        ("select public.harmless(1)", {"call harmless"}),
        ("select other.harmless(1)", set()),
        ("select upper('a')", set()),
    ],
)
def test_functions_and_catalogs(text: str, found: set[str]) -> None:
    """Functions of users are called by any name that may mean them; PostgreSQL's own are free."""
    assert found <= accesses(text)
    assert found or not any(one.startswith("call") for one in accesses(text))


@pytest.mark.parametrize(
    "text",
    [
        "select (plain).* from plain",
        "select * from plain, jsonb_each('{}') x",
        "prepare p as select (plain).* from plain",
        "declare c cursor for select (plain).* from plain",
        "explain select (plain).* from plain",
    ],
)
def test_what_cannot_be_followed_passes_as_it_came(text: str) -> None:
    """And is taken to show, and to look at, all of what it names."""
    found = resolved(text)
    assert (found.pieces, found.touched) == ((text,), False)
    wanted = {"select plain", "reveal plain.txt", "filter plain.id"}
    assert wanted <= accesses(text)
    if found.defines is not None:
        assert found.defines.accesses == found.accesses


@pytest.mark.parametrize("text", ["create table t as execute p", "explain create table t as execute p"])
def test_what_a_table_keeps_of_a_prepared_statement_is_revealed(text: str) -> None:
    """No mask follows it there; and the answer is this session's, which prepared it."""
    plainly = replace(POLICED, protections={})
    made = one("prepare p as select txt from plain where id = 1", context=plainly)
    assert made.defines is not None
    found = one(text, context=replace(plainly, prepared={"p": made.defines}))
    revealed = {Access(Action.REVEAL, "public", "plain", "txt"), Access(Action.DDL)}
    assert revealed | made.accesses <= found.accesses
    assert not found.context_free
    assert one("select (plain).* from plain", context=plainly).context_free
    with pytest.raises(Denied):
        one(text, context=plainly)


def test_what_cannot_be_followed_beside_a_protected_table_is_refused() -> None:
    """As it is without a policy."""
    with pytest.raises(Denied):
        one("select (customers).* from customers", context=POLICED)


def test_a_table_that_nobody_knows() -> None:
    """Is of no schema, and nobody may do anything to it."""
    assert {"select new", "reveal new"} & accesses("select a from new") == {"select new"}
    assert accesses("truncate new") == {"truncate new"}


def test_code_of_do_in_another_language() -> None:
    """Is called by that language's own function."""
    found = one("do language plperl $$ 1 $$", context=replace(POLICED, protections={})).accesses
    assert Access(Action.CALL, "pg_catalog", "plperl_inline_handler") in found


def test_a_file_of_the_server() -> None:
    """Is more than a copy."""
    assert {"ddl", "copy plain"} <= accesses("copy plain to '/tmp/x'")


def test_what_is_followed_is_what_runs() -> None:
    """Names are qualified and * is spelled out, as beside protected tables."""
    found = resolved("select * from plain")
    assert found.pieces == ('select "plain"."id", "plain"."txt" from "public".plain',)
    assert found.touched
