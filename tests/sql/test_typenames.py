"""Names of types, and what may be cast to what; the numbers are PostgreSQL's own."""

from dataclasses import replace
from itertools import product

import psycopg
import pytest
from tests.sql.world import EMAIL, NAME, NUMERIC, SCORE, TEXT, VARCHAR

from strongroom.sql.parse import Node, parse
from strongroom.sql.schema import Protection
from strongroom.sql.typenames import (
    ARRAYS,
    BOOL,
    BPCHAR,
    BYTEA,
    DATE,
    ELEMENTS,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    INTEGERS,
    JSON,
    JSONB,
    NAMES,
    TEXT_ARRAY,
    TIME,
    TIMESTAMP,
    TIMETZ,
    UNKNOWN,
    VARCHAR_ARRAY,
    compared_type,
    family,
    keeps_value,
    same_form,
    type_oid,
    widens,
)
from strongroom.testing.servers import PostgresServer


@pytest.fixture
def database(postgres: PostgresServer) -> psycopg.Connection:
    """PostgreSQL, to be asked."""
    return postgres.connect()


def named(text: str) -> Node:
    """A type's name as the parser gives it."""
    body: Node = parse(f"select null::{text}").statements[0].body["targetList"][0]["ResTarget"]["val"]
    return body["TypeCast"]["typeName"]  # type: ignore[no-any-return]  # trees have no types


def column(oid: int, typmod: int = -1) -> Protection:
    """A deterministic column of a type."""
    return replace(EMAIL, type_oid=oid, typmod=typmod)


def test_the_numbers_are_those_of_postgresql(database: psycopg.Connection) -> None:
    """Each name and each array type is what the catalog says."""
    with database:
        rows = database.execute(
            "SELECT typname, oid::int, typarray::int FROM pg_type"
            " WHERE typnamespace = 'pg_catalog'::regnamespace"
        ).fetchall()
    catalog = {name: (oid, array) for name, oid, array in rows}
    assert {name: catalog[name][0] for name in NAMES} == NAMES
    arrays = {oid: array for oid, array in catalog.values() if array}
    assert {oid: arrays[oid] for oid in ARRAYS} == ARRAYS


def test_what_widens_is_cast_without_a_loss(database: psycopg.Connection) -> None:
    """Where we say that a cast keeps every value, the largest and smallest come back as they were."""
    edges = {INT2: 2**15, INT4: 2**31, INT8: 2**63}
    names = {oid: name for name, oid in NAMES.items()}
    with database:
        for source, target in product(INTEGERS, (*INTEGERS, NUMERIC)):
            if not widens(source, target):
                assert edges[source] > edges.get(target, 0)
                continue
            for value in (-edges[source], edges[source] - 1):
                text = f"SELECT ('{value}'::{names[source]})::{names[target]}::text"
                assert database.execute(text).fetchone() == (str(value),)


@pytest.mark.parametrize(
    ("text", "oid"),
    [
        ("text", TEXT), ("varchar(5)", VARCHAR), ("character varying", VARCHAR), ("int", INT4),
        ("pg_catalog.int8", INT8), ("text[]", 1009), ("int[3][]", 1007), ("char(3)", BPCHAR),
        ("double precision", FLOAT8), ('"char"', 0), ("public.text", 0), ("mine", 0), ("mine[]", 0),
        ("unknown[]", 0), ("customers.email%type", 0),
    ],
)  # fmt: skip
def test_names_of_types(text: str, oid: int) -> None:
    """PostgreSQL's own, under any of their spellings; another schema's, and those we do not know, are 0."""
    if "%" in text:
        assert type_oid({"names": [{"String": {"sval": "text"}}], "pct_type": True}) == oid
    else:
        assert type_oid(named(text)) == oid
    assert type_oid({"names": [{"String": {"sval": "text"}}], "setof": True}) == 0


def test_elements_are_the_reverse_of_arrays() -> None:
    """No two types share an array."""
    assert {ELEMENTS[array]: array for array in ELEMENTS} == ARRAYS


def test_families_have_equal_bytes() -> None:
    """Text and varchar of any length; numerics of one scale; blanks of char(n) do not count; others alone."""
    assert family(column(TEXT)) == family(column(VARCHAR, 9)) == family(NAME)
    assert family(column(NUMERIC, 10)) != family(column(NUMERIC, 11))
    assert family(column(BPCHAR, 9)) == family(column(BPCHAR, 10))
    assert len({family(column(oid)) for oid in (TEXT, BPCHAR, INT2, INT4, INT8, NUMERIC, BYTEA, DATE)}) == 8


def test_one_form_needs_one_keyset() -> None:
    """Equal types under two keys are two forms."""
    assert same_form(EMAIL, column(VARCHAR))
    assert not same_form(EMAIL, replace(EMAIL, keyset="k2"))
    assert not same_form(EMAIL, column(BYTEA))


@pytest.mark.parametrize(
    ("source", "target", "compared", "stored"),
    [
        (0, DATE, True, True), (UNKNOWN, DATE, True, True), (DATE, DATE, True, True),
        (TEXT, VARCHAR, True, True), (VARCHAR, TEXT, True, True), (TEXT, BPCHAR, False, True),
        (BPCHAR, TEXT, False, True), (INT8, INT2, True, True), (NUMERIC, INT4, True, True),
        (FLOAT8, INT4, False, True), (INT4, FLOAT8, False, True), (TIMESTAMP, DATE, False, True),
        (DATE, TIMESTAMP, False, True), (TEXT, INT4, False, False), (INT4, TEXT, False, True),
        (BYTEA, TEXT, False, True), (-1, TEXT, False, False), (JSON, JSONB, False, True),
        (JSONB, JSON, False, True), (BOOL, TEXT, False, True), (BOOL, INT4, False, False),
        (TIME, TIMETZ, False, False), (TIMESTAMP, TIME, False, True), (INT4, DATE, False, False),
        (VARCHAR_ARRAY, TEXT_ARRAY, False, True), (ARRAYS[INT4], TEXT_ARRAY, False, True),
        (TEXT_ARRAY, ARRAYS[INT4], False, False), (TEXT_ARRAY, TEXT, False, False),
    ],
)  # fmt: skip
def test_what_keeps_a_value(source: int, target: int, compared: bool, stored: bool) -> None:
    """Comparing takes types that share an operator, storing those that are assigned."""
    assert keeps_value(source, column(target), compared=True) is compared
    assert keeps_value(source, column(target), compared=False) is stored


def test_varchar_is_compared_as_text() -> None:
    """It has no operators of its own; every other type has."""
    assert compared_type(VARCHAR) == TEXT
    assert [compared_type(oid) for oid in (TEXT, BPCHAR, INT4, 0)] == [TEXT, BPCHAR, INT4, 0]
    assert not widens(INT8, SCORE.type_oid)
