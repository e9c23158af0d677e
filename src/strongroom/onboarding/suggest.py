"""Which columns of a live database to protect, and how: a suggestion for each that looks personal or secret.

A name that the table of clues knows makes a suggestion; the catalog decides the rest. Equality is kept
(``deterministic``) where rows are looked up by the column, where an index, a UNIQUE or a foreign key needs
it, and the type allows it; everything else is ``randomized``. What is uncertain, and what would need a
decision first (an index over an expression, a default, a type that cannot be sealed), is suggested but not
chosen. Pure; called by ``init``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from strongroom.config import ColumnName
from strongroom.errors import StrongroomError
from strongroom.onboarding.census import LiveColumn
from strongroom.onboarding.clues import Clue, clue_for
from strongroom.protect.scheme import Scheme
from strongroom.wire.postgres import types

Encryption = Literal["randomized", "deterministic"]

_NOT_DATA = frozenset({types.BOOL})  # is_..., has_...: facts about a datum
_SEEN_THROUGH = frozenset({"view", "extended statistics"})
"""What rests on a column and does not stand in the way: a view shows it, statistics are made anew."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One column; ``chosen`` is False where the operator should decide, and ``reason`` says why."""

    column: ColumnName
    type: str
    encryption: Encryption
    what: str
    reason: str
    chosen: bool = True
    key: ColumnName | None = None


def suggest(columns: Sequence[LiveColumn], database: str) -> tuple[Suggestion, ...]:
    """The columns of one database that look personal or secret, in the order of the catalog."""
    known = {column.name: column for column in columns}
    found = {column.name: (column, clue) for column in columns if (clue := _clue(column)) is not None}
    for column, clue in list(found.values()):
        for end in _joined_by_keys(column.name, known):
            found.setdefault(end, (known[end], replace(clue, looked_up=True)))
    referenced = {column.references for column in columns}
    first = {
        name: _suggestion(column, clue, database, joined=name in referenced or column.references is not None)
        for name, (column, clue) in found.items()
    }
    settled = {name: _with_shared_key(one, known, first) for name, one in first.items()}
    return tuple(settled[column.name] for column in columns if column.name in settled)


def _clue(column: LiveColumn) -> Clue | None:
    return None if column.type_oid in _NOT_DATA else clue_for(column.name)


def _joined_by_keys(name: ColumnName, known: Mapping[ColumnName, LiveColumn]) -> list[ColumnName]:
    """The other ends of foreign keys, however far they lead: they hold the same values."""
    reached, pending = {name}, [name]
    while pending:
        at = pending.pop()
        ends = {one.name for one in known.values() if one.references == at} | {known[at].references}
        fresh = [end for end in ends if end is not None and end in known and end not in reached]
        reached.update(fresh)
        pending.extend(fresh)
    return sorted(reached - {name})


def _suggestion(column: LiveColumn, clue: Clue, database: str, *, joined: bool) -> Suggestion:
    compared = column.indexed or joined
    encryption: Encryption = "deterministic" if compared or clue.looked_up else "randomized"
    why = _why(column, clue, joined=joined)
    impossible = _impossible(column, database, encryption)
    if impossible and encryption == "deterministic" and not compared:
        encryption, why = "randomized", f"{clue.what}; its type cannot be compared when sealed"
        impossible = _impossible(column, database, encryption)
    one = Suggestion(column.name, column.type, encryption, clue.what, why)
    obstacle = impossible or _obstacle(column) or clue.doubt
    return replace(one, chosen=False, reason=f"{clue.what}; {obstacle}") if obstacle else one


def _why(column: LiveColumn, clue: Clue, *, joined: bool) -> str:
    if joined:
        return f"{clue.what}; a foreign key compares it"
    if column.indexed:
        return f"{clue.what}; {'unique' if column.is_unique else 'an index serves look-ups'}"
    return f"{clue.what}; rows are usually looked up by it" if clue.looked_up else clue.what


def _impossible(column: LiveColumn, database: str, encryption: Encryption) -> str:
    """Why the column cannot be protected so at all; empty if it can."""
    if column.type_oid == types.BYTEA:
        return "bytea may hold sealed or encrypted values already"
    try:
        Scheme.parse(database, str(column.name), type=column.type, encryption=encryption)
    except StrongroomError as error:
        return error.message.removeprefix(f"{database}: column {column.name}: ")
    if encryption == "deterministic" and column.folds:
        return "its collation calls different texts equal"
    return ""


def _obstacle(column: LiveColumn) -> str:
    """What would have to be changed in the database, or decided, before."""
    if column.generated:
        return "the database computes it"
    for dependent in column.dependents:
        if dependent.kind not in _SEEN_THROUGH:
            return f"the {dependent} works on its plaintext: change or drop that first"
    return "its default is written by the database, in plaintext" if column.has_default else ""


def _with_shared_key(
    one: Suggestion, known: Mapping[ColumnName, LiveColumn], found: Mapping[ColumnName, Suggestion]
) -> Suggestion:
    """Columns that foreign keys join share one keyset, or none of them is chosen."""
    group = [one.column, *_joined_by_keys(one.column, known)]
    if len(group) == 1:
        return one
    undecided = sorted(str(name) for name in group if not found[name].chosen and name != one.column)
    if one.chosen and undecided:
        reason = f"{one.what}; a foreign key joins it to {undecided[0]}, which is left to you"
        one = replace(one, chosen=False, reason=reason)
    owner = _end_of_references(one.column, known)
    return one if owner == one.column else replace(one, key=owner)


def _end_of_references(name: ColumnName, known: Mapping[ColumnName, LiveColumn]) -> ColumnName:
    """The column that all of them refer to in the end; of a circle, the first by name."""
    seen = [name]
    while (after := known[seen[-1]].references) is not None and after in known:
        if after in seen:
            return min(seen[seen.index(after) :])
        seen.append(after)
    return seen[-1]
