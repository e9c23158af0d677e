"""What applications do with psycopg 3, on the shop's protected tables: text, binary, pipeline, COPY."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from tests.conformance.corpus.steps import Results, run

ADA, BOB = "ada.xq7mark@example.org", "bob.xq7mark@example.org"
COLUMNS = "id, email, iban, phone, born, visits, credit, profile, tags, ref, seen"
Connection = psycopg.Connection[Any]
STEPS: list[Callable[[Connection], object]] = []
REFUSED = {"refused_in_pipeline": "order-refused", "refused_in_transaction": "order-refused"}


def scenario(parameters: dict[str, str]) -> Results:
    """Every step, in a transaction of its own."""
    with psycopg.connect(**parameters) as connection:  # type: ignore[arg-type]  # mypy cannot see into **
        return run([_committed(one) for one in STEPS], connection, psycopg.Connection.rollback)


def _committed(made: Callable[[Connection], object]) -> Callable[[Connection], object]:
    def both(connection: Connection) -> object:
        result = made(connection)
        connection.commit()
        return result

    both.__name__ = made.__name__
    return both


def step(made: Callable[[Connection], object]) -> Callable[[Connection], object]:
    """Registers a step."""
    STEPS.append(made)
    return made


def described(cursor: psycopg.Cursor[Any]) -> object:
    """The columns of a result as the driver tells them."""
    return [
        (one.name, one.type_code, one.display_size, one.precision, one.scale)
        for one in cursor.description or ()
    ]


@step
def text(connection: Connection) -> object:
    cursor = connection.execute(f"SELECT {COLUMNS} FROM customers ORDER BY id")
    return [described(cursor), cursor.fetchall()]


@step
def binary(connection: Connection) -> object:
    cursor = connection.execute(f"SELECT {COLUMNS} FROM customers ORDER BY id", binary=True)
    return [described(cursor), cursor.fetchall()]


@step
def dictionaries(connection: Connection) -> object:
    return connection.cursor(row_factory=dict_row).execute("SELECT * FROM customers ORDER BY id").fetchall()


@step
def by_value(connection: Connection) -> object:
    return connection.execute("SELECT id FROM customers WHERE email = %s", [ADA]).fetchall()


@step
def by_value_in_text(connection: Connection) -> object:
    return connection.execute("SELECT id FROM customers WHERE email = %t", [ADA]).fetchall()


@step
def by_value_in_binary(connection: Connection) -> object:
    return connection.execute("SELECT id FROM customers WHERE email = %b", [ADA]).fetchall()


@step
def by_list(connection: Connection) -> object:
    query = "SELECT id FROM customers WHERE email = ANY(%s) ORDER BY id"
    return connection.execute(query, [[ADA, BOB]]).fetchall()


@step
def by_list_in_binary(connection: Connection) -> object:
    query = "SELECT id FROM customers WHERE visits = ANY(%b) ORDER BY id"
    return connection.execute(query, [[731100001, 731100002]]).fetchall()


@step
def by_number(connection: Connection) -> object:
    return connection.execute(
        "SELECT id FROM customers WHERE visits = %b ORDER BY id", [731100001]
    ).fetchall()


@step
def by_uuid(connection: Connection) -> object:
    wanted = UUID("98765432-0000-4000-8000-000000000001")
    return connection.execute("SELECT id FROM customers WHERE ref = %b", [wanted]).fetchall()


@step
def by_time(connection: Connection) -> object:
    wanted = datetime(1847, 1, 1, 10, tzinfo=UTC)
    return connection.execute("SELECT id FROM customers WHERE seen = %b", [wanted]).fetchall()


@step
def prepared(connection: Connection) -> object:
    query = "SELECT iban FROM customers WHERE email = %s"
    return [connection.execute(query, [one], prepare=True).fetchall() for one in (ADA, BOB, "none.xq7mark")]


@step
def prepared_by_itself(connection: Connection) -> object:
    query = "SELECT card FROM orders WHERE email = %s ORDER BY id"
    return [connection.execute(query, [one]).fetchall() for one in [ADA, BOB] * 5]


@step
def raw_cursor(connection: Connection) -> object:
    return (
        psycopg.RawCursor(connection).execute("SELECT id FROM customers WHERE email = $1", [ADA]).fetchall()
    )


@step
def client_cursor(connection: Connection) -> object:
    return (
        psycopg.ClientCursor(connection)
        .execute("SELECT id FROM customers WHERE email = %s", [ADA])
        .fetchall()
    )


@step
def server_cursor(connection: Connection) -> object:
    with connection.cursor("here") as cursor:
        cursor.execute("SELECT id, email FROM customers ORDER BY id")
        return [described(cursor), cursor.fetchmany(2), cursor.fetchall()]


@step
def server_cursor_binary(connection: Connection) -> object:
    with connection.cursor("there", scrollable=True) as cursor:
        cursor.execute("SELECT born, credit FROM customers WHERE email <> %s ORDER BY id", [BOB], binary=True)
        first = cursor.fetchone()
        cursor.scroll(1)
        return [first, cursor.fetchall()]


@step
def stream(connection: Connection) -> object:
    return list(connection.cursor().stream("SELECT email FROM customers ORDER BY id"))


@step
def insert_text(connection: Connection) -> object:
    query = f"INSERT INTO customers ({COLUMNS}) VALUES (50, %t, %t, %t, %t, %t, %t, %t, %t, %t, %t) RETURNING {COLUMNS}"
    return connection.execute(query, _values("text.xq7mark")).fetchone()


@step
def insert_binary(connection: Connection) -> object:
    query = f"INSERT INTO customers ({COLUMNS}) VALUES (51, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b) RETURNING {COLUMNS}"
    return connection.execute(query, _values("binary.xq7mark"), binary=True).fetchone()


def _values(email: str) -> list[object]:
    values: list[object] = [
        email,
        "xq7mark",
        "+98765432",
        date(1847, 2, 3),
        731100007,
        Decimal("98765432.25"),
    ]
    values += [
        Jsonb({"a": ["xq7mark"]}),
        ["xq7mark", None, "ü"],
        UUID("98765432-0000-4000-8000-0000000000ff"),
    ]
    return [*values, datetime(1847, 3, 4, 5, 6, 7, 89, tzinfo=UTC)]


@step
def insert_many(connection: Connection) -> object:
    cursor = connection.cursor()
    rows = [(100 + n, f"many{n}.xq7mark", 731100000 + n) for n in range(20)]
    cursor.executemany("INSERT INTO customers (id, email, visits) VALUES (%s, %s, %s)", rows)
    found = connection.execute("SELECT email, visits FROM customers WHERE id BETWEEN 100 AND 119 ORDER BY id")
    return [cursor.rowcount, found.fetchall()]


@step
def insert_many_returning(connection: Connection) -> object:
    cursor = connection.cursor()
    query = "INSERT INTO customers (id, email) VALUES (%s, %s) RETURNING email"
    cursor.executemany(query, [(130, "a.xq7mark"), (131, "b.xq7mark")], returning=True)
    return [one.fetchone() for one in cursor.results()]


@step
def pipeline(connection: Connection) -> object:
    with connection.pipeline():
        connection.execute("INSERT INTO customers (id, email) VALUES (%s, %s)", [60, "p.xq7mark"])
        first = connection.execute("SELECT email FROM customers WHERE id = 60")
        connection.execute("UPDATE customers SET email = %s WHERE email = %s", ["q.xq7mark", "p.xq7mark"])
        second = connection.execute("SELECT email FROM customers WHERE id = 60")
        return [first.fetchall(), second.fetchall()]


@step
def refused_in_pipeline(connection: Connection) -> object:
    with connection.pipeline():
        connection.execute("INSERT INTO contacts (id, name) VALUES (70, 'kept?')")
        connection.execute("SELECT id FROM customers ORDER BY email")
        connection.execute("INSERT INTO contacts (id, name) VALUES (71, 'kept?')")
    raise KeyError("the twin has no reason of its own to roll back")


@step
def error_in_pipeline(connection: Connection) -> object:
    with connection.pipeline():
        connection.execute("INSERT INTO contacts (id, name) VALUES (72, 'kept?')")
        connection.execute("INSERT INTO customers (id, email) VALUES (80, %s)", [ADA])
        connection.execute("INSERT INTO contacts (id, name) VALUES (73, 'kept?')")
    return None


@step
def refused_in_transaction(connection: Connection) -> object:
    connection.execute("INSERT INTO contacts (id, name) VALUES (74, 'kept?')")
    connection.execute("SELECT id FROM customers ORDER BY email")
    raise KeyError("the twin has no reason of its own to roll back")


@step
def nothing_kept(connection: Connection) -> object:
    return connection.execute("SELECT count(*) FROM contacts WHERE name = 'kept?'").fetchall()


@step
def savepoint(connection: Connection) -> object:
    try:
        with connection.transaction():
            connection.execute("INSERT INTO customers (id, email) VALUES (80, %s)", [ADA])
    except psycopg.errors.UniqueViolation as error:
        constraint = error.diag.constraint_name
        return [constraint, connection.execute("SELECT email FROM customers WHERE id = 1").fetchall()]
    return None


@step
def several_statements(connection: Connection) -> object:
    cursor = connection.execute(
        "SELECT email FROM customers WHERE id = 1; SELECT card FROM orders WHERE id = 1"
    )
    first = cursor.fetchall()
    cursor.nextset()
    return [first, cursor.fetchall()]


@step
def copy_out_text(connection: Connection) -> object:
    with connection.cursor().copy("COPY customers (id, email, born, tags) TO STDOUT") as copy:
        return b"".join(map(bytes, copy)).decode()


@step
def copy_out_csv(connection: Connection) -> object:
    with connection.cursor().copy(
        "COPY (SELECT id, email, iban FROM customers ORDER BY id) TO STDOUT (FORMAT csv, HEADER)"
    ) as copy:
        return b"".join(map(bytes, copy)).decode()


@step
def copy_out_binary(connection: Connection) -> object:
    with connection.cursor().copy("COPY orders (id, email, card) TO STDOUT (FORMAT binary)") as copy:
        copy.set_types(["int4", "text", "text"])
        return list(copy.rows())


@step
def copy_in_text(connection: Connection) -> object:
    with connection.cursor().copy("COPY customers (id, email, born, iban, tags) FROM STDIN") as copy:
        copy.write_row([200, "copied.xq7mark", date(1847, 6, 6), None, ["xq7mark", None]])
        copy.write_row([201, "back\\slash\t.xq7mark", None, "line\nbreak xq7mark", []])
    return connection.execute(
        "SELECT id, email, born, iban, tags FROM customers WHERE id >= 200 ORDER BY id"
    ).fetchall()


@step
def copy_in_binary(connection: Connection) -> object:
    with connection.cursor().copy(
        "COPY customers (id, email, visits, seen) FROM STDIN (FORMAT binary)"
    ) as copy:
        copy.set_types(["int4", "text", "int4", "timestamptz"])
        copy.write_row([210, "binary copied.xq7mark", 731100077, datetime(1847, 7, 7, tzinfo=UTC)])
        copy.write_row([211, "nulls copied.xq7mark", None, None])
    query = "SELECT id, email, visits, seen FROM customers WHERE id >= 210 ORDER BY id"
    return [connection.execute(query).fetchall(), connection.execute(query, binary=True).fetchall()]


@step
def copy_in_csv(connection: Connection) -> object:
    with connection.cursor().copy("COPY customers (id, email, iban) FROM STDIN (FORMAT csv)") as copy:
        copy.write('220,"quoted, ""xq7mark""",\n221,plain.xq7mark,""\n')
    return connection.execute("SELECT id, email, iban FROM customers WHERE id >= 220 ORDER BY id").fetchall()


@step
def copy_in_fails(connection: Connection) -> object:
    with connection.cursor().copy("COPY customers (id, email, born) FROM STDIN") as copy:
        copy.write_row([230, "failing.xq7mark", "1847-13-13"])
    return None


@step
def copy_in_duplicate(connection: Connection) -> object:
    with connection.cursor().copy("COPY customers (id, email) FROM STDIN") as copy:
        copy.write_row([231, ADA])
    return None


@step
def after_errors(connection: Connection) -> object:
    return connection.execute("SELECT id, email FROM customers WHERE email = %s", [ADA]).fetchall()
