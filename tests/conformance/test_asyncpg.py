"""asyncpg: binary throughout, statements prepared under names, cursors by row limit, COPY, notifications."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import asyncpg
import pytest
from tests.conformance.conftest import Endpoint

Test = Callable[[asyncpg.Connection], Awaitable[None]]


async def connect(endpoint: Endpoint) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=endpoint.host,
        port=endpoint.port,
        user=endpoint.user,
        password=endpoint.password,
        database=endpoint.database,
        ssl=endpoint.tls or False,
        timeout=20,
    )


def run(endpoint: Endpoint, test: Test) -> None:
    """Runs a test on a connection with a small table."""

    async def session() -> None:
        connection = await connect(endpoint)
        try:
            await connection.execute("CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL)")
            rows = [(n, f"name {n}") for n in range(1, 101)]
            await connection.executemany("INSERT INTO people VALUES ($1, $2)", rows)
            await test(connection)
        finally:
            await connection.close()

    asyncio.run(session())


def test_rows(endpoint: Endpoint) -> None:
    """A statement is prepared, described and executed; its rows arrive."""

    async def test(connection: asyncpg.Connection) -> None:
        rows = await connection.fetch("SELECT id, name FROM people WHERE id = ANY($1) ORDER BY id", [3, 5])
        assert [tuple(row) for row in rows] == [(3, "name 3"), (5, "name 5")]
        for n in range(1, 101):
            assert await connection.fetchval("SELECT name FROM people WHERE id = $1", n) == f"name {n}"

    run(endpoint, test)


def test_types(endpoint: Endpoint) -> None:
    """Values of many types go up and come back in binary."""
    values = [True, 7, 2**40, 1.5, Decimal("12.340"), "zoë 🌳", b"\x00\xff", UUID(int=7), [1, 2, None], None]
    values.append(datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC))
    types = [
        "bool",
        "int4",
        "int8",
        "float8",
        "numeric",
        "text",
        "bytea",
        "uuid",
        "int4[]",
        "text",
        "timestamptz",
    ]

    async def test(connection: asyncpg.Connection) -> None:
        casts = ", ".join(f"${n}::{name}" for n, name in enumerate(types, 1))
        assert list(await connection.fetchrow(f"SELECT {casts}", *values)) == values

    run(endpoint, test)


def test_composite_types(endpoint: Endpoint) -> None:
    """A type that the client must look up in the catalog is found there."""

    async def test(connection: asyncpg.Connection) -> None:
        await connection.execute(
            "CREATE TYPE pair AS (a int, b text); CREATE TYPE mood AS ENUM ('ok', 'fine')"
        )
        found = await connection.fetchrow("SELECT (1, 'x')::pair, 'fine'::mood, array['ok']::mood[]")
        assert (tuple(found[0]), found[1], found[2]) == ((1, "x"), "fine", ["ok"])

    run(endpoint, test)


def test_portals(endpoint: Endpoint) -> None:
    """A cursor fetches by row limits on Execute, and the portal keeps its place."""

    async def test(connection: asyncpg.Connection) -> None:
        async with connection.transaction():
            cursor = await connection.cursor("SELECT id FROM people ORDER BY id")
            assert [row[0] for row in await cursor.fetch(7)] == list(range(1, 8))
            await cursor.forward(3)
            assert (await cursor.fetchrow())[0] == 11
            found = [
                row[0] async for row in connection.cursor("SELECT id FROM people ORDER BY id", prefetch=9)
            ]
            assert found == list(range(1, 101))

    run(endpoint, test)


async def lose(connection: asyncpg.Connection) -> None:
    async with connection.transaction():
        await connection.execute("UPDATE people SET name = 'lost' WHERE id = 2")
        await connection.execute("INSERT INTO people VALUES (1, 'again')")


def test_transactions(endpoint: Endpoint) -> None:
    """A failed inner transaction is undone, the outer one goes on."""

    async def test(connection: asyncpg.Connection) -> None:
        async with connection.transaction():
            await connection.execute("UPDATE people SET name = 'kept' WHERE id = 1")
            with pytest.raises(asyncpg.UniqueViolationError) as caught:
                await lose(connection)
            assert caught.value.constraint_name == "people_pkey"
        names = await connection.fetch("SELECT name FROM people WHERE id < 3 ORDER BY id")
        assert [row[0] for row in names] == ["kept", "name 2"]

    run(endpoint, test)


@pytest.mark.parametrize("form", ["text", "csv", "binary"])
def test_copy(endpoint: Endpoint, form: str) -> None:
    """COPY carries rows in and out in every format."""

    async def test(connection: asyncpg.Connection) -> None:
        records = [(n, f"copied {n}") for n in range(1000, 4000)]
        await connection.copy_records_to_table("people", records=records)
        chunks: list[bytes] = []

        async def keep(chunk: bytes) -> None:
            chunks.append(chunk)

        await connection.copy_from_query("SELECT * FROM people", output=keep, format=form)
        assert b"".join(chunks).count(b"copied ") == 3000

    run(endpoint, test)


def test_notifications(endpoint: Endpoint) -> None:
    """A notification arrives while the session is idle."""

    async def test(connection: asyncpg.Connection) -> None:
        heard: asyncio.Queue[str] = asyncio.Queue()
        await connection.add_listener("news", lambda *said: heard.put_nowait(str(said[3])))
        other = await connect(endpoint)
        await other.execute("NOTIFY news, 'tidings'")
        await other.close()
        async with asyncio.timeout(20):
            assert await heard.get() == "tidings"

    run(endpoint, test)


def test_timeouts_cancel(endpoint: Endpoint) -> None:
    """A timeout of the client's cancels the statement, and the session goes on."""

    async def test(connection: asyncpg.Connection) -> None:
        with pytest.raises(TimeoutError):
            await connection.fetch("SELECT pg_sleep(20)", timeout=0.3)
        assert await connection.fetchval("SELECT 1") == 1

    run(endpoint, test)


def test_a_pool(endpoint: Endpoint) -> None:
    """A pool resets its connections and hands them out again."""

    async def test() -> None:
        pool = asyncpg.create_pool(
            host=endpoint.host,
            port=endpoint.port,
            user=endpoint.user,
            password=endpoint.password,
            database=endpoint.database,
            ssl=endpoint.tls or False,
            min_size=2,
            max_size=8,
        )
        async with pool:
            found = await asyncio.gather(*(pool.fetchval("SELECT $1::int", n) for n in range(100)))
        assert found == list(range(100))

    asyncio.run(test())
