"""New keys: the one place where key material and key ids are drawn.

Called by the shell for a column's first keyset, by ``kek.py``, ``rotation.py`` and ``root/file.py``.
"""

import secrets
from collections.abc import Collection
from datetime import datetime

from strongroom.keys.model import MAX_KEY_ID, Algorithm, Dek, Keyset, KeyState, KeyVersion
from strongroom.protect.scheme import Scheme


def new_key_id(taken: Collection[int] = ()) -> int:
    """A random id, as Tink draws them: never 0, and never one that the keyset has had."""
    while True:
        key_id = secrets.randbelow(MAX_KEY_ID) + 1
        if key_id not in taken:
            return key_id


def new_version(
    algorithm: Algorithm, taken: Collection[int], state: KeyState, created: datetime
) -> KeyVersion:
    """A new key in this state, whose id is none of those taken."""
    key_id = new_key_id(taken)
    dek = Dek(secrets.token_bytes(algorithm.key_size), algorithm, key_id)
    return KeyVersion(key_id, state, created, dek)


def new_keyset(scheme: Scheme, created: datetime, taken: Collection[int] = ()) -> Keyset:
    """A keyset of one active key for the columns that share the scheme's keyset.

    ``taken`` are the ids of other keysets whose values stand in the same column: those of other tenants.
    """
    first = new_version(scheme.algorithm, taken, KeyState.ACTIVE, created)
    return Keyset(
        name=scheme.keyset,
        algorithm=scheme.algorithm,
        context=scheme.context,
        form=scheme.form,
        pad=scheme.pad,
        versions=(first,),
        primary=first.key_id,
    )
