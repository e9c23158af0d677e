"""``people`` and ``login``: who signs in with a second factor, and for how long what they get for it counts.

Called by ``model``.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from strongroom.config.roles import RoleName
from strongroom.config.values import expect_text, invalid, parse_secret
from strongroom.people.throttle import Rules
from strongroom.secret import Secret

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,62}")


def parse_person_name(value: object) -> str:
    """One spelling for each person: no capitals, and no letters of other alphabets that look alike."""
    name = expect_text(value, "a person's name")
    if not _NAME.fullmatch(name):
        raise invalid(
            "is no person's name", instead="write small letters a to z, digits, and . _ @ -, 63 at most"
        )
    return name


PersonName = Annotated[str, PlainValidator(parse_person_name)]
SecretText = Annotated[Secret, PlainValidator(parse_secret)]


class Person(BaseModel):
    """Who signs in by ``strongroom login``, and as whom they reach the database."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    databases: Sequence[str] = Field(min_length=1)
    roles: Sequence[RoleName] = ()
    groups: Sequence[RoleName] = ()
    upstream_user: str | None = Field(default=None, min_length=1)
    upstream_password: SecretText | None = None


class Login(BaseModel):
    """How long a sign-in counts, and how wrong tries are met."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    credential_minutes: float = Field(default=10, gt=0, le=60)
    """For so long what ``strongroom login`` gave opens sessions."""
    session_hours: float = Field(default=8, gt=0, le=24)
    """So long after the sign-in the sessions that it opened end."""
    failures: int = Field(default=10, ge=5, le=100)
    """So many wrong tries of one account from one source lock it for that source."""
    lock_minutes: float = Field(default=15, gt=0, le=1440)
    """The lock ends by itself after so long."""

    @property
    def credential_time(self) -> timedelta:
        """How long a credential opens sessions."""
        return timedelta(minutes=self.credential_minutes)

    @property
    def session_time(self) -> timedelta:
        """How long after the sign-in sessions may last."""
        return timedelta(hours=self.session_hours)

    @property
    def rules(self) -> Rules:
        """The same as a throttle understands it."""
        return Rules(self.failures, self.lock_minutes * 60)
