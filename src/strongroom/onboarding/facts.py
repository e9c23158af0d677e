"""What `check` reads of a live database beside its columns: the role, and what copies, logs or looks.

Each question is one statement with one JSON value as its answer. Called by ``examine``.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from psycopg import sql

from strongroom.config import ColumnName
from strongroom.errors import CatalogUnreadable
from strongroom.gateway.connector import Connector
from strongroom.gateway.inquiry import ask
from strongroom.protect.check import constraint_name, key_ids_in

_HERE = resources.files("strongroom.onboarding")
FACTS_QUERY = _HERE.joinpath("facts.sql").read_text(encoding="utf-8")
ROLE_QUERY = _HERE.joinpath("role.sql").read_text(encoding="utf-8")

# A sealed value begins with \x01 (docs/spec/ciphertext.md); statistics that hold any other hold plaintext.
PLAINTEXT_QUERY = """\
SELECT s.schemaname, s.tablename, s.attname FROM pg_catalog.pg_stats s
WHERE CASE WHEN (s.schemaname, s.tablename, s.attname) IN ({}) THEN EXISTS (
  SELECT FROM pg_catalog.unnest(
    COALESCE(s.most_common_vals::pg_catalog.text::pg_catalog.bytea[], '{{}}')
    || COALESCE(s.histogram_bounds::pg_catalog.text::pg_catalog.bytea[], '{{}}')) AS v (value)
  WHERE pg_catalog.substring(v.value, 1, 1) <> '\\x01') ELSE false END"""


@dataclass(frozen=True, slots=True)
class Role:
    """The user that a connector logs in as."""

    name: str
    version: str
    version_number: int
    superuser: bool
    owns: frozenset[tuple[str, str]]  # (schema, table), by membership too


@dataclass(frozen=True, slots=True)
class SealCheck:
    """A CHECK of ours on a column."""

    name: str
    key_ids: frozenset[int]
    validated: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What is around the tables."""

    settings: Mapping[str, str]
    extensions: tuple[str, ...]
    publications: tuple[tuple[str, str, str], ...]  # (publication, schema, table)
    slots: tuple[tuple[str, str], ...]  # (slot, plugin) of logical ones
    event_triggers: tuple[str, ...]
    checks: Mapping[ColumnName, SealCheck]


async def read_role(connector: Connector) -> Role:
    """Who we are there; raises ``UpstreamError``."""
    item = await _answer(connector, ROLE_QUERY)
    owns = frozenset((schema, table) for schema, table in item["owns"])
    return Role(item["name"], item["version"], item["number"], item["superuser"], owns)


async def read_facts(connector: Connector) -> Facts:
    """What the catalog says; raises ``UpstreamError``."""
    item = await _answer(connector, FACTS_QUERY)
    return Facts(
        settings=item["settings"],
        extensions=tuple(item["extensions"]),
        publications=tuple((name, schema, table) for name, schema, table in item["publications"]),
        slots=tuple((name, plugin) for name, plugin in item["slots"]),
        event_triggers=tuple(item["event_triggers"]),
        checks={
            ColumnName(schema, table, column): SealCheck(name, key_ids_in(definition), validated)
            for schema, table, column, name, definition, validated in item["checks"]
            if name == constraint_name(column)  # there are others of ours, as for NOT NULL
        },
    )


async def plaintext_statistics(connector: Connector, columns: Iterable[ColumnName]) -> frozenset[ColumnName]:
    """Those of the columns, all of type bytea, of which the planner's statistics hold plaintext.

    Only statistics that the role may read are seen; no value leaves the database.
    """
    names = [(one.schema, one.table, one.column) for one in columns]
    if not names:
        return frozenset()
    listed = ", ".join(f"({', '.join(sql.Literal(part).as_string() for part in name)})" for name in names)
    rows = await ask(connector, PLAINTEXT_QUERY.format(listed))
    return frozenset(ColumnName(*(value.decode() for value in row if value is not None)) for row in rows)


async def _answer(connector: Connector, query: str) -> dict[str, Any]:
    rows = await ask(connector, query)
    if len(rows) != 1 or rows[0][0] is None:
        raise CatalogUnreadable("the database's answer about itself is empty")
    answer: dict[str, Any] = json.loads(rows[0][0])
    return answer
