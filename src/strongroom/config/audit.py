"""``audit:``: where the audit log is and goes, and what happens to statements whose records cannot be kept.

Called by ``model``.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationInfo, model_validator

from strongroom.config.destinations import Destination, DestinationName
from strongroom.config.role_values import parse_duration
from strongroom.config.values import ColumnName, invalid, parse_column_name, parse_path

SHORTEST = timedelta(days=1)
"""That contents are kept: a search for what happened yesterday finds something."""
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


def _keep(value: object) -> timedelta:
    found = parse_duration(value)
    if found < SHORTEST:
        raise invalid("must be a day or longer", instead="write keep: 400d")
    return found


class Audit(BaseModel):
    """Where it stands, what is done is written down."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    log: Annotated[Path, PlainValidator(_log)]
    """A folder of its own."""
    origin: Annotated[str, PlainValidator(_origin)]
    durability: Literal["sync", "batch"] = "batch"
    """Whether a statement waits until it is on the disk that it was asked for."""
    batch_milliseconds: int = Field(default=20, ge=1, le=10_000)
    """How long a record may wait before it is written to the disk."""
    unwritable: Literal["block", "allow"] = "block"
    """What happens to statements while records cannot be written."""
    waiting_bytes: int = Field(default=16 << 20, ge=1 << 16, le=1 << 30)
    """Records of one worker that are not on the disk; more count as unwritable."""
    keep: Annotated[timedelta | None, PlainValidator(_keep)] = None
    """Contents that are older are erased; None: never by themselves."""
    to: Mapping[DestinationName, Destination] = Field(default_factory=dict)
    """Where it goes beside its folder."""
    keyed_hashes: Sequence[Annotated[ColumnName, PlainValidator(parse_column_name)]] = ()
    """Columns of whose values records have keyed hashes, in each database that has them."""

    @model_validator(mode="after")
    def _erased_everywhere(self) -> Self:
        """What a bucket has locked cannot be erased there before its time."""
        for name, one in self.to.items():
            locked = one.s3 is not None and one.s3.contents and timedelta(days=one.s3.retain_days)
            if self.keep is not None and locked and locked > self.keep:
                raise invalid(
                    f"keeps contents for a shorter time than to.{name} locks them",
                    instead="write fewer retain_days, a longer keep, or contents: false",
                )
        return self

    @property
    def gathering_seconds(self) -> float:
        """How long a record waits for others in each of two places: where it is made, and at the recorder."""
        return self.batch_milliseconds / 2000
