"""Roles compiled to Cedar (cedarpolicy.com).

A role's rules become permits for ``principal in Role::"NAME"``, where NAME counts now, and forbids for
``principal in Held::"NAME"``, which holds under all circumstances. Cedar knows no closest rule: a permit
here excludes what closer rules speak of. They are made in Cedar's JSON form ("JSON policy format" in its
documentation), so that no name is ever quoted. Called by `authorizer`; `SCHEMA` is what may be written by
hand.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

import cedarpy

from strongroom.policy.model import COLUMN_ACTIONS, TABLE_ACTIONS, Action, DataClass, Mask
from strongroom.policy.pattern import ANY, Part, Pattern
from strongroom.policy.roles import (
    REVEAL,
    ColumnRule,
    Role,
    TableRule,
    closeness,
    column_rules,
    looseness,
)

__all__ = ["SCHEMA", "Compiled", "Json", "compile_role", "schema"]

_R = TypeVar("_R", TableRule, ColumnRule)
Json = dict[str, Any]  # Cedar's JSON form is as deep as the expression

SCHEMA = """\
type Circumstances = {
  address?: ipaddr,
  application?: String,
  tenant?: String,
  certificate: Bool,
};
entity Role, Held, Group;
entity Account in [Role, Held, Group];
entity Person in [Role, Held, Group];
entity Database { database: String, schema: String, table: String, relation: String };
entity Schema { database: String, schema: String, table: String, relation: String };
entity Table { database: String, schema: String, table: String, relation: String };
entity Function { database: String, schema: String, function: String };
entity Column {
  database: String, schema: String, table: String, column: String,
  relation: String, name: String, classes: Set<String>,
};
action "select", "insert", "update", "update_all", "delete", "delete_all", "truncate", "copy" appliesTo {
  principal: [Account, Person], resource: [Table], context: Circumstances
};
action "ddl" appliesTo {
  principal: [Account, Person], resource: [Database, Schema, Table], context: Circumstances
};
action "call" appliesTo {
  principal: [Account, Person], resource: [Function], context: Circumstances
};
action "reveal", "mask", "filter", "write" appliesTo {
  principal: [Account, Person], resource: [Column], context: Circumstances
};
"""


@cache
def schema() -> cedarpy.Schema:
    """The schema as Cedar keeps it."""
    return cedarpy.Schema.from_str(SCHEMA)


@dataclass(frozen=True, slots=True)
class Compiled:
    """Policies in Cedar's JSON form by id, with the rule that each comes from and the mask that it gives."""

    policies: Mapping[str, Json]
    places: Mapping[str, str]
    masks: Mapping[str, Mask]


def compile_role(role: Role, *, mask_by_default: bool) -> Compiled:
    """All that the rules of one role come to."""
    made = _Making(role)
    tables = _Rules(role.tables)
    for table in role.tables:
        if table.nothing:
            made.forbid(table, (*TABLE_ACTIONS, *COLUMN_ACTIONS), tables)
        for action in sorted(table.actions):
            made.permit(table.place, action, _table_permits(table, tables, action))
    for function in role.functions:
        made.permit(function.place, Action.CALL, _names(function.about, ("schema", "function")))
    columns = _Rules(column_rules(role, mask_by_default=mask_by_default))
    for column in columns.every:
        if column.nothing:
            made.forbid(column, COLUMN_ACTIONS, columns)
        else:
            made.column(column, columns, tables)
    return Compiled(made.policies, made.places, made.masks)


_EXACT = closeness(TableRule(Pattern((("",), ("",)))))
_TRUE: Json = {"Value": True}
_FALSE: Json = {"Value": False}


class _Making:
    """The policies of one role, as they come."""

    def __init__(self, role: Role) -> None:
        self._role = role
        self.policies: dict[str, Json] = {}
        self.places: dict[str, str] = {}
        self.masks: dict[str, Mask] = {}

    def permit(self, place: str, action: Action, when: Json, mask: Mask | None = None) -> None:
        """To holders for whom the role counts now."""
        key = self._add("permit", "Role", place, (action,), when)
        if key and mask is not None:
            self.masks[key] = mask

    def forbid(self, rule: _R, actions: Iterable[Action], others: "_Rules[_R]") -> None:
        """To all holders, but where a closer rule of the same role speaks."""
        when = _and(_matches(rule), _unless(rule, others, lambda _: False))
        self._add("forbid", "Held", rule.place, tuple(actions), when)

    def column(self, rule: ColumnRule, others: "_Rules[ColumnRule]", tables: "_Rules[TableRule]") -> None:
        """Shown where the role may select, and so on: no role lends its columns to another's tables."""
        may_read = _any_table_permits(rule, tables, (Action.SELECT,))
        if rule.show == REVEAL:
            less = _unless(rule, others, lambda one: one.show != REVEAL)
            self.permit(rule.place, Action.REVEAL, _and(_matches(rule), less, may_read))
        elif rule.show is not None:
            own = looseness(rule.show)
            less = _unless(rule, others, lambda one: looseness(one.show) < own)
            self.permit(rule.place, Action.MASK, _and(_matches(rule), less, may_read), rule.show)
        if rule.filter:
            less = _unless(rule, others, lambda one: not one.filter)
            named = _any_table_permits(rule, tables, (Action.SELECT, Action.UPDATE, Action.DELETE))
            self.permit(rule.place, Action.FILTER, _and(_matches(rule), less, named))
        if rule.write:
            less = _unless(rule, others, lambda one: not one.write)
            named = _any_table_permits(rule, tables, (Action.INSERT, Action.UPDATE))
            self.permit(rule.place, Action.WRITE, _and(_matches(rule), less, named))

    def _add(self, effect: str, who: str, place: str, actions: tuple[Action, ...], when: Json) -> str:
        if when == _FALSE:
            return ""
        key = f"roles/{self._role.name}/{len(self.policies)}"
        condition = _and(_one_of("database", sorted(self._role.databases)), when)
        self.policies[key] = {
            "effect": effect,
            "principal": {"op": "in", "entity": {"type": who, "id": self._role.name}},
            "action": {"op": "in", "entities": [{"type": "Action", "id": action} for action in actions]},
            "resource": {"op": "All"},
            "conditions": [{"kind": "when", "body": condition}],
        }
        self.places[key] = place
        return key


class _Rules(Generic[_R]):
    """The rules of a role for tables, or for columns; full names are found without looking at each."""

    def __init__(self, rules: Sequence[_R]) -> None:
        self.every: Sequence[_R] = rules
        self._loose: list[_R] = [rule for rule in rules if closeness(rule) != _EXACT]
        self._near: dict[Pattern | DataClass, list[_R]] = {}
        self._full: dict[Pattern, list[_R]] = {}
        for rule in rules:
            if isinstance(rule.about, Pattern) and rule.about.is_exact:
                self._full.setdefault(rule.about, []).append(rule)
        self._rivals: dict[int, list[tuple[int, _R]]] = {}

    def near(self, about: Pattern | DataClass) -> list[_R]:
        """Those that may mean something of what this means."""
        found = self._near.get(about)
        if found is None:
            found = self._called(about) + [rule for rule in self._loose if _may_meet(rule.about, about)]
            self._near[about] = found
        return found

    def _called(self, about: Pattern | DataClass) -> list[_R]:
        """Those with full names that it may mean."""
        if isinstance(about, Pattern) and about.is_exact:
            return self._full.get(about, [])
        return [rule for name, rules in self._full.items() if _may_meet(name, about) for rule in rules]

    def rivals(self, rule: _R) -> list[tuple[int, _R]]:
        """Those that may mean the same and are closer, or as close, with how close they are."""
        found = self._rivals.get(id(rule))
        if found is None:
            near = ((closeness(one), one) for one in self.near(rule.about) if one is not rule)
            own = closeness(rule)
            found = self._rivals[id(rule)] = [(close, one) for close, one in near if close >= own]
        return found


def _table_permits(rule: TableRule, tables: _Rules[TableRule], action: Action) -> Json:
    """Where this rule gives the action, and no closer one, nor one as close, withholds it."""
    return _and(_matches(rule), _unless(rule, tables, lambda one: action not in one.actions))


def _any_table_permits(column: ColumnRule, tables: _Rules[TableRule], actions: Iterable[Action]) -> Json:
    """Where the role's rules for tables give one of the actions on the column's table."""
    table = Pattern(column.about.parts[:2]) if isinstance(column.about, Pattern) else column.about
    near = tables.near(table)
    if isinstance(table, Pattern) and table.is_exact:
        return _TRUE if any(_all_give(near, action) for action in actions) else _FALSE
    return _or(
        [_table_permits(one, tables, action) for action in actions for one in near if action in one.actions]
    )


def _all_give(matching: Sequence[TableRule], action: Action) -> bool:
    """Whether the closest of these do, which all mean one table."""
    nearest = max(map(closeness, matching), default=0)
    return bool(matching) and all(action in one.actions for one in matching if closeness(one) == nearest)


def _unless(rule: _R, rules: _Rules[_R], withholds: Callable[[_R], bool]) -> Json:
    """Not where a closer rule speaks, nor where one as close gives less."""
    own = closeness(rule)
    rivals = [one for close, one in rules.rivals(rule) if close > own or withholds(one)]
    return _not(_any_matches(rivals)) if rivals else _TRUE


def _may_meet(one: Pattern | DataClass, other: Pattern | DataClass) -> bool:
    return isinstance(one, DataClass) or isinstance(other, DataClass) or one.meets(other)


def _any_matches(rules: Sequence[_R]) -> Json:
    """Full names are looked up in one set, which costs the same for any number of them."""
    full = [str(rule.about) for rule in rules if closeness(rule) == _EXACT]
    attribute = "relation" if isinstance(rules[0], TableRule) else "name"
    ways: list[Json] = [_one_of(attribute, full)] if full else []
    return _or([*ways, *(_matches(rule) for rule in rules if closeness(rule) != _EXACT)])


def _matches(rule: TableRule | ColumnRule) -> Json:
    if isinstance(rule.about, DataClass):
        return {"contains": {"left": _attribute("classes"), "right": {"Value": rule.about}}}
    return _names(rule.about, ("schema", "table", "column"))


def _names(pattern: Pattern, attributes: Sequence[str]) -> Json:
    return _and(*(_part(attribute, part) for attribute, part in zip(attributes, pattern.parts, strict=False)))


def _part(attribute: str, part: Part) -> Json:
    if part == ANY:
        return _TRUE
    if len(part) == 1:
        return {"==": {"left": _attribute(attribute), "right": {"Value": part[0]}}}
    pieces: list[Any] = []
    for piece in part:
        pieces += ["Wildcard", {"Literal": piece}] if pieces else [{"Literal": piece}]
    return {"like": {"left": _attribute(attribute), "pattern": pieces}}


def _one_of(attribute: str, names: Sequence[str]) -> Json:
    return {
        "contains": {"left": {"Set": [{"Value": name} for name in names]}, "right": _attribute(attribute)}
    }


def _attribute(name: str) -> Json:
    return {".": {"left": {"Var": "resource"}, "attr": name}}


def _not(one: Json) -> Json:
    return {"!": {"arg": one}}


def _and(*all_of: Json) -> Json:
    if _FALSE in all_of:
        return _FALSE
    return _balanced("&&", [one for one in all_of if one != _TRUE]) or _TRUE


def _or(any_of: Sequence[Json]) -> Json:
    if _TRUE in any_of:
        return _TRUE
    return _balanced("||", [one for one in any_of if one != _FALSE]) or _FALSE


def _balanced(operator: str, parts: Sequence[Json]) -> Json:
    """As flat as can be: Cedar's parsers go down with every nesting."""
    if len(parts) < 2:
        return parts[0] if parts else {}
    half = len(parts) // 2
    left, right = _balanced(operator, parts[:half]), _balanced(operator, parts[half:])
    return {operator: {"left": left, "right": right}}
