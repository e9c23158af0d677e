"""Ordinary rounds of the extended protocol, which need no thought and so no books.

Most of what an application sends is one chunk of Bind, Execute and Sync for a statement prepared before,
and most answers are one chunk too. Where the statement touches nothing protected, such a round is noted as a
whole and its answer recognised as a whole, each by one call of the kernel. When anything else comes from
either side, the rounds under way are written into the books message by message (`Rounds.unfold`), as if they
had been taken so from the start.

INVARIANT: while a round is under way, `Replies` owes nothing; so either the books or the rounds say what
upstream will answer, never both.

Used by `relay`; pure.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from strongroom._kernel import plain_reply, plain_round
from strongroom.session.statements import Names, Statement


class Round(NamedTuple):
    """One round under way: what it binds, whether it describes its portal, and its pipeline segment."""

    statement: Statement
    described: bool
    segment: int


class Rounds:
    """The rounds under way, oldest first. ``passes(statement)`` says which statements need no thought."""

    __slots__ = ("_longest", "_passes", "_statements", "_under_way")

    def __init__(
        self, statements: Names[Statement], passes: Callable[[Statement], bool], longest: int
    ) -> None:
        self._statements = statements
        self._passes = passes
        self._longest = longest  # octets of a chunk, so that no message in it is over the limit
        self._under_way: deque[Round] = deque()

    def __bool__(self) -> bool:
        return bool(self._under_way)

    def begin(self, chunk: bytes, segment: int) -> bool:
        """Note the chunk as a round, if it is one; to be asked only between messages, with nothing owed."""
        found = plain_round(chunk)
        if found is None or len(chunk) > self._longest:
            return False
        name = found[0].decode("utf-8", "surrogateescape")  # what is not UTF-8 is no statement's name
        statement = self._statements.find(name)
        if statement is None or not self._statements.settled(name, segment) or not self._passes(statement):
            return False
        self._under_way.append(Round(statement, found[1], segment))
        return True

    def end(self, chunk: bytes) -> tuple[Statement, int] | None:
        """The oldest round's statement and the transaction status, if the chunk is its ordinary answer."""
        status = plain_reply(chunk, self._under_way[0].described)
        if not status or len(chunk) > self._longest:
            return None
        return self._under_way.popleft().statement, status

    def unfold(self) -> Iterator[Round]:
        """Give up the rounds, oldest first, to be written into the books."""
        while self._under_way:
            yield self._under_way.popleft()
