"""``keys.approvals``: what one person alone may not do with keys, and who must sign it.

Each person is named with a public key of OpenSSH's, or a list of them. Called by ``model``.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from strongroom.config.values import expect_text, invalid
from strongroom.errors import SignatureInvalid
from strongroom.keys.sshsig import PublicKey, parse_public_key

ACTS = ("export", "destroy", "restore", "root")
"""What needs approval where nothing else is said."""
FURTHER_ACTS = ("backup",)
"""What may be named besides: who may back keys up to himself has them all, but a timer does it too."""

People = Mapping[str, tuple[PublicKey, ...]]

_NAME = re.compile(r"[\w.@-]{1,64}")


def parse_people(value: object) -> People:
    """Names, each with a public key or several; no key is two people's."""
    if not isinstance(value, Mapping) or not value:
        raise invalid("must name people, each with a public key", instead="write anna: ssh-ed25519 AAAA...")
    people: dict[str, tuple[PublicKey, ...]] = {}
    for name, keys in value.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise invalid("has a name that is none", instead="write letters, digits, and . _ @ -")
        people[name] = tuple(_key(name, key) for key in (keys if isinstance(keys, list) else [keys]))
    everyone = [key for keys in people.values() for key in keys]
    if len(set(everyone)) < len(everyone) or not all(people.values()):
        raise invalid("has a key twice, or a person without one", instead="give each person their own")
    return MappingProxyType(people)


def parse_acts(value: object) -> frozenset[str]:
    """Which acts need approval."""
    known = (*ACTS, *FURTHER_ACTS)
    if not isinstance(value, list) or not value or not all(one in known for one in value):
        raise invalid("must be a list of acts", instead=f"choose from {', '.join(known)}")
    return frozenset(value)


def _key(name: str, value: object) -> PublicKey:
    try:
        return parse_public_key(expect_text(value, "a public key"))
    except SignatureInvalid as error:
        raise invalid(
            f"{name}: {error.message}", instead="copy the line of a file such as id_ed25519.pub"
        ) from None
