"""protect/scheme.py: what a column's configuration may ask for."""

import pytest
from tests.protect.samples import keyset_for, scheme

from strongroom.errors import InvalidScheme, UnknownType
from strongroom.keys.model import Algorithm, Context
from strongroom.protect.scheme import MAX_PAD, Scheme, split_column


def test_a_line_of_configuration_becomes_a_scheme() -> None:
    """Type, algorithm, keyset and context, each from its word."""
    made = scheme("varchar(40)", "deterministic", "public.customers.email", pad=32)
    assert (made.type.oid, made.type.typmod, made.algorithm) == (1043, 44, Algorithm.AES256_SIV)
    assert made.comparable
    assert made.keyset == "shop/public.customers.email"
    assert made.context == Context("shop", "public", "customers", "email")
    assert (made.form, made.pad) == ("text", 32)


def test_a_shared_key_is_the_other_columns() -> None:
    """Keyset and context are those of the column that ``key`` names."""
    made = scheme("text", "deterministic", "public.orders.email", key="public.customers.email")
    assert made.keyset == "shop/public.customers.email"
    assert made.context.table == "customers"


COMPARABLE = [
    *(
        "text",
        "varchar(3)",
        "varchar",
        "char(9)",
        "bytea",
        "smallint",
        "int",
        "bigint",
        "numeric(9,2)",
        "uuid",
    ),
    *("date", "time", "timetz", "timestamp(0)", "timestamptz", "text[]", "int[]", "bool[]"),
]
NOT_COMPARABLE = [
    *("real", "double precision", "numeric", "interval", "json", "jsonb"),
    *("real[]", "jsonb[]", "numeric[]"),
]


@pytest.mark.parametrize("type_", COMPARABLE)
def test_types_with_one_form_for_equal_values_may_be_deterministic(type_: str) -> None:
    """Equal values have equal bytes."""
    assert scheme(type_, "deterministic").comparable


@pytest.mark.parametrize("type_", NOT_COMPARABLE)
def test_other_types_may_only_be_randomized(type_: str) -> None:
    """The error says why, and what to do."""
    assert not scheme(type_).comparable
    with pytest.raises(InvalidScheme) as caught:
        scheme(type_, "deterministic", accept_leakage="frequency")
    assert "randomized" in caught.value.hint
    assert "shop: column public.t.c" in caught.value.message


@pytest.mark.parametrize("type_", ["bool", "char", "char(1)", "varchar(1)"])
def test_few_values_need_a_word(type_: str) -> None:
    """Counting equal ciphertexts of a boolean reveals it; whoever accepts that says so."""
    with pytest.raises(InvalidScheme):
        scheme(type_, "deterministic")
    assert scheme(type_, "deterministic", accept_leakage="frequency").comparable
    assert scheme(type_, "deterministic", accept_leakage=["frequency"]).comparable
    assert not scheme(type_).comparable


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"type_": "txt"}, UnknownType),
        ({"type_": "bpchar"}, InvalidScheme),
        ({"encryption": "searchable"}, InvalidScheme),
        ({"encryption": ""}, InvalidScheme),
        ({"column": "customers.email"}, InvalidScheme),
        ({"column": "a.b.c.d"}, InvalidScheme),
        ({"column": 'a.b."c'}, InvalidScheme),
        ({"column": "a.b."}, InvalidScheme),
        ({"key": "email"}, InvalidScheme),
        ({"pad": -1}, InvalidScheme),
        ({"pad": MAX_PAD + 1}, InvalidScheme),
        ({"encryption": "deterministic", "accept_leakage": "order"}, InvalidScheme),
    ],
)
def test_anything_else_is_refused(change: dict[str, object], error: type[Exception]) -> None:
    """With the database and column in the message."""
    arguments: dict[str, object] = {"type_": "text", "encryption": "randomized", "column": "public.t.c"}
    with pytest.raises(error, match="shop: column"):
        scheme(**(arguments | change))  # type: ignore[arg-type]  # mixed on purpose


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("public.t.c", ("public", "t", "c")),
        ('public."My.Table"."a ""b"""', ("public", "My.Table", 'a "b"')),
        ("öffentlich.tafel.straße", ("öffentlich", "tafel", "straße")),
    ],
)
def test_a_column_is_named_as_in_sql(written: str, parts: tuple[str, str, str]) -> None:
    """Three parts, each perhaps in quotes."""
    assert split_column(written) == parts


def test_forms_tell_apart_what_cannot_be_compared() -> None:
    """text and varchar share a form; char, other numbers and other scales do not."""
    assert scheme("text").form == scheme("varchar(9)").form == "text"
    forms = [
        scheme(t).form for t in ("text", "char(2)", "int", "bigint", "numeric(5,1)", "numeric(5,2)", "text[]")
    ]
    assert len(set(forms)) == len(forms)
    assert scheme("numeric(5,2)").form == scheme("numeric(9,2)").form
    assert scheme("text[]").form != scheme("varchar[]").form


@pytest.mark.parametrize(
    "other",
    [scheme("integer"), scheme("text", "deterministic"), scheme("text", pad=8)],
    ids=["form", "kind", "pad"],
)
def test_a_keyset_made_for_something_else_is_a_mismatch(other: Scheme) -> None:
    """Form, encryption and padding are part of the keyset."""
    assert scheme("text").mismatch(keyset_for(scheme("varchar(7)"))) is None
    assert "its keyset was made for" in (other.mismatch(keyset_for(scheme("text"))) or "")
