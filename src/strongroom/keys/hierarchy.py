"""The upper levels of the hierarchy: roots open key-encryption keys, and every root wraps each of them.

A KEK is kept twice, in the state and beside the data of its database; the copy with the higher revision
counts. ``settle`` opens it with whichever configured root can, and says what each place must be given, so
that both have it under every root that answers: with two roots configured, the loss of one loses nothing.
Called at start, at reload and by the key commands; never while a query waits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from strongroom.errors import KeysetMismatch, RootError, WrongRoot
from strongroom.keys.kek import WrappedKek, unwrap_kek, wrap_kek
from strongroom.keys.model import Keyset
from strongroom.keys.root import RootKey


@dataclass(frozen=True, slots=True)
class Roots:
    """The configured roots that can be used now, in their order; and why others cannot."""

    usable: tuple[RootKey, ...]
    failures: tuple[RootError, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of those that can be used."""
        return tuple(root.name for root in self.usable)


@dataclass(frozen=True, slots=True)
class Settled:
    """A KEK, and how both places must keep it."""

    kek: Keyset
    row: WrappedKek
    added: tuple[str, ...] = field(default=())
    """Names of roots under which it was not wrapped before."""


def settle(roots: Roots, state: WrappedKek | None, beside: WrappedKek | None) -> Settled | None:
    """Opens a KEK of one or two copies; None where there is none.

    Raises a ``RootError`` or ``KeysetMismatch``. An older copy must not hold a newer key: somebody would have
    put the old one in the new one's place, to take a rotation back.
    """
    copies = sorted((one for one in (beside, state) if one is not None), key=lambda one: -one.revision)
    if not copies:
        return None
    newest = copies[0]
    kek = open_kek(newest, roots)
    for older in copies[1:]:
        if dict(older.wraps) != dict(newest.wraps):
            _compare(kek, newest, older, roots)
    missing = [root for root in roots.usable if root.name not in newest.wraps]
    if not missing:
        return Settled(kek, newest)
    wraps = {**newest.wraps, **{root.name: wrap_kek(kek, root) for root in missing}}
    return Settled(
        kek, WrappedKek(newest.name, newest.revision + 1, wraps), tuple(root.name for root in missing)
    )


def open_kek(row: WrappedKek, roots: Roots) -> Keyset:
    """The KEK, by the first root that opens it; raises the ``RootError`` of the last that should have."""
    failure: RootError | None = None
    for root in roots.usable:
        if root.name in row.wraps:
            try:
                return unwrap_kek(row.name, row.wraps[root.name], root)
            except RootError as error:
                failure = error
    raise failure or _no_root(row, roots)


def wrapped(kek: Keyset, revision: int, roots: Roots) -> WrappedKek:
    """The KEK under every configured root; raises a ``RootError`` if one of them cannot be used.

    For a new version: a root that is left out could open old values only.
    """
    if roots.failures:
        raise roots.failures[0]
    return WrappedKek(kek.name, revision, {root.name: wrap_kek(kek, root) for root in roots.usable})


def _compare(kek: Keyset, newest: WrappedKek, older: WrappedKek, roots: Roots) -> None:
    """Refuses a copy that is older by its number and newer by what it holds, or another key altogether."""
    try:
        other = open_kek(older, roots)
    except RootError:
        return  # wrapped by roots of former times; nothing can be said of it
    if other.revision > kek.revision:
        raise KeysetMismatch(
            f"the newest copy of {kek.name!r} holds an older key than another copy",
            hint="somebody put an old copy in the new one's place: restore strongroom_keys.keks or the state",
        )
    if not is_related(kek, other) or (newest.revision == older.revision and kek.primary != other.primary):
        raise KeysetMismatch(
            f"{kek.name!r} in the state and beside the data are two different keys",
            hint="this state belongs to another database: restore the right one, or start with an empty state"
            " to take over the keys that are beside the data",
        )


def is_related(newer: Keyset, older: Keyset) -> bool:
    """Whether one came from the other: versions are added, and never taken off the list."""
    ids: Mapping[int, object] = {version.key_id: version for version in newer.versions}
    return all(version.key_id in ids for version in older.versions)


def _no_root(row: WrappedKek, roots: Roots) -> RootError:
    known: Sequence[str] = sorted(row.wraps)
    if roots.failures:
        return roots.failures[0]
    return WrongRoot(
        f"{row.name!r} is wrapped by {', '.join(known)}; configured is {', '.join(roots.names)}",
        hint="put back the root key that was in use when it was made",
    )
