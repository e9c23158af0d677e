"""A grant: a role that one person is to have for a time, from the question to the end.

    asked ──agreed by enough──▶ in force ──time──▶ over          ended by somebody: denied, revoked
      └──nobody agreed for a day──▶ lapsed

A grant that somebody makes for another is a question to which its maker agrees; breaking the glass is one to
which nobody need agree. So one rule says when a role counts: enough people of the offer's ``by`` agreed, and
whoever gets it is not among them, by the offer as it is when the last of them does. Time runs from then.

Nobody agrees to what they get themselves, by whatever way they are among ``by``. Names are those of the
configuration, which have one spelling each (`config.people`).

`store` keeps grants, `deeds` does what people ask for. No clock and no state here: times are arguments.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from strongroom.errors import GrantRefused
from strongroom.policy.offers import Lent, Offer

WAITS = timedelta(days=1)
"""For so long a question may be agreed to; what is urgent is asked again."""
SHORTEST = timedelta(minutes=1)
REASON_AT_MOST = 200
"""Characters."""


class Standing(StrEnum):
    """Where a grant is."""

    WAITING = "waiting"
    LAPSED = "lapsed"
    IN_FORCE = "in force"
    OVER = "over"
    DENIED = "denied"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks for."""

    role: str
    person: str
    length: timedelta
    reason: str
    broke_glass: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """One role for one person for a time."""

    id: int
    role: str
    person: str
    length: timedelta
    reason: str
    made_by: str
    made_at: datetime
    broke_glass: bool = False
    agreed: frozenset[str] = frozenset()
    begins: datetime | None = None
    """When enough had agreed; None before."""
    ended_by: str | None = None
    ended_at: datetime | None = None

    @property
    def until(self) -> datetime | None:
        """When its time is over."""
        return None if self.begins is None else self.begins + self.length

    def standing(self, now: datetime) -> Standing:
        """Where it is now."""
        if self.ended_at is not None:
            return Standing.DENIED if self.begins is None else Standing.REVOKED
        if self.begins is None:
            return Standing.WAITING if now < self.made_at + WAITS else Standing.LAPSED
        return Standing.IN_FORCE if now < self.begins + self.length else Standing.OVER

    def lent(self, now: datetime) -> Lent | None:
        """What counts of it, while it is in force."""
        if self.begins is None or self.standing(now) is not Standing.IN_FORCE:
            return None
        return Lent(self.role, self.begins, self.begins + self.length, self.broke_glass, self.agreed)


def asked(offer: Offer | None, grant: Grant) -> Grant:
    """A question that may be asked, or the glass broken; raises `GrantRefused`."""
    another = grant.broke_glass and grant.made_by != grant.person
    if offer is None or another or grant.person not in offer.to:
        way = "taken at once" if grant.broke_glass else "had for a time"
        raise GrantRefused(f"{grant.role} cannot be {way} by {grant.person}", hint=_OFFERS)
    if not SHORTEST <= grant.length <= offer.longest:
        raise GrantRefused(
            f"{grant.role} may be had for {_span(SHORTEST)} to {_span(offer.longest)}", hint="Ask for less."
        )
    if not grant.reason or len(grant.reason) > REASON_AT_MOST or not grant.reason.isprintable():
        raise GrantRefused(f"the reason must have 1 to {REASON_AT_MOST} characters on one line")
    if not grant.broke_glass and grant.made_by != grant.person:
        return agreed(offer, grant, grant.made_by, grant.made_at)
    return replace(grant, begins=grant.made_at) if grant.broke_glass else grant


def agreed(offer: Offer | None, grant: Grant, by: str, now: datetime) -> Grant:
    """The same with another's agreement, in force if that is enough; raises `GrantRefused`."""
    _refuse_unless(grant, now, Standing.WAITING)
    if by == grant.person:
        raise GrantRefused(
            "nobody agrees to a role that they get themselves", hint="Somebody else under by: must."
        )
    if offer is None or by not in offer.by:
        raise GrantRefused(f"{by} may not agree to {grant.role}", hint=_OFFERS)
    if grant.person not in offer.to or grant.length > offer.longest:
        raise GrantRefused(f"{grant.role} is offered to {grant.person} for so long no more", hint=_OFFERS)
    if by in grant.agreed:
        raise GrantRefused(f"{by} agreed before", hint="Somebody else under by: must.")
    grant = replace(grant, agreed=grant.agreed | {by})
    # Whoever may agree no longer does not count, though they did when they did.
    return replace(grant, begins=now) if offer.agreed(grant.agreed, grant.person) else grant


def denied(offer: Offer | None, grant: Grant, by: str, now: datetime) -> Grant:
    """A question that is answered with no, or taken back by who asked; raises `GrantRefused`."""
    _refuse_unless(grant, now, Standing.WAITING)
    if by not in {grant.person, grant.made_by, *(offer.by if offer is not None else ())}:
        raise GrantRefused(f"{by} may not decide about {grant.role}", hint=_OFFERS)
    return replace(grant, ended_by=by, ended_at=now)


def revoked(offers: tuple[Offer | None, ...], grant: Grant, by: str, now: datetime) -> Grant:
    """What is in force, taken back by who may give or take the role, or has it; raises `GrantRefused`."""
    _refuse_unless(grant, now, Standing.IN_FORCE)
    may = {grant.person, grant.made_by}
    for offer in offers:
        may |= frozenset() if offer is None else offer.by or offer.to
    if by not in may:
        raise GrantRefused(f"{by} may not take back {grant.role}", hint=_OFFERS)
    return replace(grant, ended_by=by, ended_at=now)


_OFFERS = "temporary: and break_glass: of the role say who may have it, and who may give it."


def _refuse_unless(grant: Grant, now: datetime, wanted: Standing) -> None:
    standing = grant.standing(now)
    if standing is not wanted:
        raise GrantRefused(
            f"number {grant.id} is {standing}, and not {wanted}", hint="`strongroom grants --all` shows each."
        )


def _span(time: timedelta) -> str:
    minutes = int(time.total_seconds()) // 60
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
