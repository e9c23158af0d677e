"""Casts that leave a value as it is pass; the rest is refused. ARRAY[...] takes the type of its cast."""

from dataclasses import replace

import pytest
from tests.sql.world import CONTEXT, PATH, PROTECTIONS, SCHEMA, TAGS, one, shown

from strongroom.errors import (
    ComparisonRefused,
    ParameterTypeUnknown,
    TypeRefused,
    ValueComputed,
    ValueMoves,
)
from strongroom.sql.schema import Schema, UserType
from strongroom.sql.statement import Context, SealedLiteral
from strongroom.sql.typenames import INT2, INT4, NUMERIC, TEXT, VARCHAR

EMAIL, NAME, SCORE = (f"⟨public.customers.{name}⟩" for name in ("email", "name", "score"))


def where(condition: str) -> str:
    """What is sent of a condition."""
    return shown(f"select id from customers where {condition}").split(" where ")[1]


def holes(text: str) -> list[SealedLiteral]:
    """The literals that are sealed in it."""
    return [piece for piece in one(text).pieces if isinstance(piece, SealedLiteral)]


@pytest.mark.parametrize(
    ("condition", "sent"),
    [
        ("email = cast('a' as text)", f"email = cast({EMAIL} as pg_catalog.bytea)"),
        ("email = cast ( ('a') as varchar )", f"email = cast ( ({EMAIL}) as pg_catalog.bytea )"),
        ("email = 'a'::pg_catalog.text", f"email = {EMAIL}::pg_catalog.bytea"),
        ("email = text 'a'", f"email = {EMAIL}"),
        ("email = varchar 'a'::text", f"email = {EMAIL}::pg_catalog.bytea"),
        ("name = 'a'::character varying (20)", f"name = {NAME}::pg_catalog.bytea"),
        ("email = any('{a}'::text[])", "email = any(⟨public.customers.email[]⟩::pg_catalog.bytea[])"),
        ("email = any(array['a', null]::varchar array)",
         f"email = any(array[{EMAIL}, null]::pg_catalog.bytea[])"),
        ("email = any(array['a']::text[])", f"email = any(array[{EMAIL}]::pg_catalog.bytea[])"),
        ("email = any(cast(array[$1] as text[]))", "email = any(cast(array[$1] as pg_catalog.bytea[]))"),
        ("score = any(array[]::int[])", "score = any(array[]::pg_catalog.bytea[])"),
        ("score = '5'::int8", f"score = {SCORE}::pg_catalog.bytea"),
        ("score = 5::int4", f"score = {SCORE}::pg_catalog.bytea"),
        ("score = int '5'", f"score = {SCORE}"),
        ("email::text::varchar = 'a'", f"email::pg_catalog.bytea::pg_catalog.bytea = {EMAIL}"),
        ("id = '5'::int and email = 'a'", f"id = '5'::int and email = {EMAIL}"),
    ],
)  # fmt: skip
def test_a_cast_that_changes_nothing_becomes_one_to_bytea(condition: str, sent: str) -> None:
    """So that the expression keeps the form that the client wrote."""
    assert where(condition) == sent


@pytest.mark.parametrize(
    "condition",
    [
        "email = (select 'a')::varchar(3)", "email = 'a'::char(3)", "email = 'a'::name",
        "email = 'a'::citext",
        "email = '1'::int::text", "email = 'a'::bytea", "email = 'a'::public.text", "email::int = 1",
        "email::varchar(3) = 'a'", "name::varchar(3) = 'a'",
        "score = 5::smallint", "score = 5::numeric(3, 1)", "score = '5'::int8::int4", "score::int8 = 5",
        "email = any('{{a}}'::text)", "email = 'a'::text[]",
        "email = any(array[array['a']]::text[])", "email = date '2020-01-01'", "email = 5::text",
    ],
)  # fmt: skip
def test_a_cast_that_might_change_the_value_is_refused(condition: str) -> None:
    """What is sealed before it would not be what PostgreSQL makes of it."""
    with pytest.raises(TypeRefused):
        where(condition)


@pytest.mark.parametrize(
    ("condition", "cuts"),
    [
        ("email = 'a'::varchar(3)", [3]), ("name = 'a'::varchar(21)", [21]),
        ("name = 'a'::varchar(20)", [20]),
        ("email = any('{a}'::varchar(3)[])", [3]), ("email = 'a'::varchar(5)::varchar(3)::varchar(9)", [3]),
        ("email = varchar(4) 'a'", [4]), ("email = case when true then 'a' else 'b' end::varchar(2)", [2, 2]),
        ("email = any(array['a', 'b'::varchar(3)]::varchar(9)[])", [9, 3]),
        ("email = coalesce('a', 'b'::varchar(3))", [0, 3]), ("email = 'a'::varchar", [0]),
    ],
)  # fmt: skip
def test_a_cast_to_a_length_cuts_the_values_in_it(condition: str, cuts: list[int]) -> None:
    """The shortest of them counts; what stands beside the cast is left whole."""
    assert [hole.cut for hole in holes(f"select id from customers where {condition}")] == cuts


def test_the_literal_is_read_as_its_cast_says() -> None:
    """`'5'::numeric` for an integer column is an input of numeric; without a cast, of the column's type."""
    types = {
        "'5'": INT4, "5": INT4, "'5'::numeric": NUMERIC, "smallint '5'": INT2, "numeric '5'": NUMERIC,
    }  # fmt: skip
    for literal, oid in types.items():
        (hole,) = holes(f"select id from customers where score = {literal}")
        assert hole.type_oid == oid, literal
    (hole,) = holes("select id from customers where name = 'a'::text")
    assert (hole.type_oid, hole.value) == (TEXT, "a")


@pytest.mark.parametrize(
    ("made", "typmod"),
    [
        ("'a'::varchar(3)", 7), ("varchar(3) 'a'", 7), ("$1::varchar(3)", 7), ("null::varchar(3)", 7),
        ("'a'::varchar(3)::varchar", -1), ("'a'::varchar(3)::varchar(2)", 6),
        ("coalesce('a'::varchar(3), 'b'::varchar(3))", 7), ("coalesce('a'::varchar(3), 'b')", -1),
        ("case when true then 'a'::varchar(3) end", -1),
        ("lag('a'::varchar(3)) over ()", -1), ("nullif('a'::varchar(3), $1)", -1),
        ("unnest($1::varchar(3)[])", -1),
    ],
)  # fmt: skip
def test_a_cast_in_a_subquery_says_its_length(made: str, typmod: int) -> None:
    """What is sealed by a comparison outside is described as PostgreSQL would (exprTypmod, nodeFuncs.c)."""
    text = f"select x from (select {made}) s(x) where exists (select from customers where name = x)"
    (output,) = one(text).outputs or ()
    assert output.protection is not None
    assert output.typmod == typmod


@pytest.mark.parametrize(
    ("made", "typmod"),
    [
        ("array['a', 'b']::varchar(3)[]", 7), ("array['a'::varchar(3), 'b'::varchar(3)]", 7),
        ("array['a'::varchar(3), 'b']", -1), ("$1::varchar(3)[]", 7), ("array(select 'a'::varchar(3))", 7),
    ],
)  # fmt: skip
def test_an_array_has_the_length_of_its_elements(made: str, typmod: int) -> None:
    """Whether its cast or theirs says it."""
    text = f"select x from (select {made}) s(x) where exists (select from customers where name = any(x))"
    (output,) = one(text).outputs or ()
    assert (output.is_array, output.typmod) == (True, typmod)


def test_an_array_of_parameters_is_one_more() -> None:
    """The client still sees each with its type; upstream gets none of their values but in the array."""
    sent = one("update listed set tags = array[$2::varchar, $3] where id = $1").parameters or ()
    assert [(item.type_oid, item.upstream_oid, item.withheld) for item in sent] == [
        (0, 0, False), (VARCHAR, TEXT, True), (VARCHAR, TEXT, True), (1015, 17, False),
    ]  # fmt: skip
    assert (sent[3].members, sent[3].is_array, sent[3].protection) == ((2, 3), False, TAGS)


def test_an_array_of_parameters_of_several_types_is_refused() -> None:
    """It would be sealed in one of them; a cast of the array decides."""
    update = "update listed set marks = array[$1, $2]"
    for declared in ((INT4, 20), (TEXT, INT4)):
        with pytest.raises(TypeRefused):
            one(update, *declared)
    assert (one(update, INT4, INT4).parameters or ())[0].type_oid == INT4


def test_a_length_of_its_own_is_kept_for_storing() -> None:
    """`'abc'::varchar(20)` is cut without a word, and so counts as compared no longer."""
    compared, cast = (
        holes(f"select id from customers where name = {literal}")[0]
        for literal in ("'a'", "'a'::varchar(20)")
    )
    assert compared.compared
    assert cast.type_oid == VARCHAR


def test_a_cast_of_a_column_keeps_its_origin() -> None:
    """PostgreSQL relabels text as varchar without a new expression, and shows the table still."""
    (output,) = one("select email::varchar from customers").outputs or ()
    assert (output.table_oid, output.attnum, output.type_oid, output.name) == (100, 2, VARCHAR, "email")
    (output,) = one("select cast(name as text) from customers").outputs or ()
    assert (output.type_oid, output.typmod) == (TEXT, -1)


def test_a_cast_of_something_plain_is_plain() -> None:
    """Its output is not ours to describe."""
    (output,) = one("select note::varchar(3) from customers").outputs or ()
    assert (output.table_oid, output.protection) == (-1, None)


def test_a_parameter_has_the_type_of_its_cast() -> None:
    """The client is asked for that type, and upstream takes bytea; two casts cannot both be right."""
    (parameter,) = one("select 1 from customers where score = $1::int8").parameters or ()
    assert (parameter.type_oid, parameter.upstream_oid) == (20, 17)
    with pytest.raises(ParameterTypeUnknown):
        one("select 1 from customers where email = $1::text and id = $1::int")


def test_text_that_is_cast_elsewhere_is_no_output() -> None:
    """A column of VALUES is text: sealed as a number for its cast, it is not what was written."""
    rows = "from (values ($1), ('05')) v(e) join customers c on c.score = v.e::int"
    for shown_ in ("v.e", "array[v.e]", "coalesce(v.e, '7')"):
        with pytest.raises(TypeRefused, match="of another type"):
            one(f"select {shown_} {rows}")
    (output,) = one(f"select v.e::int {rows}").outputs or ()
    assert (output.type_oid, output.protection is not None) == (INT4, True)
    assert one(f"select c.id {rows}").touched


def test_arrays_of_protected_values_are_flat() -> None:
    """Made of columns and literals of one key."""
    assert "array[email, ⟨public.customers.email⟩]" in shown("select array[email, 'a'] from customers")
    (output,) = one("select array[email, null] from customers").outputs or ()
    assert (output.is_array, output.type_oid) == (True, 1009)
    with pytest.raises(TypeRefused):
        one("select array[array[email]] from customers")
    with pytest.raises(TypeRefused):
        one("select array[array_agg(email)] from customers")
    with pytest.raises(ValueMoves):
        one("select array[email, note] from customers")
    with pytest.raises(ValueMoves):
        one("select array[email, name] from customers")


def test_row_types_of_protected_tables_are_refused() -> None:
    """By any name under which they are found, and as arrays; another schema's row is another type."""
    for text in ("null::customers", "null::public.customers", "'{}'::customers[]", "null::mails"):
        if text == "null::mails":
            continue
        with pytest.raises(TypeRefused):
            one(f"select {text}, id from customers")
    assert one("select null::plain, id from customers").touched


def test_a_type_that_hides_postgresqls_own_is_refused() -> None:
    """A `text` of a schema before pg_catalog is another type; behind it, or qualified, it is not meant."""
    hiding = Schema(SCHEMA.relations, types=(UserType(700, "mine", "text", "d", 0),))
    text = "select id from customers where email = 'a'::{}text"
    before = Context(hiding, PROTECTIONS, ("mine", *PATH))
    with pytest.raises(TypeRefused, match="stands before"):
        one(text.format(""), context=before)
    assert one(text.format("pg_catalog."), context=before).touched
    behind = replace(before, search_path=(*PATH, "mine"))
    assert one(text.format(""), context=behind).touched
    assert CONTEXT.search_path == PATH


def test_nulls_alone_are_text_unless_they_are_cast() -> None:
    """CASE, COALESCE and UNION of nothing but NULL are text to PostgreSQL, which is not stored in bytea."""
    for expression in ("case when id = 1 then null end", "coalesce(null, null)"):
        with pytest.raises(ValueComputed):
            one(f"update customers set email = {expression}")
        with pytest.raises(ComparisonRefused):
            one(f"select id from customers where email = {expression}")
        assert one(f"update customers set score = ({expression})::int").touched
    with pytest.raises(ValueMoves):
        one("(select null union select null) union all select email from customers")
    assert one("select null union all select email from customers").touched
    assert one("insert into customers (email) values (null), (null)").touched
    rows = "from (values (null, 0), (null, 1)) v(p, n)"
    assert one(f"insert into customers (email) select p::text {rows}").touched
