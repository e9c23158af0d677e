"""Decides as docs/spec/policy.md says, rule by rule; `authorizer` is compared with it."""

import re
from typing import TypeVar

from strongroom.policy.model import (
    COLUMN_ACTIONS,
    Access,
    Action,
    Circumstances,
    DataClass,
    Mask,
    Resource,
    Subject,
)
from strongroom.policy.pattern import Pattern
from strongroom.policy.roles import REVEAL, ColumnRule, Policy, Role, TableRule

Answer = tuple[bool, dict[Resource, Mask]]
Rule = TypeVar("Rule", TableRule, ColumnRule)


def decide(policy: Policy, subject: Subject, accesses: list[Access], circumstances: Circumstances) -> Answer:
    """Whether all may be done, and the masks."""
    granting, refusing = roles_of(policy, subject, circumstances)
    masks = {}
    for access in accesses:
        if any(refuses(policy, policy.roles[name], access) for name in refusing):
            return False, {}
        shown = [permits(policy, policy.roles[name], access) for name in granting]
        best = max((one for one in shown if one is not None), key=looseness, default=None)
        if best is None:
            return False, {}
        if access.action is Action.MASK and best != REVEAL:
            masks[access.resource] = best
    return bool(accesses or granting), masks


MASKS = {
    **{name: place for place, name in enumerate(["null", "constant", "fixed", "full", "hash", "number"])},
    **{name: place for place, name in enumerate(["date", "email", "card", "last", "first", "reveal"], 6)},
}


def looseness(show: Mask | None) -> tuple[int, int]:
    """From what tells least to what tells most."""
    if show is None:
        return -1, 0
    if isinstance(show.argument, int):
        return MASKS[show.name], -show.argument if show.name == "number" else show.argument
    return MASKS[show.name], 1 if show.argument == "month" else 0


def roles_of(policy: Policy, subject: Subject, now: Circumstances) -> tuple[set[str], set[str]]:
    """The roles that count, and all that are held."""
    names = set(subject.roles).union(*(policy.groups.get(group, frozenset()) for group in subject.groups))
    granting, refusing = set(), set()
    todo = [(name, True) for name in names if name in policy.roles]
    while todo:
        name, counts = todo.pop()
        role = policy.roles[name]
        counts = counts and role.conditions.hold(now)
        refusing.add(name)
        granting |= {name} if counts else set()
        todo += [(one, counts) for one in role.includes]
    return granting, refusing


def refuses(policy: Policy, role: Role, access: Access) -> bool:
    """``nothing`` on a table, on a column or on its class."""
    resource = access.resource
    if resource.database not in role.databases or resource.function is not None:
        return False
    tables = closest([rule for rule in role.tables if means(rule.about, resource)])
    if any(rule.nothing for rule in tables):
        return True
    columns = closest([rule for rule in role.columns if concerns(policy, rule, resource)])
    return access.action in COLUMN_ACTIONS and any(rule.nothing for rule in columns)


def permits(policy: Policy, role: Role, access: Access) -> Mask | None:
    """How the role permits it: REVEAL, or a mask; None if it does not."""
    resource, action = access.resource, access.action
    if resource.database not in role.databases:
        return None
    if action is Action.CALL:
        names = f"{resource.schema}\0{resource.function}"
        return REVEAL if any(spelt(rule.about, names) for rule in role.functions) else None
    privileges = privileges_of(role, resource)
    if action not in COLUMN_ACTIONS:
        return REVEAL if action in privileges else None
    rules = closest([rule for rule in role.columns if concerns(policy, rule, resource)])
    if not rules:
        rules = [ColumnRule(Pattern(()), Mask("constant"))] if policy.mask_by_default else []
    if not rules:
        return None
    if action is Action.FILTER:
        near = privileges & {Action.SELECT, Action.UPDATE, Action.DELETE}
        return REVEAL if near and all(rule.filter for rule in rules) else None
    if action is Action.WRITE:
        near = privileges & {Action.INSERT, Action.UPDATE}
        return REVEAL if near and all(rule.write for rule in rules) else None
    show = min((rule.show for rule in rules), key=looseness)
    if Action.SELECT not in privileges or (action is Action.REVEAL and show != REVEAL):
        return None
    return show


def privileges_of(role: Role, resource: Resource) -> set[Action]:
    """What all of the closest rules give on the table."""
    rules = closest([rule for rule in role.tables if means(rule.about, resource)])
    return set.intersection(*(set(rule.actions) for rule in rules)) if rules else set()


def closest(rules: list[Rule]) -> list[Rule]:
    """A full name is nearer than a class, that than a pattern, that than one with fewer full parts."""

    def near(rule: Rule) -> int:
        if isinstance(rule.about, DataClass):
            return 10
        full = sum(len(part) == 1 for part in rule.about.parts)
        return 20 if full == len(rule.about.parts) else full

    best = max(map(near, rules), default=0)
    return [rule for rule in rules if near(rule) == best]


def concerns(policy: Policy, rule: ColumnRule, resource: Resource) -> bool:
    if isinstance(rule.about, DataClass):
        return rule.about in resource.classes or any(
            given.data_class is rule.about
            and given.database in (None, resource.database)
            and spelt(given.pattern, f"{resource.schema}\0{resource.table}\0{resource.column}")
            for given in policy.classes
        )
    return spelt(rule.about, f"{resource.schema}\0{resource.table}\0{resource.column}")


def means(about: Pattern, resource: Resource) -> bool:
    return spelt(about, f"{resource.schema or ''}\0{resource.table or ''}")


def spelt(pattern: Pattern, names: str) -> bool:
    """By a regular expression, as the pattern is written; a star stops at the end of its part."""
    parts = ["[^\0]*".join(map(re.escape, part)) for part in pattern.parts]
    return re.fullmatch("\0".join(parts), names, re.DOTALL) is not None
