"""_kernel/sealing.py and its native twin: values, lines and tuples sealed on their way to the database."""

import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from types import ModuleType

import pytest
from tests._kernel.chunks import ASSOCIATED, KEYS, OLDER, OPENING, PREFIX, sealed, unsealed
from tests.keys.test_tink import handle_of
from tests.protect.samples import scheme
from tink import aead, daead

from strongroom._kernel import sealing
from strongroom.keys.generate import new_keyset
from strongroom.keys.model import ExportCapability
from strongroom.protect.envelope import associated_data, prefix

ALGORITHMS = ["randomized", "deterministic"]


def sealer(kernel: ModuleType, algorithm: str = "deterministic", **options: object) -> sealing.Sealer:
    """A sealer of text, unless told otherwise."""
    settings = {"form": "verbatim", "is_text": True, **options}
    made: sealing.Sealer = kernel.Sealer(algorithm, KEYS[algorithm][-1], ASSOCIATED, **settings)
    return made


def hexed(value: bytes) -> bytes:
    """What stands in csv for a sealed text."""
    return b"\\x" + sealed("deterministic", value).hex().encode()


TAKEN = [
    ("verbatim", True, "Zoë".encode(), "Zoë".encode()),
    ("verbatim", False, b"", b""),
    ("int2", True, b"-32768", b"\x80\0"),
    ("int2", False, b"\x80\0", b"\x80\0"),
    ("int4", True, b"-0007", b"\xff\xff\xff\xf9"),
    ("int8", True, b"9223372036854775807", b"\x7f" + b"\xff" * 7),
    ("bool", True, b"yes", b"\1"),
    ("bool", True, b"f", b"\0"),
    ("bool", False, b"\7", b"\1"),
    ("uuid", True, b"00010203-0405-0607-0809-0A0b0c0d0e0f", bytes(range(16))),
    ("uuid", False, bytes(range(16)), bytes(range(16))),
    ("bytea", True, b"\\x00fE", b"\0\xfe"),
    ("bytea", False, b"\0\xff", b"\0\xff"),
]
LEFT_TO_THE_LONG_WAY = [
    ("verbatim", True, b"a\0"),
    ("verbatim", False, b"\xff"),
    ("verbatim", True, b"\xed\xa0\x80"),
    ("int2", True, b"32768"),
    ("int2", False, b"\0"),
    ("int4", True, b"+1"),
    ("int4", True, b" 1"),
    ("int4", True, b"1_000"),
    ("int4", True, b"1\n"),
    ("int4", True, b""),
    ("int8", True, b"9223372036854775808"),
    ("int8", True, b"0" * 20),
    ("bool", True, b"TRUE"),
    ("bool", True, b"o"),
    ("bool", False, b""),
    ("uuid", True, b"{00010203-0405-0607-0809-0a0b0c0d0e0f}"),
    ("uuid", True, b"000102030405060708090a0b0c0d0e0f"),
    ("uuid", True, b"0001020-30405-0607-0809-0a0b0c0d0e0f"),
    ("uuid", False, bytes(15)),
    ("bytea", True, b"\\x0 0"),
    ("bytea", True, b"\\X00"),
    ("bytea", True, b"\\000"),
]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
class TestSealer:
    """``Sealer``: one value."""

    @pytest.mark.parametrize(("form", "is_text", "value", "canonical"), TAKEN)
    def test_a_value_is_sealed_as_its_canonical_plaintext(  # noqa: PLR0917  # pytest passes them by name
        self, kernel: ModuleType, algorithm: str, form: str, is_text: bool, value: bytes, canonical: bytes
    ) -> None:
        """``cryptography`` opens the canonical form; deterministic values are the same to the byte."""
        stored = sealer(kernel, algorithm, form=form, is_text=is_text)(value)
        assert unsealed(algorithm, stored) == canonical
        if algorithm == "deterministic":
            assert stored == sealed(algorithm, canonical)

    @pytest.mark.parametrize(("form", "is_text", "value"), LEFT_TO_THE_LONG_WAY)
    def test_what_is_not_in_the_plainest_form_is_refused(
        self, kernel: ModuleType, algorithm: str, form: str, is_text: bool, value: bytes
    ) -> None:
        """The long way takes it, or has words for what is wrong with it."""
        with pytest.raises(kernel.Refused, match="value"):
            sealer(kernel, algorithm, form=form, is_text=is_text)(value)

    def test_the_limit_counts_characters(self, kernel: ModuleType, algorithm: str) -> None:
        """Not octets; varchar(n) cuts blanks beyond it, which is left to the long way."""
        three = sealer(kernel, algorithm, limit=3)
        assert unsealed(algorithm, three("Zoë".encode())) == "Zoë".encode()
        for longer in ("Zoës", "Zoë "):
            with pytest.raises(kernel.Refused):
                three(longer.encode())

    def test_padding_fills_the_block(self, kernel: ModuleType, algorithm: str) -> None:
        """With one 0x80 and zeros, at least one octet."""
        padded = sealer(kernel, algorithm, pad=4)
        assert unsealed(algorithm, padded(b"ab")) == b"ab\x80\0"
        assert unsealed(algorithm, padded(b"abcd")) == b"abcd\x80\0\0\0"

    def test_what_it_seals_opens(self, kernel: ModuleType, algorithm: str) -> None:
        """By the kernel's own opener, padding and all."""
        opener = kernel.Opener(
            algorithm, OPENING[algorithm], form="int4", is_text=True, is_hexed=False, pad=16
        )
        assert opener(sealer(kernel, algorithm, form="int4", pad=16)(b"-12")) == b"-12"

    def test_a_sealer_that_cannot_be_is_not_made(self, kernel: ModuleType, algorithm: str) -> None:
        """Keys and prefixes have one size, and forms have names."""
        for key, form in [
            ((PREFIX, b"short"), "verbatim"),
            ((b"\1", KEYS[algorithm][0][1]), "verbatim"),
            (KEYS[algorithm][0], "no"),
        ]:
            with pytest.raises(ValueError, match="no such"):
                kernel.Sealer(algorithm, key, ASSOCIATED, form=form, is_text=True)
        with pytest.raises(ValueError, match="no such"):
            kernel.Sealer("no", (OLDER, bytes(32)), ASSOCIATED, form="verbatim", is_text=True)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("value", [b"", b"x", b"anna@example.org", b"x" * 5000])
def test_stock_tink_opens_what_is_sealed(kernel: ModuleType, algorithm: str, value: bytes) -> None:
    """Whichever twin sealed it."""
    keyset = new_keyset(scheme("text", algorithm), datetime(2026, 1, 1, tzinfo=UTC))
    material = keyset.version(keyset.primary).dek
    assert material is not None
    key = prefix(keyset.primary), material.danger_material(ExportCapability("a test"))
    context = associated_data(keyset.context)
    stored = kernel.Sealer(algorithm, key, context, form="verbatim", is_text=True)(value)
    theirs = handle_of(keyset)
    if algorithm == "randomized":
        assert theirs.primitive(aead.Aead).decrypt(stored, context) == value
    else:
        opened = theirs.primitive(daead.DeterministicAead).decrypt_deterministically(stored, context)
        assert opened == value


def test_no_nonce_comes_twice(kernel: ModuleType) -> None:
    """Neither from call to call nor within a block."""
    one = sealer(kernel, "randomized")
    lines = kernel.Lines([one, one], delimiter=b",", null=b"", quote=b'"')
    block, _, _ = lines.seal(b"a,a\n" * 500, b"\n")
    stored = [bytes.fromhex(field[2:].decode()) for line in block.split() for field in line.split(b",")]
    stored += [one(b"a") for _ in range(100)]
    assert len({value[5:17] for value in stored}) == 1100


def text(kernel: ModuleType, block: bytes, end: bytes = b"\n") -> tuple[bytes, int, list[int]]:
    """A block in text format whose second column of three is sealed, the third by a callable."""
    columns = [None, sealer(kernel), bytes.upper]
    done: tuple[bytes, int, list[int]] = kernel.Lines(columns, delimiter=b"|", null=b"\\N", quote=b"").seal(
        block, end
    )
    return done


def csv(kernel: ModuleType, block: bytes, end: bytes = b"\n") -> tuple[bytes, int, list[int]]:
    """A block in csv whose second column of two is sealed."""
    lines = kernel.Lines([None, sealer(kernel)], delimiter=b",", null=b"", quote=b'"')
    done: tuple[bytes, int, list[int]] = lines.seal(block, end)
    return done


class TestLines:
    """``Lines``: blocks of COPY in text and csv."""

    @pytest.mark.parametrize("end", [b"\n", b"\r\n"])
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            (b"a", b"a"),
            (b"", b""),
            (b"\\\\N", b"\\N"),
            (b"a\\|b\\tc\\n\\q", b"a|b\tc\nq"),
            (b"\\101\\18\\x41\\x4g\\x\\b\\f\\r\\v", b"A\x018A\x04gx\b\f\r\v"),
            (b"\\351", None),
            (b'"', b'"'),
        ],
    )
    def test_text_is_unescaped(
        self, kernel: ModuleType, field: bytes, value: bytes | None, end: bytes
    ) -> None:
        """As CopyReadAttributesText does; the sealed value stands there in bytea's hex form, escaped."""
        block = b"\\|1|" + field + b"|xy" + end
        if value is None:
            with pytest.raises(kernel.Refused, match="value"):
                text(kernel, block, end)
            return
        expected = b"\\|1|\\" + hexed(value) + b"|\\\\x5859" + end
        assert text(kernel, block * 3, end) == (expected * 3, 3, [3, 3])

    def test_null_passes_and_is_not_counted(self, kernel: ModuleType) -> None:
        """As it is written, before anything is taken off."""
        assert text(kernel, b"\\N|\\N|\\N\n") == (b"\\N|\\N|\\N\n", 1, [0, 0])
        assert csv(kernel, b',""\n,\n') == (b"," + hexed(b"") + b"\n,\n", 2, [1])

    @pytest.mark.parametrize("end", [b"\n", b"\r\n"])
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            (b"a", b"a"),
            (b'"a"', b"a"),
            (b'a"b,\r\n"c""""', b'ab,\r\nc"'),
            (b'"""a"""', b'"a"'),
            (b"\\101", b"\\101"),
        ],
    )
    def test_csv_is_unquoted(self, kernel: ModuleType, field: bytes, value: bytes, end: bytes) -> None:
        """As CopyReadAttributesCSV does."""
        block = b'"1,\n",' + field + end
        assert csv(kernel, block * 3, end) == ((b'"1,\n",' + hexed(value) + end) * 3, 3, [3])

    @pytest.mark.parametrize(
        "block",
        [
            b"1|2|3",
            b"1|2\n",
            b"1|2|3|4\n",
            b"1|2|3\r\n",
            b"1|2|3\r",
            b"\n",
            b"1|2|\\.\n",
            b"\\.\n",
            b"1|2|3\\\n",
            b"1|2\\\r|3\n",
            b"1|2|3\n4|5|",
            b"1|2|3\\",
            b"1|2|3\n|",
        ],
    )
    def test_text_that_needs_thought_is_refused(self, kernel: ModuleType, block: bytes) -> None:
        """Line ends that are data or unlike the first, what may end the data, and another width."""
        with pytest.raises(kernel.Refused, match="framing"):
            text(kernel, b"1|2|3\n" + block)

    @pytest.mark.parametrize(
        "block",
        [
            b"1,2",
            b"1\n",
            b"1,2,3\n",
            b"1,2\r\n",
            b"1,2\r",
            b"\n",
            b"\\.\n",
            b"\\.,2\n",
            b'1,"2\n',
            b'1,"2',
            b'1,2""\n,"',
            b"1,\r2\n",
            b"1,2\n,",
        ],
    )
    def test_csv_that_needs_thought_is_refused(self, kernel: ModuleType, block: bytes) -> None:
        """The same in csv, and a quote that is not closed."""
        for before in (b"1,2\n", b'1,"2"\n'):
            with pytest.raises(kernel.Refused, match="framing"):
                csv(kernel, before + block)

    def test_nothing_is_no_rows(self, kernel: ModuleType) -> None:
        """An empty block is well-formed."""
        assert text(kernel, b"") == (b"", 0, [0, 0])
        assert csv(kernel, b"") == (b"", 0, [0])

    def test_what_a_callable_raises_goes_to_the_caller(self, kernel: ModuleType) -> None:
        """With its own type."""

        def fails(_value: bytes) -> bytes:
            raise KeyError("of its own")

        with pytest.raises(KeyError, match="of its own"):
            kernel.Lines([fails], delimiter=b"|", null=b"\\N", quote=b"").seal(b"a\n", b"\n")

    def test_lines_that_cannot_be_are_not_made(self, kernel: ModuleType) -> None:
        """Delimiters have one octet, rows have columns."""
        for columns, delimiter, quote in (
            ([None], b"", b""),
            ([None], b"||", b""),
            ([None], b"|", b"''"),
            ([1], b"|", b""),
            ([], b"|", b""),
        ):
            with pytest.raises(ValueError, match="is"):
                kernel.Lines(columns, delimiter=delimiter, null=b"", quote=quote)


def tuple_of(*values: bytes | None) -> bytes:
    """One tuple of COPY's binary format."""
    fields = [b"\xff\xff\xff\xff" if one is None else struct.pack(">i", len(one)) + one for one in values]
    return struct.pack(">h", len(values)) + b"".join(fields)


class TestTuples:
    """``Tuples``: COPY's binary format."""

    def tuples(self, kernel: ModuleType) -> sealing.Tuples:
        """Three columns, of which two are sealed."""
        made: sealing.Tuples = kernel.Tuples([sealer(kernel, is_text=False), None, bytes.upper])
        return made

    def rows(self, *rows: Sequence[bytes | None]) -> bytes:
        return b"".join(tuple_of(*row) for row in rows)

    def test_tuples_are_sealed(self, kernel: ModuleType) -> None:
        """NULLs and other columns pass; the trailer is left to the caller."""
        data = b"header" + self.rows((b"a", b"b", b"c"), (None, None, None)) * 100
        expected = self.rows((sealed("deterministic", b"a"), b"b", b"C"), (None, None, None)) * 100
        for tail in (b"", b"\xff\xff", b"\xff\xffmore"):
            assert self.tuples(kernel).seal(data + tail, 6) == (expected, len(data), 200, [100, 100])

    def test_a_tuple_that_is_cut_off_waits(self, kernel: ModuleType) -> None:
        """Wherever it is cut."""
        one = self.rows((b"", None, b"abc"))
        done, _, _, _ = self.tuples(kernel).seal(one, 0)
        for end in range(len(one)):
            assert self.tuples(kernel).seal(one + one[:end], 0) == (done, len(one), 1, [1, 1])

    @pytest.mark.parametrize(
        "data", [tuple_of(b"a", b"b"), b"\0\3" + b"\xff\xff\xff\xfe" * 3, b"\xff\xfe", b"\0\0"]
    )
    def test_what_is_no_such_tuple_is_refused(self, kernel: ModuleType, data: bytes) -> None:
        """Another number of fields, or a length that cannot be."""
        with pytest.raises(kernel.Refused, match="framing"):
            self.tuples(kernel).seal(tuple_of(b"a", b"b", b"c") + data, 0)
