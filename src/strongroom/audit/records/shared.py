"""What many records have: when and where they were made, and whose session it was."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from strongroom.audit.records.layout import at


@dataclass(frozen=True, slots=True)
class Head:
    """When a record was made, and by which process."""

    time: int = at("time")
    """Milliseconds since 1970-01-01, UTC, by the machine's clock: recorded, not trusted."""
    sequence: int = at("metadata.sequence")
    """Counts the records of one process from 1: one that is missing shows."""
    process: str = at("unmapped.process")
    """Which process of the gateway's, or which command, and which run of it."""
    gateway: str = at("metadata.log_name")
    """The origin of the log: one for each gateway."""
    version: str = at("metadata.product.version")
    """Of Strongroom."""


class Holder(StrEnum):
    """What kind of somebody."""

    ACCOUNT = "account"
    """A program's."""
    PERSON = "person"
    ADMINISTRATOR = "administrator"
    """Whoever ran a command, by the name that the machine knows."""
    GATEWAY = "gateway"
    """Strongroom itself."""


@dataclass(frozen=True, slots=True)
class Client:
    """Whose session it is."""

    account: str = at("actor.user.name")
    kind: Holder = at("actor.user.type")
    session: str = at("actor.session.uid")
    """Unique among all sessions of a gateway, ever."""
    address: str | None = at("src_endpoint.ip", limit=40, default=None)
    """Of the client; None for a Unix socket."""
    application: str | None = at("actor.app_name", limit=64, default=None)
    """As the client calls itself; it may call itself anything."""


@dataclass(frozen=True, slots=True)
class Doer:
    """Who did something to the gateway itself: a person by a command, or the gateway by itself."""

    name: str = at("actor.user.name")
    kind: Holder = at("actor.user.type")


class Result(IntEnum):
    """How it ended: OCSF's status_id."""

    UNKNOWN = 0
    SUCCESS = 1
    FAILURE = 2
