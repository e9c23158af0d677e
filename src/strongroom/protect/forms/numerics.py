"""numeric: canonical is the binary send format without zero groups at either end.

Source: PostgreSQL's numeric.c (set_var_from_str, numeric_recv, numeric_send, apply_typmod). A ``Number``
keeps decimal digits as text, since values have up to 131,072 digits before the point, and arithmetic is
needed for rounding alone.
"""

import re
import struct
from dataclasses import dataclass

from strongroom.errors import InvalidBinary, ValueOutOfRange
from strongroom.protect.forms.form import Form, ascii_token, invalid_text, unsupported
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres.types import numeric_precision

MAX_WHOLE_DIGITS = 131_072  # (NUMERIC_WEIGHT_MAX + 1) * DEC_DIGITS, numeric.c
MAX_SCALE = 16_383  # NUMERIC_DSCALE_MAX, numeric.h
_POSITIVE, _NEGATIVE, _NAN, _INFINITY, _MINUS_INFINITY = 0x0000, 0x4000, 0xC000, 0xD000, 0xF000
_INFINITY_SCALE = 0x20  # what numeric_send makes of an infinity's header, and canonical therefore too
_SPECIAL = {_NAN: b"NaN", _INFINITY: b"Infinity", _MINUS_INFINITY: b"-Infinity"}
_WORDS = {"nan": _NAN} | {
    sign + word: _MINUS_INFINITY if sign == "-" else _INFINITY
    for word in ("inf", "infinity")
    for sign in ("", "+", "-")
}
_HEADER = struct.Struct(">HhHH")  # ndigits, weight, sign, dscale
_DECIMAL = re.compile(r"([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d+))?", re.ASCII)
_NEWER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9_.]+(?:[eE][+-]?[0-9_]+)?)")


@dataclass(frozen=True, slots=True)
class Number:
    """A finite numeric: digits before and after the point; the display scale is ``len(fraction)``."""

    negative: bool
    whole: str
    fraction: str

    @property
    def is_zero(self) -> bool:
        return not (self.whole + self.fraction).strip("0")

    def __str__(self) -> str:
        sign = "-" if self.negative and not self.is_zero else ""
        return sign + (self.whole.lstrip("0") or "0") + ("." + self.fraction if self.fraction else "")

    def rounded(self, scale: int) -> "Number":
        """To ``scale`` digits after the point (before it, where negative), halves away from zero."""
        if len(self.fraction) <= scale:
            return Number(self.negative, self.whole, self.fraction.ljust(scale, "0"))
        whole = self.whole.rjust(max(1, -scale), "0")
        digits = whole + self.fraction
        keep = len(whole) + scale
        kept = "0" + digits[:keep]
        if digits[keep] >= "5":
            kept = _incremented(kept)
        if scale >= 0:
            cut = len(kept) - scale
            return Number(self.negative, kept[:cut], kept[cut:])
        return Number(self.negative, kept + "0" * -scale, "")


def parse(token: str) -> Number | None:
    """A decimal number as SQL writes it; raises ``ValueOutOfRange``, gives None for anything else."""
    match = _DECIMAL.fullmatch(token)
    if match is None:
        return None
    whole, fraction = match[2] or "", match[3] or match[4] or ""
    exponent = _exponent(match[5] or "0")
    if len(whole) + exponent > MAX_WHOLE_DIGITS + len(whole) or len(fraction) - exponent > MAX_SCALE:
        if (whole + fraction).strip("0") or len(fraction) - exponent > MAX_SCALE:
            raise _overflow()
        exponent = len(fraction)
    if exponent >= 0:
        moved = fraction[:exponent].ljust(exponent, "0")
        whole, fraction = whole + moved, fraction[exponent:]
    else:
        whole = whole.rjust(-exponent, "0")
        whole, fraction = whole[:exponent], whole[exponent:] + fraction
    if len(whole.lstrip("0")) > MAX_WHOLE_DIGITS:
        raise _overflow()
    return Number(match[1] == "-", whole, fraction)


def pack(number: Number) -> bytes:
    """The canonical bytes."""
    whole = number.whole.lstrip("0")
    whole = whole.rjust(-(-len(whole) // 4) * 4, "0")
    digits = whole + number.fraction.ljust(-(-len(number.fraction) // 4) * 4, "0")
    groups = [int(digits[i : i + 4]) for i in range(0, len(digits), 4)]
    weight = len(whole) // 4 - 1
    leading = next((i for i, group in enumerate(groups) if group), len(groups))
    groups, weight = groups[leading:], weight - leading
    while groups and groups[-1] == 0:
        groups.pop()
    if not groups:
        weight = 0
    sign = _NEGATIVE if number.negative and groups else _POSITIVE
    header = _HEADER.pack(len(groups), weight, sign, len(number.fraction))
    return header + struct.pack(f">{len(groups)}H", *groups)


def unpack(value: bytes) -> Number | None:
    """The number in binary, or None for NaN and the infinities; raises ``InvalidBinary``."""
    if len(value) < _HEADER.size:
        raise InvalidBinary("insufficient data left in message")
    count, weight, sign, scale = _HEADER.unpack_from(value)
    if len(value) != _HEADER.size + 2 * count:
        raise InvalidBinary("incorrect binary data format in a parameter")
    if scale > MAX_SCALE:
        raise InvalidBinary('invalid scale in external "numeric" value')
    if sign in _SPECIAL:
        return None
    groups = struct.unpack_from(f">{count}H", value, _HEADER.size)
    if sign not in (_POSITIVE, _NEGATIVE) or any(group > 9999 for group in groups):
        raise InvalidBinary('invalid digit or sign in external "numeric" value')
    digits = "".join(f"{group:04d}" for group in groups)
    point = (weight + 1) * 4
    whole = digits[:point].ljust(point, "0") if point > 0 else ""
    fraction = digits[point:] if point > 0 else "0" * -point + digits
    return Number(sign == _NEGATIVE, whole, fraction[:scale].ljust(scale, "0"))


def _exponent(written: str) -> int:
    """Bounded before it becomes a number; what is cut is out of range anyway."""
    digits = written.lstrip("+-0")[:9] or "0"
    return -int(digits) if written.startswith("-") else int(digits)


def _incremented(digits: str) -> str:
    """One more, in decimal, for any length; the first digit is a zero that takes the carry."""
    kept = digits.rstrip("9")
    return kept[:-1] + str(int(kept[-1]) + 1) + "0" * (len(digits) - len(kept))


def _overflow() -> ValueOutOfRange:
    return ValueOutOfRange("value overflows numeric format")


def _input(value: bytes, _style: TextStyle) -> bytes:
    token = ascii_token(value, "numeric")
    special = _WORDS.get(token.lower())
    if special is not None:
        return _pack_special(special)
    number = parse(token)
    if number is not None:
        return pack(number)
    if _NEWER.fullmatch(token) and re.search("[0-9]", token) and token.count(".") < 2:
        raise unsupported("numeric", "a number in hexadecimal, octal or binary digits, or with underscores,")
    raise invalid_text("numeric")


def _receive(value: bytes) -> bytes:
    number = unpack(value)
    if number is None:
        return _pack_special(_HEADER.unpack_from(value)[2])
    return pack(number)


def _pack_special(sign: int) -> bytes:
    return _HEADER.pack(0, 0, sign, 0 if sign == _NAN else _INFINITY_SCALE)


def _output(canonical: bytes, _typmod: int, _style: TextStyle) -> bytes:
    number = unpack(canonical)
    return _SPECIAL[_HEADER.unpack_from(canonical)[2]] if number is None else str(number).encode()


def _fit(canonical: bytes, typmod: int) -> bytes:
    """apply_typmod: rounded to the scale, refused where the precision is exceeded."""
    pair = numeric_precision(typmod)
    if pair is None:
        return canonical
    number = unpack(canonical)
    if number is None:
        if _HEADER.unpack_from(canonical)[2] == _NAN:
            return canonical
        raise ValueOutOfRange("numeric field overflow")
    precision, scale = pair
    rounded = number.rounded(scale)
    if _first_digit(rounded) > precision - scale:
        raise ValueOutOfRange("numeric field overflow")
    return pack(rounded)


def _first_digit(number: Number) -> int:
    """How many places before the point the first digit that is not zero stands; very small for zero."""
    whole = number.whole.lstrip("0")
    if whole:
        return len(whole)
    fraction = number.fraction.lstrip("0")
    return len(fraction) - len(number.fraction) if fraction else -MAX_SCALE - 1


def _align(canonical: bytes, typmod: int) -> bytes:
    """For a comparison: at the column's scale where that is exact, and else equal to no stored value."""
    pair = numeric_precision(typmod)
    number = unpack(canonical) if pair else None
    if pair is None or number is None:
        return canonical
    scale = max(pair[1], 0)
    if number.fraction[scale:].strip("0"):
        return canonical
    return pack(Number(number.negative, number.whole, number.fraction[:scale].ljust(scale, "0")))


NUMERIC = Form(input=_input, output=_output, receive=_receive, fit=_fit, align=_align, passes=True)
