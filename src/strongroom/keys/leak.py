"""What was exposed by a leak, as it is written down; and which leak is not dealt with yet.

The record comes before the first step, and names every version that there is then: what is made after it is
trusted. An import that had begun ends with it: whoever has the key may have what its key pair is wrapped by,
and would know what comes by it. So a run that was killed is taken up by the next one, which neither trusts
what the record names nor gives up what came after it. Called by ``strongroom keys compromise``.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine

from strongroom.keys.imports import void
from strongroom.keys.journal import KeyEvent, note
from strongroom.keys.model import Keyset, KeyState

COMPROMISED = "compromised"
VOIDED = "import voided"
ROTATED = "rotated"

_ENDED = frozenset({KeyState.COMPROMISED, KeyState.DESTROYED})


@dataclass(frozen=True, slots=True)
class Leak:
    """A record of what was exposed."""

    key_ids: frozenset[int]
    """The keyset's versions that others may know."""
    details: Mapping[str, object]
    """As the event has them: columns, key_ids, since, until, uses, and import, which is void since then."""
    since: datetime | None = None
    """When it was written down, where an earlier run did."""


def exposure(keyset: Keyset, columns: Collection[str], uses: int, now: datetime) -> Leak:
    """A new leak: all versions that there are."""
    first = min(version.created for version in keyset.versions)
    details = {
        "columns": list(columns),
        "key_ids": [_shown(version.key_id) for version in keyset.versions],
        "since": first.isoformat(),
        "until": now.isoformat(),
        "uses": uses,
    }
    return Leak(frozenset(version.key_id for version in keyset.versions), details)


def write_down(engine: Engine, name: str, leak: Leak) -> Leak:
    """Puts a new leak on record and voids the import that had begun, in one transaction."""
    with engine.begin() as connection:
        identifier = void(connection, name)
        details = {**leak.details, "import": identifier}
        note(connection, COMPROMISED, name, **details)
        if identifier is not None:
            note(connection, VOIDED, name, identifier=identifier, why="the column's key was compromised")
    return replace(leak, details=details)


def unfinished(keyset: Keyset, events: Iterable[KeyEvent]) -> Leak | None:
    """The leak that was written down last, if the run that did so has not come to its end.

    It has where all that the record names is compromised or destroyed, and a rotation to a version that it
    does not name was written down after it.
    """
    own = [event for event in events if event.subject == keyset.name]
    records = [event for event in own if event.what == COMPROMISED]
    if not records:
        return None
    last = records[-1]
    named = _texts(last.details.get("key_ids"))
    exposed = [version for version in keyset.versions if _shown(version.key_id) in named]
    clean = {_shown(version.key_id) for version in keyset.versions} - named
    rotated = {event.details.get("key_id") for event in own[own.index(last) :] if event.what == ROTATED}
    if not exposed or (all(version.state in _ENDED for version in exposed) and clean & rotated):
        return None
    return Leak(frozenset(version.key_id for version in exposed), last.details, last.at)


def _texts(found: object) -> set[str]:
    return {str(one) for one in found} if isinstance(found, list) else set()


def _shown(key_id: int) -> str:
    return f"{key_id:08x}"
