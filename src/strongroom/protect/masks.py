"""Masks as a policy names them, and which type takes which (docs/spec/masks.md is normative).

``Mask.parse`` reads one line of a policy, once; ``Mask.check`` holds it against the type of a column. A mask
that would give a value that is none of the type is refused, by name, so that drivers and ORMs go on working.
Made by what reads a policy; made ready for a column by ``masking.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from enum import Enum
from types import MappingProxyType

from strongroom.errors import InvalidMask, StrongroomError
from strongroom.protect import canonical
from strongroom.protect.canonical import Sent
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types
from strongroom.wire.postgres.types import DeclaredType

MAX_SHOWN = 64
"""Characters that `first` and `last` leave; more would be no mask."""
MAX_TEXT = 1_000
"""Characters of a fixed text."""
MAX_STEP_DIGITS = 40
"""Digits of a step, before and behind the point."""

HASH_DIGITS = 32
"""Hexadecimal digits of a pseudonym: 128 bits, so that no two values come to have one."""
FEWEST_HASH_DIGITS = 16
"""Those that a short varchar(n) may leave: 64 bits."""
SHORTEST_EMAIL = 6
"""Characters of `j***@b`, for which there must be room."""
SHORTEST_CARD = 12
"""Digits that the number of a card has at least."""


class Kind(Enum):
    """What a mask does, by the word that a policy has for it."""

    CONSTANT = "constant"
    NULL = "null"
    FIXED = "fixed"
    FULL = "full"
    FIRST = "first"
    LAST = "last"
    EMAIL = "email"
    CARD = "card"
    HASH = "hash"
    MONTH = "month"
    YEAR = "year"
    RANGE = "range"


TEXTUAL = frozenset({types.TEXT, types.VARCHAR, types.BPCHAR})
_DATED = frozenset({types.DATE, types.TIMESTAMP, types.TIMESTAMPTZ})
_NUMBERS = frozenset({types.INT2, types.INT4, types.INT8, types.FLOAT4, types.FLOAT8, types.NUMERIC})
TAKEN_BY: Mapping[Kind, frozenset[int]] = MappingProxyType(
    {
        Kind.CONSTANT: frozenset(types.BASE_TYPES),
        Kind.NULL: frozenset(types.BASE_TYPES),
        Kind.FIXED: frozenset(types.BASE_TYPES),
        Kind.FULL: TEXTUAL,
        Kind.FIRST: TEXTUAL,
        Kind.LAST: TEXTUAL,
        Kind.EMAIL: TEXTUAL,
        Kind.CARD: TEXTUAL,
        Kind.HASH: TEXTUAL | {types.BYTEA, types.UUID, types.INT8},
        Kind.MONTH: _DATED,
        Kind.YEAR: _DATED,
        Kind.RANGE: _NUMBERS,
    }
)
"""The types that take a mask, by OID; an array takes what its elements take."""

_SETTING = {Kind.FIXED: "text", Kind.FIRST: "n", Kind.LAST: "n", Kind.RANGE: "step"}


_ALL_DIGITS = Context(prec=3 * MAX_STEP_DIGITS)


@dataclass(frozen=True, slots=True)
class Mask:
    """One mask: ``n`` characters are left by first and last; ``text`` is of fixed, ``step`` of range."""

    kind: Kind
    n: int = 0
    text: str = ""
    step: Decimal = Decimal(0)

    @classmethod
    def parse(cls, kind: object, **settings: object) -> "Mask":
        """The mask of one line of a policy; raises ``InvalidMask``.

        ``kind`` may be None: that is how YAML reads an unquoted ``null``.
        """
        try:
            known = Kind("null" if kind is None else kind)
        except ValueError:
            raise InvalidMask(
                "there is no such mask", hint=f"There are {', '.join(one.value for one in Kind)}."
            ) from None
        wanted = _SETTING.get(known)
        if set(settings) != ({wanted} if wanted else set()):
            what = f"`{wanted}`, and nothing else" if wanted else "nothing beside it"
            raise InvalidMask(f"the mask {known.value} takes {what}")
        match known:
            case Kind.FIXED:
                return cls(known, text=_text(settings["text"]))
            case Kind.FIRST | Kind.LAST:
                return cls(known, n=_shown(known, settings["n"]))
            case Kind.RANGE:
                return cls(known, step=_step(settings["step"]))
        return cls(known)

    def check(self, declared: DeclaredType | None) -> None:
        """Refuse a type that does not take it, by ``InvalidMask``; None is a type that is not known here."""
        if declared is None:
            if self.kind not in (Kind.CONSTANT, Kind.NULL):
                raise InvalidMask(
                    f"the mask {self.kind.value} does not fit a type that Strongroom does not know",
                    hint="Use null or constant, which gives NULL there.",
                )
            return
        if declared.base_oid not in TAKEN_BY[self.kind]:
            raise self._misfit(declared, _taken_by(self.kind))
        if declared.base_oid in TEXTUAL:
            self._check_length(declared)
        elif self.kind is Kind.RANGE:
            self._check_step(declared)
        if self.kind is Kind.FIXED:
            self.fixed(declared)

    def fixed(self, declared: DeclaredType) -> bytes:
        """The canonical bytes of the fixed text as one value of the type; raises ``InvalidMask``."""
        element = DeclaredType(declared.base_oid, declared.typmod)
        try:
            return canonical.encode(element, self.text.encode(), Sent(TextStyle()))
        except (StrongroomError, UnicodeEncodeError):
            raise self._misfit(declared, "its text must be a value of the column's type") from None

    def _check_length(self, declared: DeclaredType) -> None:
        limit = types.character_length(declared.typmod)
        fewest = {
            Kind.FIRST: 2 * self.n,  # as many are hidden as shown
            Kind.LAST: 2 * self.n,
            Kind.EMAIL: SHORTEST_EMAIL,
            Kind.CARD: SHORTEST_CARD,
            Kind.HASH: FEWEST_HASH_DIGITS,
        }.get(self.kind, 0)
        if limit is not None and limit < fewest:
            raise self._misfit(declared, f"the column must have room for {fewest} characters")

    def _check_step(self, declared: DeclaredType) -> None:
        scale = _scale(declared)
        if scale is None:
            return
        unit = Decimal((0, (1,), -scale))
        if self.step <= unit or _exponent(self.step) < -scale:
            raise self._misfit(declared, f"its step must be a multiple of {unit:f}, and larger")

    def _misfit(self, declared: DeclaredType, why: str) -> InvalidMask:
        return InvalidMask(f"the mask {self.kind.value} does not fit the type {declared}: {why}")


def places(step: Decimal) -> int:
    """Digits behind the point."""
    return max(-_exponent(step), 0)


def _scale(declared: DeclaredType) -> int | None:
    """How many digits behind the point all values of a type of numbers have; None where it is open."""
    if declared.base_oid == types.NUMERIC:
        pair = types.numeric_precision(declared.typmod)
        return None if pair is None else pair[1]
    return None if declared.base_oid in (types.FLOAT4, types.FLOAT8) else 0


def _taken_by(kind: Kind) -> str:
    names = sorted(types.BASE_TYPES[oid].name for oid in TAKEN_BY[kind])
    return f"it is for {', '.join(names)}"


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise InvalidMask(f"the text of the mask fixed is a text of at most {MAX_TEXT} characters")
    return value


def _shown(kind: Kind, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_SHOWN:
        raise InvalidMask(f"the n of the mask {kind.value} is a number from 1 to {MAX_SHOWN}")
    return value


def _step(value: object) -> Decimal:
    """A float of YAML's is the decimal that was written: its shortest form."""
    wrong = InvalidMask("the step of the mask range is a number above 0", hint="Write 1000, or 0.5.")
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise wrong
    try:
        step = Decimal(str(value))
    except (InvalidOperation, ValueError):  # ValueError: more digits than Python prints
        raise wrong from None
    if not step.is_finite() or step <= 0 or max(step.adjusted(), -_exponent(step)) > MAX_STEP_DIGITS:
        raise wrong
    return _ALL_DIGITS.normalize(step)


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
