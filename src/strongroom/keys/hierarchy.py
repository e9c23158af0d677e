"""The upper levels of the hierarchy: roots open key-encryption keys, and every root wraps each of them.

A KEK is kept twice, in the state and beside the data of its database; the copy with the higher revision
counts. ``settle`` opens it with whichever configured root can, and says what each place must be given, so
that both have it under every root that answers: with two roots configured, the loss of one loses nothing.
Called at start, at reload and by the key commands; never while a query waits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from strongroom.errors import (
    KeysetMismatch,
    PassphraseNeeded,
    PinRefused,
    RootError,
    RootKeyMissing,
    RootRefused,
    RootUnreachable,
    WrongRoot,
)
from strongroom.keys.kek import WrappedKek, unwrap_kek, wrap_kek
from strongroom.keys.model import Keyset
from strongroom.keys.root import RootKey

OUTSIDE = (RootKeyMissing, RootUnreachable, RootRefused, PassphraseNeeded, PinRefused)
"""What a second root makes up for: the other is lost, does not answer, says no, or nobody is there for it.

Not a root that is exposed, is none, or opens nothing: there, something is wrong that must be seen to."""


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
    moved: tuple[tuple[str, str], ...] = field(default=())
    """(before, now): the names of a root that is known by another name than when it wrapped the KEK."""
    failures: tuple[RootError, ...] = field(default=())
    """Why it could not be wrapped under roots that can be used otherwise."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A KEK, and how it was opened."""

    kek: Keyset
    root: RootKey
    name: str
    """Under which the root wrapped it: its own, or one that it had before."""


def settle(roots: Roots, state: WrappedKek | None, beside: WrappedKek | None) -> Settled | None:
    """Opens a KEK of one or two copies; None where there is none.

    Raises a ``RootError`` or ``KeysetMismatch``. An older copy must not hold a newer key: somebody would have
    put the old one in the new one's place, to take a rotation back.
    """
    copies = sorted((one for one in (beside, state) if one is not None), key=lambda one: -one.revision)
    if not copies:
        return None
    newest = copies[0]
    opened = open_wrap(newest, roots)
    for older in copies[1:]:
        if newest.wraps[opened.name] not in older.wraps.values():  # then it holds this very key
            _compare(opened.kek, newest, older, roots)
    return _under_every_root(newest, opened, roots)


def _under_every_root(row: WrappedKek, opened: Opened, roots: Roots) -> Settled:
    """The KEK wrapped by each root that can be used, and those that cannot wrap after all."""
    wraps, added, failures = dict(row.wraps), [], []
    moved = opened.root.name not in wraps
    if moved:  # what it wrapped under another name is as good: no call, and other gateways find the old name
        wraps[opened.root.name] = wraps[opened.name]
    for root in roots.usable:
        if root.name not in wraps:
            try:
                wraps[root.name] = wrap_kek(opened.kek, root)
                added.append(root.name)
            except OUTSIDE as error:
                failures.append(error)
    return Settled(
        opened.kek,
        WrappedKek(row.name, row.revision + 1, wraps) if wraps.keys() != row.wraps.keys() else row,
        tuple(added),
        ((opened.name, opened.root.name),) if moved else (),
        tuple(failures),
    )


def open_kek(row: WrappedKek, roots: Roots) -> Keyset:
    """The KEK, by the first root that opens it; raises the ``RootError`` of the last that should have."""
    return open_wrap(row, roots).kek


def open_wrap(row: WrappedKek, roots: Roots) -> Opened:
    """The KEK, and which root opened which wrap; raises a ``RootError`` as ``open_kek``.

    A wrap under a root's own name comes first. Where there is none, the address of a root may have changed
    since: what a root of the same provider wrapped is then tried, and opens for no other key.
    """
    failure: RootError | None = None
    own = [(root, root.name) for root in roots.usable if root.name in row.wraps]
    former = [
        (root, name)
        for root in roots.usable
        for name in sorted(row.wraps)
        if _provider(name) == _provider(root.name)
    ]
    for root, name in own or former:
        try:
            return Opened(unwrap_kek(row.name, row.wraps[name], root), root, name)
        except RootError as error:
            if own or not isinstance(error, WrongRoot):
                failure = error
    raise failure or _no_root(row, roots)


def _provider(name: str) -> str:
    """The first word of a root's name."""
    return name.partition(" ")[0]


def wrapped(kek: Keyset, revision: int, roots: Roots) -> WrappedKek:
    """The KEK under every configured root; raises a ``RootError`` if one of them cannot be used.

    For a new version: a root that is left out could open old values only.
    """
    if roots.failures:
        raise roots.failures[0]
    return WrappedKek(kek.name, revision, {root.name: wrap_kek(kek, root) for root in roots.usable})


def rewrapped(row: WrappedKek, kek: Keyset, roots: Roots) -> WrappedKek:
    """The KEK wrapped anew by every root, also where each had wrapped it; what others wrapped stays.

    Raises a ``RootError`` if one of them cannot be used.
    """
    fresh = wrapped(kek, row.revision + 1, roots)
    return WrappedKek(row.name, fresh.revision, {**row.wraps, **fresh.wraps})


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
