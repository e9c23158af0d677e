"""Does the configuration hold against the live databases? Reads, and changes nothing.

One database after the other: the way there, the role, the keysets (as ``serve`` would decide), the columns
and what is around them. What cannot be reached or read is a finding, not the end. Called by ``check``.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from strongroom.config import Database, Settings
from strongroom.errors import ConfigError, RootKeyMissing, StrongroomError
from strongroom.gateway.connector import Connector
from strongroom.gateway.gate import owner_of, upstream_of
from strongroom.gateway.kept import Kept, Place, kept_beside, key_ids_seen
from strongroom.gateway.protection import read_schema, schemes_of
from strongroom.gateway.tenants import Rows, look_at_tenants
from strongroom.keys import beside
from strongroom.keys.hierarchy import Roots, settle
from strongroom.keys.kek import Keks, belongs_to, kek_name
from strongroom.keys.model import Keyset
from strongroom.keys.root.opening import open_roots
from strongroom.keys.store import KeyStore, kept_keks, kept_keysets
from strongroom.onboarding.census import take_census
from strongroom.onboarding.columns import Live, column_findings, is_sealed
from strongroom.onboarding.facts import plaintext_statistics, read_facts, read_role
from strongroom.onboarding.finding import Finding, failed, holds, mind, some
from strongroom.onboarding.surroundings import (
    code_findings,
    copy_findings,
    log_findings,
    role_findings,
    way_findings,
)
from strongroom.protect.scheme import Scheme
from strongroom.session.snapshot import protections_in
from strongroom.sql.statement import Context
from strongroom.state import State


@dataclass(frozen=True, slots=True)
class _Keys:
    """The roots, where they could be opened, and why not otherwise."""

    roots: Roots | None
    failure: StrongroomError | None = None


async def examine(settings: Settings, state: State) -> list[Finding]:
    """All that is to be said of the databases, in the order of the configuration."""
    keys = _open_roots(settings, state)
    kept_anywhere = bool(kept_keks(state.engine) or kept_keysets(state.engine))
    findings: list[Finding] = []
    for name in settings.databases:
        found, kept = await _examine_one(_Site(name, settings, state, keys.roots))
        findings += found
        kept_anywhere = kept_anywhere or kept
    return [*_root_findings(settings, keys, kept_anywhere), *_audit_findings(settings), *findings]


def _audit_findings(settings: Settings) -> Iterator[Finding]:
    if settings.audit is None:
        yield mind(
            "audit", "nothing is recorded", "Add `audit:` with `log` and `origin` (docs/guides/audit.md)."
        )
    else:
        yield holds("audit", f"what is done is recorded in {settings.audit.log}")


def _open_roots(settings: Settings, state: State) -> _Keys:
    if settings.keys is None:
        return _Keys(None)
    try:
        kept = kept_keks(state.engine).values()
        return _Keys(open_roots(settings.keys.roots, settings.state.path.parent, kept))
    except ConfigError as error:
        return _Keys(None, error)


def _root_findings(settings: Settings, keys: _Keys, kept_anywhere: bool) -> Iterator[Finding]:
    if settings.keys is None:
        return
    if keys.roots is not None:
        yield holds("keys.root", ", ".join(keys.roots.names))
        yield from (failed("keys.second_root", failure) for failure in keys.roots.failures)
    elif isinstance(keys.failure, RootKeyMissing) and not kept_anywhere:
        yield mind("keys.root", "it is not there yet", "It is made by `strongroom protect` or `serve`.")
    elif keys.failure is not None:
        yield failed("keys.root", keys.failure)


@dataclass(frozen=True, slots=True)
class _Site:
    """One database, with all that is known before it is asked."""

    name: str
    settings: Settings
    state: State
    roots: Roots | None

    @property
    def subject(self) -> str:
        return f"databases.{self.name}"

    @property
    def database(self) -> Database:
        return self.settings.databases[self.name]

    @property
    def tables(self) -> frozenset[tuple[str, str]]:
        return frozenset((one.schema, one.table) for one in self.database.columns)


async def _examine_one(site: _Site) -> tuple[list[Finding], bool]:
    """The findings of one database, and whether it holds keysets."""
    found: list[Finding] = []
    kept = Kept()
    try:
        connector = upstream_of(site.name, site.settings)
        found += way_findings(f"{site.subject}.upstream", connector.upstream)
        role = await read_role(connector)
        found += role_findings(f"{site.subject}.upstream", role, site.tables)
        kept = await kept_beside(connector)
        schemes = schemes_of(site.settings, site.name)
        keysets, said = await _keysets(site, connector, schemes.values(), kept)
        found += said
        if schemes:
            found += await _protected(site, connector, schemes, keysets)
    except StrongroomError as error:
        found.append(failed(site.subject, error))
    return found, kept.anything


async def _keysets(
    site: _Site, connector: Connector, schemes: Collection[Scheme], kept: Kept
) -> tuple[Mapping[str, Keyset], list[Finding]]:
    """The keysets that can be opened, and whether `serve` would start with them (rule 7 of the design)."""
    subject = f"{site.subject}.columns"
    if site.roots is None:
        return {}, []
    try:
        settled = settle(site.roots, kept_keks(site.state.engine).get(kek_name(site.name)), kept.kek)
        rows = Rows.of(site.settings, site.state, Place(site.name, connector, connector), kept)
        tenancy = await look_at_tenants(rows, site.roots, {})
        keks = Keks.of([*([] if settled is None else [settled.kek]), *tenancy.keks])
        ours = KeyStore(site.state.engine, keks).load()
        ours = {name: one for name, one in ours.items() if belongs_to(name, site.name)}
        copies = keks.unwrap_all(kept.keysets)
        shut = [one.name for one in kept.keysets if one.name not in copies]
        seen = await key_ids_seen(connector)
        agreement = beside.agree(schemes, ours, copies, seen, tenants=tenancy.here, shut=shut)
    except ConfigError as error:
        return {}, [failed(subject, error)]
    said = [
        *(mind(subject, line, "`strongroom keys tenants list` asks again.") for line in tenancy.said),
        *_pending(subject, agreement),
    ]
    if schemes and not said:
        said = [holds(subject, "the keysets of state, database and configuration agree")]
    return copies | ours | {one.name: one for one in agreement.adopt}, said


def _pending(subject: str, agreement: beside.Agreement) -> Iterator[Finding]:
    """What `serve` or `protect` would do before anything is sealed."""
    steps = (
        ([one.keyset for one in agreement.create], "still to be made", "`strongroom protect` makes them."),
        (
            [one.name for one in agreement.adopt],
            "newer in the database than in the state",
            "`strongroom serve` takes them over.",
        ),
        (
            [one.name for one in agreement.publish],
            "not kept beside the data",
            "`strongroom serve` copies them there.",
        ),
    )
    for names, what, remedy in steps:
        if names:
            yield mind(subject, f"keysets {what}: {some(names)}", remedy)


async def _protected(
    site: _Site, connector: Connector, schemes: Mapping[str, Scheme], keysets: Mapping[str, Keyset]
) -> list[Finding]:
    """The columns, and what is around their tables; read as the owner where there is one."""
    reader = owner_of(site.name, site.settings) or connector
    facts = await read_facts(reader)
    columns = {one.name: one for one in await take_census(reader)}
    sealed = [one for one in site.database.columns if one in columns and is_sealed(columns[one], facts)]
    live = Live(columns, facts, keysets, await plaintext_statistics(reader, sealed))
    schema = await read_schema(connector)
    protections = protections_in(schema, schemes.values())
    context = Context(schema, protections, schema.path, site.database.functions)
    return [
        *(
            finding
            for column in site.database.columns
            for finding in column_findings(
                f"{site.subject}.columns.{column}", column, schemes[str(column)], live
            )
        ),
        *copy_findings(site.subject, facts, site.tables),
        *log_findings(site.subject, facts),
        *code_findings(site.subject, facts, context),
    ]
