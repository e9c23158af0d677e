"""Series of rounds in a pipeline, sealed and noted as one.

A pipeline of INSERTs is Bind, perhaps Describe, and Execute again and again, for one prepared statement and
in one form. What is to be done to each is decided at the first; the kernel then does all that have arrived in
one call, and stops before what is of another form, or before a value that needs words. The answers are
recognised in the same way (`relay`), and where they are not ordinary ones the series is taken apart, round by
round (`replies`).

Used by `relay` and `guarded`; pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from strongroom import _kernel as kernel
from strongroom.errors import StrongroomError
from strongroom.protect.batch import RowPlan
from strongroom.protect.sealing import KernelSeals
from strongroom.protect.style import TextStyle
from strongroom.session import rows
from strongroom.session.guard import Guard
from strongroom.session.replies import Owed, Request, Series
from strongroom.session.statements import Portal, Run, Statement
from strongroom.sql.statement import Kind, Resolved
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import HEADER, Span
from strongroom.wire.postgres.reader import cstring, int16

KINDS = frozenset({Kind.INSERT, Kind.UPDATE, Kind.DELETE, Kind.MERGE})
"""Statements that come in series; those that give no rows have plain answers."""

PLANS_KEPT = 100
"""Forms of series that a session remembers, before it forgets them all."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is to be done to the series of a statement that are of one form."""

    statement: Statement
    resolved: Resolved
    style: TextStyle
    outlook: object
    series: kernel.Series
    seals: KernelSeals
    described: bool
    result_formats: tuple[int, ...]

    def seal(self, data: bytes, start: int) -> "Part | None":
        """The rounds of this form that begin at ``start``; None if there are none, or one must be refused."""
        try:
            octets, end, rounds, sealed = self.series.seal(data, start)
            self.seals.count(sealed)
        except StrongroomError:  # the long way finds it too, and says it to the client
            return None
        return Part(self, rounds, octets, end) if rounds else None

    def under_way(self, rounds: int, undo: Callable[[], None] | None, portal: Portal) -> Series:
        """So many of these rounds, as they are noted; ``undo`` takes the portal back."""
        assert portal.run is not None
        each = [Owed(Request.BIND, portal.run), Owed(Request.EXECUTE, portal.run)]
        if self.described:
            each.insert(1, Owed(Request.DESCRIBE_PORTAL, portal))
        return Series(self, rounds, each, portal, undo)


@dataclass(frozen=True, slots=True)
class Part:
    """What of a series was sealed: the rounds, what goes upstream for them, and where they end."""

    plan: Plan
    rounds: int
    octets: bytes
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Sealing:
    """How the ordinary rounds (`rounds`) of a statement that are of one form are sealed."""

    resolved: Resolved
    _series: kernel.Series | None
    _seals: KernelSeals
    _formats: tuple[int, ...]
    _rows: RowPlan | None

    @classmethod
    def of(
        cls, guard: Guard, resolved: Resolved, bind: m.Bind, after: bytes, opened: RowPlan | None
    ) -> "Sealing":
        """For rounds that are like this one, with ``after`` behind its Bind, whose rows open so."""
        formats = bind.result_formats
        if resolved.outputs is not None:
            formats = rows.upstream_formats(resolved.outputs, formats)
        made = in_kernel(guard, resolved, bind, after.removesuffix(m.SYNC), formats)
        series, seals = made or (None, KernelSeals([]))
        return cls(resolved, series, seals, bind.result_formats, opened)

    def seal(self, chunk: bytes) -> bytes | None:
        """The round as it goes upstream; None if it is of another form, or must be refused."""
        if self._series is None:
            return None
        octets, end, rounds, sealed = self._series.seal(chunk, 0)
        if rounds != 1 or chunk[end:] != m.SYNC:
            return None
        self._seals.count(sealed)
        return octets + m.SYNC

    def run(self) -> Run:
        """What opens the rows of one such round."""
        return Run((self.resolved,), formats=self._formats, rows=self._rows)


class Plans:
    """What is to be done to the series of one session, by their form; ``current`` was found last."""

    __slots__ = ("_guard", "_known", "current")

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._known: dict[tuple[object, ...], Plan | None] = {}
        self.current: Plan | None = None

    def holds(self, plan: Plan) -> bool:
        """Whether the plan is still what is to be done."""
        seen = plan.statement.resolved is plan.resolved and plan.outlook == self._guard.outlook
        return seen and plan.style == self._guard.style

    def find(self, statement: Statement, data: bytes, spans: Sequence[Span], at: int) -> Plan | None:
        """The plan for a series that begins with the Bind at ``spans[at]``; None if it is no part of one."""
        size, resolved = _round_of(spans, at), statement.resolved
        if not size or resolved is None:
            return None
        if not statement.name and [tag for tag, _, _ in spans[at + size : at + size + 1]] != [_BIND]:
            return None  # it is prepared anew each time
        _, start, end = spans[at]
        bind = m.Bind.parse(data[start + HEADER : end])
        form = (bind.portal, bind.formats, len(bind.values), bind.result_formats)
        after = data[end : spans[at + size - 1][2]]
        key = (id(statement), id(resolved), self._guard.style, self._guard.outlook, *form, after)
        if key not in self._known:
            if len(self._known) >= PLANS_KEPT:
                self._known.clear()
            plain = bind.portal == "" and after in _AFTER
            self._known[key] = self._plan(statement, resolved, bind, after) if plain else None
        self.current = self._known[key]
        return self.current

    def _plan(self, statement: Statement, resolved: Resolved, bind: m.Bind, after: bytes) -> Plan | None:
        """What is done to the rounds of this form; None if they have too many values, or too few."""
        outputs = bind.result_formats if resolved.outputs is None else ()
        made = in_kernel(self._guard, resolved, bind, after, outputs)
        if made is None:
            return None
        series, seals = made
        described = after != EXECUTED
        return Plan(
            statement,
            resolved,
            self._guard.style,
            self._guard.outlook,
            series,
            seals,
            described,
            bind.result_formats,
        )


def in_kernel(
    guard: Guard, resolved: Resolved, bind: m.Bind, after: bytes, result_formats: Sequence[int]
) -> tuple[kernel.Series, KernelSeals] | None:
    """How the kernel changes Binds of this form, and what counts the uses of keys that it makes.

    ``after`` is what stands behind each Bind, ``result_formats`` what upstream is asked for. None if the
    Bind has too many values, or too few.
    """
    count = len(bind.values)
    places, formats, seals = list(range(count)), bind.formats, KernelSeals([None] * count)
    if resolved.touched and resolved.parameters is not None:
        if any(one.withheld or (one.tenant and one.tenant.client) for one in resolved.parameters):
            return None
        places = [one.client - 1 for one in resolved.parameters]
        if max(places, default=-1) + 1 != count:
            return None
        codes = [bind.format(place) for place in places]
        sealers = [guard.sealer(*pair) for pair in zip(resolved.parameters, codes, strict=True)]
        formats = tuple(m.BINARY if seal else code for seal, code in zip(sealers, codes, strict=True))
        seals = KernelSeals(sealers)
    series = kernel.Series(
        _around(bind.statement, bind.formats, bind.result_formats),
        _around(bind.statement, formats, result_formats),
        after=after,
        count=count,
        columns=list(zip(places, seals.columns, strict=True)),
    )
    return series, seals


_DESCRIBED = m.Target("P", "").describe()
EXECUTED = m.Execute("").serialise()
_AFTER = (_DESCRIBED + EXECUTED, EXECUTED)
"""What may stand behind a Bind: the unnamed portal, described or not, and run to its end."""


_ROUNDS = (list(b"BDE"), list(b"BE"))
_BIND, _SYNC = b"BS"


def _round_of(spans: Sequence[Span], at: int) -> int:
    """How many messages a round has that begins there and is not ended by a Sync; 0 if none does."""
    tags = [tag for tag, _, _ in spans[at : at + 4]]
    size = next((len(one) for one in _ROUNDS if tags[: len(one)] == one), 0)
    return 0 if tags[size : size + 1] == [_SYNC] else size


def _around(statement: str, formats: Sequence[int], result_formats: Sequence[int]) -> tuple[bytes, bytes]:
    """What stands before and behind the values in a Bind to the unnamed portal."""
    before = cstring("") + cstring(statement) + _codes(formats)
    return before, _codes(result_formats)


def _codes(formats: Sequence[int]) -> bytes:
    return int16(len(formats)) + b"".join(int16(code) for code in formats)
