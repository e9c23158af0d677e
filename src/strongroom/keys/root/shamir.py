"""``shamir:`` root: a key of which nobody has more than a share; k of n people bring it back at each start.

It wraps as a file's key does (``file.py``): what it wraps is a Tink AEAD ciphertext whose key id is the id of
the set of shares. A new set is a new root, to which the configuration is moved like to any other: so shares
of a former set, and people who had one, open nothing that is wrapped by the new one. Opened by ``opening``,
with the lines that people entered.
"""

import os
from collections.abc import Callable, Iterable
from typing import Self

from strongroom.errors import ShareError, SharesMissing, WrongRoot
from strongroom.keys.generate import new_key_id
from strongroom.keys.root.file import FileRoot
from strongroom.keys.shares import SECRET_SIZE, Share, combine, split


class ShamirRoot:
    """A root key that was put together of shares; prints as its name."""

    __slots__ = ("_key",)

    def __init__(self, secret: bytes, set_id: int) -> None:
        self._key = FileRoot(secret, set_id)

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @classmethod
    def make(cls, *, count: int, threshold: int) -> tuple[Self, tuple[Share, ...]]:
        """A new root and its shares, which exist nowhere else; raises ``ImpossibleShares``.

        The caller gives each share to its keeper, and has them entered once, before anything relies on them.
        """
        secret, set_id = os.urandom(SECRET_SIZE), new_key_id()
        return cls(secret, set_id), split(secret, set_id, count=count, threshold=threshold)

    @classmethod
    def open(cls, lines: Iterable[str], set_id: int | None = None) -> Self:
        """The root of the lines that were entered; raises a ``ShareError``, also for another set."""
        combined = combine(lines, set_id)
        return cls(combined.secret, combined.set_id)

    @classmethod
    def gather(cls, ask: Callable[[str], str], say: Callable[[str], None], set_id: int | None = None) -> Self:
        """Asks for one share after another until there are enough; says at once what is wrong with one."""
        lines: list[str] = []
        while True:
            line = ask(f"Share {len(lines) + 1} of the root key: ")
            if not line.strip():
                continue
            try:
                return cls.open([*lines, line], set_id)
            except SharesMissing:
                lines.append(line)  # it is a good one
            except ShareError as error:
                say(f"{error.message}. {error.hint}")

    @property
    def name(self) -> str:
        """The provider and the set."""
        return f"shamir {self._key.key_id:08x}"

    def wrap(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """The plaintext as a Tink AEAD ciphertext."""
        return self._key.wrap(plaintext, associated_data)

    def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        """The plaintext; raises ``WrongRoot``, also where shares were forged."""
        try:
            return self._key.unwrap(wrapped, associated_data)
        except WrongRoot:
            raise WrongRoot(
                f"a wrapped key does not open with the shares of set {self._key.key_id:08x}",
                hint="enter the shares of the set that was in use when it was wrapped; if they are, restore"
                " what it wrapped from a backup",
            ) from None
