"""A credential in a file, such as a token that an agent renews: read at each use, never kept.

Its owner's group may read it, as agents and orchestrators write it, but nobody else. Called by
``vault_client``.
"""

import os
import re
import stat
from pathlib import Path

from strongroom.errors import RootKeyUnsafe, RootRefused
from strongroom.secret import Secret

MAX_SIZE = 16_384  # bytes; Vault's longest tokens have some hundreds
CREDENTIAL = re.compile(r"[!-~]+")  # what can stand in a header, and no space


def read_credential(path: Path, what: str) -> Secret:
    """The one word in the file; raises ``RootRefused`` or ``RootKeyUnsafe``."""
    try:
        # Without O_NONBLOCK the opening of a FIFO waits for somebody to write (manual page open(2)).
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if os.fstat(descriptor).st_mode & stat.S_IRWXO:
                raise RootKeyUnsafe(f"{path}: anybody may read the {what}", hint=f"Run: chmod o= {path}")
            text = file.read(MAX_SIZE + 1).decode("ascii")
    except OSError as error:
        raise RootRefused(
            f"{path}: the {what} cannot be read: {error.strerror}", hint="see that its agent has written it"
        ) from None
    except UnicodeDecodeError:
        text = ""
    if len(text) > MAX_SIZE or not CREDENTIAL.fullmatch(text.strip()):
        raise RootRefused(f"{path}: there is no {what} in it", hint="see that its agent has written it")
    return Secret(text.strip())
