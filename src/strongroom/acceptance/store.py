"""What one state knows of protection: the stance that was accepted last, and changes that people signed.

What was accepted has a number, which grows with each change; the same stands beside the data (`record`), so
that a state that is new, or was copied back, learns what ran. A signed change waits here until the gateway
loads that very configuration, for no longer than its request holds, and serves once. Called by
``gateway/standing.py`` and ``strongroom protection``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Column, Connection, Engine, Integer, Table, Text, delete, select

from strongroom.acceptance.act import act_of, signers_of
from strongroom.keys.approvals import Request, Requirement
from strongroom.keys.journal import note
from strongroom.stance.model import Stance, Weakening
from strongroom.state import Utc, metadata

_accepted = Table(
    "protection_accepted",
    metadata,
    Column("only", Integer, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("stance", Text, nullable=False),
    Column("since", Utc, nullable=False),
    Column("signed_by", Text, nullable=False),
)
_signed = Table(
    "protection_signed",
    metadata,
    Column("nonce", Text, primary_key=True),
    Column("request", Text, nullable=False),
    Column("people", Text, nullable=False),
    Column("until", Utc, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What counts: a configuration that protects less is not taken."""

    number: int
    stance: Stance
    since: datetime
    signed_by: tuple[str, ...] = ()
    """Who signed the change to it; nobody, where it weakened nothing."""

    @property
    def signers(self) -> Requirement | None:
        """Who signs the next change that weakens; None once people agreed that nobody need to."""
        return signers_of(self.stance.signers)


@dataclass(frozen=True, slots=True)
class SignedChange:
    """A change that people signed, and that waits to be loaded."""

    request: Request
    people: tuple[str, ...]


class Acceptance:
    """What one state knows of protection."""

    def __init__(self, engine: Engine) -> None:
        metadata.create_all(engine, tables=[_accepted, _signed])
        self._engine = engine

    def accepted(self) -> Accepted | None:
        """What was accepted last; None where nothing ever was. Raises ``StanceUnreadable``."""
        with self._engine.begin() as connection:
            row = connection.execute(select(_accepted)).one_or_none()
        if row is None:
            return None
        people = tuple(filter(None, row.signed_by.split(", ")))
        return Accepted(row.number, Stance.read(row.stance), row.since, people)

    def accept(self, number: int, stance: Stance, signed: SignedChange | None = None) -> Accepted:
        """From now on this counts; the change that was signed is used up."""
        people = () if signed is None else signed.people
        with self._engine.begin() as connection:
            self._put(connection, number, stance, people)
            connection.execute(delete(_signed))  # others began elsewhere
            details = {"signed_by": ", ".join(people)} if people else {}
            note(connection, "protection accepted", f"number {number}", stance=stance.digest, **details)
        return Accepted(number, stance, datetime.now(UTC), people)

    def take_over(self, number: int, stance: Stance, database: str) -> None:
        """What stands beside the data is newer than what was known here."""
        with self._engine.begin() as connection:
            self._put(connection, number, stance, ())
            note(connection, "protection taken over", database, number=number, stance=stance.digest)

    @staticmethod
    def _put(connection: Connection, number: int, stance: Stance, people: Sequence[str]) -> None:
        row = {
            "only": 1,
            "number": number,
            "stance": stance.written(),
            "since": datetime.now(UTC),
            "signed_by": ", ".join(people),
        }
        connection.execute(delete(_accepted))
        connection.execute(_accepted.insert().values(row))

    def sign(self, request: Request, people: Sequence[str]) -> None:
        """Keeps a change that was signed, until it is loaded or its request holds no longer."""
        row = {
            "nonce": request.nonce,
            "request": request.written().decode(),
            "people": ", ".join(people),
            "until": request.expires,
        }
        with self._engine.begin() as connection:
            connection.execute(_signed.insert().values(row))

    def signed(
        self, before: Stance, after: Stance, weakenings: Sequence[Weakening], now: datetime
    ) -> SignedChange | None:
        """The change from this stance to that one, if it was signed with these words and holds still."""
        wanted = act_of(before, after, weakenings)
        with self._engine.begin() as connection:
            rows = connection.execute(select(_signed).where(_signed.c.until > now)).all()
        changes = (
            SignedChange(Request.read(row.request.encode()), tuple(row.people.split(", "))) for row in rows
        )
        return next((one for one in changes if one.request.act == wanted), None)
