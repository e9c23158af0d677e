"""What each upstream user needs in its database, by what the policy lets those do who log in through it.

Under whatever circumstances a role counts: the database knows neither hours nor second factors. Where there
is no policy, whoever logs in may read and change all tables. Called by `compare`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from strongroom.config import Account, Person, Settings
from strongroom.policy.authorizer import Authorizer
from strongroom.policy.model import PERMIT, Access, Action, Resource, Subject
from strongroom.policy.reach import ANY_NAME
from strongroom.privileges.facts import OWN, Default, Facts, Thing

Name = tuple[str, ...]
_T = TypeVar("_T")

PRIVILEGES = {
    Action.SELECT: "SELECT",
    Action.INSERT: "INSERT",
    Action.UPDATE: "UPDATE",
    Action.DELETE: "DELETE",
    Action.TRUNCATE: "TRUNCATE",
}
_USUAL = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
_OF_OWNERS = frozenset({"REFERENCES", "TRIGGER", "MAINTAIN"})
"""Of use to who changes definitions alone."""
ASKED_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one or more subjects may do in a database, as privileges on tables."""

    tables: Mapping[Name, frozenset[str]]
    new_tables: Mapping[str, frozenset[str]]
    """On tables that nobody has made yet, by schema."""
    ddl: frozenset[str]
    """Schemas in which they may make things; the empty name is the database."""
    calls: frozenset[Name]

    def __or__(self, other: "Wanted") -> "Wanted":
        return Wanted(
            _both(self.tables, other.tables),
            _both(self.new_tables, other.new_tables),
            self.ddl | other.ddl,
            self.calls | other.calls,
        )

    def sequence(self, sequence: Thing) -> frozenset[str]:
        """What INSERT needs for the defaults of serial columns."""
        tables = (
            [sequence.table]
            if sequence.table is not None
            else [one for one in self.tables if one[0] == sequence.name[0]]
        )
        inserts = any("INSERT" in self.tables.get(one, ()) for one in tables)
        return frozenset({"USAGE"}) if inserts else frozenset()


@dataclass(frozen=True, slots=True)
class User:
    """An upstream user of a database, and who logs in through it."""

    name: str
    place: str
    """Where the configuration names it."""
    subjects: Mapping[str, Wanted]
    """By where the configuration has the subject."""
    wanted: Wanted


NOTHING = Wanted({}, {}, frozenset(), frozenset())


def users(
    settings: Settings, database: str, main: str, facts: Facts, authorizer: Authorizer | None
) -> list[User]:
    """The upstream users of a database; ``main`` is the one of all who have none of their own."""
    by_user: dict[str, dict[str, Wanted]] = {main: {}}
    known: dict[object, Wanted] = {}
    for place, subject, holder in _holders(settings, database):
        # Policies written by hand may name a subject; roles do not.
        named = (
            subject if authorizer and authorizer.policy.files else replace(subject, name="", kind="account")
        )
        if named not in known:
            known[named] = (
                _usual(facts) if authorizer is None else _asked(authorizer, subject, database, facts)
            )
        by_user.setdefault(holder.upstream_user or main, {})[place] = known[named]
    return [
        User(name, _place(database, main, name, subjects), subjects, _together(subjects))
        for name, subjects in by_user.items()
    ]


def _holders(settings: Settings, database: str) -> Iterator[tuple[str, Subject, Account | Person]]:
    for name, account in settings.accounts.items():
        if database in account.databases:
            yield f"accounts.{name}", Subject(name, "account", frozenset(account.roles)), account
    for name, person in settings.people.items():
        if database in person.databases:
            subject = Subject(name, "person", frozenset(person.roles), frozenset(person.groups))
            yield f"people.{name}", subject, person


def _place(database: str, main: str, name: str, subjects: Mapping[str, Wanted]) -> str:
    if name == main:
        return f"databases.{database}.upstream"
    return f"{min(subjects)}.upstream_user"


def _together(subjects: Mapping[str, Wanted]) -> Wanted:
    found = NOTHING
    for one in subjects.values():
        found |= one
    return found


def _both(one: Mapping[_T, frozenset[str]], other: Mapping[_T, frozenset[str]]) -> dict[_T, frozenset[str]]:
    nothing = frozenset[str]()
    return {name: one.get(name, nothing) | other.get(name, nothing) for name in {**one, **other}}


def _usual(facts: Facts) -> Wanted:
    """Where there is no policy."""
    tables = {one.name: _USUAL for one in facts.tables}
    every = frozenset(one.name[0] for one in facts.schemas)
    new = dict.fromkeys(every, _USUAL | _OF_OWNERS | {"TRUNCATE"})
    calls = frozenset(one.name for one in facts.functions if one.extension != OWN)
    return Wanted(tables, new, every | {""}, calls)


def _asked(authorizer: Authorizer, subject: Subject, database: str, facts: Facts) -> Wanted:
    """What the policy gives while all roles count that the subject holds."""
    schemas = [one.name[0] for one in facts.schemas]
    new: list[Name] = [(schema, ANY_NAME) for schema in schemas]
    tables = [one.name for one in facts.tables] + new
    asked = [
        Access(action, Resource(database, name[0], name[1]))
        for name in tables
        for action in (*PRIVILEGES, Action.DDL)
    ]
    asked += [Access(Action.DDL, Resource(database))]
    asked += [Access(Action.DDL, Resource(database, schema)) for schema in schemas]
    asked += [
        Access(Action.CALL, Resource(database, one.name[0], function=one.name[1])) for one in facts.functions
    ]
    return _made(_permitted(authorizer, subject, asked), tables, new)


def _permitted(authorizer: Authorizer, subject: Subject, asked: Sequence[Access]) -> list[Access]:
    counting = frozenset(grant.role for grant in authorizer.policy.grants(subject))
    return [
        reason.access
        for begin in range(0, len(asked), ASKED_AT_ONCE)
        for reason in authorizer.review(subject, asked[begin : begin + ASKED_AT_ONCE], counting)
        if reason.effect is PERMIT
    ]


def _made(permitted: list[Access], tables: list[Name], new: list[Name]) -> Wanted:
    privileges: dict[Name, set[str]] = {name: set() for name in tables}
    ddl: set[str] = set()
    calls: set[Name] = set()
    for access in permitted:
        resource = access.resource
        if resource.function is not None:
            calls.add((resource.schema or "", resource.function))
        elif resource.table is not None:
            name = (resource.schema or "", resource.table)
            more = _OF_OWNERS if access.action is Action.DDL else {PRIVILEGES[access.action]}
            privileges[name] |= more
        else:
            ddl.add(resource.schema or "")
    return Wanted(
        {name: frozenset(found) for name, found in privileges.items() if name not in new},
        {name[0]: frozenset(privileges[name]) for name in new},
        frozenset(ddl),
        frozenset(calls),
    )


def excess_by_default(default: Default, privilege: str, wanted: Wanted) -> bool:
    """Whether new things come with a privilege that the policy does not give on them."""
    if default.kind != "r":
        return False
    schemas = [default.schema] if default.schema is not None else list(wanted.new_tables)
    return any(privilege not in wanted.new_tables.get(schema, ()) for schema in schemas)
