"""A keyed hash of a parameter: who asked for a customer can be told, without the customer in the log.

HMAC-SHA-256 of the canonical plaintext (`protect.canonical`: one form for a value, however it was written),
under a key for the column that comes of one secret by HKDF. Who has a value and the secret finds its records;
who has the log alone learns which records are about the same value, and how often one comes. Without the
secret nobody can try values; with it, everybody can. Once it is destroyed, the hashes say no more than which
are alike.

docs/spec/audit-records.md is normative.
"""

import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom.audit.records.naming import qualified
from strongroom.audit.records.statements import Keyed
from strongroom.errors import Bug, IllegalTransition
from strongroom.protect.envelope import length_prefixed
from strongroom.wire.postgres import types

KEY_OCTETS = 32
HASH_OCTETS = 16
"""Of 32: two values of the same hash are not to be found by accident (RFC 2104, section 5, allows half)."""
TYPES = frozenset({types.INT2, types.INT4, types.INT8, types.TEXT, types.VARCHAR, types.UUID, types.DATE})
"""Of columns that can have hashes: canonical forms that hang on no modifier, which who asks may not know."""
_LABEL = "strongroom.audit.keyed.v1"


class KeyedColumn:
    """What makes the hashes of one column; prints as ``<KeyedColumn public.customers.id>``."""

    __slots__ = ("_key", "column")

    def __init__(self, secret: bytes, database: str, *names: str) -> None:
        """``names`` are schema, table and column; ``secret`` is of 32 uniformly random octets or more."""
        if len(secret) < KEY_OCTETS:
            raise Bug(f"the secret behind keyed hashes has {KEY_OCTETS} octets at least")
        info = length_prefixed(_LABEL, database, *names)
        self._key = HKDF(SHA256(), KEY_OCTETS, salt=None, info=info).derive(secret)
        self.column = qualified(*names)

    def of(self, canonical: bytes) -> Keyed:
        """The hash of a value, by its canonical plaintext in the column's declared type."""
        return Keyed(self.column, hmac.digest(self._key, canonical, "sha256")[:HASH_OCTETS].hex())

    def __repr__(self) -> str:
        return f"<KeyedColumn {self.column}>"

    def __reduce__(self) -> str:
        raise IllegalTransition("a key is never pickled", hint="derive it again")
