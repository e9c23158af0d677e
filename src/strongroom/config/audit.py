"""``audit:``: where the audit log is and goes, and what happens to statements whose records cannot be kept.

Called by ``model``.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationInfo

from strongroom.config.destinations import Destination, DestinationName
from strongroom.config.values import invalid, parse_path

_ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)*")


def _origin(value: object) -> str:
    """C2SP tlog-checkpoint: the name of a log, unique for ever, best a URL without its scheme."""
    if not isinstance(value, str) or not _ORIGIN.fullmatch(value) or len(value) > 200:
        raise invalid(
            "must be a name that no other log has, of letters, digits, dots, hyphens and slashes",
            instead="write origin: gateway-1.example.com/audit",
        )
    return value


def _log(value: object, info: ValidationInfo) -> Path:
    return parse_path(value, cast(Path, info.context).parent)


class Audit(BaseModel):
    """Where it stands, what is done is written down."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    log: Annotated[Path, PlainValidator(_log)]
    """A folder of its own."""
    origin: Annotated[str, PlainValidator(_origin)]
    batch_milliseconds: int = Field(default=20, ge=1, le=10_000)
    """How long a record may wait before it is written to the disk."""
    unwritable: Literal["block", "allow"] = "block"
    """What happens to statements while records cannot be written."""
    waiting_bytes: int = Field(default=16 << 20, ge=1 << 16, le=1 << 30)
    """Records of one worker that are not on the disk; more count as unwritable."""
    to: Mapping[DestinationName, Destination] = Field(default_factory=dict)
    """Where it goes beside its folder."""

    @property
    def gathering_seconds(self) -> float:
        """How long a record waits for others in each of two places: where it is made, and at the recorder."""
        return self.batch_milliseconds / 2000
