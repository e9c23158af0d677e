"""The replies that upstream owes, in order: which message of ours each of its messages answers.

PostgreSQL answers in the order in which it was asked; after an error in the extended protocol it skips
everything up to the next Sync, and while it takes COPY data it ignores Sync and Flush (manual, "Message
Flow"). `Replies` keeps one `Owed` for each message that will be answered and says, for each message that
comes, whose it is. What fits no entry of `REPLIES` is an error of the upstream, never guessed at.

INVARIANT: a reply is never attributed to another request than its own. Where the protocol leaves it open
whether a Sync will be answered (sent while a COPY was failing), the entry is `MAYBE_SYNC` and yields to any
reply that fits the next one.

Called by `session/relay.py`.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto

from strongroom._kernel import plain_answers
from strongroom.errors import MalformedMessage, UpstreamError


class Request(Enum):
    """The kinds of messages that upstream answers."""

    PARSE = auto()
    BIND = auto()
    DESCRIBE_STATEMENT = auto()
    DESCRIBE_PORTAL = auto()
    EXECUTE = auto()
    CLOSE = auto()
    SYNC = auto()
    MAYBE_SYNC = auto()
    QUERY = auto()
    READ = auto()  # a query of one SELECT, sent as Parse to Sync (`binding.read`)
    COPY_END = auto()  # CopyDone or CopyFail: answered by what ends the COPY, or by nothing


class Turn(Enum):
    """What a reply does to the entry at the head."""

    STAYS = auto()
    DONE = auto()
    COPY_IN = auto()
    FAILS = auto()


RUNS = frozenset({Request.QUERY, Request.READ, Request.EXECUTE})
"""Requests that carry statements out."""

_R, _T = Request, Turn

REPLIES: dict[tuple[Request, str], Turn] = {
    (_R.PARSE, "1"): _T.DONE,
    (_R.BIND, "2"): _T.DONE,
    (_R.CLOSE, "3"): _T.DONE,
    (_R.DESCRIBE_STATEMENT, "t"): _T.STAYS,
    (_R.DESCRIBE_STATEMENT, "T"): _T.DONE,
    (_R.DESCRIBE_STATEMENT, "n"): _T.DONE,
    (_R.DESCRIBE_PORTAL, "T"): _T.DONE,
    (_R.DESCRIBE_PORTAL, "n"): _T.DONE,
    (_R.EXECUTE, "D"): _T.STAYS,
    (_R.EXECUTE, "C"): _T.DONE,
    (_R.EXECUTE, "I"): _T.DONE,
    (_R.EXECUTE, "s"): _T.DONE,
    (_R.EXECUTE, "G"): _T.COPY_IN,
    (_R.EXECUTE, "H"): _T.STAYS,
    (_R.EXECUTE, "d"): _T.STAYS,
    (_R.EXECUTE, "c"): _T.STAYS,
    (_R.SYNC, "Z"): _T.DONE,
    (_R.MAYBE_SYNC, "Z"): _T.DONE,
    (_R.QUERY, "T"): _T.STAYS,
    (_R.QUERY, "D"): _T.STAYS,
    (_R.QUERY, "C"): _T.STAYS,
    (_R.QUERY, "I"): _T.STAYS,
    (_R.QUERY, "G"): _T.COPY_IN,
    (_R.QUERY, "H"): _T.STAYS,
    (_R.QUERY, "d"): _T.STAYS,
    (_R.QUERY, "c"): _T.STAYS,
    (_R.QUERY, "Z"): _T.DONE,
    (_R.READ, "1"): _T.STAYS,
    (_R.READ, "2"): _T.STAYS,
    (_R.READ, "3"): _T.STAYS,
    (_R.READ, "T"): _T.STAYS,
    (_R.READ, "D"): _T.STAYS,
    (_R.READ, "C"): _T.STAYS,
    (_R.READ, "Z"): _T.DONE,
} | {(request, "E"): _T.FAILS for request in Request if request not in (_R.MAYBE_SYNC, _R.COPY_END)}
"""Every reply that may come, by what it answers; anything else is not of the protocol.

A Sync commits, so that a deferred constraint may fail then; its ReadyForQuery comes all the same."""

_TURNS = {(request, ord(tag)): turn for (request, tag), turn in REPLIES.items()}

_END_OF_SKIPPING = (Request.SYNC, Request.MAYBE_SYNC)
_UNCERTAIN = (Request.MAYBE_SYNC, Request.COPY_END)
_COMMAND_COMPLETE = ord("C")


class Owed:
    """One request that awaits its reply.

    ``undo`` takes back what the request did to the session's maps, should upstream not carry it out.
    ``mine`` marks a request that the gateway made for itself: its replies do not go to the client.
    ``refusal`` is the ErrorResponse that replaces upstream's, where the request was made to fail.
    ``limit`` is how many rows an Execute asks for; 0: all.
    """

    __slots__ = ("limit", "mine", "refusal", "request", "subject", "undo")

    def __init__(
        self,
        request: Request,
        subject: object = None,
        *,
        undo: Callable[[], None] | None = None,
        mine: bool = False,
        refusal: bytes | None = None,
        limit: int = 0,
    ) -> None:
        self.limit = limit
        self.request = request
        self.subject = subject
        self.undo = undo
        self.mine = mine
        self.refusal = refusal


class Series(Owed):
    """Rounds of Bind, perhaps Describe, and Execute in a row, noted as one.

    ``each`` is what every round asks for; its first, BIND, stands for a Bind that changes nothing any more:
    the portal of all rounds, ``subject``, is named and settled once. Rounds of one ``form`` are equal.
    """

    __slots__ = ("each", "form", "rounds")

    def __init__(
        self,
        form: object,
        rounds: int,
        each: Sequence[Owed],
        portal: object,
        undo: Callable[[], None] | None,
    ) -> None:
        super().__init__(Request.BIND, portal, undo=undo)
        self.form = form
        self.rounds = rounds
        self.each = tuple(each)


class MaybeSyncs(Owed):
    """Syncs in a row of which nobody can tell how many will be answered, noted as one: there may be many."""

    __slots__ = ("count",)

    def __init__(self, count: int) -> None:
        super().__init__(Request.MAYBE_SYNC)
        self.count = count


SYNC = Owed(Request.SYNC)
COPY_END = Owed(Request.COPY_END)

UNDER_WAY = 20_000
"""Requests that may be under way before no more are read from the client. PostgreSQL answers them without a
Sync as soon as it has 8 kB of answers (pqcomm.c, PQ_SEND_BUFFER_SIZE), so that to wait for it ends."""


class Replies:
    """The queue of what upstream owes.

    While upstream takes COPY data, the Syncs that the client sends before its CopyDone are ignored, unless
    the COPY fails before upstream reads them: they stand as `MaybeSyncs` until the COPY is through.
    """

    __slots__ = ("_copy_running", "_owed", "_skipped", "_sync_due", "copying_in", "skipping")

    def __init__(self) -> None:
        self._owed: deque[Owed] = deque()
        self._skipped: list[Owed] = []
        self._copy_running = False
        self._sync_due = False  # a COPY failed, and upstream may have ignored the Sync that would end it
        self.copying_in = False
        """Whether the client's messages, at the point they have reached, are COPY data."""
        self.skipping = False
        """Whether upstream skips what comes, up to the next Sync: nothing before it is owed."""

    @property
    def head(self) -> Owed | None:
        """The request whose reply comes next."""
        return self._owed[0] if self._owed else None

    @property
    def owes(self) -> bool:
        """Whether anything is owed, for certain or perhaps."""
        return bool(self._owed)

    @property
    def many(self) -> bool:
        """Whether as much as may be is under way; what ends a COPY must still be read."""
        return len(self._owed) >= UNDER_WAY and not self.copying_in

    @property
    def sync_due(self) -> bool:
        """Whether nothing may be asked before a Sync is sent."""
        return self._sync_due

    @property
    def quiet(self) -> bool:
        """Whether nothing is owed for certain."""
        return all(owed.request in _UNCERTAIN for owed in self._owed)

    def take_skipped(self) -> list[Owed]:
        """What the last error ended in the extended protocol: the failed one, and what follows."""
        skipped, self._skipped = self._skipped, []
        return skipped

    def newest_first(self) -> Iterator[Owed]:
        """The requests under way, the last one first."""
        return reversed(self._owed)

    def ask(self, owed: Owed) -> None:
        """Note a request that was sent, unless upstream will skip it.

        Raises `MalformedMessage` where nobody can tell whether it will: the protocol wants a Sync first.
        """
        if self._sync_due:
            raise MalformedMessage("a COPY has failed, and no Sync was sent before the next request")
        if not self.skipping:
            self._owed.append(owed)

    def goes_on(self, form: object, rounds: int) -> bool:
        """Note more rounds of the series that was asked for last, if it is of this form."""
        last = self._owed[-1] if self._owed else None
        if not isinstance(last, Series) or last.form is not form:
            return False
        last.rounds += rounds
        return True

    def sync(self) -> None:
        """Note a Sync, which upstream ignores while it takes COPY data."""
        self.skipping = self._sync_due = False
        if self._skipped:
            self._skipped = []  # nobody asked
        if self.copying_in:
            self._maybe_sync(len(self._owed))
        else:
            self._owed.append(SYNC)

    def copy_end(self) -> None:
        """Note a CopyDone or CopyFail; upstream ignores one that ends nothing."""
        if self.copying_in:
            self.copying_in = False
            self._owed.append(COPY_END)

    def plain(self, data: bytes, start: int, *, whole: bool) -> tuple[int, Owed | None]:
        """Move on by the rounds of a series that are answered plainly from ``start`` on.

        Returns how many messages the answers are, and the series if its portal is named now. Where ``whole``
        is true and something follows, nothing is moved.
        """
        series = self.head
        if not isinstance(series, Series):
            return 0, None
        size = len(series.each)
        rounds, end = plain_answers(data, start, size > 2, series.rounds)
        if not rounds or (whole and end < len(data)):
            return 0, None
        named, series.undo = series.undo is not None, None
        self._carried_out(series, rounds)
        return rounds * size, series if named else None

    def _carried_out(self, series: Series, rounds: int) -> None:
        series.rounds -= rounds
        if not series.rounds:
            self._owed.popleft()

    def answer(self, tag: int) -> Owed:
        """Return the request that a message of type ``tag`` answers, and move on.

        Raises `UpstreamError` where it answers nothing that was asked.
        """
        head = self._fitting(tag)
        turn = _TURNS[head.request, tag]
        if isinstance(head, MaybeSyncs):
            head.count -= 1
            if not head.count:
                self._owed.popleft()
            self._sync_due = False
            self._hand_on_doubt()
        elif turn is Turn.DONE:
            self._owed.popleft()
        elif turn is Turn.COPY_IN:
            self._begin_copy(head)
        elif turn is Turn.FAILS:
            self._fail(head)
        if tag == _COMMAND_COMPLETE and self._copy_running:
            self._end_copy(head)
        return head

    def _fitting(self, tag: int) -> Owed:
        owed = self._owed
        while owed:
            head = owed[0]
            if isinstance(head, Series):
                head = self._one_round(head)
            if (head.request, tag) in _TURNS:
                return head
            if head.request not in _UNCERTAIN:
                break
            owed.popleft()
        raise UpstreamError(
            f"the database sent a message of type {chr(tag)!r} where the protocol has no place for it",
            hint="The session was ended. If it happens again, see what stands between gateway and database.",
        )

    def _one_round(self, series: Series) -> Owed:
        """Put one round of the series at the head before it, as the requests that it is made of."""
        bind, *others = series.each
        if series.undo is not None:
            bind = Owed(Request.BIND, series.subject, undo=series.undo)
            series.undo = None
        self._carried_out(series, 1)
        self._owed.extendleft(reversed((bind, *others)))
        return bind

    def _begin_copy(self, head: Owed) -> None:
        self._copy_running = self.copying_in = True
        self._owed.popleft()
        early = 0  # Syncs that the client sent before it could know of the COPY
        while self._owed and self._owed[0].request is Request.SYNC:
            self._owed.popleft()
            early += 1
        self.copying_in = not self._owed  # else there is a message that makes the COPY fail
        if early:
            self._owed.appendleft(MaybeSyncs(early))
        self._owed.appendleft(head)

    def _end_copy(self, head: Owed) -> None:
        """The COPY is through, so upstream has read, and ignored, every Sync up to the end of its data."""
        self._copy_running = self.copying_in = False
        position = 1 if head.request is Request.QUERY else 0
        while len(self._owed) > position and self._owed[position].request is Request.MAYBE_SYNC:
            del self._owed[position]
        if len(self._owed) > position and self._owed[position].request is Request.COPY_END:
            del self._owed[position]

    def _hand_on_doubt(self) -> None:
        """One of the Syncs right behind may stay without its answer; which one cannot be seen.

        Behind a request that will be answered there is no doubt left.
        """
        for i, owed in enumerate(self._owed):
            if owed.request is Request.SYNC:
                del self._owed[i]
                self._maybe_sync(i)
            if owed.request not in _UNCERTAIN:
                return

    def _maybe_sync(self, position: int) -> None:
        """Note one at the position, with those that stand there before it."""
        before = self._owed[position - 1] if position else None
        if isinstance(before, MaybeSyncs):
            before.count += 1
        else:
            self._owed.insert(position, MaybeSyncs(1))

    def _fail(self, head: Owed) -> None:
        """Forget what upstream skips after an error: all up to the next Sync. A query ends by itself."""
        self._copy_running = self.copying_in = False
        if head.request in (Request.QUERY, Request.READ, Request.SYNC):
            return
        skipped: list[Owed] = []
        while self._owed and self._owed[0].request not in _END_OF_SKIPPING:
            skipped.append(self._owed.popleft())
        self.skipping = not self._owed
        self._sync_due = bool(self._owed) and self.quiet
        for owed in reversed(skipped):
            if owed.undo is not None:
                owed.undo()
        self._skipped = skipped
