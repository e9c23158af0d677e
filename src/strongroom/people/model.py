"""What is kept of a person, what somebody has shown who signed in, and what they get for it.

    Way ── verify ──▶ Verified ── issue ──▶ Credential ──▶ a session of the gateway

A `Way` is how a person shows who they are. Password and TOTP (`sign_in`) are one; a passkey (WebAuthn) and
an identity provider (OpenID Connect) are others, and only their claims differ: what follows asks for a
`Verified` and knows no way.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol, TypeVar

from strongroom.secret import Secret
from strongroom.wire.postgres.verifier import Verifier


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who was added; ``last_step`` is that of the last code that was used."""

    name: str
    password: Secret
    totp: Secret
    last_step: int
    disabled: bool
    updated: datetime


@dataclass(frozen=True, slots=True)
class Verified:
    """Somebody has shown who they are: which person, how, and when with a second factor."""

    person: str
    way: str
    second_factor_at: datetime


Claim_contra = TypeVar("Claim_contra", contravariant=True)


class Way(Protocol[Claim_contra]):
    """How people show who they are."""

    def verify(self, claim: Claim_contra, *, source: str, now: datetime) -> Verified:
        """Raises ``LoginRefused``, with the same words whatever was wrong, and counts the try.

        ``source`` is where it comes from, in the spelling of `people.source`, or the name of a door.
        """


@dataclass(frozen=True, slots=True)
class Credential:
    """What a sign-in gives: its holder may open sessions for minutes, which last for hours.

    The user name is the person's. The password is random and shown once; here is what SCRAM needs of it.
    """

    id: str
    person: str
    database: str
    source: str
    """Where sessions must come from, in the spelling of `people.source`."""
    verifier: Verifier = field(repr=False)
    second_factor_at: datetime
    expires: datetime
    session_until: datetime
    revoked: bool = False


CLOCKS_DIFFER = timedelta(minutes=1)
"""By so much the clock may be set back, as time servers do, before what was given counts no more."""


class Verdict(Enum):
    """What a credential whose password was shown is worth."""

    GOOD = "good"
    EXPIRED = "expired"
    FROM_THE_FUTURE = "from the future"
    REVOKED = "revoked"
    ANOTHER_DATABASE = "another database"
    ANOTHER_ADDRESS = "another address"


def judge(credential: Credential, *, database: str, source: str, now: datetime) -> Verdict:
    """Whether it opens a session here, now, for who comes from there."""
    if credential.revoked:
        return Verdict.REVOKED
    if credential.second_factor_at > now + CLOCKS_DIFFER:
        return Verdict.FROM_THE_FUTURE  # the clock was set back, which shall not make it last longer
    if now >= min(credential.expires, credential.session_until):
        return Verdict.EXPIRED
    if credential.database != database:
        return Verdict.ANOTHER_DATABASE
    if not source or credential.source != source:
        return Verdict.ANOTHER_ADDRESS
    return Verdict.GOOD
