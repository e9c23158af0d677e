"""What is known of the key-encryption key of one tenant: held together from its copies, and opened.

It is kept in the state and in one more place: beside the data where the tenant's own provider wraps it, in
the folder of copies (``copies.py``) where our roots do. A destroyed one leaves a row behind that says so.
Such a row is genuine if the destroyed key itself made it, so that who can write to the database cannot have
keys destroyed. Called by ``gateway/tenants.py``.
"""

from collections.abc import Collection
from dataclasses import dataclass

from strongroom.errors import InvalidCiphertext, InvalidKeyset, StrongroomError, TenantKeyAway
from strongroom.keys import wrapping
from strongroom.keys.hierarchy import Roots, settle
from strongroom.keys.kek import DESTROYED, WrappedKek
from strongroom.keys.model import Keyset
from strongroom.protect.envelope import key_id_of, length_prefixed

_LABEL = "strongroom.destroyed.v1"


@dataclass(frozen=True, slots=True)
class Standing:
    """One tenant's KEK: here, away, or destroyed."""

    name: str
    kek: Keyset | None = None
    row: WrappedKek | None = None
    """How both places must keep it, where it is here or destroyed."""
    failure: StrongroomError | None = None
    """Why it is not here, or why only what was held before is."""
    forged: bool = False
    """Whether a row says that it was destroyed, and was not made by it."""

    @property
    def is_destroyed(self) -> bool:
        """Whether it was destroyed, here or by another gateway."""
        return self.row is not None and self.row.is_destroyed


def destroyed(row: WrappedKek, kek: Keyset | None) -> WrappedKek:
    """The row that takes the place of a KEK; made by the KEK itself, where it is here."""
    mark = b""
    if kek is not None:
        primary = kek.version(kek.primary)
        assert primary.dek is not None  # model: the primary is active
        mark = wrapping.wrap(primary.dek.aead(), kek.primary, b"", _context(row.name))
    return WrappedKek(row.name, row.revision + 1, {DESTROYED: mark})


def is_genuine(row: WrappedKek, kek: Keyset) -> bool:
    """Whether this KEK made the row that says it was destroyed."""
    mark = row.wraps[DESTROYED]
    try:
        version = kek.version(key_id_of(mark))
        if version.dek is None:
            return False
        wrapping.unwrap(version.dek.aead(), version.key_id, mark, _context(row.name))
    except (InvalidCiphertext, InvalidKeyset, wrapping.DoesNotOpen):
        return False
    return True


def stand(name: str, state: WrappedKek | None, other: Collection[WrappedKek], roots: Roots) -> Standing:
    """How a tenant's KEK stands; ``other`` is what its other places have, ``roots`` is who wraps it.

    Raises nothing: the key of one tenant is no reason to keep others from theirs.
    """
    gone = _newest([one for one in (*other, *_some(state)) if one.is_destroyed])
    if state is not None and state.is_destroyed and not _is_newer(_newest(_live(other)), state):
        return Standing(name, row=gone)
    live = state if state is not None and not state.is_destroyed else None
    copy = _newest(_live(other))
    if live is None and copy is None:
        return Standing(name, row=gone)
    try:
        settled = settle(roots, live, copy)
    except StrongroomError as error:
        return Standing(name, failure=error)
    if settled is None:
        return Standing(name, failure=TenantKeyAway(f"there is no copy of {name!r} here"))
    if gone is None or gone.revision <= settled.row.revision:
        return Standing(name, settled.kek, settled.row)
    if is_genuine(gone, settled.kek):
        return Standing(name, row=gone)
    row = WrappedKek(name, gone.revision + 1, settled.row.wraps)  # which takes the forged one's place
    return Standing(name, settled.kek, row, forged=True)


def _live(rows: Collection[WrappedKek]) -> list[WrappedKek]:
    return [one for one in rows if not one.is_destroyed]


def _newest(rows: Collection[WrappedKek]) -> WrappedKek | None:
    return max(rows, key=lambda one: one.revision, default=None)


def _is_newer(copy: WrappedKek | None, than: WrappedKek) -> bool:
    """Made again by another gateway, after this one was destroyed."""
    return copy is not None and copy.revision > than.revision


def _some(row: WrappedKek | None) -> list[WrappedKek]:
    return [] if row is None else [row]


def _context(name: str) -> bytes:
    """The associated data of what a KEK says of its own end."""
    return length_prefixed(_LABEL, name)
