"""``protection:``: who signs what weakens protection, before it takes effect.

The people are named as under ``keys.approvals``, each with a public key of OpenSSH's or a list of them.
Called by ``model``.
"""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator

from strongroom.config.approvals import People, parse_people
from strongroom.config.values import invalid
from strongroom.keys.approvals import Requirement

WEAKENING = "weakening"
"""The act of taking a configuration that protects less."""
SIGNED_ACTS = frozenset({WEAKENING, "unprotect", "export"})


class Protection(BaseModel):
    """Where it stands, what weakens protection takes several people."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    approvals: int = Field(ge=1)
    """So many different people, the one who asks included."""
    by: Annotated[People, PlainValidator(parse_people)]

    @model_validator(mode="after")
    def _enough_people(self) -> Self:
        if self.approvals > len(self.by):
            raise invalid(f"needs {self.approvals} people to sign, and names {len(self.by)}")
        return self

    @property
    def requirement(self) -> Requirement:
        """The same as approvals understand it."""
        return Requirement(self.approvals, self.by, SIGNED_ACTS)
