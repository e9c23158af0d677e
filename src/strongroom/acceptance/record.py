"""What was accepted, as it stands beside the data: in ``strongroom_keys.protection``, one row.

It is there so that a state that is new, or was copied back, does not forget what ran. Each root has wrapped
the SHA-256 of the row's content: so nobody can write such a row who cannot use the root, as who may write to
the database cannot. Statements are here, and executed by the shell. Called by ``gateway/standing.py``.
"""

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from strongroom.errors import ProtectionForgotten, RootError
from strongroom.keys.hierarchy import Roots
from strongroom.keys.kek import WrappedKek
from strongroom.keys.root import wrapping_context
from strongroom.protect.envelope import length_prefixed
from strongroom.stance.model import Stance

_LABEL = "strongroom.protection.v1"
_NAME = "protection record"
"""In the place of a KEK's name; those begin with `kek`."""

IS_THERE = """\
SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'strongroom_keys' AND c.relname = 'protection')"""
"""Asked of the catalog, which says so also where the table may not be read."""

READ = "SELECT number, stance, proofs FROM strongroom_keys.protection"

CREATE_TABLE = """\
CREATE SCHEMA IF NOT EXISTS strongroom_keys;
CREATE TABLE IF NOT EXISTS strongroom_keys.protection (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    number bigint NOT NULL,
    stance text NOT NULL,
    proofs text NOT NULL,
    written timestamptz NOT NULL DEFAULT now()
);
GRANT USAGE ON SCHEMA strongroom_keys TO PUBLIC"""

WRITE = """\
INSERT INTO strongroom_keys.protection (number, stance, proofs) VALUES ($1, $2, $3)
ON CONFLICT (one) DO UPDATE
SET number = excluded.number, stance = excluded.stance, proofs = excluded.proofs, written = now()"""
"""Parameters: the fields of ``Record`` as text."""


@dataclass(frozen=True, slots=True)
class Record:
    """The row; ``proofs`` are by the names of roots."""

    number: int
    stance: str
    proofs: Mapping[str, bytes]

    @property
    def content(self) -> bytes:
        """What is proven."""
        return hashlib.sha256(length_prefixed(_LABEL, str(self.number), self.stance)).digest()

    @property
    def as_kek(self) -> WrappedKek:
        """As roots that are found by what they wrapped (a passphrase's) want to see it."""
        return WrappedKek(_NAME, self.number, self.proofs)

    def proofs_text(self) -> str:
        """The proofs as they are kept."""
        return json.dumps({root: b64encode(one).decode() for root, one in sorted(self.proofs.items())})

    @classmethod
    def read(cls, number: bytes | None, stance: bytes | None, proofs: bytes | None) -> "Record":
        """A row; raises ``ProtectionForgotten`` for one that is not whole."""
        try:
            found = json.loads(proofs or b"")
            wraps = {str(root): b64decode(one, validate=True) for root, one in found.items()}
            return cls(int(number or b""), (stance or b"").decode(), wraps)
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise ProtectionForgotten("the row in strongroom_keys.protection is damaged") from None


def proven(number: int, stance: Stance, roots: Roots, before: Record | None = None) -> Record:
    """A record under every root that can be used; raises a ``RootError``.

    Of one with the same content, what roots out of reach have proven stays.
    """
    record = Record(number, stance.written(), {})
    former = before.proofs if before is not None and before.content == record.content else {}
    context = wrapping_context(_NAME)
    return Record(
        number,
        record.stance,
        {**former, **{root.name: root.wrap(record.content, context) for root in roots.usable}},
    )


def is_proven(record: Record, roots: Roots) -> bool:
    """Whether one of the roots wrapped this very content, under whichever name it had then."""
    context = wrapping_context(_NAME)
    for root in roots.usable:
        for proof in record.proofs.values():
            try:
                if root.unwrap(proof, context) == record.content:
                    return True
            except RootError:
                continue
    return False
