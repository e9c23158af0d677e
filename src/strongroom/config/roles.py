"""``roles:`` and what goes with it: roles, people, groups and classes as `model` hangs them on the settings.

Values are parsed by ``role_values``; what depends on several keys is checked here by `roles_fit`. ``access``
makes a `Policy` of it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Protocol, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from strongroom.config.offers import BreakGlass, Temporary, offers_fit
from strongroom.config.role_values import (
    About,
    Treatment,
    parse_about,
    parse_actions,
    parse_column_pattern,
    parse_duration,
    parse_hours,
    parse_name,
    parse_names,
    parse_networks,
    parse_pattern,
    parse_treatment,
    parse_yes,
)
from strongroom.config.values import invalid
from strongroom.policy.conditions import Conditions, Hours, Network
from strongroom.policy.model import DataClass
from strongroom.policy.pattern import Pattern
from strongroom.policy.roles import TableRule

MAX_RULES = 500
"""Rules for tables, or for columns, in one role."""
MAX_WAYS = 1_000
"""In which one role leads to others that it includes."""
MAX_DEPTH = 20
"""Of roles that include roles."""

RoleName = Annotated[str, PlainValidator(parse_name)]
TablePattern = Annotated[Pattern, PlainValidator(parse_pattern)]
ColumnPattern = Annotated[Pattern, PlainValidator(parse_column_pattern)]
AboutColumns = Annotated[About, PlainValidator(parse_about)]


def _each_once(parse: Callable[[object], object]) -> BeforeValidator:
    """Two spellings of one name would be one key, of which the last would count without a word."""

    def check(value: object) -> object:
        seen = set()
        for key in value if isinstance(value, Mapping) else ():
            try:
                name = parse(key)
            except PydanticCustomError:
                continue  # which is said at that key
            if name in seen:
                raise invalid("names one thing twice, in two spellings", instead="keep one of the two")
            seen.add(name)
        if len(seen) > MAX_RULES:
            raise invalid(f"has more than {MAX_RULES} rules", instead="use patterns or classes")
        return value

    return BeforeValidator(check)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class When(_Frozen):
    """Under which circumstances what a role gives counts."""

    address: Annotated[tuple[Network, ...] | None, PlainValidator(parse_networks)] = None
    second_factor: Annotated[timedelta | None, PlainValidator(parse_duration)] = None
    hours: Annotated[tuple[Hours, ...] | None, PlainValidator(parse_hours)] = None
    application: Annotated[frozenset[str] | None, PlainValidator(parse_names)] = None
    certificate: Annotated[bool, PlainValidator(parse_yes)] = False
    tenant: Annotated[frozenset[str] | None, PlainValidator(parse_names)] = None
    assumed: Annotated[bool, PlainValidator(parse_yes)] = False

    @model_validator(mode="after")
    def _assumed_by_somebody(self) -> Self:
        if self.assumed and self.second_factor is None:
            raise invalid(
                "has assumed: without second_factor:, so that a session which was left open would do",
                instead="write second_factor: 5m beside it",
            )
        return self

    def conditions(self, role: str) -> Conditions:
        """The same as the policy understands it, of the role of this name."""
        return Conditions(
            self.address,
            self.second_factor,
            self.hours,
            self.application,
            self.certificate,
            self.tenant,
            role if self.assumed else None,
        )


class RoleLimits(_Frozen):
    """How much in any hour."""

    rows_per_hour: int | None = Field(default=None, ge=0)
    reveals_per_hour: int | None = Field(default=None, ge=0)


class Role(_Frozen):
    """What its holders may do."""

    databases: Sequence[str] = Field(min_length=1)
    includes: Sequence[RoleName] = ()
    tables: Annotated[
        Mapping[TablePattern, Annotated[TableRule, PlainValidator(parse_actions)]], _each_once(parse_pattern)
    ] = Field(default_factory=dict)
    columns: Annotated[
        Mapping[AboutColumns, Annotated[Treatment, PlainValidator(parse_treatment)]], _each_once(parse_about)
    ] = Field(default_factory=dict)
    functions: Sequence[TablePattern] = ()
    when: When = Field(default_factory=When)
    limits: RoleLimits = Field(default_factory=RoleLimits)
    temporary: Temporary | None = None
    break_glass: BreakGlass | None = None


Roles = Mapping[RoleName, Role]
Groups = Mapping[RoleName, Sequence[RoleName]]
Classes = Annotated[Mapping[ColumnPattern, DataClass], _each_once(parse_column_pattern)]


class _Holder(Protocol):
    @property
    def databases(self) -> Sequence[str]: ...
    @property
    def roles(self) -> Sequence[str]: ...


class Declared(Protocol):
    """Of the settings, what this module asks for."""

    @property
    def databases(self) -> Mapping[str, Any]: ...
    @property
    def accounts(self) -> Mapping[str, Any]: ...
    @property
    def people(self) -> Mapping[str, Any]: ...
    @property
    def groups(self) -> Groups: ...
    @property
    def roles(self) -> Roles: ...
    @property
    def policies(self) -> Sequence[Path]: ...


def roles_fit(settings: Declared) -> None:
    """Raises ``invalid`` for what names something that is not there, or goes round in a circle."""
    for place, name in _names_of_roles(settings):
        if name not in settings.roles:
            raise invalid(f"{place} names {name}, which is not under roles")
    for name, person in settings.people.items():
        for group in person.groups:
            if group not in settings.groups:
                raise invalid(f"people.{name}.groups names {group}, which is not under groups")
    for name, role in settings.roles.items():
        for database in role.databases:
            if database not in settings.databases:
                raise invalid(f"roles.{name}.databases names {database}, which is not under databases")
    if len(set(settings.policies)) < len(settings.policies):
        raise invalid("policies lists a file twice", instead="keep one of the two")
    _names_differ(settings.roles)
    _includes_end(settings.roles)
    _assumed_alone(settings.roles)
    offers_fit(settings)


def _names_differ(roles: Roles) -> None:
    """Who approves a role must not take one for another."""
    seen: dict[str, str] = {}
    for name in roles:
        if (other := seen.setdefault(name.casefold(), name)) != name:
            raise invalid(f"roles.{name} and roles.{other} differ in capitals alone", instead="rename one")


def _assumed_alone(roles: Roles) -> None:
    """A session assumes one role at a time."""
    for name, role in roles.items():
        inner = [one for one in role.includes if role.when.assumed and roles[one].when.assumed]
        if inner:
            raise invalid(
                f"roles.{name} must be assumed and includes {inner[0]}, which must be, too: both never count",
                instead="take assumed: from one of them",
            )


def _names_of_roles(settings: Declared) -> Iterator[tuple[str, str]]:
    holders: list[tuple[str, Mapping[str, _Holder]]] = [
        ("accounts", settings.accounts),
        ("people", settings.people),
    ]
    for kind, those in holders:
        for name, holder in those.items():
            yield from ((f"{kind}.{name}.roles", role) for role in holder.roles)
    for group, names in settings.groups.items():
        yield from ((f"groups.{group}", role) for role in names)
    for name, role in settings.roles.items():
        yield from ((f"roles.{name}.includes", one) for one in role.includes)


def _includes_end(roles: Roles) -> None:
    """No role is given by itself, and none leads to others in more ways than can be looked at."""
    ways: dict[str, int] = {}

    def count(name: str, above: tuple[str, ...]) -> int:
        if name in above:
            circle = " → ".join((*above[above.index(name) :], name))
            raise invalid(f"roles.{name}.includes leads back to itself: {circle}", instead="break the circle")
        if name not in ways:
            if len(above) > MAX_DEPTH:
                raise invalid(f"roles.{name} is included more than {MAX_DEPTH} roles deep")
            ways[name] = 1 + sum(count(one, (*above, name)) for one in roles[name].includes)
        if ways[name] > MAX_WAYS:
            raise invalid(f"roles.{name}.includes leads to other roles in more than {MAX_WAYS} ways")
        return ways[name]

    for name in roles:
        count(name, ())
