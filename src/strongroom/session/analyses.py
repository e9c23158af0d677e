"""Analyses at hand: short texts are remembered; long ones are analysed elsewhere, and sealed bit by bit.

A text of two megabytes takes seconds to analyse, in which no other session of the worker would be served.
So who asks a `Guard` about a long text gets `Unfinished` and a `Question` is left, which the shell has
answered by another process (`gateway/analyst.py`). The literals of such a text are sealed some hundreds at a
time, with a turn for others in between. The message that wants it waits, and is looked at again each time.

Used by `guard`; pure.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from strongroom.errors import StatementTooComplex, StrongroomError
from strongroom.sql.statement import Analysis, Piece, SealedLiteral

ANALYSES_KEPT = 2_000
"""Analysed texts that a snapshot remembers, those least recently used being forgotten first."""

LENGTH_KEPT = 1 << 14
"""Characters of the longest text that is remembered, and analysed here; bulk inserts hardly come twice."""

ASKED_AT_MOST = 3
"""Times that one text is given away; each time the catalog has changed before the answer was there."""

HERE_AT_MOST = 1 << 18
"""Characters of the longest text that is analysed here because it names what its session alone knows."""

PIECES_AT_ONCE = 1_000
"""Pieces of a text, half of them literals to be sealed, between two turns of others: some milliseconds."""


class Analyses:
    """What was analysed under one snapshot, so that no text is parsed twice.

    Texts may hold literals in the clear: those that nobody sends any more are forgotten in `turn`s.
    """

    __slots__ = ("_known", "_used", "mark")

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[object, ...], Analysis] = OrderedDict()
        self._used: set[tuple[object, ...]] = set()  # since the last turn
        self.mark = object()
        """Tells the snapshot from others, for what is kept for longer than its keys may be."""

    def find(self, key: tuple[object, ...]) -> Analysis | None:
        """Return what is known."""
        analysis = self._known.get(key)
        if analysis is not None:
            self._known.move_to_end(key)
            self._used.add(key)
        return analysis

    def keep(self, key: tuple[object, ...], analysis: Analysis) -> None:
        """Remember, and forget the oldest where there are too many."""
        if len(str(key[0])) > LENGTH_KEPT:
            return
        self._known[key] = analysis
        self._used.add(key)
        if len(self._known) > ANALYSES_KEPT:
            self._used.discard(self._known.popitem(last=False)[0])

    def turn(self) -> None:
        """Forget what was not used since the last turn."""
        self._known = OrderedDict((key, one) for key, one in self._known.items() if key in self._used)
        self._used.clear()


@dataclass(frozen=True, slots=True)
class Question:
    """A long text, and all that its analysis depends on but names of the session's own.

    ``snapshot`` is the `Snapshot` under which it is asked, compared by identity.
    """

    text: str = field(repr=False)
    declared: tuple[int, ...]
    path: tuple[str, ...]
    snapshot: object
    policed: bool = False
    recorded: bool = False


class Unfinished(Exception):
    """A long text is not analysed or sealed yet; the message that holds it is to be looked at again."""


class LongText:
    """The one long text that a session waits for: its question, its answer, and how far its sealing is."""

    def __init__(self) -> None:
        self._question: Question | None = None
        self._outcome: Analysis | StrongroomError | None = None
        self._answered = False
        self._times = 0
        self._pieces: tuple[Piece, ...] = ()
        self._parts: list[str] = []
        self.to_ask: Question | None = None
        """What the shell is to have answered; taken by who passes it on."""
        self.wants_turn = False
        """Whether others are to be served before the next literals are sealed."""

    @property
    def busy(self) -> bool:
        """Whether an answer or a turn is awaited, before which nothing more can be done."""
        return self.wants_turn or (self._question is not None and not self._answered)

    def analysis(self, question: Question) -> Analysis | None:
        """The answer; None where the text must be analysed here after all.

        Raises what analysis raises, and `Unfinished` while there is no answer.
        """
        if question != self._question:
            self._ask(question)
        if not self._answered:
            raise Unfinished
        if isinstance(self._outcome, StrongroomError):
            raise self._outcome
        if self._outcome is None and self._times <= ASKED_AT_MOST and len(question.text) > HERE_AT_MOST:
            raise StatementTooComplex(
                f"a text that names prepared statements or cursors is longer than {HERE_AT_MOST} characters",
                hint="send fewer of its statements at once",
            )
        return self._outcome

    def keep(self, analysis: Analysis) -> None:
        """Take the analysis that was made here after all: the message is looked at again for its sealing."""
        self._outcome = analysis

    def holds(self, pieces: tuple[Piece, ...]) -> bool:
        """Whether this is the text that is waited for, whose sealing may be interrupted."""
        return isinstance(self._outcome, Analysis) and self._outcome.pieces is pieces

    def answered(self, question: Question, outcome: Analysis | StrongroomError | None) -> None:
        """Take an answer, unless something else is asked by now."""
        if question is self._question:
            self._outcome, self._answered = outcome, True

    def sealed(self, pieces: tuple[Piece, ...], seal: Callable[[SealedLiteral], str]) -> str:
        """The text of all pieces; raises `Unfinished` until it is whole, and what ``seal`` raises."""
        if self._pieces is not pieces:
            self._pieces, self._parts = pieces, []
        done = len(self._parts)
        try:
            for piece in pieces[done : done + PIECES_AT_ONCE]:
                self._parts.append(piece if isinstance(piece, str) else seal(piece))
        except StrongroomError:
            self._pieces, self._parts = (), []
            raise
        if len(self._parts) < len(pieces):
            self.wants_turn = True
            raise Unfinished
        text = "".join(self._parts)
        self._pieces, self._parts = (), []
        return text

    def _ask(self, question: Question) -> None:
        again = self._question is not None and self._question.text == question.text
        self._times = self._times + 1 if again else 1
        self._question, self._outcome = question, None
        self._answered = self._times > ASKED_AT_MOST
        self.to_ask = None if self._answered else question
