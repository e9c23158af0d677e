"""Where values are compared: operators, IN, ANY, NULLIF and CASE."""

from dataclasses import replace

import pytest
from tests.sql.world import PATH, PROTECTIONS, SCHEMA, one, shown

from strongroom.errors import ComparisonRefused, FunctionRefused, UserCodeRefused
from strongroom.sql.schema import Operator, Schema
from strongroom.sql.statement import Context

HOLE = "⟨public.customers.email⟩"


def where(condition: str) -> str:
    """What is sent of a condition."""
    return shown(f"select id from customers where {condition}").split(" where ", 1)[1]


@pytest.mark.parametrize(
    "condition",
    [
        "email = 'a'", "'a' = email", "email <> 'a'", "email != 'a'", "email is distinct from 'a'",
        "email is not distinct from 'a'", "email in ('a', 'a')", "email not in ('a')", "'a' in (email, null)",
        "email = any(array['a'])", "'a' = any(array[email])", "email <> all(array['a', email])",
        "(email, id) = ('a', 1)", "(email, id) in (('a', 1), ('a', 2))", "(id, email) <> (1, 'a')",
        "row(email) = row('a')", "(email, id) is distinct from ('a', 1)", "nullif(email, 'a') is null",
        "nullif('a', email) is null", "case email when 'a' then true end",
        "case 'a' when email then true end",
        "case when email = 'a' then id end = 5", "case when true then 'a' else email end = email",
        "email operator(pg_catalog.=) 'a'", "email in (select 'a')",
        "('a', 1) in (select email, id from orders)",
        "email = any(select email from orders where email <> 'a')",
    ],
)  # fmt: skip
def test_equality_seals(condition: str) -> None:
    """Each literal that is only compared for equality with a protected column is sealed for it."""
    sent = where(condition)
    assert "'a'" not in sent
    assert sent.count(HOLE) + sent.count("⟨public.orders.email⟩") == condition.count("'a'")


@pytest.mark.parametrize(
    "condition",
    [
        "email < 'a'", "email >= 'a'", "email like 'a'", "email not like 'a'", "email ilike 'a'",
        "email similar to 'a'", "email ~ 'a'", "email !~* 'a'", "email || 'a' = 'b'",
        "email between 'a' and 'b'",
        "'a' between email and 'b'", "email not between symmetric 'a' and 'b'", "email < any(array['a'])",
        "(email, id) < ('a', 1)", "score + 1 = 2", "- score = 2", "email ^@ 'a'", "score % 2 = 0",
        "email operator(pg_catalog.~) 'a'", "email operator(public.=) 'a'", "email like any(array['a'])",
        "email in ('a', note)", "note in ('a', email)", "'a' in (note, email)", "email = note",
        "email = any(string_to_array('a', 'b'))", "email = name", "email = current_user",
        "email = (select max('a'))", "email in (iban)", "iban = 'a'", "iban is distinct from 'a'",
        "iban in ('a')", "iban = any('{a}')", "iban = any(array[iban])", "case iban when 'a' then true end",
        "nullif(iban, 'a') is null", "nullif(null, email) is null", "'a' in ('b', email)",
        "(email, id) = any(array[('a', 1)])",
    ],
)  # fmt: skip
def test_everything_else_is_refused(condition: str) -> None:
    """With the column named, and no literal quoted."""
    with pytest.raises(ComparisonRefused) as refused:
        where(condition)
    assert "'a'" not in refused.value.message


def test_rows_of_other_widths_do_not_compare() -> None:
    """PostgreSQL would refuse them; so do we, before it sees a literal."""
    with pytest.raises(FunctionRefused):
        where("(email, id) = ('a', 1, 2)")


def test_an_array_parameter_is_sealed_by_element() -> None:
    """`= ANY ($1)` and `<> ALL ($1)` take an array from the client; IN takes values."""
    for condition, is_array in (
        ("email = any($1)", True), ("email <> all($1)", True), ("$1 = any(array[email])", False),
        ("email in ($1)", False), ("email = any(array[$1])", False),
    ):  # fmt: skip
        (parameter,) = one(f"select id from customers where {condition}").parameters or ()
        assert (parameter.is_array, parameter.compared) == (is_array, True), condition
        assert parameter.type_oid == (1009 if is_array else 25)


def test_null_compares_with_a_deterministic_column() -> None:
    """It stays NULL in any form."""
    for condition in ("email = null", "email in (null)", "email = any(null)", "nullif(email, null) = 'a'"):
        assert where(condition) == condition.replace("'a'", HOLE)


def test_what_an_operator_gives_is_plain() -> None:
    """A comparison is true or false; nullif is the first value, compared as text, of no column."""
    outputs = one(
        "select email = 'a', nullif(name, 'b'), case when true then name end from customers"
    ).outputs
    assert outputs is not None
    assert [output.protection is not None for output in outputs] == [False, True, True]
    assert [(output.table_oid, output.type_oid, output.typmod) for output in outputs] == [
        (0, 0, -1), (0, 25, -1), (0, 1043, -1),
    ]  # fmt: skip


def test_an_operator_of_ones_own_may_stand_before_postgresqls() -> None:
    """An `=` that takes bytea, in a schema of the path, refuses equality unless it is qualified."""
    mine = Operator("mine", "=", 17, 17, 0)
    schema = Schema(SCHEMA.relations, operators=(mine,))
    context = Context(schema, PROTECTIONS, ("mine", *PATH))
    for condition in (
        "email = 'a'", "email in ('a')", "email = any($1)", "case email when 'a' then true end",
        "email in (select email from orders)", "exists (select from orders o join customers c using (email))",
    ):  # fmt: skip
        with pytest.raises(ComparisonRefused, match="may stand before"):
            one(f"select id from customers where {condition}", context=context)
    assert one("select 1 from customers where email operator(pg_catalog.=) 'a'", context=context).touched
    assert one("select 1 from customers where email <> 'a'", context=context).touched
    elsewhere = replace(context, search_path=PATH)
    assert one("select 1 from customers where email = 'a'", context=elsewhere).touched
    other = replace(context, schema=Schema(SCHEMA.relations, operators=(replace(mine, left=25, right=25),)))
    assert one("select 1 from customers where email = 'a'", context=other).touched


def test_an_operator_over_opaque_code_is_refused_anywhere() -> None:
    """`~~~` runs a function that reads a protected table."""
    for text in ("select 1 from customers where id ~~~ 5", "select id ~~~ 'a' from plain"):
        with pytest.raises(UserCodeRefused):
            one(text)


def test_in_of_several_literals_takes_the_columns_type() -> None:
    """The client is shown what PostgreSQL would deduce for each parameter of the list."""
    parameters = one("select id from customers where name in ($1, $2)").parameters or ()
    assert [parameter.type_oid for parameter in parameters] == [25, 25] or [
        parameter.type_oid for parameter in parameters
    ] == [1043, 1043]
