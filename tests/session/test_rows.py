"""What RowDescription must say of rows, what the client sees instead, and in which formats they come."""

from dataclasses import replace

import pytest
from tests.session.guarding import ANNA, CODECS, EMAIL, PEOPLE, column, data_row

from strongroom.errors import Bug, OriginMismatch
from strongroom.protect.batch import open_rows
from strongroom.protect.masking import ColumnMask
from strongroom.protect.masks import Mask
from strongroom.protect.style import TextStyle
from strongroom.session.rows import agree, format_of, plan, shown, upstream_formats
from strongroom.sql.schema import Protection
from strongroom.sql.statement import Output
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types

PROTECTION = Protection(EMAIL.scheme.column, EMAIL.scheme.keyset, types.VARCHAR, 24, True)
MAIL = Output("email", PEOPLE.oid, 2, PROTECTION, type_oid=types.VARCHAR, typmod=24)
ID = Output("id", PEOPLE.oid, 1)
PROTECTED = frozenset({(PEOPLE.oid, 2), (PEOPLE.oid, 3)})
CAME = m.RowDescription((column("id", 1, types.INT4), column("email", 2, types.BYTEA)))


def came(field: m.Field) -> m.RowDescription:
    """A description whose second column is another."""
    return m.RowDescription((CAME.fields[0], field))


def test_what_was_expected_agrees() -> None:
    """Table, attribute and form of each column."""
    agree((ID, MAIL), CAME, PROTECTED)
    agree((), m.RowDescription(()), PROTECTED)


@pytest.mark.parametrize(
    "field",
    [
        column("email", 3, types.BYTEA), column("email", 0, types.BYTEA), column("email", 2, types.TEXT),
        column("email", 2, types.BYTEA_ARRAY), replace(column("email", 2, types.BYTEA), table_oid=1),
    ],
)  # fmt: skip
def test_another_origin_or_form_is_refused(field: m.Field) -> None:
    """Analysis meant another column, or one that is not sealed."""
    with pytest.raises(OriginMismatch, match="column 2"):
        agree((ID, MAIL), came(field), PROTECTED)


def test_another_number_of_columns_is_refused() -> None:
    """Then no column is certain."""
    for outputs in ((MAIL,), (ID, MAIL, ID)):
        with pytest.raises(OriginMismatch, match="2 columns came"):
            agree(outputs, CAME, PROTECTED)


def test_what_may_be_anything_is_no_protected_column() -> None:
    """Where the origin is of no matter, it still is not one of these."""
    anything = Output("x", -1, 0)
    agree((ID, anything), came(column("x", 4, types.TEXT)), PROTECTED)
    agree((ID, anything), came(column("x", 0, types.TEXT)), PROTECTED)
    with pytest.raises(OriginMismatch, match="protected one"):
        agree((ID, anything), CAME, PROTECTED)


def test_an_array_comes_as_an_array() -> None:
    """Of sealed values, from no column."""
    array = Output("x", 0, 0, PROTECTION, is_array=True, type_oid=1015)
    agree((ID, array), came(column("x", 0, types.BYTEA_ARRAY)), PROTECTED)
    with pytest.raises(OriginMismatch, match="sealed"):
        agree((ID, array), came(column("x", 0, types.BYTEA)), PROTECTED)


def test_the_client_sees_the_declared_type() -> None:
    """With its size and length, and the column's own place; the rest stays."""
    first, second = shown((ID, MAIL), CAME, None).fields
    assert first == CAME.fields[0]
    assert (second.type_oid, second.typmod, second.type_size) == (types.VARCHAR, 24, -1)
    assert (second.name, second.table_oid, second.attnum) == ("email", PEOPLE.oid, 2)


def test_a_cast_hides_the_place() -> None:
    """As PostgreSQL would: an expression is of no table."""
    for output in (replace(MAIL, type_oid=types.TEXT, typmod=-1), replace(MAIL, typmod=-1)):
        (_, field) = shown((ID, output), CAME, None).fields
        assert (field.table_oid, field.attnum) == (0, 0)


def test_the_client_sees_the_formats_that_it_asked_for() -> None:
    """Though sealed values come in binary; in Describe of a statement, none is settled."""
    binary = m.RowDescription((CAME.fields[0], replace(CAME.fields[1], format=m.BINARY)))
    for asked, told in (((), [0, 0]), ((1,), [1, 1]), ((0, 1), [0, 1]), ((1, 0), [1, 0])):
        assert [field.format for field in shown((ID, MAIL), binary, asked).fields] == told
    assert [field.format for field in shown((ID, MAIL), CAME, None).fields] == [0, 0]


@pytest.mark.parametrize(
    ("formats", "upstream"),
    [((), (0, 1)), ((0,), (0, 1)), ((1,), (1, 1)), ((1, 0), (1, 1)), ((0, 0), (0, 1))],
)
def test_sealed_values_are_asked_for_in_binary(formats: tuple[int, ...], upstream: tuple[int, ...]) -> None:
    """The others as the client wants them."""
    assert upstream_formats((ID, MAIL), formats) == upstream


def test_formats() -> None:
    """None means text, one stands for all (manual, "Bind"); one that is missing is text."""
    assert [format_of((), 3), format_of((1,), 3), format_of((0, 1), 1), format_of((1, 1), 2)] == [0, 1, 1, 0]


@pytest.mark.parametrize(("code", "value"), [(m.TEXT, b"\\x" + ANNA.hex().encode()), (m.BINARY, ANNA)])
def test_a_plan_opens_what_is_protected(code: int, value: bytes) -> None:
    """In either format; NULL and the other columns stay."""
    made = plan((ID, MAIL), (0, code), (0, 0), lambda one: CODECS[one.column], TextStyle())
    assert made is not None
    rows = data_row(b"1", value) + data_row(None, None)
    assert open_rows(made, rows) == data_row(b"1", b"anna") + data_row(None, None)


def test_nothing_to_open_needs_no_plan() -> None:
    """Such rows flow."""
    assert plan((ID, ID), (0, 0), (0, 0), lambda one: CODECS[one.column], TextStyle()) is None


def test_a_plan_masks_what_is_protected_and_what_is_not() -> None:
    """The first after it was opened, the other as it comes; and so does the plan that is made again."""
    number = ColumnMask(Mask.parse("range", step=100), types.declared(types.INT4))
    text = ColumnMask(Mask.parse("first", n=1), EMAIL.scheme.type)
    rows = data_row(b"123", ANNA) + data_row(None, None)
    for masks, seen in (
        ((number, text), (b"100", b"a****")),
        ((number, None), (b"100", b"anna")),
        ((None, text), (b"123", b"a****")),
        ((), (b"123", b"anna")),
    ):
        made = plan((ID, MAIL), (0, 1), (0, 0), lambda one: CODECS[one.column], TextStyle(), masks=masks)
        assert made is not None
        assert made.again is not None
        for each in (made, made.again()):
            assert each is not None
            assert open_rows(each, rows) == data_row(*seen) + data_row(None, None)


def test_rows_without_a_protected_column_are_masked() -> None:
    """In the format that the client asked for, which is the one that comes."""
    null = ColumnMask.of_catalog(Mask.parse("constant"), 98_765, -1)
    made = plan((ID, ID), (0, 0), (0, 0), lambda one: CODECS[one.column], TextStyle(), masks=(None, null))
    assert made is not None
    assert open_rows(made, data_row(b"1", b"secret")) == data_row(b"1", None)


def test_there_is_a_mask_for_each_column_or_none() -> None:
    """One too few would leave the last one bare."""
    null = ColumnMask.of_catalog(Mask.parse("null"), types.TEXT, -1)
    with pytest.raises(Bug):
        plan((ID, ID), (0,), (0,), lambda one: CODECS[one.column], TextStyle(), masks=(null,))
