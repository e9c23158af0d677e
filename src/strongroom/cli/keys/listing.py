"""``strongroom keys list`` and ``show``: which keys there are, what each may do, and what is due."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer

from strongroom.cli.keys.naming import keysets_of, of_each_tenant
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_table
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.errors import KeysetMissing, TenantKeyAway
from strongroom.gateway.protection import open_keks, schemes_of
from strongroom.gateway.tenants import holds_own
from strongroom.keys.custody import NOBODY, Custody, Overdue, keeping, noted, overdue, unkept
from strongroom.keys.endings import Endings, Kind, of_version
from strongroom.keys.generation import Rollback, unseen
from strongroom.keys.kek import Keks, WrappedKek, database_of, family_of, kek_name, scope_of, tenant_of
from strongroom.keys.model import Keyset, KeyVersion
from strongroom.keys.rotation import due
from strongroom.keys.store import KeyStore, kept_keks, kept_keysets
from strongroom.state import State, look_at_state

Name = Annotated[
    str, typer.Argument(metavar="KEY", help="A column, COLUMN@TENANT, or a name that `keys list` shows.")
]


def list_keys(*, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """Show every key: what it serves, how old it is, how much it was used, and what is due.

    Exit status 1 where a rotation is due, or the test of a key's backup; where for a month nobody was noted
    who keeps a key, or its backup (`strongroom keys custody`); or where the state was copied back, or lost,
    and nobody has seen to it (`strongroom keys rollbacks`). Keys of tenants that are withdrawn or destroyed
    are listed as such, with what is known without them.

    Example: strongroom keys list --json
    """
    settings = load(config)
    with _kept(settings) as kept:
        rows = [kept.summary(keyset) for keyset in kept.all]
        rows += [kept.absence(name, state) for name, state in kept.absent.items()]
        tests = [one for one in kept.overdue if one.name not in {row["key"] for row in rows}]
        rows += [{"key": "the state", "due": _seen_to(one)} for one in kept.rollbacks]
    rows += [{"key": one.name, "due": one.words} for one in tests]
    columns = ["key", "columns", "state", "versions", "newest", "age", "uses", "keeper", "due"]
    print_table(columns, rows, as_json=json)
    if any(row["due"] for row in rows):
        raise typer.Exit(1)


def show(key: Name, *, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """Show the versions of one key, with their states.

    Examples: strongroom keys show public.customers.email · strongroom keys show "kek shop"
    """
    settings = load(config)
    with _kept(settings) as kept:
        keyset = kept.named(key)
        rows = [kept.version(keyset, version) for version in keyset.versions]
    columns = ["version", "key_id", "state", "seals", "opens", "created", "uses", "destruction"]
    print_table(columns, rows, as_json=json)


@dataclass(frozen=True, slots=True)
class _Kept:
    """The keys of the state, opened."""

    keks: Keks
    keysets: Mapping[str, Keyset]
    uses: Mapping[tuple[str, int], int]
    columns: Mapping[str, list[str]]
    settings: Settings
    now: datetime
    custody: Mapping[str, Custody]
    overdue: list[Overdue]
    rollbacks: list[Rollback]
    endings: Mapping[str, datetime]
    """From when on versions may be destroyed, by the names of ``endings.of_version``."""
    absent: Mapping[str, str]
    """The keys of tenants that are not here, by name: withdrawn, destroyed, or not to be opened."""

    @property
    def all(self) -> list[Keyset]:
        """KEKs first."""
        return [*self.keks.by_name.values(), *self.keysets.values()]

    def named(self, name: str) -> Keyset:
        """By its own name, or that of a column that it serves, or of a tenant's values in one.

        Raises ``KeysetMissing``, or a ``TenantError`` for a key that is not here.
        """
        names = {name, *keysets_of(self.settings, name)}
        found = [keyset for keyset in self.all if keyset.name in names]
        if len(found) > 1:
            several = ", ".join(one.name for one in found)
            raise KeysetMissing(f"{name} is in several databases", hint=f"name one of: {several}")
        if found:
            return found[0]
        for one in sorted(names & self.absent.keys()):
            raise TenantKeyAway(f"{one} is {self.absent[one]}")
        raise KeysetMissing(
            f"there is no key {name!r}",
            hint=of_each_tenant(self.settings, name) or "`strongroom keys list` shows those there are",
        )

    def summary(self, keyset: Keyset) -> dict[str, object]:
        """One row of the list."""
        primary = keyset.version(keyset.primary)
        assert self.settings.keys is not None
        return {
            "key": keyset.name,
            "columns": self._columns(keyset.name),
            "state": "here",
            "versions": len(keyset.versions),
            "newest": f"{keyset.primary:08x}",
            "age": f"{(self.now - primary.created).days} days",
            "uses": self.uses.get((keyset.name, keyset.primary), 0),
            "keeper": self._keeper(keyset.name),
            "due": "; ".join(self._due(keyset)) or None,
        }

    def absence(self, name: str, state: str) -> dict[str, object]:
        """The row of a key that is not here."""
        late = "; ".join(one.words for one in self.overdue if one.name == name)
        unknown = dict.fromkeys(["versions", "newest", "age", "uses"])
        known = {"key": name, "columns": self._columns(name), "state": state, "keeper": self._keeper(name)}
        return {**known, **unknown, "due": late or None}

    def _keeper(self, name: str) -> str:
        one = keeping(self.custody, name)
        return NOBODY if one is None else one.keeper or NOBODY

    def _columns(self, name: str) -> str:
        return ", ".join(self.columns.get(family_of(name), ()))

    def _due(self, keyset: Keyset) -> Iterator[str]:
        assert self.settings.keys is not None
        if reason := due(keyset, self.uses, self.now, self.settings.keys.period):
            yield reason
        yield from (one.words for one in self.overdue if one.name == keyset.name)

    def version(self, keyset: Keyset, version: KeyVersion) -> dict[str, object]:
        """One row of what is shown of a keyset."""
        number = keyset.number(version.key_id)
        ends = self.endings.get(of_version(keyset.name, number, version.key_id).name)
        return {
            "version": number,
            "key_id": f"{version.key_id:08x}",
            "state": version.state.value,
            "seals": version.key_id == keyset.primary,
            "opens": version.key_id in keyset.key_ids,
            "created": f"{version.created:%Y-%m-%d}",
            "uses": self.uses.get((keyset.name, version.key_id), 0),
            "destruction": None if ends is None else f"{ends:%Y-%m-%d %H:%M}Z",
        }


def _seen_to(one: Rollback) -> str:
    return f"{one.what}, found {one.found:%Y-%m-%d %H:%M}Z; see `strongroom keys rollbacks`"


@contextmanager
def _kept(settings: Settings) -> Iterator[_Kept]:
    state = look_at_state(settings.state)
    try:
        keks = open_keks(settings, state)
        store = KeyStore(state.engine, keks)
        columns: dict[str, list[str]] = {}
        for database in settings.databases:
            for name, scheme in schemes_of(settings, database).items():
                columns.setdefault(scheme.keyset, []).append(name)
        now = datetime.now(UTC)
        back = unseen(state.engine)
        endings = Endings(state.engine).all(Kind.VERSION)
        keysets, absent = store.load(), _absent(settings, state, keks)
        custody = {one.name: one for one in noted(state.engine)}
        made = _made(state, [*keks.by_name.values(), *keysets.values()])
        late = [*overdue(state.engine, now), *unkept(state.engine, made, now)]
        yield _Kept(keks, keysets, store.uses(), columns, settings, now, custody, late, back, endings, absent)
    finally:
        state.close()


def _made(state: State, keysets: Iterable[Keyset]) -> dict[str, datetime]:
    """When each key was made that somebody must keep: not tenants'; a root, when what it wraps was."""
    made = {one.name: one.versions[0].created for one in keysets if tenant_of(one.name) is None}
    for name, row in kept_keks(state.engine).items():
        for root in row.wraps if name in made else ():
            made[root] = min(made[name], made.get(root, made[name]))
    return made


def _absent(settings: Settings, state: State, keks: Keks) -> dict[str, str]:
    """The keys of tenants that do not open, each with its state; keysets go with what wraps them."""
    rows = [row for name, row in sorted(kept_keks(state.engine).items()) if name not in keks.by_name]
    states = {scope_of(row.name): _state_of(settings, row) for row in rows}
    found = {kek_name(scope): one for scope, one in states.items()}
    keysets = [one.name for one in kept_keysets(state.engine) if database_of(one.name) in states]
    return found | {name: states[database_of(name)] for name in keysets}


def _state_of(settings: Settings, row: WrappedKek) -> str:
    if row.is_destroyed:
        return "destroyed"
    return "withdrawn" if holds_own(settings, row.name) else "not here"
