"""Keysets as values: which keys a column has, what each may still do, and for what they were made.

The states and transitions are those of NIST SP 800-57 part 1, section 7. A keyset is immutable: a
transition gives a new one. Key material stays inside ``Dek``, which gives out a cipher, never bytes,
except against the capability that export takes. Pure; made by ``keys/store.py``, used by ``protect/``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from strongroom.errors import IllegalTransition, InvalidKeyset

# Values that one key may seal. With random nonces of 96 bits the chance of a collision stays below 2^-32 up
# to 2^32 values (NIST SP 800-38D, section 8.3); this is half of that.
MAX_USES_RANDOMIZED = 2**31
# AES-SIV has no nonce. Its synthetic IV of 128 bits collides for two of so many different values with a
# chance below 2^-34 (the birthday bound); every look-up by a deterministic column counts, too.
MAX_USES_DETERMINISTIC = 2**47
MAX_KEY_ID = 2**32 - 1


class Algorithm(Enum):
    """What a keyset's keys are for; the value is the name used in the configuration."""

    AES256_GCM = "randomized"
    AES256_SIV = "deterministic"

    @property
    def key_size(self) -> int:
        """In bytes; AES-256-SIV takes two keys of 32 (RFC 5297, section 2.2)."""
        return 32 if self is Algorithm.AES256_GCM else 64

    @property
    def max_uses(self) -> int:
        """How many values one key may seal."""
        return MAX_USES_RANDOMIZED if self is Algorithm.AES256_GCM else MAX_USES_DETERMINISTIC


class KeyState(Enum):
    """NIST SP 800-57 part 1, section 7.2."""

    PRE_ACTIVE = "pre-active"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"
    COMPROMISED = "compromised"
    DESTROYED = "destroyed"


TRANSITIONS: Mapping[KeyState, frozenset[KeyState]] = MappingProxyType(
    {
        KeyState.PRE_ACTIVE: frozenset({KeyState.ACTIVE, KeyState.COMPROMISED, KeyState.DESTROYED}),
        KeyState.ACTIVE: frozenset({KeyState.SUSPENDED, KeyState.DEACTIVATED, KeyState.COMPROMISED}),
        KeyState.SUSPENDED: frozenset({KeyState.ACTIVE, KeyState.DEACTIVATED, KeyState.COMPROMISED}),
        KeyState.DEACTIVATED: frozenset({KeyState.COMPROMISED, KeyState.DESTROYED}),
        KeyState.COMPROMISED: frozenset({KeyState.DESTROYED}),
        KeyState.DESTROYED: frozenset(),
    }
)

# A pre-active key opens already, since another gateway may have heard of its activation first. A suspended
# one does nothing: suspending is how an operator stops a key while finding out whether it is compromised.
OPENING = frozenset({KeyState.PRE_ACTIVE, KeyState.ACTIVE, KeyState.DEACTIVATED, KeyState.COMPROMISED})


class ExportCapability:
    """What ``danger_material`` asks for; making one is the line that a reviewer looks for."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Dek:
    """The material of one data encryption key; prints as ``<Dek 1f2e3d4c>``, its key id."""

    __slots__ = ("_algorithm", "_key_id", "_material")

    def __init__(self, material: bytes, algorithm: Algorithm, key_id: int) -> None:
        if len(material) != algorithm.key_size:
            raise InvalidKeyset(f"a key for {algorithm.value} columns has {algorithm.key_size} bytes")
        self._material = material
        self._algorithm = algorithm
        self._key_id = key_id

    def __repr__(self) -> str:
        return f"<Dek {self._key_id:08x}>"

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def __reduce__(self) -> str:
        raise IllegalTransition("a key is never pickled", hint="export the keyset instead")

    def aead(self) -> AESGCM:
        """The cipher of a randomized column."""
        if self._algorithm is not Algorithm.AES256_GCM:
            raise InvalidKeyset("a key for deterministic columns cannot serve a randomized one")
        return AESGCM(self._material)

    def deterministic_aead(self) -> AESSIV:
        """The cipher of a deterministic column."""
        if self._algorithm is not Algorithm.AES256_SIV:
            raise InvalidKeyset("a key for randomized columns cannot serve a deterministic one")
        return AESSIV(self._material)

    def danger_material(self, capability: ExportCapability) -> bytes:
        """The key itself, for wrapping and export alone."""
        if not isinstance(capability, ExportCapability):
            raise IllegalTransition("key material leaves only against an ExportCapability")
        return self._material


@dataclass(frozen=True, slots=True)
class Context:
    """The column for which a keyset was made: its associated data; a rename changes nothing here."""

    database: str
    schema: str
    table: str
    column: str
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One key of a keyset; a destroyed one keeps its id, so that it is never given out again."""

    key_id: int
    state: KeyState
    created: datetime
    dek: Dek | None

    def __post_init__(self) -> None:
        if not 0 < self.key_id <= MAX_KEY_ID:
            raise InvalidKeyset("a key id is between 1 and 2^32 - 1")
        if (self.dek is None) != (self.state is KeyState.DESTROYED):
            raise InvalidKeyset(
                f"key {self.key_id:08x} is {self.state.value}, which its material contradicts"
            )
        if self.created.tzinfo is None:
            raise InvalidKeyset("the time at which a key was created has a time zone")


@dataclass(frozen=True, slots=True)
class Keyset:
    """The keys of one column, or of several that share it by ``key:``.

    ``form`` and ``pad`` are what its values hold (``protect/scheme.py``); they stand here so that a changed
    line of configuration cannot make old values read as something else. ``revision`` grows with each change,
    so that of two copies one knows the newer.
    """

    name: str
    algorithm: Algorithm
    context: Context
    form: str
    pad: int
    versions: tuple[KeyVersion, ...]
    primary: int
    revision: int = 1
    opening_floor: int = 1
    """The lowest number of a version that may open; what older ones sealed is refused."""
    sealing_floor: int = 1
    """The lowest number of a version that may be made primary."""
    reminder: str = ""
    """Of a KEK: what was accepted under ``protection:``, so that it is not forgotten (``acceptance``)."""

    def __post_init__(self) -> None:
        ids = [version.key_id for version in self.versions]
        if len(ids) != len(set(ids)):
            raise InvalidKeyset(f"keyset {self.name!r} has two keys of one id")
        if self.primary not in ids or self.version(self.primary).state is not KeyState.ACTIVE:
            raise InvalidKeyset(f"the primary key of keyset {self.name!r} is not an active one")
        if not 1 <= self.opening_floor <= self.sealing_floor <= self.number(self.primary):
            raise InvalidKeyset(
                f"keyset {self.name!r}: from 1 to the primary key's number, the floor of opening comes before"
                " that of sealing"
            )

    @property
    def opening(self) -> tuple[KeyVersion, ...]:
        """The keys that may open a value, oldest first."""
        above = self.versions[self.opening_floor - 1 :]
        return tuple(version for version in above if version.state in OPENING)

    @property
    def key_ids(self) -> frozenset[int]:
        """The ids of the keys that may open a value."""
        return frozenset(version.key_id for version in self.opening)

    def number(self, key_id: int) -> int:
        """The number of a version: 1 is the first that the keyset had."""
        return self.versions.index(self.version(key_id)) + 1

    def version(self, key_id: int) -> KeyVersion:
        """The key of this id; raises ``InvalidKeyset``."""
        for version in self.versions:
            if version.key_id == key_id:
                return version
        raise InvalidKeyset(f"keyset {self.name!r} has no key {key_id:08x}")

    def rewrapped(self) -> "Keyset":
        """This keyset, to be kept in place of the same under another KEK."""
        return self._next()

    def reminding(self, reminder: str) -> "Keyset":
        """This KEK, with another reminder."""
        return self._next(reminder=reminder)

    def with_key(self, version: KeyVersion) -> "Keyset":
        """This keyset with one more key, which is not yet primary."""
        return self._next(versions=(*self.versions, version))

    def with_primary(self, key_id: int) -> "Keyset":
        """This keyset, sealing with another of its active keys; raises ``IllegalTransition``."""
        if self.number(key_id) < self.sealing_floor:
            raise IllegalTransition(
                f"version {self.number(key_id)} is below the floor of sealing, {self.sealing_floor}",
                hint="rotate: a new version may seal",
            )
        return self._next(primary=key_id)

    def with_floors(self, opening: int, sealing: int) -> "Keyset":
        """This keyset with other floors; raises ``IllegalTransition`` where its primary would be below."""
        if not 1 <= opening <= sealing <= self.number(self.primary):
            raise IllegalTransition(
                f"the floors {opening} and {sealing} are not between 1 and the primary key's number,"
                f" {self.number(self.primary)}, the one of opening first",
                hint="rotate first, so that a newer version is primary",
            )
        return self._next(opening_floor=opening, sealing_floor=sealing)

    def with_state(self, key_id: int, state: KeyState) -> "Keyset":
        """This keyset after a transition of one key; raises ``IllegalTransition``."""
        before = self.version(key_id)
        if state not in TRANSITIONS[before.state]:
            raise IllegalTransition(
                f"key {key_id:08x} is {before.state.value} and cannot become {state.value}",
                hint="possible: " + (", ".join(sorted(s.value for s in TRANSITIONS[before.state])) or "none"),
            )
        if key_id == self.primary:
            raise IllegalTransition(f"key {key_id:08x} is primary", hint="make another key primary first")
        after = replace(before, state=state, dek=None if state is KeyState.DESTROYED else before.dek)
        return self._next(versions=tuple(after if v is before else v for v in self.versions))

    def _next(self, **changes: Any) -> "Keyset":
        return replace(self, revision=self.revision + 1, **changes)
