"""Columns whose values are sealed by the keys of the tenant that they belong to (`tenant:`).

A tenant's values are those of a column like any other, of the database `DATABASE@TENANT`: its keyset, context
and codec are its own. To be opened, a value of a column needs no word of whose it is, since it names its key,
and no two tenants have keys of one id. To be sealed it does. Called by ``session/`` and ``changeover/``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from strongroom.errors import InvalidValue, KeysetMismatch, TenantUnknown
from strongroom.keys.model import Keyset
from strongroom.protect import canonical
from strongroom.protect.canonical import Sent
from strongroom.protect.plan import ColumnCodec, ColumnOpening, Uses
from strongroom.protect.scheme import Scheme
from strongroom.wire.postgres import types
from strongroom.wire.postgres.types import DeclaredType

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,99}")
"""What a tenant can be called: it is part of the names of its keys, and of a file."""


def is_tenant_name(text: str) -> bool:
    """Whether a tenant can be called this; a negative number is one, too."""
    return NAME.fullmatch(text.removeprefix("-")) is not None


NAMING_TYPES = frozenset({types.INT2, types.INT4, types.INT8, types.UUID, types.TEXT, types.VARCHAR})
"""Types of columns that can name a tenant: equal values have one text."""


class TenantCodecs(ColumnOpening):
    """Opens the values of all tenants whose keys are there, and has a codec for each."""

    __slots__ = ("_by_tenant", "_of_none", "_of_tenants", "_uses")

    def __init__(self, scheme: Scheme, keysets: Mapping[str, Keyset], uses: Uses) -> None:
        """``keysets`` go by tenant; raises ``KeysetMismatch`` where two have keys of one id."""
        ids = [key_id for keyset in keysets.values() for key_id in keyset.key_ids]
        if len(ids) != len(set(ids)):
            raise KeysetMismatch(
                f"{scheme.database}: column {scheme.column}: two tenants have keys of one id",
                hint="rotate the key of one of them",
            )
        super().__init__(scheme, tuple(keysets.values()))
        self._of_tenants, self._uses = dict(keysets), uses
        self._by_tenant: dict[str, ColumnCodec] = {}  # made when first asked for: of thousands, few write
        self._of_none = ColumnOpening(scheme, ())

    def of(self, tenant: str) -> ColumnCodec:
        """What seals this tenant's values; raises ``TenantUnknown``."""
        known = self._by_tenant.get(tenant)
        if known is None:
            if tenant not in self._of_tenants:
                raise TenantUnknown(
                    f"the column {self.scheme.column} has no key for this tenant", tenant=tenant
                )
            scheme = self.scheme.of_tenant(tenant)
            known = self._by_tenant[tenant] = ColumnCodec(scheme, self._of_tenants[tenant], self._uses)
        return known

    def seal_all(
        self, values: Sequence[bytes | None], whose: Sequence[str | None], sent: Sent
    ) -> list[bytes | None]:
        """A batch of values, each for the tenant at its place; raises ``TenantUnknown``."""
        sealed: list[bytes | None] = [None] * len(values)
        places: dict[str | None, list[int]] = {}
        for place, (value, tenant) in enumerate(zip(values, whose, strict=True)):
            if value is not None:
                places.setdefault(tenant, []).append(place)
        for tenant, at in places.items():
            if tenant is None:
                raise TenantUnknown(f"a row with a value of {self.scheme.column} belongs to no tenant")
            found = self.of(tenant).seal_all([values[place] for place in at], sent)
            for place, value in zip(at, found, strict=True):
                sealed[place] = value
        return sealed

    def only(self, tenant: str) -> ColumnOpening:
        """What opens this tenant's values and no others; nothing, where it has no key."""
        return self.of(tenant) if tenant in self._of_tenants else self._of_none


@dataclass(frozen=True, slots=True)
class TenantNames:
    """From values of the column that names the tenant to names; a uuid in lower case, a number in digits."""

    type: DeclaredType

    def of(self, value: bytes | None, sent: Sent) -> str:
        """The name in a client's value; raises ``InvalidValue``."""
        if value is None:
            raise InvalidValue("a row of no tenant cannot hold sealed values")
        return self.stored(canonical.encoder(self.type, sent)(value))

    def stored(self, plaintext: bytes) -> str:
        """The name in a value as the database has it, in binary."""
        match self.type.oid:
            case types.UUID:
                name = str(UUID(bytes=plaintext))
            case types.TEXT | types.VARCHAR:
                name = plaintext.decode()
            case _:
                name = str(int.from_bytes(plaintext, signed=True))
        if not is_tenant_name(name):
            raise InvalidValue("a tenant is named in letters, digits and . _ : + -, 100 at most")
        return name
