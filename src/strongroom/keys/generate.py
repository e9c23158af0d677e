"""New keys: the one place where key material and key ids are drawn.

Called by the shell for a column's first keyset and by ``root/file.py``.
"""

import secrets
from collections.abc import Collection
from datetime import datetime

from strongroom.keys.model import MAX_KEY_ID, Dek, Keyset, KeyState, KeyVersion
from strongroom.protect.scheme import Scheme


def new_key_id(taken: Collection[int] = ()) -> int:
    """A random id, as Tink draws them: never 0, and never one that the keyset has had."""
    while True:
        key_id = secrets.randbelow(MAX_KEY_ID) + 1
        if key_id not in taken:
            return key_id


def new_keyset(scheme: Scheme, created: datetime) -> Keyset:
    """A keyset of one active key for the columns that share the scheme's keyset."""
    key_id = new_key_id()
    dek = Dek(secrets.token_bytes(scheme.algorithm.key_size), scheme.algorithm, key_id)
    return Keyset(
        name=scheme.keyset,
        algorithm=scheme.algorithm,
        context=scheme.context,
        form=scheme.form,
        pad=scheme.pad,
        versions=(KeyVersion(key_id, KeyState.ACTIVE, created, dek),),
        primary=key_id,
    )
