"""sql/defining.py: what a definition asks of columns."""

from dataclasses import replace

import pytest
from tests.sql.test_access import POLICED, accesses
from tests.sql.world import INT, SCHEMA, TEXT, one, table

from strongroom.policy.model import Action
from strongroom.sql.access import Access
from strongroom.sql.schema import Relation

BOTH = {"reveal plain.id", "reveal plain.txt"}
TOLD = {"filter plain.id", "filter plain.txt"}
ALL = BOTH | TOLD | {"select plain"}


def asked(text: str) -> set[str]:
    """What a definition asks besides the right to define and to call."""
    return {access for access in accesses(text) if not access.startswith(("ddl", "call"))}


def about(text: str, *more: Relation) -> set[tuple[Action, str]]:
    """What it asks of columns in a database without protected ones that has more relations."""
    relations = {relation.oid: relation for relation in (*SCHEMA.relations.values(), *more)}
    schema = replace(SCHEMA, relations=relations)
    found = one(text, context=replace(POLICED, schema=schema, protections={})).accesses
    return {(access.action, f"{access.name}.{access.column}") for access in found if access.column}


@pytest.mark.parametrize(
    "text",
    [
        "alter table plain add note text default upper('x') check (note > 'a') unique",
        "alter table plain add note text, add constraint c check (note > 'a'), add unique (note)",
        "alter table plain alter txt set not null, alter txt drop default, alter txt set default upper('x')",
        "alter table plain drop column txt, drop constraint c, add primary key using index i",
        "alter table plain enable row level security, owner to x, no inherit plain, not of",
        "alter table plain detach partition plain",
        "alter table plain rename constraint a to b",
        "alter trigger t on plain rename to u",
        "alter index i rename to j",
        "create index on plain (txt)",
        "create table t (like plain including all, check (id > 1), unique (txt)) inherits (plain)",
        "create table t (a int primary key check (a > 1), b text generated always as (a) stored)",
        "create trigger t before insert on plain execute function stamp()",
        "grant select on plain to x",
        "analyze plain",
        "reindex table plain",
        "drop table plain",
        "comment on column plain.txt is 'x'",
        "create domain d as int check (value > 1)",
        "alter domain d set default 1",
        "alter type pair add attribute more int, drop attribute txt",
    ],
)
def test_what_asks_for_nothing_more(text: str) -> None:
    """What reads no value, gives none another name, and tells of none by failing."""
    assert asked(text) == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("create view v as select id from plain where txt > 'a'", {"filter plain.txt"}),
        ("create temp view v as select id from plain order by txt", {"filter plain.txt"}),
        ("create recursive view v (a) as select id from plain where txt > 'a'", {"filter plain.txt"}),
        ("create or replace view mails as select id from plain group by id", {"filter plain.id"}),
        ("create view v as select id, upper(txt) from plain", {"reveal plain.txt"}),
        ("create view v as select id, txt as word from plain", set()),
        ("create view v as select (plain).* from plain", BOTH | TOLD),
        ("create materialized view v as select id from plain", {"reveal plain.id"}),
        (
            "create materialized view v as select 1 from plain where txt::int = 1 with no data",
            {"reveal plain.txt", "filter plain.txt"},
        ),
    ],
)
def test_a_view_asks_what_its_query_asks(text: str, found: set[str]) -> None:
    """A column as it stands is masked when the view is read; what decides about its rows is not seen then."""
    assert asked(text) == found | {"select plain"}


@pytest.mark.parametrize(
    "compares",
    [
        "txt = 'a'",
        "txt is not null and not (txt < 'a' or txt like 'b%')",
        "txt in ('a', 'b') or txt between 'a' and 'b'",
        "txt collate \"C\" <> 'a'",
        "(txt, 1) = ('a', 1)",
        "txt is distinct from 'a'",
        "txt = any (select 'a')",
    ],
)
def test_what_a_kept_condition_compares_is_filtered_by(compares: str) -> None:
    """No error of such a comparison quotes a value, whoever's statement it comes up in."""
    assert asked(f"alter table plain add check ({compares})") == {"filter plain.txt"}


@pytest.mark.parametrize(
    "computes",
    [
        "txt::int > 1",
        "length(txt) > 1",
        "txt || 'a' = 'b'",
        "nullif(txt, 'a') = 'b'",
        "coalesce(txt, 'a') = 'b'",
        "txt ~ 'a'",
        "case txt when 'a' then true end",
        "'a' ~ any (select txt)",
    ],
)
def test_what_a_kept_condition_computes_with_is_revealed(computes: str) -> None:
    """It could fail in the statement of somebody from whom that error's value is not kept."""
    wanted = {"filter plain.txt", "reveal plain.txt"}
    assert asked(f"alter table plain add check ({computes})") == wanted
    assert asked(f"create view v as select 1 from plain where {computes}") == wanted | {"select plain"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("add g text generated always as (upper(txt)) stored", {"reveal plain.txt"}),
        ("alter id set expression as (length(txt))", {"reveal plain.txt"}),
        ("alter id type text using txt", {"reveal plain.txt"}),
        ("alter txt type varchar(3)", {"filter plain.txt"}),
        ("add unique (txt)", {"filter plain.txt"}),
        ("add primary key (id, txt)", TOLD),
        ("add foreign key (txt) references plain (txt)", {"filter plain.txt"}),
        ("add note text references plain (txt)", {"filter plain.txt"}),
        (
            "add exclude using gist ((length(txt)) with =) where (id > 3)",
            {"reveal plain.txt", "filter plain.txt", "filter plain.id"},
        ),
        ("add check (plain is not null)", TOLD),
        ("add note text, add check (note > txt)", {"filter plain.txt"}),
        ("add if not exists txt text, add check (txt > 'a')", ALL),
        ("validate constraint c", TOLD),
        ("cluster on i", TOLD),
        ("inherit plain", BOTH),
        ("rename column txt to words", {"reveal plain.txt"}),
        ("rename to ordinary", BOTH),
        ("set schema other", BOTH),
        ("options (set table_name 'x')", BOTH),
    ],
)
def test_what_is_altered(text: str, found: set[str]) -> None:
    """What is kept of a column or renames it reveals it, what fails on its values filters."""
    assert asked(f"alter table plain {text}") == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("create unique index on plain (txt)", {"filter plain.txt"}),
        ("create index on plain ((1 / id))", {"reveal plain.id"}),
        ("create index on plain (id) where txt > 'a'", TOLD),
        ("create index on plain (id, txt)", TOLD),
        ("create index on plain (txt) include (id)", {"filter plain.txt"}),
        ("cluster plain using i", TOLD),
        ("cluster", set()),
        ("create statistics s on id, (txt || 'a') from plain", {"reveal plain.txt", *TOLD}),
        ("create trigger t before update on plain for each row execute function stamp()", BOTH),
        (
            "create trigger t after update on plain referencing new table as n execute function stamp()",
            BOTH,
        ),
        (
            (
                "create trigger t before update on plain for each row when (old.txt > 'a')"
                " execute function stamp()"
            ),
            BOTH | {"filter plain.txt"},
        ),
        ("create policy p on plain using (txt > 'a') with check (id > 3)", TOLD),
        ("alter policy p on plain using (txt::int > 3)", {"filter plain.txt", "reveal plain.txt"}),
        ("create policy p on other.customers using (exists (select from plain))", {"select plain"}),
        ("create rule r as on insert to plain do instead nothing", ALL),
        ("create schema s create view v as select id from plain where txt > 'a'", ALL),
        ("create publication p for table plain", ALL),
        ("alter view mails rename to m", {"select mails", "reveal customers.id", "reveal customers.email"}),
        ("alter view mails rename column mail to m", {"reveal customers.email"}),
        ("alter index plain rename to ordinary", BOTH),
        (
            "alter schema other rename to another",
            {"reveal other.customers.id", "reveal other.customers.email"},
        ),
        ("alter type pair rename attribute txt to word cascade", {"reveal plain.txt"}),
        ("alter type pair alter attribute txt type int cascade", {"reveal plain.txt"}),
    ],
)
def test_what_is_attached_to_a_table_or_renamed(text: str, found: set[str]) -> None:
    """An index gives rows in its order, a trigger's function has them whole, and rules go by names."""
    assert asked(text) == found


def test_a_foreign_key_looks_for_values_in_the_other_table() -> None:
    """By its primary key, where no columns are named."""
    text = "create table t (id int references customers, m text, foreign key (m) references orders (email))"
    assert asked(text) == {"filter customers.id", "filter orders.email"}


def test_partitions_are_read_by_each_other_s_names() -> None:
    """A new one gets rows that were its parent's; one that is attached gives and gets them."""
    parted = table(900, "parted", ("id", INT), kind="p")
    part = table(901, "part", ("id", INT), ("word", TEXT))
    made = about("create table t partition of parted default", parted)
    assert made == {(Action.REVEAL, "parted.id")}
    assert about("create foreign table t partition of parted default server s", parted) == made
    attached = about("alter table parted attach partition part default", parted, part)
    assert attached == made | {(Action.REVEAL, "part.id"), (Action.REVEAL, "part.word")}


def test_a_foreign_table_s_columns_are_named_elsewhere() -> None:
    """A new one may be any of the server's, by its options."""
    far = table(900, "far", ("id", INT), kind="f")
    found = about("alter foreign table far add pay int options (column_name 'id')", far)
    assert found == {(Action.REVEAL, "far.id")}
    assert about("alter foreign table far drop id", far) == set()


def test_a_domain_s_constraint_is_held_against_its_columns() -> None:
    """The snapshot does not say which these are: all that are of no type of PostgreSQL's."""
    paid = table(900, "paid", ("id", INT), ("pay", 20_000))
    revealed = {(Action.REVEAL, "paid.pay")}
    assert about("alter domain d add check (value > 25500)", paid) == revealed
    assert about("alter domain d validate constraint c", paid) == revealed
    assert about("alter domain d drop constraint c", paid) == set()


def test_what_is_not_policed_asks_for_nothing() -> None:
    """Definitions of accounts without roles go as they came."""
    text = "create view v as select id from plain where upper(txt) > 'a'"
    found = one(text, context=replace(POLICED, policed=False, protections={}))
    assert (found.accesses, found.pieces) == (frozenset[Access](), (text,))
