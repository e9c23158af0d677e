"""The question that a session asks upstream, on its own connection, for what analysis must know anew.

Only on that connection can a catalog be seen that its own open transaction has changed. The question goes by
Parse, Bind, Execute and two Closes under names of its own, so that the client's unnamed statement and portal
stay what they are; it needs no Sync, which would end an implicit transaction.

Used by `guarded`; pure.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from strongroom.errors import UpstreamError
from strongroom.session.replies import Request
from strongroom.sql.schema import CATALOG_QUERY, Schema
from strongroom.sql.statement import Barrier
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.reader import Reader

OWN = "strongroom own"
"""Name of statement and portal; no driver makes such names, and one that did would get an error."""

PATH_QUERY = "SELECT pg_catalog.json_build_object('path', pg_catalog.current_schemas(true))"

STYLE_QUERY = """SELECT pg_catalog.json_object_agg(s, coalesce(pg_catalog.current_setting(s, true), ''))
FROM pg_catalog.unnest(
    '{DateStyle,IntervalStyle,TimeZone,extra_float_digits,strongroom.tenant,strongroom.role}'
    ::pg_catalog.text[]) s"""
"""PostgreSQL reports the first three by ParameterStatus, but not before ReadyForQuery, and the others never.

The last two say whose values the session reads and writes, and which role it assumes, if it said so."""

QUESTION = object()
"""Marks the gateway's own requests among those that upstream owes answers to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was read: the search path, the style of values, and the catalog where that was asked for."""

    path: tuple[str, ...]
    style: Mapping[str, str]
    schema: Schema | None


def question(stale: Barrier) -> tuple[bytes, tuple[Request, ...]]:
    """The messages to send, and the requests that they are."""
    query = f"SELECT ({CATALOG_QUERY if stale & Barrier.CATALOG else PATH_QUERY}), ({STYLE_QUERY})"
    messages = (
        m.Parse(OWN, query).serialise(),
        m.Bind(OWN, OWN).serialise(),
        m.Execute(OWN).serialise(),
        m.Target("P", OWN).close(),
        m.Target("S", OWN).close(),
    )
    requests = (Request.PARSE, Request.BIND, Request.EXECUTE, Request.CLOSE, Request.CLOSE)
    return b"".join(messages), requests


def answer(tag: int, body: bytes) -> Answer | None:
    """Take one message of upstream's answer; return what it says, if it does. Raises `UpstreamError`."""
    if tag == ord("E"):
        code = m.ErrorResponse.parse(body).fields.get("C", "")
        raise UpstreamError(f"the database's catalog cannot be read: SQLSTATE {code}")
    if tag != ord("D"):
        return None
    reader = Reader(body)
    values = [reader.value() for _ in range(reader.count())]
    if len(values) != 2 or None in values:
        raise UpstreamError("the database's answer about its own catalog is empty")
    catalog, style = (json.loads(value or b"") for value in values)
    schema = Schema.from_catalog(catalog) if "relations" in catalog else None
    return Answer(tuple(catalog["path"]), style, schema)
