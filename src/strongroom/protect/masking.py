"""A mask made ready for a column: from a value to what the client sees in its place (docs/spec/masks.md).

``ColumnMask`` is a ``Mask``, the type of the column, and for pseudonyms a key. Of a protected column it takes
the plaintext, of any other what PostgreSQL sends; either way the client gets a value of the column's type, in
the format that it awaits, or NULL. ``native`` is what the kernel does by itself. Called by ``plan.py`` and
``batch.py``.
"""

import struct
from collections.abc import Callable
from functools import partial
from types import MappingProxyType

from strongroom import _kernel as kernel
from strongroom.errors import InvalidMask, InvalidPlaintext, MalformedRow, StrongroomError
from strongroom.keys.model import ExportCapability
from strongroom.protect import canonical
from strongroom.protect.canonical import BINARY_FORMAT, form_of
from strongroom.protect.forms import arrays, printed
from strongroom.protect.forms.numerics import NUMERIC
from strongroom.protect.generalising import ranged, truncated
from strongroom.protect.masks import HASH_DIGITS, TEXTUAL, Kind, Mask
from strongroom.protect.pseudonyms import PseudonymKey, pseudonyms
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types
from strongroom.wire.postgres.types import DeclaredType

Change = Callable[[bytes], bytes]
Masking = Callable[[bytes], bytes | None]
"""From a value, never NULL, to what stands in its place; None is NULL."""

# How many stars stand for what is hidden: as many whatever its length, which would tell of it.
FULL_RUN, PARTIAL_RUN, EMAIL_RUN, CARD_RUN, CONSTANT_RUN = 8, 4, 3, 12, 3
_STAR = b"*"

_EPOCH_DATE = (-10_957).to_bytes(4, signed=True)  # 1970-01-01, in days and in microseconds from 2000-01-01
_EPOCH = (-946_684_800_000_000).to_bytes(8, signed=True)
_CONSTANTS = MappingProxyType(
    {
        types.BOOL: b"\0",
        types.INT2: bytes(2),
        types.INT4: bytes(4),
        types.INT8: bytes(8),
        types.FLOAT4: bytes(4),
        types.FLOAT8: bytes(8),
        types.NUMERIC: bytes(8),
        types.BYTEA: b"",
        types.UUID: bytes(16),
        types.DATE: _EPOCH_DATE,
        types.TIME: bytes(8),
        types.TIMETZ: bytes(12),
        types.TIMESTAMP: _EPOCH,
        types.TIMESTAMPTZ: _EPOCH,
        types.INTERVAL: bytes(16),
        types.JSON: b"{}",
        types.JSONB: b"{}",
    }
)
"""What the mask constant shows, as canonical bytes; text is stars."""


def known_type(oid: int, typmod: int) -> DeclaredType | None:
    """The type of a column as the catalog has it; None for those that are not known here."""
    known = oid in types.BASE_TYPES or oid in types.ELEMENT_OF
    return types.declared(oid, typmod) if known else None


class ColumnMask:
    """One column's mask. Equal ones do the same, so that what was made with one serves the other."""

    __slots__ = ("_key", "mask", "type")

    def __init__(self, mask: Mask, declared: DeclaredType | None, key: PseudonymKey | None = None) -> None:
        """``declared`` is None for a type that is not known here; raises ``InvalidMask`` for a misfit."""
        mask.check(declared)
        if mask.kind is Kind.HASH and key is None:
            raise InvalidMask("the mask hash needs a key", hint="A hash without one could be looked up.")
        self.mask = mask
        self.type = declared
        self._key = key if mask.kind is Kind.HASH else None

    @classmethod
    def of_catalog(cls, mask: Mask, oid: int, typmod: int, key: PseudonymKey | None = None) -> "ColumnMask":
        """For a column as the catalog, or RowDescription, has it; raises ``InvalidMask``."""
        return cls(mask, known_type(oid, typmod), key)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ColumnMask):
            return NotImplemented
        return (self.mask, self.type, self._key) == (other.mask, other.type, other._key)

    def __hash__(self) -> int:
        return hash((self.mask, self.type, self._key))

    def __repr__(self) -> str:
        return f"<ColumnMask {self.mask.kind.value} of {self.type}>"

    @property
    def is_constant(self) -> bool:
        """Whether what is shown depends on no value. Masks of elements keep how many there are."""
        kind, is_array = self.mask.kind, self.type is not None and self.type.is_array
        return kind in (Kind.NULL, Kind.CONSTANT) or (kind in (Kind.FIXED, Kind.FULL) and not is_array)

    def of_plaintext(self, format_code: int, style: TextStyle) -> Masking:
        """From the canonical bytes of a value to the client's; raises ``InvalidPlaintext``."""
        if self.is_constant or self.type is None:
            return self._constantly(format_code, style)
        decode, change = canonical.decoder(self.type, format_code, style), self._checked(self._change())
        if self.type.is_array:
            change = _each(change, self.type.element_oid)
        return _guarded(lambda value: decode(change(value)), self._no_plaintext)

    def of_printed(self, *, upstream_format: int, client_format: int, style: TextStyle) -> Masking:
        """From what PostgreSQL sends of a column that is not protected; raises ``MalformedRow``."""
        if self.is_constant or self.type is None:
            return self._constantly(client_format, style)
        declared, change = self.type, self._change()
        decode = canonical.decoder(declared, client_format, style)
        read = _reader(declared.base_oid, upstream_format, style)
        if not declared.is_array:
            return _guarded(lambda value: decode(change(read(value))), self._no_value)

        def masked(value: bytes) -> bytes:
            array = arrays.parse(value, declared.element_oid, upstream_format)
            changed = array.mapped(lambda element: change(read(element)))
            return decode(arrays.send(changed, declared.element_oid))

        return _guarded(masked, self._no_value)

    def native(self, format_code: int, style: TextStyle) -> kernel.Mask | None:
        """The kernel's way, for plaintext and for what PostgreSQL sends alike, where it has one."""
        if self.is_constant or self.type is None:
            shown = self._constant(format_code, style)
            return kernel.Mask("null") if shown is None else kernel.Mask("fixed", text=shown)
        return self._textual() if self.type.oid in (types.TEXT, types.VARCHAR) else None

    def _constantly(self, format_code: int, style: TextStyle) -> Masking:
        shown = self._constant(format_code, style)
        return lambda _value: shown

    def _constant(self, format_code: int, style: TextStyle) -> bytes | None:
        """What the client sees of any value; None is NULL."""
        if self.type is None or self.mask.kind is Kind.NULL:
            return None
        return canonical.decoder(self.type, format_code, style)(self._constant_plaintext(self.type))

    def _constant_plaintext(self, declared: DeclaredType) -> bytes:
        if declared.is_array and self.mask.kind is Kind.CONSTANT:
            return arrays.send(arrays.Array((), ()), declared.element_oid)
        if self.mask.kind is Kind.FIXED:
            return self.mask.fixed(declared)
        oid, typmod = declared.base_oid, declared.typmod
        if oid in TEXTUAL:
            return _run(FULL_RUN if self.mask.kind is Kind.FULL else CONSTANT_RUN, typmod)
        constant = _CONSTANTS[oid]
        return NUMERIC.fit(constant, typmod) if oid == types.NUMERIC else constant

    def _change(self) -> Change:
        """From the canonical bytes of one value to those that stand in its place."""
        assert self.type is not None
        oid, mask = self.type.base_oid, self.mask
        match mask.kind:
            case Kind.FIXED | Kind.FULL:
                shown = self._constant_plaintext(self.type)
                return lambda _value: shown
            case Kind.MONTH | Kind.YEAR:
                return truncated(oid, to_year=mask.kind is Kind.YEAR)
            case Kind.RANGE:
                return ranged(self.type, mask.step)
            case Kind.HASH if oid not in TEXTUAL:
                assert self._key is not None
                return pseudonyms(self._key, oid)
        textual = self._textual()

        def change(value: bytes) -> bytes:
            shown = textual(value)
            assert shown is not None
            return shown

        return change

    def _checked(self, change: Change) -> Change:
        """Plaintext that is no value of the type has no pseudonym, range or month. Text is the kernel's."""
        assert self.type is not None
        form = form_of(self.type.base_oid)
        if not form.passes or self.type.base_oid in TEXTUAL:
            return change
        return lambda value: change(form.receive(value))

    def _textual(self) -> kernel.Mask:
        assert self.type is not None
        kind, typmod = self.mask.kind, self.type.typmod
        made = partial(kernel.Mask, kind.value)
        match kind:
            case Kind.FIRST | Kind.LAST:
                return made(text=_run(PARTIAL_RUN, typmod, beside=self.mask.n), shown=self.mask.n)
            case Kind.EMAIL:
                return made(text=_run(EMAIL_RUN, typmod), limit=types.character_length(typmod) or 0)
            case Kind.CARD:
                return made(text=_run(CARD_RUN, typmod, beside=4))
        assert kind is Kind.HASH
        assert self._key is not None
        material = self._key.danger_material(ExportCapability("the kernel's masks"))
        return made(shown=min(HASH_DIGITS, types.character_length(typmod) or HASH_DIGITS), key=material)

    def _no_plaintext(self) -> StrongroomError:
        return InvalidPlaintext(
            f"a stored value opened but holds no {self.type}",
            hint="was the column's configured type changed after values were stored?",
        )

    def _no_value(self) -> StrongroomError:
        return MalformedRow(f"the database sent what is no {self.type}, and so it cannot be masked")


def _run(stars: int, typmod: int, *, beside: int = 0) -> bytes:
    """Stars, as many as there is room for beside what is shown."""
    limit = types.character_length(typmod)
    return _STAR * (stars if limit is None else min(stars, limit - beside))


def _reader(oid: int, format_code: int, style: TextStyle) -> Change:
    """From what PostgreSQL sends of a value to its canonical bytes."""
    form = form_of(oid)
    if format_code == BINARY_FORMAT:
        return form.receive
    return printed.styled(oid, style) or (lambda value: form.input(value, style))


def _each(change: Change, element_oid: int) -> Change:
    return lambda value: arrays.send(arrays.receive(value, element_oid).mapped(change), element_oid)


def _guarded(masked: Change, wrong: Callable[[], StrongroomError]) -> Change:
    """What is no value of the type is an error, never a value half masked."""

    def guarded(value: bytes) -> bytes:
        try:
            return masked(value)
        except (StrongroomError, kernel.Refused, struct.error, ValueError, IndexError, ArithmeticError):
            raise wrong() from None

    return guarded
