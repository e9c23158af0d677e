"""json and jsonb. json keeps the text as it was sent; jsonb keeps PostgreSQL's normal form of it.

Canonical json is the validated text; canonical jsonb is what jsonb's output function prints: keys by length
and then bytes, the last of equal ones kept, numbers as numeric prints them. Sources: PostgreSQL's
jsonapi.c, json.c (escape_json), jsonb.c and the manual, "JSON Types". Python's parser gives the structure.
"""

import json
import re
from collections.abc import Iterable

from strongroom.errors import InvalidBinary, InvalidText, InvalidUnicode, UnsupportedInput
from strongroom.protect.forms import numerics
from strongroom.protect.forms.form import Form, invalid_text, utf8
from strongroom.protect.style import TextStyle

MAX_DEPTH = 200  # nested arrays and objects; PostgreSQL's own limit is its stack, ours Python's
MAX_GROWTH = 16 * 2**20  # bytes by which 1e131071 and the like may make a document longer than it was sent
MAX_STRING = 0x0FFFFFFF  # JENTRY_OFFLENMASK, jsonb.h: bytes of one string

_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|([\[{])|([\]}])', re.DOTALL)
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED = re.compile(r'["\\\x00-\x1f]')


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


def _constant(_word: str) -> None:
    raise ValueError  # NaN and Infinity, which Python reads and JSON does not have


# Numbers stay text: Python's own would lose digits. Pairs stay a list: the last of equal keys counts.
_PARSER = json.JSONDecoder(
    object_pairs_hook=tuple, parse_float=_Number, parse_int=_Number, parse_constant=_constant
)


def _parsed(text: str, type_name: str) -> object:
    """The structure of a JSON text; raises ``InvalidText``."""
    depth = 0
    for match in _BRACKETS.finditer(text):
        depth += 1 if match[1] else -1 if match[2] else 0
        if depth > MAX_DEPTH:
            raise UnsupportedInput(f"{type_name} nested deeper than {MAX_DEPTH} levels is not accepted")
    try:
        value, end = _PARSER.raw_decode(text, len(text) - len(text.lstrip(" \t\n\r")))
    except (ValueError, RecursionError):
        raise invalid_text(type_name) from None
    if text[end:].strip(" \t\n\r"):
        raise invalid_text(type_name)
    return value


def _json_check(value: bytes) -> bytes:
    _parsed(utf8(value), "json")
    return value


def _json_input(value: bytes, _style: TextStyle) -> bytes:
    return _json_check(value)


def _same(canonical: bytes, _typmod: int, _style: TextStyle) -> bytes:
    return canonical


JSON = Form(input=_json_input, output=_same, receive=_json_check, verbatim=True, passes=True)


# --- jsonb ---


def _jsonb_input(value: bytes, _style: TextStyle) -> bytes:
    text = utf8(value)
    if _NUL.search(text):
        raise InvalidUnicode("unsupported Unicode escape sequence: \\u0000 cannot be converted to text")
    try:
        return _Writer().text(_parsed(text, "jsonb")).encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise InvalidText("invalid input syntax for type json: a lone Unicode surrogate") from None


class _Writer:
    """Writes the text that jsonb_out prints; counts what numbers with large exponents make of themselves."""

    __slots__ = ("_grown",)

    def __init__(self) -> None:
        self._grown = 0

    def text(self, value: object) -> str:
        match value:
            case None:
                return "null"
            case bool():
                return "true" if value else "false"
            case _Number():
                return self._number(value)
            case str():
                return _string(value)
            case list():
                return "[" + ", ".join(self.text(item) for item in value) + "]"
            case tuple():
                pairs = (f"{_string(key)}: {self.text(item)}" for key, item in _ordered(value))
                return "{" + ", ".join(pairs) + "}"
        raise AssertionError("the parser makes nothing else")

    def _number(self, written: str) -> str:
        number = numerics.parse(written)
        if number is None:
            raise invalid_text("jsonb")
        text = str(number)
        self._grown += len(text) - len(written)
        if self._grown > MAX_GROWTH:
            raise UnsupportedInput("jsonb with so many numbers of large exponents is not accepted")
        return text


def _ordered(pairs: Iterable[tuple[str, object]]) -> list[tuple[str, object]]:
    """Unique keys, shorter ones first (jsonb_util.c, lengthCompareJsonbString)."""
    unique = {key.encode(): (key, value) for key, value in pairs}
    return [unique[key] for key in sorted(unique, key=lambda key: (len(key), key))]


def _string(value: str) -> str:
    if len(value) > MAX_STRING:
        raise UnsupportedInput("a jsonb string of this length is not accepted")
    return '"' + _ESCAPED.sub(lambda m: _SHORT.get(m[0]) or f"\\u{ord(m[0]):04x}", value) + '"'


def _jsonb_receive(value: bytes) -> bytes:
    """A version byte, 1, and the text (jsonb_recv)."""
    if value[:1] != b"\1":
        raise InvalidBinary("unsupported jsonb version number in a parameter")
    return _jsonb_input(value[1:], TextStyle())


def _jsonb_send(canonical: bytes, _typmod: int) -> bytes:
    return b"\1" + canonical


JSONB = Form(input=_jsonb_input, output=_same, receive=_jsonb_receive, send=_jsonb_send)
