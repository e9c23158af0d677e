"""What a fresh socket may say first, over a real socket pair."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator

import pytest
import uvloop

from strongroom.errors import ClientError, MalformedMessage, StartupPacketTooLarge
from strongroom.gateway.preamble import Preamble, read_preamble
from strongroom.wire.postgres.messages import (
    GSSENC_REQUEST,
    PROTOCOL_3_0,
    SSL_REQUEST,
    CancelRequest,
    StartupMessage,
)
from strongroom.wire.postgres.reader import int32

SSL = int32(8) + int32(SSL_REQUEST)
GSS = int32(8) + int32(GSSENC_REQUEST)
STARTUP = StartupMessage(PROTOCOL_3_0, {"user": "app"}).serialise()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection: the client's, and the one that the gateway accepted."""
    client, accepted = socket.socketpair()
    accepted.setblocking(False)
    client.settimeout(10)
    with client, accepted:
        yield client, accepted


Pair = tuple[socket.socket, socket.socket]


async def read(sock: socket.socket, *, tls: bool = True, limit: int = 10_000) -> Preamble | None:
    async with asyncio.timeout(10):
        return await read_preamble(sock, tls_offered=tls, limit=limit)


def run(sock: socket.socket, *, tls: bool = True, limit: int = 10_000) -> Preamble | None:
    return uvloop.run(read(sock, tls=tls, limit=limit))


def test_a_start_up_packet_in_the_clear(pair: Pair) -> None:
    """Only its first eight octets are taken, and they are handed on."""
    client, accepted = pair
    client.sendall(STARTUP)
    assert run(accepted) == Preamble(tls=False, octets=STARTUP[:8])
    assert accepted.recv(1000) == STARTUP[8:]


def test_a_cancel_request_in_the_clear(pair: Pair) -> None:
    """It is the session's to read."""
    client, accepted = pair
    request = CancelRequest(1, b"four").serialise()
    client.sendall(request)
    assert run(accepted) == Preamble(tls=False, octets=request[:8])


@pytest.mark.parametrize("offered", [True, False])
def test_ssl_request(pair: Pair, offered: bool) -> None:
    """TLS is begun where it is offered; where not, the client may go on in the clear."""
    client, accepted = pair

    async def talk() -> Preamble | None:
        reading = asyncio.create_task(read(accepted, tls=offered))
        client.sendall(SSL)
        answer = await asyncio.to_thread(client.recv, 10)
        assert answer == (b"S" if offered else b"N")
        if not offered:
            client.sendall(STARTUP)
        return await reading

    assert uvloop.run(talk()) == (Preamble(tls=True) if offered else Preamble(tls=False, octets=STARTUP[:8]))


def test_gssapi_is_refused_and_tls_may_follow(pair: Pair) -> None:
    """libpq with a Kerberos ticket asks for GSSAPI first."""
    client, accepted = pair

    async def talk() -> Preamble | None:
        reading = asyncio.create_task(read(accepted))
        client.sendall(GSS)
        assert await asyncio.to_thread(client.recv, 10) == b"N"
        client.sendall(SSL)
        assert await asyncio.to_thread(client.recv, 10) == b"S"
        return await reading

    assert uvloop.run(talk()) == Preamble(tls=True)


@pytest.mark.parametrize("behind", [b"x", STARTUP, b"\x16\x03\x01", SSL])
def test_octets_behind_an_ssl_request_end_the_connection(pair: Pair, behind: bytes) -> None:
    """What was sent in the clear must not be taken for what came through TLS (CVE-2021-23214)."""
    client, accepted = pair
    client.sendall(SSL + behind)
    with pytest.raises(MalformedMessage):
        run(accepted)
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(1)  # and nothing was answered


def test_the_question_is_not_answered_forever(pair: Pair) -> None:
    """A client that asks again and again is none."""
    client, accepted = pair

    async def talk() -> None:
        reading = asyncio.create_task(read(accepted, tls=False))
        for _ in range(3):
            client.sendall(GSS)
            assert await asyncio.to_thread(client.recv, 10) == b"N"
        with pytest.raises(MalformedMessage):
            await reading

    uvloop.run(talk())


def test_direct_tls_leaves_the_handshake_untouched(pair: Pair) -> None:
    """The first octet of a handshake is seen, not taken."""
    client, accepted = pair
    outgoing = ssl.MemoryBIO()
    context = ssl.create_default_context()
    connection = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        connection.do_handshake()
    hello = outgoing.read()
    client.sendall(hello)
    assert run(accepted) == Preamble(tls=True, direct=True)
    assert accepted.recv(10_000) == hello


@pytest.mark.parametrize("packet", [SSL, STARTUP])
def test_byte_by_byte(pair: Pair, packet: bytes) -> None:
    """The octets may come one at a time."""
    client, accepted = pair

    async def talk() -> Preamble | None:
        reading = asyncio.create_task(read(accepted))
        for octet in packet[:8]:
            client.sendall(bytes([octet]))
            for _ in range(3):
                await asyncio.sleep(0)  # lets the reader take it
        return await reading

    wanted = Preamble(tls=True) if packet == SSL else Preamble(tls=False, octets=STARTUP[:8])
    assert uvloop.run(talk()) == wanted


@pytest.mark.parametrize("sent", [b"", b"\0", SSL[:7]])
def test_a_client_that_leaves(pair: Pair, sent: bytes) -> None:
    """There is nothing to begin."""
    client, accepted = pair
    client.sendall(sent)
    client.close()
    assert run(accepted) is None


@pytest.mark.parametrize(
    ("garbage", "error"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", StartupPacketTooLarge),
        (b"\0\0\0\0\0\3\0\0", MalformedMessage),
        (b"\0\0\0\7\0\3\0\0", MalformedMessage),
        (int32(9) + int32(SSL_REQUEST), MalformedMessage),
        (b"\xff" * 8, StartupPacketTooLarge),
    ],
)
def test_garbage_ends_the_connection(pair: Pair, garbage: bytes, error: type[ClientError]) -> None:
    """What is no client of PostgreSQL's is not talked to."""
    client, accepted = pair
    client.sendall(garbage)
    with pytest.raises(error):
        run(accepted)


def test_waiting_ends_when_the_caller_has_waited_enough(pair: Pair) -> None:
    """The time limit is the caller's, and leaves no reader behind on the socket."""
    _, accepted = pair

    async def talk() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await read_preamble(accepted, tls_offered=True, limit=100)
        assert not asyncio.get_running_loop().remove_reader(accepted)

    uvloop.run(talk())
