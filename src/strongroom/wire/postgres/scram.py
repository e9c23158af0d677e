"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, both roles: the exchange.

RFC 5802 (SCRAM), 7677 (SHA-256), 5929 (tls-server-end-point); where they leave room, PostgreSQL's choice
(manual, "SASL Authentication"; src/common/scram-common.c, src/backend/libpq/auth-scram.c): the user name
inside the exchange is empty and ignored, authorization identities and mandatory extensions are refused,
optional extensions are skipped, and the iteration count is the server's.

``ScramServer`` serves ``session.login``, ``ScramClient`` serves ``session.upstream_login``. Each is one
exchange: ``first`` then ``final`` (then ``verify``), out of order is a ``Bug``. Nonces and salts are
arguments, so nothing here draws randomness. Bytes go in and out as the SASL messages carry them.
"""

import hashlib
import hmac
import re
from base64 import b64encode
from binascii import Error as Base64Invalid
from binascii import a2b_base64
from collections.abc import Sequence
from enum import Enum, auto
from functools import lru_cache

from strongroom.errors import (
    Bug,
    LoginMalformed,
    LoginRefused,
    StrongroomError,
    UpstreamLoginMalformed,
    UpstreamUntrusted,
)
from strongroom.secret import Secret
from strongroom.wire.postgres.verifier import (
    KEY_BYTES,
    MAX_ITERATIONS,
    MAX_SALT_BYTES,
    Verifier,
    scram_keys,
)

SCRAM = "SCRAM-SHA-256"
SCRAM_PLUS = "SCRAM-SHA-256-PLUS"

NONCE_BYTES = 18  # SCRAM_RAW_NONCE_LEN, which base64 makes 24 characters
MAX_MESSAGE_BYTES = 1024  # PG_MAX_SASL_MESSAGE_LENGTH (src/backend/libpq/auth-sasl.c)

_BINDING_FLAG = b"p=tls-server-end-point"

_KEYS_KEPT = 64
_client_keys = lru_cache(_KEYS_KEPT)(scram_keys)
"""Of the logins made last: to derive them takes milliseconds, and a role's salt and count stay the same. They
are worth what the password is worth, which is in memory for the next login anyway."""


def nonce_of(random: bytes) -> str:
    """The text of a nonce, from ``NONCE_BYTES`` random bytes: base64 has no comma and is printable."""
    return b64encode(random).decode("ascii")


# -------------------------------------------------------------------------------------- the exchange


class _Expects(Enum):
    FIRST = auto()
    FINAL = auto()
    VERIFY = auto()
    NOTHING = auto()


class ScramServer:
    """The server's side of one exchange. ``binding`` is the tls-server-end-point data; None: no PLUS.

    ``others`` are verifiers that count beside the first: the server says salt and iteration count before the
    client shows which password it has, so theirs must be the same, and the proof is held against each.
    ``doomed`` lets the exchange run its whole course and then fail, whatever the proof is worth.
    """

    def __init__(
        self,
        verifier: Verifier,
        nonce: str,
        *,
        binding: bytes | None,
        others: Sequence[Verifier] = (),
        doomed: bool = False,
    ) -> None:
        if not all(one.is_beside(verifier) for one in others):
            raise Bug("verifiers of one exchange differ in salt or iteration count")
        self.mechanisms = (SCRAM,) if binding is None else (SCRAM_PLUS, SCRAM)
        self.met: int | None = None
        """Which verifier the client's proof met: 0 is the first, then the others."""
        self._verifier = verifier
        self._others = tuple(others)
        self._nonce = nonce.encode("ascii")
        self._binding = binding
        self._doomed = doomed
        self._expects = _Expects.FIRST
        self._bound = b""  # what the client must repeat in c=, before base64
        self._full_nonce = b""
        self._auth_prefix = b""  # client-first-message-bare "," server-first-message ","

    def first(self, mechanism: str, message: bytes) -> bytes:
        """client-first-message in, server-first-message out."""
        self._step(_Expects.FIRST, _Expects.FINAL)
        _check_size(message, LoginMalformed)
        if mechanism not in self.mechanisms:
            raise _login_malformed("the client chose a SASL mechanism that was not offered")
        flag, header, bare = _split_gs2(message)
        self._bound = header + self._binding_for(mechanism, flag)
        client_nonce = _client_nonce(bare)
        self._full_nonce = client_nonce + self._nonce
        salt = b64encode(self._verifier.salt)
        reply = b"r=%s,s=%s,i=%d" % (self._full_nonce, salt, self._verifier.iterations)
        self._auth_prefix = bare + b"," + reply + b","
        return reply

    def final(self, message: bytes) -> bytes:
        """client-final-message in, server-final-message out; raises ``LoginRefused`` on a wrong proof."""
        self._step(_Expects.FINAL, _Expects.NOTHING)
        _check_size(message, LoginMalformed)
        without_proof, mark, encoded_proof = message.rpartition(b",p=")
        fields = without_proof.split(b",")
        if not mark or len(fields) < 2 or not all(map(_is_attribute, fields)):
            raise _login_malformed("client-final-message is malformed")
        if not hmac.compare_digest(fields[0], b"c=" + b64encode(self._bound)):
            raise _login_malformed("the channel binding does not match")
        if not hmac.compare_digest(fields[1], b"r=" + self._full_nonce):
            raise _login_malformed("the nonce does not match")
        auth_message = self._auth_prefix + without_proof
        met = self._check_proof(_base64(encoded_proof, LoginMalformed), auth_message)
        return b"v=" + b64encode(hmac.digest(met.server_key, auth_message, "sha256"))

    def _binding_for(self, mechanism: str, flag: bytes) -> bytes:
        """The binding data to be repeated; raises where flag, mechanism and offer contradict each other."""
        if mechanism == SCRAM_PLUS:
            if flag != _BINDING_FLAG:
                raise _login_malformed(
                    "SCRAM-SHA-256-PLUS was chosen without binding to tls-server-end-point"
                )
            assert self._binding is not None, "PLUS is offered only with binding data"
            return self._binding
        # RFC 5802, section 6: "y" says that the client saw no offer. We made one: it was taken out.
        if flag == b"y" and self._binding is not None:
            raise _login_malformed("channel binding was offered and the client did not see the offer")
        if flag not in {b"y", b"n"}:
            raise _login_malformed("SCRAM-SHA-256 was chosen with channel binding")
        return b""

    def _check_proof(self, proof: bytes, auth_message: bytes) -> Verifier:
        """The verifier that the proof meets; each is tried, so that time does not tell which it was."""
        if len(proof) != KEY_BYTES:
            raise _login_malformed("the client's proof has not 32 bytes")
        verifiers = (self._verifier, *self._others)
        met = [i for i, one in enumerate(verifiers) if _meets(one, proof, auth_message)]
        if self._doomed or not met:
            raise login_refused()
        self.met = met[0]
        return verifiers[met[0]]

    def _step(self, now: _Expects, then: _Expects) -> None:
        if self._expects is not now:
            raise Bug("a SCRAM exchange was driven out of order")
        self._expects = then


class ScramClient:
    """The client's side of one exchange.

    ``binding`` is the tls-server-end-point data of the server's certificate, None where there is no TLS,
    no digest, or binding was switched off. ``plus_offered``: the server's list had SCRAM-SHA-256-PLUS.
    ``username`` stays empty for PostgreSQL, which has it from the start-up packet; RFC vectors have one.
    """

    def __init__(
        self, password: Secret, nonce: str, *, plus_offered: bool, binding: bytes | None, username: str = ""
    ) -> None:
        bound = plus_offered and binding is not None
        self.mechanism = SCRAM_PLUS if bound else SCRAM
        flag = _BINDING_FLAG if bound else b"n" if binding is None else b"y"
        self._header = flag + b",,"
        self._bound = self._header + (binding if bound and binding is not None else b"")
        self._password = password
        self._nonce = nonce.encode("ascii")
        name = username.replace("=", "=3D").replace(",", "=2C").encode()  # RFC 5802, section 5.1
        self._bare = b"n=" + name + b",r=" + self._nonce
        self._server_signature = b""
        self.verified = False  # the server has proved itself
        self._expects = _Expects.FIRST

    def first(self) -> bytes:
        """The client-first-message."""
        self._step(_Expects.FIRST, _Expects.FINAL)
        return self._header + self._bare

    def final(self, server_first: bytes) -> bytes:
        """server-first-message in, client-final-message out."""
        self._step(_Expects.FINAL, _Expects.VERIFY)
        _check_size(server_first, UpstreamLoginMalformed)
        nonce, salt, iterations = _parse_server_first(server_first)
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce) or not _is_printable(nonce):
            raise _upstream_malformed("the database did not continue our SCRAM nonce")
        client_key, server_key = _client_keys(self._password, salt, iterations)
        without_proof = b"c=" + b64encode(self._bound) + b",r=" + nonce
        auth_message = b",".join((self._bare, server_first, without_proof))
        self._server_signature = hmac.digest(server_key, auth_message, "sha256")
        stored_key = hashlib.sha256(client_key).digest()
        proof = _xor(client_key, hmac.digest(stored_key, auth_message, "sha256"))
        return without_proof + b",p=" + b64encode(proof)

    def verify(self, server_final: bytes) -> None:
        """Raises ``UpstreamUntrusted`` unless the server knew the verifier of our password."""
        self._step(_Expects.VERIFY, _Expects.NOTHING)
        _check_size(server_final, UpstreamLoginMalformed)
        value = server_final.split(b",", 1)[0]
        if not value.startswith(b"v="):
            raise _upstream_malformed("the database's server-final-message has no signature")
        signature = _base64(value[2:], UpstreamLoginMalformed)
        if not hmac.compare_digest(signature, self._server_signature):
            raise UpstreamUntrusted(
                "the database could not prove that it knows our password",
                hint="someone may stand between; check the address and pin the database's certificate",
            )
        self.verified = True

    def _step(self, now: _Expects, then: _Expects) -> None:
        if self._expects is not now:
            raise Bug("a SCRAM exchange was driven out of order")
        self._expects = then


def _meets(verifier: Verifier, proof: bytes, auth_message: bytes) -> bool:
    """RFC 5802, section 3: ClientKey = ClientProof XOR ClientSignature; H(ClientKey) = StoredKey."""
    client_key = _xor(proof, hmac.digest(verifier.stored_key, auth_message, "sha256"))
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), verifier.stored_key)


def login_refused() -> LoginRefused:
    """The one refusal of a login: the same words whatever part was wrong."""
    return LoginRefused(
        "login refused", hint="check the account, its password or certificate, and its databases"
    )


# --------------------------------------------------------------------------------- parsing and sums


def _split_gs2(message: bytes) -> tuple[bytes, bytes, bytes]:
    """(flag, gs2-header with its commas, client-first-message-bare); RFC 5802, section 7."""
    parts = message.split(b",", 2)
    if len(parts) != 3:
        raise _login_malformed("client-first-message has no GS2 header")
    flag, authzid, bare = parts
    if authzid:
        raise _login_malformed("an authorization identity is not supported")
    return flag, flag + b",,", bare


def _client_nonce(bare: bytes) -> bytes:
    """The nonce of ``n=user,r=nonce[,extensions]``; a mandatory extension (``m=``) stands first and fails."""
    fields = bare.split(b",")
    if len(fields) < 2 or not fields[0].startswith(b"n=") or not fields[1].startswith(b"r="):
        raise _login_malformed("client-first-message is malformed")
    nonce = fields[1][2:]
    if not _is_printable(nonce) or not all(map(_is_attribute, fields)):
        raise _login_malformed("client-first-message has a malformed nonce or extension")
    return nonce


def _parse_server_first(message: bytes) -> tuple[bytes, bytes, int]:
    form = re.fullmatch(rb"r=([^,]+),s=([^,]+),i=([1-9][0-9]{0,9})(?:,[A-Za-z]=[^,]*)*", message)
    if form is None:
        raise _upstream_malformed("the database's server-first-message is malformed")
    salt = _base64(form[2], UpstreamLoginMalformed)
    iterations = int(form[3])
    if iterations > MAX_ITERATIONS or len(salt) > MAX_SALT_BYTES:
        raise _upstream_malformed(
            f"the database asks for more than {MAX_ITERATIONS} iterations or too long a salt"
        )
    return form[1], salt, iterations


def _base64(encoded: bytes, blame: type[StrongroomError]) -> bytes:
    try:
        decoded = a2b_base64(encoded, strict_mode=True)
    except Base64Invalid:
        raise blame("a SCRAM attribute is not base64") from None
    if b64encode(decoded) != encoded:  # stray bits in the last character: one proof, one text
        raise blame("a SCRAM attribute is not canonical base64")
    return decoded


def _is_attribute(part: bytes) -> bool:
    return part[:1].isalpha() and part[1:2] == b"=" and b"\x00" not in part


def _is_printable(nonce: bytes) -> bool:
    """RFC 5802, section 7: ``printable`` is %x21-2B / %x2D-7E; at least one."""
    return re.fullmatch(rb"[\x21-\x2b\x2d-\x7e]+", nonce) is not None


def _check_size(message: bytes, blame: type[StrongroomError]) -> None:
    if len(message) > MAX_MESSAGE_BYTES:
        raise blame(f"a SASL message is longer than {MAX_MESSAGE_BYTES} bytes")


def _login_malformed(what: str) -> LoginMalformed:
    return LoginMalformed(what, hint="use a driver that speaks SCRAM-SHA-256 as libpq does")


def _upstream_malformed(what: str) -> UpstreamLoginMalformed:
    return UpstreamLoginMalformed(what, hint="check that the address is a PostgreSQL server")


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))
