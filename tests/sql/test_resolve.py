"""The entrance: the table of statements in statements.txt, and what its records say beyond the text."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sql.random_statements import random_statement
from tests.sql.world import CONTEXT, EMAIL, IBAN, NAME, PROTECTIONS, SCHEMA, one, shown

from strongroom.errors import BarrierInBatch, Denied, StatementTooComplex, StrongroomError
from strongroom.sql.resolve import after, analyse
from strongroom.sql.schema import Schema
from strongroom.sql.statement import Barrier, Context, Kind, Output, Parameter

STATEMENTS = Path(__file__).with_name("statements.txt")


def _table() -> Iterator[tuple[str, str]]:
    lines = [
        line
        for line in STATEMENTS.read_text(encoding="utf-8").splitlines()
        if line[:2] in {"> ", "< ", "! ", "= "}
    ]
    yield from zip(lines[::2], lines[1::2], strict=True)


def _outcome(text: str) -> str:
    try:
        sent = shown(text)
    except StrongroomError as error:
        return "! " + error.code
    return "= as it came" if sent == text else "< " + sent


@pytest.mark.parametrize(("given_text", "expected"), list(_table()), ids=lambda text: text[2:60])
def test_statements(given_text: str, expected: str) -> None:
    """Each statement of the table is sent, or refused, as the table says."""
    assert _outcome(given_text.removeprefix("> ")) == expected


def test_refusals_name_a_way_out() -> None:
    """A refusal of something that touches a protected column says what to do, and quotes no value."""
    for text in (
        "select lower(email) from customers where note = 'geheim'",
        "select id from customers where iban = 'geheim'",
    ):
        with pytest.raises(Denied) as refused:
            one(text)
        assert refused.value.hint
        assert "geheim" not in refused.value.message + refused.value.hint + refused.value.detail


def test_parameters_say_what_the_client_sees() -> None:
    """A sealed parameter is bytea upstream, and to the client what the plaintext column would make it."""
    resolved = one("insert into customers (id, email, name) values ($1, $2, $3)")
    assert resolved.parameters == (
        Parameter(1),
        Parameter(2, 25, 17, EMAIL),
        Parameter(3, 1043, 17, NAME),
    )
    compared = Parameter(1, 25, 17, NAME, compared=True)
    assert one("select 1 from customers where name = $1").parameters == (compared,)


def test_declared_types_are_kept() -> None:
    """What Parse declares is what the client sees, and what goes upstream where nothing is sealed."""
    resolved = one("select 1 from customers where email = $1 and id = $2", 1043, 20)
    assert resolved.parameters == (Parameter(1, 1043, 17, EMAIL, compared=True), Parameter(2, 0, 20))


def test_a_parameter_used_both_ways_is_split() -> None:
    """The first use keeps the number; the other gets one after the client's, declared so that both agree."""
    resolved = one("insert into customers (email, note) values ($1, $1)")
    assert resolved.parameters == (Parameter(1, 25, 17, EMAIL), Parameter(1, 25, 25))


def test_a_randomized_value_is_sealed_for_each_use() -> None:
    """Two rows that take one parameter do not show that their values are equal."""
    resolved = one("insert into customers (iban) values ($1), ($1)")
    assert resolved.parameters == (Parameter(1, 25, 17, IBAN), Parameter(1, 25, 17, IBAN))


def test_arrays_are_sealed_by_element() -> None:
    """`= ANY ($1)` takes an array of the column's type from the client, and bytea[] upstream."""
    resolved = one("select 1 from customers where email = any($1)")
    assert resolved.parameters == (Parameter(1, 1009, 1001, EMAIL, is_array=True, compared=True),)


def test_outputs_say_their_origin() -> None:
    """A column shows its table, a view's column the view, and an expression none."""
    outputs = one(
        "select c.email, m.mail, coalesce(c.email, 'x') from customers c join mails m on m.mail = c.email"
    ).outputs
    assert outputs == (
        Output("email", 100, 2, EMAIL, type_oid=25),
        Output("mail", 103, 2, EMAIL, type_oid=25),
        Output("coalesce", 0, 0, EMAIL, type_oid=25),
    )


def test_touches_and_relations() -> None:
    """The record names each protected column and each relation that the statement uses."""
    resolved = one("select 1 from customers c, plain p where c.email = 'a' and c.id = p.id")
    assert (100, 2) in resolved.touches
    assert resolved.relations == {100, 102}


def test_barriers_of_one_text_add_up() -> None:
    """A text of several statements is a barrier if one of them is."""
    assert analyse("begin; set search_path to x", (), CONTEXT).barriers == Barrier.SEARCH_PATH
    assert analyse("select 1; select 2", (), CONTEXT).barriers is Barrier.NONE


def test_nothing_near_passes_a_barrier() -> None:
    """After DDL in one text, a statement that names a protected table is refused."""
    with pytest.raises(BarrierInBatch):
        analyse("create table x (id int); select email from customers", (), CONTEXT)


def test_a_temporary_table_shadows() -> None:
    """A temporary table of a protected table's name is another table, as the snapshot says."""
    shadow = replace(SCHEMA.relations[102], oid=900, schema="pg_temp_3", name="customers", temporary=True)
    schema = Schema({**SCHEMA.relations, 900: shadow}, PATH_OF_VIEWS, functions=SCHEMA.functions)
    context = Context(schema, PROTECTIONS, CONTEXT.search_path)
    assert not one("select txt from customers where txt = 'a'", context=context).touched
    assert one("select email from public.customers where email = 'a'", context=context).touched


PATH_OF_VIEWS = ("pg_catalog", "public")


def test_what_is_not_in_the_snapshot_is_told() -> None:
    """A relation that the snapshot does not know is named, so that the catalog can be read again."""
    assert one("select * from brand_new").unknown == {"brand_new"}
    assert one("with x as (select 1) select * from x").unknown == frozenset()


def test_without_protections_everything_passes() -> None:
    """Where nothing is protected, statements are only asked for barriers and pinned settings."""
    context = Context(SCHEMA, {}, CONTEXT.search_path)
    for text in ("select sneak()", "do $$ begin execute 'x'; end $$", "execute p(1)", "not sql at all"):
        assert shown(text, context=context) == text


def test_names_of_statements_and_cursors_follow() -> None:
    """What PREPARE and DECLARE define is known after them, and not after DEALLOCATE, CLOSE or DISCARD ALL."""
    prepared = after(CONTEXT, one("prepare p as select email from customers"))
    assert prepared.prepared["p"].outputs == (Output("email", 100, 2, EMAIL, type_oid=25),)
    assert after(prepared, one("deallocate p")).prepared == {}
    declared = after(CONTEXT, one("declare c cursor for select email from customers"))
    made = declared.cursors["c"]
    assert made is not None
    assert made.outputs == (Output("email", 100, 2, EMAIL, type_oid=25),)
    assert after(declared, one("close all")).cursors == {}
    assert after(prepared, one("discard all")).prepared == {}


def test_depth_is_bounded() -> None:
    """A statement that would overflow a stack is refused, whatever it nests."""
    for text in (
        "(" * 3000 + "1" + ")" * 3000,
        "not " * 3000 + "true",
        "1" + "+1" * 3000,
        "case when true then " * 3000,
    ):
        with pytest.raises(StatementTooComplex):
            one("select email from customers where id = " + text)


def test_kinds() -> None:
    """Each statement has the kind by which the session treats it."""
    kinds = {
        "select 1": Kind.SELECT, "values (1)": Kind.SELECT, "begin": Kind.TRANSACTION,
        "copy plain from stdin": Kind.COPY_IN,
        "copy plain to stdout": Kind.COPY_OUT, "set x.y to z": Kind.SET, "create table x ()": Kind.DDL,
        "explain select 1": Kind.EXPLAIN, "listen x": Kind.OTHER, "discard temp": Kind.DISCARD,
    }  # fmt: skip
    assert {text: one(text).kind for text in kinds} == kinds


FRAGMENTS = [
    "select", "from", "customers", "email", "where", "=", "$1", "'a'", "(", ")", ",", "*", "::text",
    "insert into", "values", "update", "set", "c", ".", "join", "using", "on", "union all", "with x as",
    "order by", "null", "array[", "]", "in", ";", "coalesce(", "case when", "then", "end", "plain",
    "and", "iban", "group by", "lateral", "returning", "$2", "any(", "1",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25).map(" ".join))
def test_nonsense_raises_only_our_errors(text: str) -> None:
    """Whatever the words, analysis returns or denies."""
    with contextlib.suppress(Denied):
        analyse(text, (), CONTEXT)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 1 << 32), st.data())
def test_damaged_statements_raise_only_our_errors(seed: int, data: st.DataObject) -> None:
    """A statement with a piece cut out is understood or denied."""
    text, _ = random_statement(seed)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 8)))
    with contextlib.suppress(Denied):
        analyse(text[:start] + text[end:], (), CONTEXT)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 1 << 32))
def test_no_statement_about_a_protected_column_is_untouched(seed: int) -> None:
    """A statement whose text names a protected table, and passes, is never sent as if it did not."""
    text, _ = random_statement(seed)
    try:
        resolved = one(text)
    except Denied:
        return
    names = {"customers", "orders", "events", "mails"}
    assert resolved.touched or not any(f" {name} " in f" {text} " for name in names)


@pytest.mark.parametrize(
    ("first", "more"),
    [
        ("select 'x' v", "select v from {0} union all select v from {0}"),
        ("select 1 v", "select x.*, y.* from {0} x, {0} y"),
    ],
)
def test_queries_that_double_one_another_are_bounded(first: str, more: str) -> None:
    """WITH queries of which each uses the one before it twice are refused before they grow."""
    queries = [f"a0 as ({first})", *(f"a{n} as ({more.format(f'a{n - 1}')})" for n in range(1, 40))]
    with pytest.raises(StatementTooComplex):
        analyse(f"with {', '.join(queries)} select 1 from a39, customers", (), CONTEXT)
