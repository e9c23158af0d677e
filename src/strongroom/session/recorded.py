"""What an audit record says of a statement: made of its analysis, and of what the policy answered.

The columns are those of the accesses about which a policy is asked; where there is none, those that the
analysis noticed (`Resolved.noticed`), `public.t.*` where it could not follow the statement. Nothing of a
statement's values is here: `Resolved.normalized` has its text without them.

Used by `policing`; pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from strongroom.audit.records.encoding import canonical
from strongroom.audit.records.naming import qualified
from strongroom.audit.records.statements import Deed, Masked, Plan
from strongroom.policy.model import TABLE_ACTIONS, Access, Action, Decision, Resource
from strongroom.sql.access import EVERY
from strongroom.sql.normalized import Normalized
from strongroom.sql.schema import ColumnId, Schema
from strongroom.sql.statement import Kind, Resolved


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the records of one statement say, however often it runs."""

    plan: Plan
    values: int
    """That each of its rows shows as they are, of columns that count."""
    remark: str | None = None
    """Of a denial, what the rules do not say."""


_DEEDS = {
    Kind.SELECT: Deed.QUERY,
    Kind.COPY_OUT: Deed.QUERY,
    Kind.FETCH: Deed.QUERY,
    Kind.INSERT: Deed.CREATE,
    Kind.UPDATE: Deed.UPDATE,
    Kind.DELETE: Deed.DELETE,
    Kind.COPY_IN: Deed.WRITE,
    Kind.MERGE: Deed.WRITE,
}
_NOTHING = Normalized("", "")
NAMES_AT_MOST = 500
"""So many of any length fit into a record."""
NAMES_OCTETS = 1 << 19
"""What a record's names may have, as JSON: the half of `audit.leaf.MAX_CONTENT_BYTES`."""


def plan_of(
    statement: Resolved,
    schema: Schema,
    accesses: Sequence[Access],
    shown: Mapping[ColumnId, Access],
    decision: Decision | None = None,
    *,
    policy: str | None = None,
    assumed: str | None = None,
) -> Plan:
    """The plan of a statement that makes these accesses, and outputs the columns ``shown`` as they stand.

    Of one that names more than a record can say, which does not pass, it names the first tables alone.
    """
    if not is_recordable(statement, schema, accesses, shown):
        first = frozenset(sorted(statement.relations)[:NAMES_AT_MOST])
        statement = replace(statement, relations=first, noticed=None)
        accesses, shown, decision = (), {}, None
    normalized = statement.normalized or _NOTHING
    masks = {} if decision is None else decision.masks
    visible = {one.resource for one in shown.values()}
    return Plan(
        _DEEDS.get(statement.kind, Deed.OTHER),
        normalized.fingerprint,
        normalized.text,
        _sorted([*_tables(accesses), *_named(statement, schema)]),
        _sorted(map(_column, {*_columns(accesses, Action.REVEAL), *(visible - masks.keys())})),
        tuple(
            Masked(*one)
            for one in sorted({(_column(one), str(masks[one])) for one in visible & masks.keys()})
        ),
        _sorted(map(_column, _columns(accesses, Action.FILTER))),
        _sorted(map(_column, _columns(accesses, Action.WRITE))),
        _sorted(one.action.value for one in accesses if one.action in TABLE_ACTIONS),
        _sorted(_functions(accesses)),
        _sorted(rule for one in (() if decision is None else decision.reasons) for rule in one.rules),
        policy,
        assumed or None,
    )


def is_recordable(
    statement: Resolved, schema: Schema, accesses: Sequence[Access], shown: Mapping[ColumnId, Access]
) -> bool:
    """Whether all that a statement names fits into its record."""
    if not is_wide(statement) and len(_relations(statement)) + len(accesses) + len(shown) <= NAMES_AT_MOST:
        return True
    resources = (one.resource for one in (*accesses, *shown.values()))
    names = (*_named(statement, schema), *(_column(one) + (one.function or "") for one in resources))
    return sum(len(canonical(one)) for one in names) <= NAMES_OCTETS


def is_wide(statement: Resolved) -> bool:
    """Whether it names so much that it is to be measured."""
    outputs = statement.outputs or ()
    return len(statement.relations) + len(statement.accesses) + len(outputs) > NAMES_AT_MOST


def _tables(accesses: Iterable[Access]) -> Iterator[str]:
    for one in accesses:
        if one.action in TABLE_ACTIONS and one.resource.table is not None:
            yield qualified(*_place(one.resource), one.resource.table)


def _named(statement: Resolved, schema: Schema) -> Iterator[str]:
    for oid in _relations(statement):
        relation = schema.relations.get(oid)
        if relation is not None:
            yield qualified(relation.schema, relation.name)


def _relations(statement: Resolved) -> frozenset[int]:
    noticed = statement.noticed
    return statement.relations if noticed is None else statement.relations | noticed.relations


def _functions(accesses: Iterable[Access]) -> Iterator[str]:
    for one in accesses:
        if one.resource.function is not None:
            yield qualified(*_place(one.resource), one.resource.function)


def _columns(accesses: Iterable[Access], action: Action) -> set[Resource]:
    return {one.resource for one in accesses if one.action is action}


def _column(resource: Resource) -> str:
    """Its name; of every column of a table, or of tables that nobody knows, with a bare star."""
    if resource.column == EVERY:
        return ".".join(filter(None, [qualified(*_place(resource), *filter(None, [resource.table])), "*"]))
    return qualified(*_place(resource), resource.table or "", resource.column or "")


def _place(resource: Resource) -> tuple[str, ...]:
    """The schema, where the catalog knows it."""
    return (resource.schema,) if resource.schema else ()


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
