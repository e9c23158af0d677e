"""What goes to and fro between us and the process of a PKCS#11 module: one ``Errand``, one answer.

The process (`pkcs11_token`) is started for each errand, ended with it, and given so many seconds. Both sides
pickle; only a process and the one that started it share these pipes. Plain values only, so that the process
needs little of Strongroom and starts fast.

Called by ``pkcs11``.
"""

import importlib.util
import pickle
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Literal

from strongroom.errors import RootError, RootLibraryMissing, RootUnreachable
from strongroom.secret import Secret

ERRAND_SECONDS = 20.0
"""How long one errand may take, the start of its process and the login included."""

_PROCESS = "strongroom.keys.root.pkcs11_token"


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be done with which key."""

    what: Literal["check", "make", "wrap", "unwrap"]
    module: str
    token: tuple[tuple[str, str], ...]
    """What the token must say of itself: ``token`` (its label), ``serial``, ``manufacturer`` or ``model``."""
    label: str | None
    identifier: bytes | None
    pin: Secret
    name: str
    """All of that, for people."""
    data: bytes = field(default=b"", repr=False)
    """What to wrap or to unwrap."""
    associated_data: bytes = b""


def run(errand: Errand) -> bytes:
    """The answer; raises the ``RootError`` that the process gave, or that says what became of it."""
    if importlib.util.find_spec("pkcs11") is None:
        raise RootLibraryMissing(
            "a root key in a PKCS#11 token needs the package python-pkcs11",
            hint="Run: pip install 'strongroom[pkcs11]'",
        )
    try:
        ended = subprocess.run(  # noqa: S603  # our own module
            [sys.executable, "-P", "-m", _PROCESS],  # -P: no module is taken from where we happen to be
            input=pickle.dumps(errand),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=ERRAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RootUnreachable(
            f"the PKCS#11 module did not answer in {ERRAND_SECONDS:g} seconds",
            hint="see whether the token's own tool can log in",
        ) from None
    if ended.returncode != 0:
        raise RootUnreachable(
            f"the PKCS#11 module ended its process ({_how(ended.returncode)})",
            hint="see whether the token's own tool can log in, and for a newer module of the vendor",
        )
    answer: bytes | RootError = pickle.loads(ended.stdout)  # noqa: S301  # of the process that we started
    if isinstance(answer, RootError):
        raise answer
    return answer


def _how(returncode: int) -> str:
    return f"signal {-returncode}" if returncode < 0 else f"status {returncode}"
