"""The octets of a statement's record, fast: what does not change is encoded once.

Such a record is made of parts that change at different times: whose session it is, the plan of the statement,
and what came of it. A `Shape` is the octets of a plan, cut where a session's come in; a `Line` is those put
together, with holes that the kernel fills in one call. Nothing is sorted or escaped then. The octets are
those of `encoding.encode`, which makes the parts; a test holds the two against each other.

Made by whoever records a session's statements: a `Shape` for each plan, a `Line` for a plan in a session.
What ends with an error of ours is rare, and takes the slow way.
"""

from collections.abc import Iterator, Sequence, Set
from functools import lru_cache
from typing import Any

from strongroom._kernel import Template
from strongroom.audit.records.codes import Record
from strongroom.audit.records.encoding import canonical, event
from strongroom.audit.records.layout import Path, leaves, written_as
from strongroom.audit.records.shared import Client, Head, Holder, Result
from strongroom.audit.records.statements import Ended, Intended, Keyed, Outcome, Permitted, Plan
from strongroom.errors import Bug

SUCCESSFUL = "00000"
"""The SQLSTATE successful_completion."""

_OF_SESSION = ("actor", "database", "src_endpoint")
"""The keys of an event, in their order, under which nothing stands but what the session says."""
_HOLE = b"\0"
"""For what is filled in later, a number or JSON that is encoded already: JSON never has it (RFC 8259, 7)."""
_HOLES: Set[Path] = {  # in the order of their keys the methods below fill them
    ("duration",),
    ("metadata", "sequence"),
    ("status_code",),
    ("status_id",),
    ("time",),
    ("unmapped", "keyed"),
    ("unmapped", "rows"),
    ("unmapped", "statement"),
    ("unmapped", "values"),
}
_OUTCOME = Outcome(Result.SUCCESS, SUCCESSFUL, 0, 0, 0)
_NOBODY = Client("", Holder.ACCOUNT, "")


class Session:
    """What the records of one session have in common."""

    __slots__ = ("_ended", "parts")

    def __init__(self, origin: Head, client: Client, database: str) -> None:
        """``origin`` says which process records; its time and sequence do not matter."""
        ended = Ended(origin, client, _OUTCOME, database, 1)
        found = event(ended)
        self.parts = tuple(canonical(found[key]) for key in _OF_SESSION)
        self._ended = _joined(_cut(ended), self.parts)

    def ended(
        self,
        time: int,
        sequence: int,
        statement: int,
        duration: int,
        *,
        rows: int,
        values: int,
        result: int = Result.SUCCESS,
        sqlstate: str = SUCCESSFUL,
    ) -> bytes:
        """The octets of an `Ended`."""
        outcome = duration, sequence, _quoted(sqlstate), result, time, rows, statement, values
        return _filled(self._ended, outcome)


class Shape:
    """What the records of one plan have in common, cut where a session's parts come in."""

    __slots__ = ("_intended", "_permitted")

    def __init__(self, origin: Head, plan: Plan, *, keyed: bool = False) -> None:
        """``keyed``: each of its records has keyed hashes."""
        hashes = () if keyed else None
        self._permitted = _cut(Permitted(origin, _NOBODY, plan, _OUTCOME, "", 1, hashes))
        self._intended = _cut(Intended(origin, _NOBODY, plan, "", 1, hashes))

    def line(self, session: Session) -> "Line":
        """That of a plan in a session."""
        return Line(_joined(self._permitted, session.parts), _joined(self._intended, session.parts))


class Line:
    """What the records of one plan in one session have in common."""

    __slots__ = ("_intended", "_permitted")

    def __init__(self, permitted: Template, intended: Template) -> None:
        self._permitted = permitted
        self._intended = intended

    def permitted(
        self,
        time: int,
        sequence: int,
        statement: int,
        duration: int,
        *,
        rows: int,
        values: int,
        result: int = Result.SUCCESS,
        sqlstate: str = SUCCESSFUL,
        keyed: bytes | None = None,
    ) -> bytes:
        """The octets of a `Permitted`; ``keyed`` is what `keyed_hashes` makes, where the shape has them."""
        before, after = (duration, sequence, _quoted(sqlstate), result, time), (rows, statement, values)
        return _filled(self._permitted, before + after if keyed is None else (*before, keyed, *after))

    def answers(
        self, rounds: list[tuple[int, bytes, float, float]], sequence: int, ahead: float, values: int
    ) -> tuple[list[bytes], int]:
        """The octets of a `Permitted` for each round that went well, and all of their rows.

        As `Template.answers` of the kernel takes rounds; each row has so many ``values``.
        """
        try:
            return self._permitted.answers(rounds, sequence, ahead, values)
        except ValueError:
            raise Bug("a record has a number out of bounds") from None

    def intended(self, time: int, sequence: int, statement: int, *, keyed: bytes | None = None) -> bytes:
        """The octets of an `Intended`."""
        hashes = () if keyed is None else (keyed,)
        return _filled(self._intended, (sequence, time, *hashes, statement))


def keyed_hashes(keyed: Sequence[Keyed]) -> bytes:
    """What goes into a line for the keyed hashes of one execution."""
    return canonical([written_as(Keyed, one) for one in keyed])


def _filled(template: Template, fillings: tuple[int | bytes, ...]) -> bytes:
    try:
        return template.fill(fillings)
    except ValueError:
        raise Bug("a record has a number out of bounds, or hashes that are not expected") from None


@lru_cache(maxsize=256)
def _quoted(sqlstate: str) -> bytes:
    """An SQLSTATE as JSON; the database may send anything."""
    return canonical(sqlstate[:5])


# ---------------------------------------------------------------- making them


def _cut(record: Record) -> tuple[bytes, ...]:
    """The octets of a record with holes, in pieces between which the session's parts stand."""
    found = event(record)
    holes = _HOLES & {one.place for one in leaves(type(record))}
    pieces = [b"{"]
    for index, key in enumerate(sorted(found)):
        pieces[-1] += (b"," if index else b"") + canonical(key) + b":"
        if key in _OF_SESSION:
            pieces.append(b"")
        else:
            pieces[-1] += b"".join(_holed(found[key], (key,), holes))
    pieces[-1] += b"}"
    return tuple(pieces)


def _holed(value: Any, place: Path, holes: Set[Path]) -> Iterator[bytes]:
    if place in holes:
        yield _HOLE
    elif isinstance(value, dict):
        yield b"{"
        for index, key in enumerate(sorted(value)):
            yield (b"," if index else b"") + canonical(key) + b":"
            yield from _holed(value[key], (*place, key), holes)
        yield b"}"
    else:
        yield canonical(value)


def _joined(pieces: Sequence[bytes], parts: Sequence[bytes]) -> Template:
    first, *others = pieces
    octets = first + b"".join(part + piece for part, piece in zip(parts, others, strict=True))
    return Template(octets.split(_HOLE))
