"""Decides as docs/spec/policy.md says, rule by rule; `authorizer` is compared with it."""

import re
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

from strongroom.policy.conditions import Conditions, Hours, Network
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
from strongroom.policy.residual import Limits
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
    if not accesses:
        return bool(granting), masks
    held = [policy.roles[name].limits for name in refusing]
    return (False, {}) if spent(policy, accesses, masks, held, circumstances) else (True, masks)


def spent(
    policy: Policy,
    accesses: list[Access],
    masks: dict[Resource, Mask],
    limits: list[Limits],
    now: Circumstances,
) -> bool:
    """Whether it needs more than some limit leaves, or reveals what nobody could count."""
    shows = [one for one in accesses if one.action in {Action.REVEAL, Action.MASK}]
    bare = [one for one in shows if one.resource not in masks or one.action is Action.REVEAL]
    counted = [one for one in bare if not classed(policy, DataClass.PUBLIC, one.resource)]
    for limit in limits:
        rows, reveals = limit.rows_per_hour, limit.reveals_per_hour
        if rows is not None and rows <= now.rows_this_hour and any(map(gives_rows, accesses)):
            return True
        if reveals is None or not counted:
            continue
        if reveals <= now.reveals_this_hour or any(one.action is Action.REVEAL for one in counted):
            return True
    return False


def gives_rows(access: Access) -> bool:
    """Whether rows may come back by it: not of what only says which rows are changed."""
    return access.action in {Action.SELECT, Action.COPY, Action.CALL, Action.MASK, Action.REVEAL}


def holds(conditions: Conditions, now: Circumstances) -> bool:
    """One after the other, as the table in the specification has them."""
    if conditions.addresses is not None and not any(within(now.address, one) for one in conditions.addresses):
        return False
    if conditions.second_factor is not None:
        age = now.second_factor_age
        if age is None or age.total_seconds() < 0 or age > conditions.second_factor:
            return False
    if conditions.hours is not None and not any(at(one, now.now) for one in conditions.hours):
        return False
    return not (
        (conditions.applications is not None and now.application not in conditions.applications)
        or (conditions.certificate and not now.certificate)
        or (conditions.tenants is not None and now.tenant not in conditions.tenants)
        or (conditions.assumed is not None and now.assumed != conditions.assumed)
    )


def within(address: IPv4Address | IPv6Address | None, network: Network) -> bool:
    """The first bits of both are the same; an IPv4 address in IPv6 is one."""
    if isinstance(address, IPv6Address) and int(address) >> 32 == 0xFFFF:
        address = IPv4Address(int(address) & 0xFFFFFFFF)
    if address is None or address.version != network.version:
        return False
    rest = network.max_prefixlen - network.prefixlen
    return int(address) >> rest == int(network.network_address) >> rest


def at(hours: Hours, now: datetime) -> bool:
    """In seconds of the week by the clock there, a night going on into the next day or week."""
    there = now.astimezone(hours.zone)
    day, week = 86_400, 7 * 86_400
    clock = there.weekday() * day + there.hour * 3600 + there.minute * 60 + there.second
    for weekday in hours.days:
        begin = weekday * day + hours.begin.hour * 3600 + hours.begin.minute * 60
        end = weekday * day + hours.end.hour * 3600 + hours.end.minute * 60
        end += day if hours.end <= hours.begin else 0
        if begin <= clock < end or begin <= clock + week < end:
            return True
    return False


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
        counts = counts and holds(role.conditions, now)
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
        return classed(policy, rule.about, resource)
    return spelt(rule.about, f"{resource.schema}\0{resource.table}\0{resource.column}")


def classed(policy: Policy, data_class: DataClass, resource: Resource) -> bool:
    """Whether whoever asks says so, or a line of the configuration."""
    return data_class in resource.classes or any(
        given.data_class is data_class
        and given.database in (None, resource.database)
        and spelt(given.pattern, f"{resource.schema}\0{resource.table}\0{resource.column}")
        for given in policy.classes
    )


def means(about: Pattern, resource: Resource) -> bool:
    return spelt(about, f"{resource.schema or ''}\0{resource.table or ''}")


def spelt(pattern: Pattern, names: str) -> bool:
    """By a regular expression, as the pattern is written; a star stops at the end of its part."""
    parts = ["[^\0]*".join(map(re.escape, part)) for part in pattern.parts]
    return re.fullmatch("\0".join(parts), names, re.DOTALL) is not None
