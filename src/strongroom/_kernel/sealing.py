r"""The kernel in plain Python, second part: values on their way to the database, sealed.

A ``Sealer`` seals what its column's type takes in the plainest of its input forms, and refuses all others:
whoever calls it then goes the long way, which knows every form, and has words for what is no value at all.
``Lines`` and ``Tuples`` seal whole blocks of COPY. The nonces of randomized values are drawn in here and
never taken from a caller.

Called through ``strongroom._kernel``.
"""

import os
import re
import struct
from binascii import hexlify, unhexlify
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from strongroom._kernel.refused import Refused

PREFIX_SIZE: Final = 5
NONCE_SIZE: Final = 12

Seal = Callable[[bytes], bytes]


# ---------------------------------------------------------------------------------------------------- values


class Sealer:
    """Seals the values of one column: Tink's AES256_GCM or AES256_SIV (docs/spec/ciphertext.md).

    ``algorithm`` is ``randomized`` or ``deterministic``; ``key`` the primary one, as (the five octets before
    a value, material); ``associated`` the keyset's context; ``form`` and ``is_text`` say what the client
    sends; ``limit`` is the most characters that the column takes and ``pad`` the block of the padding, each 0
    for none.
    """

    __slots__ = ("_associated", "_gcm", "_limit", "_pad", "_prefix", "_read", "_siv")

    def __init__(
        self,
        algorithm: str,
        key: tuple[bytes, bytes],
        associated: bytes,
        *,
        form: str,
        is_text: bool,
        limit: int = 0,
        pad: int = 0,
    ) -> None:
        prefix, material = key
        sizes = {"randomized": 32, "deterministic": 64}
        if form not in _FORMS or len(prefix) != PREFIX_SIZE or sizes.get(algorithm) != len(material):
            raise ValueError("no such algorithm, form or size of key")
        self._gcm = AESGCM(material) if algorithm == "randomized" else None
        self._siv = AESSIV(material) if algorithm == "deterministic" else None
        self._prefix = prefix
        self._associated = associated
        self._read = _FORMS[form][is_text]
        self._limit = limit
        self._pad = pad

    def __call__(self, value: bytes) -> bytes:
        """The sealed value; raises ``Refused``."""
        try:
            plaintext = self._read(value)
            if self._limit and len(plaintext) > self._limit and len(plaintext.decode()) > self._limit:
                raise ValueError
        except ValueError:
            raise Refused("value") from None
        if self._pad:
            plaintext += b"\x80" + b"\0" * (-(len(plaintext) + 1) % self._pad)
        if self._gcm is not None:
            nonce = os.urandom(NONCE_SIZE)
            return self._prefix + nonce + self._gcm.encrypt(nonce, plaintext, self._associated)
        assert self._siv is not None
        return self._prefix + self._siv.encrypt(plaintext, [self._associated])


def _utf8(value: bytes) -> bytes:
    if b"\0" in value:
        raise ValueError
    value.decode()
    return value


def _sized(size: int) -> Callable[[bytes], bytes]:
    def check(value: bytes) -> bytes:
        if len(value) != size:
            raise ValueError
        return value

    return check


_DECIMAL: Final = re.compile(rb"-?[0-9]{1,19}")


def _integer(size: int) -> Callable[[bytes], bytes]:
    def read(value: bytes) -> bytes:
        if not _DECIMAL.fullmatch(value):
            raise ValueError
        try:
            return int(value).to_bytes(size, signed=True)
        except OverflowError:
            raise ValueError from None

    return read


_WORDS: Final = {
    **dict.fromkeys((b"t", b"true", b"y", b"yes", b"on", b"1"), b"\1"),
    **dict.fromkeys((b"f", b"false", b"n", b"no", b"off", b"0"), b"\0"),
}


def _bool(value: bytes) -> bytes:
    if value not in _WORDS:
        raise ValueError
    return _WORDS[value]


def _bool_octet(value: bytes) -> bytes:
    return b"\1" if _sized(1)(value) != b"\0" else b"\0"


_UUID: Final = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _uuid(value: bytes) -> bytes:
    if not _UUID.fullmatch(value):
        raise ValueError
    return unhexlify(value.replace(b"-", b""))


def _bytea(value: bytes) -> bytes:
    if value[:2] != b"\\x":
        raise ValueError
    return unhexlify(value[2:])


_FORMS: Final[dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]]] = {
    "verbatim": (_utf8, _utf8),
    "int2": (_sized(2), _integer(2)),
    "int4": (_sized(4), _integer(4)),
    "int8": (_sized(8), _integer(8)),
    "bool": (_bool_octet, _bool),
    "uuid": (_sized(16), _uuid),
    "bytea": (bytes, _bytea),
}
"""From the client's bytes, in binary and in text, to canonical plaintext, for types that know no settings."""


def protected(columns: Sequence[Seal | None]) -> list[tuple[int, Seal]]:
    """The places of the columns that are sealed, each with what seals it."""
    found = []
    for place, seal in enumerate(columns):
        if seal is not None:
            if not callable(seal):
                raise ValueError("a column is a sealer, a callable or None")
            found.append((place, seal))
    return found


# ------------------------------------------------------------------------------------------------ COPY, lines


class Lines:
    r"""Seals blocks of whole lines of COPY in text format, or in csv where ``quote`` is not empty.

    ``columns`` are sealers, or callables from a value to the sealed one, or None where the field passes as it
    is. In csv a quote inside quotes is written twice, and none of the special characters may be one of
    ``\x0123456789abcdef``, in which sealed values are written.
    """

    __slots__ = ("_delimiter", "_field", "_mark", "_null", "_quote", "_quoted", "_width", "_work")

    def __init__(
        self, columns: Sequence[Seal | None], *, delimiter: bytes, null: bytes, quote: bytes
    ) -> None:
        if len(delimiter) != 1 or len(quote) > 1 or not columns:
            raise ValueError("a delimiter or quote is one octet, and a row is of columns")
        self._work = protected(columns)
        self._width = len(columns)
        self._delimiter, self._null, self._quote = delimiter, null, quote
        self._mark = b"\\x" if quote else b"\\\\x"
        d, q = re.escape(delimiter), re.escape(quote)
        field = rb"(?:[^\r\n%b%b]++|%b(?:[^%b]++|%b%b)*+%b)*+" % (q, d, q, q, q, q, q)
        self._field = re.compile(field if quote else rb"(?:[^\r\n\\%b]++|\\[^\r\n.])*+" % d, re.DOTALL)
        self._quoted = re.compile(rb"%b((?:[^%b]++|%b%b)*+)%b" % (q, q, q, q, q) if quote else b"")

    def seal(self, block: bytes, end: bytes) -> tuple[bytes, int, list[int]]:
        """The block as it goes upstream, its number of lines, and of values that each column sealed.

        ``end`` is what ends each line, LF or CR LF. Raises ``Refused``, and what a callable raises; nothing
        of the block may then go out, however many of its values were sealed.
        """
        counts = [0] * len(self._work)
        done = []
        for fields in self._rows(block, end):
            if len(fields) != self._width:
                raise Refused("framing")
            for i, (place, seal) in enumerate(self._work):
                field = fields[place]
                if field != self._null:
                    fields[place] = self._mark + hexlify(seal(self._value(field)))
                    counts[i] += 1
            done.append(self._delimiter.join(fields))
        return b"".join(line + end for line in done), len(done), counts

    def _rows(self, block: bytes, end: bytes) -> list[list[bytes]]:
        """The fields of each line. What may be an end of data, or a line end that is data, is refused."""
        special = self._quote or b"\\"
        if special in block:
            return self._cut(block, end)
        lines = block.split(end)
        if lines.pop() or not len(lines) == block.count(b"\n") == block.count(end):
            raise Refused("framing")
        if block.count(b"\r") != (len(lines) if end == b"\r\n" else 0):
            raise Refused("framing")
        if any(line.startswith(b"\\.") for line in lines):
            raise Refused("framing")
        return [line.split(self._delimiter) for line in lines]

    def _cut(self, block: bytes, end: bytes) -> list[list[bytes]]:
        rows: list[list[bytes]] = []
        fields: list[bytes] = []
        at = 0
        while at < len(block):
            if not fields and self._quote and block.startswith(b"\\.", at):
                raise Refused("framing")
            found = self._field.match(block, at)
            assert found is not None
            fields.append(found[0])
            at = found.end()
            if block.startswith(end, at):
                rows.append(fields)
                fields = []
                at += len(end)
            elif block.startswith(self._delimiter, at):
                at += 1
                if at == len(block):
                    raise Refused("framing")
            else:
                raise Refused("framing")
        return rows

    def _value(self, field: bytes) -> bytes:
        if not self._quote:
            return _ESCAPE.sub(_unescaped, field) if b"\\" in field else field
        if self._quote not in field:
            return field
        return self._quoted.sub(lambda found: found[1].replace(self._quote * 2, self._quote), field)


_ESCAPE: Final = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)
_LETTERS: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def _unescaped(found: re.Match[bytes]) -> bytes:
    """As CopyReadAttributesText reads it."""
    octal, hexadecimal, other = found.groups()
    if octal:
        return bytes([int(octal, 8) & 0xFF])
    return bytes([int(hexadecimal, 16)]) if hexadecimal else _LETTERS.get(other, other)


# ----------------------------------------------------------------------------------------------- COPY, binary


_COUNT: Final = struct.Struct(">h")
_LENGTH: Final = struct.Struct(">i")


class Tuples:
    """Seals the tuples of COPY in binary format; ``columns`` as in ``Lines``."""

    __slots__ = ("_sealers", "_width")

    def __init__(self, columns: Sequence[Seal | None]) -> None:
        self._width = len(columns)
        self._sealers = dict(protected(columns))

    def seal(self, data: bytes, start: int) -> tuple[bytes, int, int, list[int]]:
        """The whole tuples from ``start`` on as they go upstream, where they end, how many, and of values.

        They end at a tuple that is cut off, and at the trailer. Raises as ``Lines.seal`` does.
        """
        counts = dict.fromkeys(self._sealers, 0)
        done: list[bytes] = []
        rows = 0
        while len(data) >= start + 2 and data[start : start + 2] != b"\xff\xff":
            if _COUNT.unpack_from(data, start)[0] != self._width:
                raise Refused("framing")
            fields = self._fields(data, start + 2)
            if fields is None:
                break
            done.append(data[start : start + 2])
            for place, (begin, after) in enumerate(fields):
                value, seal = data[begin + 4 : after], self._sealers.get(place)
                if seal is not None and data[begin] != 0xFF:
                    sealed = seal(value)
                    done += (_LENGTH.pack(len(sealed)), sealed)
                    counts[place] += 1
                else:
                    done.append(data[begin:after])
            start = fields[-1][1] if fields else start + 2
            rows += 1
        return b"".join(done), start, rows, list(counts.values())

    def _fields(self, data: bytes, at: int) -> list[tuple[int, int]] | None:
        """Where each field begins, its length included, and ends; None where the tuple is not whole."""
        fields = []
        for _ in range(self._width):
            if len(data) < at + 4:
                return None
            (length,) = _LENGTH.unpack_from(data, at)
            if length < -1:
                raise Refused("framing")
            after = at + 4 + max(length, 0)
            fields.append((at, after))
            at = after
        return fields if at <= len(data) else None
