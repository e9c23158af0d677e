"""The keysets in use, as one immutable snapshot that is swapped whole when a key changes.

A key is found by keyset and id, never by id alone (design, Formats). Made by the shell from ``store.py``;
the session gets the codecs of its database's columns from it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from strongroom.errors import KeysetMissing, UnknownKey
from strongroom.keys.model import Keyset, KeyVersion
from strongroom.protect.plan import ColumnCodec, Uses
from strongroom.protect.scheme import Scheme
from strongroom.protect.tenants import TenantCodecs


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keysets by name."""

    keysets: Mapping[str, Keyset]

    @classmethod
    def of(cls, keysets: Iterable[Keyset]) -> "KeyRing":
        """A snapshot of these keysets."""
        return cls(MappingProxyType({keyset.name: keyset for keyset in keysets}))

    def keyset(self, name: str) -> Keyset:
        """The keyset of this name; raises ``KeysetMissing``."""
        try:
            return self.keysets[name]
        except KeyError:
            raise KeysetMissing(
                f"there is no keyset {name!r}", hint="restore the state, or the root key that it belongs to"
            ) from None

    def find(self, name: str, key_id: int) -> KeyVersion:
        """The key of a keyset that may open values; raises ``KeysetMissing`` or ``UnknownKey``."""
        keyset = self.keyset(name)
        if key_id not in keyset.key_ids:
            raise UnknownKey(f"keyset {name!r} has no key {key_id:08x} that may be used")
        return keyset.version(key_id)

    def codec(self, scheme: Scheme, uses: Uses) -> ColumnCodec | TenantCodecs:
        """What seals and opens the values of a column; raises ``KeysetMissing`` or ``KeysetMismatch``."""
        if scheme.tenant is None:
            return ColumnCodec(scheme, self.keyset(scheme.keyset), uses)
        return TenantCodecs(scheme, self.by_tenant(scheme), uses)

    def by_tenant(self, scheme: Scheme) -> dict[str, Keyset]:
        """The keysets that tenants have for a column, by tenant."""
        names = tenants_keysets(scheme, self.keysets)
        return {tenant: self.keysets[name] for name, tenant in names.items()}

    def codecs(self, schemes: Iterable[Scheme], uses: Uses) -> Mapping[str, ColumnCodec | TenantCodecs]:
        """The codecs of several columns by their configured names."""
        return MappingProxyType({scheme.column: self.codec(scheme, uses) for scheme in schemes})


def tenants_keysets(scheme: Scheme, names: Iterable[str]) -> dict[str, str]:
    """Of the names of keysets those that tenants have for a column, and whose each is."""
    before, after = f"{scheme.database}@", f"/{scheme.key}"
    found = (name for name in names if name.startswith(before) and name.endswith(after))
    return {name: name.removeprefix(before).removesuffix(after) for name in found}
