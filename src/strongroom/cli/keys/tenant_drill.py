"""Would the backups of tenants' keys bring them back? Each is tried out, beside the live state.

A file holds one tenant's keys and is proved for itself, since it is restored for itself: of two of a tenant,
the older one is said to be too old. A damaged one does not keep others from being proved. What opens the
values of a tenant whose key was destroyed is no backup, but what shredding did not reach. Called by `keys
drill`.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

import typer

from strongroom.cli.keys.asking import key_for, read_file
from strongroom.cli.keys.rehearsal import rehearsed
from strongroom.config import Settings
from strongroom.errors import StrongroomError
from strongroom.gateway.kept import Place
from strongroom.gateway.protection import read_schema, schemes_of
from strongroom.gateway.restoring import places_of_keys
from strongroom.gateway.sampling import sample
from strongroom.gateway.tenants import holds_own
from strongroom.keys import age
from strongroom.keys.backup import Contents
from strongroom.keys.backups import Backup, Backups
from strongroom.keys.custody import note_tested
from strongroom.keys.drill import Line, compare, open_values
from strongroom.keys.journal import Journal
from strongroom.keys.kek import Keks, scope_of, tenant_of
from strongroom.keys.model import Keyset
from strongroom.keys.store import kept_keks
from strongroom.keys.tenant_backup import SUFFIX, contents_of, read
from strongroom.protect.scheme import Scheme
from strongroom.session.snapshot import column_type, places_of
from strongroom.state import State
from strongroom.wire.postgres import types

_ENDS = {"tenant destroyed", "tenant destruction taken over"}


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files that are named, and those in folders; raises ``typer.BadParameter`` where there is none."""
    found: list[Path] = []
    for path in paths:
        there = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
        if not there:
            raise typer.BadParameter(f"{path}: there is no file *{SUFFIX}")
        found += there
    return list(dict.fromkeys(found))


def key_of_tenants(
    file: Path, of_all: age.Key, identity: Path | None, passphrase_from: Path | None
) -> age.Key:
    """What opens tenants' backups: the identity, or the passphrase that opened the backup of all."""
    content = read_file(file)
    if identity is None and not isinstance(of_all, age.Identities) and age.is_to_passphrase(content):
        return of_all
    return key_for(content, identity, shares=False, passphrase_from=passphrase_from)


@dataclass(frozen=True)  # without slots, for what is read once
class TenantDrill:
    """The drill of one installation, at one moment."""

    settings: Settings
    state: State
    live: Keks
    """The key-encryption keys that are here."""
    now: datetime

    def lines(self, files: Sequence[Path], key: age.Key, given: Sequence[Path]) -> list[Line]:
        """What each file proves; and, where folders were ``given``, whose keys are in none of the files."""
        lines: list[Line] = []
        proved: set[str] = set()
        for file in files:
            try:
                what, kek = read(read_file(file), key)
            except StrongroomError as error:
                lines.append(Line("file", str(file), False, error.message))
                continue
            proved.add(kek.name)
            lines += self._proof(file, what, kek)
        if any(path.is_dir() for path in given):
            lines += [Line("key", name, False, "in none of these files") for name in self._left_out(proved)]
        return lines

    def _proof(self, file: Path, what: Contents, kek: Keyset) -> list[Line]:
        """Of one file; a date is noted where all of it holds."""
        if reason := self._refused(what, kek):
            return [Line("file", str(file), False, reason)]
        scope = scope_of(kek.name)
        restored = rehearsed(what, self.now, lambda engine, keks, at: contents_of(engine, keks, scope, at))
        live = contents_of(self.state.engine, self.live, scope, self.now)
        lines = compare([*live.keks, *live.keysets], [*restored.keks, *restored.keysets])
        lines += asyncio.run(self._values(scope, live, restored))
        whole = all(line.holds for line in lines)
        self._note(what, file, whole=whole)
        return [Line("file", str(file), whole, f"backup {what.id} of {what.made:%Y-%m-%d %H:%MZ}"), *lines]

    def _refused(self, what: Contents, kek: Keyset) -> str | None:
        """Why there is nothing to prove."""
        if self._destroyed(kek.name) and not self._is_ours(kek):
            return f"{kek.name} was destroyed, and this file has it still: destroy every copy of the file"
        if kek.name not in self.live.by_name:
            return f"{kek.name} is not here to compare it with: `strongroom keys tenants list` says more"
        if not self._is_ours(kek):
            return f"{kek.name} is here, and is another key"
        if any(one.id == what.id and one.forgotten is not None for one in Backups(self.state.engine).all()):
            return "it was said to be destroyed (keys backups --forget), and is there"
        return None

    def _destroyed(self, name: str) -> bool:
        """Whether the state knows of its end; of a name that was made again, that of the former one."""
        row = kept_keks(self.state.engine, name).get(name)
        return (row is not None and row.is_destroyed) or any(
            one.what in _ENDS and one.subject == scope_of(name) for one in Journal(self.state.engine).events()
        )

    def _is_ours(self, kek: Keyset) -> bool:
        """Whether the key that is here has a version in common with it."""
        live = self.live.by_name.get(kek.name)
        return live is not None and bool(_ids(live) & _ids(kek))

    def _left_out(self, proved: set[str]) -> list[str]:
        """The tenants that these files should hold: of the same databases, and under our roots."""
        databases = {scope_of(name).partition("@")[0] for name in proved}
        ours = [name for name in self.live.by_name if tenant_of(name) and not holds_own(self.settings, name)]
        of_them = [name for name in ours if scope_of(name).partition("@")[0] in databases]
        return sorted(set(of_them) - proved)

    async def _values(self, scope: str, live: Contents, restored: Contents) -> list[Line]:
        """A line for each column of tenants: whether the backup opens what this tenant's keys sealed."""
        database, _, tenant = scope.partition("@")
        if database not in self._places:
            return []
        connector = self._places[database].connector
        keysets = {one.name: one for one in restored.keysets}
        ids = {one.name: _ids(one) for one in live.keysets}
        schemes = await self._sealed_columns(database)
        lines = []
        for scheme in (one.of_tenant(tenant) for one in schemes):
            values = await sample(connector, scheme, ids.get(scheme.keyset, frozenset()))
            lines.append(replace(open_values(scheme, keysets.get(scheme.keyset), values), name=scheme.keyset))
        return lines

    async def _sealed_columns(self, database: str) -> list[Scheme]:
        """The columns with ``tenant:`` that hold sealed values."""
        schemes = [one for one in schemes_of(self.settings, database).values() if one.tenant is not None]
        schema = await read_schema(self._places[database].connector)
        places = places_of(schema, schemes)
        return [
            one
            for one in schemes
            if one.column in places and column_type(schema, places[one.column]) == types.BYTEA
        ]

    @cached_property
    def _places(self) -> Mapping[str, Place]:
        return {place.name: place for place in places_of_keys(self.settings)}

    def _note(self, what: Contents, file: Path, *, whole: bool) -> None:
        """As of a backup of all keys."""
        register = Backups(self.state.engine)
        if whole:
            register.register(Backup(what.id, what.made, str(file.resolve()), "unknown here", what.holds))
            register.note_drilled(what.id, self.now)
            note_tested(self.state.engine, what.holds, self.now)
        Journal(self.state.engine).add("drilled", what.id, whole=whole, tenant=scope_of(what.keks[0].name))


def _ids(keyset: Keyset) -> frozenset[int]:
    return frozenset(version.key_id for version in keyset.versions)
