"""TTLV, the encoding of KMIP: tag, type, length and value, padded to eight octets.

Only the types that the messages of `kmip_messages` have, and what else an answer may bring is kept as octets.
Sections are those of OASIS, Key Management Interoperability Protocol Specification 1.4. What is malformed
raises ``RootRefused``, since a server said it.

Used by ``kmip_messages`` and ``kmip``.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from strongroom.errors import RootRefused

HEADER_SIZE = 8  # octets: tag 3, type 1, length 4 (section 9.1.1)
ALIGNMENT = 8
MAX_LENGTH = 262_144  # octets of a message; an answer of ours has at most 66,000
MAX_DEPTH = 16  # structures in structures; our answers have five

Value = int | str | bytes | tuple["Item", ...]


class Kind(IntEnum):
    """Item types (section 9.1.1.2) that are understood."""

    STRUCTURE = 1
    INTEGER = 2
    ENUMERATION = 5
    TEXT = 7
    OCTETS = 8


@dataclass(frozen=True, slots=True)
class Item:
    """One item; the value of a structure is its items, of a type that is not in ``Kind`` its octets."""

    tag: int
    kind: int
    value: Value = field(repr=False)

    def __getitem__(self, tag: int) -> "Item":
        """The first item with this tag; raises ``RootRefused`` where there is none."""
        for item in self.all(tag):
            return item
        raise malformed()

    def all(self, tag: int) -> Iterator["Item"]:
        """The items with this tag."""
        if isinstance(self.value, tuple):
            yield from (item for item in self.value if item.tag == tag)

    @property
    def number(self) -> int:
        """Its value, an integer or enumeration."""
        if isinstance(self.value, int):
            return self.value
        raise malformed()

    @property
    def text(self) -> str:
        """Its value, a text string."""
        if isinstance(self.value, str):
            return self.value
        raise malformed()

    @property
    def octets(self) -> bytes:
        """Its value, a byte string."""
        if self.kind == Kind.OCTETS and isinstance(self.value, bytes):
            return self.value
        raise malformed()


def structure(tag: int, *items: Item) -> Item:
    """A structure of these items, in the order in which the specification lists them."""
    return Item(tag, Kind.STRUCTURE, items)


def integer(tag: int, value: int) -> Item:
    """An integer."""
    return Item(tag, Kind.INTEGER, value)


def enumeration(tag: int, value: int) -> Item:
    """An enumeration."""
    return Item(tag, Kind.ENUMERATION, value)


def text(tag: int, value: str) -> Item:
    """A text string."""
    return Item(tag, Kind.TEXT, value)


def octets(tag: int, value: bytes) -> Item:
    """A byte string."""
    return Item(tag, Kind.OCTETS, value)


def encode(item: Item) -> bytes:
    """The item as it goes over the wire."""
    value = _encoded(item)
    header = item.tag.to_bytes(3) + bytes([item.kind]) + len(value).to_bytes(4)
    return header + value + bytes(-len(value) % ALIGNMENT)


def _encoded(item: Item) -> bytes:
    match item.value:
        case tuple():
            return b"".join(encode(one) for one in item.value)
        case int():
            return struct.pack(">i" if item.kind == Kind.INTEGER else ">I", item.value)
        case str():
            return item.value.encode()
        case bytes():
            return item.value


def body_length(header: bytes) -> int:
    """How many octets follow the header of a message."""
    length = int.from_bytes(header[4:])
    if len(header) != HEADER_SIZE or header[3] != Kind.STRUCTURE or length > MAX_LENGTH:
        raise malformed()
    return length


def decode(message: bytes) -> Item:
    """The one item that the octets are."""
    match list(_items(message, 0)):
        case [item]:
            return item
    raise malformed()


def _items(message: bytes, depth: int) -> Iterator[Item]:
    if depth > MAX_DEPTH:
        raise malformed()
    at = 0
    while at < len(message):
        header = message[at : at + HEADER_SIZE]
        length = int.from_bytes(header[4:])
        start = at + HEADER_SIZE
        at = start + length + -length % ALIGNMENT
        if len(header) != HEADER_SIZE or at > len(message):
            raise malformed()
        kind = header[3]
        yield Item(int.from_bytes(header[:3]), kind, _decoded(kind, message[start : start + length], depth))


def _decoded(kind: int, value: bytes, depth: int) -> Value:
    match kind:
        case Kind.STRUCTURE:
            return tuple(_items(value, depth + 1))
        case Kind.INTEGER | Kind.ENUMERATION:
            if len(value) != 4:  # section 9.1.1.3
                raise malformed()
            return int.from_bytes(value, signed=kind == Kind.INTEGER)
        case Kind.TEXT:
            try:
                return value.decode()
            except UnicodeDecodeError:
                raise malformed() from None
    return value


def malformed() -> RootRefused:
    """What came is no answer of a KMIP server."""
    return RootRefused(
        "what answers at the address of the KMIP server does not speak KMIP 1.4",
        hint="see which host and port the address names, and that the server has the TTLV encoding there",
    )
