"""_kernel/python.py and the native twin: one description for both."""

import hmac
import struct
from types import ModuleType
from typing import Any

import pytest
from tests._kernel.chunks import (
    KEYS,
    OLDER,
    OPENING,
    PREFIX,
    bind,
    hexed,
    message,
    row,
    sealed,
)
from tests.protect.published import GCM, SIV

from strongroom._kernel import python

BIND, DESCRIBE = message(b"B", bind(b"", b"one")), message(b"D", b"P\0")
EXECUTE, SYNC = message(b"E", b"\0\0\0\0\0"), message(b"S")
ROUND = BIND + DESCRIBE + EXECUTE + SYNC
REPLY = (
    message(b"2")
    + message(b"T", b"\0\0")
    + row(b"1") * 2
    + message(b"C", b"SELECT 2\0")
    + message(b"Z", b"I")
)


class TestCut:
    """``cut``: where messages begin and end."""

    def test_messages_are_found(self, kernel: ModuleType) -> None:
        """Each message is a span, those of a run are one, and the rest is told."""
        data = b"xx" + row(b"1") + row(b"2") + SYNC + SYNC + b"Z\0\0"
        assert kernel.cut(data, 2, 100, b"D") == ([(68, 2, 26), (83, 26, 31), (83, 31, 36)], 36)
        assert len(kernel.cut(data, 2, 100, b"dS")[0]) == 3

    def test_nothing_is_no_message(self, kernel: ModuleType) -> None:
        """An empty chunk, and a start at or behind its end, give nothing."""
        assert kernel.cut(b"", 0, 10, b"") == ([], 0)
        assert kernel.cut(SYNC, 5, 10, b"") == ([], 5)

    @pytest.mark.parametrize("length", [0, 3, 11, 2**31, 2**32 - 1])
    def test_a_length_that_cannot_be_stops_it(self, kernel: ModuleType, length: int) -> None:
        """A message that is shorter than its length, or over the limit, begins the rest."""
        assert kernel.cut(SYNC + b"Q" + struct.pack(">I", length) + b"x" * 20, 0, 10, b"") == (
            [(83, 0, 5)],
            5,
        )

    def test_the_limit_is_inclusive(self, kernel: ModuleType) -> None:
        """A message of the limit is found."""
        assert kernel.cut(message(b"Q", b"x" * 6), 0, 10, b"") == ([(81, 0, 11)], 11)


class TestRounds:
    """``plain_round`` and ``plain_reply``: what most chunks are."""

    def test_a_round_is_recognised(self, kernel: ModuleType) -> None:
        """Bind, perhaps Describe, Execute and Sync of the unnamed portal, and nothing else."""
        assert kernel.plain_round(ROUND) == (b"one", True)
        assert kernel.plain_round(BIND + EXECUTE + SYNC) == (b"one", False)

    @pytest.mark.parametrize(
        "chunk",
        [
            b"",
            ROUND[:-1],
            ROUND + SYNC,
            ROUND + b"S",
            BIND + SYNC,
            BIND + DESCRIBE + EXECUTE,
            DESCRIBE + BIND + EXECUTE + SYNC,
            BIND + DESCRIBE + DESCRIBE + EXECUTE + SYNC,
            BIND + message(b"D", b"S\0") + EXECUTE + SYNC,
            BIND + message(b"D", b"Px\0") + EXECUTE + SYNC,
            BIND + message(b"E", b"x\0\0\0\0\0") + SYNC,
            BIND + message(b"E", b"\0\0\0\0") + SYNC,
            BIND + EXECUTE + message(b"S", b"x"),
            message(b"B", bind(b"portal", b"one")) + EXECUTE + SYNC,
            message(b"B", b"\0one") + EXECUTE + SYNC,
            message(b"B", b"") + EXECUTE + SYNC,
            message(b"P", bind(b"", b"one")) + EXECUTE + SYNC,
        ],
    )
    def test_anything_else_is_no_round(self, kernel: ModuleType, chunk: bytes) -> None:
        """Whatever differs goes the long way."""
        assert kernel.plain_round(chunk) is None

    @pytest.mark.parametrize("status", [b"I", b"T", b"E"])
    def test_an_answer_is_recognised(self, kernel: ModuleType, status: bytes) -> None:
        """The answer to a round gives its transaction status, with and without description and rows."""
        assert kernel.plain_reply(REPLY[:-1] + status, True) == status[0]
        bare = message(b"2") + message(b"I") + message(b"Z", status)
        assert kernel.plain_reply(bare, False) == status[0]
        assert kernel.plain_reply(message(b"2") + message(b"n") + bare[5:], True) == status[0]

    @pytest.mark.parametrize(
        ("chunk", "described"),
        [
            (b"", False),
            (REPLY, False),
            (message(b"2") + message(b"C") + message(b"Z", b"I"), True),
            (REPLY[:-1], True),
            (REPLY + b"N", True),
            (REPLY + message(b"N", b"\0"), True),
            (REPLY[:-1] + b"X", True),
            (REPLY[:-6] + message(b"Z", b"II"), True),
            (message(b"2", b"x") + REPLY[5:], True),
            (message(b"1") + REPLY, True),
            (message(b"2") + message(b"E", b"\0") + message(b"Z", b"I"), False),
            (message(b"2") + message(b"s") + message(b"Z", b"I"), False),
            (message(b"2") + message(b"T", b"\0\0") * 2 + message(b"C") + message(b"Z", b"I"), True),
            (message(b"2") + row(b"1") + message(b"T", b"\0\0") + message(b"C") + message(b"Z", b"I"), True),
        ],
    )
    def test_anything_else_is_no_answer(self, kernel: ModuleType, chunk: bytes, described: bool) -> None:
        """Errors, notices, suspended portals and torn chunks go the long way."""
        assert kernel.plain_reply(chunk, described) == 0


class TestSplitBind:
    """``split_bind``: the fields of a Bind."""

    def test_a_bind_comes_apart(self, kernel: ModuleType) -> None:
        """Names, formats and values, NULL among them."""
        body = bind(b"p", b"s", [1, 0, 1], [b"ab", None, b""], [1])
        assert kernel.split_bind(body) == (b"p", b"s", (1, 0, 1), (b"ab", None, b""), (1,))
        assert kernel.split_bind(bind()) == (b"", b"", (), (), ())

    def test_counts_are_unsigned(self, kernel: ModuleType) -> None:
        """65,535 parameters are as many as PostgreSQL takes."""
        assert len(kernel.split_bind(bind(values=[b""] * 65_535))[3]) == 65_535

    def test_no_prefix_is_a_bind(self, kernel: ModuleType) -> None:
        """A body that is cut anywhere, or goes on, is refused."""
        body = bind(b"p", b"s", [1], [b"ab", None], [0, 1])
        assert {kernel.split_bind(body[:end]) for end in range(len(body))} == {None}
        assert kernel.split_bind(body + b"\0") is None

    @pytest.mark.parametrize(
        "body",
        [
            bind(formats=[2], values=[b""]),
            bind(formats=[1, 1], values=[b"", b"", b""]),
            bind(result_formats=[-1 & 0xFFFF]),
            b"\0\0\0\0\0\1\xff\xff\xff\xfe\0\0",
        ],
        ids=["format code", "formats for some", "result format", "negative length"],
    )
    def test_what_the_manual_does_not_allow_is_refused(self, kernel: ModuleType, body: bytes) -> None:
        """Unknown format codes, formats for some parameters only, lengths below -1."""
        assert kernel.split_bind(body) is None


FORMS = [
    ("verbatim", "Zoë".encode(), "Zoë".encode(), "Zoë".encode()),
    ("verbatim", b"", b"", b""),
    ("int2", b"\x80\0", b"\x80\0", b"-32768"),
    ("int4", b"\0\0\0\7", b"\0\0\0\7", b"7"),
    ("int8", b"\xff" * 8, b"\xff" * 8, b"-1"),
    ("int8", b"\x7f" + b"\xff" * 7, b"\x7f" + b"\xff" * 7, b"9223372036854775807"),
    ("bool", b"\1", b"\1", b"t"),
    ("bool", b"\0", b"\0", b"f"),
    ("uuid", bytes(range(16)), bytes(range(16)), b"00010203-0405-0607-0809-0a0b0c0d0e0f"),
    ("bytea", b"\0\xfe", b"\0\xfe", b"\\x00fe"),
]


def opens(kernel: ModuleType, algorithm: str, case: dict[str, Any]) -> bytes:
    """A case of Wycheproof's as a sealed value, opened."""
    parts = {name: bytes.fromhex(case.get(name, "")) for name in ("key", "aad", "iv", "ct", "tag")}
    keys = [(PREFIX, parts["key"], parts["aad"])]
    opener = kernel.Opener(algorithm, keys, form="verbatim", is_text=False, is_hexed=False)
    opened: bytes = opener(PREFIX + parts["iv"] + parts["ct"] + parts["tag"])
    return opened


@pytest.mark.parametrize(
    ("algorithm", "cases"), [("randomized", GCM), ("deterministic", SIV)], ids=["GCM", "SIV"]
)
def test_wycheproof(kernel: ModuleType, algorithm: str, cases: list[dict[str, Any]]) -> None:
    """What is valid opens, and nothing else does."""
    assert len(cases) > 50
    for case in cases:
        if case["result"] == "valid":
            assert opens(kernel, algorithm, case) == bytes.fromhex(case["msg"])
        else:
            with pytest.raises(kernel.Refused):
                opens(kernel, algorithm, case)


@pytest.mark.parametrize("algorithm", ["randomized", "deterministic"])
class TestOpener:
    """``Opener``: one sealed value."""

    @pytest.mark.parametrize("is_hexed", [False, True])
    @pytest.mark.parametrize(("form", "canonical", "binary", "text"), FORMS)
    def test_values_open_in_both_formats(  # noqa: PLR0917  # pytest passes them by name
        self,
        kernel: ModuleType,
        algorithm: str,
        form: str,
        canonical: bytes,
        binary: bytes,
        text: bytes,
        is_hexed: bool,
    ) -> None:
        """As PostgreSQL would send them, whether upstream sent text or binary."""
        value = sealed(algorithm, canonical)
        came = hexed(value) if is_hexed else value
        for is_text, shown in ((True, text), (False, binary)):
            opener = kernel.Opener(
                algorithm, OPENING[algorithm], form=form, is_text=is_text, is_hexed=is_hexed
            )
            assert opener(came) == shown

    def test_older_keys_open(self, kernel: ModuleType, algorithm: str) -> None:
        """The key is the one that the value names."""
        opener = kernel.Opener(algorithm, OPENING[algorithm], form="verbatim", is_text=True, is_hexed=False)
        assert opener(sealed(algorithm, b"a", OLDER)) == b"a"

    def test_every_change_is_refused(self, kernel: ModuleType, algorithm: str) -> None:
        """A value with one bit changed anywhere, cut anywhere or grown does not open."""
        opener = kernel.Opener(algorithm, OPENING[algorithm], form="verbatim", is_text=True, is_hexed=False)
        value = sealed(algorithm, b"value")
        changed = [value[:i] + bytes([value[i] ^ 1]) + value[i + 1 :] for i in range(len(value))]
        for wrong in [*changed, *(value[:i] for i in range(len(value))), value + b"\0"]:
            with pytest.raises(kernel.Refused, match="value"):
                opener(wrong)

    def test_another_context_is_refused(self, kernel: ModuleType, algorithm: str) -> None:
        """A value of another column does not open here."""
        opener = kernel.Opener(
            algorithm,
            [(prefix, key, b"another") for prefix, key in KEYS[algorithm]],
            form="verbatim",
            is_text=True,
            is_hexed=False,
        )
        with pytest.raises(kernel.Refused):
            opener(sealed(algorithm, b"value"))

    def test_what_is_no_hex_is_refused(self, kernel: ModuleType, algorithm: str) -> None:
        """bytea_output is pinned: another form is no sealed value."""
        opener = kernel.Opener(algorithm, OPENING[algorithm], form="verbatim", is_text=True, is_hexed=True)
        value = hexed(sealed(algorithm, b"value"))
        assert opener(value[:2] + value[2:].upper()) == b"value"
        for wrong in (b"", value[2:], b"\\X" + value[2:], value[:-1], value[:-1] + b"g", value + b" "):
            with pytest.raises(kernel.Refused):
                opener(wrong)

    @pytest.mark.parametrize("form", ["int2", "int4", "int8", "bool", "uuid"])
    def test_bytes_that_are_no_value_of_the_type_are_refused(
        self, kernel: ModuleType, algorithm: str, form: str
    ) -> None:
        """What opens may still be of another size than the type has."""
        for is_text in (False, True):
            opener = kernel.Opener(algorithm, OPENING[algorithm], form=form, is_text=is_text, is_hexed=False)
            for size in (0, 3, 17):
                with pytest.raises(kernel.Refused):
                    opener(sealed(algorithm, b"\1" * size))

    def test_padding_is_taken_off(self, kernel: ModuleType, algorithm: str) -> None:
        """One 0x80 and zeros up to the block; another filling is refused."""
        opener = kernel.Opener(
            algorithm, OPENING[algorithm], form="verbatim", is_text=True, is_hexed=False, pad=4
        )
        assert opener(sealed(algorithm, b"ab\x80\0")) == b"ab"
        assert opener(sealed(algorithm, b"\0\0\0\0\x80\0\0\0")) == b"\0" * 4
        for wrong in (b"", b"ab\x80", b"abcd", b"\0\0\0\0", b"\x80" + b"\0" * 7):
            with pytest.raises(kernel.Refused):
                opener(sealed(algorithm, wrong))

    @pytest.mark.parametrize(
        ("keys", "form"),
        [([(PREFIX, b"short", b"")], "verbatim"), ([(b"\1", bytes(32), b"")], "verbatim"), ([], "no")],
    )
    def test_an_opener_that_cannot_be_is_not_made(
        self, kernel: ModuleType, algorithm: str, keys: list[tuple[bytes, bytes, bytes]], form: str
    ) -> None:
        """Keys and prefixes have one size, and forms have names."""
        with pytest.raises(ValueError, match="no such"):
            kernel.Opener(algorithm, keys, form=form, is_text=True, is_hexed=False)


ADDRESS = b"anna.berg@mail.example.com"
DIGEST = hmac.digest(bytes(32), b"\xff", "sha256").hex().encode()
MASKED: list[tuple[dict[str, Any], bytes, bytes | None]] = [
    ({"kind": "null"}, b"any", None),
    ({"kind": "fixed", "text": b"***"}, b"\xff is not looked at", b"***"),
    ({"kind": "fixed"}, b"any", b""),
    ({"kind": "first", "shown": 2, "text": b"**"}, "äöü☃".encode(), "äö**".encode()),
    ({"kind": "first", "shown": 2, "text": b"**"}, b"abc", b"**"),
    ({"kind": "first", "shown": 1, "text": b""}, b"", b""),
    ({"kind": "last", "shown": 2, "text": b"**"}, "äöü☃".encode(), "**ü☃".encode()),
    ({"kind": "last", "shown": 4, "text": b"****"}, b"1234567", b"****"),
    ({"kind": "last", "shown": 4, "text": b"****"}, b"12345678", b"****5678"),
    ({"kind": "email", "text": b"***"}, ADDRESS, b"a***@mail.example.com"),
    ({"kind": "email", "text": b"***"}, "☃x@b.de".encode(), "☃***@b.de".encode()),
    ({"kind": "email", "text": b"***"}, b"a@b.de", b"***@b.de"),
    ({"kind": "email", "text": b"***"}, "☃@b.de".encode(), b"***@b.de"),
    ({"kind": "email", "text": b"***"}, b"a@x@b.de", b"a***@b.de"),
    ({"kind": "email", "text": b"***", "limit": 7}, b"ab@b.de", b"a*@b.de"),
    ({"kind": "email", "text": b"***", "limit": 6}, b"a@b.de", b"*@b.de"),
    ({"kind": "email", "text": b"***", "limit": 5}, b"a@b.de", b"***"),
    ({"kind": "email", "text": b"***", "limit": 6}, b"ab@b.de", b"***"),
    ({"kind": "email", "text": b"***"}, b"x" * 64 + b"@b.de", b"x***@b.de"),
    ({"kind": "email", "text": b"***"}, b"x" * 65 + b"@b.de", b"***"),
    ({"kind": "email", "text": b"***"}, b"xy@" + b"d" * 252 + b".de", b"x***@" + b"d" * 252 + b".de"),
    ({"kind": "email", "text": b"***"}, b"xy@" + b"d" * 253 + b".de", b"***"),
    *(
        ({"kind": "email", "text": b"***"}, other, b"***")
        for other in (
            b"", b"anna", b"anna@", b"@b.de", b"anna@localhost", b"an na@b.de", b"an\nna@b.de", b"anna@b..de",
            b"anna@.b.de", b"anna@b.de.", b"anna@b.de\n", b"anna@b.de my secret", b"my secret is @b.de",
            "anna@bücher.de".encode(), b"anna@b_c.de", b"anna@[10.0.0.1]", b"an\x7fna@b.de",
        )
    ),
    ({"kind": "card", "text": b"*"}, b"4111 1111-11111234", b"*1234"),
    ({"kind": "card", "text": b"*"}, b"411111111111", b"*1111"),
    ({"kind": "card", "text": b"*"}, b"4" * 19, b"*4444"),
    *(
        ({"kind": "card", "text": b"*"}, other, b"*")
        for other in (b"", b"1" * 11, b"1" * 20, b"411111111111123x", b"4111.1111.1111.1111", b"- -")
    ),
    ({"kind": "hash", "shown": 8, "key": b"\x0b" * 32}, b"Hi There", b"198a607e"),
    ({"kind": "hash", "shown": 64, "key": bytes(32)}, b"\xff", DIGEST),
]  # fmt: skip


class TestMask:
    """``Mask``: what stands of a value where a client may not see it."""

    @pytest.mark.parametrize(("made", "value", "shown"), MASKED)
    def test_values_are_masked(
        self, kernel: ModuleType, made: dict[str, Any], value: bytes, shown: bytes | None
    ) -> None:
        """By itself, in rows, and behind an opener; NULL stays NULL."""
        mask = kernel.Mask(**made)
        assert mask(value) == shown
        assert mask.reads is (made["kind"] not in {"null", "fixed"})
        assert kernel.Rows([None, mask]).open(row(b"1", value) + row(None, None)) == row(b"1", shown) + row(
            None, None
        )
        for algorithm in KEYS:
            opener = kernel.Opener(
                algorithm, OPENING[algorithm], form="verbatim", is_text=True, is_hexed=False, mask=mask
            )
            stored = sealed(algorithm, value)
            assert opener(stored) == shown
            assert kernel.Rows([opener]).open(row(stored) * 1000) == row(shown) * 1000

    @pytest.mark.parametrize("kind", ["first", "last", "email", "card"])
    @pytest.mark.parametrize("value", [b"\xff", b"abc\xc3", b"\xed\xa0\x80@b.de", b"41111111\xf5"])
    def test_what_is_no_utf8_is_refused(self, kernel: ModuleType, kind: str, value: bytes) -> None:
        """No character of it can be told from another."""
        with pytest.raises(kernel.Refused, match="value"):
            kernel.Mask(kind, text=b"*", shown=1)(value)

    @pytest.mark.parametrize(
        "made",
        [
            {"kind": "other"}, {"kind": ""}, {"kind": "first"}, {"kind": "last"},
            {"kind": "hash", "shown": 8}, {"kind": "hash", "shown": 8, "key": b"short"},
            {"kind": "hash", "shown": 8, "key": bytes(33)},
            {"kind": "hash", "shown": 65, "key": bytes(32)}, {"kind": "hash", "key": bytes(32)},
        ],
    )  # fmt: skip
    def test_what_is_no_mask_is_not_made(self, kernel: ModuleType, made: dict[str, Any]) -> None:
        """A hash has a key, and of one size only; what is shown is a number."""
        with pytest.raises(ValueError, match="no such mask"):
            kernel.Mask(**made)

    def test_only_text_is_read_behind_an_opener(self, kernel: ModuleType) -> None:
        """The octets of a number are no characters; what looks at no value stands behind any."""
        made = {"algorithm": "randomized", "keys": OPENING["randomized"], "is_text": True, "is_hexed": False}
        with pytest.raises(ValueError, match="no such"):
            kernel.Opener(**made, form="int4", mask=kernel.Mask("card"))
        opener = kernel.Opener(**made, form="int4", mask=kernel.Mask("fixed", text=b"0"))
        assert opener(sealed("randomized", b"\0\0\0\7")) == b"0"

    def test_a_value_that_does_not_open_is_refused(self, kernel: ModuleType) -> None:
        """Whatever would stand in its place."""
        for kind in ("null", "fixed", "email"):
            opener = kernel.Opener(
                "randomized",
                OPENING["randomized"],
                form="verbatim",
                is_text=True,
                is_hexed=False,
                mask=kernel.Mask(kind),
            )
            with pytest.raises(kernel.Refused):
                opener(sealed("randomized", b"value")[:-1] + b"x")

    def test_a_callable_may_give_null(self, kernel: ModuleType) -> None:
        """None in place of a value is NULL, and the framing of all others is right."""
        rows = kernel.Rows([bytes.upper, lambda _value: None, None])
        assert rows.open(row(b"a", b"bcd", b"e") * 2) == row(b"A", None, b"e") * 2


class TestRows:
    """``Rows``: whole chunks of DataRow messages."""

    def rows(self, kernel: ModuleType) -> python.Rows:
        opener = kernel.Opener(
            "randomized", OPENING["randomized"], form="verbatim", is_text=True, is_hexed=False
        )
        made: python.Rows = kernel.Rows([None, opener, None, bytes.upper, None])
        return made

    def test_rows_come_out_opened(self, kernel: ModuleType) -> None:
        """Protected values are opened, others copied, NULLs kept; callables open what the kernel does not."""
        secret = sealed("randomized", b"secret")
        chunk = row(b"1", secret, None, b"abc", b"") + row(None, None, b"x", None, None)
        opened = self.rows(kernel).open(chunk * 1000)
        assert opened == (row(b"1", b"secret", None, b"ABC", b"") + row(None, None, b"x", None, None)) * 1000

    def test_nothing_in_nothing_out(self, kernel: ModuleType) -> None:
        """An empty chunk is no rows; a row of no columns is a row."""
        assert kernel.Rows([]).open(b"") == b""
        assert kernel.Rows([]).open(row() + row()) == row() + row()

    def test_what_a_callable_raises_goes_to_the_caller(self, kernel: ModuleType) -> None:
        """With its own type."""

        def fails(_value: bytes) -> bytes:
            raise KeyError("of its own")

        with pytest.raises(KeyError, match="of its own"):
            kernel.Rows([fails]).open(row(b"a"))

    def test_a_column_is_an_opener(self, kernel: ModuleType) -> None:
        """Or a callable, or None."""
        with pytest.raises(ValueError, match="a column is"):
            kernel.Rows([1])

    def test_every_prefix_is_refused(self, kernel: ModuleType) -> None:
        """A row that is cut anywhere is not as described."""
        chunk = row(b"1", None, b"x", b"abc", b"y")
        for end in range(1, len(chunk)):
            with pytest.raises(kernel.Refused, match="framing"):
                kernel.Rows([None, None, None, bytes.upper, None]).open(chunk[:end])

    @pytest.mark.parametrize(
        "chunk",
        [
            row(b"a"),
            row(b"a", b"b", b"c"),
            b"C" + row(b"a", b"b")[1:],
            message(b"D", struct.pack(">Hii", 2, 100, 0)),
            message(b"D", struct.pack(">Hi", 2, 0)),
            row(b"a", b"b")[:7] + struct.pack(">i", 2**31 - 1) + b"ab",
            b"D\0\0\0\0\0\2",
        ],
        ids=["fewer", "more", "kind", "value too long", "value missing", "huge", "length"],
    )
    def test_a_row_that_is_not_as_described_is_refused(self, kernel: ModuleType, chunk: bytes) -> None:
        """Nothing of its chunk goes out."""
        with pytest.raises(kernel.Refused, match="framing"):
            kernel.Rows([None, bytes]).open(row(b"a", b"b") + chunk)

    def test_one_wrong_value_refuses_the_chunk(self, kernel: ModuleType) -> None:
        """However many are right."""
        secret = sealed("randomized", b"secret")
        chunk = row(b"1", secret, None, None, None) + row(b"1", secret[:-1] + b"x", None, None, None)
        with pytest.raises(kernel.Refused, match="value"):
            self.rows(kernel).open(chunk)


class TestAnswer:
    """``Answer``: what comes back of an ordinary round, whole."""

    DESCRIPTION = message(b"T", b"\0\0")
    SHOWN = message(b"T", b"\0\1")

    def test_the_rows_are_opened_and_the_description_is_replaced(self, kernel: ModuleType) -> None:
        """All else stays as it came."""
        value = sealed("randomized", b"abc")
        opener = kernel.Opener(
            "randomized", OPENING["randomized"], form="verbatim", is_text=True, is_hexed=False
        )
        answer = kernel.Answer(kernel.Rows([None, opener]), self.DESCRIPTION, self.SHOWN)
        end = message(b"C", b"SELECT 2\0") + message(b"Z", b"T")
        came = message(b"2") + self.DESCRIPTION + row(b"1", value) + row(None, None) + end
        shown = message(b"2") + self.SHOWN + row(b"1", b"abc") + row(None, None) + end
        assert answer.open(came) == (ord("T"), shown)

    def test_without_an_opener_rows_pass(self, kernel: ModuleType) -> None:
        """Of a statement that opens nothing."""
        answer = kernel.Answer(None, self.DESCRIPTION, self.SHOWN)
        assert answer.open(REPLY) == (ord("I"), REPLY.replace(self.DESCRIPTION, self.SHOWN))

    def test_without_a_description_none_may_come(self, kernel: ModuleType) -> None:
        """The round did not ask for one."""
        bare = REPLY.replace(self.DESCRIPTION, b"")
        answer = kernel.Answer(None, b"", b"")
        assert answer.open(bare) == (ord("I"), bare)
        assert answer.open(REPLY) is None

    @pytest.mark.parametrize(
        "chunk",
        [
            b"",
            REPLY[:-1],
            REPLY + message(b"Z", b"I"),
            REPLY[5:],
            REPLY.replace(b"T\0\0\0\6\0\0", b"T\0\0\0\6\0\1"),
            REPLY.replace(b"Z\0\0\0\5I", b"Z\0\0\0\5?"),
            REPLY.replace(b"C", b"s"),
            REPLY.replace(b"C\0", b"N\0\0\0\5\0C\0"),
        ],
    )
    def test_anything_else_is_no_such_answer(self, kernel: ModuleType, chunk: bytes) -> None:
        """Then the caller goes the long way."""
        assert kernel.Answer(None, self.DESCRIPTION, self.SHOWN).open(chunk) is None

    def test_a_value_that_does_not_open_refuses_it(self, kernel: ModuleType) -> None:
        """As ``Rows`` does."""
        opener = kernel.Opener(
            "randomized", OPENING["randomized"], form="verbatim", is_text=True, is_hexed=False
        )
        with pytest.raises(kernel.Refused):
            kernel.Answer(kernel.Rows([opener]), self.DESCRIPTION, self.SHOWN).open(REPLY)
