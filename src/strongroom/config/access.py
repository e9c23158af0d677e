"""The policy that a configuration comes to: roles, subjects, classes and Cedar files, as `policy` has them.

Called by ``load_policy``, by the gateway, and by the commands that check a policy.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from strongroom.config.model import Settings
from strongroom.config.offers import glass_offer, temporary_offer
from strongroom.config.roles import Role
from strongroom.config.source import read_file
from strongroom.policy import roles as policy
from strongroom.policy.model import DataClass, Subject
from strongroom.policy.pattern import exact
from strongroom.policy.residual import Limits

DECLARES = ("roles", "groups", "classes", "mask_by_default", "policies")
"""The keys at the top that say who may do what."""


def declared(settings: Settings) -> list[str]:
    """Where the configuration says who may do what; an empty mapping says it, too."""
    found = [key for key in DECLARES if key in settings.model_fields_set]
    holders = {"accounts": settings.accounts, "people": settings.people}
    return found + [
        f"{kind}.{name}.{key}"
        for kind, every in holders.items()
        for name, one in every.items()
        for key in ("roles", "groups")
        if key in one.model_fields_set
    ]


def policy_of(settings: Settings) -> policy.Policy:
    """The policy; its Cedar files are read, and not yet looked into."""
    return policy.Policy(
        roles={name: _role(name, role, settings) for name, role in settings.roles.items()},
        subjects=tuple(_subjects(settings)),
        groups={name: frozenset(roles) for name, roles in settings.groups.items()},
        classes=tuple(_classes(settings)),
        mask_by_default=settings.mask_by_default,
        files=tuple(
            policy.CedarFile(_below(path, settings.file.parent), read_file(path))
            for path in settings.policies
        ),
    )


def _below(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _subjects(settings: Settings) -> Iterator[Subject]:
    for name, account in settings.accounts.items():
        yield Subject(name, "account", frozenset(account.roles))
    for name, person in settings.people.items():
        yield Subject(name, "person", frozenset(person.roles), frozenset(person.groups))


def _classes(settings: Settings) -> Iterator[policy.ClassRule]:
    for pattern, data_class in settings.classes.items():
        yield policy.ClassRule(pattern, data_class)
    for name, database in settings.databases.items():
        for column in database.columns:
            pattern = exact(column.schema, column.table, column.column)
            yield policy.ClassRule(pattern, DataClass.PROTECTED, name)


def _role(name: str, role: Role, settings: Settings) -> policy.Role:
    place = f"roles.{name}"
    return policy.Role(
        name,
        frozenset(role.databases),
        tuple(
            replace(rule, about=about, place=f"{place}.tables.{about}") for about, rule in role.tables.items()
        ),
        tuple(
            replace(rule, about=about, place=f"{place}.columns.{spelt(about)}")
            for about, rule in role.columns.items()
        ),
        tuple(policy.FunctionRule(about, f"{place}.functions.{about}") for about in role.functions),
        role.when.conditions(name),
        Limits(role.limits.rows_per_hour, role.limits.reveals_per_hour),
        tuple(role.includes),
        None if role.temporary is None else temporary_offer(role.temporary, settings),
        None if role.break_glass is None else glass_offer(role.break_glass, settings),
    )


def spelt(about: object) -> str:
    """What a rule for columns is about, as the configuration has it."""
    return f"class:{about}" if isinstance(about, DataClass) else str(about)
