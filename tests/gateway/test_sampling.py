"""Values from all over a table."""

import asyncio
import secrets
from collections import Counter
from pathlib import Path

import pytest
from tests.protect.samples import scheme

from strongroom.gateway.connector import Connector
from strongroom.gateway.sampling import EACH, PLACES, sample
from strongroom.gateway.upstream_address import parse_upstream
from strongroom.secret import Secret
from strongroom.testing.servers import PostgresServer


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """An empty database."""
    return postgres.create_database(f"db{secrets.token_hex(4)}")


def sampled(postgres: PostgresServer, database: str, key_ids: list[int] | None = None) -> list[bytes]:
    connector = Connector.to(
        parse_upstream(postgres.uri(database), base=Path(), password=Secret(postgres.password))
    )
    return asyncio.run(sample(connector, scheme("text", column='public."a table".v'), key_ids))


@pytest.mark.parametrize("rows", [0, 1, 10])
def test_a_small_table_whole(postgres: PostgresServer, database: str, rows: int) -> None:
    """Every value that is not NULL, and none of an empty table."""
    postgres.run(
        'CREATE TABLE "a table" (v bytea);'
        f'INSERT INTO "a table" SELECT int4send(g) FROM generate_series(1, {rows}) g;'
        'INSERT INTO "a table" VALUES (NULL)',
        database,
    )
    assert sorted(sampled(postgres, database)) == [g.to_bytes(4) for g in range(1, rows + 1)]


def test_a_large_table_in_parts(postgres: PostgresServer, database: str) -> None:
    """No more than the bound, the beginning and the end among them, and nothing twice."""
    rows = 40_000
    postgres.run(
        'CREATE TABLE "a table" (v bytea, filler text);'
        "INSERT INTO \"a table\" SELECT int4send(g), repeat('x', 200) FROM generate_series(1,"
        f" {rows}) g",
        database,
    )
    found = [int.from_bytes(value) for value in sampled(postgres, database)]
    assert len(found) == PLACES * EACH
    assert max(Counter(found).values()) == 1
    assert min(found) == 1
    assert max(found) > rows * 0.98
    assert Counter(one * PLACES // rows for one in found).keys() >= {0, 3, PLACES - 1}


def test_of_some_keys_alone(postgres: PostgresServer, database: str) -> None:
    """By the id behind the first octet, in every part; of no keys, none."""
    postgres.run(
        'CREATE TABLE "a table" (v bytea, filler text);'
        "INSERT INTO \"a table\" SELECT '\\x01'::bytea || int4send(g % 100) || '\\x99',"
        " repeat('x', 200) FROM generate_series(1, 40000) g",
        database,
    )
    found = sampled(postgres, database, [7, 8])
    assert {value[1:5] for value in found} == {(7).to_bytes(4), (8).to_bytes(4)}
    assert PLACES <= len(found) <= PLACES * EACH
    assert sampled(postgres, database, []) == sampled(postgres, database, [500]) == []
