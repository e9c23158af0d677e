"""Prepared statements and portals of one session, as upstream will have them.

The maps run ahead of upstream: a Parse counts as done when it is sent, so that the Bind behind it in the
pipeline finds its statement. Each change gives an undo, which `replies` calls should upstream fail or skip it
(manual, "Extended Query": after an error everything up to Sync is skipped).

A name that was given anew, or closed, stays *unsettled* until upstream has confirmed it. Within one pipeline
segment that is harmless, since what fails takes what follows along; but behind a Sync the name could still
mean the older object, so the session waits until it is settled (`settled`).

Called by `session/relay.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from strongroom.protect.batch import RowPlan
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
    text: str = ""  # of a query of one statement
    formats: tuple[int, ...] | None = None  # of the results, as Bind asked; None: RowDescription says
    rows: RowPlan | None = None
    index: int = 0

    @property
    def current(self) -> Resolved | None:
        """The statement whose answers come now."""
        return self.statements[self.index] if self.index < len(self.statements) else None


Thing = TypeVar("Thing", Statement, Portal)


class Names(Generic[Thing]):
    """One of the two maps. ``segment`` counts the Syncs sent so far."""

    __slots__ = ("_known", "_unsettled")

    def __init__(self) -> None:
        self._known: dict[str, Thing] = {}
        self._unsettled: dict[str, tuple[int, int]] = {}  # name -> (last segment, changes under way)

    def __len__(self) -> int:
        return len(self._known)

    def names(self) -> list[str]:
        """The names that mean something."""
        return list(self._known)

    def find(self, name: str) -> Thing | None:
        """Return what the name will mean once all that was sent has been carried out."""
        return self._known.get(name)

    def settled(self, name: str, segment: int) -> bool:
        """Whether the name's meaning is confirmed, or changed in this very segment."""
        under_way = self._unsettled.get(name)
        return under_way is None or under_way[0] == segment

    def put(self, name: str, thing: Thing | None, segment: int) -> Callable[[], None]:
        """Give the name a new meaning (None: closed), and return what takes that back."""
        before = self._known.get(name)
        self._set(name, thing)
        changes = self._unsettled.get(name, (0, 0))[1]
        self._unsettled[name] = (segment, changes + 1)

        def undo() -> None:
            if self._known.get(name) is thing:
                self._set(name, before)
            self.confirm(name)

        return undo

    def confirm(self, name: str) -> None:
        """Upstream has carried out, or undone, one change of the name."""
        under_way = self._unsettled.pop(name, None)
        if under_way is not None and under_way[1] > 1:
            self._unsettled[name] = (under_way[0], under_way[1] - 1)

    def forget_all(self) -> None:
        """All settled names are gone: the end of a transaction for portals, DISCARD ALL for both."""
        self._known = {name: thing for name, thing in self._known.items() if name in self._unsettled}

    def _set(self, name: str, thing: Thing | None) -> None:
        if thing is None:
            self._known.pop(name, None)
        else:
            self._known[name] = thing
