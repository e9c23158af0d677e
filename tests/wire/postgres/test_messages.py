"""Messages: what is parsed is what was written, and nothing else is accepted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import MalformedMessage
from strongroom.wire.postgres import messages as m

HEADER = 5
STARTUP_HEADER = 4

EXAMPLES: list[Any] = [
    m.Query("SELECT 1"),
    m.Parse("s", "SELECT $1", (25,)),
    m.Bind("p", "s", (1,), (b"x", None), (0, 1)),
    m.Execute("p", 5),
    m.RowDescription((m.Field("a", 16384, 1, 25, -1, -1, 0),)),
    m.ParameterDescription((25, 4294967295)),
    m.ParameterStatus("TimeZone", "Europe/Zürich"),
    m.BackendKeyData(4294967295, b"k" * 256),
    m.NegotiateProtocolVersion(m.PROTOCOL_3_2, ("_pq_.x",)),
    m.ErrorResponse.of("ERROR", "42601", "no", detail="d", hint="h"),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
def test_what_is_written_is_what_is_parsed(example: Any) -> None:
    """Each message survives serialise and parse."""
    assert type(example).parse(example.serialise()[HEADER:]) == example


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
def test_every_truncation_is_refused(example: Any) -> None:
    """No prefix of a body is taken for a message, except where the last field has no length of its own."""
    body = example.serialise()[HEADER:]
    for end in range(len(body)):
        if isinstance(example, m.BackendKeyData) and end >= 8:
            continue
        with pytest.raises(MalformedMessage):
            type(example).parse(body[:end])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
def test_trailing_octets_are_refused(example: Any) -> None:
    """Octets behind the last field are an error, not ignored."""
    with pytest.raises(MalformedMessage):
        type(example).parse(example.serialise()[HEADER:] + b"\0")


@given(st.binary(max_size=60), st.sampled_from([type(example) for example in EXAMPLES] + [m.Target]))
def test_random_octets_raise_only_malformed_message(body: bytes, kind: Any) -> None:
    """Whatever comes, a parser gives a message or `MalformedMessage`."""
    try:
        kind.parse(body)
    except MalformedMessage:
        return


def test_startup_message() -> None:
    """A StartupMessage has no type byte, and its parameters keep their order."""
    startup = m.StartupMessage(m.PROTOCOL_3_0, {"user": "app", "database": "shop"})
    octets = startup.serialise()
    assert int.from_bytes(octets[:4]) == len(octets)
    assert m.StartupMessage.parse(octets[STARTUP_HEADER:]) == startup


def test_a_start_up_parameter_given_twice_is_refused() -> None:
    """Two values for `user` are ambiguous: two readers could take different ones."""
    body = m.StartupMessage(m.PROTOCOL_3_0, {"user": "a"}).serialise()[STARTUP_HEADER:-1]
    with pytest.raises(MalformedMessage):
        m.StartupMessage.parse(body + b"user\0b\0\0")


@pytest.mark.parametrize("size", [4, 32, 256])
def test_cancel_keys_of_any_length(size: int) -> None:
    """Protocol 3.2 has keys of up to 256 octets."""
    request = m.CancelRequest(77, b"k" * size)
    assert m.CancelRequest.parse(request.serialise()[STARTUP_HEADER:]) == request


@pytest.mark.parametrize("size", [0, 3, 257])
def test_cancel_keys_outside_the_manual_are_refused(size: int) -> None:
    """A key shorter than 3.0's or longer than 3.2's is malformed."""
    with pytest.raises(MalformedMessage):
        m.CancelRequest.parse(m.CancelRequest(77, b"k" * size).serialise()[STARTUP_HEADER:])


def test_bind_knows_the_format_of_each_parameter() -> None:
    """No code means text, one stands for all, several go one to one."""
    values = (b"a", b"b")
    assert m.Bind("", "", (), values).format(1) == m.TEXT
    assert m.Bind("", "", (1,), values).format(1) == m.BINARY
    assert m.Bind("", "", (1, 0), values).format(1) == m.TEXT


def test_bind_with_formats_for_other_parameters_is_refused() -> None:
    """Two codes for three values cannot be matched."""
    with pytest.raises(MalformedMessage):
        m.Bind.parse(m.Bind("", "", (1, 0), (b"a", b"b", b"c")).serialise()[HEADER:])


def test_a_string_cannot_smuggle_a_zero() -> None:
    """A zero octet inside a string would end it early on the other side."""
    with pytest.raises(MalformedMessage):
        m.Query("SELECT 1\0; DROP").serialise()
