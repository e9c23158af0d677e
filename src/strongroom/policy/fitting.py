"""A policy held against the catalogs of live databases: names that are not there, masks that cannot be.

What is misspelt matches nothing, and so refuses more than was meant, or with `nothing` less. A mask that does
not go with a column's type is refused whenever it would be given, so that the column cannot be read. Pure:
catalogs come in as `Catalog`, and what a type takes as a function of whoever asks. Called by the shell
(``gateway/fitting.py``) when a policy is loaded, and by the commands that check one.
"""

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import islice

from strongroom.policy.model import Action, DataClass, Mask, Resource
from strongroom.policy.pattern import Pattern, exact
from strongroom.policy.review import Remark
from strongroom.policy.roles import REVEAL, ColumnRule, Policy, Role, closeness, looseness

__all__ = ["Catalog", "Misfit", "fitting"]

Name = tuple[str, ...]
"""Of a table or function by schema and name, of a column by schema, table and column."""
Type = tuple[int, int]
"""OID and modifier, as clients see them."""
Misfit = Callable[[Mask, int, int], str]
"""Why a type does not take a mask; empty where it does."""

OWN = frozenset({"pg_catalog", "information_schema"})
"""PostgreSQL's own schemas: their tables are known, and what is in them is not."""
NAMED_AT_MOST = 5
"""Columns that one remark names."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """What one database has."""

    tables: frozenset[Name]
    columns: Mapping[Name, Type]
    functions: frozenset[Name]


def fitting(policy: Policy, catalogs: Mapping[str, Catalog], misfit: Misfit) -> Iterator[Remark]:
    """All remarks; of databases that are not among ``catalogs`` nothing is known, and nothing certain."""
    databases = {name: _Database(policy, name, catalog) for name, catalog in catalogs.items()}
    together: dict[tuple[str, ...], _Here] = {}
    misfit = cache(misfit)  # a database has few types, and a policy few masks
    for role in policy.roles.values():
        names = tuple(name for name in sorted(role.databases) if name in databases)
        if names:
            if names not in together:
                together[names] = _Here.of([databases[name] for name in names])
            yield from _unknown(role, together[names], certain=role.databases <= catalogs.keys())
            for name in names:
                yield from _misfits(role, databases[name], misfit)
    if databases:
        yield from _unclassed(policy, _Here.of(list(databases.values())))


@dataclass(slots=True)
class _Database:
    """The catalog of one database, and what patterns mean in it."""

    policy: Policy
    name: str
    catalog: Catalog
    _meant: dict[Pattern | DataClass, list[Name]] = field(default_factory=dict)
    _classes: dict[Name, frozenset[DataClass]] = field(default_factory=dict)

    def columns(self, about: Pattern | DataClass) -> list[Name]:
        """The columns that a rule is about."""
        found = self._meant.get(about)
        if found is None:
            if isinstance(about, Pattern):
                found = list(_meant(about, self.catalog.columns))
            else:
                found = [one for one in self.catalog.columns if about in self.classes(one)]
            self._meant[about] = found
        return found

    def classes(self, column: Name) -> frozenset[DataClass]:
        """Those that the policy gives a column."""
        if column not in self._classes:
            schema, table, name = column
            self._classes[column] = self.policy.classes_of(Resource(self.name, schema, table, name))
        return self._classes[column]


def _meant(about: Pattern, names: Collection[Name]) -> Iterable[Name]:
    if about.is_exact:
        name = tuple(part[0] for part in about.parts)
        return [name] if name in names else []
    return (one for one in names if about.matches(one))


@dataclass(frozen=True, slots=True)
class _Here:
    """Some databases together: a name need be in one of them."""

    databases: list[_Database]
    tables: frozenset[Name]
    columns: frozenset[Name]
    functions: frozenset[Name]

    @classmethod
    def of(cls, databases: list[_Database]) -> "_Here":
        """All names of all of them."""
        catalogs = [one.catalog for one in databases]
        return cls(
            databases,
            frozenset().union(*(one.tables for one in catalogs)),
            frozenset().union(*(one.columns for one in catalogs)),
            frozenset().union(*(one.functions for one in catalogs)),
        )

    def __str__(self) -> str:
        return ", ".join(one.name for one in self.databases)


def _unknown(role: Role, here: _Here, *, certain: bool) -> Iterator[Remark]:
    """Rules that mean nothing in any of the role's databases."""
    for table in role.tables:
        yield from _missing(table.about, table.place, "table", here.tables, here, certain=certain)
    for function in role.functions:
        yield from _missing(function.about, function.place, "function", here.functions, here, certain=certain)
    for column in role.columns:
        if isinstance(column.about, Pattern):
            yield from _missing(column.about, column.place, "column", here.columns, here, certain=certain)
        elif not any(database.columns(column.about) for database in here.databases):
            wrong = f"no column of {here} is of the class {column.about}"
            yield Remark(column.place, wrong, "Give it to columns under classes:.", serious=False)


def _missing(
    about: Pattern, place: str, what: str, names: frozenset[Name], here: _Here, *, certain: bool
) -> Iterator[Remark]:
    if about.parts[0][0] in OWN or any(True for _ in _meant(about, names)):
        return
    if not about.is_exact:
        yield Remark(place, f"no {what} of {here} matches it now", _ONE_DAY, serious=False)
        return
    close = _close(tuple(part[0] for part in about.parts), names)
    remedy = f"Did you mean {close}?" if close else "Correct the name, or take the rule out."
    yield Remark(place, f"there is no such {what} in {here}", remedy, serious=certain)


_ONE_DAY = "Correct it, unless it is there for what is still to come."


def _close(name: Name, names: frozenset[Name]) -> str:
    """One that differs in one part, by a slip of the hand."""
    near = {
        str(exact(*one))
        for one in names
        if sum(mine == theirs for mine, theirs in zip(name, one, strict=True)) == len(name) - 1
    }
    return next(iter(difflib.get_close_matches(str(exact(*name)), sorted(near), n=1, cutoff=0.8)), "")


def _unclassed(policy: Policy, here: _Here) -> Iterator[Remark]:
    """Lines of ``classes:`` that mean no column; columns under ``columns:`` are looked for elsewhere."""
    known = {name for role in policy.roles.values() for name in role.databases}
    certain = known <= {one.name for one in here.databases}
    for rule in policy.classes:
        if rule.database is None:
            place = f"classes.{rule.pattern}"
            yield from _missing(rule.pattern, place, "column", here.columns, here, certain=certain)


def _misfits(role: Role, database: _Database, misfit: Misfit) -> Iterator[Remark]:
    """Masks that count for columns whose types do not take them."""
    for rule in role.columns:
        if rule.show is None or rule.show == REVEAL:
            continue
        found = (
            (column, why)
            for column in database.columns(rule.about)
            if (why := misfit(rule.show, *database.catalog.columns[column]))
            and _may_select(role, column)
            and not _is_outdone(rule, role, database, column)
        )
        wrong = list(islice(found, NAMED_AT_MOST + 1))
        if wrong:
            named = ", ".join(str(exact(*column)) for column, _ in wrong[:NAMED_AT_MOST])
            more = " and more" if len(wrong) > NAMED_AT_MOST else ""
            yield Remark(
                rule.place,
                f"{named}{more} of {database.name} cannot be shown so, and reading is refused: {wrong[0][1]}",
                "Choose a mask that the type takes; constant and null go with every type.",
            )


def _may_select(role: Role, column: Name) -> bool:
    """Whether the role gives the column's table at all; `review` says where it does not."""
    near = [rule for rule in role.tables if rule.about.matches(column[:2])]
    nearest = max(map(closeness, near), default=0)
    return bool(near) and all(Action.SELECT in rule.actions for rule in near if closeness(rule) == nearest)


def _is_outdone(rule: ColumnRule, role: Role, database: _Database, column: Name) -> bool:
    """Whether another rule of the role is closer to the column, or as close and tells less."""
    own, told = closeness(rule), looseness(rule.show)
    return any(
        closeness(other) > own or looseness(other.show) < told
        for other in role.columns
        if other is not rule and closeness(other) >= own and _concerns(other, database, column)
    )


def _concerns(rule: ColumnRule, database: _Database, column: Name) -> bool:
    if isinstance(rule.about, DataClass):
        return rule.about in database.classes(column)
    return rule.about.matches(column)
