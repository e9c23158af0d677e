"""The CHECK that goes with a protected column, so that the database itself refuses plaintext.

A value must begin with Tink's prefix of one of the keyset's keys, and be as long as a sealed value is at
least. A plan made before a key was changed is so rejected, too (design, rule 5). Pure text; executed by
``protect`` and compared by ``check``.
"""

import re
from collections.abc import Collection
from hashlib import sha256

from strongroom.keys.model import Algorithm
from strongroom.protect.envelope import MIN_DETERMINISTIC, MIN_RANDOMIZED, PREFIX_SIZE, VERSION, prefix

MAX_IDENTIFIER = 63  # NAMEDATALEN - 1, pg_config_manual.h: bytes
_NAME = "strongroom_"
_PREFIX = re.compile(rf"'\\x{VERSION:02x}([0-9a-f]{{8}})'")


def constraint_name(column: str) -> str:
    """The name of a column's CHECK: ``strongroom_`` and the column, or its hash where that is too long."""
    return bounded_name(_NAME, column)


def bounded_name(beginning: str, column: str) -> str:
    """A name made of a column's: of its hash where it would be longer than PostgreSQL's names are."""
    name = beginning + column
    if len(name.encode()) <= MAX_IDENTIFIER:
        return name
    return beginning + sha256(column.encode()).hexdigest()[:32]


def check_expression(column: str, algorithm: Algorithm, key_ids: Collection[int] | None) -> str:
    """The condition, for a column by its bare name; NULL passes.

    Without ``key_ids`` it allows those of any key: where each tenant has one, they come and go.
    """
    shortest = MIN_RANDOMIZED if algorithm is Algorithm.AES256_GCM else MIN_DETERMINISTIC
    name = quoted(column)
    if key_ids is None:
        first = f"pg_catalog.substring({name}, 1, 1) = '\\x{VERSION:02x}'::pg_catalog.bytea"
        return f"pg_catalog.octet_length({name}) >= {shortest} AND {first}"
    prefixes = ", ".join(f"'\\x{prefix(key_id).hex()}'::pg_catalog.bytea" for key_id in sorted(key_ids))
    return (
        f"pg_catalog.octet_length({name}) >= {shortest}"
        f" AND pg_catalog.substring({name}, 1, {PREFIX_SIZE}) IN ({prefixes})"
    )


def add_constraint(table: str, column: str, algorithm: Algorithm, key_ids: Collection[int]) -> str:
    """ALTER TABLE for a table by its quoted, qualified name. NOT VALID: it is validated after."""
    condition = check_expression(column, algorithm, key_ids)
    return (
        f"ALTER TABLE {table} ADD CONSTRAINT {quoted(constraint_name(column))} CHECK ({condition}) NOT VALID"
    )


def key_ids_in(definition: str) -> frozenset[int]:
    """The key ids that a CHECK allows, of its text as pg_get_constraintdef() gives it."""
    return frozenset(int(match[1], 16) for match in _PREFIX.finditer(definition))


def quoted(identifier: str) -> str:
    """An identifier in quotes (manual, "Identifiers and Key Words")."""
    return '"' + identifier.replace('"', '""') + '"'
