"""Rows by where they lie: (ctid, xmin) names one version of one row, and goes to and fro in binary.

psycopg has no types for the two; an array of either is a header and elements of one length (array_send in
PostgreSQL's arrayfuncs.c), which is written here. Called by ``fill.py`` and ``reseal.py``;
``database.py`` registers the two for its connection.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

READ = "t.ctid, t.xmin"
"""The first two columns of a SELECT whose rows are written back."""

UNNESTED = "%b::pg_catalog.tid[], %b::pg_catalog.xid[]"
"""Parameters for the two; ``unnest`` gives them as rows again."""

_TID, _XID = 27, 28  # pg_type.dat
_HEADER = struct.Struct(">IIIII")  # dimensions, whether there are NULLs, element type, length, lower bound
_EMPTY = struct.Struct(">III")
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Tids:
    """A binary tid[]."""

    array: bytes


@dataclass(frozen=True, slots=True)
class Xids:
    """A binary xid[]."""

    array: bytes


class _TidsDumper(Dumper):
    format, oid = Format.BINARY, 1010

    def dump(self, obj: Tids) -> bytes:
        return obj.array


class _XidsDumper(Dumper):
    format, oid = Format.BINARY, 1011

    def dump(self, obj: Xids) -> bytes:
        return obj.array


def register(connection: Connection[Any]) -> None:
    """Lets the connection take both as parameters."""
    connection.adapters.register_dumper(Tids, _TidsDumper)
    connection.adapters.register_dumper(Xids, _XidsDumper)


def of(rows: Sequence[Sequence[bytes | None]]) -> tuple[Tids, Xids]:
    """The places of rows that were read with ``READ`` first."""
    return (
        Tids(_array(_TID, 6, [row[0] or b"" for row in rows])),
        Xids(_array(_XID, 4, [row[1] or b"" for row in rows])),
    )


def _array(element: int, size: int, values: Sequence[bytes]) -> bytes:
    if not values:
        return _EMPTY.pack(0, 0, element)
    length = _LENGTH.pack(size)
    return _HEADER.pack(1, 0, element, len(values), 1) + length + length.join(values)
