"""The twins against each other, on bytes that nobody thought of; what one refuses, the other refuses."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests._kernel.chunks import (
    ASSOCIATED,
    KEYS,
    OPENING,
    PREFIX,
    bind,
    hexed,
    message,
    row,
    sealed,
    unsealed,
)

from strongroom import _kernel
from strongroom._kernel import python

pytest.importorskip("strongroom_kernel", reason="the native kernel is not installed: `make kernel` builds it")
NATIVE = _kernel.choose("native")
EXAMPLES = settings(max_examples=300, deadline=None)

octets = st.binary(max_size=40)
names = st.sampled_from([b"", b"one", b"p"])
codes = st.lists(st.sampled_from([0, 1, 1, 2]), max_size=3)
values = st.lists(st.none() | octets, max_size=4)
binds = st.builds(bind, names, names, codes, values, codes)
messages = st.builds(message, st.sampled_from([bytes([tag]) for tag in b"BDESPCZT2nIdNs"]), octets)
client_messages = st.one_of(
    st.builds(lambda body: message(b"B", body), binds),
    st.sampled_from([message(b"D", b"P\0"), message(b"E", b"\0\0\0\0\0"), message(b"S")]),
    messages,
)
upstream_messages = st.one_of(
    st.sampled_from([message(b"2"), message(b"T", b"\0\0"), message(b"C", b"X\0"), message(b"Z", b"I")]),
    st.builds(lambda one: row(*one), values),
    messages,
)
rounds = st.one_of(
    st.builds(
        lambda body, described, tail: (
            message(b"B", b"\0" + body)
            + (message(b"D", b"P\0") if described else b"")
            + message(b"E", b"\0\0\0\0\0")
            + message(b"S")
            + tail
        ),
        octets,
        st.booleans(),
        st.sampled_from([b"", b"", b"", b"S"]),
    ),
    st.lists(client_messages, max_size=5).map(b"".join),
)
replies = st.one_of(
    st.builds(
        lambda described, rows, end, status: (
            message(b"2")
            + described
            + b"".join(row(*one) for one in rows)
            + message(end, b"X\0")
            + message(b"Z", status)
        ),
        st.sampled_from([b"", message(b"n"), message(b"T", b"\0\0")]),
        st.lists(values, max_size=3),
        st.sampled_from([b"C", b"I", b"s"]),
        st.sampled_from([b"I", b"T", b"E", b"?"]),
    ),
    st.lists(upstream_messages, max_size=6).map(b"".join),
)


@st.composite
def damaged(draw: st.DrawFn, source: st.SearchStrategy[bytes]) -> bytes:
    """Bytes of the source, one of them changed or some cut off, or not."""
    data = draw(source)
    if data and draw(st.booleans()):
        at = draw(st.integers(0, len(data) - 1))
        data = data[:at] + draw(st.sampled_from([b"", bytes([draw(st.integers(0, 255))]) + data[at + 1 :]]))
    return data


def both(call: str, *arguments: object) -> tuple[object, object]:
    """What each of the twins says."""
    return getattr(NATIVE, call)(*arguments), getattr(python, call)(*arguments)


@EXAMPLES
@given(damaged(rounds | replies), st.integers(0, 20), st.integers(0, 60), st.sampled_from([b"", b"D", b"Dd"]))
def test_cut(data: bytes, start: int, limit: int, runs: bytes) -> None:
    """The same spans and the same rest."""
    native, readable = both("cut", data, min(start, len(data)), limit, runs)
    assert native == readable


@EXAMPLES
@given(damaged(rounds))
def test_plain_round(chunk: bytes) -> None:
    """The same rounds are recognised."""
    native, readable = both("plain_round", chunk)
    assert native == readable


@EXAMPLES
@given(damaged(replies), st.booleans())
def test_plain_reply(chunk: bytes, described: bool) -> None:
    """The same answers are recognised."""
    native, readable = both("plain_reply", chunk, described)
    assert native == readable


@EXAMPLES
@given(damaged(replies), st.sampled_from([b"", message(b"n"), message(b"T", b"\0\0")]))
def test_answer(chunk: bytes, described: bytes) -> None:
    """The same answers come apart."""
    native = NATIVE.Answer(None, described, b"shown").open(chunk)
    assert native == python.Answer(None, described, b"shown").open(chunk)


@EXAMPLES
@given(damaged(binds))
def test_split_bind(body: bytes) -> None:
    """The same fields, or none."""
    native, readable = both("split_bind", body)
    assert native == readable


canonical = octets | st.sampled_from([b"\0" * 2, b"\xff" * 4, b"\x80" + b"\0" * 7, b"\1", bytes(16)])


@EXAMPLES
@given(
    st.sampled_from(list(KEYS)),
    st.sampled_from(["verbatim", "int2", "int4", "int8", "bool", "uuid", "bytea"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 0, 4]),
    st.data(),
)
def test_rows(  # noqa: PLR0917  # hypothesis passes them
    algorithm: str, form: str, is_text: bool, is_hexed: bool, pad: int, data: st.DataObject
) -> None:
    """The same rows come out, or the same refusal."""

    def made(text: bytes) -> bytes:
        filled = text + b"\x80" + b"\0" * (-(len(text) + 1) % pad) if pad else text
        value = sealed(algorithm, filled, PREFIX)
        return hexed(value) if is_hexed else value

    protected = st.none() | damaged(canonical.map(made))
    columns = st.tuples(st.none() | octets, protected, octets, st.none() | octets, octets)
    rows = st.lists(columns.map(lambda one: row(*one)), max_size=3).map(b"".join)
    chunk = data.draw(damaged(rows) if data.draw(st.booleans()) else rows)

    def outcome(twin: ModuleType) -> object:
        opener = twin.Opener(
            algorithm, OPENING[algorithm], form=form, is_text=is_text, is_hexed=is_hexed, pad=pad
        )
        try:
            return twin.Rows([None, opener, None, bytes.upper, None]).open(chunk)
        except twin.Refused as refused:
            return "refused", str(refused)

    assert outcome(NATIVE) == outcome(python)


masks = st.fixed_dictionaries(
    {"kind": st.sampled_from(["null", "fixed", "first", "last", "email", "card", "hash", "other"])},
    optional={
        "text": st.sampled_from([b"", b"*", b"***"]),
        "shown": st.integers(0, 5) | st.just(64),
        "limit": st.integers(0, 12),
        "key": st.sampled_from([bytes(32), bytes(31)]),
    },
)
texts = (
    st.text("aß☃😀 .-_@@1", max_size=16).map(str.encode)
    | st.from_regex(rb"[a-c]{0,3}@?[a-z]{1,3}\.[a-z-]{0,3}", fullmatch=True)
    | st.text("0123 -", max_size=24).map(str.encode)
    | octets
)


@EXAMPLES
@given(masks, damaged(texts))
def test_mask(made: dict[str, Any], value: bytes) -> None:
    """The same mask or none, and the same octets, NULL or refusal, by itself and in a row."""

    def outcome(twin: ModuleType) -> object:
        try:
            mask = twin.Mask(**made)
        except ValueError as error:
            return str(error)
        opener = twin.Opener(
            "deterministic",
            OPENING["deterministic"],
            form="verbatim",
            is_text=True,
            is_hexed=False,
            mask=mask,
        )
        chunk = row(value, sealed("deterministic", value), b"x")
        return result(lambda: (mask.reads, mask(value), twin.Rows([mask, opener, None]).open(chunk)), twin)

    assert outcome(NATIVE) == outcome(python)


def result(call: Callable[[], object], twin: ModuleType) -> object:
    """What a twin gives, or that it refuses."""
    try:
        return call()
    except twin.Refused:
        return "refused"


FORMS = ["verbatim", "int2", "int4", "int8", "bool", "uuid", "bytea"]
inputs = (
    st.text("0123456789-+. abcdefxtrue\\{}é", max_size=40).map(str.encode)
    | st.sampled_from([b"00010203-0405-0607-0809-0A0b0c0d0e0f", b"\\x00ff", b"yes", b"-9223372036854775808"])
    | st.integers(-(2**64), 2**64).map(lambda number: b"%d" % number)
    | octets
)


@EXAMPLES
@given(st.sampled_from(FORMS), st.booleans(), st.sampled_from([0, 3, 5]), st.sampled_from([0, 4]), inputs)
def test_sealer(form: str, is_text: bool, limit: int, pad: int, value: bytes) -> None:
    """The same bytes where they are the same each time, and the same plaintext elsewhere."""
    if form != "verbatim":
        limit = 0

    def outcome(twin: ModuleType, algorithm: str) -> object:
        sealer = twin.Sealer(
            algorithm, KEYS[algorithm][-1], ASSOCIATED, form=form, is_text=is_text, limit=limit, pad=pad
        )
        return result(lambda: sealer(value), twin)

    assert outcome(NATIVE, "deterministic") == outcome(python, "deterministic")
    stored = outcome(NATIVE, "randomized")
    if isinstance(stored, bytes):
        deterministic = outcome(NATIVE, "deterministic")
        assert isinstance(deterministic, bytes)
        assert unsealed("randomized", stored) == unsealed("deterministic", deterministic)


@st.composite
def blocks(draw: st.DrawFn, quote: bytes) -> bytes:
    """Lines of three fields more often than not, of the octets that matter."""
    special = "a1,|\t\\.Nx\r\n" + quote.decode()
    plain = st.text("abNx01é", max_size=4)
    wrapped = plain.map(lambda text: f'"{text},\n"' if quote else f"{text}\\,\\t\\101")
    field = plain | wrapped | st.just("\\N") | st.text(special, max_size=4)
    line = st.lists(field, min_size=3, max_size=3) | st.lists(field, max_size=4)
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return "".join(",".join(one) + end for one in draw(st.lists(line, max_size=5))).encode()


@EXAMPLES
@given(st.sampled_from([b"", b'"']), st.sampled_from([b"\n", b"\r\n"]), st.data())
def test_lines(quote: bytes, end: bytes, data: st.DataObject) -> None:
    """The same lines, or a refusal by both."""
    block = data.draw(damaged(blocks(quote)) | st.text(',"\\.\r\na', max_size=12).map(str.encode))

    def outcome(twin: ModuleType) -> object:
        seal = twin.Sealer(
            "deterministic", KEYS["deterministic"][-1], ASSOCIATED, form="verbatim", is_text=True
        )
        lines = twin.Lines([None, seal, bytes.upper], delimiter=b",", null=b"\\N", quote=quote)
        return result(lambda: lines.seal(block, end), twin)

    assert outcome(NATIVE) == outcome(python)


tuples = st.lists(
    st.lists(st.none() | octets, max_size=4) | st.lists(octets, min_size=2, max_size=2), max_size=4
)


@EXAMPLES
@given(damaged(tuples.map(lambda rows: b"".join(row(*one)[5:] for one in rows))), st.integers(0, 9))
def test_tuples(data: bytes, start: int) -> None:
    """The same tuples and the same rest, or a refusal by both."""

    def outcome(twin: ModuleType) -> object:
        return result(lambda: twin.Tuples([None, bytes.upper]).seal(data, min(start, len(data))), twin)

    assert outcome(NATIVE) == outcome(python)


series = st.lists(
    st.builds(
        lambda values, after: message(b"B", bind(b"", b"s", [1], values)) + after,
        st.lists(st.none() | st.sampled_from([b"a", b"", b"\xff"]), min_size=2, max_size=2) | values,
        st.sampled_from([message(b"E", b"\0\0\0\0\0")] * 5 + [message(b"S")]),
    ),
    max_size=5,
)


@EXAMPLES
@given(damaged(series.map(b"".join)), st.integers(0, 3))
def test_series(data: bytes, start: int) -> None:
    """The same rounds, the same end and the same counts."""

    def outcome(twin: ModuleType) -> object:
        seal = twin.Sealer(
            "deterministic", KEYS["deterministic"][-1], ASSOCIATED, form="verbatim", is_text=True
        )
        made = twin.Series(
            (b"\0s\0\0\1\0\1", b"\0\0"),
            (b"\0s\0\0\0", b"\0\0"),
            after=message(b"E", b"\0\0\0\0\0"),
            count=2,
            columns=[(1, seal), (0, None), (0, bytes.upper)],
        )
        return made.seal(data, min(start, len(data)))

    assert outcome(NATIVE) == outcome(python)


answers = st.lists(
    st.sampled_from([message(b"2"), message(b"n"), message(b"C", b"X\0"), message(b"N", b"\0")]), max_size=8
)


@EXAMPLES
@given(
    damaged(answers.map(b"".join) | st.just((message(b"2") + message(b"n") + message(b"C")) * 3)),
    st.booleans(),
    st.integers(0, 4),
)
def test_plain_answers(data: bytes, described: bool, most: int) -> None:
    """The same number of rounds, and the same end."""
    native, readable = both("plain_answers", data, 0, described, most)
    assert native == readable
