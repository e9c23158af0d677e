"""The passwords of people: what is kept of them is an Argon2id verifier, as a PHC string (RFC 9106).

A person's password never reaches a database or the gateway's port; ``strongroom login`` alone asks for it.
Called by `sign_in`, and by ``strongroom people`` to make one.
"""

import os
import threading
import unicodedata

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from strongroom.errors import PersonRefused
from strongroom.secret import Secret

MIN_LENGTH = 12
"""Characters. NIST SP 800-63B-4, 3.1.1.2, asks for 8 beside a second factor, 15 without."""
MAX_LENGTH = 256
SALT_SIZE = 16  # bytes (RFC 9106, section 3.1)
# The second recommended choice of RFC 9106, section 4: 64 MiB, three passes, four lanes.
MEMORY_KIB, PASSES, LANES = 65_536, 3, 4

_ONE_AT_A_TIME = threading.Lock()
"""Each takes 64 MiB, and OpenSSL counts the threads for its lanes once for the whole process: several at a
time fail, with an error that says memory."""


def make(password: Secret) -> Secret:
    """The verifier of a new password; raises ``PersonRefused`` for one that is too short or too long."""
    if not MIN_LENGTH <= len(_prepared(password).decode()) <= MAX_LENGTH:
        raise PersonRefused(
            f"the password has not {MIN_LENGTH} to {MAX_LENGTH} characters",
            hint="Take four or five words that nobody would put together.",
        )
    argon = Argon2id(
        salt=os.urandom(SALT_SIZE), length=32, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB
    )
    with _ONE_AT_A_TIME:
        return Secret(argon.derive_phc_encoded(_prepared(password)))


def is_right(password: Secret, verifier: Secret | None) -> bool:
    """Whether this is the password; without a verifier it is none, which takes the same time to say."""
    try:
        with _ONE_AT_A_TIME:
            Argon2id.verify_phc_encoded(_prepared(password), (verifier or _NOBODYS).danger_reveal())
    except InvalidKey:
        return False
    return verifier is not None


_NOBODYS = Secret(f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43)
"""What no password is known to give."""


def _prepared(password: Secret) -> bytes:
    """NFKC (NIST SP 800-63B-4, 3.1.1.2): keyboards differ in how they put accents together."""
    return unicodedata.normalize("NFKC", password.danger_reveal()).encode("utf-8", "surrogatepass")
