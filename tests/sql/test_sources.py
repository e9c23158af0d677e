"""What FROM brings into sight: tables, views, functions and joins."""

from dataclasses import replace

import pytest
from tests.sql.world import CONTEXT, EMAIL, EVENT_EMAIL, ORDER_EMAIL, PROTECTIONS, SCHEMA, one, shown, table

from strongroom.errors import (
    ComparisonRefused,
    ConstructRefused,
    Denied,
    FunctionRefused,
    TypeRefused,
    UndefinedColumn,
    UndefinedTable,
)
from strongroom.sql.schema import Relation, Schema
from strongroom.sql.statement import Context, Output

HOLE = "⟨public.customers.email⟩"


def outputs(text: str, context: Context = CONTEXT) -> tuple[Output, ...]:
    """The outputs of a query."""
    return one(text, context=context).outputs or ()


def with_view(definition: str, *columns: str, **more: object) -> Context:
    """A world that also has a view `seen`, over the protected table."""
    view = table(300, "seen", *((name, 25) for name in columns), kind="v")
    fields = {name: getattr(view, name) for name in Relation.__dataclass_fields__}
    made = Relation(**{**fields, "definition": definition, "depends": (100,), **more})
    schema = Schema({**SCHEMA.relations, 300: made}, path=SCHEMA.path, system=SCHEMA.system)
    return Context(schema, PROTECTIONS, CONTEXT.search_path)


@pytest.mark.parametrize(
    ("clause", "sent"),
    [
        ("customers", '"public".customers'), ('"customers"', '"public"."customers"'),
        ("public.customers", "public.customers"), ("only customers", 'only "public".customers'),
        ("customers *", '"public".customers *'), ("customers as c", '"public".customers as c'),
        ("customers tablesample bernoulli (5) repeatable (1)",
         '"public".customers tablesample bernoulli (5) repeatable (1)'),
        ("pg_class, customers", '"pg_catalog".pg_class, "public".customers'),
        ("customers, plain p", '"public".customers, "public".plain p'),
    ],
)  # fmt: skip
def test_relations_are_qualified(clause: str, sent: str) -> None:
    """So that a table of the same name, made meanwhile in another schema, is not meant."""
    assert shown(f"select email from {clause} where email = 'a'") == (
        f"select email from {sent} where email = {HOLE}"
    )


@pytest.mark.parametrize(
    ("clause", "error"),
    [
        ("customers, nowhere", UndefinedTable), ("other.nowhere, customers", UndefinedTable),
        ("shop.public.customers", ConstructRefused), ("customers c(a, b, c, d, e, f, g)", UndefinedColumn),
        ("customers tablesample system (score)", Denied),
        ("customers, xmltable('/a' passing '<a/>' columns b text)", ConstructRefused),
    ],
)  # fmt: skip
def test_what_cannot_be_found_is_refused(clause: str, error: type[Denied]) -> None:
    """Nothing is guessed beside a protected table."""
    with pytest.raises(error):
        one(f"select 1 from {clause}")


def test_a_parent_whose_child_protects_more_is_refused() -> None:
    """Its rows would be of two forms."""
    child = replace(SCHEMA.relations[100], oid=301, name="child", parents=(102,))
    context = Context(Schema({**SCHEMA.relations, 301: child}), {(301, 2): EVENT_EMAIL}, CONTEXT.search_path)
    child_with = replace(SCHEMA.relations[102], columns=SCHEMA.relations[100].columns)
    torn = Context(
        Schema({**SCHEMA.relations, 301: child, 102: child_with}),
        {(301, 2): EVENT_EMAIL},
        CONTEXT.search_path,
    )
    assert one("select id from plain", context=context).touched
    with pytest.raises(ConstructRefused, match="protects a column which it does not"):
        one("select id from plain", context=torn)


def test_views_show_themselves() -> None:
    """A protected column of a view has the view's place, and the key of its table's column."""
    assert outputs("select mail from mails") == (Output("mail", 103, 2, EMAIL, type_oid=25),)
    assert one("select id from mails").relations >= {100, 103}
    assert one("select id from mails").touches >= {(100, 2)}


@pytest.mark.parametrize(
    ("definition", "columns"),
    [
        ("SELECT email FROM customers WHERE email = '\\x01'::bytea", ("email",)),
        ("SELECT c.email, o.email FROM customers c JOIN orders o ON o.email = c.email", ("a", "b")),
        ("WITH x AS (SELECT email FROM customers) SELECT email FROM x", ("e",)),
        ("SELECT email FROM customers UNION ALL SELECT email FROM orders", ("e",)),
        ("SELECT COALESCE(email, '\\x01'::bytea) FROM customers", ("e",)),
        ("SELECT COALESCE('\\x01'::bytea, email) FROM customers", ("e",)),
        ("SELECT CASE WHEN id = 1 THEN '\\x01'::bytea ELSE email END FROM customers", ("e",)),
        ("SELECT '\\x01'::bytea UNION ALL SELECT email FROM customers", ("e",)),
        ("SELECT email FROM customers WHERE email = ANY (ARRAY['\\x01'::bytea])", ("e",)),
    ],
)
def test_views_are_what_their_definitions_say(definition: str, columns: tuple[str, ...]) -> None:
    """What the database stored is sealed already: a bytea literal in it meets a protected column."""
    context = with_view(definition, *columns)
    found = outputs(f"select {columns[0]} from seen where {columns[0]} = $1", context)
    assert [output.protection and output.protection.keyset for output in found] == ["k1"]
    assert [(one.table_oid, one.attnum, one.type_oid) for one in found] == [(300, 1, 25)]


@pytest.mark.parametrize(
    ("definition", "error"),
    [
        ("SELECT lower(email) FROM customers", FunctionRefused),
        ("SELECT email FROM customers WHERE email = 'a'::text", Denied),
        ("SELECT customers FROM customers", TypeRefused),
        ("SELECT email, id FROM customers", ConstructRefused),
        ("SELECT email FROM customers ORDER BY email", Denied),
        ("not sql", Denied),
    ],
)
def test_a_view_that_cannot_be_analysed_is_refused_by_name(definition: str, error: type[Denied]) -> None:
    """With a way out; a view of another width than its definition is not trusted."""
    with pytest.raises(error) as refused:
        one("select 1 from seen", context=with_view(definition, "email"))
    if error not in {TypeRefused, ConstructRefused}:
        assert 'in the view "seen"' in refused.value.message
        assert refused.value.hint


def test_a_view_with_rules_is_refused() -> None:
    """What its rules do is not its definition."""
    context = with_view("SELECT email FROM customers", "email", rules=("sneaky",))
    with pytest.raises(ConstructRefused, match="has rules"):
        one("select 1 from seen", context=context)


def test_names_in_a_view_are_as_the_catalog_saw_them() -> None:
    """Under the path of the catalog's reader, whatever the session's is."""
    context = replace(with_view("SELECT email FROM customers", "email"), search_path=("pg_catalog", "other"))
    assert outputs("select email from public.seen", context)[0].protection == EMAIL


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("unnest($1::text[]) e on e = email", 1), ("unnest(array['a', $1]::text[]) as e on e = email", 1),
        ("unnest($1::text[], $2::int[]) u(e, n) on u.e = c.email", 1),
        ("rows from (unnest($1::text[]), generate_series(1, 2)) u(e, n) on u.n = c.id", 0),
        ("lateral unnest(array[c.email, $1]) e on true", 1),
        ("unnest($1::text[]) with ordinality u(e, n) on u.e = c.email and u.n = 1", 1),
        ("json_to_recordset($1) j(e text) on j.e = c.note", 0),
        ("lateral (select o.email e from orders o where o.email = c.email and o.email <> $1) l on true", 1),
    ],
)  # fmt: skip
def test_functions_and_laterals(text: str, count: int) -> None:
    """An array is sealed by what its elements meet; other functions give something plain."""
    parameters = one(f"select c.id from customers c join {text}").parameters or ()
    assert sum(parameter.protection is not None for parameter in parameters) == count


@pytest.mark.parametrize(
    "text",
    [
        "json_to_recordset('[]') j(e text) on j.e = c.email", "generate_series(1, score) g on true",
        "regexp_split_to_table(email, 'a') r on true", "unnest(array[c.note]) e on e = c.email",
        "unnest(array[c]) e on true", "json_each(to_json(c)) j on true",
        "(select email e from orders) s on s.e = c.note", "lateral (select lower(c.email)) l on true",
    ],
)  # fmt: skip
def test_functions_do_not_see_what_is_sealed(text: str) -> None:
    """Nor do protected columns meet what functions give."""
    with pytest.raises((ComparisonRefused, FunctionRefused)):
        one(f"select c.id from customers c join {text}")


def test_a_subquery_sees_its_neighbours_only_if_lateral() -> None:
    """A name that is not in sight there is refused, not taken from elsewhere."""
    with pytest.raises(Denied):
        one("select 1 from customers c, (select o.id from orders o where o.email = c.email) s")
    with pytest.raises(Denied):
        one("select 1 from (select c.email) s, customers c")


def test_subqueries_need_no_alias() -> None:
    """Since PostgreSQL 16; their columns have no qualifier then."""
    text = "select email from (select email from customers) where email = 'a'"
    assert shown(text).endswith(f"where email = {HOLE}")
    assert outputs(text)[0].protection == EMAIL


@pytest.mark.parametrize(
    ("kind", "origin"), [("", 100), ("left", 100), ("right", 101), ("full", 0), ("natural left", 100)]
)
def test_using_makes_one_column_of_two(kind: str, origin: int) -> None:
    """Of the side that is never NULL; of none in a FULL JOIN."""
    using = "" if "natural" in kind else " using (email)"
    columns = "(select email from orders) o" if "natural" in kind else "orders o"
    (output,) = outputs(f"select email from customers c {kind} join {columns}{using}")
    expected = EMAIL if origin in {0, 100} else ORDER_EMAIL
    assert (output.protection, output.table_oid) == (expected, origin)


def test_using_makes_columns_of_two_lengths_one_without() -> None:
    """PostgreSQL relabels the column; a sealed one has no length upstream, and shows its table still."""
    text = "select {0} from customers c join (select 'a'::varchar({1}) as {0}) o using ({0})"
    for length, typmod in ((20, 24), (3, -1)):
        (made,) = outputs(text.format("name", length))
        assert (made.table_oid, made.typmod) == (100, typmod)
    note = replace(SCHEMA.relations[100].columns[4], type_oid=1043, typmod=7)
    columns = tuple(note if column.name == "note" else column for column in SCHEMA.relations[100].columns)
    table_ = replace(SCHEMA.relations[100], columns=columns)
    context = replace(CONTEXT, schema=replace(SCHEMA, relations={**SCHEMA.relations, 100: table_}))
    for length, origin in ((3, 100), (4, -1)):
        assert outputs(text.format("note", length), context)[0].table_oid == origin


def test_using_compares() -> None:
    """So both sides must be of one key, and deterministic."""
    for other, name in (
        ("(select id, note as email from customers)", "email"),
        ("(select iban from customers)", "iban"),
        ("(select name as email from customers)", "email"),
    ):
        with pytest.raises(ComparisonRefused):
            one(f"select 1 from customers c join {other} o using ({name})")
    with pytest.raises(UndefinedColumn):
        one("select 1 from customers join orders using (note)")
    with pytest.raises(ConstructRefused, match="NATURAL JOIN with a function"):
        one("select 1 from customers natural join json_each('{}')")


def test_the_alias_of_a_join_hides_what_is_joined() -> None:
    """Its columns are named by it alone; an alias of USING adds one, of the merged columns only."""
    text = "select j.email from (customers c join orders o using (email)) j where j.email = 'a'"
    assert outputs(text)[0].protection == EMAIL
    with pytest.raises(UndefinedTable):
        one("select c.email from (customers c join orders o using (email)) j")
    using = "select {} from customers c join orders o using (email) as u"
    assert outputs(using.format("u.email, c.email, o.email"))[2].protection == ORDER_EMAIL
    with pytest.raises(UndefinedColumn):
        one(using.format("u.note"))


def test_conditions_of_joins_see_both_sides() -> None:
    """And nothing that stands to their right."""
    assert one("select 1 from customers c join orders o on o.email = c.email and c.email = 'a'").touched
    with pytest.raises(Denied):
        one("select 1 from customers c join orders o on p.id = c.id, plain p")
