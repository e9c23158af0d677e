"""A client logs in to the gateway: with a certificate that TLS has verified, or with SCRAM-SHA-256(-PLUS).

Pure, one object for one login, made when the StartupMessage has been read: ``start`` and then ``receive``
for each message, until one gives ``Admitted`` or raises a ``ClientError``, which ends the session with a
FATAL error. An account that is unknown, may not log in with a password, or has a wrong password takes the
same path, sees the same kind of salt and hears the same words (RFC 5802, section 9). Driven by the session.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar

from strongroom.errors import Bug, LoginMalformed, MalformedMessage
from strongroom.wire.postgres.authentication import (
    AuthenticationCode,
    SASLInitialResponse,
    authentication_sasl,
)
from strongroom.wire.postgres.messages import authentication
from strongroom.wire.postgres.scram import MAX_MESSAGE_BYTES, SCRAM, ScramServer
from strongroom.wire.postgres.verifier import Verifier, mock_verifier

PASSWORD = ord("p")
MAX_LOGIN_MESSAGE_BYTES = MAX_MESSAGE_BYTES + 64  # a SASL message, with a mechanism's name before it


@dataclass(frozen=True, slots=True)
class Credentials:
    """How an account may log in. ``certificate_names``: whom a certificate may name for it; empty: none.

    ``others`` are verifiers that count beside the first, with its salt and iteration count.
    """

    verifier: Verifier | None = None
    certificate_names: frozenset[str] = frozenset()
    others: tuple[Verifier, ...] = ()


@dataclass(frozen=True, slots=True)
class Peer:
    """What TLS says of this connection; all None without TLS.

    ``certificate_name`` is that of a client certificate verified against client_ca, ``binding`` the
    tls-server-end-point data of our own certificate, None where its signature has no digest.
    """

    certificate_name: str | None = None
    binding: bytes | None = None


class Method(Enum):
    """How a client has proved who it is."""

    CERTIFICATE = "certificate"
    SCRAM = "scram-sha-256"
    SCRAM_PLUS = "scram-sha-256-plus"


@dataclass(frozen=True, slots=True)
class Challenged:
    """``send`` goes to the client; its answer is owed."""

    send: bytes


@dataclass(frozen=True, slots=True)
class Admitted:
    """``send`` (it ends with AuthenticationOk) goes to the client, who is ``account``.

    ``met`` says by which verifier: 0 is the first of its credentials, then the others.
    """

    send: bytes
    account: str
    method: Method
    met: int = 0


@dataclass(frozen=True, slots=True)
class Unproved:
    """The client's proof is worth nothing; it hears so when the try has been counted."""


class _State(Enum):
    NEW = auto()
    AWAITING_INITIAL_RESPONSE = auto()
    AWAITING_RESPONSE = auto()
    OVER = auto()  # admitted or refused


class ClientLogin:
    """One login. ``credentials`` is None where there is no such account, or not for this database.

    ``nonce`` is ``scram.nonce_of`` fresh random bytes; ``mock_secret`` is the installation's secret.
    """

    def __init__(
        self, account: str, credentials: Credentials | None, peer: Peer, *, nonce: str, mock_secret: bytes
    ) -> None:
        self._account = account
        self._credentials = credentials or Credentials()
        self._peer = peer
        mock = mock_verifier(account, mock_secret)  # made for everyone, so that it takes everyone's time
        verifier = self._credentials.verifier
        self._scram = ScramServer(
            verifier or mock,
            nonce,
            binding=peer.binding,
            others=() if verifier is None else self._credentials.others,
            doomed=verifier is None,
        )
        self._method = Method.SCRAM
        self._state = _State.NEW

    def start(self) -> Challenged | Admitted:
        """Admit by certificate, or ask for SCRAM."""
        if self._state is not _State.NEW:
            raise Bug("a login was started twice")
        if self._peer.certificate_name in self._credentials.certificate_names:
            self._state = _State.OVER
            return Admitted(authentication(AuthenticationCode.OK), self._account, Method.CERTIFICATE)
        self._state = _State.AWAITING_INITIAL_RESPONSE
        return Challenged(authentication_sasl(self._scram.mechanisms))

    def receive(self, tag: int, body: bytes) -> Challenged | Admitted:
        """Take the client's next message, ``body`` without type byte and length.

        Raises ``LoginRefused`` or ``LoginMalformed``; there is no way back from either.
        """
        state, self._state = self._state, _State.OVER
        if state not in self._STEPS:
            raise Bug("a login was driven before its start or after its end")
        if tag != PASSWORD:
            raise LoginMalformed("the client sent something else than a SASL answer while logging in")
        then, step = self._STEPS[state]
        outcome = step(self, body)
        self._state = then
        return outcome

    def _on_initial_response(self, body: bytes) -> Challenged:
        try:
            response = SASLInitialResponse.parse(body)
        except MalformedMessage as error:
            raise LoginMalformed("SASLInitialResponse is malformed") from error
        if response.data is None:  # SCRAM speaks first; PostgreSQL would send an empty challenge (RFC 4422)
            raise LoginMalformed("the client did not begin the SASL exchange")
        challenge = self._scram.first(response.mechanism, response.data)
        self._method = Method.SCRAM if response.mechanism == SCRAM else Method.SCRAM_PLUS
        return Challenged(authentication(AuthenticationCode.SASL_CONTINUE, challenge))

    def _on_response(self, body: bytes) -> Admitted:
        final = authentication(AuthenticationCode.SASL_FINAL, self._scram.final(body))
        send = final + authentication(AuthenticationCode.OK)
        return Admitted(send, self._account, self._method, self._scram.met or 0)

    _STEPS: ClassVar[dict[_State, tuple[_State, Callable[["ClientLogin", bytes], Challenged | Admitted]]]] = {
        _State.AWAITING_INITIAL_RESPONSE: (_State.AWAITING_RESPONSE, _on_initial_response),
        _State.AWAITING_RESPONSE: (_State.OVER, _on_response),
    }
