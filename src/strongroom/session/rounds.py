"""Ordinary rounds of the extended protocol, which need no books.

Most of what an application sends is one chunk of Bind, Execute and Sync for a statement prepared before, and
most answers are one chunk too. Such a round is noted as a whole and its answer recognised as a whole, each by
one call of the kernel. Where the statement touches nothing protected both pass as they are; where it does,
what was sealed and opened stands in their place. When anything else comes from either side, or anything goes
wrong, the rounds under way are written into the books message by message (`Rounds.unfold`), as if they had
been taken so from the start.

INVARIANT: while a round is under way, `Replies` owes nothing; so either the books or the rounds say what
upstream will answer, never both.

Used by `relay`; pure.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from strongroom._kernel import plain_reply, plain_round
from strongroom.errors import StrongroomError
from strongroom.session.statements import Names, Run, Statement

IDLE = ord("I")
"""ReadyForQuery's status outside a transaction."""


class Round(NamedTuple):
    """What a round binds, whether it describes its portal, and what opens its rows, if anything does."""

    statement: Statement
    described: bool
    run: Run | None


class Treatment(Protocol):
    """What is done to the rounds of statements that touch something."""

    def seal(self, statement: Statement, chunk: bytes) -> tuple[Run, bytes]:
        """What opens the rows, and the round that goes upstream; raises for what may not pass."""

    def open(self, one: Round, chunk: bytes) -> tuple[int, bytes] | None:
        """The transaction status and the answer for the client, None for what is not exactly an answer.

        Raises for what may not pass.
        """


class Rounds:
    """The rounds under way, oldest first.

    ``passes(statement)`` is None for a statement that makes no rounds, and else holds what is to be done to
    them, None for nothing. Rounds begin only between `allow` and the next `unfold`; for that time it is
    remembered how statements are treated, so that nothing may change meanwhile on which that depends.
    """

    __slots__ = ("_allowed", "_known", "_longest", "_passes", "_statements", "_under_way")

    def __init__(
        self,
        statements: Names[Statement],
        passes: Callable[[Statement], tuple[Treatment | None] | None],
        longest: int,
    ) -> None:
        self._statements = statements
        self._passes = passes
        self._longest = longest  # octets of a chunk, so that no message in it is over the limit
        self._allowed = False
        self._known: dict[bytes, tuple[Statement, Treatment | None]] = {}
        self._under_way: deque[tuple[Round, Treatment | None]] = deque()

    def __bool__(self) -> bool:
        return bool(self._under_way)

    def allow(self) -> None:
        """Let rounds begin: all octets so far were whole messages, and nothing is owed."""
        self._allowed = True

    def begin(self, chunk: bytes) -> bytes | None:
        """What goes upstream, if the client's chunk is a round; else None, and nothing was noted."""
        if not self._allowed:
            return None
        found = plain_round(chunk)
        if found is None or len(chunk) > self._longest:
            return None
        known = self._known.get(found[0]) or self._look_up(found[0])
        if known is None:
            return None
        statement, treatment = known
        run = None
        if treatment is not None:
            try:
                run, chunk = treatment.seal(statement, chunk)
            except StrongroomError:  # the long way finds it too, and says it to the client
                return None
        self._under_way.append((Round(statement, found[1], run), treatment))
        return chunk

    def _look_up(self, name: bytes) -> tuple[Statement, Treatment | None] | None:
        # What is not UTF-8 is no statement's name.
        statement = self._statements.find(name.decode("utf-8", "surrogateescape"))
        passes = None if statement is None else self._passes(statement)
        if statement is None or passes is None:
            return None
        known = self._known[name] = (statement, *passes)
        return known

    def end(self, chunk: bytes) -> tuple[Round, int, bytes] | None:
        """The oldest round, the transaction status and the client's answer, if the chunk is its own."""
        if not self._under_way:
            return None
        if len(chunk) > self._longest:
            return None
        one, treatment = self._under_way[0]
        if treatment is None:
            answer = plain_reply(chunk, one.described), chunk
        else:
            try:
                answer = treatment.open(one, chunk) or (0, b"")
            except StrongroomError:  # the long way finds it too, and ends the session
                return None
        if not answer[0]:
            return None
        self._under_way.popleft()
        return one, *answer

    def unfold(self) -> Iterator[Round]:
        """Give up the rounds, oldest first, to be written into the books; no more begin until `allow`."""
        self._allowed = False
        self._known.clear()
        under_way, self._under_way = self._under_way, deque()
        return (one for one, _ in under_way)
