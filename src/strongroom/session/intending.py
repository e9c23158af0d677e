"""A recorded session whose statements go upstream once it is on the disk that they were asked for.

What its relay gives for upstream is held back from the first intent on, in order, whatever it is, until the
shell says that the intents are kept (`effects.Keep`); what comes meanwhile stands behind it, and what of
that has intents waits once more, for all of them together. What comes from upstream goes on to the client.
The relay knows nothing of it: what it has noted as asked is asked a little later.

What is held when the session ends is never sent, and recorded as such. A cancel that meets a statement that
is held, and nothing before it, has it rejected (`GuardedRelay.reject_first`), without its octets.

Made in the place of a `RecordedSession` where the rules say so; pure.
"""

from strongroom._kernel import cut
from strongroom.errors import StatementNotRun
from strongroom.session import effects as do
from strongroom.session import events as ev
from strongroom.session.metering import Meter
from strongroom.session.postgres import Phase
from strongroom.session.recorded_session import RecordedSession
from strongroom.session.recording import Begun
from strongroom.session.rules import Entropy, Rules
from strongroom.session.snapshot import Snapshot
from strongroom.wire.postgres import messages as m

_QUERY, _SYNC = b"QS"


class IntendingSession(RecordedSession):
    """One such session."""

    _INTENDS = True

    def __init__(
        self,
        rules: Rules,
        entropy: Entropy,
        snapshot: Snapshot | None = None,
        meter: Meter | None = None,
    ) -> None:
        super().__init__(rules, entropy, snapshot, meter)
        self._first: list[bytes] | None = None  # what goes upstream as soon as its intents are kept
        self._first_last = 0  # the number of its last statement
        self._is_alone = False  # whether upstream owed nothing when it was held
        self._behind: list[bytes] = []
        self._behind_last = 0  # 0: there is none in it
        self._waiting = 0  # octets in both
        self._void = 0  # answers to come for what was cancelled meanwhile

    # ---------------------------------------------------------------- what the shell asks

    @property
    def wants_client(self) -> bool:
        """Whether there is room for more from the client, beside what is held."""
        return super().wants_client and self._waiting < self._rules.limits.buffer_bytes

    @property
    def held(self) -> int:
        """Octets kept back inside the session, on both sides."""
        return super().held + self._waiting

    @property
    def cancels(self) -> bool:
        """Whether what a cancel is for has not been sent."""
        return bool(self._first) and self._is_alone

    # ---------------------------------------------------------------- what happens

    def begin_round(self, chunk: bytes) -> bytes | None:
        """None: what is sent has to wait, so that `handle` takes it."""
        del chunk
        return None

    def handle(self, event: ev.Event) -> list[do.Effect]:
        """As every session does; what goes upstream may come later."""
        if isinstance(event, ev.Kept):
            return self._send_first()
        if isinstance(event, ev.StatementCancelled):
            return self._cancel()
        if isinstance(event, ev.ClientClosed) and self._first:
            self._guarded.waiting = False  # what it sent before it left is not carried out
        is_alone = not self._guarded.owes
        return self._held_back(self._round(event) or super().handle(event), is_alone=is_alone)

    def _round(self, event: ev.Event) -> list[do.Effect] | None:
        sent = super().begin_round(event.data) if isinstance(event, ev.ClientData) else None
        return None if sent is None else [do.SendUpstream(sent), *self._records()]

    def _records(self) -> list[do.Effect]:
        return [do.Record(deed) for deed in self._recording.take()]

    def _held_back(self, effects: list[do.Effect], *, is_alone: bool) -> list[do.Effect]:
        """The effects without what goes upstream, where that has to wait; which then is held."""
        last = max(map(_intended, effects), default=0)
        if not last and not self._waiting:
            return effects
        others: list[do.Effect] = [one for one in effects if not isinstance(one, do.SendUpstream)]
        if effects and isinstance(effects[-1], do.Close):
            return others
        sent = [one.data for one in effects if isinstance(one, do.SendUpstream)]
        self._waiting += sum(map(len, sent))
        if self._first is None:
            self._first, self._first_last, self._is_alone = sent, last, is_alone
            return [*others, do.Keep()]
        self._behind += sent
        self._behind_last = last or self._behind_last
        return others

    def _send_first(self) -> list[do.Effect]:
        """The intents of what is held first are kept; what stands behind it has its turn."""
        if self._phase is Phase.CLOSED or self._first is None or self._void:
            self._void = max(self._void - 1, 0)
            return []
        self._recording.sent(self._first_last)
        sent, behind, last = self._first, self._behind, self._behind_last
        self._behind, self._behind_last = [], 0
        self._first, self._first_last, self._is_alone = (behind if last else None), last, False
        if not last:
            sent += behind
        octets = b"".join(sent)
        self._waiting -= len(octets)
        effects: list[do.Effect] = [do.SendUpstream(octets)] if octets else []
        return [*effects, do.Keep()] if last else effects

    def _cancel(self) -> list[do.Effect]:
        """Have the first request that is held rejected instead, with all that upstream then skips."""
        rejected = self._guarded.reject_first(StatementNotRun("cancelled before it was sent to the database"))
        if rejected is None or self._first is None:
            return []
        sync, rest = _behind_first(b"".join((*self._first, *self._behind)), rejected[0])
        # The intents of the rest may not be among those that are being kept: they are waited for once more.
        self._first, self._first_last = [rest] if rest else None, self._behind_last or self._first_last
        self._behind, self._behind_last, self._is_alone = [], 0, False
        self._waiting, self._void = len(rest), self._void + 1
        effects = [do.SendUpstream(rejected + sync), *self._records()]
        return [*effects, do.Keep()] if rest else effects


def _intended(effect: do.Effect) -> int:
    """The number of the statement that is intended; 0 for another effect."""
    return effect.deed.number if isinstance(effect, do.Record) and isinstance(effect.deed, Begun) else 0


def _behind_first(octets: bytes, rejected: int) -> tuple[bytes, bytes]:
    """The Sync at which upstream stops skipping, if it is needed and there, and what follows.

    A query ends by itself; behind an error in the extended protocol all is skipped up to Sync.
    """
    last, sync = (_QUERY, b"") if rejected == _QUERY else (_SYNC, m.SYNC)
    for tag, _, end in cut(octets, 0, len(octets), b"")[0]:
        if tag == last:
            return sync, octets[end:]
    return b"", b""
