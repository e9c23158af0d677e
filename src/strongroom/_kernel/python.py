"""The kernel in plain Python: what the native twin does, to be read, and to run where that is not installed.

Bytes in, bytes out, no objects of other rooms. A function looks at a whole chunk and either does all of it
or refuses it (None, 0 or ``Refused``); the caller then goes the long way, which has words for what is wrong.

Called through ``strongroom._kernel``.
"""

import struct
from binascii import hexlify, unhexlify
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from strongroom._kernel.logging import (
    Template,
    commit_records,
    cut_records,
    hash_leaves,
    hash_nodes,
    pack_entries,
    rows_at_end,
)
from strongroom._kernel.masking import Mask
from strongroom._kernel.refused import Refused
from strongroom._kernel.sealing import Lines, Sealer, Tuples
from strongroom._kernel.series import Series, plain_answers

__all__ = [
    "Answer", "Lines", "Mask", "Opener", "Refused", "Rows", "Sealer", "Series", "Template", "Tuples",
    "commit_records", "cut", "cut_records", "hash_leaves", "hash_nodes", "pack_entries",
    "plain_answers", "plain_reply", "plain_round", "rows_at_end", "split_bind",
]  # fmt: skip

HEADER: Final = 5
"""Octets of type byte and length (manual, "Message Formats")."""
SMALLEST_LENGTH: Final = 4
PREFIX_SIZE: Final = 5
NONCE_SIZE: Final = 12
TAG_SIZE: Final = 16

BindFields = tuple[bytes, bytes, tuple[int, ...], tuple[bytes | None, ...], tuple[int, ...]]


# -------------------------------------------------------------------------------------------------- framing


def cut(data: bytes, start: int, limit: int, runs: bytes) -> tuple[list[tuple[int, int, int]], int]:
    """The whole messages from ``start`` on as (type byte, start, end), and where the rest begins.

    The rest is a message that is cut off, or one whose length cannot be (below 4, over ``limit``). Messages
    that follow each other and are of the same type, one of ``runs``, come as one.
    """
    spans: list[tuple[int, int, int]] = []
    end, before = len(data), -1
    while end - start >= HEADER:
        length = int.from_bytes(data[start + 1 : start + HEADER])
        after = start + 1 + length
        if not SMALLEST_LENGTH <= length <= limit or after > end:
            break
        tag = data[start]
        if tag == before and tag in runs:
            spans[-1] = (tag, spans[-1][1], after)
        else:
            spans.append((tag, start, after))
        start, before = after, tag
    return spans, start


# --------------------------------------------------------------------------------------------------- rounds


def plain_round(chunk: bytes) -> tuple[bytes, bool] | None:
    """(statement name, whether the portal is described) if the chunk is exactly one ordinary round.

    That is Bind, perhaps Describe, Execute and Sync, all for the unnamed portal. What Bind carries behind
    the names is not looked at.
    """
    spans, rest = cut(chunk, 0, len(chunk), b"")
    if rest != len(chunk) or bytes([tag for tag, _, _ in spans]) not in (b"BDES", b"BES"):
        return None
    bodies = [chunk[start + HEADER : end] for _, start, end in spans]
    bind, execute, sync = bodies[0], bodies[-2], bodies[-1]
    end = bind.find(0, 1)
    described = len(bodies) == 4
    if bind[:1] != b"\0" or end < 0 or len(execute) != 5 or execute[0] or sync:
        return None
    if described and bodies[1] != b"P\0":
        return None
    return bind[1:end], described


def plain_reply(chunk: bytes, described: bool) -> int:
    """The transaction status at the end, if the chunk is exactly the answer to an ordinary round, else 0.

    That is BindComplete, RowDescription or NoData if ``described``, rows, CommandComplete or
    EmptyQueryResponse, and ReadyForQuery.
    """
    spans, rest = cut(chunk, 0, len(chunk), b"D")
    tags = bytes([tag for tag, _, _ in spans])
    if rest != len(chunk) or len(tags) < 3:
        return 0
    middle = tags[1:-2].removesuffix(b"D")
    if tags[0] != ord("2") or tags[-2] not in b"CI" or tags[-1] != ord("Z"):
        return 0
    if middle not in ((b"T", b"n") if described else (b"",)) or spans[0][2] != HEADER:
        return 0
    status = chunk[spans[-1][1] + HEADER :]
    return status[0] if status in (b"I", b"T", b"E") else 0


def split_bind(body: bytes) -> BindFields | None:
    """Portal, statement, parameter formats, values, result formats; None if the body is not well formed."""
    portal_end = body.find(0)
    statement_end = body.find(0, portal_end + 1)
    if portal_end < 0 or statement_end < 0:
        return None
    try:
        formats, at = _format_codes(body, statement_end + 1)
        values, at = _values(body, at)
        result_formats, at = _format_codes(body, at)
    except (struct.error, _NotWellFormed):
        return None
    if at != len(body) or len(formats) not in (0, 1, len(values)):
        return None
    return body[:portal_end], body[portal_end + 1 : statement_end], formats, values, result_formats


class _NotWellFormed(Exception):
    pass


_COUNT = struct.Struct(">H")
_LENGTH = struct.Struct(">i")


def _format_codes(body: bytes, at: int) -> tuple[tuple[int, ...], int]:
    (count,) = _COUNT.unpack_from(body, at)
    codes = struct.unpack_from(f">{count}H", body, at + 2)
    if any(code > 1 for code in codes):
        raise _NotWellFormed
    return codes, at + 2 + 2 * count


def _values(body: bytes, at: int) -> tuple[tuple[bytes | None, ...], int]:
    (count,) = _COUNT.unpack_from(body, at)
    at += 2
    values: list[bytes | None] = []
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(body, at)
        at += 4
        if length == -1:
            values.append(None)
            continue
        if length < 0 or at + length > len(body):
            raise _NotWellFormed
        values.append(body[at : at + length])
        at += length
    return tuple(values), at


# ---------------------------------------------------------------------------------------------------- values


class Opener:
    """Opens the sealed values of one column: Tink's AES256_GCM or AES256_SIV (docs/spec/ciphertext.md).

    ``algorithm`` is ``randomized`` or ``deterministic``; ``keys`` are (the five octets before a value,
    material, the context that is bound into it); ``pad`` is the block of the padding, 0 for none;
    ``is_hexed`` says that upstream sends bytea as text, ``form`` and ``is_text`` what the client awaits. With
    a ``mask`` the client gets what that makes of the plaintext; it may read it in the form ``verbatim`` only.
    """

    __slots__ = ("_by_prefix", "_is_hexed", "_pad", "_randomized", "_write")

    def __init__(
        self,
        algorithm: str,
        keys: Sequence[tuple[bytes, bytes, bytes]],
        *,
        form: str,
        is_text: bool,
        is_hexed: bool,
        pad: int = 0,
        mask: Mask | None = None,
    ) -> None:
        if form not in _FORMS or algorithm not in ("randomized", "deterministic"):
            raise ValueError("no such algorithm, form or size of key")
        if mask is not None and mask.reads and form != "verbatim":
            raise ValueError("no such mask")
        if any(len(prefix) != PREFIX_SIZE for prefix, _, _ in keys):
            raise ValueError("no such algorithm, form or size of key")
        self._randomized = algorithm == "randomized"
        size = 32 if self._randomized else 64
        if any(len(material) != size for _, material, _ in keys):
            raise ValueError("no such algorithm, form or size of key")
        self._by_prefix: dict[bytes, tuple[AESGCM | AESSIV, bytes]] = {
            prefix: (AESGCM(material) if self._randomized else AESSIV(material), associated)
            for prefix, material, associated in keys
        }
        self._is_hexed = is_hexed
        self._pad = pad
        self._write: Callable[[bytes], bytes | None] = _FORMS[form][is_text] if mask is None else mask

    def __call__(self, value: bytes) -> bytes | None:
        """The value as the client awaits it, None for NULL in its place; raises ``Refused``."""
        try:
            plaintext = self._decrypted(_unhexed(value) if self._is_hexed else value)
            return self._write(_unpadded(plaintext, self._pad) if self._pad else plaintext)
        except (ValueError, InvalidTag):
            raise Refused("value") from None

    def _decrypted(self, sealed: bytes) -> bytes:
        cipher, associated = self._by_prefix.get(sealed[:PREFIX_SIZE], (None, b""))
        if isinstance(cipher, AESGCM) and len(sealed) >= PREFIX_SIZE + NONCE_SIZE + TAG_SIZE:
            nonce = sealed[PREFIX_SIZE : PREFIX_SIZE + NONCE_SIZE]
            return cipher.decrypt(nonce, sealed[PREFIX_SIZE + NONCE_SIZE :], associated)
        if isinstance(cipher, AESSIV) and len(sealed) >= PREFIX_SIZE + TAG_SIZE:
            return cipher.decrypt(sealed[PREFIX_SIZE:], [associated])
        raise ValueError


def _unhexed(value: bytes) -> bytes:
    if value[:2] != b"\\x":
        raise ValueError
    return unhexlify(value[2:])


def _unpadded(filled: bytes, block: int) -> bytes:
    bare = filled.rstrip(b"\0")
    if len(filled) % block or bare[-1:] != b"\x80" or len(filled) - len(bare) >= block:
        raise ValueError
    return bare[:-1]


def _sized(size: int) -> Callable[[bytes], bytes]:
    def check(canonical: bytes) -> bytes:
        if len(canonical) != size:
            raise ValueError
        return canonical

    return check


def _integer(size: int) -> Callable[[bytes], bytes]:
    sized = _sized(size)
    return lambda canonical: b"%d" % int.from_bytes(sized(canonical), signed=True)


def _bool(false: bytes, true: bytes) -> Callable[[bytes], bytes]:
    sized = _sized(1)
    return lambda canonical: false if sized(canonical) == b"\0" else true


def _uuid(canonical: bytes) -> bytes:
    digits = hexlify(_sized(16)(canonical))
    return b"-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _bytea(canonical: bytes) -> bytes:
    return b"\\x" + hexlify(canonical)


_FORMS: Final[dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]]] = {
    "verbatim": (bytes, bytes),
    "int2": (_sized(2), _integer(2)),
    "int4": (_sized(4), _integer(4)),
    "int8": (_sized(8), _integer(8)),
    "bool": (_bool(b"\0", b"\1"), _bool(b"f", b"t")),
    "uuid": (_sized(16), _uuid),
    "bytea": (bytes, _bytea),
}
"""From canonical plaintext to the client's bytes, in binary and in text, for types that know no settings."""


# ------------------------------------------------------------------------------------------------------ rows


_ROW_HEADER = struct.Struct(">BIH")
_DATA_ROW = ord("D")
_NULL = _LENGTH.pack(-1)
_HEADER_SIZE = 7


class Rows:
    """Opens chunks of DataRow messages: the opener of each column, None where the bytes pass as they are.

    An opener is an ``Opener``, a ``Mask``, or any callable from the value upstream sent to the client's, or
    to None for NULL; what a callable raises goes to the caller.
    """

    __slots__ = ("_columns", "_count")

    def __init__(self, columns: Sequence[Callable[[bytes], bytes | None] | None]) -> None:
        self._count = len(columns)
        self._columns: list[tuple[int, Callable[[bytes], bytes | None]]] = []
        skipped = 0
        for opener in columns:
            if opener is None:
                skipped += 1
            elif callable(opener):
                self._columns.append((skipped, opener))
                skipped = 0
            else:
                raise ValueError("a column is an opener, a callable or None")

    def open(self, chunk: bytes) -> bytes:
        """The client's rows; raises ``Refused``, and then nothing of the chunk may go out."""
        out: list[bytes] = []
        position, end = 0, len(chunk)
        try:
            while position < end:
                kind, length, given = _ROW_HEADER.unpack_from(chunk, position)
                after = position + 1 + length
                if kind != _DATA_ROW or given != self._count or after > end:
                    raise Refused("framing")
                self._open_row(chunk, position, after, out)
                position = after
        except struct.error:
            raise Refused("framing") from None
        return b"".join(out)

    def _open_row(self, chunk: bytes, start: int, after: int, out: list[bytes]) -> None:
        """Appends one row: its header anew, then runs of the old bytes, opened values between them."""
        length_of = _LENGTH.unpack_from
        header = len(out)
        out.append(b"")
        position = copied = start + _HEADER_SIZE
        grown = 0
        for skipped, opener in self._columns:
            for _ in range(skipped):
                (size,) = length_of(chunk, position)
                position += 4 if size < 0 else 4 + size
            (size,) = length_of(chunk, position)
            if size < 0:
                position += 4
                continue
            value_end = position + 4 + size
            if value_end > after:
                raise Refused("framing")
            value = opener(chunk[position + 4 : value_end])
            if value is None:
                out += (chunk[copied:position], _NULL)
                grown -= size
            else:
                out += (chunk[copied:position], _LENGTH.pack(len(value)), value)
                grown += len(value) - size
            position = copied = value_end
        if position > after:
            raise Refused("framing")
        out.append(chunk[copied:after])
        kind, length, count = _ROW_HEADER.unpack_from(chunk, start)
        out[header] = _ROW_HEADER.pack(kind, length + grown, count)


# --------------------------------------------------------------------------------------------------- answers


class Answer:
    """Recognises and opens the answers to ordinary rounds of one statement whose description is known.

    ``described`` is the RowDescription or NoData that upstream sends, whole, or nothing where rounds do not
    describe their portal; ``shown`` is what the client gets in its place; ``rows`` opens the rows, None
    where they pass as they are.
    """

    __slots__ = ("_bound", "_rows", "_shown")

    def __init__(self, rows: Rows | None, described: bytes, shown: bytes) -> None:
        self._rows = rows
        self._bound = _BIND_COMPLETE + described
        self._shown = _BIND_COMPLETE + shown

    def open(self, chunk: bytes) -> tuple[int, bytes] | None:
        """The transaction status at the end and the client's answer, if the chunk is exactly such an answer.

        Raises ``Refused`` as ``Rows.open`` does.
        """
        start = len(self._bound)
        spans, rest = cut(chunk, start, len(chunk), b"D")
        tags = bytes([tag for tag, _, _ in spans])
        if not chunk.startswith(self._bound) or rest != len(chunk):
            return None
        if tags.removeprefix(b"D") not in (b"CZ", b"IZ"):
            return None
        status = chunk[spans[-1][1] + HEADER :]
        if status not in (b"I", b"T", b"E"):
            return None
        end = spans[-2][1]
        rows = chunk[start:end] if self._rows is None else self._rows.open(chunk[start:end])
        return status[0], self._shown + rows + chunk[end:]


_BIND_COMPLETE: Final = b"2\0\0\0\x04"
