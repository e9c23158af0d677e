"""Which records are of statements that were about one value, such as a customer's number, by keyed hashes.

A record has no value, but may have a keyed hash of one (`records.keyed`); who has the secret makes the
same hash of the value that is asked for. A record does not say of which type its column was, so the
value is taken for one of each type that it may be of: the hash of another type is found nowhere. Called
by ``strongroom audit who-saw``.
"""

from collections.abc import Iterable, Iterator

from strongroom.audit.index import Index, hash_mark
from strongroom.audit.records.keyed import TYPES, KeyedColumn
from strongroom.audit.records.naming import parts
from strongroom.audit.records.statements import MORE, UNKNOWN
from strongroom.audit.records.traits import Role
from strongroom.errors import InvalidValue, UnsupportedInput
from strongroom.protect.canonical import Sent, encode
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types
from strongroom.wire.postgres.types import DeclaredType

_TYPES = tuple(map(DeclaredType, sorted(TYPES - {types.VARCHAR})))
"""Those of varchar have the form of text."""


def hashed_columns(index: Index, table: str) -> list[str]:
    """Columns of a table of which any record has keyed hashes."""
    asked = parts(table)
    return [name for name in index.names(Role.KEYED) if parts(name)[:-1][-len(asked) :] == asked]


def about(index: Index, columns: list[str], value: str, secrets: Iterable[bytes]) -> list[int]:
    """Numbers of records that may be about a value of these columns, the newest first."""
    forms = list(_forms(value))
    marks = {
        hash_mark(column, keyed.of(form).hash)
        for column in columns
        for database in index.names(Role.DATABASE)
        for secret in secrets
        for keyed in [KeyedColumn(secret, database, *parts(column))]
        for form in forms
    }
    return sorted({number for mark in marks for number in index.marked(mark)}, reverse=True)


def perhaps_about(index: Index, columns: list[str]) -> list[int]:
    """Numbers of records that held a value against these columns of which they have no hash."""
    marks = {hash_mark(column, word) for column in columns for word in (MORE, UNKNOWN)}
    return sorted({number for mark in marks for number in index.marked(mark)}, reverse=True)


def _forms(value: str) -> Iterator[bytes]:
    for declared in _TYPES:
        try:
            yield encode(declared, value.encode(), Sent(TextStyle()))
        except (InvalidValue, UnsupportedInput):
            continue
