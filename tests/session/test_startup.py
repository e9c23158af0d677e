"""The first packet: whole, byte by byte, with more behind it, too long, too short."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import ClientError, MalformedMessage, StartupPacketTooLarge, UnsupportedProtocol
from strongroom.session.startup import Encryption, first_packet, negotiate
from strongroom.wire.postgres.messages import (
    CANCEL_REQUEST,
    GSSENC_REQUEST,
    PROTOCOL_3_0,
    PROTOCOL_3_2,
    SSL_REQUEST,
    CancelRequest,
    NegotiateProtocolVersion,
    StartupMessage,
)
from strongroom.wire.postgres.reader import int32

LIMIT = 10_000
STARTUP = StartupMessage(PROTOCOL_3_0, {"user": "app", "database": "shop", "application_name": "psql"})
CANCEL = CancelRequest(4711, b"k" * 32)


@pytest.mark.parametrize("packet", [STARTUP, CANCEL, CancelRequest(0xFFFFFFFF, b"four")])
def test_a_packet_is_found_once_it_is_whole(packet: StartupMessage | CancelRequest) -> None:
    """Whatever is missing of it, more must come; what stands behind it does not matter."""
    octets = packet.serialise()
    for end in range(len(octets)):
        assert first_packet(octets[:end], LIMIT) is None
    assert first_packet(octets, LIMIT) == (packet, len(octets))
    assert first_packet(octets + b"more", LIMIT) == (packet, len(octets))


@pytest.mark.parametrize(
    ("code", "request_"), [(SSL_REQUEST, Encryption.TLS), (GSSENC_REQUEST, Encryption.GSSAPI)]
)
def test_requests_for_encryption(code: int, request_: Encryption) -> None:
    """Each has eight octets, no more and no less."""
    octets = int32(8) + int32(code)
    assert first_packet(octets[:7], LIMIT) is None
    assert first_packet(octets, LIMIT) == (request_, 8)
    with pytest.raises(MalformedMessage):
        first_packet(int32(9) + int32(code) + b"x", LIMIT)


@pytest.mark.parametrize("length", [-1, 0, 4, 7])
def test_a_length_that_cannot_be_is_refused(length: int) -> None:
    """A length that leaves no room for length and code is malformed; a negative one is far too long."""
    with pytest.raises((MalformedMessage, StartupPacketTooLarge)):
        first_packet(int32(length) + int32(PROTOCOL_3_0), LIMIT)


def test_the_limit_is_inclusive_and_holds_before_the_octets_come() -> None:
    """The length in the header decides, so that nothing is buffered for a packet that is too long."""
    octets = STARTUP.serialise()
    assert first_packet(octets, len(octets)) is not None
    with pytest.raises(StartupPacketTooLarge) as caught:
        first_packet(octets[:8], len(octets) - 1)
    assert "startup_packet_bytes" in caught.value.hint


@pytest.mark.parametrize(
    "body",
    [
        b"user\0app\0",
        b"user\0app",
        b"user\0",
        b"user\0app\0user\0root\0\0",
        b"user\0\xff\0\0",
        b"\0\0",
        b"",
    ],
)
def test_malformed_parameters(body: bytes) -> None:
    """Parameters are pairs of strings, each name once, ended by an empty name."""
    octets = int32(8 + len(body)) + int32(PROTOCOL_3_0) + body
    with pytest.raises(MalformedMessage):
        first_packet(octets, LIMIT)


@pytest.mark.parametrize("key", [b"", b"abc", b"x" * 257])
def test_a_cancel_key_of_a_length_that_does_not_exist(key: bytes) -> None:
    """Keys have 4 to 256 octets."""
    octets = int32(12 + len(key)) + int32(CANCEL_REQUEST) + int32(1) + key
    with pytest.raises(MalformedMessage):
        first_packet(octets, LIMIT)


@given(st.binary(max_size=100))
def test_noise_raises_nothing_but_our_own_errors(noise: bytes) -> None:
    """Whatever comes, it is a packet, too short for one, or the client's error."""
    with contextlib.suppress(ClientError):
        found = first_packet(noise, LIMIT)
        assert found is None or 8 <= found[1] <= len(noise)


@pytest.mark.parametrize(
    ("asked", "spoken", "told"),
    [
        (PROTOCOL_3_0, PROTOCOL_3_0, False),
        (PROTOCOL_3_0 + 1, PROTOCOL_3_0 + 1, False),
        (PROTOCOL_3_2, PROTOCOL_3_2, False),
        (PROTOCOL_3_2 + 1, PROTOCOL_3_2, True),
        (PROTOCOL_3_0 + 9999, PROTOCOL_3_2, True),
    ],
)
def test_the_highest_common_minor_version_is_spoken(asked: int, spoken: int, told: bool) -> None:
    """A client that asks for more than 3.2 is told what is spoken; libpq 18 asks for 3.9999 to see that."""
    version, answer = negotiate(StartupMessage(asked, {"user": "app"}))
    assert version == spoken
    assert answer == (NegotiateProtocolVersion(spoken).serialise() if told else b"")


def test_unknown_protocol_options_are_named() -> None:
    """Parameters that ask for extensions are given back, other unknown ones are PostgreSQL's to judge."""
    asked = StartupMessage(PROTOCOL_3_2, {"user": "app", "_pq_.wings": "1", "colour": "red", "_pq_.x": ""})
    version, answer = negotiate(asked)
    assert answer == NegotiateProtocolVersion(version, ("_pq_.wings", "_pq_.x")).serialise()


@pytest.mark.parametrize("version", [2 << 16, 4 << 16, 0, (1234 << 16) | 1])
def test_another_major_version_is_refused(version: int) -> None:
    """Only version 3 is spoken."""
    with pytest.raises(UnsupportedProtocol):
        negotiate(StartupMessage(version, {"user": "app"}))
