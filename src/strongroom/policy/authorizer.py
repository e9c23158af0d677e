"""One authorizer for SQL, and for the other doors later: `Authorizer.decide`.

Which of the subject's roles count now is found out first, in Python and in microseconds. Then Cedar answers
for each access, with those roles as the principal's parents, and what it says is kept for the same
statement, subject and roles. No match is a deny, a forbid beats every permit, and so does an error: Cedar
itself leaves out a policy that fails to evaluate, which would make an erring forbid a permit.
"""

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from strongroom.policy.cedar import compile_role
from strongroom.policy.conditions import Conditions
from strongroom.policy.engine import UNASKED, Answer, Asker, Engine, context_of
from strongroom.policy.handwritten import compile_file
from strongroom.policy.model import (
    DENY,
    PERMIT,
    Access,
    Action,
    Circumstances,
    DataClass,
    Decision,
    Effect,
    Mask,
    Reason,
    Resource,
    Subject,
)
from strongroom.policy.residual import UNLIMITED, Limits, Residual
from strongroom.policy.roles import CONSTANT, Policy, looseness

__all__ = ["MAX_DECISIONS", "MAX_ROLE_SETS", "Authorizer"]

MAX_DECISIONS = 4_000
"""Decisions that are kept for a policy; each is a statement's, for one subject and the roles that count."""
MAX_ROLE_SETS = 250
"""Sets of roles for which the parsed policies are kept."""

_NOTHING_MATCHES = "no rule permits it"
_FAILED = "a policy could not be evaluated"
_SPENT = "a limit of this hour is used up"
_UNCOUNTED = "what is computed from values cannot be counted against a limit on revealed ones"

_READING = frozenset({Action.SELECT, Action.COPY, Action.MASK, Action.REVEAL, Action.CALL})


class Authorizer:
    """Decides by one policy, which never changes; a new policy has a new authorizer.

    Raises ``InvalidPolicy`` for a file that Cedar does not take.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._roles = {
            name: compile_role(role, mask_by_default=policy.mask_by_default)
            for name, role in policy.roles.items()
        }
        self._files = [compile_file(file) for file in policy.files]
        self._verdicts: _Recent[_Verdict] = _Recent(MAX_DECISIONS)
        self._engines: _Recent[Engine] = _Recent(MAX_ROLE_SETS)
        self._holdings: _Recent[_Held] = _Recent(MAX_ROLE_SETS)

    def decide(self, subject: Subject, accesses: Sequence[Access], circumstances: Circumstances) -> Decision:
        """Whether the subject may make all these accesses with one statement, and with which masks.

        A statement without any is permitted to whom any role counts.
        """
        accesses = tuple(accesses)
        held = self._holding(subject)
        answers = tuple((one, one.hold(circumstances)) for one in held.conditions)
        active = held.active([answer for _, answer in answers])
        asker = Asker(subject, held.names, active, context_of(circumstances) if self._files else UNASKED)
        verdict = self._verdict(asker, accesses)
        limits = held.limits.narrowed(rows=verdict.reads, reveals=verdict.reveals)
        residual = Residual(answers, limits, limits.spent(circumstances))
        uncounted = verdict.computes and limits.reveals_per_hour is not None
        if uncounted or residual.spent:
            remark = _UNCOUNTED if uncounted else _SPENT
            reasons = tuple(Reason(access, DENY, held.limited_by, remark=remark) for access in accesses)
            return Decision(DENY, {}, reasons, residual)
        return Decision(verdict.effect, verdict.masks, verdict.reasons, residual)

    def limits_of(self, subject: Subject) -> Limits:
        """The narrowest of those that its roles have, whether these count now or not."""
        return self._holding(subject).limits

    def counts(self, column: Resource) -> bool:
        """Whether its values, where they come unmasked, count as revealed: all but those of class public."""
        return DataClass.PUBLIC not in self.policy.classes_of(column)

    def counting(self, subject: Subject, circumstances: Circumstances) -> frozenset[str]:
        """The subject's roles that count now."""
        held = self._holding(subject)
        return held.active([one.hold(circumstances) for one in held.conditions])

    @property
    def decisions_kept(self) -> int:
        """For whoever watches the memory."""
        return len(self._verdicts)

    def review(
        self, subject: Subject, accesses: Sequence[Access], counting: frozenset[str]
    ) -> tuple[Reason, ...]:
        """Each access by itself, as if exactly these roles of the subject's counted; nothing is kept.

        Policies written by hand are asked without address, application, certificate and tenant.
        """
        asker = Asker(subject, self._holding(subject).names, counting)
        return self._judge(asker, tuple(accesses)).reasons

    def _holding(self, subject: Subject) -> "_Held":
        key = (subject.roles, subject.groups)
        held = self._holdings.find(key)
        return held or self._holdings.keep(key, _held(self.policy, subject))

    def _verdict(self, asker: Asker, accesses: tuple[Access, ...]) -> "_Verdict":
        key = (asker, accesses)
        verdict = self._verdicts.find(key)
        return verdict or self._verdicts.keep(key, self._judge(asker, accesses))

    def _engine(self, names: frozenset[str]) -> Engine:
        engine = self._engines.find(names)
        if engine is not None:
            return engine
        return self._engines.keep(names, Engine([*(self._roles[one] for one in sorted(names)), *self._files]))

    def _judge(self, asker: Asker, accesses: tuple[Access, ...]) -> "_Verdict":
        questions = list(dict.fromkeys(one for access in accesses for one in self._questions(access)))
        answers = dict(zip(questions, self._engine(asker.held).ask(asker, questions), strict=True))
        reasons = tuple(
            _reason(access, [answers[one] for one in self._questions(access)]) for access in accesses
        )
        permitted = bool(reasons or asker.active) and all(one.effect is PERMIT for one in reasons)
        if not permitted:
            return _Verdict(DENY, {}, reasons, reads=False, reveals=False, computes=False)
        masks = {one.access.resource: one.mask for one in reasons if one.mask is not None}
        return _Verdict(
            PERMIT,
            masks,
            reasons,
            reads=any(one.access.action in _READING for one in reasons),
            reveals=any(self._reveals(one) for one in reasons),
            computes=any(one.access.action is Action.REVEAL and self._reveals(one) for one in reasons),
        )

    def _reveals(self, reason: Reason) -> bool:
        shows = reason.access.action in (Action.REVEAL, Action.MASK) and reason.mask is None
        return shows and self.counts(reason.access.resource)

    def _questions(self, access: Access) -> list[tuple[Action, Resource]]:
        resource = access.resource
        if resource.column is not None:
            resource = replace(resource, classes=self.policy.classes_of(resource))
        actions = [Action.REVEAL, Action.MASK] if access.action is Action.MASK else [access.action]
        return [(action, resource) for action in actions]


def _reason(access: Access, answers: Sequence[Answer]) -> Reason:
    """To be shown, a column is asked for unmasked first, and then masked by the mask that tells most."""
    if any(one.failed for one in answers):
        return Reason(access, DENY, remark=_FAILED)
    for answer in answers:
        if answer.allowed:
            masked = answer is not answers[0]
            mask = max(answer.masks, key=looseness, default=CONSTANT) if masked else None
            return Reason(access, PERMIT, answer.rules, mask)
    rules = tuple(dict.fromkeys(rule for answer in answers for rule in answer.rules))
    return Reason(access, DENY, rules, remark="" if rules else _NOTHING_MATCHES)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is kept: all that does not hang on the moment."""

    effect: Effect
    masks: Mapping[Resource, Mask]
    reasons: tuple[Reason, ...]
    reads: bool
    reveals: bool
    computes: bool
    """Whether it reveals values by what it computes of them."""


@dataclass(frozen=True, slots=True)
class _Held:
    """The roles that a subject holds, and what they hang on."""

    names: frozenset[str]
    conditions: tuple[Conditions, ...]
    ways: tuple[tuple[str, tuple[int, ...]], ...]
    """Each role, with the places in ``conditions`` of what must hold for it to count."""
    limits: Limits
    limited_by: tuple[str, ...]

    def active(self, answers: Sequence[bool]) -> frozenset[str]:
        """The roles that count: all conditions on one of the ways to it hold."""
        return frozenset(role for role, needed in self.ways if all(answers[one] for one in needed))


def _held(policy: Policy, subject: Subject) -> _Held:
    grants = policy.grants(subject)
    names = frozenset(grant.role for grant in grants)
    conditions = list(dict.fromkeys(one for grant in grants for one in grant.conditions))
    ways = [(grant.role, tuple(map(conditions.index, grant.conditions))) for grant in grants]
    limits = {name: policy.roles[name].limits for name in sorted(names)}
    return _Held(
        names,
        tuple(conditions),
        tuple(ways),
        Limits.least(limits.values()),
        tuple(f"roles.{name}.limits" for name, one in limits.items() if one != UNLIMITED),
    )


_T = TypeVar("_T")


class _Recent(Generic[_T]):
    """So many values, those that were asked for last."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[Hashable, _T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def find(self, key: Hashable) -> _T | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def keep(self, key: Hashable, value: _T) -> _T:
        self._values[key] = value
        if len(self._values) > self._limit:
            self._values.popitem(last=False)
        return value
