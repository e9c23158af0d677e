"""A session whose statements are recorded: what was done with each is an effect beside the others.

Series are then taken message by message, since each of their statements has a record; rounds are taken whole,
and what was done with them is asked for (`recording`). Made in the place of a `postgres.Session` where the
rules say so; pure.
"""

from dataclasses import dataclass

from strongroom.errors import Bug
from strongroom.session import effects as do
from strongroom.session import events as ev
from strongroom.session.guarded import GuardedRelay
from strongroom.session.postgres import Session
from strongroom.session.recording import Recording
from strongroom.session.rules import Entropy, Rules
from strongroom.session.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Origin:
    """What a client said and showed when it came."""

    is_encrypted: bool
    certificate: str | None
    """The name in one that was verified."""
    application: str


class RecordedSession(Session):
    """One such session; it looks into statements, or there would be nothing to record."""

    def __init__(self, rules: Rules, entropy: Entropy, snapshot: Snapshot | None = None) -> None:
        super().__init__(rules, entropy, snapshot)
        if not isinstance(self._relay, GuardedRelay):
            raise Bug("statements are to be recorded, and nobody looks into them")
        self._guarded: GuardedRelay = self._relay
        self._recording: Recording = self._guarded.record()

    @property
    def origin(self) -> Origin:
        """What the client said and showed when it came."""
        accepted = self._accepted
        return Origin(
            accepted is not None and accepted.tls,
            None if accepted is None else accepted.peer.certificate_name,
            self._startup.parameters.get("application_name", ""),
        )

    @property
    def recording(self) -> Recording:
        """What was recorded and not taken: of rounds that were taken whole, beside what `handle` gives."""
        return self._recording

    def handle(self, event: ev.Event) -> list[do.Effect]:
        """As every session does; what was recorded comes last, but for the end."""
        effects = super().handle(event)
        over = bool(effects) and isinstance(effects[-1], do.Close)
        if over:
            self._guarded.record_lost()
        records = [do.Record(deed) for deed in self._recording.take()]
        effects[len(effects) - over : len(effects) - over] = records
        return effects
