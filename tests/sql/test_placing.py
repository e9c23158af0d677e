"""sql/placing.py: what a definition needs the right to change."""

import pytest
from tests.sql.test_access import accesses


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("create table t (id int)", {"ddl schema public"}),
        ("create table other.t (id int)", {"ddl schema other"}),
        ("create table new.t (id int)", {"ddl schema new"}),
        ("create table t (like plain)", {"ddl schema public", "ddl plain"}),
        ("create table other.t (like plain)", {"ddl schema other", "ddl plain"}),
        ("create table t (id int references plain)", {"ddl schema public", "ddl plain"}),
        ("create view v as select 1", {"ddl schema public"}),
        ("create sequence other.s", {"ddl schema other"}),
        ("create type other.pair as (a int)", {"ddl schema other"}),
        ("create temp table t (id int)", {"ddl"}),
        ("create temp view v as select 1", {"ddl"}),
        ("create temp sequence s", {"ddl"}),
        ("alter table plain set schema other", {"ddl plain", "ddl schema other"}),
        ("alter table plain rename to ordinary", {"ddl plain", "ddl schema public"}),
        ("alter index plain rename to ordinary", {"ddl plain", "ddl schema public"}),
        ("alter table plain rename column txt to words", {"ddl plain"}),
        ("alter table plain rename constraint a to b", {"ddl plain"}),
    ],
)
def test_what_is_made_comes_to_be_in_a_schema(text: str, found: set[str]) -> None:
    """In the first of the path where none is named; what is temporary is the database's."""
    assert {one for one in accesses(text) if one.startswith("ddl")} == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("drop table plain", {"ddl plain"}),
        ("drop table if exists other.customers, plain", {"ddl other.customers", "ddl plain"}),
        ("drop table if exists gone", {"ddl schema public"}),
        ("drop view if exists other.gone", {"ddl schema other"}),
        ("drop trigger t on plain", {"ddl plain"}),
        ("drop policy p on plain", {"ddl plain"}),
        ("comment on table plain is 'x'", {"ddl plain"}),
        ("comment on column plain.txt is 'x'", {"ddl plain"}),
        ("drop table pg_catalog.pg_class", {"ddl pg_catalog.pg_class"}),
        ("drop table plain cascade", {"ddl"}),
        ("drop index i", {"ddl"}),
        ("drop schema other", {"ddl"}),
        ("comment on database x is 'x'", {"ddl"}),
    ],
)
def test_what_is_dropped_is_that_alone(text: str, found: set[str]) -> None:
    """CASCADE takes what nobody named."""
    assert accesses(text) == found


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("create function f() returns int language sql begin atomic select id from plain; end", {"ddl"}),
        ("create schema s create view v as select id from plain", {"ddl"}),
        ("create publication p for table plain, tables in schema public", {"ddl"}),
        ("grant select on plain, unheard_of to x", {"ddl"}),
        ("grant select on plain, pg_catalog.pg_authid to x", {"ddl pg_catalog.pg_authid"}),
        ("vacuum plain, pg_catalog.pg_class", {"ddl pg_catalog.pg_class"}),
        (
            "create rule r as on insert to plain do also select rolpassword from pg_catalog.pg_authid",
            {"select pg_catalog.pg_authid"},
        ),
        (
            "create policy p on plain using (exists (select from pg_catalog.pg_authid))",
            {"select pg_catalog.pg_authid"},
        ),
        ("create trigger t before insert on plain execute function stamp()", {"call stamp"}),
    ],
)
def test_what_is_more_than_the_table_it_names(text: str, more: set[str]) -> None:
    """The right to define that table is not enough for it."""
    asked = {one for one in accesses(text) if "plain" not in one or one.startswith("ddl")}
    assert asked == {"ddl plain"} | more


def test_views_look_at_what_describes_the_database() -> None:
    """As anybody may, who may do anything."""
    assert accesses("create view v as select relname from pg_catalog.pg_class") == {"ddl schema public"}
