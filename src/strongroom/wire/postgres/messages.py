"""The messages of PostgreSQL's protocol that Strongroom looks into or makes itself.

Names and fields are those of the manual ("Message Formats"). ``parse(body)`` takes the octets behind the
length and raises `MalformedMessage`; ``serialise()`` gives the whole message, type byte and length included.
What only passes through (CopyData, DataRow without a plan, ...) has no class here.

Called by `session/`; framing is in `codec`.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from strongroom._kernel import split_bind
from strongroom.errors import MalformedMessage
from strongroom.wire.postgres.codec import message
from strongroom.wire.postgres.reader import Reader, cstring, int16, int32

PROTOCOL_3_0 = 3 << 16
PROTOCOL_3_2 = 3 << 16 | 2
CANCEL_REQUEST = 1234 << 16 | 5678
SSL_REQUEST = 1234 << 16 | 5679
GSSENC_REQUEST = 1234 << 16 | 5680

CANCEL_KEY_BYTES = (4, 256)
"""Shortest and longest secret key (manual, BackendKeyData; 256 is protocol 3.2's maximum)."""

TEXT, BINARY = 0, 1
"""Format codes (manual, "Formats and Format Codes")."""


@dataclass(frozen=True, slots=True)
class StartupMessage:
    """The first message of a session; ``parameters`` holds ``user`` and the run-time parameters."""

    version: int
    parameters: dict[str, str]

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse what follows the length; the version is part of it."""
        reader = Reader(body)
        version = reader.int32()
        parameters: dict[str, str] = {}
        while name := reader.cstring():
            if name in parameters:
                raise MalformedMessage(f"start-up parameter {name!r} is given twice")
            parameters[name] = reader.cstring()
        reader.end()
        return cls(version, parameters)

    def serialise(self) -> bytes:
        """Return the message; it has no type byte."""
        body = int32(self.version)
        for name, value in self.parameters.items():
            body += cstring(name) + cstring(value)
        body += b"\0"
        return int32(len(body) + 4) + body


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Asks to cancel what the session of ``process_id`` runs; ``secret_key`` shows the right to."""

    process_id: int
    secret_key: bytes

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse what follows the length; the request code is part of it."""
        reader = Reader(body)
        reader.int32()
        process_id = reader.uint32()
        key = reader.rest()
        if not CANCEL_KEY_BYTES[0] <= len(key) <= CANCEL_KEY_BYTES[1]:
            raise MalformedMessage(f"a CancelRequest carries a key of {len(key)} octets")
        return cls(process_id, key)

    def serialise(self) -> bytes:
        """Return the message; it has no type byte."""
        body = int32(CANCEL_REQUEST) + self.process_id.to_bytes(4) + self.secret_key
        return int32(len(body) + 4) + body


@dataclass(frozen=True, slots=True)
class Query:
    """A simple query: one string of statements."""

    text: str

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse the body of 'Q'."""
        reader = Reader(body)
        text = reader.cstring()
        reader.end()
        return cls(text)

    def serialise(self) -> bytes:
        """Return the message."""
        return message(b"Q", cstring(self.text))


@dataclass(frozen=True, slots=True)
class Parse:
    """Prepares ``text`` under ``name`` ('' is the unnamed statement)."""

    name: str
    text: str
    parameter_types: tuple[int, ...] = ()

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse the body of 'P'."""
        reader = Reader(body)
        name, text = reader.cstring(), reader.cstring()
        types = tuple(reader.uint32() for _ in range(reader.count()))
        reader.end()
        return cls(name, text, types)

    def serialise(self) -> bytes:
        """Return the message."""
        types = b"".join(oid.to_bytes(4) for oid in self.parameter_types)
        return message(
            b"P", cstring(self.name) + cstring(self.text) + int16(len(self.parameter_types)) + types
        )


@dataclass(frozen=True, slots=True)
class Bind:
    """Makes ``portal`` from ``statement`` with ``values`` (None is NULL).

    ``formats`` and ``result_formats`` are as sent: none (all text), one (for all) or one for each.
    """

    portal: str
    statement: str
    formats: tuple[int, ...] = ()
    values: tuple[bytes | None, ...] = ()
    result_formats: tuple[int, ...] = ()

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse the body of 'B'; by the kernel, or, to say what is wrong with one, field by field."""
        fields = split_bind(body)
        if fields is not None:
            with suppress(UnicodeDecodeError):
                return cls(fields[0].decode(), fields[1].decode(), *fields[2:])
        reader = Reader(body)
        portal, statement = reader.cstring(), reader.cstring()
        formats = tuple(reader.format() for _ in range(reader.count()))
        values = tuple(reader.value() for _ in range(reader.count()))
        result_formats = tuple(reader.format() for _ in range(reader.count()))
        reader.end()
        if len(formats) not in (0, 1, len(values)):
            raise MalformedMessage(
                f"a Bind gives {len(formats)} parameter formats for {len(values)} parameters"
            )
        return cls(portal, statement, formats, values, result_formats)

    def format(self, index: int) -> int:
        """Return the format code of the parameter at ``index``, counted from 0."""
        if len(self.formats) > 1:
            return self.formats[index]
        return self.formats[0] if self.formats else TEXT

    def serialise(self) -> bytes:
        """Return the message."""
        parts = [cstring(self.portal), cstring(self.statement), int16(len(self.formats))]
        parts += [int16(code) for code in self.formats]
        parts.append(int16(len(self.values)))
        parts += [
            b"\xff\xff\xff\xff" if value is None else int32(len(value)) + value for value in self.values
        ]
        parts.append(int16(len(self.result_formats)))
        parts += [int16(code) for code in self.result_formats]
        return message(b"B", b"".join(parts))


@dataclass(frozen=True, slots=True)
class Target:
    """The body of Describe and Close: ``kind`` is 'S' (statement) or 'P' (portal)."""

    kind: str
    name: str

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse the body of 'D' or 'C'."""
        reader = Reader(body)
        kind = chr(reader.byte())
        if kind not in ("S", "P"):
            raise MalformedMessage(f"a Describe or Close names an object of kind {kind!r}")
        name = reader.cstring()
        reader.end()
        return cls(kind, name)

    def describe(self) -> bytes:
        """Return the Describe message."""
        return message(b"D", self.kind.encode() + cstring(self.name))

    def close(self) -> bytes:
        """Return the Close message."""
        return message(b"C", self.kind.encode() + cstring(self.name))


@dataclass(frozen=True, slots=True)
class Execute:
    """Runs ``portal`` for at most ``maximum_rows`` rows (0: all)."""

    portal: str
    maximum_rows: int = 0

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse the body of 'E'."""
        reader = Reader(body)
        portal, maximum = reader.cstring(), reader.int32()
        reader.end()
        return cls(portal, maximum)

    def serialise(self) -> bytes:
        """Return the message."""
        return message(b"E", cstring(self.portal) + int32(self.maximum_rows))


SYNC = message(b"S", b"")
FLUSH = message(b"H", b"")
TERMINATE = message(b"X", b"")
COPY_DONE = message(b"c", b"")


def copy_fail(reason: str) -> bytes:
    """Return a CopyFail message."""
    return message(b"f", cstring(reason))


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a RowDescription."""

    name: str
    table_oid: int
    attnum: int
    type_oid: int
    type_size: int
    typmod: int
    format: int

    def serialise(self) -> bytes:
        """Return the field as it stands in a RowDescription."""
        return (
            cstring(self.name)
            + self.table_oid.to_bytes(4)
            + int16(self.attnum)
            + self.type_oid.to_bytes(4)
            + int16(self.type_size)
            + int32(self.typmod)
            + int16(self.format)
        )


@dataclass(frozen=True, slots=True)
class RowDescription:
    """Describes the rows that follow, or that a statement would give."""

    fields: tuple[Field, ...]

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse the body of 'T'."""
        reader = Reader(body)
        fields = tuple(
            Field(
                reader.cstring(),
                reader.uint32(),
                reader.int16(),
                reader.uint32(),
                reader.int16(),
                reader.int32(),
                reader.format(),
            )
            for _ in range(reader.count())
        )
        reader.end()
        return cls(fields)

    def serialise(self) -> bytes:
        """Return the message."""
        return message(b"T", int16(len(self.fields)) + b"".join(field.serialise() for field in self.fields))


@dataclass(frozen=True, slots=True)
class ParameterDescription:
    """The types of a prepared statement's parameters."""

    types: tuple[int, ...]

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse the body of 't'."""
        reader = Reader(body)
        types = tuple(reader.uint32() for _ in range(reader.count()))
        reader.end()
        return cls(types)

    def serialise(self) -> bytes:
        """Return the message."""
        return message(b"t", int16(len(self.types)) + b"".join(oid.to_bytes(4) for oid in self.types))


@dataclass(frozen=True, slots=True)
class ParameterStatus:
    """The value of a run-time parameter that the server reports."""

    name: str
    value: str

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse the body of 'S'."""
        reader = Reader(body)
        name, value = reader.cstring(), reader.cstring()
        reader.end()
        return cls(name, value)

    def serialise(self) -> bytes:
        """Return the message."""
        return message(b"S", cstring(self.name) + cstring(self.value))


@dataclass(frozen=True, slots=True)
class BackendKeyData:
    """What a client needs to cancel: 4 octets of key in protocol 3.0, up to 256 in 3.2."""

    process_id: int
    secret_key: bytes

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse the body of 'K'."""
        reader = Reader(body)
        process_id = reader.uint32()
        key = reader.rest()
        if not CANCEL_KEY_BYTES[0] <= len(key) <= CANCEL_KEY_BYTES[1]:
            raise MalformedMessage(f"a BackendKeyData carries a key of {len(key)} octets")
        return cls(process_id, key)

    def serialise(self) -> bytes:
        """Return the message."""
        return message(b"K", self.process_id.to_bytes(4) + self.secret_key)


@dataclass(frozen=True, slots=True)
class NegotiateProtocolVersion:
    """Says which minor version is spoken, and which ``_pq_.`` options are not known."""

    version: int
    unknown: tuple[str, ...] = ()

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse the body of 'v'."""
        reader = Reader(body)
        version, count = reader.int32(), reader.int32()
        if not 0 <= count <= len(body):
            raise MalformedMessage(f"a NegotiateProtocolVersion names {count} options")
        unknown = tuple(reader.cstring() for _ in range(count))
        reader.end()
        return cls(version, unknown)

    def serialise(self) -> bytes:
        """Return the message."""
        names = b"".join(cstring(name) for name in self.unknown)
        return message(b"v", int32(self.version) + int32(len(self.unknown)) + names)


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """An ErrorResponse or NoticeResponse; field codes are those of "Error and Notice Message Fields"."""

    fields: dict[str, str]

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse the body of 'E' or 'N'."""
        reader = Reader(body)
        fields: dict[str, str] = {}
        while code := reader.byte():
            fields[chr(code)] = reader.cstring(errors="replace")  # before log-in, any encoding may come
        reader.end()
        return cls(fields)

    @classmethod
    def of(cls, severity: str, sqlstate: str, text: str, *, detail: str = "", hint: str = "") -> Self:
        """Make one of the fields that every client reads; an empty detail or hint is left out."""
        fields = {"S": severity, "V": severity, "C": sqlstate, "M": text}
        if detail:
            fields["D"] = detail
        if hint:
            fields["H"] = hint
        return cls(fields)

    def serialise(self, tag: bytes = b"E") -> bytes:
        """Return the message; ``tag`` is b'N' for a notice."""
        parts = [code.encode() + cstring(text) for code, text in self.fields.items()]
        return message(tag, b"".join(parts) + b"\0")


def ready_for_query(status: str) -> bytes:
    """Return ReadyForQuery; ``status`` is 'I' (idle), 'T' (in a transaction) or 'E' (in a failed one)."""
    return message(b"Z", status.encode())


def authentication(code: int, data: bytes = b"") -> bytes:
    """Return an Authentication message of the manual's ``code`` (0 Ok, 3 cleartext, 5 MD5, 10 to 12 SASL)."""
    return message(b"R", int32(code) + data)
