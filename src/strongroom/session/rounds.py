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

from strongroom._kernel import plain_reply, plain_round
from strongroom.session.statements import Names, Statement

Round = tuple[Statement, bool]
"""What a round binds, and whether it describes its portal."""


class Rounds:
    """The rounds under way, oldest first. ``passes(statement)`` says which statements need no thought.

    Rounds begin only between `allow` and the next `unfold`; for that time it is remembered which statements
    pass, so that nothing may change meanwhile that would make them not pass.
    """

    __slots__ = ("_allowed", "_longest", "_passes", "_passing", "_statements", "_under_way")

    def __init__(
        self, statements: Names[Statement], passes: Callable[[Statement], bool], longest: int
    ) -> None:
        self._statements = statements
        self._passes = passes
        self._longest = longest  # octets of a chunk, so that no message in it is over the limit
        self._allowed = False
        self._passing: dict[bytes, Statement] = {}
        self._under_way: deque[Round] = deque()

    def __bool__(self) -> bool:
        return bool(self._under_way)

    def allow(self) -> None:
        """Let rounds begin: all octets so far were whole messages, and nothing is owed."""
        self._allowed = True

    def begin(self, chunk: bytes) -> bool:
        """Note the client's chunk as a round, if it is one."""
        if not self._allowed:
            return False
        found = plain_round(chunk)
        if found is None or len(chunk) > self._longest:
            return False
        statement = self._passing.get(found[0]) or self._look_up(found[0])
        if statement is None:
            return False
        self._under_way.append((statement, found[1]))
        return True

    def _look_up(self, name: bytes) -> Statement | None:
        # What is not UTF-8 is no statement's name.
        statement = self._statements.find(name.decode("utf-8", "surrogateescape"))
        if statement is None or not self._passes(statement):
            return None
        self._passing[name] = statement
        return statement

    def end(self, chunk: bytes) -> tuple[Statement, int] | None:
        """The oldest round's statement and the transaction status, if the chunk is its ordinary answer."""
        if not self._under_way:
            return None
        statement, described = self._under_way[0]
        status = plain_reply(chunk, described)
        if not status or len(chunk) > self._longest:
            return None
        self._under_way.popleft()
        return statement, status

    def unfold(self) -> Iterator[Round]:
        """Give up the rounds, oldest first, to be written into the books; no more begin until `allow`."""
        self._allowed = False
        self._passing.clear()
        under_way, self._under_way = self._under_way, deque()
        return iter(under_way)
