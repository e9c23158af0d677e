"""What a database's key-encryption key says of protection: how far it had come, and who signs.

Without it, who may empty the state and delete the row beside the data would make the gateway forget what ran
before. It stands in the KEK's document (``Keyset.reminder``), which only a root opens and makes, so that the
keys cannot be had without it. It never keeps a KEK from opening: what it is held against is a decision, and
people can sign that what ran before may be forgotten. Called by ``gateway/reminding.py`` and `store`.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.errors import ProtectionForgotten
from strongroom.keys.model import Keyset
from strongroom.stance.model import Stance, Weakening

NOTHING = Stance({})
"""What people sign a change from, where nobody knows what ran before."""
FORGOTTEN = Weakening("protection", "what ran before is not known any more: everything may be weaker")


@dataclass(frozen=True, slots=True, order=True)
class Reminder:
    """That a configuration of this number was accepted, and the SHA-256 of who signs by it."""

    number: int
    signers: str

    @classmethod
    def of(cls, number: int, stance: Stance) -> "Reminder | None":
        """None where nobody signs: then nothing is remembered."""
        if not stance.signers:
            return None
        written = json.dumps(stance.signers, sort_keys=True, separators=(",", ":"))
        return cls(number, hashlib.sha256(written.encode()).hexdigest())

    def __str__(self) -> str:
        return f"{self.number} {self.signers}"

    @classmethod
    def read(cls, text: str) -> "Reminder | None":
        """The reminder of a KEK; raises ``ProtectionForgotten`` for one that is not in its form."""
        if not text:
            return None
        number, _, signers = text.partition(" ")
        if not number.isdecimal() or len(signers) != hashlib.sha256().digest_size * 2:
            raise ProtectionForgotten("a key-encryption key has a reminder that is not in its form")
        return cls(int(number), signers)


def newest(keks: Iterable[Keyset]) -> Reminder | None:
    """What the KEKs of all databases say together."""
    return max(filter(None, (Reminder.read(kek.reminder) for kek in keks)), default=None)
