"""What somebody looks for in the log, and whether a record is that.

The index finds kinds of records by their traits, and the same criteria are held against each record that
is then read: an index is never believed. Names of tables and columns are those of the policy or their
ends, folded as PostgreSQL folds them; names of people and accounts are compared without case. Called by
``strongroom audit``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network

from strongroom.audit.records.codes import CODES
from strongroom.audit.records.naming import EVERY, means, parts
from strongroom.audit.records.traits import COLUMNS, Role, Traits


class Verdict(StrEnum):
    """What somebody who wanted something was told."""

    PERMITTED = "permitted"
    DENIED = "denied"


VERDICTS = {
    "statement.permitted": Verdict.PERMITTED,
    "statement.intended": Verdict.PERMITTED,
    "statement.denied": Verdict.DENIED,
    "login.failed": Verdict.DENIED,
    "role.denied": Verdict.DENIED,
    "configuration.refused": Verdict.DENIED,
}
"""By the code of a record; the others tell of no question."""

Wanted = tuple[frozenset[Role], Callable[[str], bool]]
"""One name at least of these roles is such a one."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """All of them hold; what is None is not asked for."""

    person: str | None = None
    column: str | None = None
    seen: bool = False
    """The column was revealed or masked, not only filtered by or written."""
    table: str | None = None
    database: str | None = None
    event: str | None = None
    """A code, or the word before its dot."""
    verdict: Verdict | None = None
    address: str | None = None
    """One address, or a network."""
    since: int | None = None
    """Milliseconds, as the time of a record."""
    until: int | None = None
    """Before it."""

    def wanted(self) -> Iterator[Wanted]:
        """What a record's traits must have."""
        if self.person is not None:
            yield frozenset({Role.WHO}), _same(self.person)
        if self.column is not None:
            yield frozenset({Role.REVEALED, Role.MASKED}) if self.seen else COLUMNS, _named(self.column)
        if self.table is not None:
            yield frozenset({Role.TABLE}), _named(self.table)
        if self.database is not None:
            yield frozenset({Role.DATABASE}), _same(self.database)
        if self.event is not None:
            yield frozenset({Role.EVENT}), _of_event(self.event)
        if self.verdict is not None:
            yield frozenset({Role.EVENT}), lambda code: VERDICTS.get(code) is self.verdict
        if self.address is not None:
            yield frozenset({Role.ADDRESS}), _within(self.address)

    def fits(self, traits: Traits, time: int) -> bool:
        """Whether a record is what is looked for."""
        in_time = (self.since or 0) <= time and (self.until is None or time < self.until)
        return in_time and all(
            any(role in roles and matches(name) for role, name in traits) for roles, matches in self.wanted()
        )

    def shows(self, column: str) -> bool:
        """Whether this is the column that is looked for, or one of the table."""
        name = parts(column)
        of_table = self.table is None or name[:-1][-len(parts(self.table)) :] == parts(self.table)
        of_table = of_table or column == EVERY
        return of_table and (self.column is None or means(parts(self.column), column))


def is_event(text: str) -> bool:
    """Whether there is such an event, or a group of them."""
    return any(map(_of_event(text), CODES))


def is_address(text: str) -> bool:
    """Whether it is an address or a network."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _same(asked: str) -> Callable[[str], bool]:
    folded = asked.casefold()
    return lambda name: name.casefold() == folded


def _named(asked: str) -> Callable[[str], bool]:
    wanted = parts(asked)
    return lambda name: means(wanted, name)


def _of_event(asked: str) -> Callable[[str], bool]:
    return lambda code: code == asked or code.startswith(f"{asked}.")


def _within(asked: str) -> Callable[[str], bool]:
    network = ip_network(asked, strict=False)

    def matches(address: str) -> bool:
        try:
            return ip_address(address) in network
        except ValueError:
            return False

    return matches
