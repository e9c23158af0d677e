"""A policy as it was written: roles with their rules, who holds them, and the classes of columns.

`Policy` is what the configuration is parsed to, and an immutable snapshot. `cedar` compiles it, `review`
finds what is wrong with it; docs/spec/policy.md says what it means. Of the rules of one role that match
something, the closest counts (`closeness`); of equally close ones, what all of them give.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from strongroom.policy.conditions import ALWAYS, Conditions
from strongroom.policy.model import Action, DataClass, Mask, Resource, Subject
from strongroom.policy.offers import Offer
from strongroom.policy.pattern import ANY, Pattern
from strongroom.policy.residual import UNLIMITED, Limits

__all__ = [
    "CONSTANT",
    "REVEAL",
    "CedarFile",
    "ClassRule",
    "ColumnRule",
    "FunctionRule",
    "Grant",
    "Policy",
    "Role",
    "TableRule",
    "closeness",
    "looseness",
]

REVEAL = Mask("reveal")
"""The mask that hides nothing."""
CONSTANT = Mask("constant")
"""The mask of what nobody has declared: one value by type."""

_LOOSER = (
    "null",
    "constant",
    "fixed",
    "full",
    "hash",
    "number",
    "date",
    "email",
    "card",
    "last",
    "first",
    "reveal",
)
"""Masks from what tells least to what tells most; docs/spec/policy.md says why in this order."""


def looseness(show: Mask | None) -> tuple[int, int, str]:
    """How much a column's showing gives away, for comparison; None is not shown at all."""
    if show is None:
        return (-1, 0, "")
    argument = show.argument
    measure = argument if isinstance(argument, int) else 0
    if show.name == "number":
        measure = -measure  # the wider the range, the less it tells
    elif show.name == "date":
        measure = ("year", "month").index(str(argument))
    return (_LOOSER.index(show.name), measure, str(argument))


@dataclass(frozen=True, slots=True)
class TableRule:
    """What may be done to tables."""

    about: Pattern
    actions: frozenset[Action] = frozenset()
    nothing: bool = False
    """Refused, whatever other roles permit; their columns, too."""
    place: str = ""
    """Where it stands in the configuration."""


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """How columns may be shown and used: those that a pattern names, or those of a class."""

    about: Pattern | DataClass
    show: Mask | None = None
    filter: bool = False
    write: bool = False
    nothing: bool = False
    default: bool = False
    """For what the role does not declare: any other rule is closer."""
    place: str = ""


@dataclass(frozen=True, slots=True)
class FunctionRule:
    """Functions that may be called."""

    about: Pattern
    place: str = ""


@dataclass(frozen=True, slots=True)
class Role:
    """What its holders may do, in these databases, while the conditions hold."""

    name: str
    databases: frozenset[str]
    tables: tuple[TableRule, ...] = ()
    columns: tuple[ColumnRule, ...] = ()
    functions: tuple[FunctionRule, ...] = ()
    conditions: Conditions = ALWAYS
    limits: Limits = UNLIMITED
    includes: tuple[str, ...] = ()
    """Other roles that its holders hold, under its conditions besides their own."""
    temporary: Offer | None = None
    """Who may be given it for a time."""
    break_glass: Offer | None = None
    """Who may take it at once, and raise the alarm."""


@dataclass(frozen=True, slots=True)
class ClassRule:
    """Columns of a class; in every database, or in one."""

    pattern: Pattern
    data_class: DataClass
    database: str | None = None


@dataclass(frozen=True, slots=True)
class CedarFile:
    """Policies written by hand."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A role that a subject holds, and one way in which: all these conditions must hold for it to count."""

    role: str
    conditions: tuple[Conditions, ...]
    by: tuple[str, ...] = ()
    """The group, and the roles that include it, from the outside in."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All of it."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    subjects: tuple[Subject, ...] = ()
    """Those of the configuration; others may ask, too."""
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The roles of each group."""
    classes: tuple[ClassRule, ...] = ()
    mask_by_default: bool = False
    files: tuple[CedarFile, ...] = ()

    def classes_of(self, column: Resource) -> frozenset[DataClass]:
        """Every class that is given to the column."""
        names = (column.schema or "", column.table or "", column.column or "")
        return column.classes | {
            rule.data_class
            for rule in self.classes
            if rule.database in (None, column.database) and rule.pattern.matches(names)
        }

    def grants(self, subject: Subject) -> tuple[Grant, ...]:
        """Every way in which the subject holds a role; names of roles that are not there give nothing."""
        found = [one for name in sorted(subject.roles) for one in self._within(name, (), ())]
        for group in sorted(subject.groups):
            for name in sorted(self.groups.get(group, ())):
                found += self._within(name, (), (f"group {group}",))
        return tuple(found)

    def _within(self, name: str, outer: tuple[Conditions, ...], by: tuple[str, ...]) -> Iterator[Grant]:
        role = self.roles.get(name)
        if role is None:
            return
        conditions = (*outer, role.conditions) if role.conditions != ALWAYS else outer
        yield Grant(name, conditions, by)
        for included in role.includes:
            yield from self._within(included, conditions, (*by, name))


def closeness(rule: TableRule | ColumnRule) -> int:
    """How near a rule is to what it names: a full name, then a class, then patterns by their full parts."""
    if isinstance(rule, ColumnRule) and rule.default:
        return -1
    if isinstance(rule.about, DataClass):
        return 4
    return 5 if rule.about.is_exact else rule.about.written_out


def column_rules(role: Role, *, mask_by_default: bool) -> tuple[ColumnRule, ...]:
    """The role's rules for columns, and the one for what it does not declare."""
    if not mask_by_default:
        return role.columns
    place = f"roles.{role.name}: mask_by_default"
    return (*role.columns, ColumnRule(Pattern((ANY, ANY, ANY)), CONSTANT, default=True, place=place))
