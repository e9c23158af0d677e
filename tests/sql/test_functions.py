"""Calls: which may be given sealed values, and what they give."""

from dataclasses import replace

import pytest
from tests.sql.world import EMAIL, IBAN, NAME, PATH, PROTECTIONS, SCHEMA, one, shown

from strongroom.errors import (
    ComparisonRefused,
    ConstructRefused,
    FunctionRefused,
    OrderRefused,
    ValueMoves,
)
from strongroom.sql.schema import Function, Schema
from strongroom.sql.statement import Context, Output

HOLE = "⟨public.customers.email⟩"


def output(call: str, rest: str = "") -> Output:
    """The output of a call over the protected table."""
    (only,) = one(f"select {call} from customers {rest}").outputs or ()
    return only


@pytest.mark.parametrize(
    "call",
    [
        "count(email)", "count(iban)", "count(distinct email)", "count(customers)", "count(customers.*)",
        "num_nulls(email, iban)", "num_nonnulls(iban)", "cardinality(array_agg(email))",
        "array_length(array_agg(iban), 1)", "count(*) filter (where email = 'a')", "now()",
        "row_number() over (partition by email order by id)", "lower(note)", "sum(id) over w",
    ],
)  # fmt: skip
def test_calls_that_give_nothing_protected(call: str) -> None:
    """They see whether a value is there, or is equal, or see none."""
    rest = "window w as (partition by email, note order by id)" if call.endswith(" w") else ""
    assert output(call, rest).protection is None


@pytest.mark.parametrize(
    ("call", "is_array"),
    [
        ("array_agg(email)", True), ("array_agg(email order by id)", True), ("any_value(email)", False),
        ("first_value(email) over (order by id)", False), ("nth_value(email, 2) over ()", False),
        ("lag(email) over (order by id)", False), ("lead(email, 2, 'a') over ()", False),
        ("pg_catalog.last_value(email) over ()", False), ("unnest(array_agg(email))", False),
        ("unnest(array[email, 'a'])", False),
    ],
)  # fmt: skip
def test_calls_that_give_a_value_back(call: str, is_array: bool) -> None:
    """A value of the column, or an array of such, of no table's attribute."""
    made = output(call)
    assert (made.protection, made.is_array, made.table_oid, made.typmod) == (EMAIL, is_array, 0, -1)
    assert made.type_oid == (1009 if is_array else 25)


def test_the_length_of_a_column_does_not_go_through_a_call() -> None:
    """But through ARRAY, which is none: array_agg of varchar(n) is varchar[], ARRAY of it varchar(n)[]."""
    assert output("array_agg(name)").typmod == output("unnest(array[name])").typmod == -1
    assert output("array[name]").typmod == output("(array[name])[1]").typmod == NAME.typmod


def test_randomized_values_are_given_back_too() -> None:
    """What needs no comparison needs no equal ciphertexts."""
    assert output("array_agg(iban)").protection == IBAN
    assert output("lag(iban, 1, 'a') over (order by id)").protection == IBAN


def test_the_default_of_lag_is_sealed() -> None:
    """It stands in for a value of the column; the offset does not."""
    assert f"lag(email, 1, {HOLE})" in shown("select lag(email, 1, 'a') over () from customers")
    (parameter,) = one("select lag(email, $1) over () from customers").parameters or ()
    assert parameter.protection is None
    with pytest.raises(ValueMoves):
        one("select lag(email, 1, note) over () from customers")
    with pytest.raises(ValueMoves):
        one("select lag(email, 1, iban) over () from customers")


@pytest.mark.parametrize(
    "call",
    [
        "lower(email)", "length(iban)", "concat('a', email)", "coalesce(lower(email), 'a')", "min(email)",
        "string_agg(email, ',')", "string_agg(note, email)", "json_agg(email)", "json_agg(customers)",
        "to_json(customers.*)", "row_to_json(customers)", "array_agg(distinct email)", "array_agg(customers)",
        "array_position(array_agg(email), 'a')", "array_append(array_agg(email), 'a')", "md5(email)",
        "array_agg(array_agg(email)) over ()", "hashtext(email)", "pg_typeof(email)", "octet_length(email)",
        "count(email, id)", "num_nulls(variadic array_agg(email))", "lag(note, 1, email) over ()",
        "nth_value(id, score) over ()", "repeat(note, score)", "format('%s', email)", "encode(email, 'hex')",
        "public.count(email)", "mine.any_value(email)", "unnest(array_agg(email), array[1])",
        "cardinality(array_agg(email), email)", "trim(both email from note)", "extract(year from email)",
    ],
)  # fmt: skip
def test_every_other_call_is_refused(call: str) -> None:
    """The database would compute with ciphertext; the column and the function are named."""
    with pytest.raises(FunctionRefused) as refused:
        output(call)
    assert "public.customers." in refused.value.message


def test_distinct_and_partitions_compare() -> None:
    """So a randomized column is refused there."""
    for call in ("count(distinct iban)", "row_number() over (partition by iban)"):
        with pytest.raises(ComparisonRefused):
            output(call)


@pytest.mark.parametrize(
    "call",
    [
        "array_agg(id order by email)", "rank() over (order by email)", "lag(id) over w",
        "percentile_disc(0.5) within group (order by score)", "array_agg(id order by (email, id))",
    ],
)  # fmt: skip
def test_order_is_not_that_of_the_values(call: str) -> None:
    """An order of ciphertexts would be another one than that of the plaintext."""
    rest = "window w as (order by email)" if call.endswith(" w") else ""
    with pytest.raises(OrderRefused):
        output(call, rest)


def test_frames_and_arguments_are_plain() -> None:
    """What counts rows is not protected."""
    with pytest.raises(FunctionRefused):
        output("sum(id) over (order by id rows score preceding)")
    with pytest.raises(ConstructRefused):
        one("select id from customers order by id using operator(pg_catalog.<)")


def test_the_name_must_be_postgresqls_own() -> None:
    """A function of the same name in a schema of the path might be meant."""
    mine = Function(600, "mine", "count", "a", "internal", "x")
    context = Context(Schema(SCHEMA.relations, functions={600: mine}), PROTECTIONS, ("mine", *PATH))
    for call in ("count(email)", "mine.count(email)"):
        with pytest.raises(FunctionRefused):
            one(f"select {call} from customers", context=context)
    for call in ("pg_catalog.count(email)", "num_nulls(email)"):
        assert one(f"select {call} from customers", context=context).touched
    elsewhere = replace(context, search_path=PATH)
    assert one("select count(email) from customers", context=elsewhere).touched


def test_what_is_open_in_a_call_stays_plain() -> None:
    """A literal that a function is given is no value of a column, even beside one."""
    text = "select id from customers where lower('a') = note and email = $1"
    assert "lower('a')" in shown(text)
    with pytest.raises(ComparisonRefused):
        one("select id from customers where email = lower('a')")
    with pytest.raises(ComparisonRefused):
        one("select id from customers where email = max($1)")
