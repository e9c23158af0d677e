"""What a backup brings back, held against what stands beside the data: pure decisions, database by database.

After a loss three things may differ: the root (a new one, or the old), the backup (of last month), and what
stands beside the data (wrapped by a KEK that the lost root wrapped, and perhaps rotated since).
``bring_back`` takes the newest of everything that opens, and refuses by name where values or keysets need a
key that nothing here has: nothing is replaced then. ``gateway/kept.py`` reads and writes beside the data,
``store.fill`` the state. Called by `keys restore` and `keys recover`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from strongroom.errors import BackupOutdated, KekMissing, KeysetMismatch, RootError, WrongKek
from strongroom.keys.backup import Contents
from strongroom.keys.hierarchy import Roots, is_related, open_kek, settle, wrapped
from strongroom.keys.kek import Keks, WrappedKek, WrappedKeyset, database_of
from strongroom.keys.model import Keyset
from strongroom.keys.store import ASSUMED_USES


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside the data of one database."""

    kek: WrappedKek | None = None
    keysets: tuple[WrappedKeyset, ...] = ()
    retired: tuple[WrappedKeyset, ...] = ()
    key_ids: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """The ids of the keys in each keyset, which stand there in the clear."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """The keyset of each column, by the column's configured name."""
    seen: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """The key ids that the CHECK of each sealed column names."""


@dataclass(frozen=True, slots=True)
class BroughtBack:
    """The keys of one database, as state and database are to keep them."""

    database: str
    row: WrappedKek
    kek: Keyset
    keysets: tuple[Keyset, ...]
    retired: tuple[Keyset, ...]
    replaced: bool
    """Whether the row beside the data is replaced by ours."""
    rewrapped: tuple[Keyset, ...] = ()
    """Keysets of the backup that take the place of those that stand there under a KEK that is lost."""
    left: tuple[str, ...] = ()
    """Retired keysets beside the data that nothing here opens; they are left where they are."""
    newer: tuple[str, ...] = ()
    """Keysets that were newer beside the data than in the backup, and were taken from there."""

    @property
    def keks(self) -> Keks:
        """What wraps them."""
        return Keks.of([self.kek])

    @property
    def kept(self) -> list[WrappedKeyset]:
        """The keysets, as the state keeps them."""
        return [self.keks.wrap(keyset) for keyset in self.keysets]


def bring_back(database: str, contents: Contents | None, beside: Beside, roots: Roots) -> BroughtBack | None:
    """The keys of a database; None where neither the backup nor the database has any.

    Raises ``BackupOutdated``, ``KeysetMismatch`` or a ``RootError``; without a backup the roots must open.
    """
    ours = None if contents is None else contents.kek(database)
    if ours is None and beside.kek is None and not beside.keysets:
        return None
    theirs = _theirs(beside.kek, roots, must=ours is None)
    kek = _newer(database, ours, theirs)
    known = _of(database, () if contents is None else contents.keysets)
    opened, shut = _opened(beside.keysets, Keks.of([kek]))
    covered = [one for one in shut if _is_covered(known.get(one.name), beside.key_ids.get(one.name, ()))]
    rewrapped = [
        replace(known[one.name], revision=max(known[one.name].revision, one.revision) + 1) for one in covered
    ]
    keysets = {**known, **{one.name: one for one in rewrapped}}
    newer = []
    for one in opened:
        if one.name not in known or known[one.name].revision < one.revision:
            keysets[one.name] = one
            newer += [one.name] if contents is not None else []
    _refuse_outdated(database, [one for one in shut if one not in covered], keysets, beside, ours is not None)
    row = _row(kek, beside.kek if kek is theirs else None, beside.kek, roots)
    retired, left = _retired(database, contents, beside, kek)
    return BroughtBack(
        database,
        row,
        kek,
        tuple(keysets.values()),
        retired,
        replaced=beside.kek is not None and dict(row.wraps) != dict(beside.kek.wraps),
        rewrapped=tuple(rewrapped),
        left=left,
        newer=tuple(newer),
    )


def uses_of(
    keysets: Iterable[Keyset], known: Mapping[tuple[str, int], int], lost: Collection[str]
) -> dict[tuple[str, int], int]:
    """The counts of uses that are known, and what must be assumed for keysets whose counts were lost."""
    assumed = {(one.name, one.primary): ASSUMED_USES for one in keysets if one.name in lost}
    return {**assumed, **known}


def _theirs(row: WrappedKek | None, roots: Roots, *, must: bool) -> Keyset | None:
    """The KEK beside the data, if a root opens it; raises the ``RootError`` where there is no other."""
    if row is None:
        return None
    try:
        return open_kek(row, roots)
    except RootError:
        if must:
            raise
        return None


def _newer(database: str, ours: Keyset | None, theirs: Keyset | None) -> Keyset:
    if ours is None or theirs is None:
        only = ours or theirs
        if only is None:
            raise KekMissing(f"{database}: there are keysets beside the data, and no KEK")
        return only
    newer, older = (theirs, ours) if theirs.revision >= ours.revision else (ours, theirs)
    if not is_related(newer, older):
        raise KeysetMismatch(
            f"{newer.name!r} in the backup and beside the data are two different keys",
            hint="this backup belongs to another database: see which one the configuration names",
        )
    return newer


def _row(kek: Keyset, opened: WrappedKek | None, beside: WrappedKek | None, roots: Roots) -> WrappedKek:
    """How both places keep the KEK: as the database has it, where a root opened that, or wrapped anew."""
    if opened is None:
        return wrapped(kek, 1 if beside is None else beside.revision + 1, roots)
    settled = settle(roots, None, opened)
    assert settled is not None  # there is a copy
    return settled.row


def _of(database: str, keysets: Iterable[Keyset]) -> dict[str, Keyset]:
    return {one.name: one for one in keysets if database_of(one.name) == database}


def _retired(
    database: str, contents: Contents | None, beside: Beside, kek: Keyset
) -> tuple[tuple[Keyset, ...], tuple[str, ...]]:
    """Those of the backup and what else stands beside the data; and the names of what does not open."""
    ours = () if contents is None else contents.retired
    known = [one for one in ours if database_of(one.name) == database]
    opened, shut = _opened(beside.retired, Keks.of([kek]))
    there = {(one.name, one.primary) for one in known}
    more = [one for one in opened if (one.name, one.primary) not in there]
    names = {one.name for one in known}
    return (*known, *more), tuple(dict.fromkeys(one.name for one in shut if one.name not in names))


def _opened(kept: Iterable[WrappedKeyset], keks: Keks) -> tuple[list[Keyset], list[WrappedKeyset]]:
    opened, shut = [], []
    for one in kept:
        try:
            opened.append(keks.unwrap(one))
        except (KekMissing, WrongKek):
            shut.append(one)
    return opened, shut


def _is_covered(known: Keyset | None, ids: Collection[int]) -> bool:
    """Whether the backup has every key of a keyset whose KEK was rotated since, and so does not open.

    The ids of its keys, which are random, stand in the clear. What changed of their states since is lost with
    the KEK: a key that was suspended after the backup opens again.
    """
    return known is not None and bool(ids) and known.key_ids >= frozenset(ids)


def _refuse_outdated(
    database: str,
    shut: Sequence[WrappedKeyset],
    keysets: Mapping[str, Keyset],
    beside: Beside,
    has_kek: bool,
) -> None:
    """Names every column that needs a key which is neither in the backup nor to be opened here."""
    lines = []
    for one in shut:
        users = [name for name, keyset in beside.columns.items() if keyset == one.name] or [one.name]
        has = f"has revision {keysets[one.name].revision}" if one.name in keysets else "does not have it"
        missing = sorted(set(beside.key_ids.get(one.name, ())) - _ids(keysets.get(one.name)))
        needs = f", and lacks key {', '.join(f'{key_id:08x}' for key_id in missing)}" if missing else ""
        lines.append(f"{', '.join(users)}: its keyset is at revision {one.revision}, the backup {has}{needs}")
    named = {one.name for one in shut}
    for column, ids in beside.seen.items():
        keyset = keysets.get(beside.columns.get(column, ""))
        if keyset is not None and keyset.name not in named and (strange := sorted(ids - keyset.key_ids)):
            lines.append(f"{column}: values may be sealed by key {strange[0]:08x}, which its keyset has not")
    if lines:
        roots = ", ".join(sorted(beside.kek.wraps)) if beside.kek is not None else "none"
        raise BackupOutdated(
            f"databases.{database}: the backup is older than the data, or of another database"
            if has_kek
            else f"databases.{database}: the keysets beside the data do not open",
            detail="\n".join(lines),
            hint=f"restore a newer backup, or bring back one of the roots that wrap its KEK: {roots};"
            " nothing was changed",
        )


def _ids(keyset: Keyset | None) -> set[int]:
    return set() if keyset is None else {version.key_id for version in keyset.versions}
