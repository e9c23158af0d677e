"""protect/plan.py: sealing and opening the values of a column."""

import struct

import pytest
from tests.protect.samples import Counted, codec, keyset_for

from strongroom.errors import InvalidPlaintext, KeysetMismatch, WrongTag
from strongroom.keys.model import Algorithm
from strongroom.protect.plan import BINARY_FORMAT, TEXT_FORMAT, ColumnCodec, Sent, Use
from strongroom.protect.scheme import Scheme
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types

STYLE = TextStyle()
TEXT = Sent(STYLE)


@pytest.mark.parametrize("encryption", ["deterministic", "randomized"])
@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("text", b"anna@example.org"),
        ("varchar(40)", "Zoë".encode()),
        ("integer", b"-7"),
        ("uuid", b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("text[]", b'{a,NULL,"b c"}'),
        ("bytea", b"\\x00ff"),
    ],
)
def test_a_value_comes_back_as_it_was_sent(encryption: str, type_: str, text: bytes) -> None:
    """What is sealed from text opens to the same text."""
    column = codec(type_, encryption)
    sealed = column.seal(text, TEXT)
    assert sealed is not None
    assert text not in sealed
    assert column.open(sealed, format_code=TEXT_FORMAT, style=STYLE) == text


def test_text_and_binary_are_one_value() -> None:
    """A value sealed from binary opens as text, and the other way round."""
    column = codec("integer", "deterministic")
    from_text = column.seal(b"258", TEXT)
    from_binary = column.seal(b"\0\0\1\2", Sent(STYLE, format_code=BINARY_FORMAT))
    assert from_text == from_binary
    assert column.open(from_text, format_code=BINARY_FORMAT, style=STYLE) == b"\0\0\1\2"


def test_null_stays_null() -> None:
    """NULL is neither sealed nor counted."""
    column = codec("text")
    assert column.seal(None, TEXT) is None
    assert column.seal_each(None, TEXT) is None
    assert column.open(None, format_code=TEXT_FORMAT, style=STYLE) is None
    assert column.open_each(None, format_code=TEXT_FORMAT, style=STYLE) is None


def test_deterministic_values_are_equal_and_randomized_ones_are_not() -> None:
    """Equality in the database is exactly what the scheme says."""
    assert codec("text", "deterministic").seal(b"x", TEXT) == codec("text", "deterministic").seal(b"x", TEXT)
    assert codec("text").seal(b"x", TEXT) != codec("text").seal(b"x", TEXT)


def test_a_value_of_another_column_does_not_open() -> None:
    """The context of the keyset is bound into each value."""
    here = codec("text")
    scheme = Scheme.parse("shop", "public.t.other", type="text", encryption="randomized")
    there = ColumnCodec(scheme, keyset_for(scheme), Counted())
    sealed = here.seal(b"x", TEXT)
    with pytest.raises(WrongTag):
        there.open(sealed, format_code=TEXT_FORMAT, style=STYLE)


def test_a_varchar_is_cut_when_stored_and_kept_when_compared() -> None:
    """Blanks beyond the length vanish on assignment, but make a comparison false."""
    column = codec("varchar(2)", "deterministic")
    assert column.seal(b"ab  ", TEXT) == column.seal(b"ab", TEXT)
    assert column.seal(b"ab  ", Sent(STYLE, use=Use.COMPARE)) != column.seal(b"ab", TEXT)


def test_an_array_for_any_is_an_array_of_sealed_values() -> None:
    """Each element is sealed as the column's values are; NULLs stay."""
    column = codec("text", "deterministic")
    sealed = column.seal_each(b"{a,NULL}", Sent(STYLE, use=Use.COMPARE))
    one = column.seal(b"a", TEXT)
    assert one is not None
    element = struct.pack(">i", len(one)) + one
    assert sealed == struct.pack(">iiIii", 1, 1, types.BYTEA, 2, 1) + element + struct.pack(">i", -1)
    assert column.open_each(sealed, format_code=TEXT_FORMAT, style=STYLE) == b"{a,NULL}"
    opened = column.open_each(sealed, format_code=BINARY_FORMAT, style=STYLE)
    assert opened == struct.pack(">iiIii", 1, 1, types.TEXT, 2, 1) + b"\0\0\0\1a" + b"\xff\xff\xff\xff"


def test_each_seal_is_counted_under_the_primary_key() -> None:
    """One use a value, NULL none."""
    scheme = Scheme.parse("shop", "public.t.c", type="text", encryption="randomized")
    uses = Counted()
    column = ColumnCodec(scheme, keyset_for(scheme), uses)
    column.seal(b"x", TEXT)
    column.seal_each(b"{a,b,NULL}", TEXT)
    assert uses.taken == [("shop/public.t.c", 0x01020304, 1)] * 3


def test_padding_hides_the_length() -> None:
    """Values of a padded column have one length up to the block."""
    column = codec("text", pad=16)
    short, longer = column.seal(b"", TEXT), column.seal(b"x" * 15, TEXT)
    assert short is not None
    assert longer is not None
    assert len(short) == len(longer) == 33 + 16
    assert column.open(longer, format_code=TEXT_FORMAT, style=STYLE) == b"x" * 15
    integers = codec("integer", pad=16)
    assert integers.open(integers.seal(b"5", TEXT), format_code=TEXT_FORMAT, style=STYLE) == b"5"


def test_a_keyset_made_for_another_form_is_refused() -> None:
    """A changed line of configuration cannot make old values read as something else."""
    old = Scheme.parse("shop", "public.t.c", type="text", encryption="randomized")
    new = Scheme.parse("shop", "public.t.c", type="integer", encryption="randomized")
    with pytest.raises(KeysetMismatch):
        ColumnCodec(new, keyset_for(old), Counted())


def test_bytes_that_are_no_value_of_the_type_are_an_error() -> None:
    """A sealed value that opens to nonsense is never shown as something."""
    text, number = codec("text"), codec("integer")
    sealed = text.seal(b"abc", TEXT)
    with pytest.raises(InvalidPlaintext):
        number.open(sealed, format_code=TEXT_FORMAT, style=STYLE)
    with pytest.raises(InvalidPlaintext):
        number.open(sealed, format_code=BINARY_FORMAT, style=STYLE)


def test_the_algorithm_of_the_keyset_decides() -> None:
    """A deterministic value is 21 bytes longer than its plaintext, a randomized one 33."""
    assert len(codec("text", "deterministic").seal(b"abc", TEXT) or b"") == 24
    assert len(codec("text", "randomized").seal(b"abc", TEXT) or b"") == 36
    assert codec("text").scheme.algorithm is Algorithm.AES256_GCM


def test_a_sealer_and_an_opener_do_what_seal_and_open_do() -> None:
    """With all but the value settled, for many rows; each row is counted."""
    scheme_uses = Counted()
    column = codec("integer", "deterministic")
    many = ColumnCodec(column.scheme, keyset_for(column.scheme), scheme_uses)
    sealer, opener = many.sealer(TEXT), many.opener(TEXT_FORMAT, STYLE)
    for number in (b"1", b"-2", b"3"):
        assert sealer(number) == column.seal(number, TEXT)
        assert opener(sealer(number)) == number
    assert len(scheme_uses.taken) == 6


def test_what_a_cast_cuts_is_sealed_in_python() -> None:
    """The kernel knows nothing of the cast; `seal_all` gives what `seal` gives."""
    column = codec("text", "deterministic")
    cut = Sent(STYLE, types.VARCHAR, cut=3)
    assert column.native_sealer(cut) is None
    assert column.native_sealer(Sent(STYLE, types.VARCHAR)) is not None
    assert column.seal(b"abcdef", cut) == column.seal(b"abc", TEXT)
