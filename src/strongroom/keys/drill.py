"""Proof that a backup would bring everything back: restored beside the live state, it is held against that.

Keys are compared by a keyed hash under a key that is made for one drill and forgotten; no material is shown
or kept. Values are opened as the gateway opens them, by the restored keys. ``Line`` is one thing that was
proved, or not. Called by `keys drill`.
"""

import hmac
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from strongroom.errors import StrongroomError
from strongroom.keys.model import ExportCapability, Keyset, KeyVersion
from strongroom.protect.envelope import length_prefixed
from strongroom.protect.plan import TEXT_FORMAT, ColumnCodec
from strongroom.protect.scheme import Scheme
from strongroom.protect.style import TextStyle


@dataclass(frozen=True, slots=True)
class Line:
    """One key or column."""

    what: str
    """``key`` or ``values``."""
    name: str
    holds: bool
    remark: str


class Hasher:
    """The keyed hash of one drill."""

    __slots__ = ("_key",)

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(self, keyset: Keyset, version: KeyVersion) -> bytes | None:
        """Of a key with its name and id; None where its material was destroyed."""
        if version.dek is None:
            return None
        material = version.dek.danger_material(ExportCapability("to be compared by a keyed hash"))
        label = length_prefixed("strongroom.drill.v1", keyset.name, f"{version.key_id:08x}")
        return hmac.digest(self._key, label + material, "sha256")


def compare(live: Iterable[Keyset], restored: Iterable[Keyset]) -> list[Line]:
    """A line for each live key: whether the backup has its every version; then what only the backup has.

    A keyset may have been retired since, or retired and made anew under its name: each live version must be
    in one of those of its name.
    """
    hasher = Hasher()
    had: dict[str, list[Keyset]] = {}
    for keyset in restored:
        had.setdefault(keyset.name, []).append(keyset)
    names = set()
    lines = []
    for keyset in live:
        names.add(keyset.name)
        lines.append(_compared(keyset, had.get(keyset.name, []), hasher))
    return lines + [Line("key", name, True, "not in use any more") for name in had if name not in names]


def _compared(live: Keyset, restored: Collection[Keyset], hasher: Hasher) -> Line:
    known = {hasher.of(one, version) for one in restored for version in one.versions}
    kept = [version for version in live.versions if version.dek is not None]
    missing = [version for version in kept if hasher.of(live, version) not in known]
    if missing:
        ids = ", ".join(f"{version.key_id:08x}" for version in missing)
        return Line("key", live.name, False, f"not in the backup: {ids}")
    newest = max(one.revision for one in restored)
    remark = f"{len(kept)} of {len(kept)} versions"
    if newest != live.revision:
        remark += f"; the backup has revision {newest}, the state {live.revision}"
    return Line("key", live.name, True, remark)


def open_values(scheme: Scheme, keyset: Keyset | None, values: Iterable[bytes]) -> Line:
    """A line for a column: whether the restored keys open values that were read from it."""
    if keyset is None:
        return Line("values", scheme.column, False, "the backup has no keys for this column")
    values = list(values)
    try:
        opener = ColumnCodec(scheme, keyset, _NoUses()).opener(TEXT_FORMAT, TextStyle())
        for value in values:
            opener(value)
    except StrongroomError as error:
        return Line("values", scheme.column, False, f"a value does not open: {error.code}")
    return Line("values", scheme.column, True, f"{len(values)} values opened" if values else "no values")


class _NoUses:
    """A drill seals nothing."""

    def take(self, keyset: Keyset, count: int) -> None:
        """Never called."""
        raise AssertionError(keyset.name, count)
