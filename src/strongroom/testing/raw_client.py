"""A client that says exactly what it is told, octet by octet, for tests of what drivers do not send.

``RawClient.connect(port)``, ``log_in(...)``, then ``send`` and ``receive``. Blocking, every wait limited.
"""

import secrets
import socket
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self

from strongroom.secret import Secret
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import HEADER, message
from strongroom.wire.postgres.reader import cstring, int32
from strongroom.wire.postgres.scram import SCRAM, ScramClient

SECONDS = 20.0


class Message(NamedTuple):
    """A message by its type and body."""

    tag: str
    body: bytes


class Ended(Exception):
    """The other side closed the connection."""


@dataclass(slots=True, eq=False)
class RawClient:
    """One connection."""

    socket: socket.socket
    parameters: dict[str, str] = field(default_factory=dict)
    key: m.BackendKeyData | None = None
    version: int = m.PROTOCOL_3_2
    _buffer: bytes = b""

    @classmethod
    def connect(cls, port: int) -> Self:
        """A fresh connection to 127.0.0.1."""
        sock = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def ask_for(self, code: int) -> bytes:
        """Ask for encryption; return the one octet of the answer."""
        self.send(int32(8) + int32(code))
        return self.socket.recv(1)

    def wrap(self, context: ssl.SSLContext) -> None:
        """Do the TLS handshake."""
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def send(self, octets: bytes) -> None:
        """Send octets as they are."""
        self.socket.sendall(octets)

    def receive(self) -> Message:
        """The next message; raises ``Ended`` where none comes any more."""
        head = self._exactly(HEADER)
        return Message(chr(head[0]), self._exactly(int.from_bytes(head[1:]) - 4))

    def until(self, tag: str) -> list[Message]:
        """Messages up to the next of this type, which is the last of them."""
        came = [self.receive()]
        while came[-1].tag != tag:
            came.append(self.receive())
        return came

    def ask(self, text: str) -> list[Message]:
        """A simple query and all its answers."""
        self.send(m.Query(text).serialise())
        return self.until("Z")

    def error(self) -> dict[str, str]:
        """The fields of the next ErrorResponse, whatever comes before it."""
        return m.ErrorResponse.parse(self.until("E")[-1].body).fields

    def is_closed(self) -> bool:
        """Whether the other side has nothing more to say and closes."""
        try:
            return self._buffer == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def start(self, user: str, database: str, version: int = m.PROTOCOL_3_2, **parameters: str) -> None:
        """Send the start-up packet."""
        asked = {"user": user, "database": database, **parameters}
        self.send(m.StartupMessage(version, asked).serialise())
        self.version = version

    def begin_scram(self, password: str) -> tuple[ScramClient, bytes]:
        """Answer the offer of mechanisms; return the exchange and the server's first message."""
        self.until("R")
        scram = ScramClient(Secret(password), secrets.token_urlsafe(), plus_offered=False, binding=None)
        first = scram.first()
        self.send(message(b"p", cstring(SCRAM) + int32(len(first)) + first))
        return scram, self.until("R")[-1].body[4:]

    def log_in(
        self, user: str, password: str, database: str, version: int = m.PROTOCOL_3_2, **parameters: str
    ) -> None:
        """From the start-up packet to the first ReadyForQuery."""
        self.start(user, database, version, **parameters)
        scram, server_first = self.begin_scram(password)
        self.send(message(b"p", scram.final(server_first)))
        for tag, body in self.until("Z"):
            if tag == "S":
                status = m.ParameterStatus.parse(body)
                self.parameters[status.name] = status.value
            elif tag == "K":
                self.key = m.BackendKeyData.parse(body)

    def cancel_request(self) -> bytes:
        """What cancels this session when it is sent over another connection."""
        assert self.key is not None, "not logged in"
        return m.CancelRequest(self.key.process_id, self.key.secret_key).serialise()

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            more = self.socket.recv(1 << 16)
            if not more:
                raise Ended
            self._buffer += more
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken
