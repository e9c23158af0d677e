"""Do the configured columns hold what the configuration says? Pure; called by ``examine``.

For each: is it there, of the declared type, sealed, behind a CHECK that knows its keys, and what in the
database is built on it and sees bytea.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from strongroom.config import ColumnName
from strongroom.errors import StrongroomError
from strongroom.keys.model import Keyset
from strongroom.onboarding.census import Dependent, LiveColumn
from strongroom.onboarding.facts import Facts
from strongroom.onboarding.finding import Finding, fails, holds, mind
from strongroom.protect.check import constraint_name
from strongroom.protect.scheme import Scheme
from strongroom.wire.postgres import types

PROTECT = "Run `strongroom protect`; it seals what is there while applications work."
_SHOWS = {
    "view": "It shows bytea to whoever reads it around the gateway; through the gateway it shows values.",
    "materialized view": "It keeps a copy of what was there when it was last refreshed: refresh it.",
    "extended statistics": "They are made of what was there at the last ANALYZE: run ANALYZE on the table.",
}
_COMPUTES = "See that it only asks whether there is a value: anything else it computes of sealed bytes."


@dataclass(frozen=True, slots=True)
class Live:
    """What was read of one database."""

    columns: Mapping[ColumnName, LiveColumn]
    facts: Facts
    keysets: Mapping[str, Keyset]
    stale: Collection[ColumnName]  # whose statistics hold plaintext


def column_findings(subject: str, name: ColumnName, scheme: Scheme, live: Live) -> Iterator[Finding]:
    """What is to be said of one column; ``subject`` is its key in the configuration."""
    column = live.columns.get(name)
    if column is None:
        remedy = "Correct its name; if it was renamed in the database, rename it here too."
        yield fails(subject, "there is no such column in an ordinary table", remedy)
        return
    if is_sealed(column, live.facts):
        yield _sealed(subject, column, scheme, live)
        yield from (_dependent(subject, one) for one in column.dependents)
    else:
        yield _plaintext(subject, column, scheme)
    if name in live.stale:
        table = f"{name.schema}.{name.table}"
        yield fails(subject, "the planner's statistics still hold plaintext", f"Run ANALYZE {table}.")


def is_sealed(column: LiveColumn, facts: Facts) -> bool:
    """Whether its values are sealed: a bytea that is not declared so may be nothing else."""
    return column.type_oid == types.BYTEA or column.name in facts.checks


def _plaintext(subject: str, column: LiveColumn, scheme: Scheme) -> Finding:
    try:
        there = types.declared(column.type_oid, column.typmod)
    except StrongroomError:
        there = None
    if there != scheme.type:
        return fails(
            subject,
            f"it is configured as {scheme.type}, and of type {column.type} in the database",
            f"Write type: {column.type}, or change the column before it is protected.",
        )
    if scheme.comparable and column.folds:
        return fails(
            subject,
            "it is configured as deterministic, and its collation calls different texts equal",
            "Write encryption: randomized, or give the column a deterministic collation.",
        )
    return fails(subject, "it holds plaintext still", PROTECT)


def _sealed(subject: str, column: LiveColumn, scheme: Scheme, live: Live) -> Finding:
    check = live.facts.checks.get(column.name)
    if check is None:
        return fails(
            subject,
            f"it has no CHECK {constraint_name(column.name.column)}: the database would take plaintext",
            "Run `strongroom protect`, which puts it in place.",
        )
    keyset = live.keysets.get(scheme.keyset)
    if keyset is not None and (unknown := check.key_ids - {version.key_id for version in keyset.versions}):
        ids = ", ".join(f"{one:08x}" for one in sorted(unknown))
        return fails(
            subject,
            f"its CHECK takes values of keys that its keyset does not have: {ids}",
            "Restore the state, or the table strongroom_keys.keysets, that belongs to this database.",
        )
    if keyset is not None and keyset.primary not in check.key_ids:
        remedy = "Run `strongroom protect`, which makes it anew."
        return fails(subject, "its CHECK refuses what is sealed by the keyset's newest key", remedy)
    if not check.validated:
        remedy = f"ALTER TABLE ... VALIDATE CONSTRAINT {check.name}, or run `strongroom protect` again."
        return mind(subject, "its CHECK was never validated for rows that were there before", remedy)
    return holds(subject, f"sealed, {scheme.algorithm.value} {scheme.type}")


def _dependent(subject: str, dependent: Dependent) -> Finding:
    return mind(subject, f"{dependent} is built on it", _SHOWS.get(dependent.kind, _COMPUTES))
