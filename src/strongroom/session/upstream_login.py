"""The gateway logs in to the database, once the socket (and TLS) is up.

Pure, one object for one login: ``start`` gives the StartupMessage, ``receive`` takes each message of the
database and gives ``Reply`` (perhaps of nothing) until ``LoggedIn``, or raises an ``UpstreamError``
(manual, "Start-up"). What may be sent to whom is settled here: a password in clear text only over TLS whose
peer is verified, never a second method than the one begun, and no login without what ``require_auth`` and
``channel_binding`` ask for. Texts of the database's errors stay here; only their SQLSTATE goes on.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import ClassVar

from strongroom.errors import (
    Bug,
    MalformedMessage,
    UpstreamLoginMalformed,
    UpstreamLoginRefused,
    UpstreamUntrusted,
)
from strongroom.secret import Secret
from strongroom.session.upstream_refusal import login_refusal
from strongroom.wire.postgres.authentication import (
    Authentication,
    AuthenticationCode,
    SASLInitialResponse,
    password_message,
    sasl_response,
)
from strongroom.wire.postgres.messages import (
    PROTOCOL_3_0,
    PROTOCOL_3_2,
    BackendKeyData,
    ErrorResponse,
    NegotiateProtocolVersion,
    ParameterStatus,
    StartupMessage,
)
from strongroom.wire.postgres.scram import SCRAM_PLUS, ScramClient

PINNED = {"client_encoding": "UTF8", "standard_conforming_strings": "on", "bytea_output": "hex"}
"""Rule 1 of the design. Start-up parameters win over ``options`` and over role and database settings
(src/backend/utils/init/postinit.c, process_startup_options), and the last of a name wins."""

REPORTED_PINS = ("client_encoding", "standard_conforming_strings")
"""The pins that PostgreSQL reports (manual, ParameterStatus), so that we can see that they hold."""

RESERVED = frozenset({"user", "database", "replication"})
"""Start-up parameters that are no settings (src/backend/tcop/backend_startup.c, ProcessStartupPacket)."""

MAX_LOGIN_MESSAGES = 1_000  # ours: notices and parameters until ReadyForQuery; PostgreSQL 18 sends about 20
MD5_SALT_BYTES = 4  # manual, AuthenticationMD5Password


class AuthMethod(Enum):
    """The methods of libpq's ``require_auth`` that we speak."""

    PASSWORD = "password"  # noqa: S105 - the method's name
    MD5 = "md5"
    SCRAM = "scram-sha-256"
    NONE = "none"  # AuthenticationOk at once: trust, peer, or a client certificate


class ChannelBinding(Enum):
    """libpq's ``channel_binding``."""

    DISABLE = "disable"
    PREFER = "prefer"
    REQUIRE = "require"


@dataclass(frozen=True, slots=True)
class UpstreamCredentials:
    """Who logs in, to which database; without a password only a certificate or trust can do."""

    user: str
    database: str
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class LoginRules:
    """What we accept from the database; the defaults are libpq's."""

    methods: frozenset[AuthMethod] = frozenset(AuthMethod)
    channel_binding: ChannelBinding = ChannelBinding.PREFER


@dataclass(frozen=True, slots=True)
class UpstreamPeer:
    """What TLS says of the database.

    ``verified``: its certificate was checked against an authority or a pin. ``binding`` is the
    tls-server-end-point data of that certificate; None without TLS, or where its signature has no digest.
    """

    verified: bool = False
    binding: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """``send`` goes to the database (it may be empty); more is expected from it."""

    send: bytes = b""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """ReadyForQuery has come. ``parameters`` are those reported; ``secret_key`` is for CancelRequest."""

    version: int
    parameters: dict[str, str]
    process_id: int
    secret_key: bytes = field(repr=False)


class _State(Enum):
    NEW = auto()
    AWAITING_AUTHENTICATION = auto()
    AWAITING_SASL_CONTINUE = auto()
    AWAITING_SASL_FINAL = auto()
    AWAITING_OK = auto()
    SETTLING = auto()  # ParameterStatus, BackendKeyData, then ReadyForQuery
    OVER = auto()


class UpstreamLogin:
    """One login. ``parameters`` are the client's run-time parameters; ours are pinned over them.

    ``nonce`` is ``scram.nonce_of`` fresh random bytes; ``version`` is the protocol asked for, 3.0 or 3.2.
    """

    def __init__(
        self,
        credentials: UpstreamCredentials,
        rules: LoginRules,
        peer: UpstreamPeer,
        *,
        nonce: str,
        parameters: dict[str, str] | None = None,
        version: int = PROTOCOL_3_0,
    ) -> None:
        self._credentials = credentials
        self._rules = rules
        self._peer = peer
        self._nonce = nonce
        self._startup = _startup_message(version, credentials, parameters or {})
        self._version = version
        self._negotiated = False
        self._method = AuthMethod.NONE
        self._scram: ScramClient | None = None
        self._reported: dict[str, str] = {}
        self._key: BackendKeyData | None = None
        self._received = 0
        self._state = _State.NEW

    def start(self) -> bytes:
        """The StartupMessage."""
        if self._state is not _State.NEW:
            raise Bug("an upstream login was started twice")
        self._state = _State.AWAITING_AUTHENTICATION
        return self._startup.serialise()

    def receive(self, tag: int, body: bytes) -> Reply | LoggedIn:
        """Take the database's next message, ``body`` without type byte and length."""
        if self._state in {_State.NEW, _State.OVER}:
            raise Bug("an upstream login was driven before its start or after its end")
        state, self._state = self._state, _State.OVER  # unless the step below goes on
        self._received += 1
        if self._received > MAX_LOGIN_MESSAGES:
            raise _malformed(f"the database sent more than {MAX_LOGIN_MESSAGES} messages while we logged in")
        step = self._STEPS.get((state, chr(tag))) or self._ANYWHERE.get(chr(tag))
        if step is None:
            raise _malformed("the database sent a message that has no place in a login")
        try:
            self._state, outcome = step(self, state, body)
        except MalformedMessage as error:
            raise _malformed("a message of the database is malformed") from error
        return outcome

    # Each step takes the state and the body, and gives the next state and what to do.

    def _on_authentication(self, state: _State, body: bytes) -> "_Step":
        asked = Authentication.parse(body)
        step = self._AUTHENTICATION.get((state, asked.code))
        if step is not None:
            return step(self, asked)
        if asked.code in {AuthenticationCode.KERBEROS_V5, AuthenticationCode.GSS, AuthenticationCode.SSPI}:
            raise _untrusted("the database asks for GSSAPI, SSPI or Kerberos; Strongroom speaks none")
        raise _untrusted("the database changed or skipped the authentication that was begun")

    def _on_ok(self, asked: Authentication) -> "_Step":
        _expect_empty(asked.data)
        self._allow(self._method)
        if self._rules.channel_binding is ChannelBinding.REQUIRE and not self._is_bound():
            raise _untrusted("the database let us in without the channel binding that is required")
        return _State.SETTLING, Reply()

    def _on_cleartext(self, asked: Authentication) -> "_Step":
        _expect_empty(asked.data)
        self._begin(AuthMethod.PASSWORD)
        if not self._peer.verified:
            raise _untrusted("the database asks for the password in clear text over an unverified connection")
        return _State.AWAITING_OK, Reply(password_message(self._password().danger_reveal().encode()))

    def _on_md5(self, asked: Authentication) -> "_Step":
        if len(asked.data) != MD5_SALT_BYTES:
            raise _malformed("AuthenticationMD5Password has no salt of 4 octets")
        self._begin(AuthMethod.MD5)
        answer = _md5_answer(self._credentials.user, self._password(), asked.data)
        return _State.AWAITING_OK, Reply(password_message(answer))

    def _on_sasl(self, asked: Authentication) -> "_Step":
        offered = asked.mechanisms()
        self._begin(AuthMethod.SCRAM)
        binding = None if self._rules.channel_binding is ChannelBinding.DISABLE else self._peer.binding
        scram = ScramClient(
            self._password(), self._nonce, plus_offered=SCRAM_PLUS in offered, binding=binding
        )
        if self._rules.channel_binding is ChannelBinding.REQUIRE and scram.mechanism != SCRAM_PLUS:
            raise _untrusted("channel binding is required and cannot be had: no TLS, no digest or no offer")
        if scram.mechanism not in offered:
            raise _untrusted("the database offers no SASL mechanism that Strongroom speaks")
        self._scram = scram
        first = SASLInitialResponse(scram.mechanism, scram.first())
        return _State.AWAITING_SASL_CONTINUE, Reply(first.serialise())

    def _on_sasl_continue(self, asked: Authentication) -> "_Step":
        assert self._scram is not None, "SASL has begun in this state"
        return _State.AWAITING_SASL_FINAL, Reply(sasl_response(self._scram.final(asked.data)))

    def _on_sasl_final(self, asked: Authentication) -> "_Step":
        assert self._scram is not None, "SASL has begun in this state"
        self._scram.verify(asked.data)
        return _State.AWAITING_OK, Reply()

    def _on_negotiation(self, state: _State, body: bytes) -> "_Step":
        negotiated = NegotiateProtocolVersion.parse(body)
        if self._negotiated or negotiated.unknown:
            raise _malformed("the database negotiates an option that we did not ask for")
        if negotiated.version not in {PROTOCOL_3_0, PROTOCOL_3_2} or negotiated.version >= self._version:
            raise _malformed("the database speaks no version of the protocol that we do")
        self._negotiated = True
        self._version = negotiated.version
        return state, Reply()

    def _on_error(self, _state: _State, body: bytes) -> "_Step":
        raise login_refusal(ErrorResponse.parse(body).fields.get("C", ""))

    def _on_notice(self, state: _State, _body: bytes) -> "_Step":
        return state, Reply()

    def _on_parameter(self, state: _State, body: bytes) -> "_Step":
        status = ParameterStatus.parse(body)
        self._reported[status.name] = status.value
        return state, Reply()

    def _on_key(self, state: _State, body: bytes) -> "_Step":
        key = BackendKeyData.parse(body)
        if self._key is not None:
            raise _malformed("the database sent two cancellation keys")
        if self._version == PROTOCOL_3_0 and len(key.secret_key) != 4:
            raise _malformed("the cancellation key has not the 4 octets of protocol 3.0")
        self._key = key
        return state, Reply()

    def _on_ready(self, _state: _State, body: bytes) -> "_Step":
        if body != b"I":
            raise _malformed("the session does not begin outside a transaction")
        for name in REPORTED_PINS:
            if self._reported.get(name) != PINNED[name]:
                raise _malformed(f"the database did not take {name}={PINNED[name]}")
        process_id, key = (self._key.process_id, self._key.secret_key) if self._key else (0, b"")
        return _State.OVER, LoggedIn(self._version, self._reported, process_id, key)

    def _begin(self, method: AuthMethod) -> None:
        self._allow(method)
        if method is not AuthMethod.SCRAM and self._rules.channel_binding is ChannelBinding.REQUIRE:
            raise _untrusted("channel binding is required, and the database asks for a method without it")
        self._method = method

    def _allow(self, method: AuthMethod) -> None:
        if method not in self._rules.methods:
            raise _untrusted(f"the database asks for the method {method.value}, which require_auth excludes")

    def _is_bound(self) -> bool:
        return self._scram is not None and self._scram.mechanism == SCRAM_PLUS and self._scram.verified

    def _password(self) -> Secret:
        if self._credentials.password is None:
            raise UpstreamLoginRefused(
                "the database asks for a password and none is configured",
                hint="set upstream_password, or let pg_hba.conf accept the client certificate",
            )
        return self._credentials.password

    _STEPS: ClassVar[dict[tuple[_State, str], Callable[["UpstreamLogin", _State, bytes], "_Step"]]] = {
        (_State.AWAITING_AUTHENTICATION, "R"): _on_authentication,
        (_State.AWAITING_AUTHENTICATION, "v"): _on_negotiation,
        (_State.AWAITING_SASL_CONTINUE, "R"): _on_authentication,
        (_State.AWAITING_SASL_FINAL, "R"): _on_authentication,
        (_State.AWAITING_OK, "R"): _on_authentication,
        (_State.SETTLING, "S"): _on_parameter,
        (_State.SETTLING, "K"): _on_key,
        (_State.SETTLING, "Z"): _on_ready,
    }

    _ANYWHERE: ClassVar[dict[str, Callable[["UpstreamLogin", _State, bytes], "_Step"]]] = {
        "E": _on_error,
        "N": _on_notice,
    }

    _AUTHENTICATION: ClassVar[
        dict[tuple[_State, int], Callable[["UpstreamLogin", Authentication], "_Step"]]
    ] = {
        (_State.AWAITING_AUTHENTICATION, AuthenticationCode.OK): _on_ok,
        (_State.AWAITING_AUTHENTICATION, AuthenticationCode.CLEARTEXT_PASSWORD): _on_cleartext,
        (_State.AWAITING_AUTHENTICATION, AuthenticationCode.MD5_PASSWORD): _on_md5,
        (_State.AWAITING_AUTHENTICATION, AuthenticationCode.SASL): _on_sasl,
        (_State.AWAITING_SASL_CONTINUE, AuthenticationCode.SASL_CONTINUE): _on_sasl_continue,
        (_State.AWAITING_SASL_FINAL, AuthenticationCode.SASL_FINAL): _on_sasl_final,
        (_State.AWAITING_OK, AuthenticationCode.OK): _on_ok,
    }


_TRUST = "check upstream_pin, and in `upstream` sslmode, require_auth and channel_binding"

_Step = tuple[_State, Reply | LoggedIn]


def _startup_message(
    version: int, credentials: UpstreamCredentials, parameters: dict[str, str]
) -> StartupMessage:
    """Ours, then the client's without what is ours to say, then the pins; setting names have no case."""
    if version not in {PROTOCOL_3_0, PROTOCOL_3_2}:
        raise Bug("only the protocol versions 3.0 and 3.2 exist")
    if any(name in RESERVED or name.startswith("_pq_.") for name in parameters):
        raise Bug("a client's start-up parameter that is no setting came as far as the upstream login")
    settings = {name: value for name, value in parameters.items() if name.lower() not in PINNED}
    ours = {"user": credentials.user, "database": credentials.database}
    return StartupMessage(version, ours | settings | PINNED)


def _md5_answer(user: str, password: Secret, salt: bytes) -> bytes:
    """``md5`` and md5(md5(password user) salt), in hexadecimal (manual, AuthenticationMD5Password)."""
    inner = _md5(password.danger_reveal().encode() + user.encode())
    return b"md5" + _md5(inner + salt)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).hexdigest().encode()


def _expect_empty(data: bytes) -> None:
    if data:
        raise _malformed("an Authentication message has octets left over")


def _malformed(what: str) -> UpstreamLoginMalformed:
    return UpstreamLoginMalformed(what, hint="check that the address is a PostgreSQL server, 15 to 18")


def _untrusted(what: str) -> UpstreamUntrusted:
    return UpstreamUntrusted(what, hint=_TRUST)
