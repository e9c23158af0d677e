"""Changes: INSERT in the forms that applications and ORMs write; the others are in ``updating.py``."""

from tests.conformance.asking import Way
from tests.conformance.statements.model import EVERY_WAY, PARAMETERS, Case, script
from tests.conformance.statements.reading import ADA

NEW = "new.xq7mark@example.org"
LATER = "later.xq7mark@example.org"
LOOK = "SELECT * FROM customers ORDER BY id"
ORDERS = "SELECT * FROM orders ORDER BY id"


def change(
    name: str,
    sql: str,
    *parameters: str | int | bool | None,
    refused: str = "",
    look: str = LOOK,
    wrong: str = "",
    ways: tuple[Way, ...] = EVERY_WAY,
) -> Case:
    """A change, and what is there after it; prepared it would run twice, so each step is one of its own."""
    return script(name, (sql, *parameters), look, refused=refused, wrong=wrong, ways=ways)


CASES = (
    change("insert", "INSERT INTO customers (id, email, name) VALUES ($1, $2, $3)", 10, NEW, "New"),
    change(
        "insert-literals",
        "INSERT INTO customers (id, email, iban) VALUES (10, 'new.xq7mark@example.org', 'xq7mark')",
    ),
    change(
        "insert-every-type",
        "INSERT INTO customers (id, email, iban, phone, born, visits, credit, profile, tags, ref, seen) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        10,
        NEW,
        "xq7mark",
        "+98765432",
        "1847-02-03",
        731100009,
        "98765432.5",
        '{"a": "xq7mark"}',
        '{xq7mark,"a b"}',
        "98765432-0000-4000-8000-00000000000a",
        "1847-02-03 04:05:06.789+01",
    ),
    change(
        "insert-without-columns",
        "INSERT INTO contacts VALUES ($1, $2, $3)",
        10,
        "p@example.org",
        "P",
        look="TABLE contacts",
    ),
    change(
        "insert-date-as-int",
        "INSERT INTO customers (id, email, born) VALUES (10, $1, 18470101)",
        NEW,
    ),
    change(
        "insert-unnest-sized",
        "INSERT INTO customers (id, email, phone) SELECT * FROM UNNEST(($1)::integer[], ($2)::text[], ($3)::varchar(20)[])",
        "{10,11}",
        "{new.xq7mark,b.xq7mark}",
        "{+98765432,+98765432 2}",
    ),
    change(
        "insert-protected-without-columns",
        "INSERT INTO orders VALUES (10, 1, 'ada.xq7mark@example.org', 'card xq7mark', 1.5, 'n')",
        look=ORDERS,
    ),
    change("insert-fewer-than-columns", "INSERT INTO customers VALUES (10, 'new.xq7mark@example.org')"),
    change("insert-default-id", "INSERT INTO customers (id, email) VALUES (DEFAULT, $1)", NEW),
    change(
        "insert-default-protected", "INSERT INTO customers (id, email, iban) VALUES (10, $1, DEFAULT)", NEW
    ),
    change("insert-default-values", "INSERT INTO watched DEFAULT VALUES"),
    change("insert-null", "INSERT INTO customers (id, email, iban) VALUES (10, $1, NULL)", NEW),
    change("insert-null-parameter", "INSERT INTO customers (id, email, iban) VALUES (10, $1, $2)", NEW, None),
    change("insert-not-null-violated", "INSERT INTO customers (id, email) VALUES (10, $1)", None),
    change("insert-empty-string", "INSERT INTO customers (id, email) VALUES (10, $1)", ""),
    change("insert-unicode", "INSERT INTO customers (id, email) VALUES (10, $1)", "żółw.xq7mark🐢"),
    change(
        "insert-quotes", "INSERT INTO customers (id, email) VALUES (10, $1)", 'it\'s \\ "xq7mark" \n line'
    ),
    change("insert-many", "INSERT INTO customers (id, email) VALUES ($1, $2), ($3, $4)", 10, NEW, 11, LATER),
    change(
        "insert-cast-parameters",
        "INSERT INTO customers (id, email, born) VALUES ($1::int, $2::text, $3::date)",
        10,
        NEW,
        "1847-03-04",
    ),
    change(
        "insert-varchar-cast",
        "INSERT INTO customers (id, email, phone) VALUES (10, $1::varchar, $2::varchar)",
        NEW,
        "+98765432",
    ),
    change(
        "insert-literal-casts",
        "INSERT INTO customers (id, email, born) VALUES (10, 'new.xq7mark'::varchar(50), DATE '1847-03-04')",
    ),
    change(
        "insert-cast-that-cuts",
        "INSERT INTO customers (id, email, phone) VALUES (10, $1::varchar(9), 'żółw xq7mark'::varchar(12))",
        "xq7mark żółw",
    ),
    change(
        "update-case-that-cuts",
        "UPDATE customers SET iban = CASE WHEN id = 1 THEN $1 WHEN id = 2 THEN 'xq7mark b' ELSE NULL END::varchar(8) WHERE id IN (1, 2)",
        "xq7mark a",
    ),
    change(
        "update-cast-to-char", "UPDATE customers SET iban = $1::char(9)", "xq7mark", refused="type-refused"
    ),
    change(
        "insert-select-values",
        "INSERT INTO customers (id, email) SELECT v.a, v.b FROM (VALUES ($1::int, $2::text)) v (a, b)",
        10,
        NEW,
    ),
    change(
        "insert-from-values-cte",
        "WITH v (a, b) AS (VALUES ($1::int, $2::text)) INSERT INTO customers (id, email) SELECT a, b FROM v",
        10,
        NEW,
    ),
    change(
        "insert-unnest",
        "INSERT INTO customers (id, email) SELECT * FROM unnest($1::int[], $2::text[])",
        "{10,11}",
        "{new.xq7mark,NULL}",
    ),
    change(
        "insert-unnest-good",
        "INSERT INTO customers (id, email) SELECT * FROM unnest($1::int[], $2::text[])",
        "{10,11}",
        "{new.xq7mark,b.xq7mark}",
    ),
    change(
        "insert-unnest-django",
        "INSERT INTO customers (id, email) SELECT * FROM UNNEST(($1)::integer[], ($2)::varchar(200)[])",
        "{10,11}",
        "{new.xq7mark,b.xq7mark}",
    ),
    change(
        "insert-unnest-list",
        "INSERT INTO customers (id, email) SELECT unnest($1::int[]), unnest($2::text[])",
        "{10,11}",
        "{new.xq7mark,b.xq7mark}",
    ),
    change(
        "insert-sqlalchemy-values",
        "INSERT INTO customers (email, name) SELECT p0::VARCHAR, p1::VARCHAR FROM (VALUES ($1, $2, 0), ($3, $4, 1)) AS imp_sen(p0, p1, sen_counter) ORDER BY sen_counter RETURNING customers.id, customers.id AS id__1",
        NEW,
        "N",
        LATER,
        "L",
    ),
    change(
        "insert-select-same-key",
        "INSERT INTO orders (id, email, total) SELECT id + 100, email, 1 FROM customers",
        look=ORDERS,
    ),
    change(
        "insert-select-star",
        "INSERT INTO events SELECT id + 10, kind, email FROM events WHERE id < 100",
        look="TABLE events",
    ),
    change(
        "insert-select-same-column",
        "INSERT INTO orders (id, card, total) SELECT id + 100, card, total FROM orders",
        look=ORDERS,
    ),
    change(
        "insert-returning", "INSERT INTO customers (id, email) VALUES (10, $1) RETURNING id, email, name", NEW
    ),
    change("insert-returning-star", "INSERT INTO customers (id, email) VALUES (10, $1) RETURNING *", NEW),
    change(
        "insert-returning-alias",
        "INSERT INTO customers AS c (id, email) VALUES (10, $1) RETURNING c.email AS e",
        NEW,
    ),
    change(
        "insert-partitioned",
        "INSERT INTO events (id, kind, email) VALUES (50, 'x', $1)",
        ADA,
        look="TABLE events",
    ),
    change(
        "insert-partition",
        "INSERT INTO events_low (id, kind, email) VALUES (51, 'x', $1)",
        ADA,
        look="TABLE events",
    ),
    change(
        "insert-view",
        "INSERT INTO people (id, email, name) VALUES (10, $1, 'New')",
        NEW,
    ),
    change("insert-view-without-columns", "INSERT INTO people VALUES (10, $1, $2)", NEW, "New"),
    change(
        "insert-view-conflict",
        "INSERT INTO people (id, email) VALUES (1, $1) ON CONFLICT (email) DO UPDATE SET name = 'again', email = excluded.email RETURNING *",
        ADA,
    ),
    change(
        "insert-view-select",
        "INSERT INTO people (id, email) SELECT id + 100, email || 'x' FROM people",
        refused="comparison-refused",
    ),
    change(
        "insert-view-computed",
        "INSERT INTO people (id, email) VALUES (10, lower($1))",
        NEW,
        refused="value-computed",
    ),
    change(
        "insert-overriding", "INSERT INTO customers (id, email) OVERRIDING SYSTEM VALUE VALUES (10, $1)", NEW
    ),
    change("insert-duplicate", "INSERT INTO customers (id, email) VALUES (10, $1)", ADA),
    change(
        "insert-without-parent",
        "INSERT INTO orders (id, email, total) VALUES (10, $1, 1)",
        "none.xq7mark@example.org",
        look=ORDERS,
    ),
    change("insert-check-violated", "INSERT INTO customers (id, email, age) VALUES (10, $1, 200)", NEW),
    change(
        "insert-too-long",
        "INSERT INTO customers (id, email, phone) VALUES (10, $1, $2)",
        NEW,
        "+98765432 and so on and on",
    ),
    change(
        "insert-too-long-blanks",
        "INSERT INTO customers (id, email, phone) VALUES (10, $1, $2)",
        NEW,
        "+98765432            ",
    ),
    change("insert-bad-date", "INSERT INTO customers (id, email, born) VALUES (10, $1, '1847-02-30')", NEW),
    change("insert-bad-int", "INSERT INTO customers (id, email, visits) VALUES (10, $1, 'xq7mark')", NEW),
    change("insert-int-range", "INSERT INTO customers (id, email, visits) VALUES (10, $1, 73110000100)", NEW),
    change("insert-bad-uuid", "INSERT INTO customers (id, email, ref) VALUES (10, $1, 'xq7mark')", NEW),
    change("insert-bad-json", "INSERT INTO customers (id, email, profile) VALUES (10, $1, '{xq7mark')", NEW),
    change(
        "insert-numeric-rounds",
        "INSERT INTO customers (id, email, credit) VALUES (10, $1, 98765432.125)",
        NEW,
    ),
    change(
        "insert-numeric-range",
        "INSERT INTO customers (id, email, credit) VALUES (10, $1, 987654321234567)",
        NEW,
    ),
    change(
        "insert-wrong-type",
        "INSERT INTO customers (id, email, born) VALUES (10, $1, 98765432)",
        NEW,
    ),
    change(
        "insert-int-into-json", "INSERT INTO customers (id, email, profile) VALUES (10, $1, 98765432)", NEW
    ),
    change(
        "insert-numeric-into-int",
        "INSERT INTO customers (id, email, visits) VALUES (10, $1, 731100000.5)",
        NEW,
    ),
    change("insert-int-into-text", "INSERT INTO customers (id, email) VALUES (10, 98765432)"),
    change(
        "insert-boolean-into-text",
        "INSERT INTO customers (id, email) VALUES (10, true)",
    ),
    change(
        "insert-boolean-parameter-into-text", "INSERT INTO customers (id, email) VALUES (10, $1::bool)", True
    ),
    change(
        "insert-json-into-jsonb",
        "INSERT INTO customers (id, email, profile) VALUES (10, $1, $2::json)",
        NEW,
        '{"b": "xq7mark",  "a": 1, "a": 2}',
    ),
    change(
        "insert-types-into-text",
        "INSERT INTO customers (id, email, iban, phone) VALUES (10, $1::uuid, date '1847-03-04', 98765432.50)",
        "98765432-0000-4000-8000-00000000000a",
    ),
    change("insert-unknown-column", "INSERT INTO customers (id, e_mail) VALUES (10, 'xq7mark')"),
    change(
        "insert-more-values",
        "INSERT INTO customers (id, email) VALUES (10, 'xq7mark', 'xq7mark')",
    ),
    change(
        "insert-duplicate-column",
        "INSERT INTO customers (id, email, email) VALUES (10, 'xq7mark', 'xq7mark')",
    ),
    change(
        "insert-array-constructor",
        "INSERT INTO customers (id, email, tags) VALUES (10, $1, ARRAY['xq7mark', 'b'])",
        NEW,
    ),
    change(
        "insert-array-constructors",
        """INSERT INTO customers (id, email, tags) VALUES (10, 'a.xq7mark', ARRAY['xq7mark ,"\\{}', NULL, 'null', '']), (11, 'b.xq7mark', ARRAY[]::text[]), (12, 'c.xq7mark', ARRAY['xq7mark'::text, E'\\n']::varchar(4)[]), (13, 'd.xq7mark', ARRAY[98765432, 1.50]), (14, 'e.xq7mark', ARRAY[NULL]::text[])""",
    ),
    change(
        "update-array-constructor",
        "UPDATE customers SET tags = CASE WHEN id = 1 THEN ARRAY['xq7mark'] ELSE tags END",
    ),
    change(
        "insert-array-of-arrays",
        "INSERT INTO customers (id, email, tags) VALUES (10, 'a.xq7mark', ARRAY[ARRAY['xq7mark'], ARRAY['b']])",
        refused="type-refused",
    ),
    change(
        "insert-array-computed",
        "INSERT INTO customers (id, email, tags) VALUES (10, 'a.xq7mark', ARRAY[lower('xq7mark'), 'b'])",
        refused="value-computed",
    ),
    change(
        "insert-array-of-parameters",
        "INSERT INTO customers (id, email, tags) VALUES (10, $1, ARRAY[$2, $3])",
        NEW,
        'xq7mark ,"\\{}',
        "c",
    ),
    change(
        "insert-arrays-of-parameters",
        "INSERT INTO customers (id, email, tags) VALUES (10, $1, ARRAY[$2, $3]::text[]), ($4, $5, ARRAY[$6])",
        NEW,
        "xq7mark",
        None,
        11,
        "b.xq7mark",
        "d",
    ),
    change(
        "update-array-of-parameters",
        "UPDATE customers SET tags = ARRAY[$1::text, $2]::varchar(7)[] WHERE id = $3 OR tags IS NULL",
        "xq7mark cut",
        "",
        1,
    ),
    change(
        "insert-array-of-parameters-and-constants",
        "INSERT INTO customers (id, email, tags) VALUES (10, $1, ARRAY[$2, 'xq7mark'])",
        NEW,
        "c",
        refused="type-refused",
        ways=PARAMETERS,
    ),
    change(
        "insert-parameter-twice",
        "INSERT INTO customers (id, email, name) VALUES (10, $1, $1)",
        "twice",
        refused="",
    ),
    change(
        "insert-scalar-subquery",
        "INSERT INTO orders (id, email, total) VALUES (10, (SELECT email FROM customers WHERE id = 1), 1)",
        look=ORDERS,
    ),
    change(
        "conflict-nothing", "INSERT INTO customers (id, email) VALUES (10, $1) ON CONFLICT DO NOTHING", ADA
    ),
    change(
        "conflict-nothing-target",
        "INSERT INTO customers (id, email) VALUES (10, $1) ON CONFLICT (email) DO NOTHING",
        ADA,
    ),
    change(
        "conflict-constraint",
        "INSERT INTO customers (id, email) VALUES (10, $1) ON CONFLICT ON CONSTRAINT customers_email_key DO NOTHING",
        ADA,
    ),
    change(
        "conflict-update-excluded",
        "INSERT INTO customers (id, email, iban, name) VALUES (10, $1, $2, $3) ON CONFLICT (email) DO UPDATE SET iban = excluded.iban, name = excluded.name",
        ADA,
        "xq7mark",
        "Again",
    ),
    change(
        "conflict-update-value",
        "INSERT INTO customers (id, email) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET email = $2",
        NEW,
        LATER,
    ),
    change(
        "conflict-update-literal",
        "INSERT INTO customers (id, email) VALUES (1, 'x.xq7mark') ON CONFLICT (id) DO UPDATE SET email = 'y.xq7mark', name = 'Y'",
    ),
    change(
        "conflict-update-where",
        "INSERT INTO customers (id, email) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET email = excluded.email WHERE customers.email = $2",
        NEW,
        ADA,
    ),
    change(
        "conflict-update-where-not",
        "INSERT INTO customers (id, email) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET email = excluded.email WHERE customers.email <> $2",
        NEW,
        ADA,
    ),
    change(
        "conflict-update-row",
        "INSERT INTO customers (id, email, phone) VALUES (1, $1, $2) ON CONFLICT (id) DO UPDATE SET (email, phone) = (excluded.email, excluded.phone)",
        NEW,
        "+98765432 9",
    ),
    change(
        "conflict-returning",
        "INSERT INTO customers (id, email) VALUES (10, $1) ON CONFLICT (email) DO UPDATE SET name = 'again' RETURNING id, email, (xmax <> 0) AS updated",
        ADA,
    ),
)
