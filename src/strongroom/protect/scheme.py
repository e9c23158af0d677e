"""How one column is protected: its declared type, the kind of encryption, and what that gives away.

``Scheme.parse`` reads the strings of the configuration once and refuses what the type does not allow:
``deterministic`` only where equal values have equal bytes (design, Formats), and for types of very few
values only with ``accept_leakage: frequency``. Made by the shell from the configuration; used by
``plan.py``, and by ``keys/`` to hold a keyset against it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from strongroom.errors import InvalidScheme, StrongroomError
from strongroom.keys.model import Algorithm, Context, Keyset
from strongroom.wire.postgres import types
from strongroom.wire.postgres.types import DeclaredType, parse_type

MAX_PAD = 65_536  # bytes; a larger block hides nothing more and swells every value

# Types whose values have one byte form only when they are identical, though PostgreSQL calls others equal:
# -0 and 0, 1.0 and 1.00, '24:00' and '1 day', '{"a":1}' and '{"a": 1}'.
_UNEQUAL_BYTES = {
    types.FLOAT4: "0 and -0 are equal",
    types.FLOAT8: "0 and -0 are equal",
    types.INTERVAL: "24 hours and 1 day are equal",
    types.JSON: "json has no equality",
    types.JSONB: "1.0 and 1.00 are equal",
}
_FEW_VALUES = "frequency"

# The canonical form that a type's values take; columns that share a keyset must agree on it.
_FORMS = {types.VARCHAR: "text", types.TEXT: "text", types.BPCHAR: "bpchar"}
_PART = re.compile(r'"((?:[^"]|"")+)"|([^".\s]+)')


@dataclass(frozen=True, slots=True)
class Scheme:
    """How one column is protected; ``column`` is its configured name.

    ``key`` names the column for which its keyset is made: itself, unless it shares another's.
    """

    database: str
    column: str
    type: DeclaredType
    algorithm: Algorithm
    key: str
    pad: int = 0
    tenant: str | None = None
    """The column that names the tenant whose keys seal a row's value, or `session`; None: one key for all."""

    @classmethod
    def parse(
        cls,
        database: str,
        column: str,
        *,
        type: str,  # noqa: A002 - the word that users write
        encryption: str,
        key: str | None = None,
        accept_leakage: str | Iterable[str] = (),
        pad: int = 0,
        tenant: str | None = None,
    ) -> "Scheme":
        """The scheme of one line of configuration; raises ``InvalidScheme`` or ``UnknownType``."""
        with_context = f"{database}: column {column}"
        try:
            declared = parse_type(type)
            algorithm = _algorithm(encryption)
            split_column(column)
            split_column(key or column)
            _check_pad(pad)
            _check_blanks(declared)
            if algorithm is Algorithm.AES256_SIV:
                accepted = {accept_leakage} if isinstance(accept_leakage, str) else set(accept_leakage)
                _check_comparable(declared, accepted)
        except StrongroomError as error:
            raise error.__class__(f"{with_context}: {error.message}", hint=error.hint) from None
        return cls(database, column, declared, algorithm, key or column, pad, tenant)

    @property
    def keyset(self) -> str:
        """The name of the keyset: of the database, then the column for which it is made.

        Where each tenant has one, no keyset has this name: theirs are ``of_tenant(name).keyset``.
        """
        return f"{self.database}/{self.key}"

    def of_tenant(self, name: str) -> "Scheme":
        """The scheme of one tenant's values: a scheme like any other, of the database `DATABASE@TENANT`."""
        return replace(self, database=f"{self.database}@{name}", tenant=None)

    @property
    def is_of_tenants(self) -> bool:
        """Whether its keys are those of tenants, or of one."""
        return self.tenant is not None or "@" in self.database

    @property
    def comparable(self) -> bool:
        """Whether equal values have equal bytes in the database."""
        return self.algorithm is Algorithm.AES256_SIV

    @property
    def form(self) -> str:
        """The name of the canonical form: columns that share a keyset must have the same."""
        base = self.type.base_oid
        name = types.BASE_TYPES[base].name
        if not self.type.is_array:  # an array's bytes hold the OID of its element type
            name = _FORMS.get(base, name)
        if base == types.NUMERIC and (pair := types.numeric_precision(self.type.typmod)) is not None:
            name = f"numeric(.,{pair[1]})"  # the scale is part of the bytes: 1.0 and 1.00 differ
        return name + ("[]" if self.type.is_array else "")

    @property
    def context(self) -> Context:
        """The context of the keyset, if it is still to be made."""
        database, _, tenant = self.database.partition("@")
        return Context(database, *split_column(self.key), tenant or None)

    @property
    def kind(self) -> tuple[Algorithm, str, int]:
        """What columns that share a keyset have in common."""
        return self.algorithm, self.form, self.pad

    def mismatch(self, keyset: Keyset) -> str | None:
        """What the keyset was made for, if that is not what is configured; None if they agree."""
        made = _described(keyset.algorithm, keyset.form, keyset.pad)
        wanted = _described(*self.kind)
        return None if made == wanted else f"its keyset was made for {made}, not {wanted}"


def split_column(column: str) -> tuple[str, str, str]:
    """(schema, table, column) of ``schema.table.column``, each perhaps quoted as in SQL."""
    parts: list[str] = []
    position = 0
    while match := _PART.match(column, position):
        parts.append(match[1].replace('""', '"') if match[1] else match[2])
        position = match.end() + 1
        if column[match.end() : position] != ".":
            break
    if len(parts) != 3 or position <= len(column):
        raise InvalidScheme(
            "a column is named schema.table.column", hint="quote a part with a dot in it, as in SQL"
        )
    return parts[0], parts[1], parts[2]


def _algorithm(encryption: str) -> Algorithm:
    try:
        return Algorithm(encryption)
    except ValueError:
        raise InvalidScheme(
            f"encryption {encryption!r} is not known", hint="write `deterministic` or `randomized`"
        ) from None


def _check_pad(pad: int) -> None:
    if not 0 <= pad <= MAX_PAD:
        raise InvalidScheme(f"pad is a number of bytes between 0 and {MAX_PAD}", hint="64 suits most text")


def _check_blanks(type_: DeclaredType) -> None:
    if type_.base_oid == types.BPCHAR and type_.typmod < 0:
        raise InvalidScheme(
            "bpchar without a length keeps blanks that its comparisons pass over", hint="use text, or char(n)"
        )


def _check_comparable(type_: DeclaredType, accepted: set[str]) -> None:
    base = type_.base_oid
    reason = _UNEQUAL_BYTES.get(base)
    if base == types.NUMERIC and type_.typmod < 0:
        reason = "1.0 and 1.00 are equal"
    if reason:
        raise InvalidScheme(
            f"{type_} cannot be deterministic: {reason} though their bytes differ",
            hint="use randomized"
            + (", or numeric with a precision and scale" if base == types.NUMERIC else ""),
        )
    if unknown := accepted - {_FEW_VALUES}:
        raise InvalidScheme(f"accept_leakage {min(unknown)!r} is not known", hint="it can be frequency")
    if _is_small(type_) and _FEW_VALUES not in accepted:
        raise InvalidScheme(
            f"{type_} has so few values that counting equal ciphertexts reveals them",
            hint="use randomized, or write accept_leakage: frequency",
        )


def _is_small(type_: DeclaredType) -> bool:
    if type_.is_array:
        return False
    single = type_.oid in (types.BPCHAR, types.VARCHAR) and types.character_length(type_.typmod) == 1
    return type_.oid == types.BOOL or single


def _described(algorithm: Algorithm, form: str, pad: int) -> str:
    return f"{algorithm.value} {form}" + (f" padded to {pad}" if pad else "")
