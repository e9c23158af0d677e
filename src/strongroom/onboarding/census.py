"""The columns of a live database that could be protected, each with what in the database rests on it.

One statement (``census.sql``) asks the catalog on PostgreSQL 15 to 18 and returns one JSON value. ``init``
makes suggestions of it, ``check`` finds in it what will see bytea.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from strongroom.config import ColumnName
from strongroom.errors import CatalogUnreadable
from strongroom.gateway.connector import Connector
from strongroom.gateway.inquiry import ask

CENSUS_QUERY = resources.files("strongroom.onboarding").joinpath("census.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Dependent:
    """Something in the database that is built on a column."""

    kind: (
        str  # view, materialized view, generated column, policy, CHECK, partition key, index ..., statistics
    )
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class LiveColumn:
    """One column as the catalog has it."""

    name: ColumnName
    relid: int
    attnum: int
    type: str  # as format_type() prints it
    type_oid: int
    typmod: int
    has_default: bool = False
    generated: bool = False  # or an identity column
    folds: bool = False  # its collation is nondeterministic: values with different bytes may be equal
    indexed: bool = False
    is_unique: bool = False
    references: ColumnName | None = None  # the other end of its foreign key
    dependents: tuple[Dependent, ...] = ()


async def take_census(connector: Connector) -> tuple[LiveColumn, ...]:
    """All columns of ordinary tables, by schema, table and place; raises ``UpstreamError``."""
    answer = await ask(connector, CENSUS_QUERY)
    if len(answer) != 1 or answer[0][0] is None:
        raise CatalogUnreadable("the database's answer about its columns is empty")
    return tuple(_column(item) for item in json.loads(answer[0][0]))


def _column(item: Mapping[str, Any]) -> LiveColumn:
    references = item["references"]
    return LiveColumn(
        name=ColumnName(item["schema"], item["table"], item["column"]),
        relid=item["relid"],
        attnum=item["attnum"],
        type=item["type"],
        type_oid=item["type_oid"],
        typmod=item["typmod"],
        has_default=item["has_default"],
        generated=item["generated"],
        folds=item["folds"],
        indexed=item["indexed"],
        is_unique=item["is_unique"],
        references=None if references is None else ColumnName(*references),
        dependents=tuple(Dependent(kind, name) for kind, name in item["dependents"]),
    )
