"""Every mask on every declared type, as four clients see it: psql, node-postgres, asyncpg and psycopg.

A table has a protected column of each type, another the same columns in plaintext. Each account sees all of
them masked, in a way of its own. What a mask makes of a value is said by `protect`, which is held against
PostgreSQL elsewhere; here it must arrive so, in text and in binary, and be a value of the type.
"""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
from tests.conftest import CACHE, Servers, installation, missing

from strongroom.config import StateAddress
from strongroom.config.role_values import parse_show
from strongroom.errors import InvalidMask
from strongroom.protect.batch import mask_opener
from strongroom.protect.masking import ColumnMask
from strongroom.protect.plan import TEXT_FORMAT
from strongroom.protect.pseudonyms import PseudonymKey
from strongroom.protect.style import TextStyle
from strongroom.session.veils import understood
from strongroom.state import open_state
from strongroom.testing.gateway import Account, Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.wire.postgres.types import parse_type

DATABASE, PASSWORD = "masks", "correct horse battery"
VALUES = {
    "text": "jane.doe@example.com",
    "varchar": "4111 1111 1111 1234",
    "varchar(40)": "j@example.com",
    "char(30)": "DE89370400440532013000",
    "bool": "t",
    "smallint": "-1234",
    "integer": "87654321",
    "bigint": "9223372036854775807",
    "real": "1234.5",
    "double precision": "-0.001",
    "numeric": "12345.678",
    "numeric(12,2)": "9999.99",
    "date": "2024-02-29",
    "time": "12:34:56.7",
    "timetz": "12:34:56+02",
    "timestamp": "2024-02-29 12:34:56.789",
    "timestamp(3)": "1969-12-31 23:59:59.999",
    "timestamptz": "2024-07-01 12:34:56.789+00",
    "interval": "1 year 2 mons 3 days 04:05:06.789",
    "uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "bytea": "\\xdeadbeef",
    "json": '{"a": 1}',
    "jsonb": '{"a": [1, null]}',
    "text[]": '{jane.doe@example.com,NULL,"a b"}',
    "varchar(40)[]": "{12345678}",
    "bigint[]": "{{1,2},{3,NULL}}",
    "numeric(5,2)[]": "{1.50,NaN}",
    "date[]": "{2024-02-29,infinity}",
    "timestamptz[]": '{"2024-07-01 12:34:56+00"}',
    "uuid[]": "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}",
    "bytea[]": '{"\\\\x01"}',
    "jsonb[]": '{"{\\"a\\": 1}"}',
}
FIXED = (
    "x@y.de",
    "1",
    "1900-01-01",
    "12:00:00+00",
    "f",
    "a0eebc99-9c0b-4ef8-bb6d-000000000000",
    "[1]",
    "1 day",
    "\\x01",
)
"""Texts for ``fixed``; each type takes one of them."""
SHOWS: Sequence[dict[str, Any]] = (
    *({"mask": name} for name in ("constant", "null", "full", "hash", "email", "card")),
    *({"mask": name, "n": n} for name in ("first", "last") for n in (1, 4)),
    *({"mask": "date", "to": to} for to in ("month", "year")),
    *({"mask": "number", "step": step} for step in (7, 1000)),
)
TYPES = list(VALUES)


def shows(type_: str) -> list[dict[str, Any]]:
    """What a role may say of a column of the type, each mask that fits it."""
    fixed = ({"mask": "fixed", "text": text} for text in FIXED)
    return [show for show in (*SHOWS, next(one for one in fixed if fits(one, type_))) if fits(show, type_)]


def fits(show: dict[str, Any], type_: str) -> bool:
    try:
        ColumnMask(understood(parse_show(show)), parse_type(type_), PseudonymKey(bytes(32)))
    except InvalidMask:
        return False
    return True


WAYS = max(len(shows(type_)) for type_ in TYPES)


def chosen(way: int, type_: str) -> dict[str, Any]:
    """The mask that the account of this number sees."""
    return shows(type_)[way % len(shows(type_))]


COLUMNS = [f"c{number}" for number in range(len(TYPES))]


@pytest.fixture(scope="module")
def shop(servers: Servers) -> PostgresServer:
    """A PostgreSQL with psql beside it."""
    installation("18")
    return servers.server("18")


@pytest.fixture(scope="module")
def masked(shop: PostgresServer) -> Iterator[Gateway]:
    """A gateway before both tables, with one row each, which the account app wrote."""
    shop.create_database(DATABASE)
    for table, types in (("sealed", ["bytea"] * len(TYPES)), ("plain", TYPES)):
        of = (f"{name} {type_}" for name, type_ in zip(COLUMNS, types, strict=True))
        shop.run(f"CREATE TABLE {table} ({', '.join(of)})", DATABASE)
    shop.run(f"ALTER DATABASE {DATABASE} SET timezone = 'UTC'", DATABASE)

    def configure(gateway: Gateway) -> None:
        common = {"tables": {"public.*": ["select", "insert"]}}
        roles: dict[str, Any] = {"app": {**common, "columns": {"*": "reveal"}}}
        for way in range(WAYS):
            columns = {
                f"public.{table}.{name}": {"show": chosen(way, type_)}
                for table in ("sealed", "plain")
                for name, type_ in zip(COLUMNS, TYPES, strict=True)
            }
            roles[f"way{way}"] = {**common, "columns": columns}
        gateway.give_roles(roles, {name: [name] for name in roles}, PASSWORD)

    protected = {
        f"public.sealed.{name}": {"type": type_, "encryption": "randomized"}
        for name, type_ in zip(COLUMNS, TYPES, strict=True)
    }
    account, more = Account("app", PASSWORD), {"columns": protected}
    with Gateway.start(shop, DATABASE, account=account, more=more, first=configure) as running:
        with psycopg.connect(running.uri("app", PASSWORD), autocommit=True) as app:
            for table in ("sealed", "plain"):
                places = ", ".join(["%s"] * len(TYPES))
                app.execute(f"INSERT INTO {table} VALUES ({places})".encode(), list(VALUES.values()))
        yield running


@pytest.fixture(scope="module")
def key(masked: Gateway) -> PseudonymKey:
    """Behind the pseudonyms of the gateway."""
    state = open_state(StateAddress(masked.folder / "state" / "state.db"))
    secret = state.installation_secret
    state.close()
    return PseudonymKey.derive(secret, DATABASE)


def expected(shop: PostgresServer, way: int, key: PseudonymKey) -> list[str | None]:
    """What an account sees, as text; first of what PostgreSQL prints of the value."""
    found: list[str | None] = []
    with shop.connect(DATABASE) as straight:
        printed = straight.execute(
            f"SELECT {', '.join(f'{name}::text' for name in COLUMNS)} FROM plain".encode()
        ).fetchone()
    assert printed is not None
    for type_, value in zip(TYPES, printed, strict=True):
        mask = ColumnMask(understood(parse_show(chosen(way, type_))), parse_type(type_), key)
        opener = mask_opener(mask, upstream_format=TEXT_FORMAT, client_format=TEXT_FORMAT, style=TextStyle())
        octets = value.ljust(30) if type_ == "char(30)" else value
        shown = opener(octets.encode())
        found.append(None if shown is None else bytes(shown).decode())
    return found


def read_anew(shop: PostgresServer, texts: Sequence[str | None], *, binary: bool) -> list[bytes | None]:
    """The values of these texts, as PostgreSQL itself sends them."""
    query = ", ".join(f"%s::text::{type_}" for type_ in TYPES)
    with shop.connect(DATABASE) as straight:
        result = straight.execute(f"SELECT {query}".encode(), list(texts), binary=binary).pgresult
    assert result is not None
    return [result.get_value(0, number) for number in range(len(TYPES))]


TABLES = ("sealed", "plain")
QUERIES = [f"SELECT {', '.join(COLUMNS)} FROM {table}" for table in TABLES]


@pytest.mark.parametrize("way", range(WAYS))
def test_psycopg(masked: Gateway, shop: PostgresServer, key: PseudonymKey, way: int) -> None:
    """In text and in binary; PostgreSQL takes what comes as a value of the type, and prints it so."""
    wanted = expected(shop, way, key)
    assert read_anew(shop, wanted, binary=False) == [None if one is None else one.encode() for one in wanted]
    with psycopg.connect(masked.uri(f"way{way}", PASSWORD), autocommit=True) as client:
        for query in QUERIES:
            for binary in (False, True):
                result = client.execute(query.encode(), binary=binary).pgresult
                assert result is not None
                came = [result.get_value(0, number) for number in range(len(TYPES))]
                assert came == read_anew(shop, wanted, binary=binary), (query, binary)


@pytest.mark.parametrize("way", range(WAYS))
def test_psql(masked: Gateway, shop: PostgresServer, key: PseudonymKey, way: int) -> None:
    """As a person sees it."""
    wanted = expected(shop, way, key)
    programs = ["-X", "-q", "-A", "-t", "-F", "\x1f", "-P", "null=NULL!"]
    commands = [part for query in QUERIES for part in ("-c", query)]
    run = subprocess.run(
        [shop.installation.program("psql"), *programs, *commands, masked.uri(f"way{way}", PASSWORD)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    for line in run.stdout.splitlines():
        assert [None if one == "NULL!" else one for one in line.split("\x1f")] == wanted


@pytest.mark.parametrize("way", range(WAYS))
def test_node(masked: Gateway, shop: PostgresServer, key: PseudonymKey, way: int) -> None:
    """Its own protocol in JavaScript, simple and extended."""
    node = shutil.which("node")
    if node is None or not (CACHE / "node" / "node_modules" / "pg").exists():
        missing("node-postgres")
    wanted = expected(shop, way, key)
    client = {"host": "127.0.0.1", "port": masked.port, "user": f"way{way}"}
    client |= {"password": PASSWORD, "database": DATABASE}
    run = subprocess.run(
        [str(node), str(Path(__file__).parent / "node" / "masks.js")],
        cwd=CACHE / "node",
        env={"PATH": os.environ["PATH"], "ENDPOINT": json.dumps({"client": client, "queries": QUERIES})},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == [wanted] * 4


@pytest.mark.parametrize("way", range(WAYS))
def test_asyncpg(masked: Gateway, shop: PostgresServer, key: PseudonymKey, way: int) -> None:
    """A driver that reads everything in binary makes of it what it makes of PostgreSQL's own."""
    wanted = expected(shop, way, key)

    async def read() -> None:
        query = ", ".join(f"${number}::text::{type_}" for number, type_ in enumerate(TYPES, 1))
        straight = await asyncpg.connect(shop.uri(DATABASE))
        client = await asyncpg.connect(masked.uri(f"way{way}", PASSWORD))
        try:
            row = await straight.fetchrow(f"SELECT {query}", *wanted)
            for one in QUERIES:
                assert repr(list(await client.fetchrow(one))) == repr(list(row))  # NaN is not itself
        finally:
            await client.close()
            await straight.close()

    asyncio.run(read())
