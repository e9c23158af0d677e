"""protect/batch.py: chunks of rows, opened."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protect.samples import codec

from strongroom.errors import InvalidCiphertext, MalformedRow, WrongTag
from strongroom.protect.batch import RowPlan, column_opener, open_rows, unhexed
from strongroom.protect.plan import BINARY_FORMAT, TEXT_FORMAT, ColumnCodec, Sent
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types

STYLE = TextStyle()


def row(*values: bytes | None) -> bytes:
    """A DataRow message."""
    fields = b"".join(b"\xff\xff\xff\xff" if v is None else struct.pack(">i", len(v)) + v for v in values)
    return b"D" + struct.pack(">IH", len(fields) + 6, len(values)) + fields


def sealed(column: ColumnCodec, text: bytes) -> bytes:
    """A sealed value."""
    value = column.seal(text, Sent(STYLE))
    assert value is not None
    return value


def hexed(value: bytes) -> bytes:
    """A bytea as text."""
    return b"\\x" + value.hex().encode()


@pytest.mark.parametrize("upstream_format", [TEXT_FORMAT, BINARY_FORMAT])
@pytest.mark.parametrize("client_format", [TEXT_FORMAT, BINARY_FORMAT])
def test_rows_come_out_opened(upstream_format: int, client_format: int) -> None:
    """Protected values are opened, others copied, NULLs kept, for any number of rows in a chunk."""
    text, number = codec("text", "deterministic"), codec("integer")
    plan = RowPlan(
        (
            None,
            column_opener(text, upstream_format=upstream_format, client_format=client_format, style=STYLE),
            None,
            column_opener(number, upstream_format=upstream_format, client_format=client_format, style=STYLE),
            None,
        )
    )

    def as_sent(value: bytes) -> bytes:
        return hexed(value) if upstream_format == TEXT_FORMAT else value

    chunk = b"".join(
        row(b"%d" % n, as_sent(sealed(text, b"name")), None, as_sent(sealed(number, b"%d" % n)), b"")
        for n in range(3)
    )
    chunk += row(None, None, b"x", None, None)
    shown = [b"%d" % n if client_format == TEXT_FORMAT else struct.pack(">i", n) for n in range(3)]
    expected = b"".join(row(b"%d" % n, b"name", None, shown[n], b"") for n in range(3))
    assert open_rows(plan, chunk) == expected + row(None, None, b"x", None, None)


def test_nothing_in_nothing_out() -> None:
    """An empty chunk is no rows; a row of no columns is a row."""
    assert open_rows(RowPlan(()), b"") == b""
    assert open_rows(RowPlan(()), row() + row()) == row() + row()
    assert RowPlan((None, None)).touches_nothing
    assert not RowPlan((None, bytes)).touches_nothing


@given(
    st.lists(st.lists(st.none() | st.binary(max_size=40), min_size=4, max_size=4), max_size=5),
    st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_any_rows_are_framed_right(rows: list[list[bytes | None]], protected: list[bool]) -> None:
    """Values that change their length in any column leave the framing of all others right."""
    plan = RowPlan(tuple((lambda value: value + b"!" * (len(value) % 3)) if p else None for p in protected))
    expected = [
        [v + b"!" * (len(v) % 3) if p and v is not None else v for v, p in zip(r, protected, strict=True)]
        for r in rows
    ]
    assert open_rows(plan, b"".join(row(*r) for r in rows)) == b"".join(row(*r) for r in expected)


@pytest.mark.parametrize("is_binary", [False, True])
def test_an_array_of_sealed_values_is_an_array_of_values(is_binary: bool) -> None:
    """array_agg over a protected column gives bytea[]; the client awaits an array of the declared type."""
    column = codec("text", "deterministic")
    one = sealed(column, b"a b")
    element = struct.pack(">i", len(one)) + one + struct.pack(">i", -1)
    value = struct.pack(">iiIii", 1, 1, types.BYTEA, 2, 1) + element
    if not is_binary:
        value = b'{"\\\\x' + one.hex().encode() + b'",NULL}'
    opener = column_opener(
        column, upstream_format=int(is_binary), client_format=TEXT_FORMAT, style=STYLE, is_array=True
    )
    assert open_rows(RowPlan((opener,)), row(value)) == row(b'{"a b",NULL}')
    binary = column_opener(
        column, upstream_format=int(is_binary), client_format=BINARY_FORMAT, style=STYLE, is_array=True
    )
    expected = struct.pack(">iiIiii", 1, 1, types.TEXT, 2, 1, 3) + b"a b" + struct.pack(">i", -1)
    assert open_rows(RowPlan((binary,)), row(value)) == row(expected)


@pytest.mark.parametrize(
    "chunk",
    [
        b"D",
        row(b"a", b"b")[:-1],
        row(b"a"),
        row(b"a", b"b", b"c"),
        b"C" + row(b"a", b"b")[1:],
        b"D" + struct.pack(">IHii", 14, 2, 100, 0),
        b"D" + struct.pack(">IHi", 10, 2, 0),
        row(b"a", b"b")[:7] + struct.pack(">i", 2**31 - 1) + b"ab",
    ],
    ids=["header", "cut", "fewer", "more", "kind", "value too long", "value missing", "huge"],
)
def test_a_malformed_row_is_an_error_of_the_database(chunk: bytes) -> None:
    """No byte of a row that is not framed as described goes to the client."""
    with pytest.raises(MalformedRow):
        open_rows(RowPlan((None, bytes)), chunk)


def test_a_value_that_does_not_open_is_an_error() -> None:
    """One wrong value, and none of the chunk goes out."""
    column = codec("text")
    opener = column_opener(column, upstream_format=1, client_format=0, style=STYLE)
    good, bad = sealed(column, b"good"), sealed(column, b"bad")
    with pytest.raises(WrongTag):
        open_rows(RowPlan((opener,)), row(good) + row(bad[:-1] + bytes([bad[-1] ^ 1])))


@pytest.mark.parametrize("value", [b"abc", b"\\xa", b"\\xzz", b""])
def test_a_bytea_that_is_not_hex_is_refused(value: bytes) -> None:
    """bytea_output is pinned; what comes back in another form is not a sealed value."""
    with pytest.raises(InvalidCiphertext):
        unhexed(value)
