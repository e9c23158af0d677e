"""What a policy says of one session's statements: that they pass, under which masks, or that they do not.

The shell gives a session its `Judge` once it is known whose it is. `Policing` asks it about each analysis,
and remembers the answers for as long as the judge's standing is the same: who asks, under which policy, and
which of its conditions hold. What is denied raises `AccessDenied`, with the names of what was asked for and
no more.

Used by `guard`, and its questions by ``strongroom policy explain``; pure.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from strongroom.errors import AccessDenied
from strongroom.policy.model import PERMIT, Access, Action, Decision, Mask, Resource
from strongroom.policy.residual import UNLIMITED
from strongroom.protect.pseudonyms import PseudonymKey
from strongroom.session.analyses import ANALYSES_KEPT
from strongroom.session.assuming import Assumption, wish_of
from strongroom.session.metering import Meter
from strongroom.session.recorded import Recorded, is_recordable, plan_of
from strongroom.session.veils import veils
from strongroom.sql import access
from strongroom.sql.schema import ColumnId, Schema
from strongroom.sql.statement import Analysis, Noticed, Output, Resolved

NAMED_AT_MOST = 3
"""Accesses that the message of a denial names; a statement may make hundreds."""

_OF_ALL = frozenset({Action.UPDATE_ALL, Action.DELETE_ALL})
_NO_WHERE = (
    "Say in WHERE which rows are meant, by a column of the table; update_all and delete_all let a role go"
    " without."
)


class Judge(Protocol):
    """Decides for one session; it knows whose it is, and under which circumstances."""

    @property
    def database(self) -> str:
        """Strongroom's own name for it."""

    @property
    def key(self) -> PseudonymKey:
        """Of the mask hash."""

    @property
    def policy(self) -> str:
        """The SHA-256 of the policy, in hexadecimal, as records have it."""

    def standing(self, said: "Said") -> object:
        """Compares unequal when what was decided before may be decided otherwise now."""

    def decide(self, accesses: Sequence[Access], said: "Said") -> Decision:
        """Whether one statement may make all these accesses."""

    def counts(self, column: Resource) -> bool:
        """Whether values of the column, where they come unmasked, count as revealed."""

    def spend(self, rows: int, reveals: int) -> None:
        """So much is to go to the client now; raises `BudgetSpent`, and nothing of it may go."""

    def may_assume(self, role: str, said: "Said") -> bool:
        """Whether the role would count if it were assumed now."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a session says of itself."""

    tenant: str = ""
    application: str = ""
    assumed: str = ""
    """The role that it has assumed, which is written down."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What a policy is asked about one statement."""

    accesses: tuple[Access, ...]
    shown: Mapping[ColumnId, Access]
    """For each column that is output as it stands."""


def questions(statement: Resolved, schema: Schema, database: str) -> Questions:
    """The accesses of a statement by the names that a policy knows, the database's own among them."""
    columns = (one.column for one in statement.outputs or () if one.column is not None)
    return Questions(
        tuple(_asked(one, database) for one in sorted(statement.accesses, key=_in_order)),
        {
            column: Access(Action.MASK, Resource(database, *access.named(schema, column)))
            for column in columns
        },
    )


def noticed(statement: Resolved, schema: Schema) -> Questions:
    """What a record says of a statement of which no policy was asked, as if one had been.

    Where that is more than it can hold, it says of which tables it may have been any column.
    """
    found = statement.noticed or Noticed(frozenset())
    asked = _noticed(found, schema)
    if is_recordable(statement, schema, asked.accesses, asked.shown):
        return asked
    shown = (access.Access(Action.REVEAL, *access.named(schema, one)) for one in found.shown)
    tables = {replace(one, column=access.EVERY if one.column else "") for one in (*found.accesses, *shown)}
    return _noticed(Noticed(frozenset(tables)), schema)


def _noticed(found: Noticed, schema: Schema) -> Questions:
    return Questions(
        tuple(_asked(one, "") for one in sorted(found.accesses, key=_in_order)),
        {one: Access(Action.MASK, Resource("", *access.named(schema, one))) for one in found.shown},
    )


def needs_nothing(statement: Resolved) -> bool:
    """Whether it may be said by whom no role counts: conditions may hang on what the session says by it."""
    return statement.free and not statement.accesses


def revealed(
    statement: Resolved, asked: Questions, decision: Decision, counts: Callable[[Resource], bool]
) -> int:
    """How many values of each row come unmasked, and count as revealed."""
    seen = {
        column
        for column, one in asked.shown.items()
        if one.resource not in decision.masks and counts(one.resource)
    }
    return sum(one.column in seen for one in statement.outputs or ())


class Policing:
    """The judge of one session, and what it said."""

    def __init__(
        self,
        judge: Judge,
        application: str = "",
        assumption: Assumption | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._judge = judge
        self._meter = meter or Meter()
        self._assumption = assumption or Assumption()
        self._said = Said("", application)
        self._standing: object = None
        self._judged: OrderedDict[int, tuple[Analysis, Analysis]] = OrderedDict()

    @property
    def key(self) -> PseudonymKey:
        """Of the mask hash."""
        return self._judge.key

    def standing(self, tenant: str) -> object:
        """Compares unequal when statements must be judged anew."""
        return self._judge.standing(self._saying(tenant))

    def judged(self, analysis: Analysis, schema: Schema, tenant: str) -> Analysis:
        """The analysis, with a mask on each output that has one; raises `AccessDenied`."""
        for one in analysis.statements:
            if one.assumes is not None:
                self._assume(one.assumes, tenant)
        standing = self.standing(tenant)
        if standing != self._standing:
            self._judged.clear()
            self._standing = standing
        known = self._judged.get(id(analysis))
        if known is not None:
            self._judged.move_to_end(id(analysis))
            self._meter.decisions.hits += 1
            return known[1]
        began = self._meter.clock()
        try:
            statements = tuple(self._passed(one, schema, tenant) for one in analysis.statements)
        finally:
            self._meter.decisions.misses += 1
            self._meter.decide.note(self._meter.clock() - began)
        passed = analysis if statements == analysis.statements else replace(analysis, statements=statements)
        # What was judged is kept beside, so that nothing else can have its identity.
        self._judged[id(analysis)] = analysis, passed
        if len(self._judged) > ANALYSES_KEPT:
            self._judged.popitem(last=False)
        return passed

    def _saying(self, tenant: str) -> Said:
        if (tenant, self._assumption.role) != (self._said.tenant, self._said.assumed):
            self._said = replace(self._said, tenant=tenant, assumed=self._assumption.role)
        return self._said

    def _assume(self, text: str, tenant: str) -> None:
        wish = wish_of(text)
        if not self._judge.may_assume(wish.role, self._saying(tenant)):
            raise AccessDenied(
                "permission denied: this role cannot be assumed now",
                hint="It must be yours, and your second factor fresh: sign in with `strongroom login`, and"
                " connect with what that gives.",
            )
        self._assumption.ask(text, wish)

    def _passed(self, statement: Resolved, schema: Schema, tenant: str) -> Resolved:
        if statement.assumes is not None or needs_nothing(statement):
            return statement  # without which no role might ever come to count
        if statement.defines is not None:
            # What PREPARE and DECLARE name is run by Bind and Execute, too, which ask no more.
            statement = replace(statement, defines=self._passed(statement.defines, schema, tenant))
        asked = questions(statement, schema, self._judge.database)
        decision = self._judge.decide((*asked.accesses, *asked.shown.values()), self._saying(tenant))
        if decision.effect is not PERMIT:
            raise _denied(decision)
        if self._filters_unseen(asked.accesses, tenant):
            statement = replace(statement, hushed=True)
        if decision.residual.limits != UNLIMITED:
            statement = replace(statement, metered=revealed(statement, asked, decision, self._judge.counts))
        if not decision.masks:
            return statement
        masks = {column: decision.masks.get(one.resource) for column, one in asked.shown.items()}
        masked = tuple(_masked(one, masks) for one in statement.outputs or ())
        veils(masked, schema, self.key)  # one that does not fit its type is refused before anything is sent
        return replace(statement, outputs=masked)

    def recorded(self, statement: Resolved, schema: Schema, tenant: str) -> Recorded:
        """What a record says of a statement that passed, or was denied; asked once for its plan."""
        asked = questions(statement, schema, self._judge.database)
        decision = self._judge.decide((*asked.accesses, *asked.shown.values()), self._saying(tenant))
        assumed = self._assumption.role
        policy = self._judge.policy
        plan = plan_of(
            statement, schema, asked.accesses, asked.shown, decision, policy=policy, assumed=assumed
        )
        values = revealed(statement, asked, decision, self._judge.counts)
        return Recorded(plan, values, _remark(decision))

    def spend(self, statement: Resolved, rows: int) -> None:
        """So many rows of the statement are to go to the client; raises `BudgetSpent`."""
        if statement.metered is not None:
            self._judge.spend(rows, rows * statement.metered)

    def _filters_unseen(self, accesses: Sequence[Access], tenant: str) -> bool:
        """Whether rows are told apart by what may not be revealed: errors of conditions quote values."""
        asked = [Access(Action.REVEAL, one.resource) for one in accesses if one.action is Action.FILTER]
        return bool(asked) and self._judge.decide(asked, self._saying(tenant)).effect is not PERMIT


def _asked(one: access.Access, database: str) -> Access:
    schema, name, column = one.schema or None, one.name or None, one.column or None
    if one.action is Action.CALL:
        return Access(one.action, Resource(database, schema, function=name))
    # What the catalog does not know has a name and no schema, so that no rule for a schema matches.
    return Access(one.action, Resource(database, schema or (name and ""), name, column))


def _in_order(one: access.Access) -> tuple[str, ...]:
    return one.action.value, one.schema, one.name, one.column


def _masked(output: Output, masks: dict[ColumnId, Mask | None]) -> Output:
    mask = None if output.column is None else masks[output.column]
    return output if mask is None else replace(output, mask=mask)


def _denied(decision: Decision) -> AccessDenied:
    refused = [_in_words(one.access) for one in decision.reasons if one.effect is not PERMIT]
    more = len(refused) - NAMED_AT_MOST
    named = ", ".join(refused[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
    message = f"permission denied: {named or 'none of your roles counts now'}"
    if any(one.access.action in _OF_ALL for one in decision.reasons if one.effect is not PERMIT):
        return AccessDenied(message, hint=_NO_WHERE)
    return AccessDenied(message)


def _remark(decision: Decision) -> str | None:
    """What a denial says beside its rules."""
    if decision.effect is PERMIT:
        return None
    remarks = {one.remark for one in decision.reasons if one.effect is not PERMIT and one.remark}
    return "; ".join(sorted(remarks)) or (None if decision.reasons else "no role counts now")


def _in_words(one: Access) -> str:
    resource = one.resource
    names: Iterable[str | None] = (resource.schema, resource.table, resource.column, resource.function)
    action = "show" if one.action is Action.MASK else one.action.value
    return f"{action} on {'.'.join(name for name in names if name) or resource.database}"
