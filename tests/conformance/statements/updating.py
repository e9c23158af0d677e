"""More changes: UPDATE, DELETE and MERGE; INSERT is in ``writing.py``."""

from tests.conformance.statements.model import PARAMETERS
from tests.conformance.statements.reading import ADA, BOB
from tests.conformance.statements.writing import NEW, ORDERS, change

CASES = (
    change("update", "UPDATE customers SET email = $1 WHERE id = $2", NEW, 1),
    change("update-by-value", "UPDATE customers SET email = $1 WHERE email = $2", NEW, BOB),
    change("update-literal", "UPDATE customers SET iban = 'xq7mark 9', phone = '+98765432' WHERE id = 2"),
    change("update-null", "UPDATE customers SET iban = NULL, born = $1", None),
    change("update-default", "UPDATE customers SET iban = DEFAULT, name = DEFAULT WHERE id = 1"),
    change(
        "update-cast",
        "UPDATE customers SET email = $1::text, born = $2::date WHERE id = $3::int",
        NEW,
        "1847-09-09",
        2,
    ),
    change("update-row", "UPDATE customers SET (email, name) = ($1, $2) WHERE id = 1", NEW, "N"),
    change(
        "update-row-subquery",
        "UPDATE orders SET (email, note) = (SELECT email, name FROM customers WHERE id = 2) WHERE id = 1",
        look=ORDERS,
    ),
    change("update-alias", "UPDATE customers AS c SET email = $1 WHERE c.email = $2", NEW, BOB),
    change(
        "update-from",
        "UPDATE orders o SET email = c.email FROM customers c WHERE c.id = o.customer_id",
        look=ORDERS,
    ),
    change(
        "update-from-values",
        "UPDATE customers SET iban = v.iban FROM (VALUES (1, 'xq7mark a'), (2, 'xq7mark b')) v (id, iban) WHERE customers.id = v.id",
    ),
    change(
        "update-from-values-parameters",
        "UPDATE customers SET iban = v.iban FROM (VALUES ($1::int, $2::text)) v (id, iban) WHERE customers.id = v.id",
        1,
        "xq7mark a",
    ),
    change(
        "update-from-unnest",
        "UPDATE customers SET iban = v.iban FROM unnest($1::int[], $2::text[]) v (id, iban) WHERE customers.id = v.id",
        "{1,2}",
        "{xq7mark a,xq7mark b}",
    ),
    change(
        "update-case",
        "UPDATE customers SET iban = CASE WHEN id = 1 THEN $1 WHEN id = 2 THEN $2 ELSE iban END WHERE id IN (1, 2)",
        "xq7mark a",
        "xq7mark b",
    ),
    change(
        "update-case-cast",
        "UPDATE customers SET iban = CASE WHEN (id = $1) THEN $2 WHEN (id = $3) THEN $4 ELSE NULL END::text WHERE id IN ($1, $3)",
        1,
        "xq7mark a",
        2,
        "xq7mark b",
    ),
    change(
        "update-subquery",
        "UPDATE orders SET email = (SELECT c.email FROM customers c WHERE c.id = orders.customer_id) WHERE id = 1",
        look=ORDERS,
    ),
    change(
        "update-case-of-null",
        "UPDATE customers SET iban = CASE WHEN $1::text IS NOT NULL THEN $1 ELSE iban END WHERE id = 1",
        "xq7mark z",
    ),
    change(
        "update-coalesce-nullif",
        "UPDATE customers SET email = coalesce(nullif($1, ''), email) WHERE id = 1",
        NEW,
        ways=PARAMETERS,
    ),
    change(
        "update-coalesce-nullif-empty",
        "UPDATE customers SET phone = coalesce(nullif($1, ''), phone) WHERE id = 1",
        "",
        ways=PARAMETERS,
    ),
    change(
        "update-nullif",
        "UPDATE customers SET phone = nullif($1, 'none') WHERE id = 1",
        "none",
        ways=PARAMETERS,
    ),
    change("update-coalesce", "UPDATE customers SET iban = coalesce($1, iban) WHERE id = 1", "xq7mark z"),
    change("update-coalesce-null", "UPDATE customers SET iban = coalesce($1, iban) WHERE id = 1", None),
    change("update-same-column", "UPDATE customers SET email = email"),
    change("update-returning", "UPDATE customers SET email = $1 WHERE id = 1 RETURNING id, email, iban", NEW),
    change(
        "update-returning-star", "UPDATE customers SET phone = $1 WHERE id = 1 RETURNING *", "+98765432 7"
    ),
    change("update-in", "UPDATE customers SET city = 'Rome' WHERE email IN ($1, $2)", ADA, BOB),
    change("update-view", "UPDATE people SET email = $1 WHERE id = 5", NEW),
    change(
        "update-view-by-value",
        "UPDATE people p SET email = $1 WHERE p.email = $2 RETURNING p.email, p.name",
        NEW,
        BOB,
    ),
    change("update-view-moves", "UPDATE people SET city = email", refused="value-moves"),
    change("delete-view", "DELETE FROM people WHERE email = $1 RETURNING id", "Ada.xq7mark@example.org"),
    change("update-partitioned", "UPDATE events SET email = $1 WHERE id = 1", BOB, look="TABLE events"),
    change("update-duplicate", "UPDATE customers SET email = $1 WHERE id = 2", ADA),
    change(
        "update-child-without-parent",
        "UPDATE orders SET email = $1 WHERE id = 1",
        "none.xq7mark",
        look=ORDERS,
    ),
    change("update-parent-with-children", "UPDATE customers SET email = $1 WHERE id = 4", "none.xq7mark"),
    change(
        "update-concatenates",
        "UPDATE customers SET email = email || $1",
        ".xq7mark",
        refused="comparison-refused",
    ),
    change("update-function", "UPDATE customers SET email = lower(email)", refused="function-refused"),
    change(
        "update-function-of-value",
        "UPDATE customers SET email = lower($1) WHERE id = 1",
        "ADA.xq7mark",
        refused="value-computed",
    ),
    change("update-increments", "UPDATE customers SET visits = visits + 1", refused="comparison-refused"),
    change("update-now", "UPDATE customers SET seen = now()", refused="value-computed"),
    change("delete", "DELETE FROM customers WHERE email = $1", "Ada.xq7mark@example.org"),
    change("delete-literal", "DELETE FROM orders WHERE card = 'card xq7mark 1'", look=ORDERS),
    change("delete-in", "DELETE FROM orders WHERE email IN ($1, $2)", ADA, BOB, look=ORDERS),
    change(
        "delete-using",
        "DELETE FROM orders o USING customers c WHERE o.email = c.email AND c.name = 'Bob'",
        look=ORDERS,
    ),
    change(
        "delete-subquery",
        "DELETE FROM orders WHERE email IN (SELECT email FROM customers WHERE name = 'Ada')",
        look=ORDERS,
    ),
    change(
        "delete-returning", "DELETE FROM orders WHERE email = $1 RETURNING id, email, card", BOB, look=ORDERS
    ),
    change("delete-returning-star", "DELETE FROM orders WHERE id = 1 RETURNING *", look=ORDERS),
    change("delete-all", "DELETE FROM orders", look=ORDERS),
    change("delete-parent", "DELETE FROM customers WHERE email = $1", "dee.xq7mark@example.org"),
    change(
        "cte-insert",
        "WITH n AS (INSERT INTO customers (id, email) VALUES (10, $1) RETURNING id, email) INSERT INTO orders (id, customer_id, email, total) SELECT 10, id, email, 1 FROM n",
        NEW,
        look=ORDERS,
    ),
    change(
        "cte-update",
        "WITH u AS (UPDATE customers SET email = $1 WHERE id = 1 RETURNING email) SELECT email FROM u",
        NEW,
    ),
    change(
        "cte-delete",
        "WITH d AS (DELETE FROM orders WHERE email = $1 RETURNING *) SELECT id, email, card FROM d",
        BOB,
        look=ORDERS,
    ),
    change(
        "cte-move",
        "WITH d AS (DELETE FROM events WHERE id = 1 RETURNING *) INSERT INTO events SELECT id + 1, kind, email FROM d WHERE false",
        look="TABLE events",
    ),
    change(
        "merge",
        "MERGE INTO customers c USING (VALUES ($1, $2)) v (email, name) ON c.email = v.email WHEN MATCHED THEN UPDATE SET name = v.name WHEN NOT MATCHED THEN INSERT (id, email, name) VALUES (10, v.email, v.name)",
        NEW,
        "N",
    ),
    change(
        "merge-matched",
        "MERGE INTO customers c USING (SELECT $1::text AS email, $2::text AS name) v ON c.email = v.email WHEN MATCHED THEN UPDATE SET name = v.name WHEN NOT MATCHED THEN INSERT (id, email, name) VALUES (10, v.email, v.name)",
        ADA,
        "N",
    ),
    change(
        "merge-tables",
        "MERGE INTO orders o USING customers c ON o.customer_id = c.id WHEN MATCHED AND c.name = 'Bob' THEN DELETE WHEN MATCHED THEN UPDATE SET email = c.email WHEN NOT MATCHED THEN INSERT (id, customer_id, email, total) VALUES (c.id + 100, c.id, c.email, 0)",
        look=ORDERS,
    ),
    change("truncate", "TRUNCATE orders", look=ORDERS),
    change("lock", "LOCK TABLE customers IN SHARE MODE"),
)
