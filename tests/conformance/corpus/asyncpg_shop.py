"""What applications do with asyncpg, on the shop's protected tables: binary, prepared, always described."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
from tests.conformance.corpus.steps import Results, failure, settled

ADA, BOB = "ada.xq7mark@example.org", "bob.xq7mark@example.org"
COLUMNS = "id, email, iban, phone, born, visits, credit, profile, tags, ref, seen"
Step = Callable[[Any], Awaitable[object]]
STEPS: list[Step] = []
REFUSED = {"like": "comparison-refused", "refused_in_transaction": "comparison-refused"}


def scenario(parameters: dict[str, str]) -> Results:
    """Every step, on one connection."""
    return asyncio.run(_scenario(parameters))


async def _scenario(parameters: dict[str, str]) -> Results:
    root = parameters.get("sslrootcert")
    connection = await asyncpg.connect(
        host=parameters["host"],
        port=int(parameters["port"]),
        user=parameters["user"],
        password=parameters["password"],
        database=parameters["dbname"],
        ssl=ssl.create_default_context(cafile=root) if root else False,
    )
    found: dict[str, object] = {}
    try:
        for one in STEPS:
            try:
                found[one.__name__] = settled(await one(connection))
            except Exception as error:  # noqa: BLE001  # whatever asyncpg makes of an error is compared
                found[one.__name__] = failure(error)
    finally:
        await connection.close()
    return found


def step(made: Step) -> Step:
    """Registers a step."""
    STEPS.append(made)
    return made


@step
async def fetch(connection: Any) -> object:
    return [dict(row) for row in await connection.fetch(f"SELECT {COLUMNS} FROM customers ORDER BY id")]


@step
async def by_value(connection: Any) -> object:
    return await connection.fetchval("SELECT id FROM customers WHERE email = $1", ADA)


@step
async def by_every_type(connection: Any) -> object:
    query = "SELECT id FROM customers WHERE visits = $1 AND ref = $2 AND seen = $3 AND phone = $4"
    ref, seen = UUID("98765432-0000-4000-8000-000000000001"), datetime(1847, 1, 1, 10, tzinfo=UTC)
    return await connection.fetchval(query, 731100001, ref, seen, "+98765432 1")


@step
async def by_list(connection: Any) -> object:
    rows = await connection.fetch(
        "SELECT id FROM customers WHERE email = ANY($1::text[]) ORDER BY id", [ADA, BOB]
    )
    return [row["id"] for row in rows]


@step
async def by_list_undeclared(connection: Any) -> object:
    rows = await connection.fetch("SELECT id FROM customers WHERE email = ANY($1) ORDER BY id", [ADA, BOB])
    return [row["id"] for row in rows]


@step
async def wrong_type(connection: Any) -> object:
    return await connection.fetchval("SELECT id FROM customers WHERE visits = $1", "xq7mark")


@step
async def prepared(connection: Any) -> object:
    statement = await connection.prepare("SELECT email, born FROM customers WHERE email = $1 OR id = $2")
    parameters = [one.name for one in statement.get_parameters()]
    attributes = [(one.name, one.type.name) for one in statement.get_attributes()]
    return [parameters, attributes, [tuple(row) for row in await statement.fetch(ADA, 2)]]


@step
async def insert(connection: Any) -> object:
    query = f"INSERT INTO customers ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING {COLUMNS}"
    values = [
        50,
        "async.xq7mark",
        "xq7mark",
        "+98765432",
        date(1847, 2, 3),
        731100007,
        Decimal("98765432.25"),
    ]
    values += [json.dumps({"a": "xq7mark"}), ["xq7mark", None], UUID("98765432-0000-4000-8000-0000000000ff")]
    return tuple(await connection.fetchrow(query, *values, datetime(1847, 3, 4, 5, 6, 7, 89, tzinfo=UTC)))


@step
async def insert_nulls(connection: Any) -> object:
    query = "INSERT INTO customers (id, email, iban, born, tags) VALUES ($1, $2, $3, $4, $5) RETURNING *"
    return tuple(await connection.fetchrow(query, 51, "nulls.xq7mark", None, None, None))


@step
async def insert_many(connection: Any) -> object:
    rows = [(100 + n, f"many{n}.xq7mark", 731100000 + n) for n in range(20)]
    await connection.executemany("INSERT INTO customers (id, email, visits) VALUES ($1, $2, $3)", rows)
    return [
        tuple(row)
        for row in await connection.fetch("SELECT email, visits FROM customers WHERE id >= 100 ORDER BY id")
    ]


@step
async def update(connection: Any) -> object:
    return await connection.execute("UPDATE customers SET iban = $2 WHERE email = $1", ADA, "up xq7mark")


@step
async def upsert(connection: Any) -> object:
    query = "INSERT INTO customers (email, iban) VALUES ($1, $2) ON CONFLICT (email) DO UPDATE SET iban = excluded.iban RETURNING id, iban"
    return tuple(await connection.fetchrow(query, BOB, "again xq7mark"))


@step
async def duplicate(connection: Any) -> object:
    try:
        await connection.execute("INSERT INTO customers (id, email) VALUES (60, $1)", ADA)
    except asyncpg.UniqueViolationError as error:
        return [error.constraint_name, error.table_name, "xq7mark" in str(error.as_dict().get("message"))]
    return None


@step
async def cursor(connection: Any) -> object:
    async with connection.transaction():
        return [
            row["email"]
            async for row in connection.cursor("SELECT email FROM customers ORDER BY id", prefetch=2)
        ]


@step
async def savepoint(connection: Any) -> object:
    async with connection.transaction():
        try:
            async with connection.transaction():
                await connection.execute("INSERT INTO customers (id, email) VALUES (60, $1)", ADA)
        except asyncpg.UniqueViolationError:
            return await connection.fetchval("SELECT email FROM customers WHERE id = 1")
    return None


@step
async def copy_records(connection: Any) -> object:
    rows = [(300 + n, f"copied{n}.xq7mark", date(1847, 1, 1 + n)) for n in range(5)]
    tag = await connection.copy_records_to_table("customers", records=rows, columns=["id", "email", "born"])
    found = await connection.fetch("SELECT email, born FROM customers WHERE id >= 300 ORDER BY id")
    return [tag, [tuple(row) for row in found]]


@step
async def execute_many_updates(connection: Any) -> object:
    query = "UPDATE customers SET iban = $1, tags = $2 WHERE email = $3"
    await connection.executemany(query, [("x xq7mark", ["xq7mark"], ADA), (None, None, BOB)])
    return [
        tuple(row)
        for row in await connection.fetch("SELECT iban, tags FROM customers WHERE id < 3 ORDER BY id")
    ]


@step
async def prepared_again_and_again(connection: Any) -> object:
    statement = await connection.prepare(
        "SELECT id, iban FROM customers WHERE email = $1 AND phone IS NOT NULL"
    )
    return [list(map(tuple, await statement.fetch(email))) for email in (ADA, BOB, "none.xq7mark", ADA)]


@step
async def prepared_insert(connection: Any) -> object:
    statement = await connection.prepare(
        "INSERT INTO orders (email, card, total) VALUES ($1, $2, $3) RETURNING email"
    )
    await statement.executemany([(ADA, "c1 xq7mark", Decimal("1.5")), (None, None, Decimal(2))])
    return await statement.fetchval(BOB, "c2 xq7mark", Decimal(3))


@step
async def fetch_many_rows(connection: Any) -> object:
    query = "INSERT INTO orders (email, total) VALUES ($1, $2) RETURNING email, total"
    rows = await connection.fetchmany(query, [(ADA, Decimal(1)), (BOB, Decimal(2))])
    return [tuple(row) for row in rows]


@step
async def unnested(connection: Any) -> object:
    query = (
        "INSERT INTO customers (id, email, phone) SELECT * FROM unnest($1::int[], $2::text[], $3::varchar(20)[])"
        " RETURNING id, phone"
    )
    rows = await connection.fetch(query, [500, 501], ["u1.xq7mark", "u2.xq7mark"], ["+98765432 1", None])
    return [tuple(row) for row in rows]


@step
async def updated_from_unnested(connection: Any) -> object:
    query = (
        "UPDATE customers c SET iban = v.iban FROM unnest($1::int[], $2::text[]) AS v (id, iban)"
        " WHERE c.id = v.id RETURNING c.id, c.iban"
    )
    return sorted(map(tuple, await connection.fetch(query, [1, 2], ["v1 xq7mark", "v2 xq7mark"])))


@step
async def optional_filter(connection: Any) -> object:
    query = "SELECT id FROM customers WHERE ($1::text IS NULL OR email = $1) AND id < 10 ORDER BY id"
    return [[row["id"] for row in await connection.fetch(query, given)] for given in (ADA, None)]


@step
async def partial_update(connection: Any) -> object:
    query = "UPDATE customers SET iban = coalesce($2, iban), city = coalesce($3, city) WHERE email = $1 RETURNING iban, city"
    return tuple(await connection.fetchrow(query, ADA, None, "Ghent"))


@step
async def copy_records_of_all(connection: Any) -> object:
    rows = [(600 + n, "k", f"r{n}.xq7mark") for n in range(-510, -508)]
    return await connection.copy_records_to_table("events", records=rows)


@step
async def copy_from_query(connection: Any) -> object:
    parts: list[bytes] = []

    async def keep(data: bytes) -> None:
        parts.append(data)

    query = "SELECT email, born, tags FROM customers WHERE id < 4 ORDER BY id"
    tag = await connection.copy_from_query(query, output=keep, format="csv", header=True)
    return [tag, b"".join(parts).decode()]


@step
async def copy_from_table_in_binary(connection: Any) -> object:
    parts: list[bytes] = []

    async def keep(data: bytes) -> None:
        parts.append(data)

    tag = await connection.copy_from_table("events_high", output=keep, format="binary")
    return [tag, b"".join(parts).hex()]


@step
async def in_a_repeatable_transaction(connection: Any) -> object:
    async with connection.transaction(isolation="repeatable_read"):
        return await connection.fetchval("SELECT email FROM customers WHERE id = 1 FOR KEY SHARE")


@step
async def like(connection: Any) -> object:
    return await connection.fetchval("SELECT id FROM customers WHERE email LIKE $1", "ada.xq7mark%")


@step
async def refused_in_transaction(connection: Any) -> object:
    async with connection.transaction():
        await connection.execute("INSERT INTO contacts (id, name) VALUES (70, 'kept?')")
        await connection.fetchval("SELECT id FROM customers WHERE email LIKE $1", "ada.xq7mark%")
        raise KeyError("the twin has no reason of its own to roll back")


@step
async def nothing_kept(connection: Any) -> object:
    return await connection.fetchval("SELECT count(*) FROM contacts WHERE name = 'kept?'")


@step
async def after_definitions(connection: Any) -> object:
    query = "SELECT * FROM customers WHERE email = $1"
    before = tuple(await connection.fetchrow(query, ADA))
    await connection.execute("ALTER TABLE customers ADD COLUMN extra int DEFAULT 7")
    try:
        await connection.reload_schema_state()
        after = tuple(await connection.fetchrow(query, ADA))
    finally:
        await connection.execute("ALTER TABLE customers DROP COLUMN extra")
    return [len(before), len(after), after[-1], before[1] == after[1]]


@step
async def set_type_codec(connection: Any) -> object:
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    await connection.execute("UPDATE customers SET profile = $1 WHERE id = 1", {"by": ["xq7mark", None]})
    return await connection.fetchval("SELECT profile FROM customers WHERE id = 1")
