"""The walk over expressions: each node has a treatment, and what has none is refused."""

import pytest
from tests.sql.world import CONTEXT, EMAIL, one, shown

from strongroom.errors import ComparisonRefused, ConstructRefused, Denied, FunctionRefused
from strongroom.sql.expressions import TREATMENTS, expression
from strongroom.sql.ground import ground_of
from strongroom.sql.parse import parse
from strongroom.sql.run import MAX_PARAMETERS, Run
from strongroom.sql.scope import Scope
from strongroom.sql.statement import Output, SealedLiteral

HOLE = "⟨public.customers.email⟩"


def outputs(columns: str) -> tuple[Output, ...]:
    """The outputs of a query of the protected table."""
    return one(f"select {columns} from customers c").outputs or ()


def test_a_node_without_a_treatment_is_refused() -> None:
    """By the name that the parser gives it."""
    assert "ParamRef" in TREATMENTS
    with pytest.raises(ConstructRefused, match="NewThing cannot be analysed"):
        expression(None, Scope(), {"NewThing": {}})  # type: ignore[arg-type]  # it is not looked at


LEAVES = {"A_Const", "ParamRef", "SQLValueFunction", "CurrentOfExpr", "MergeSupportFunc"}


@pytest.mark.parametrize("tag", sorted(set(TREATMENTS) - LEAVES))
def test_a_field_that_is_not_known_does_not_pass_unseen(tag: str) -> None:
    """What the grammar may gain is refused, or, in JSON and XML, walked like the rest."""
    surprise = {"surprise": {"CoalesceExpr": {"news": 1}}}
    run = Run(
        parse("select 1").lexed, ground_of(CONTEXT.schema, CONTEXT.protections), CONTEXT, CONTEXT.search_path
    )
    with pytest.raises(ConstructRefused, match=r"with (surprise|news) cannot"):
        expression(run, Scope(), {tag: surprise})


@pytest.mark.parametrize("column", ["email", "c.email", "(c).email", "(c.email)", "((c)).email"])
def test_a_column_by_any_name(column: str) -> None:
    """It is the table's attribute, as RowDescription shows it."""
    assert outputs(column) == (Output("email", 100, 2, EMAIL, type_oid=25),)


def test_a_column_with_its_database() -> None:
    """PostgreSQL checks that it is this database, and the rest of the name is the column's."""
    (output,) = one("select shop.public.customers.email from customers").outputs or ()
    assert output.protection == EMAIL


@pytest.mark.parametrize(
    "row",
    ["c", "(c)", "row(c.*)", "row(email, id)", "(email, id)", "(select row(email) from orders limit 1)"],
)
def test_a_row_with_a_protected_field_is_no_output(row: str) -> None:
    """Its text would be that of ciphertext."""
    with pytest.raises(FunctionRefused):
        outputs(row)


def test_fields_of_rows() -> None:
    """A field of a row is what was put in; a row spelled out, or one of a row in an array, is refused."""
    (output,) = outputs("(row(id, email)).f2")
    assert (output.protection, output.table_oid, output.name) == (EMAIL, -1, "f2")
    for columns in ("(c).*", "(row(id, email)).*", "(array[c])[1].email", "(row(id, email)).f3", "*[1]"):
        with pytest.raises(Denied):
            outputs(columns)


def test_subscripts() -> None:
    """One element of an array of protected values is one; a slice is refused, and so is a protected bound."""
    (output,) = outputs("(array[email, 'a'])[2]")
    assert (output.protection, output.is_array) == (EMAIL, False)
    for columns in ("(array[email])[1:1]", "(array[id])[score]", "email[1]", "(array[email])[1][1]"):
        with pytest.raises(FunctionRefused):
            outputs(columns)
    assert outputs("(array[id])[2:3]")[0].protection is None


@pytest.mark.parametrize(
    ("condition", "passes"),
    [
        ("email is null", True), ("iban is not null", True), ("c is not null", True), ("score is true",
        False),
        ("email", False), ("not email", False), ("email and true", False), ("note = 'b' or email", False),
        ("(email = 'a') is not true", True), ("not (email = 'a' and (id = 1 or email is null))", True),
        ("row(email, id) is null", True), ("exists (select)", True), ("true", True), ("$1", True),
    ],
)  # fmt: skip
def test_conditions(condition: str, passes: bool) -> None:
    """They are true or false; NULL may be asked of anything."""
    if passes:
        assert one(f"select 1 from customers c where {condition}").touched
        return
    with pytest.raises(FunctionRefused):
        one(f"select 1 from customers c where {condition}")


def test_coalesce_is_one_value() -> None:
    """Of the columns of a key, literals and NULL; a constant alone stays what it is."""
    assert outputs("coalesce(null, email, 'a')")[0].protection == EMAIL
    assert shown("select coalesce(email, 'a') from customers").count(HOLE) == 1
    assert shown("select coalesce(note, 'a') from customers where email is null").count(HOLE) == 0


@pytest.mark.parametrize(
    "construct",
    [
        "greatest(email, 'a')", "least(iban)", 'email collate "C"', "xmlforest(email)",
        "xmlelement(name a, xmlattributes(email))", "xmlconcat(email)", "xmlserialize(content email as text)",
        "json_object('a': email)", "json_object(email: 1)", "json_array(1, email)", "json(email)",
        "json_scalar(email)", "json_serialize(email)", "email is json", "json_value(email, '$')",
        "json_exists(note::jsonb, '$' passing email as x)", "xmlparse(content email)",
    ],
)  # fmt: skip
def test_constructs_that_take_only_plain_values(construct: str) -> None:
    """They would make text of ciphertext."""
    with pytest.raises(FunctionRefused):
        outputs(construct)


@pytest.mark.parametrize(
    "construct",
    [
        "greatest(note, 'a')", 'note collate "C"', "xmlforest(note as x)", "json_object('a': note)",
        "json_array(note, 'a')", "note is json", "json_value(note::jsonb, '$.a' default 'a' on empty)",
        "xmlserialize(content note as text)", "current_user", "current_timestamp(2)", "b'101'",
        "grouping(note)",
    ],
)  # fmt: skip
def test_the_same_of_plain_values(construct: str) -> None:
    """Beside a protected condition they pass as they are."""
    text = f"select {construct} from customers where email = 'b'"
    sent = shown(text)
    assert sent == text.replace(" customers", ' "public".customers').replace("'b'", HOLE)
    (output,) = one(text).outputs or ()
    assert output.protection is None


def test_subqueries_in_json() -> None:
    """One that gives a value is followed; one of which JSON makes an array is refused."""
    with pytest.raises(ConstructRefused):
        outputs("json_array(select email from orders)")
    with pytest.raises(FunctionRefused):
        outputs("json_object('a': (select email from orders limit 1))")
    assert outputs("json_object('a': (select total from orders limit 1))")[0].protection is None


def test_parameters_are_counted() -> None:
    """$0 and what Bind cannot count are refused; the highest number says how many there are."""
    for number in (0, MAX_PARAMETERS + 1):
        with pytest.raises(ConstructRefused, match="there is no parameter"):
            one(f"select 1 from customers where email = ${number}")
    assert len(one("select 1 from customers where email = $3").parameters or ()) == 3


def test_what_parse_declares_as_unknown_is_open() -> None:
    """Type 705 says no more than 0."""
    (parameter,) = one("select 1 from customers where email = $1", 705).parameters or ()
    assert (parameter.type_oid, parameter.protection) == (25, EMAIL)


def test_literals_of_other_kinds_do_not_become_text() -> None:
    """A bit string or a boolean is no value of a text column."""
    for literal in ("b'1'", "x'f'", "true", "1.5"):
        with pytest.raises(Denied):
            one(f"select 1 from customers where email = {literal}")
    with pytest.raises(ComparisonRefused):
        one("select 1 from customers where iban = true")


def test_numbers_are_of_the_type_that_postgresql_makes_of_them() -> None:
    """A whole number that is no int4 is int8 or numeric, and is sealed as one of these."""
    for number in ("5", "-5", "2147483648", "-9223372036854775808"):
        assert "⟨public.customers.score⟩" in shown(f"select 1 from customers where score = {number}")
    for number, oid in (("5", 23), ("2147483648", 20), ("5.0", 1700), ("5e1", 1700)):
        hole = one(f"select 1 from customers where score = {number}").pieces[1]
        assert isinstance(hole, SealedLiteral)
        assert hole.type_oid == oid
