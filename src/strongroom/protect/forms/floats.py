"""real and double precision: canonical is the binary send format, IEEE 754 big endian.

Sources: PostgreSQL's float.c (float8in_internal, float8out_internal) and ryu. Its output is the shortest
decimal that lies strictly between the neighbours' halfway points (d2s.c does not accept the bounds), in
fixed notation for 1e-4 up to 1e15 (real: 1e6) and with an exponent of two digits or more elsewhere.
"""

import math
import re
import struct
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

from strongroom.errors import ValueOutOfRange
from strongroom.protect.forms.form import Form, ascii_token, invalid_text, sized, unsupported
from strongroom.protect.style import TextStyle

_DOUBLE, _SINGLE = struct.Struct(">d"), struct.Struct(">f")
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_HEX = re.compile(r"[+-]?0[xX][0-9a-fA-F.]+(?:[pP][+-]?\d+)?", re.ASCII)
_WORDS = {
    "nan": math.nan,
    "inf": math.inf,
    "+inf": math.inf,
    "-inf": -math.inf,
    "infinity": math.inf,
    "+infinity": math.inf,
    "-infinity": -math.inf,
}
_MIDPOINT = 1 << 28  # the 29 bits that a double has and a single has not, when they say exactly one half


def single(value: float) -> bytes:
    """The value as a real; raises ``ValueOutOfRange`` where it becomes infinite or zero (float.c, dtof)."""
    try:
        packed = _SINGLE.pack(value)
    except OverflowError:
        raise ValueOutOfRange("value out of range: overflow") from None
    if value != 0 and _SINGLE.unpack(packed)[0] == 0:
        raise ValueOutOfRange("value out of range: underflow")
    return packed


def double(value: float) -> bytes:
    """The value as a double precision."""
    return _DOUBLE.pack(value)


def unpack(canonical: bytes) -> float:
    """The number in the bytes of either width."""
    return float((_SINGLE if len(canonical) == 4 else _DOUBLE).unpack(canonical)[0])


def _input(name: str, pack: Callable[[str, float], bytes]) -> Callable[[bytes, TextStyle], bytes]:
    def read(value: bytes, _style: TextStyle) -> bytes:
        token = ascii_token(value, name)
        word = _WORDS.get(token.lower())
        if word is not None:
            return pack("", word)
        if not _DECIMAL.fullmatch(token):
            raise unsupported(name, "a hexadecimal number") if _HEX.fullmatch(token) else invalid_text(name)
        number = float(token)
        lost = number == 0 and re.search("[1-9]", re.split("[eE]", token)[0])
        if math.isinf(number) or lost:
            raise ValueOutOfRange(f"value out of range for type {name}")
        return pack(token, number)

    return read


def _pack_double(_token: str, number: float) -> bytes:
    return double(number)


def _pack_single(token: str, number: float) -> bytes:
    """Rounded once, from the text: a double halfway between two singles is moved to the side of the text."""
    if (
        token
        and _DOUBLE.pack(number)[4:]
        and struct.unpack(">Q", double(number))[0] & 0x1FFFFFFF == _MIDPOINT
    ):
        exact = Decimal(token)
        if exact != Decimal(number):
            number = math.nextafter(number, math.inf if exact > Decimal(number) else -math.inf)
    return single(number)


def _output(digits: int, fixed_below: int) -> Callable[[bytes, int, TextStyle], bytes]:
    def write(canonical: bytes, _typmod: int, style: TextStyle) -> bytes:
        number = unpack(canonical)
        if math.isnan(number):
            return b"NaN"
        if math.isinf(number):
            return b"Infinity" if number > 0 else b"-Infinity"
        if style.extra_float_digits <= 0:
            return f"{number:.{max(1, digits + style.extra_float_digits)}g}".encode()
        if number == 0:
            return b"-0" if math.copysign(1, number) < 0 else b"0"
        sign = "-" if number < 0 else ""
        return (sign + _notation(*_shortest(canonical, abs(number)), fixed_below)).encode()

    return write


def _shortest(canonical: bytes, number: float) -> tuple[str, int]:
    """(digits, exponent of the first) of the shortest decimal that reads back as the number."""
    if len(canonical) == 8 and number < 2**52:  # no halfway point has few enough digits to be in doubt
        mantissa, _, exponent = f"{Decimal(repr(number)):e}".partition("e")
        digits = mantissa.replace(".", "").rstrip("0")
        return digits or "0", int(exponent)
    below, above = _halfway(canonical, number)
    exact = Fraction(number)
    for precision in range(1, 18):
        mantissa, _, exponent = f"{number:.{precision - 1}e}".partition("e")
        digits = mantissa.replace(".", "")
        near = [int(digits) + step for step in (0, -1, 1)]
        scale = Fraction(10) ** (int(exponent) - precision + 1)
        inside = [n for n in near if below < n * scale < above]
        if inside:
            best = min(inside, key=lambda n: abs(n * scale - exact))
            written = str(best)
            return written.rstrip("0"), int(exponent) + len(written) - precision
    raise AssertionError("17 digits tell any two numbers apart")


def _halfway(canonical: bytes, number: float) -> tuple[Fraction, Fraction]:
    """The points halfway to the neighbours; beyond the largest number, as if the scale went on."""
    bits = int.from_bytes(canonical, "big") & ((1 << (8 * len(canonical) - 1)) - 1)
    lower = Fraction(unpack((bits - 1).to_bytes(len(canonical), "big")))
    upper = unpack((bits + 1).to_bytes(len(canonical), "big"))
    exact = Fraction(number)
    above = exact + (exact - lower) / 2 if math.isinf(upper) else (exact + Fraction(upper)) / 2
    return (exact + lower) / 2, above


def _notation(digits: str, exponent: int, fixed_below: int) -> str:
    if -4 <= exponent < fixed_below:
        if exponent < 0:
            return "0." + "0" * (-exponent - 1) + digits
        whole = digits[: exponent + 1].ljust(exponent + 1, "0")
        return whole + ("." + digits[exponent + 1 :] if len(digits) > exponent + 1 else "")
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


FLOAT8 = Form(
    input=_input("double precision", _pack_double),
    output=_output(15, 15),
    receive=lambda value: sized(value, 8),
    passes=True,
)
FLOAT4 = Form(
    input=_input("real", _pack_single),
    output=_output(6, 6),
    receive=lambda value: sized(value, 4),
    passes=True,
)
