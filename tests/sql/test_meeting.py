"""What may meet what: the rules of sealed values, one by one."""

from dataclasses import replace

import pytest
from tests.sql.world import EMAIL, IBAN, INT, NAME, ORDER_EMAIL, SCORE, TEXT, VARCHAR

from strongroom.errors import (
    ComparisonRefused,
    FunctionRefused,
    StatementTooComplex,
    TypeMismatch,
    TypeRefused,
    ValueComputed,
    ValueMoves,
)
from strongroom.sql import meeting
from strongroom.sql.meeting import assign, common, compare, distinct, element, plain, seal, settled
from strongroom.sql.schema import Column, Protection
from strongroom.sql.typenames import BPCHAR, INT4, INT8
from strongroom.sql.value import COMPUTED, NULL, PLAIN, Literal, Open, Value

TXT = Column(2, "txt", TEXT, -1)
EMAILS = Value(EMAIL, type_oid=TEXT)
IBANS = Value(IBAN, type_oid=TEXT)
ROW = Value(fields=(("a", EMAILS), ("b", COMPUTED)))


def opened(*nodes: Open, type_oid: int = 0) -> Value:
    """A value of which these are open."""
    return Value(open=tuple((node, 0) for node in nodes), type_oid=type_oid)


def number(text: str) -> Literal:
    """A number as it stands in a text."""
    return Literal(0, len(text), value=text, number_oid=INT4 if text.isdigit() else 1700)


# --------------------------------------------------------------------------------------------- plain


def test_plain_refuses_what_is_protected() -> None:
    """A column, a field of a row, or what was sealed meanwhile; with the construct and the column named."""
    node = Open(0, 1)
    later = opened(node)
    node.seal(EMAIL, is_array=False, compared=True)
    for value in (EMAILS, ROW, later):
        with pytest.raises(FunctionRefused, match=r"lower would be given the protected .*customers\.email"):
            plain(value, "lower")


def test_plain_decides_for_good() -> None:
    """What is open in it stays plain, of the type that the construct wants, and can no longer be sealed."""
    node, field = Open(0, 1), Open(2, 3)
    plain(opened(node), "a condition", 16)
    plain(Value(fields=(("a", opened(field)),)), "a row")
    assert (node.plain, node.natural_oid, field.plain) == (True, 16, True)
    with pytest.raises(ValueMoves):
        compare(EMAILS, opened(node), "=")


# ------------------------------------------------------------------------------------------- compare


def test_what_is_open_is_sealed_by_comparison() -> None:
    """On either side, for the column that it meets, and only compared."""
    for swap in (False, True):
        node = Open(0, 1)
        sides = (opened(node), EMAILS) if swap else (EMAILS, opened(node))
        compare(*sides, "=")
        assert (node.protection, node.compared, node.is_array) == (EMAIL, True, False)


def test_null_and_columns_of_the_key_compare() -> None:
    """NULL is NULL in any form; text and varchar of one key have equal bytes."""
    compare(EMAILS, NULL, "=")
    compare(EMAILS, Value(ORDER_EMAIL), "=")
    compare(EMAILS, Value(replace(ORDER_EMAIL, type_oid=VARCHAR, typmod=24)), "=")


@pytest.mark.parametrize(
    "other",
    [
        COMPUTED, PLAIN, Value(NAME), Value(replace(EMAIL, type_oid=INT)), IBANS,
        Value(replace(EMAIL, comparable=False)), Value(EMAIL, is_array=True),
    ],
)  # fmt: skip
def test_what_has_another_form_does_not_compare(other: Value) -> None:
    """Plain values, other keys, other types, randomized columns, arrays; in either order."""
    for left, right in ((EMAILS, other), (other, EMAILS)):
        with pytest.raises(ComparisonRefused):
            compare(left, right, "=")


def test_randomized_columns_compare_with_nothing() -> None:
    """Not with a parameter, not with themselves, not with NULL."""
    for other in (opened(Open(0, 1)), IBANS, NULL):
        with pytest.raises(ComparisonRefused, match="randomized"):
            compare(IBANS, other, "=")


def test_open_values_that_meet_each_other_stay_plain() -> None:
    """Two parameters are text to PostgreSQL; one beside a plain column has the type of that."""
    one, two, three = Open(0, 1), Open(2, 3), Open(4, 5)
    compare(opened(one), opened(two), "=")
    compare(Value(type_oid=VARCHAR), opened(three), "=")
    assert [(node.plain, node.natural_oid) for node in (one, two, three)] == [(True, TEXT)] * 3


def test_rows_compare_field_by_field() -> None:
    """Each meets its own; rows of another width, and a row beside no row, do not compare if protected."""
    node, other = Open(0, 1), Open(2, 3)
    compare(ROW, Value(fields=(("", opened(node)), ("", opened(other)))), "=")
    assert (node.protection, other.plain) == (EMAIL, True)
    for wrong in (Value(fields=(("", NULL),)), COMPUTED):
        with pytest.raises(FunctionRefused):
            compare(ROW, wrong, "=")


def test_rows_without_protection_stay_plain() -> None:
    """Even where their widths differ, which PostgreSQL will say."""
    node, more = Open(0, 1), Open(2, 3)
    compare(Value(fields=(("", opened(node)), ("", opened(more)))), Value(fields=(("", COMPUTED),)), "=")
    assert node.plain
    assert more.plain


# ---------------------------------------------------------------------------------- distinct, common


def test_only_deterministic_values_are_grouped() -> None:
    """A row's fields, too; what is open is plain then."""
    node = Open(0, 1)
    distinct(EMAILS, "GROUP BY")
    distinct(opened(node), "GROUP BY")
    assert node.plain
    for value in (IBANS, Value(fields=(("a", EMAILS), ("b", IBANS)))):
        with pytest.raises(ComparisonRefused):
            distinct(value, "GROUP BY")


def test_one_sealed_value_seals_its_neighbours() -> None:
    """CASE, VALUES and UNION give one form: the column's."""
    node = Open(0, 1)
    made = common([opened(node), NULL, EMAILS], "CASE")
    assert (made.protection, made.type_oid, node.protection) == (EMAIL, TEXT, EMAIL)


@pytest.mark.parametrize("other", [COMPUTED, PLAIN, Value(NAME), IBANS, Value(EMAIL, is_array=True)])
def test_nothing_else_stands_beside_a_sealed_value(other: Value) -> None:
    """It would be shown as if it were one, or one as if it were it."""
    for members in ([EMAILS, other], [other, EMAILS]):
        with pytest.raises(ValueMoves):
            common(members, "CASE")


def test_rows_of_protected_values_have_no_common_form() -> None:
    """Not even with themselves."""
    with pytest.raises(FunctionRefused):
        common([ROW, ROW], "CASE")


def test_the_longest_column_gives_the_protection() -> None:
    """A value of either must fit; where the lengths differ the result has none."""
    long, unbounded = replace(NAME, typmod=50), replace(NAME, typmod=-1, type_oid=TEXT)
    members = [Value(NAME, type_oid=VARCHAR, typmod=24), Value(long, type_oid=VARCHAR, typmod=50)]
    assert common(members, "CASE").protection == long
    assert common(members, "CASE").typmod == -1
    assert common([*members, Value(unbounded, type_oid=TEXT)], "CASE").protection == unbounded
    assert common(members[:1] * 2, "CASE").typmod == 24


def test_a_randomized_value_is_united_only_without_comparison() -> None:
    """UNION ALL passes on, UNION compares."""
    assert common([IBANS, IBANS], "UNION").protection == IBAN
    with pytest.raises(ComparisonRefused):
        common([IBANS, IBANS], "UNION", compared=True)


def test_open_values_stay_open_together() -> None:
    """VALUES of parameters may yet be sealed, all by the use of one; if compared, they are plain at once."""
    one, two = Open(0, 1), Open(2, 3)
    made = common([opened(one), opened(two)], "VALUES")
    assert made.undecided
    compare(made, EMAILS, "=")
    assert one.protection is two.protection is EMAIL
    three = Open(0, 1)
    assert not common([opened(three)], "UNION", compared=True).undecided
    assert three.plain


def test_open_values_keep_the_length_that_all_have() -> None:
    """Of one type and length; else they have none."""
    made = [Value(open=((Open(0, 1), 0),), type_oid=VARCHAR, typmod=7) for _ in range(2)]
    assert common(made, "VALUES").typmod == 7
    assert common([*made, replace(made[0], typmod=8)], "VALUES").typmod == -1
    assert common([*made, replace(made[0], type_oid=BPCHAR)], "VALUES").typmod == -1


def test_beside_a_plain_value_open_ones_are_plain() -> None:
    """They take its type."""
    node = Open(0, 1)
    made = common([opened(node), Value(type_oid=INT)], "CASE")
    assert (made.type_oid, made.undecided, node.plain, node.natural_oid) == (INT, False, True, INT)


def test_only_nulls_are_null() -> None:
    """And stay so, for whatever they meet."""
    assert common([NULL, NULL], "CASE").null


def test_another_type_beside_a_protected_column_is_refused() -> None:
    """PostgreSQL would make the column numeric; integers that fit are sealed as it is."""
    with pytest.raises(TypeRefused):
        common([Value(SCORE, type_oid=INT), opened(Open(0, 1, 1700), type_oid=1700)], "COALESCE")
    narrow = Open(0, 1, 21)
    common([Value(SCORE, type_oid=INT), opened(narrow, type_oid=21)], "COALESCE")
    assert narrow.protection == SCORE


def test_too_many_literals_in_one_place_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """WITH queries can double one another."""
    monkeypatch.setattr(meeting, "MAX_TOGETHER", 3)
    common([opened(Open(0, 1)) for _ in range(3)], "VALUES")
    with pytest.raises(StatementTooComplex):
        common([opened(Open(0, 1)) for _ in range(4)], "VALUES")


# -------------------------------------------------------------------------------------------- assign


def test_storing_seals_what_is_open() -> None:
    """For the column, and as stored, so that its length counts."""
    node = Open(0, 1)
    assign(opened(node), EMAIL, TXT, "public.customers.email")
    assert (node.protection, node.compared) == (EMAIL, False)
    assign(NULL, EMAIL, TXT, "public.customers.email")


@pytest.mark.parametrize("value", [COMPUTED, PLAIN, Value(type_oid=TEXT), Value(fields=(("a", PLAIN),))])
def test_a_computed_value_is_not_stored_in_a_protected_column(value: Value) -> None:
    """The database would have seen it."""
    with pytest.raises(ValueComputed):
        assign(value, EMAIL, TXT, "public.customers.email")


def test_a_protected_value_is_not_stored_elsewhere() -> None:
    """Neither in a plain column nor in one of another key or type, nor a row with one in it."""
    for value in (EMAILS, ROW):
        with pytest.raises(ValueMoves, match=r"stored in public\.plain\.txt, unprotected"):
            assign(value, None, TXT, "public.plain.txt")
    for protection in (NAME, replace(EMAIL, type_oid=INT)):
        with pytest.raises(ValueMoves):
            assign(EMAILS, protection, TXT, "public.customers.name")
    with pytest.raises(ValueMoves):
        assign(Value(EMAIL, is_array=True), EMAIL, TXT, "public.customers.email")


def test_a_value_of_the_same_key_is_stored_if_it_fits() -> None:
    """Its length cannot be checked once it is sealed, so the target must not be shorter."""
    short = replace(EMAIL, type_oid=VARCHAR, typmod=14)
    assign(EMAILS, ORDER_EMAIL, TXT, "public.orders.email")
    assign(Value(short), EMAIL, TXT, "public.customers.email")
    assign(Value(short), short, TXT, "public.customers.email")
    assign(IBANS, IBAN, TXT, "public.customers.iban")
    for source in (EMAIL, replace(short, typmod=15)):
        with pytest.raises(ValueMoves, match="length"):
            assign(Value(source), short, TXT, "public.customers.email")


def test_a_plain_column_takes_what_is_plain() -> None:
    """And gives it its type."""
    node = Open(0, 1)
    assign(opened(node), None, TXT, "public.plain.txt")
    assert (node.plain, node.natural_oid) == (True, TEXT)


# ------------------------------------------------------------------------------------ arrays, numbers


def test_elements_and_arrays_are_sealed_by_their_depth() -> None:
    """`unnest($1) = email` seals an array parameter, `email = ANY (ARRAY[$1])` a value."""
    node = Open(0, 1)
    compare(element(opened(node)), EMAILS, "=")
    assert node.is_array
    inner = Open(0, 1)
    seal(Value(open=((inner, -1),)), EMAIL, compared=True, is_array=True)
    assert not inner.is_array
    for depth, is_array in ((1, True), (2, False), (-1, False)):
        with pytest.raises(TypeRefused, match="array of arrays"):
            seal(Value(open=((Open(0, 1), depth),)), EMAIL, compared=True, is_array=is_array)


def test_settled_is_the_form_by_now() -> None:
    """A value whose part was sealed by another use is sealed, as an array if that says so."""
    node = Open(0, 1)
    array, one = opened(node), element(opened(node))
    assert settled(array).protection is None
    seal(one, EMAIL, compared=True)
    assert (settled(array).protection, settled(array).is_array) == (EMAIL, True)
    assert (settled(one).protection, settled(one).is_array) == (EMAIL, False)


@pytest.mark.parametrize(
    ("text", "oid", "compared", "taken"),
    [
        ("5", INT, True, True), ("-5", INT, True, True), ("5.5", INT, True, True),
        ("5.5", INT, False, True), ("5", TEXT, False, True), ("5", TEXT, True, False),
        ("5.5", TEXT, False, True), ("5.5", TEXT, True, False), ("5", 1082, True, False),
        ("5", BPCHAR, False, True), ("5", BPCHAR, True, False), ("5", INT8, True, True),
        ("5.5", 1700, True, True),
    ],
)  # fmt: skip
def test_numbers_meet_what_keeps_their_meaning(text: str, oid: int, compared: bool, taken: bool) -> None:
    """A number is stored in text, but not compared with it."""
    column = Protection("public.t.c", "k", oid, -1, True)
    node = number(text)
    if taken:
        seal(opened(node), column, compared=compared)
        assert node.protection == column
        return
    with pytest.raises(TypeRefused) as refused:
        seal(opened(node), column, compared=compared)
    assert text not in refused.value.message + refused.value.hint


def test_a_number_is_not_stored_where_postgresql_has_no_cast() -> None:
    """Its own SQLSTATE comes back."""
    for oid in (1082, 3802, 2950, 16):
        with pytest.raises(TypeMismatch) as refused:
            seal(opened(number("5")), Protection("public.t.c", "k", oid, -1, True), compared=False)
        assert refused.value.sqlstate == "42804"
