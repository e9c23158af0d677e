"""The password verifier that PostgreSQL stores, ``SCRAM-SHA-256$4096:salt$StoredKey:ServerKey``.

Made by ``strongroom password``, kept in the state or the configuration, used by ``scram``. RFC 5802,
section 3, for the keys; src/common/scram-common.c for the text. Salts are arguments.
"""

import hashlib
import hmac
import re
from base64 import b64encode
from binascii import a2b_base64
from dataclasses import dataclass, field

from strongroom.errors import InvalidVerifier
from strongroom.secret import Secret
from strongroom.wire.postgres.saslprep import prepared_password

ITERATIONS = 4096  # SCRAM_SHA_256_DEFAULT_ITERATIONS; the minimum of RFC 7677, section 4
MAX_ITERATIONS = 1_000_000  # ours: about half a second of hashing; more is a way to stall us
SALT_BYTES = 16  # SCRAM_DEFAULT_SALT_LEN
MAX_SALT_BYTES = 256  # ours
KEY_BYTES = 32  # SCRAM_SHA_256_KEY_LEN

_HOW = "make one with `strongroom password ACCOUNT --print`"


@dataclass(frozen=True, slots=True)
class Verifier:
    """What the server keeps of a password: enough to check a proof, not enough to make one."""

    iterations: int
    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    def text(self) -> str:
        """``SCRAM-SHA-256$4096:salt$StoredKey:ServerKey``, as pg_authid.rolpassword has it."""
        salt, stored, server = (b64encode(b).decode() for b in (self.salt, self.stored_key, self.server_key))
        return f"SCRAM-SHA-256${self.iterations}:{salt}${stored}:{server}"

    def is_beside(self, other: "Verifier") -> bool:
        """Whether one exchange can serve both: a server says salt and count before it sees a proof."""
        return (self.salt, self.iterations) == (other.salt, other.iterations)


def make_verifier(password: Secret, salt: bytes, iterations: int = ITERATIONS) -> Verifier:
    """The verifier of ``password``; ``salt`` is ``SALT_BYTES`` fresh random bytes."""
    _check_verifier_limits(iterations, salt)
    client_key, server_key = scram_keys(password, salt, iterations)
    return Verifier(iterations, salt, hashlib.sha256(client_key).digest(), server_key)


def parse_verifier(text: str) -> Verifier:
    """Reads PostgreSQL's text form; raises ``InvalidVerifier``, which never repeats the text."""
    form = re.fullmatch(r"SCRAM-SHA-256\$([1-9][0-9]{0,9}):([^$:]+)\$([^$:]+):([^$:]+)", text, re.ASCII)
    if form is None:
        raise _invalid_verifier("not in the form SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey")
    try:
        salt, stored_key, server_key = (a2b_base64(part, strict_mode=True) for part in form.groups()[1:])
    except ValueError:  # also what a non-ASCII str gives
        raise _invalid_verifier("not base64") from None
    if len(stored_key) != KEY_BYTES or len(server_key) != KEY_BYTES:
        raise _invalid_verifier("a key has not 32 bytes")
    iterations = int(form[1])
    _check_verifier_limits(iterations, salt)
    return Verifier(iterations, salt, stored_key, server_key)


def mock_verifier(account: str, secret: bytes, iterations: int = ITERATIONS) -> Verifier:
    """A verifier that no password meets, the same each time for an account and installation.

    So an account that does not exist answers as one that does (RFC 5802, section 9; mock_scram_secret in
    auth-scram.c). ``secret`` is the installation's; without it the salts could be told from real ones.
    """

    def derived(label: bytes) -> bytes:
        return hmac.digest(secret, label + b"\x00" + account.encode("utf-8", "surrogatepass"), "sha256")

    return Verifier(iterations, derived(b"salt")[:SALT_BYTES], derived(b"stored"), derived(b"server"))


def scram_keys(password: Secret, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    """ClientKey and ServerKey (RFC 5802, section 3)."""
    prepared = prepared_password(password.danger_reveal())
    salted = hashlib.pbkdf2_hmac("sha256", prepared, salt, iterations)
    return hmac.digest(salted, b"Client Key", "sha256"), hmac.digest(salted, b"Server Key", "sha256")


def _check_verifier_limits(iterations: int, salt: bytes) -> None:
    if not 1 <= iterations <= MAX_ITERATIONS:
        raise _invalid_verifier(f"the iteration count is not between 1 and {MAX_ITERATIONS}")
    if not 1 <= len(salt) <= MAX_SALT_BYTES:
        raise _invalid_verifier(f"the salt has not 1 to {MAX_SALT_BYTES} bytes")


def _invalid_verifier(what: str) -> InvalidVerifier:
    return InvalidVerifier(
        f"password verifier: {what}", hint="make one with `strongroom password ACCOUNT --print`"
    )
