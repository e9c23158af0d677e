"""The change of one stance into another, as people sign it: an act as ``keys/approvals.py`` has them.

It names both stances by their SHA-256, and each weakening in words. The gateway makes it anew from what it is
to load, and takes a signature over that very act alone: so nobody is made to sign words that say less than
the change does. Called by `store` and by ``strongroom protection``.
"""

import hashlib
from collections.abc import Mapping, Sequence

from strongroom.config.protection import SIGNED_ACTS, WEAKENING
from strongroom.keys.approvals import Act, Requirement
from strongroom.keys.sshsig import parse_public_key
from strongroom.stance.model import Section, Stance, Weakening

MAX_LISTED = 100
"""A request holds at most 64 KiB (``keys/approvals.py``); of what is left out, the SHA-256 is signed."""
MAX_WORDS = 200
"""Characters of one weakening that are shown: names may be long, and are in the SHA-256 whole."""


def act_of(before: Stance, after: Stance, weakenings: Sequence[Weakening]) -> Act:
    """What is signed."""
    every = "\n".join(map(str, weakenings))
    fields = {
        "before": before.digest,
        "after": after.digest,
        "weakenings": str(len(weakenings)),
        "weakenings_sha256": hashlib.sha256(every.encode()).hexdigest(),
        **{f"weakens {number:03}": _shown(one) for number, one in _numbered(weakenings)},
    }
    return Act(WEAKENING, "take a configuration that protects less, as the fields say", fields)


def _shown(weakening: Weakening) -> str:
    """In ASCII: names may hold anything, and a request has a limit in octets."""
    return str(weakening).encode("ascii", "backslashreplace").decode()[:MAX_WORDS]


def _numbered(weakenings: Sequence[Weakening]) -> list[tuple[int, Weakening]]:
    return list(enumerate(weakenings[:MAX_LISTED], start=1))


def signers_of(section: Section) -> Requirement | None:
    """Who signs by a stance's section ``protection``; None where nobody is asked."""
    if not section:
        return None
    by: Mapping[str, Sequence[str]] = section["by"]
    people = {name: tuple(parse_public_key(key) for key in keys) for name, keys in by.items()}
    return Requirement(section["needed"], people, SIGNED_ACTS)


def section_of(requirement: Requirement | None) -> Section:
    """The other way round."""
    if requirement is None:
        return {}
    by = {name: sorted(str(key) for key in keys) for name, keys in requirement.by.items()}
    return {"needed": requirement.needed, "by": by}
