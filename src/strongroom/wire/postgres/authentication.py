"""The messages of a login: Authentication* from the server, and the four that share type 'p' from the client.

Names are the manual's ("Message Formats"). A 'p' message does not say which of the four it is; the state of
the conversation does, so there is one parser for each. Used by ``session.login`` and
``session.upstream_login``.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from strongroom.errors import MalformedMessage
from strongroom.wire.postgres.codec import message
from strongroom.wire.postgres.messages import authentication
from strongroom.wire.postgres.reader import NULL, Reader, cstring, int32

MAX_MECHANISMS = 16  # ours; PostgreSQL 18 offers at most three


class AuthenticationCode(IntEnum):
    """The Int32 behind 'R' (src/include/libpq/protocol.h)."""

    OK = 0
    KERBEROS_V5 = 2
    CLEARTEXT_PASSWORD = 3
    MD5_PASSWORD = 5
    GSS = 7
    GSS_CONTINUE = 8
    SSPI = 9
    SASL = 10
    SASL_CONTINUE = 11
    SASL_FINAL = 12


@dataclass(frozen=True, slots=True)
class Authentication:
    """Any Authentication message; what ``data`` means depends on ``code``, which may be none of ours."""

    code: int
    data: bytes

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse the body of 'R'."""
        reader = Reader(body)
        return cls(reader.int32(), reader.rest())

    def mechanisms(self) -> tuple[str, ...]:
        """Read the list of AuthenticationSASL, in the server's order of preference."""
        reader = Reader(self.data)
        names: list[str] = []
        while name := reader.cstring():
            names.append(name)
            if len(names) > MAX_MECHANISMS:
                raise MalformedMessage(f"more than {MAX_MECHANISMS} SASL mechanisms are offered")
        reader.end()
        return tuple(names)


def authentication_sasl(mechanisms: tuple[str, ...]) -> bytes:
    """Return AuthenticationSASL."""
    return authentication(AuthenticationCode.SASL, b"".join(map(cstring, mechanisms)) + b"\0")


@dataclass(frozen=True, slots=True)
class SASLInitialResponse:
    """Chooses a mechanism; ``data`` is None where the client waits for a challenge first."""

    mechanism: str
    data: bytes | None

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse the body of 'p' where it answers AuthenticationSASL."""
        reader = Reader(body)
        mechanism = reader.cstring()
        data = reader.value()
        reader.end()
        return cls(mechanism, data)

    def serialise(self) -> bytes:
        """Return the message."""
        data = int32(NULL) if self.data is None else int32(len(self.data)) + self.data
        return message(b"p", cstring(self.mechanism) + data)


def sasl_response(data: bytes) -> bytes:
    """Return SASLResponse."""
    return message(b"p", data)


def password_message(password: bytes) -> bytes:
    """Return PasswordMessage; ``password`` is clear text or an MD5 answer."""
    if b"\0" in password:
        raise MalformedMessage("a password with a zero octet cannot be sent")
    return message(b"p", password + b"\0")
