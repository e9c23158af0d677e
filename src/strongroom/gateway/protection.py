"""Where configuration, state, keys and database meet, and what is protected comes out of it.

At start, `prepare` decides whether they agree (rule 7 of the design): the roots open the key-encryption keys,
keysets are taken over from beside the data, made where there never were any, and copied beside the data, or
nothing starts. A new key is written beside the data first and read back from there, so that of two gateways
that start together both have the one that came first. It runs once, in the supervisor, before any worker.

Called by `supervisor` and by the commands that need keys.
"""

import asyncio
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from strongroom.config import Settings
from strongroom.errors import (
    ApprovalsWeakened,
    ColumnMissing,
    ColumnNotProtected,
    KekMissing,
    KeysetsNotKept,
    UpstreamError,
)
from strongroom.gateway.connector import Connector
from strongroom.gateway.generations import begin_anew, generations_beside, watch, write_beside
from strongroom.gateway.inquiry import ask
from strongroom.gateway.kept import (
    Kept,
    Place,
    ids_beside,
    kept_beside,
    key_ids_seen,
    make_types,
    publish,
    publish_kek,
    retired_beside,
)
from strongroom.gateway.reminding import refuse_forgotten
from strongroom.gateway.standing import stand
from strongroom.gateway.tenants import Rows, Tenancy, open_tenant, tenancy_of
from strongroom.keys import beside
from strongroom.keys.approval_store import Approvals
from strongroom.keys.generate import new_keyset
from strongroom.keys.hierarchy import Roots, Settled, open_kek, settle, wrapped
from strongroom.keys.kek import Keks, WrappedKek, belongs_to, database_of, kek_name, new_kek, tenant_of
from strongroom.keys.known_roots import only_known
from strongroom.keys.model import Keyset
from strongroom.keys.root.entering import Entered
from strongroom.keys.root.opening import make_missing, open_roots
from strongroom.keys.sealed import SealedColumns
from strongroom.keys.store import KeyStore, adopt_keks, kept_keks, kept_keysets
from strongroom.protect.scheme import Scheme
from strongroom.session.snapshot import Protections, column_type, places_of
from strongroom.sql.schema import CATALOG_QUERY, Schema
from strongroom.state import State
from strongroom.wire.postgres import types

SAID_AT_MOST = 20
"""Of so many keysets each is named; where there are more, those of tenants are not."""

PUBLISH_TRIES = 3
"""How often a KEK is written beside the data before somebody else must be undoing it."""


def schemes_of(settings: Settings, database: str) -> dict[str, Scheme]:
    """The protected columns of a database by their configured names; raises `InvalidScheme`."""
    schemes = (
        Scheme.parse(
            database,
            str(name),
            type=column.type,
            encryption=column.encryption,
            key=None if column.key is None else str(column.key),
            accept_leakage=() if column.accept_leakage is None else column.accept_leakage,
            pad=column.pad or 0,
            tenant=column.tenant,
        )
        for name, column in settings.databases[database].columns.items()
    )
    return {scheme.column: scheme for scheme in schemes}


@dataclass(frozen=True, slots=True)
class Prepared:
    """The keys that are ready for use, and what was made or taken over, in words."""

    keks: Keks
    roots: Roots
    said: tuple[str, ...] = ()
    tenancies: Mapping[str, Tenancy] = field(default_factory=dict)
    """By database."""


async def prepare(
    settings: Settings,
    state: State,
    places: Iterable[Place],
    *,
    to_seal: bool = False,
    entered: Entered | None = None,
    held: Mapping[str, Keyset] | None = None,
) -> Prepared:
    """Make state, keys and databases agree. Raises `ConfigError`.

    ``to_seal`` is for `protect`, which comes while columns hold plaintext still. ``entered`` is what people
    entered for the roots; they are asked where it is left out. ``held`` are the KEKs of tenants that a
    gateway holds still, for those whose own providers do not answer now.
    """
    places = list(places)
    if not places:
        return Prepared(Keks.of(()), Roots(()))
    said: list[str] = []
    await stand(settings, state, places, entered)
    found = {place.name: await kept_beside(place.connector) for place in places}
    generations = {place.name: await generations_beside(place) for place in places}
    said += begin_anew(state, found, generations)
    roots = await _roots(settings, state, found.values(), said, entered)
    databases = [await _prepare_kek(place, found[place.name], roots, state, said) for place in places]
    refuse_forgotten(settings, state, (kek for kek, _ in databases))
    tenancies = {
        place.name: await tenancy_of(Rows.of(settings, state, place, found[place.name]), roots, held or {})
        for place in places
    }
    tenants = (kek for one in tenancies.values() for kek in one.keks)
    keks = Keks.of([*(kek for kek, _ in databases), *tenants])
    keys, rows = Prepared(keks, roots, (), tenancies), {row.name: row for _, row in databases}
    for place in places:
        schemes = schemes_of(settings, place.name)
        if not to_seal:
            schema = await read_schema(place.connector)
            in_motion = await changing(place.connector, schema, schemes)
            check_columns(schema, schemes, in_motion - SealedColumns(state.engine).of(place.name))
        said += tenancies[place.name].said
        said += await _prepare_keysets(settings, place, found[place.name], state, keys, rows=rows)
        said += await _prepare_retired(place, keks, state)
    said += watch(state, generations, lambda: KeyStore(state.engine, keks).load().values())
    said += await write_beside(state, places)
    return replace(keys, said=tuple(said))


async def _roots(
    settings: Settings, state: State, found: Iterable[Kept], said: list[str], entered: Entered | None
) -> Roots:
    """The roots; a key service may take its time, and the supervisor has other things to do meanwhile."""
    assert settings.keys is not None  # config: protected columns have a root
    kept = [*kept_keks(state.engine).values(), *(one.kek for one in found if one.kek is not None)]
    folder = settings.state.path.parent
    if not kept and not kept_keysets(state.engine) and not any(one.keysets for one in found):
        said += make_missing(settings.keys.roots, folder)
    entered = entered or Entered.ask(settings.keys.roots)  # here, so that Ctrl-C ends it
    roots = await asyncio.to_thread(open_roots, settings.keys.roots, folder, kept, entered)
    roots = await asyncio.to_thread(_only_approved, settings, state, roots, kept, said)
    said += [f"one of two roots cannot be used: {error.message}" for error in roots.failures]
    return roots


def _only_approved(
    settings: Settings, state: State, roots: Roots, kept: Sequence[WrappedKek], said: list[str]
) -> Roots:
    """Without those that are only configured, where a change of root needs approval.

    KEKs as the state has them count, where it has some; those of tenants are under the same roots.
    """
    if "root" not in _acts_to_approve(settings, state, said):
        return roots
    rows = {row.name: row for row in reversed(kept) if tenant_of(row.name) is None}
    return only_known(roots, rows.values())


def _acts_to_approve(settings: Settings, state: State, said: list[str]) -> frozenset[str]:
    """What needs approval, by what is configured or was before."""
    approvals = Approvals(state.engine)
    try:
        required = approvals.required(settings.approvals)
    except ApprovalsWeakened as error:
        said.append(f"{error.message}. {error.hint}")
        required = approvals.recorded()
    return frozenset() if required is None else required.acts


async def _prepare_kek(
    place: Place, found: Kept, roots: Roots, state: State, said: list[str]
) -> tuple[Keyset, WrappedKek]:
    """The KEK of a database, opened, and as both places keep it: under every root that can be used."""
    name = kek_name(place.name)
    ours, theirs = kept_keks(state.engine).get(name), found.kek
    if ours is not None and theirs is not None and ours.revision > theirs.revision:
        said.append(f"{name} {_OLDER}")
    for _ in range(PUBLISH_TRIES):
        settled = await asyncio.to_thread(settle, roots, ours, theirs)
        if settled is not None:
            said += [f"{name} cannot be kept under both roots: {error.message}" for error in settled.failures]
        if settled is None:
            row = await asyncio.to_thread(_first_kek, place, found, roots, state)
        elif theirs is not None and theirs.revision >= settled.row.revision:
            adopt_keks(state.engine, [theirs])
            return settled.kek, theirs
        else:
            row = settled.row
            said += _changes(name, settled)
        # What stands beside the data then is what counts: another gateway may have come first.
        await publish_kek(place, row)
        theirs = (await kept_beside(place.connector)).kek
    raise KeysetsNotKept(
        f"databases.{place.name}: {name} is not beside the data, where it was just written",
        hint="See who else writes to strongroom_keys.keks, and that `owner` and `upstream` are one database;"
        " then start again.",
    )


_OLDER = (
    "was older beside the data than in the state, and was put there again: the database was copied back, or"
    " somebody took a change of keys back there"
)


def _changes(name: str, settled: Settled) -> list[str]:
    return [
        *(f"{name} is now kept under the root {root} too" for root in settled.added),
        *(
            f"{name} opens with the root {now}, which wrapped it as {before}: it is now kept under both names"
            for before, now in settled.moved
        ),
    ]


def _first_kek(place: Place, found: Kept, roots: Roots, state: State) -> WrappedKek:
    """A new KEK, where nothing was ever wrapped by one."""
    kept = [*kept_keysets(state.engine), *found.keysets]
    if any(database_of(one.name) == place.name for one in kept):
        raise KekMissing(
            f"databases.{place.name}: there are keysets, and their {kek_name(place.name)!r} is gone"
        )
    return wrapped(new_kek(place.name, datetime.now(UTC)), 1, roots)


async def _prepare_keysets(
    settings: Settings,
    place: Place,
    found: Kept,
    state: State,
    keys: Prepared,
    *,
    rows: Mapping[str, WrappedKek],
) -> list[str]:
    """The keysets of a database in both places, made where there were none; what was done, in words."""
    schemes, keks, tenancy = schemes_of(settings, place.name), keys.keks, keys.tenancies[place.name]
    store = KeyStore(state.engine, keks)
    loaded = store.load(found.keysets).items()
    ours = {name: one for name, one in loaded if belongs_to(name, place.name)}
    seen = await key_ids_seen(place.connector)

    def agree(found: Kept, copies: Mapping[str, Keyset]) -> beside.Agreement:
        shut = [one.name for one in found.keysets if one.name not in copies and one.name not in ours]
        return beside.agree(list(schemes.values()), ours, copies, seen, tenants=tenancy.here, shut=shut)

    copies = _opened(found, keks, ours)
    agreement = agreed = agree(found, copies)
    made = await new_keysets(place, agreement.create)
    if made or agreement.publish:
        await publish(place, keks, rows, [*agreement.publish, *made], schemes.values())
        # What stands beside the data now is what counts: another gateway may have come first.
        found = await kept_beside(place.connector)
        copies = _opened(found, keks, ours)
        agreement = agree(found, copies)
        if agreement.create or agreement.publish:
            raise KeysetsNotKept(
                f"databases.{place.name}: the keysets are not beside the data, where they were just written",
                hint="Start again: their key-encryption key may have been rotated in this moment. If it stays"
                " so, see who else writes to strongroom_keys.keysets, and that `owner` and `upstream` are one"
                " database.",
            )
    settled = {**ours, **copies, **{one.name: one for one in agreement.adopt}}
    if missing := beside.missing_types(settled.values(), found.types):
        await make_types(place, missing)
    adopted = {one.name for one in agreement.adopt}
    store.adopt(kept for kept in found.keysets if kept.name in adopted)
    restored = sorted(one.name for one in agreed.publish if tenant_of(one.name) is None)
    own = {one.name for one in made if one.key_ids == copies[one.name].key_ids}
    return [f"keyset {name} {_OLDER}" for name in restored] + [
        f"keyset {name} was {'made' if name in own else 'taken over from the database'}"
        for name in sorted(adopted)
        if tenant_of(name) is None or len(adopted) <= SAID_AT_MOST
    ]


async def new_keysets(place: Place, schemes: Iterable[Scheme]) -> list[Keyset]:
    """New keysets, with key ids that no other tenant's keys have in the same column."""
    schemes, now = list(schemes), datetime.now(UTC)
    if all(tenant_of(scheme.keyset) is None for scheme in schemes):
        return [new_keyset(scheme, now) for scheme in schemes]
    taken: dict[str, set[int]] = {}
    for name, ids in (await ids_beside(place.connector)).items():
        taken.setdefault(_column_of(name), set()).update(ids)
    made = []
    for scheme in schemes:
        column = taken.setdefault(_column_of(scheme.keyset), set())
        made.append(new_keyset(scheme, now, column))
        column.update(made[-1].key_ids)
    return made


def _column_of(keyset: str) -> str:
    """What the keysets of a column's tenants have in common."""
    return keyset.partition("/")[2]


def opened_roots(settings: Settings, state: State, entered: Entered | None = None) -> Roots:
    """The configured roots, once there are keys, that may wrap; raises a `RootError`."""
    assert settings.keys is not None  # config: protected columns have a root
    kept = list(kept_keks(state.engine).values())
    roots = open_roots(settings.keys.roots, settings.state.path.parent, kept, entered)
    return _only_approved(settings, state, roots, kept, [])


def _opened(found: Kept, keks: Keks, ours: Mapping[str, Keyset]) -> dict[str, Keyset]:
    """Without those that are older than ours: what wrapped them there may have been destroyed since."""
    return keks.unwrap_all(
        kept for kept in found.keysets if kept.name not in ours or ours[kept.name].revision <= kept.revision
    )


async def _prepare_retired(place: Place, keks: Keks, state: State) -> list[str]:
    """Another gateway may have wrapped keysets out of use anew, and ended what wraps them in our state."""
    store = KeyStore(state.engine, keks)
    shut = [one for one in store.shut_retired() if database_of(one.name) == place.name]
    if not shut:
        return []
    lost = store.replace_retired(shut, await retired_beside(place.owner))
    return [f"keyset {name}, out of use, opens by no key any more" for name in lost]


def open_keks(settings: Settings, state: State) -> Keks:
    """The KEKs of the state, under the configured roots; raises a `RootError`.

    Those of tenants, under their own providers or our roots, where they open.
    """
    kept = kept_keks(state.engine)
    if settings.keys is None or not kept:
        return Keks.of(())
    roots = open_roots(settings.keys.roots, settings.state.path.parent, kept.values())
    databases = [open_kek(row, roots) for name, row in kept.items() if tenant_of(name) is None]
    refuse_forgotten(settings, state, databases)
    tenants = (open_tenant(settings, row, roots) for name, row in kept.items() if tenant_of(name) is not None)
    return Keks.of([*databases, *(kek for kek in tenants if kek is not None)])


def check_columns(
    schema: Schema,
    schemes: Mapping[str, Scheme],
    may_be_plain: Collection[str],
    before: Protections | None = None,
) -> None:
    """Every configured column must be there and hold sealed values, but for those that ``may_be_plain``."""
    places = places_of(schema, schemes.values(), before)
    for name, scheme in schemes.items():
        place = places.get(name)
        if place is None:
            raise ColumnMissing(
                f"databases.{scheme.database}.columns: there is no column {name}",
                hint="Correct its name; if it was renamed in the database, rename it here too.",
            )
        if column_type(schema, place) != types.BYTEA and name not in may_be_plain:
            raise ColumnNotProtected(
                f"databases.{scheme.database}.columns: {name} holds plaintext",
                hint="Run `strongroom protect`: it seals what is there while applications work. "
                "If the column was sealed before, find out first who changed it.",
            )


UNDER_WAY = """\
SELECT c.relation, a.attnum
FROM strongroom_keys.changeovers c
CROSS JOIN LATERAL pg_catalog.jsonb_object_keys(c.columns) AS k(name)
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.relation::oid AND a.attname = k.name"""


async def changing(connector: Connector, schema: Schema, schemes: Mapping[str, Scheme]) -> frozenset[str]:
    """The configured columns that `protect` or `unprotect` is changing now."""
    there = await ask(connector, "SELECT pg_catalog.to_regclass('strongroom_keys.changeovers') IS NOT NULL")
    if there != [(b"t",)]:
        return frozenset()
    rows = await ask(connector, UNDER_WAY)
    under_way = {(int(relation or 0), int(attnum or 0)) for relation, attnum in rows}
    places = places_of(schema, schemes.values())
    return frozenset(name for name, place in places.items() if place in under_way)


async def read_schema(connector: Connector) -> Schema:
    """The catalog as it is now."""
    return Schema.from_catalog(json.loads(await read_catalog(connector)))


async def read_catalog(connector: Connector) -> bytes:
    """The catalog as it is now, as JSON."""
    answer = await ask(connector, CATALOG_QUERY)
    if len(answer) != 1 or answer[0][0] is None:
        raise UpstreamError("the database's answer about its own catalog is empty")
    return answer[0][0]
