"""How far a policy reaches: who can see a column and how, and whose access two policies give differently.

A policy is asked at the names that it names, and at one made-up name for each pattern, in which `ANY_NAME`
stands for each star: rules tell no more names apart. For each role of a subject's the answer is found alone,
since roles only add up; what is refused is refused throughout. Called by ``strongroom policy who`` and
``diff``.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from strongroom.policy.authorizer import Authorizer
from strongroom.policy.model import (
    PERMIT,
    TABLE_ACTIONS,
    Access,
    Action,
    DataClass,
    Mask,
    Resource,
    Subject,
)
from strongroom.policy.pattern import ANY, Part, Pattern
from strongroom.policy.residual import UNLIMITED, Limits
from strongroom.policy.roles import REVEAL, Policy, Role, looseness

__all__ = ["ANY_NAME", "Change", "Way", "changes", "everybody", "limits_of", "probes", "resource_of", "ways"]

ANY_NAME = "⁎"
"""Stands in a made-up name for what a star stands for; no name that anybody has given."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which a subject may make an access."""

    show: Mask
    """`REVEAL` also for what is no showing."""
    rules: tuple[str, ...]
    conditions: str
    """Empty where there are none."""

    @property
    def sees(self) -> str:
        """What comes of a showing."""
        return str(self.show) if self.show == REVEAL else f"mask {self.show}"

    @property
    def while_permitted(self) -> str:
        """What comes of anything else."""
        return f"yes ({self.conditions})" if self.conditions else "yes"

    def __str__(self) -> str:
        return f"{self.sees} ({self.conditions})" if self.conditions else self.sees


@dataclass(frozen=True, slots=True)
class Change:
    """An access that a subject has differently under two policies."""

    subject: Subject
    access: Access
    before: tuple[Way, ...]
    after: tuple[Way, ...]


def everybody(policy: Policy) -> list[Subject]:
    """The configuration's subjects, somebody of each group, and people with what they may have for a time."""
    groups = (Subject(f"anyone in {name}", "person", groups=frozenset({name})) for name in policy.groups)
    return [*policy.subjects, *groups, *_lent_to(policy)]


def _lent_to(policy: Policy) -> Iterator[Subject]:
    people = {one.name: one for one in policy.subjects if one.kind == "person"}
    for role in policy.roles.values():
        for offer, how in ((role.temporary, "for a time"), (role.break_glass, "by breaking the glass")):
            for name in sorted(people.keys() & (frozenset() if offer is None else offer.to)):
                roles = people[name].roles | {role.name}
                yield replace(people[name], name=f"{name} ({role.name} {how})", roles=roles)


def ways(authorizer: Authorizer, subject: Subject, accesses: Sequence[Access]) -> list[tuple[Way, ...]]:
    """For each access, all the ways in which the subject has it, the one that tells most first."""
    found: list[list[Way]] = [[] for _ in accesses]
    alone = [("", "")] if authorizer.policy.files else []
    grants = [
        (grant.role, " and ".join(filter(None, map(str, grant.conditions))))
        for grant in authorizer.policy.grants(subject)
    ]
    for role, conditions in dict.fromkeys([*alone, *grants]):
        reasons = authorizer.review(subject, accesses, frozenset({role} - {""}))
        for each, reason in zip(found, reasons, strict=True):
            if reason.effect is PERMIT:
                each.append(Way(reason.mask or REVEAL, reason.rules, conditions))
    return [_best(each) for each in found]


def _best(found: Iterable[Way]) -> tuple[Way, ...]:
    """Without those that tell no more than one without conditions."""
    ordered = sorted(
        found, key=lambda way: (looseness(way.show), not way.conditions, way.conditions), reverse=True
    )
    free = max((looseness(way.show) for way in ordered if not way.conditions), default=None)
    kept = [way for way in ordered if free is None or looseness(way.show) > free]
    best = next((way for way in ordered if not way.conditions), None)
    return tuple(kept) if best is None else (*kept, best)


def limits_of(policy: Policy) -> dict[str, str]:
    """The limits of everybody who has any."""
    found = {}
    for subject in everybody(policy):
        roles = {grant.role for grant in policy.grants(subject)}
        limits = Limits.least(policy.roles[name].limits for name in roles)
        if limits != UNLIMITED:
            found[subject.name] = str(limits)
    return found


def changes(old: Authorizer, new: Authorizer) -> Iterator[Change]:
    """Whose access differs, at every name that either policy tells apart."""
    before = {(one.kind, one.name): one for one in everybody(old.policy)}
    after = {(one.kind, one.name): one for one in everybody(new.policy)}
    for key in sorted(before.keys() | after.keys()):
        nobody = Subject(key[1], key[0])
        was, becomes = before.get(key, nobody), after.get(key, nobody)
        asked = {*_probes_for(old.policy, was), *_probes_for(new.policy, becomes)}
        accesses = sorted(asked, key=str)
        those = zip(accesses, ways(old, was, accesses), ways(new, becomes, accesses), strict=True)
        for access, one, other in those:
            if list(map(str, one)) != list(map(str, other)):
                yield Change(becomes, access, one, other)


def _probes_for(policy: Policy, subject: Subject) -> Iterator[Access]:
    """What the subject's own roles name; all, where policies written by hand may name anything."""
    held = {grant.role for grant in policy.grants(subject)}
    return probes(policy, policy.roles if policy.files else sorted(held))


def probes(policy: Policy, roles: Iterable[str]) -> Iterator[Access]:
    """Accesses enough to tell these roles from others."""
    for role in map(policy.roles.__getitem__, roles):
        tables, columns = _names(role)
        for database in sorted(role.databases):
            for pattern in tables:
                resource = resource_of(database, pattern)
                yield from (Access(action, resource) for action in TABLE_ACTIONS)
            for pattern, classes in [*columns, *_classed(policy, tables)]:
                column = replace(resource_of(database, pattern), classes=classes)
                yield from (Access(one, column) for one in (Action.MASK, Action.FILTER, Action.WRITE))
            for rule in role.functions:
                schema, name = _made_up(rule.about)
                yield Access(Action.CALL, Resource(database, schema, function=name))


def resource_of(database: str, pattern: Pattern) -> Resource:
    """The table or column of a pattern, with made-up names for its stars."""
    schema, table, *column = _made_up(pattern)
    return Resource(database, schema, table, column[0] if column else None)


Columns = list[tuple[Pattern, frozenset[DataClass]]]


def _names(role: Role) -> tuple[list[Pattern], Columns]:
    """The patterns for tables and for columns, with what two of them have in common."""
    tables = _with_meetings([rule.about for rule in role.tables])
    about = [rule.about for rule in role.columns]
    columns = [one for one in about if isinstance(one, Pattern)]
    columns += [Pattern((*table.parts, ANY)) for table in tables]
    classes: Columns = [
        (Pattern((*table.parts, ANY)), frozenset({one}))
        for one in about
        if isinstance(one, DataClass)
        for table in tables
    ]
    return tables, [*((one, frozenset()) for one in _with_meetings(columns)), *classes]


def _classed(policy: Policy, tables: Iterable[Pattern]) -> Columns:
    """Columns to which the policy gives a class, in tables of the role."""
    found = [rule.pattern for rule in policy.classes]
    return [
        (_meeting(one, Pattern((*table.parts, ANY))), frozenset())
        for one in found
        for table in tables
        if one.meets(Pattern((*table.parts, ANY)))
    ]


def _with_meetings(patterns: Iterable[Pattern]) -> list[Pattern]:
    known = dict.fromkeys(patterns)
    stars = [one for one in known if not one.is_exact]
    common = [_meeting(one, other) for one, other in combinations(stars, 2) if one.meets(other)]
    return list(known | dict.fromkeys(common))


def _meeting(one: Pattern, other: Pattern) -> Pattern:
    return Pattern(tuple(map(_narrower, one.parts, other.parts)))


def _narrower(one: Part, other: Part) -> Part:
    return one if len(one) == 1 or (other == ANY and len(other) > 1) else other


def _made_up(pattern: Pattern) -> list[str]:
    return [ANY_NAME.join(part) for part in pattern.parts]
