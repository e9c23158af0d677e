"""Prepared statements and portals of one session, as upstream will have them.

The maps run ahead of upstream: a Parse counts as done when it is sent, so that the Bind behind it in the
pipeline finds its statement. Each change gives an undo, which `replies` calls should upstream fail or skip it
(manual, "Extended Query": after an error everything up to Sync is skipped).

For each name there is what upstream has confirmed and, in order, the changes that are under way. Within one
pipeline segment that is certain enough, since what fails takes what follows along; but behind a Sync the name
could still mean an older object, so the session waits until it is settled (`settled`).

Called by `session/relay.py`.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from strongroom.audit.records.statements import Keyed
from strongroom.protect.batch import RowPlan
from strongroom.protect.copy.stream import CopyOpener
from strongroom.session.recorded import Recorded
from strongroom.sql.statement import Resolved


@dataclass(slots=True, eq=False)
class Statement:
    """A prepared statement: its text and parameter types as the client sent them.

    Where there is something to protect, ``resolved`` is how it was understood, ``outlook`` what that was
    understood under, and ``upstream_types`` the parameter types that upstream said it has.
    """

    name: str
    text: str
    parameter_types: tuple[int, ...] = ()
    resolved: Resolved | None = None
    outlook: object = None
    by_sql: bool = False
    refused: bool = False


@dataclass(slots=True, eq=False)
class Portal:
    """A bound statement; ``statement`` stays what it was when another is prepared under its name.

    ``run`` is what opens its rows, where there is something to open.
    """

    name: str
    statement: Statement | None
    run: "Run | None" = None


@dataclass(slots=True, eq=False)
class Run:
    """The statements of a query, or the one of a portal, while upstream carries them out."""

    statements: tuple[Resolved, ...]
    formats: tuple[int, ...] | None = None  # of the results, as Bind asked; None: RowDescription says
    rows: RowPlan | None = None
    opener: CopyOpener | None = None  # of COPY TO STDOUT
    index: int = 0
    tenant: str = ""  # of the session when it was bound
    standing: object = None  # of the policy when it was bound
    recorded: tuple[Recorded, ...] = ()  # what its records say, where statements are recorded
    intended: deque[int] | None = None  # numbers of its statements that were begun and have no end
    keyed: tuple[tuple[Keyed, ...] | None, ...] = ()  # and their keyed hashes, of each statement
    begun: float = 0.0  # the moment at which the current statement was sent
    limit: int = 0  # rows that the Execute of an ordinary round asked for; 0: all
    sealing: float = 0.0  # seconds that it took to seal, where it is a round that is taken whole
    completed: bytes = b""  # CommandComplete, kept back until the transaction has ended

    @property
    def current(self) -> Resolved | None:
        """The statement whose answers come now."""
        return self.statements[self.index] if self.index < len(self.statements) else None


Thing = TypeVar("Thing", Statement, Portal)


class Names(Generic[Thing]):
    """One of the two maps. ``segment`` counts the Syncs sent so far."""

    __slots__ = ("_ahead", "_confirmed", "_under_way")

    def __init__(self) -> None:
        self._ahead: dict[str, Thing] = {}
        self._confirmed: dict[str, Thing] = {}
        self._under_way: dict[str, deque[_Change[Thing]]] = {}

    def __len__(self) -> int:
        return len(self._ahead)

    def names(self) -> list[str]:
        """The names that mean something."""
        return list(self._ahead)

    def find(self, name: str) -> Thing | None:
        """Return what the name will mean once all that was sent has been carried out."""
        return self._ahead.get(name)

    def settled(self, name: str, segment: int) -> bool:
        """Whether the name can only mean what `find` returns, or nothing at all."""
        changes = self._under_way.get(name)
        if changes is None or changes[-1].segment == segment:
            return True
        newest = changes[-1].thing
        older: list[Thing | None] = [self._confirmed.get(name)]
        older += [change.thing for change in changes]
        return all(thing is None or thing is newest for thing in older)

    def put(self, name: str, thing: Thing | None, segment: int) -> Callable[[], None]:
        """Give the name a new meaning (None: closed), and return what takes that back."""
        change = _Change(thing, segment)
        self._under_way.setdefault(name, deque()).append(change)
        self._look_ahead(name)

        def undo() -> None:
            self._drop(name, change)

        return undo

    def confirm(self, name: str) -> None:
        """Upstream has carried out the oldest change of the name that is under way."""
        changes = self._under_way.get(name)
        if changes is not None:
            _set(self._confirmed, name, changes[0].thing)
            self._drop(name, changes[0])

    def note(self, name: str, thing: Thing | None) -> None:
        """Upstream has it so without having been asked by name: by SQL's PREPARE or DEALLOCATE."""
        _set(self._confirmed, name, thing)
        self._look_ahead(name)

    def forget_all(self) -> None:
        """What upstream has confirmed is gone: the end of a transaction for portals, DISCARD ALL for both."""
        self._confirmed.clear()
        self._ahead = {name: thing for name, thing in self._ahead.items() if name in self._under_way}

    def _drop(self, name: str, change: "_Change[Thing]") -> None:
        changes = self._under_way[name]
        if changes[-1] is change:  # taken back, the last one first; there may be many
            changes.pop()
        elif changes[0] is change:
            changes.popleft()
        else:
            changes.remove(change)
        if not changes:
            del self._under_way[name]
        self._look_ahead(name)

    def _look_ahead(self, name: str) -> None:
        changes = self._under_way.get(name)
        _set(self._ahead, name, changes[-1].thing if changes else self._confirmed.get(name))


@dataclass(slots=True, eq=False)
class _Change(Generic[Thing]):
    """A name's new meaning, asked for in a segment and not answered yet."""

    thing: Thing | None
    segment: int


def _set(things: dict[str, Thing], name: str, thing: Thing | None) -> None:
    if thing is None:
        things.pop(name, None)
    else:
        things[name] = thing
