"""What happens on a fresh socket before a session begins: is it TLS, and how was it asked for?

A client may ask with SSLRequest, or begin the TLS handshake at once (direct TLS; manual, "SSL Session
Encryption"). This is settled on the bare socket, before any transport reads from it: of the octets that a
handshake needs not one has been read, and whatever was sent behind an SSLRequest in the clear cannot be
taken for what came through TLS later (CVE-2021-23214), because it ends the connection.

Called by `server` for each accepted socket.
"""

import asyncio
import contextlib
import socket
from dataclasses import dataclass

from strongroom.errors import MalformedMessage, StrongroomError
from strongroom.gateway.tls import ServerTls, check_client_alpn, client_peer
from strongroom.session.login import Peer
from strongroom.session.refusals import to_wire
from strongroom.session.startup import SMALLEST_PACKET, Encryption, first_packet

TLS_HANDSHAKE = b"\x16"
"""The record type that begins a TLS handshake (RFC 8446, 5.1); start-up packets are too short to begin so."""

ANSWERS_AT_MOST = 3
"""A client may ask for GSSAPI, then for TLS; more requests than that are no client's."""


@dataclass(frozen=True, slots=True)
class Preamble:
    """``tls`` and ``direct`` say what the client wants; ``octets`` were read and belong to the session."""

    tls: bool
    direct: bool = False
    octets: bytes = b""


async def read_preamble(sock: socket.socket, *, tls_offered: bool, limit: int) -> Preamble | None:
    """Answer requests for encryption until the session, or the handshake, begins.

    Returns None if the client is gone; raises `MalformedMessage` for what no client sends. The caller sets
    the time limit.
    """
    loop = asyncio.get_running_loop()
    for _ in range(ANSWERS_AT_MOST):
        if await _peek(sock) == TLS_HANDSHAKE:
            return Preamble(tls=True, direct=True)
        octets = await _exactly(sock, SMALLEST_PACKET)
        if octets is None:
            return None
        found = first_packet(octets, limit)
        if found is None or not isinstance(found[0], Encryption):
            return Preamble(tls=False, octets=octets)
        if _more_came(sock):
            raise MalformedMessage("octets follow a request for encryption before it was answered")
        accepted = found[0] is Encryption.TLS and tls_offered
        await loop.sock_sendall(sock, b"S" if accepted else b"N")
        if accepted:
            return Preamble(tls=True)
    raise MalformedMessage("encryption was asked for again and again")


async def _peek(sock: socket.socket) -> bytes:
    """Wait for the first octet without taking it from the socket."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            pass
        readable: asyncio.Future[None] = loop.create_future()
        loop.add_reader(sock, _wake, readable)
        try:
            await readable
        finally:
            loop.remove_reader(sock)


def _wake(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)


async def _exactly(sock: socket.socket, count: int) -> bytes | None:
    loop = asyncio.get_running_loop()
    octets = b""
    while len(octets) < count:
        more = await loop.sock_recv(sock, count - len(octets))
        if not more:
            return None
        octets += more
    return octets


def _more_came(sock: socket.socket) -> bool:
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


def turn_away(sock: socket.socket, error: StrongroomError) -> None:
    """Say why, as PostgreSQL does before anything is agreed; who asked for TLS first may not show it."""
    with sock, contextlib.suppress(OSError):
        sock.send(to_wire(error, "FATAL").serialise())


def peer_of(
    transport: asyncio.BaseTransport, tls: ServerTls | None, binding: bytes | None, preamble: Preamble
) -> Peer:
    """Who came through TLS, if anybody did; raises `LoginMalformed` for a handshake that is not for us."""
    if tls is None or not preamble.tls:
        return Peer()
    connection = transport.get_extra_info("ssl_object")
    check_client_alpn(connection.selected_alpn_protocol(), direct=preamble.direct)
    return client_peer(connection, tls, binding)
