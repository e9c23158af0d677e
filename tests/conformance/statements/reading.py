"""Queries: what reads protected columns without asking much of them (names, joins, subqueries, sets)."""

from tests.conformance.statements.model import case, script

ADA = "ada.xq7mark@example.org"
BOB = "bob.xq7mark@example.org"

CASES = (
    case("star", "SELECT * FROM customers"),
    case("star-of-alias", "SELECT c.* FROM customers c"),
    case("star-of-schema-qualified", "SELECT public.customers.* FROM public.customers"),
    case("star-of-two", "SELECT * FROM customers c JOIN orders o ON o.customer_id = c.id"),
    case("star-of-using", "SELECT * FROM customers JOIN orders USING (email)"),
    case("star-of-natural-join", "SELECT * FROM (SELECT email FROM customers) a NATURAL JOIN orders"),
    case("column", "SELECT email FROM customers"),
    case("column-alias", 'SELECT email AS "E-Mail", c.iban bank FROM customers c'),
    case("column-qualified", "SELECT customers.email, public.customers.email FROM customers"),
    case("column-of-database", "SELECT shop.public.customers.email FROM public.customers"),
    case("quoted-names", 'SELECT "c"."email" FROM "public"."customers" AS "c"'),
    case("upper-case", "SELECT EMAIL FROM CUSTOMERS"),
    case("table-alias-with-columns", "SELECT a, b FROM customers AS c (a, b)"),
    case("only", "SELECT email FROM ONLY customers"),
    case("by-id", "SELECT email, iban FROM customers WHERE id = $1", 1),
    case(
        "every-type",
        "SELECT email, iban, phone, born, visits, credit, profile, tags, ref, seen FROM customers",
    ),
    case("order-by-plain", "SELECT email FROM customers ORDER BY id DESC"),
    case("order-by-position", "SELECT id, email FROM customers ORDER BY 1"),
    case("limit-offset", "SELECT email FROM customers ORDER BY id LIMIT $1 OFFSET $2", 2, 1),
    case("fetch-first", "SELECT email FROM customers ORDER BY id FETCH FIRST 2 ROWS ONLY"),
    case("distinct-on-plain", "SELECT DISTINCT ON (city) city, email FROM customers ORDER BY city, id"),
    case("for-update", "SELECT email FROM customers WHERE id = 1 FOR UPDATE"),
    case(
        "for-update-of",
        "SELECT c.email FROM customers c JOIN orders o ON o.customer_id = c.id FOR UPDATE OF c",
    ),
    case("for-update-skip-locked", "SELECT email FROM customers WHERE id = 1 FOR NO KEY UPDATE SKIP LOCKED"),
    case("inner-join", "SELECT c.email, o.total FROM customers c JOIN orders o ON c.id = o.customer_id"),
    case("left-join", "SELECT c.email, o.card FROM customers c LEFT JOIN orders o ON c.id = o.customer_id"),
    case("right-join", "SELECT c.email, o.card FROM customers c RIGHT JOIN orders o ON c.id = o.customer_id"),
    case("full-join", "SELECT c.email, o.card FROM customers c FULL JOIN orders o ON c.id = o.customer_id"),
    case("full-join-using", "SELECT email, o.card FROM customers FULL JOIN orders o USING (email)"),
    case("cross-join", "SELECT a.email, b.email FROM customers a CROSS JOIN customers b"),
    case("comma-join", "SELECT c.email FROM customers c, orders o WHERE o.customer_id = c.id"),
    case("join-within-key", "SELECT c.name, o.total FROM customers c JOIN orders o ON o.email = c.email"),
    case(
        "self-join",
        "SELECT a.id, b.id FROM customers a JOIN customers b ON a.phone = b.phone AND a.id <> b.id",
    ),
    case("join-alias", "SELECT j.total FROM (customers c JOIN orders o ON o.customer_id = c.id) AS j"),
    case("subquery-in-from", "SELECT s.email FROM (SELECT email, id FROM customers WHERE id < 3) s"),
    case("subquery-in-from-star", "SELECT * FROM (SELECT * FROM customers) s WHERE s.id = 2"),
    case("subquery-nested", "SELECT e FROM (SELECT x.email AS e FROM (SELECT email FROM customers) x) y"),
    case(
        "subquery-scalar",
        "SELECT o.id, (SELECT c.email FROM customers c WHERE c.id = o.customer_id) FROM orders o",
    ),
    case(
        "subquery-exists",
        "SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.email = c.email)",
    ),
    case(
        "subquery-not-exists",
        "SELECT name FROM customers c WHERE NOT EXISTS (SELECT FROM orders o WHERE o.email = c.email)",
    ),
    case("subquery-in", "SELECT name FROM customers WHERE email IN (SELECT email FROM orders)"),
    case(
        "subquery-not-in",
        "SELECT name FROM customers WHERE email NOT IN (SELECT email FROM orders WHERE email IS NOT NULL)",
    ),
    case(
        "subquery-any",
        "SELECT name FROM customers WHERE email = ANY (SELECT email FROM orders WHERE total > $1)",
        10,
    ),
    case(
        "subquery-equals", "SELECT name FROM customers WHERE email = (SELECT email FROM orders WHERE id = 3)"
    ),
    case("subquery-array", "SELECT ARRAY(SELECT email FROM customers ORDER BY id)"),
    case(
        "lateral",
        "SELECT c.name, l.card FROM customers c, LATERAL (SELECT card FROM orders o WHERE o.email = c.email) l",
    ),
    case(
        "lateral-left",
        "SELECT c.email, l.n FROM customers c LEFT JOIN LATERAL (SELECT count(*) AS n FROM orders o WHERE o.customer_id = c.id) l ON true",
    ),
    case("cte", "WITH c AS (SELECT id, email FROM customers) SELECT email FROM c WHERE id = 1"),
    case(
        "cte-with-columns",
        "WITH c (a, b) AS (SELECT id, email FROM customers) SELECT b FROM c WHERE b = $1",
        ADA,
    ),
    case(
        "cte-twice",
        "WITH c AS (SELECT id, email FROM customers) SELECT a.email FROM c a JOIN c b ON a.email = b.email",
    ),
    case("cte-chain", "WITH a AS (SELECT email FROM customers), b AS (SELECT email FROM a) SELECT * FROM b"),
    case("cte-materialized", "WITH c AS MATERIALIZED (SELECT email FROM customers) SELECT email FROM c"),
    case(
        "cte-shadows-table",
        "WITH customers AS (SELECT 1 AS id, 'nothing' AS email) SELECT email FROM customers",
    ),
    case(
        "cte-of-shadowed-table",
        "WITH customers AS (SELECT * FROM customers WHERE id = 1) SELECT email FROM customers",
    ),
    case(
        "cte-recursive",
        "WITH RECURSIVE r AS (SELECT id, email FROM customers WHERE id = 1 UNION ALL SELECT c.id, c.email FROM customers c JOIN r ON c.id = r.id + 1) SELECT * FROM r",
    ),
    case("union-all", "SELECT email FROM customers UNION ALL SELECT email FROM orders"),
    case("union", "SELECT email FROM customers UNION SELECT email FROM orders"),
    case("intersect", "SELECT email FROM customers INTERSECT SELECT email FROM orders"),
    case("except", "SELECT email FROM customers EXCEPT SELECT email FROM orders"),
    case("union-with-null", "SELECT email FROM customers UNION ALL SELECT NULL"),
    case("union-with-literal", "SELECT email FROM customers UNION ALL SELECT 'x.xq7mark'"),
    case("union-of-plain-columns", "SELECT name FROM customers UNION SELECT note FROM orders"),
    case(
        "union-order-by",
        "SELECT id, email FROM customers UNION ALL SELECT id, email FROM orders ORDER BY 1, 2",
        refused="order-refused",
    ),
    case(
        "union-across-keys",
        "SELECT email FROM customers UNION ALL SELECT card FROM orders",
        refused="value-moves",
    ),
    case(
        "union-with-plain",
        "SELECT email FROM customers UNION ALL SELECT name FROM customers",
        refused="value-moves",
    ),
    case("table-command", "TABLE customers"),
    case(
        "values-joined",
        "SELECT c.email, v.n FROM customers c JOIN (VALUES (1, 'one'), (2, 'two')) v (id, n) ON v.id = c.id",
    ),
    case("view", "SELECT * FROM people"),
    case("view-where", "SELECT name FROM people WHERE email = $1", ADA),
    case("view-joined", "SELECT p.email, o.card FROM people p JOIN orders o ON o.email = p.email"),
    case("partitioned", "SELECT id, email FROM events"),
    case("partition", "SELECT id, email FROM events_low"),
    case("partitioned-where", "SELECT id FROM events WHERE email = $1", ADA),
    case("partitioned-joined", "SELECT e.id, c.name FROM events e JOIN customers c USING (email)"),
    case("tableoid", "SELECT tableoid::regclass, email FROM events"),
    case(
        "system-columns",
        "SELECT ctid, email FROM customers WHERE id = 1",
    ),
    case("whole-row", "SELECT c FROM customers c", refused="function-refused"),
    case("whole-row-count", "SELECT count(c) FROM customers c"),
    case("row-to-json", "SELECT row_to_json(c) FROM customers c", refused="function-refused"),
    case("to-jsonb-of-column", "SELECT to_jsonb(email) FROM customers", refused="function-refused"),
    case("tablesample", "SELECT email FROM customers TABLESAMPLE SYSTEM (100)"),
    case("case-of-plain", "SELECT CASE WHEN age > 30 THEN 'old' ELSE 'young' END, email FROM customers"),
    case("case-of-protected", "SELECT CASE WHEN age > 30 THEN email END FROM customers"),
    case(
        "case-two-protected",
        "SELECT CASE WHEN c.age > 30 THEN c.email ELSE o.email END FROM customers c JOIN orders o ON o.customer_id = c.id",
    ),
    case("case-with-literal", "SELECT CASE WHEN age > 30 THEN email ELSE 'none.xq7mark' END FROM customers"),
    case("case-compares", "SELECT CASE email WHEN $1 THEN 'ada' ELSE 'other' END FROM customers", ADA),
    case("coalesce", "SELECT coalesce(email, $1) FROM orders", ADA),
    case(
        "coalesce-columns",
        "SELECT coalesce(o.email, c.email) FROM orders o LEFT JOIN customers c ON c.id = o.customer_id",
    ),
    case(
        "array-agg-of-arrays",
        "SELECT array_agg(tags) FROM customers WHERE id = 1",
        refused="function-refused",
    ),
    case("array-of-arrays", "SELECT ARRAY(SELECT tags FROM customers WHERE id = 1)", refused="value-moves"),
    case("array-agg-twice", "SELECT array_agg(email), array_agg(visits) FROM customers WHERE id = 1"),
    case(
        "array-constructor-in-any",
        "SELECT id FROM customers WHERE email = ANY(ARRAY['ada.xq7mark@example.org', $1])",
        ADA,
    ),
    case(
        "array-constructor-in-any-cast",
        "SELECT id FROM customers WHERE email = ANY(ARRAY['ada.xq7mark@example.org']::varchar[])",
    ),
    case(
        "group-by-key-and-randomized",
        "SELECT c.id, c.iban, c.born, count(o.id) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id, c.iban, c.born",
    ),
    case(
        "group-by-randomized",
        "SELECT name, iban FROM customers GROUP BY name, iban",
        refused="comparison-refused",
    ),
    case("nullif", "SELECT nullif(email, $1) FROM customers", ADA),
    case("cast-to-own-type", "SELECT email::text, born::date, visits::int FROM customers"),
    case(
        "cast-to-varchar",
        "SELECT email::varchar FROM customers",
    ),
    case(
        "cast-varchar-to-itself",
        "SELECT phone::varchar, phone::varchar(20), phone::text, credit::numeric, credit::numeric(14,2) FROM customers",
    ),
    case("cast-int-to-text", "SELECT visits::text FROM customers"),
    case(
        "cast-everything-to-text",
        "SELECT id, born::text, visits::varchar AS v, credit::text, profile::text, CAST(tags AS text), ref::text, seen::text FROM customers ORDER BY id",
    ),
    case(
        "cast-to-text-in-a-subquery",
        "SELECT DISTINCT x.v, count(x.v) FROM (SELECT visits::text AS v FROM customers) x GROUP BY x.v",
    ),
    case(
        "cast-to-text-compared",
        "SELECT id FROM customers WHERE visits::text = $1",
        "731100001",
        refused="comparison-refused",
    ),
    case(
        "cast-to-text-listed",
        "SELECT id FROM customers WHERE visits::text IN ('731100001', '1')",
        refused="comparison-refused",
    ),
    case(
        "cast-to-text-in-a-row",
        "SELECT id FROM customers WHERE ROW(visits::text) = ROW($1)",
        "731100001",
        refused="comparison-refused",
    ),
    case("cast-to-text-sorted", "SELECT visits::text FROM customers ORDER BY 1", refused="order-refused"),
    case(
        "cast-to-text-joined", "SELECT coalesce(visits::text, '') FROM customers", refused="function-refused"
    ),
    case(
        "cast-to-text-moved",
        "INSERT INTO contacts (id, email) SELECT id + 50, visits::text FROM customers",
        refused="value-moves",
    ),
    case("function-of-plain", "SELECT upper(name), email FROM customers"),
    case("now-and-column", "SELECT now() IS NOT NULL, email FROM customers"),
    # Without a condition there is one plan, whatever the statistics of either twin say.
    case("explain", "EXPLAIN (COSTS OFF) SELECT name FROM customers"),
    script("show-between", "SHOW search_path", "SELECT email FROM customers WHERE id = 1"),
)
