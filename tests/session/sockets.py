"""The smallest shell around the two login conversations: blocking sockets, one login each, for the tests."""

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from strongroom.errors import ClientError
from strongroom.gateway.tls import (
    ServerTls,
    checked_peer,
    client_peer,
    server_binding,
    server_context,
    upstream_context,
)
from strongroom.gateway.upstream_address import Upstream
from strongroom.session.login import Admitted, ClientLogin, Credentials, Peer
from strongroom.session.upstream_login import LoggedIn, UpstreamLogin, UpstreamPeer
from strongroom.wire.postgres.messages import (
    SSL_REQUEST,
    TERMINATE,
    BackendKeyData,
    ErrorResponse,
    ParameterStatus,
    StartupMessage,
    ready_for_query,
)
from strongroom.wire.postgres.reader import int32
from strongroom.wire.postgres.scram import NONCE_BYTES, nonce_of

SECONDS = 20
"""A bound on every wait, so that a broken conversation fails instead of hanging."""


def fresh_nonce() -> str:
    return nonce_of(secrets.token_bytes(NONCE_BYTES))


def exactly(connection: socket.socket, count: int) -> bytes:
    octets = b""
    while len(octets) < count:
        more = connection.recv(count - len(octets))
        if not more:
            raise EOFError
        octets += more
    return octets


def next_message(connection: socket.socket) -> tuple[int, bytes]:
    head = exactly(connection, 5)
    return head[0], exactly(connection, int.from_bytes(head[1:]) - 4)


# ----------------------------------------------------------------------------- towards a database


def upstream_login(
    upstream: Upstream, *, version: int | None = None, then: Callable[[socket.socket], None] | None = None
) -> LoggedIn:
    """Connect as the address says, log in, do what comes ``then``, say goodbye."""
    with connected(upstream) as (connection, peer):
        conversation = UpstreamLogin(
            upstream.credentials,
            upstream.rules,
            peer,
            nonce=fresh_nonce(),
            parameters=dict(upstream.parameters),
            version=version or upstream.protocol,
        )
        connection.sendall(conversation.start())
        while not isinstance(outcome := conversation.receive(*next_message(connection)), LoggedIn):
            connection.sendall(outcome.send)
        if then is not None:
            then(connection)
        connection.sendall(TERMINATE)
        return outcome


@contextmanager
def connected(upstream: Upstream) -> Iterator[tuple[socket.socket, UpstreamPeer]]:
    """A socket to the database, through TLS where the address asks for it."""
    context = upstream_context(upstream.tls)
    with plain(upstream) as connection:
        if context is None:
            yield connection, UpstreamPeer()
            return
        if not upstream.tls.direct:
            connection.sendall(int32(8) + int32(SSL_REQUEST))
            assert exactly(connection, 1) == b"S"
        with context.wrap_socket(connection, server_hostname=upstream.host) as encrypted:
            yield encrypted, checked_peer(encrypted, upstream.tls)


def plain(upstream: Upstream) -> socket.socket:
    if upstream.unix_socket is None:
        return socket.create_connection((upstream.address or upstream.host, upstream.port), SECONDS)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(SECONDS)
    connection.connect(str(upstream.unix_socket))
    return connection


# ------------------------------------------------------------------------------- towards a client


@dataclass
class Doorman:
    """Lets clients in on a port of loopback, one after the other; ``admitted`` says whom and how."""

    accounts: dict[str, Credentials]
    tls: ServerTls | None = None
    direct: bool = False
    admitted: list[Admitted] = field(default_factory=list)
    refused: list[ClientError] = field(default_factory=list)
    port: int = 0

    @contextmanager
    def on_duty(self) -> Iterator["Doorman"]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            thread = threading.Thread(target=self._serve, args=(listener,), name="doorman")
            thread.start()
            try:
                yield self
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                thread.join(SECONDS)
                assert not thread.is_alive()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.settimeout(SECONDS)
            with connection:
                self._quietly(lambda: self._greet(connection))  # noqa: B023 - called at once

    def _quietly(self, step: Callable[[], None]) -> None:
        """A client that hangs up, or fails the handshake, is the client's test to notice."""
        try:
            step()
        except (EOFError, OSError):
            return

    def _greet(self, connection: socket.socket) -> None:
        if self.direct:
            self._over_tls(connection)
            return
        packet = startup_packet(connection)
        if packet != int32(SSL_REQUEST):
            self._log_in(connection, packet, Peer())
        elif self.tls is None:
            connection.sendall(b"N")
            self._log_in(connection, startup_packet(connection), Peer())
        else:
            connection.sendall(b"S")
            self._over_tls(connection)

    def _over_tls(self, connection: socket.socket) -> None:
        assert self.tls is not None
        with server_context(self.tls).wrap_socket(connection, server_side=True) as encrypted:
            peer = client_peer(encrypted, self.tls, server_binding(self.tls))
            self._log_in(encrypted, startup_packet(encrypted), peer)

    def _log_in(self, connection: socket.socket, packet: bytes, peer: Peer) -> None:
        account = StartupMessage.parse(packet).parameters["user"]
        conversation = ClientLogin(
            account, self.accounts.get(account), peer, nonce=fresh_nonce(), mock_secret=b"installation"
        )
        try:
            outcome = conversation.start()
            while not isinstance(outcome, Admitted):
                connection.sendall(outcome.send)
                outcome = conversation.receive(*next_message(connection))
        except ClientError as error:
            self.refused.append(error)
            connection.sendall(ErrorResponse.of("FATAL", error.sqlstate, error.message).serialise())
            return
        self.admitted.append(outcome)
        connection.sendall(outcome.send + GREETING)
        while next_message(connection)[0] != TERMINATE[0]:
            raise AssertionError("the client was to log in and leave")


def startup_packet(connection: socket.socket) -> bytes:
    return exactly(connection, int.from_bytes(exactly(connection, 4)) - 4)


GREETING = (
    ParameterStatus("server_version", "15.0").serialise()
    + ParameterStatus("client_encoding", "UTF8").serialise()
    + BackendKeyData(1, b"key!").serialise()
    + ready_for_query("I")
)
