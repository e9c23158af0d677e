"""protect/sealing.py: both ways of a column, and the uses that the kernel made."""

import pytest
from tests.protect.samples import Counted, codec, keyset_for, scheme

from strongroom._kernel import Lines, Refused
from strongroom.errors import InvalidDatetime, KeyUsesSpent
from strongroom.keys.model import Keyset
from strongroom.protect.plan import BINARY_FORMAT, TEXT_FORMAT, ColumnCodec, Sent, Use
from strongroom.protect.sealing import KernelLines, KernelSeals, KernelTuples, column_sealer
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types

STYLE = TextStyle()
TEXT, BINARY = Sent(STYLE), Sent(STYLE, format_code=BINARY_FORMAT)


def counted(type_: str, encryption: str = "deterministic") -> tuple[ColumnCodec, Counted]:
    """A codec, and where its uses are counted."""
    made, uses = scheme(type_, encryption), Counted()
    return ColumnCodec(made, keyset_for(made), uses), uses


@pytest.mark.parametrize(
    ("type_", "text", "binary"),
    [
        ("text", b"Zo\xc3\xab", b"Zo\xc3\xab"),
        ("varchar(3)", b"Zo\xc3\xab", b"abc"),
        ("smallint", b"-7", b"\xff\xf9"),
        ("integer", b"7", b"\0\0\0\7"),
        ("bigint", b"7", b"\0" * 7 + b"\7"),
        ("uuid", b"00010203-0405-0607-0809-0a0b0c0d0e0f", bytes(range(16))),
        ("bytea", b"\\x00ff", b"\0\xff"),
    ],
)
def test_both_ways_give_the_same_bytes(type_: str, text: bytes, binary: bytes) -> None:
    """A deterministic value is the same whoever seals it."""
    column = codec(type_, "deterministic", pad=16)
    for sent, value in ((TEXT, text), (BINARY, binary)):
        both = column_sealer(column, sent)
        assert both.native is not None
        assert both.native(value) == both(value)


@pytest.mark.parametrize("type_", ["numeric(5,2)", "date", "char(3)", "text[]", "integer[]"])
def test_types_that_the_kernel_does_not_know_are_sealed_here(type_: str) -> None:
    """And by nothing else."""
    assert column_sealer(codec(type_, "deterministic"), TEXT).native is None


@pytest.mark.parametrize(
    ("type_", "client_oid", "known"),
    [
        ("text", types.VARCHAR, True),
        ("varchar(3)", types.TEXT, True),
        ("text", types.UNKNOWN, True),
        ("integer", types.INT4, True),
        ("integer", types.INT8, False),
        ("text", types.INT4, False),
        ("text", types.BPCHAR, False),
        ("bigint", types.NUMERIC, False),
    ],
)
def test_values_of_another_type_are_converted_here(type_: str, client_oid: int, known: bool) -> None:
    """The kernel reads what has the bytes of the column's type."""
    sealer = column_sealer(codec(type_, "deterministic"), Sent(STYLE, client_oid))
    assert (sealer.native is not None) is known


def test_the_length_of_a_varchar_counts_where_it_is_stored() -> None:
    """What is only compared may be longer, and equals none."""
    column = codec("varchar(3)", "deterministic")
    stored = column_sealer(column, TEXT).native
    compared = column_sealer(column, Sent(STYLE, use=Use.COMPARE)).native
    assert stored is not None
    assert compared is not None
    with pytest.raises(Refused):
        stored(b"four")
    assert compared(b"four") == column.seal(b"four", Sent(STYLE, use=Use.COMPARE))


def lines(*seals: KernelSeals) -> list[KernelLines]:
    """Blocks of csv for each of them."""
    return [KernelLines(one, Lines(one.columns, delimiter=b",", null=b"", quote=b'"')) for one in seals]


def test_what_the_kernel_seals_is_counted() -> None:
    """Each value once, whoever sealed it, and NULL never."""
    (text, text_uses), (day, day_uses) = counted("text"), counted("date")
    seals = KernelSeals([None, column_sealer(text, TEXT), column_sealer(day, TEXT)])
    (block,) = lines(seals)
    _, rows = block.seal(b"1,a,2020-01-01\n2,,\n3,b,2020-01-02\n", b"\n")
    assert rows == 3
    assert sum(count for _, _, count in text_uses.taken) == 2
    assert sum(count for _, _, count in day_uses.taken) == 2


def test_tuples_are_counted_too() -> None:
    """In COPY's binary format."""
    column, uses = counted("text", "randomized")
    tuples = KernelTuples(KernelSeals([column_sealer(column, BINARY)]))
    _, end, rows = tuples.seal(b"\0\1\0\0\0\1a" * 5 + b"\xff\xff", 0)
    assert (end, rows) == (35, 5)
    assert [count for _, _, count in uses.taken] == [5]


class Spent:
    """No uses are left."""

    def take(self, keyset: Keyset, count: int) -> None:
        raise KeyUsesSpent(f"{keyset.name}: {count}")


def test_beyond_the_uses_of_a_key_nothing_leaves() -> None:
    """What was sealed is thrown away."""
    made = scheme("text")
    column = ColumnCodec(made, keyset_for(made), Spent())
    (block,) = lines(KernelSeals([column_sealer(column, TEXT)]))
    with pytest.raises(KeyUsesSpent):
        block.seal(b"a\n", b"\n")
    assert block.seal(b"\n", b"\n") == (b"\n", 1)


def test_a_value_that_needs_words_is_refused() -> None:
    """They would be lost in the kernel; whoever goes the long way hears them."""
    column = codec("date")
    sealer = column_sealer(column, Sent(STYLE, format_code=TEXT_FORMAT))
    (in_kernel,) = KernelSeals([sealer]).columns
    assert in_kernel is not None
    with pytest.raises(Refused):
        in_kernel(b"no date")
    with pytest.raises(InvalidDatetime):
        sealer(b"no date")
