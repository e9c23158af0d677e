"""What statements do, for their records, where no policy asks: each is followed again, beside what is sent.

What is sent is settled already, and hangs on nothing here. A statement that cannot be followed is taken to
reveal, filter by and, if it changes anything, write each column of what it names (`access.EVERY`): that is
what is recorded, and it passes as it did before. Called by `resolve.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from strongroom.policy.model import Action
from strongroom.sql.access import EVERY, Access, depended
from strongroom.sql.keyed import keyed_of, unknown
from strongroom.sql.policed import followed, not_known
from strongroom.sql.statement import KeyedValue, Kind, Noticed, Output, Resolved
from strongroom.sql.task import Task

ANYTHING = Noticed(
    frozenset(Access(action, column=EVERY) for action in (Action.REVEAL, Action.FILTER, Action.WRITE))
)
"""What nobody could read does to columns that nobody knows."""


def noticed(task: Task, resolved: Resolved) -> Resolved:
    """The statement, with what its record says besides."""
    context = task.context
    beside = replace(
        context, policed=True, prepared=_Prepared(context.prepared), cursors=_Cursors(context.cursors)
    )
    try:
        found = followed(replace(task, context=beside))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - no record is worth a statement that would have run: it was not followed
        return _with(resolved, _instead(resolved, _unfollowed(task), not_known(task)))
    return _with(resolved, replace(found, relations=found.relations | _of_name(task, resolved)))


def noticed_behind(task: Task, resolved: Resolved) -> Resolved:
    """The same behind a statement of its text that may have changed what names mean."""
    if not task.found.names:
        return noticed(task, resolved)
    keyed = unknown(keyed_of(task.ground.schema.relations.values(), task.context.keyed))
    return _with(resolved, _instead(resolved, _unfollowed(task) | ANYTHING.accesses, keyed))


def _instead(resolved: Resolved, accesses: frozenset[Access], keyed: tuple[KeyedValue, ...]) -> Resolved:
    return replace(resolved, accesses=accesses, outputs=None, defines=None, keyed=keyed)


def _of_name(task: Task, resolved: Resolved) -> frozenset[int]:
    """The relations of what EXECUTE and FETCH run."""
    made: Resolved | None = None
    if resolved.kind is Kind.EXECUTE:
        made = task.context.prepared.get(resolved.name or "")
    elif resolved.kind is Kind.FETCH:
        made = task.context.cursors.get(resolved.name or "")
    return frozenset() if made is None or made.noticed is None else made.noticed.relations


def _with(resolved: Resolved, found: Resolved) -> Resolved:
    """``resolved`` as it is, with what is noticed of ``found``; that of what it defines, too."""
    defines = resolved.defines
    if defines is not None:
        inner = found.defines or found
        seen = replace(_of(inner), relations=inner.relations | found.relations)
        defines = replace(defines, noticed=seen, keyed=inner.keyed)
    keyed = () if resolved.kind is Kind.PREPARE else found.keyed
    return replace(resolved, defines=defines, noticed=_of(found), keyed=keyed)


def _of(found: Resolved) -> Noticed:
    shown = (one.column for one in found.outputs or () if one.column is not None)
    return Noticed(found.accesses, frozenset(shown), found.relations)


def _unfollowed(task: Task) -> frozenset[Access]:
    found, schema = task.found, task.ground.schema
    actions = [Action.REVEAL, Action.FILTER, *([Action.WRITE] if found.changes else [])]
    relations = {
        (one.schema, one.name) for oid in found.relations for one in depended(schema, schema.relations[oid])
    }
    named = {*relations, *(("", name) for name in found.unknown)}
    return frozenset(Access(action, *name, EVERY) for action in actions for name in named)


@dataclass(frozen=True, slots=True)
class _Prepared(Mapping[str, Resolved]):
    """Prepared statements as if a policy had been asked when they were analysed."""

    names: Mapping[str, Resolved]

    def __getitem__(self, name: str) -> Resolved:
        return _as_policed(self.names[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class _Cursors(Mapping[str, Resolved | None]):
    """Cursors, likewise."""

    names: Mapping[str, Resolved | None]

    def __getitem__(self, name: str) -> Resolved | None:
        made = self.names[name]
        return None if made is None else _as_policed(made)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def _as_policed(one: Resolved) -> Resolved:
    noticed = one.noticed or ANYTHING
    outputs = tuple(Output("", column=column) for column in sorted(noticed.shown))
    if one.touched:
        outputs = (*(one.outputs or ()), *outputs)
    return replace(one, touched=True, accesses=noticed.accesses, outputs=outputs, relations=noticed.relations)
