"""What is wrong with a policy before anybody asks: rules that never count, rules that disagree, idle roles.

Pure: a policy comes in, remarks go out, each with the place in the configuration. Called by
``strongroom policy check``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from strongroom.policy.authorizer import Authorizer
from strongroom.policy.model import DENY, Access, Action, DataClass, Subject
from strongroom.policy.pattern import Pattern
from strongroom.policy.reach import resource_of
from strongroom.policy.roles import ColumnRule, Policy, Role, TableRule, closeness

__all__ = ["Remark", "review"]

_READ = frozenset({Action.SELECT})
_FILTER = frozenset({Action.SELECT, Action.UPDATE, Action.DELETE})
_WRITE = frozenset({Action.INSERT, Action.UPDATE})


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that is wrong, or to be borne in mind."""

    place: str
    wrong: str
    remedy: str = ""
    serious: bool = True
    """The policy says something that it does not mean."""
    line: str = ""
    """File and line, where whoever reads the file has added them."""


def review(authorizer: Authorizer) -> Iterator[Remark]:
    """All remarks, role by role, then by who holds them."""
    policy = authorizer.policy
    for role in policy.roles.values():
        yield from _disagreeing(role.tables)
        yield from _disagreeing([rule for rule in role.columns if isinstance(rule.about, Pattern)])
        yield from _without_table(role)
    yield from _overruled(authorizer)
    yield from _idle(policy)


def _disagreeing(rules: Sequence[TableRule] | Sequence[ColumnRule]) -> Iterator[Remark]:
    """Patterns that are equally close, may mean the same and give different things."""
    patterns = [rule for rule in rules if not _about(rule).is_exact]
    for one, other in combinations(patterns, 2):
        if closeness(one) != closeness(other) or _given(one) == _given(other):
            continue
        if _about(one).meets(_about(other)):
            yield Remark(
                one.place,
                f"disagrees with {other.place}, which is as close: what only one gives does not count",
                "Write one of them more fully, or say for the names in question what is meant.",
            )


def _without_table(role: Role) -> Iterator[Remark]:
    """What a rule for columns gives needs the role's leave for the table."""
    for rule in role.columns:
        needed = [
            ("show", _READ, rule.show is not None),
            ("filter", _FILTER, rule.filter),
            ("write", _WRITE, rule.write),
        ]
        given = [name for name, _, gives in needed if gives]
        count = [name for name, actions, gives in needed if gives and _table_gives(role, rule, actions)]
        if given and not count:
            yield Remark(
                rule.place,
                f"never counts: the role's tables: give nothing on its table that {' or '.join(given)} needs",
                "Give the role the table, or take the rule out.",
            )


def _table_gives(role: Role, rule: ColumnRule, actions: frozenset[Action]) -> bool:
    if isinstance(rule.about, DataClass):
        return any(one.actions & actions for one in role.tables)
    table = Pattern(rule.about.parts[:2])
    near = [one for one in role.tables if one.about.meets(table)]
    if table.is_exact:
        nearest = max(map(closeness, near), default=0)
        near = [one for one in near if closeness(one) == nearest]
        return any(all(action in one.actions for one in near) for action in actions) if near else False
    return any(one.actions & actions for one in near)


def _overruled(authorizer: Authorizer) -> Iterator[Remark]:
    """Rules for full names that another role of the same holder always refuses."""
    policy = authorizer.policy
    told = set()
    for roles, subject in _holdings(policy).items():
        held = frozenset(grant.role for grant in policy.grants(subject))
        for name in sorted(held):
            questions = list(_full_names(policy.roles[name]))
            reasons = authorizer.review(subject, [access for _, access in questions], held)
            for (place, _), reason in zip(questions, reasons, strict=True):
                if reason.effect is DENY and reason.rules and place not in told:
                    told.add(place)
                    yield Remark(
                        place,
                        f"never counts for who holds {', '.join(sorted(roles))}:"
                        f" {', '.join(reason.rules)} refuses it",
                        "Nothing beats a refusal of another role: take one of the two away.",
                    )


def _holdings(policy: Policy) -> dict[frozenset[str], Subject]:
    """One subject for each set of roles that is held."""
    found: dict[frozenset[str], Subject] = {}
    for subject in policy.subjects:
        roles = subject.roles.union(*(policy.groups.get(group, frozenset()) for group in subject.groups))
        if roles:
            found.setdefault(roles, subject)
    return found


def _full_names(role: Role) -> Iterator[tuple[str, Access]]:
    """One access for each rule that gives something on one name."""
    for database in sorted(role.databases)[:1]:
        for table in role.tables:
            if table.about.is_exact and table.actions:
                yield table.place, Access(min(table.actions), resource_of(database, table.about))
        for rule in role.columns:
            action = _action(rule)
            if isinstance(rule.about, Pattern) and rule.about.is_exact and action is not None:
                yield rule.place, Access(action, resource_of(database, rule.about))


def _action(rule: ColumnRule) -> Action | None:
    if rule.show is not None:
        return Action.MASK
    return Action.FILTER if rule.filter else Action.WRITE if rule.write else None


def _idle(policy: Policy) -> Iterator[Remark]:
    """Roles that nobody holds, and subjects that hold none."""
    held = {grant.role for subject in policy.subjects for grant in policy.grants(subject)}
    for roles in policy.groups.values():
        held |= {grant.role for grant in policy.grants(Subject("", roles=roles))}
    for name, role in policy.roles.items():
        if name not in held and role.temporary is None and role.break_glass is None:
            yield Remark(
                f"roles.{name}", "is held by nobody", "Give it to somebody, or take it out.", serious=False
            )
    for subject in policy.subjects:
        if not policy.grants(subject):
            kind = "people" if subject.kind == "person" else "accounts"
            place = f"{kind}.{subject.name}"
            yield Remark(place, "holds no role, and may do nothing", "Give it a role.", serious=False)


def _about(rule: TableRule | ColumnRule) -> Pattern:
    assert isinstance(rule.about, Pattern), "classes were left out before"
    return rule.about


def _given(rule: TableRule | ColumnRule) -> object:
    if isinstance(rule, TableRule):
        return rule.actions, rule.nothing
    return rule.show, rule.filter, rule.write, rule.nothing
