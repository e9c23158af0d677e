"""Bringing keys back: from a backup, from the databases, or from a dump, into a state that has none.

First everything is read and decided (``keys/restore.py``), then what stands beside the data is replaced where
its root is lost, and last the state is filled, in one transaction. Killed anywhere, it is run again: what was
replaced opens under the new root then. Called by `keys restore`, `keys recover` and `keys drill`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from strongroom.config import Settings
from strongroom.errors import KeysetsNotKept, WrongRoot
from strongroom.gateway.gate import owner_of, upstream_of
from strongroom.gateway.kept import Place, all_beside, kept_beside, replace_beside
from strongroom.keys import custody
from strongroom.keys.backup import Contents
from strongroom.keys.backups import Backup, Backups
from strongroom.keys.generation import note_loss
from strongroom.keys.hierarchy import Roots, wrapped
from strongroom.keys.holds import Holds
from strongroom.keys.journal import Journal
from strongroom.keys.kek import Keks, WrappedKek, database_of, kek_name
from strongroom.keys.model import Keyset
from strongroom.keys.restore import Beside, BroughtBack, bring_back, uses_of
from strongroom.keys.root.entering import Entered
from strongroom.keys.root.opening import make_missing, open_roots
from strongroom.keys.sealed import SealedColumn, take_over
from strongroom.keys.store import fill
from strongroom.state import State


@dataclass(frozen=True, slots=True)
class Came:
    """What was brought back, and what is to be said."""

    keks: tuple[Keyset, ...]
    keysets: tuple[Keyset, ...]
    retired: tuple[Keyset, ...]
    newer: frozenset[str]
    """Keysets that were taken from beside the data, since the backup's were older."""
    replaced: tuple[str, ...]
    """Databases whose KEK beside the data was put under the new root."""
    left: tuple[str, ...] = ()
    """Keysets out of use that nothing here opens."""
    said: tuple[str, ...] = ()


def places_of_keys(settings: Settings) -> list[Place]:
    """The databases that have protected columns."""
    return [
        Place(name, upstream := upstream_of(name, settings), owner_of(name, settings) or upstream)
        for name, database in settings.databases.items()
        if database.columns
    ]


async def find_beside(places: Iterable[Place]) -> dict[str, Beside]:
    """What stands beside the data of each; raises ``UpstreamError``."""
    return {place.name: await all_beside(place.owner) for place in places}


async def restore(settings: Settings, state: State, contents: Contents, place: str, to: str) -> Came:
    """Brings back everything from a backup, under the configured roots; raises a ``StrongroomError``."""
    places = places_of_keys(settings)
    found = await find_beside(places)
    said: list[str] = []
    roots = _roots(settings, [one.kek for one in found.values() if one.kek is not None], said)
    back = _decided(found, contents, roots)
    for one in places:
        if one.name in back:
            await _replace(one, back[one.name])
    said += [
        f"keyset {keyset.name}: what changed of its keys' states since the backup is lost with their KEK"
        for one in back.values()
        for keyset in one.rewrapped
    ]
    came = replace(_filled(state, contents, back, roots), said=tuple(said))
    Backups(state.engine).register(Backup(contents.id, contents.made, place, to, contents.holds))
    return came


def recover(state: State, found: Mapping[str, Beside], roots: Roots) -> Came:
    """Brings back what stands beside the data, which the roots open; raises a ``StrongroomError``."""
    decided = _decided(found, None, roots)
    note_loss(state.engine)
    return _filled(state, None, decided, roots)


def fill_from(state: State, contents: Contents, roots: Roots) -> Came:
    """Fills a state from a backup alone, whatever stands beside the data: for a drill."""
    return _filled(state, contents, {}, roots)


def _decided(found: Mapping[str, Beside], contents: Contents | None, roots: Roots) -> dict[str, BroughtBack]:
    decided = {name: bring_back(name, contents, beside, roots) for name, beside in found.items()}
    return {name: one for name, one in decided.items() if one is not None}


def _roots(settings: Settings, kept: Sequence[WrappedKek], said: list[str]) -> Roots:
    """The configured roots, which may be new: a missing file is made, another passphrase is a new root.

    One of two that is out of reach is no reason to wait: the next start adds its wrap.
    """
    assert settings.keys is not None  # config: protected columns have a root
    folder = settings.state.path.parent
    said += make_missing(settings.keys.roots, folder)
    entered = Entered.ask(settings.keys.roots)
    try:
        roots = open_roots(settings.keys.roots, folder, kept, entered)
    except WrongRoot:
        roots = open_roots(settings.keys.roots, folder, (), entered)
    said += [f"one of two roots cannot be used: {error.message}" for error in roots.failures]
    return Roots(roots.usable)


async def _replace(place: Place, back: BroughtBack) -> None:
    if not (back.replaced or back.rewrapped):
        return
    await replace_beside(place, back.row, back.keks, back.rewrapped)
    now = (await kept_beside(place.connector)).kek
    if now is None or dict(now.wraps) != dict(back.row.wraps):
        raise KeysetsNotKept(
            f"databases.{place.name}: {back.row.name} is not beside the data, where it was just written",
            hint="See who else writes to strongroom_keys.keks, and that no gateway runs; then run it again.",
        )


def _filled(state: State, contents: Contents | None, back: Mapping[str, BroughtBack], roots: Roots) -> Came:
    """Fills the state: with what was decided, and with what the backup has of other databases."""
    others = _others(contents, back)
    keks = [*(one.kek for one in back.values()), *others.keks]
    rows = [*(one.row for one in back.values()), *(wrapped(kek, 1, roots) for kek in others.keks)]
    keysets = [*(keyset for one in back.values() for keyset in one.keysets), *others.keysets]
    retired = [*(keyset for one in back.values() for keyset in one.retired), *others.retired]
    newer = frozenset(name for one in back.values() for name in one.newer)
    lost = newer if contents is not None else frozenset(keyset.name for keyset in keysets)
    if contents is not None:
        take_over(state.engine, contents.sealed)
        custody.note(state.engine, contents.custody)
        Journal(state.engine).take_over(contents.events)
        Holds(state.engine).take_over(contents.legal_holds)
        for entry in contents.backups:
            Backups(state.engine).register(entry)
    by_name = Keks.of(keks)
    uses = uses_of(keysets, {} if contents is None else contents.uses, lost)
    fill(
        state.engine,
        rows,
        [by_name.wrap(keyset) for keyset in keysets],
        [by_name.wrap(keyset) for keyset in retired],
        uses,
    )
    replaced = tuple(name for name, one in back.items() if one.replaced)
    left = tuple(name for one in back.values() for name in one.left)
    return Came(tuple(keks), tuple(keysets), tuple(retired), newer, replaced, left)


@dataclass(frozen=True, slots=True)
class _Others:
    """What a backup holds of databases that are not configured here."""

    keks: tuple[Keyset, ...] = ()
    keysets: tuple[Keyset, ...] = ()
    retired: tuple[Keyset, ...] = ()


def _others(contents: Contents | None, back: Mapping[str, BroughtBack]) -> _Others:
    if contents is None:
        return _Others()
    here = {kek_name(name) for name in back}
    return _Others(
        tuple(kek for kek in contents.keks if kek.name not in here),
        tuple(one for one in contents.keysets if database_of(one.name) not in back),
        tuple(one for one in contents.retired if database_of(one.name) not in back),
    )


def sealed_columns_of(found: Mapping[str, Beside]) -> list[SealedColumn]:
    """The columns that were sealed, as the CHECKs beside the data say."""
    return [SealedColumn(name, column, released=False) for name, one in found.items() for column in one.seen]
