"""The way to the database: sockets, TLS, pins and login, the same for sessions, cancels and our own work.

`Connector.open` connects and checks who answers; the session (or whoever else calls) then drives the login.
`Connector.cancel` sends a CancelRequest over a connection made and checked in the same way (libpq's
PQcancelBlocking does so since PostgreSQL 17).

Called by `driver` and `server`.
"""

import asyncio
import secrets
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from strongroom.errors import UpstreamError, UpstreamUnreachable
from strongroom.gateway.tls import checked_peer, handshake_failure, upstream_context
from strongroom.gateway.upstream_address import Upstream
from strongroom.secret import Secret
from strongroom.session.upstream_login import UpstreamLogin, UpstreamPeer
from strongroom.wire.postgres.messages import SSL_REQUEST, CancelRequest
from strongroom.wire.postgres.reader import int32
from strongroom.wire.postgres.scram import NONCE_BYTES, nonce_of

_SSL_REQUEST = int32(8) + int32(SSL_REQUEST)

P = TypeVar("P", bound=asyncio.Protocol)


@dataclass(frozen=True, slots=True)
class Connector:
    """Connects to one database as one user; ``context`` is None without TLS."""

    upstream: Upstream
    context: ssl.SSLContext | None

    @classmethod
    def to(cls, upstream: Upstream) -> "Connector":
        """Make one; reads the certificates once. Raises `InvalidTlsSettings`."""
        return cls(upstream, upstream_context(upstream.tls))

    def as_user(self, user: str, password: Secret | None) -> "Connector":
        """The same way, for another upstream user."""
        return replace(self, upstream=self.upstream.as_user(user, password))

    async def open(self, protocol: Callable[[], P]) -> tuple[asyncio.Transport, P, UpstreamPeer]:
        """Connect, do TLS and check the peer; raises `UpstreamError` within the address's time limit."""
        seconds = self.upstream.connect_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._open(protocol)
        except TimeoutError:
            raise UpstreamUnreachable(
                f"the database did not answer within {seconds} s",
                hint="Check address, firewall and `connect_timeout` in the upstream URI.",
            ) from None
        except ssl.SSLError as error:  # SSLCertVerificationError too
            raise handshake_failure(error) from error
        except OSError as error:
            raise UpstreamUnreachable(
                f"the database cannot be reached: {error.strerror or type(error).__name__}",
                hint="Check the address under `upstream`, and that the database runs.",
            ) from error

    async def certificate(self) -> bytes | None:
        """The certificate (DER) that the database shows, checked as always; None without TLS."""
        transport, protocol, _ = await self.open(_UntilClosed)
        over_tls = transport.get_extra_info("ssl_object")
        shown: bytes | None = None if over_tls is None else over_tls.getpeercert(binary_form=True)
        transport.abort()
        await protocol.closed.wait()
        return shown

    def login(
        self, peer: UpstreamPeer, *, version: int = 0, parameters: dict[str, str] | None = None
    ) -> UpstreamLogin:
        """Return the login conversation for a connection from `open`; a client's parameters win over ours."""
        return UpstreamLogin(
            self.upstream.credentials,
            self.upstream.rules,
            peer,
            nonce=nonce_of(secrets.token_bytes(NONCE_BYTES)),
            parameters=dict(self.upstream.parameters) | (parameters or {}),
            version=max(version, self.upstream.protocol),
        )

    async def cancel(self, process_id: int, secret_key: bytes) -> None:
        """Ask the database to cancel what a session runs; raises `UpstreamError` if it cannot be asked."""
        transport, protocol, _ = await self.open(_UntilClosed)
        try:
            transport.write(CancelRequest(process_id, secret_key).serialise())
            async with asyncio.timeout(self.upstream.connect_seconds):
                await protocol.closed.wait()  # the database closes once it has sent the signal
        except TimeoutError:
            raise UpstreamUnreachable("the database took no CancelRequest", hint="Try again.") from None
        finally:
            transport.close()

    async def _open(self, protocol: Callable[[], P]) -> tuple[asyncio.Transport, P, UpstreamPeer]:
        loop, upstream = asyncio.get_running_loop(), self.upstream
        if upstream.unix_socket is not None:
            local, made = await loop.create_unix_connection(protocol, str(upstream.unix_socket))
            return local, made, UpstreamPeer()
        sock = await _connect(upstream)
        try:
            if self.context is not None and not upstream.tls.direct:
                await _ask_for_tls(sock)
            transport, made = await loop.create_connection(
                protocol,
                sock=sock,
                ssl=self.context,
                server_hostname=upstream.host if self.context else None,
            )
        except BaseException:
            sock.close()
            raise
        return transport, made, self._check(transport)

    def _check(self, transport: asyncio.Transport) -> UpstreamPeer:
        if self.context is None:
            return UpstreamPeer()
        try:
            return checked_peer(transport.get_extra_info("ssl_object"), self.upstream.tls)
        except UpstreamError:
            transport.abort()
            raise


async def _connect(upstream: Upstream) -> socket.socket:
    """Try the addresses of the host in the resolver's order (RFC 6724), as libpq does."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(upstream.address or upstream.host, upstream.port, type=socket.SOCK_STREAM)
    failure: OSError = ConnectionRefusedError("no address")
    for family, kind, number, _, address in found:
        sock = socket.socket(family, kind, number)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


async def _ask_for_tls(sock: socket.socket) -> None:
    """SSLRequest on the bare socket: exactly one octet of answer is read before the handshake."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, _SSL_REQUEST)
    answer = await loop.sock_recv(sock, 1)
    if answer != b"S":
        raise UpstreamUnreachable(
            "the database does not do TLS, which `sslmode` asks for",
            hint="Turn TLS on in the database (ssl = on).",
        )


class _UntilClosed(asyncio.Protocol):
    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.closed.set()
