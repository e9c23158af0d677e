"""What other gateways let through: each line was plaintext in the database, or a wrong result, of a peer.

Sources: Acra's documentation and tracker, CipherStash Proxy's changelog. What matters is not only the answer
but that no marker is found in the server's log and files afterwards.
"""

from tests.conformance.statements.model import TEXT_ONLY, case, script
from tests.conformance.statements.reading import ADA

NEW = "leak.xq7mark@example.org"

CASES = (
    script("acra-unparsed-sql", "SELECT email FROM customers WHERE email = 'xq7mark' AND"),
    script(
        "acra-unparsed-new-syntax", "INSERT INTO customers (id, email) VALUES (40, 'xq7mark') NOT ENFORCED"
    ),
    script(
        "acra-cast-in-values",
        ("INSERT INTO customers (id, email) VALUES (40, $1::varchar)", NEW),
        "SELECT email FROM customers WHERE id = 40",
    ),
    script(
        "acra-cast-in-set",
        ("UPDATE customers SET email = $1::varchar WHERE id = 1", NEW),
        "SELECT email FROM customers WHERE id = 1",
    ),
    script(
        "acra-cast-function",
        ("UPDATE customers SET email = CAST($1 AS varchar) WHERE id = 1", NEW),
        "SELECT email FROM customers WHERE id = 1",
    ),
    case(
        "acra-function-in-values",
        "INSERT INTO customers (id, email) VALUES (40, lower($1))",
        NEW,
        refused="value-computed",
    ),
    case(
        "acra-concatenation-in-values",
        "INSERT INTO customers (id, email) VALUES (40, $1 || '@example.org')",
        "xq7mark",
        refused="value-computed",
    ),
    case(
        "acra-function-in-set",
        "UPDATE customers SET email = trim($1) WHERE id = 1",
        NEW,
        refused="value-computed",
    ),
    case(
        "acra-format-in-set",
        "UPDATE customers SET email = format('%s', $1::text) WHERE id = 1",
        NEW,
        refused="value-computed",
    ),
    script(
        "acra-on-conflict-prepared",
        (
            "INSERT INTO customers (id, email) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET email = $3",
            1,
            NEW,
            "set.xq7mark",
        ),
        "SELECT email FROM customers WHERE id = 1",
    ),
    script(
        "acra-cte-insert",
        ("WITH i AS (INSERT INTO customers (id, email) VALUES (40, $1) RETURNING id) SELECT id FROM i", NEW),
        "SELECT email FROM customers WHERE id = 40",
    ),
    script(
        "acra-cte-update",
        ("WITH i AS (UPDATE customers SET email = $1 WHERE id = 1) SELECT 1", NEW),
        "SELECT email FROM customers WHERE id = 1",
    ),
    script(
        "acra-second-statement",
        "SELECT 1; INSERT INTO customers (id, email) VALUES (40, 'leak.xq7mark')",
        "SELECT email FROM customers WHERE id = 40",
        ways=TEXT_ONLY,
    ),
    script(
        "acra-second-statement-refused",
        "SELECT 1; INSERT INTO customers (id, email) VALUES (40, lower('LEAK.xq7mark'))",
        refused="value-computed",
        ways=TEXT_ONLY,
    ),
    script(
        "acra-same-name-in-other-schema",
        ("INSERT INTO archive.customers (id, email) VALUES (40, $1)", "plain@example.org"),
        "SELECT email FROM archive.customers",
        ("SELECT id FROM archive.customers WHERE email = $1", "plain@example.org"),
    ),
    script(
        "acra-same-name-joined",
        "SELECT a.email, c.email FROM archive.customers a JOIN public.customers c USING (id)",
    ),
    script(
        "acra-schema-qualified",
        ("INSERT INTO public.customers (id, email) VALUES (40, $1)", NEW),
        "SELECT email FROM public.customers WHERE id = 40",
    ),
    case("acra-search-with-cast", "SELECT id FROM customers WHERE email = $1::text", ADA),
    case(
        "acra-search-with-varchar-cast",
        "SELECT id, email FROM customers WHERE email = CAST($1 AS varchar)",
        ADA,
    ),
    case("acra-table-alias", "SELECT x.email, x.iban FROM customers x"),
    case("acra-in-list", "SELECT id FROM customers WHERE email IN ($1, $2)", ADA, "xq7mark"),
    case("acra-returning", "UPDATE customers SET name = 'x' WHERE email = $1 RETURNING email", ADA),
    script(
        "acra-select-into-values",
        ("INSERT INTO customers (id, email) SELECT 40, $1", NEW),
        "SELECT email FROM customers WHERE id = 40",
    ),
    script(
        "acra-select-literal",
        "INSERT INTO customers (id, email) SELECT 40, 'leak.xq7mark'",
        "SELECT email FROM customers WHERE id = 40",
    ),
    script(
        "cipherstash-upsert",
        (
            "INSERT INTO customers (id, email) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET email = 'set.xq7mark'",
            NEW,
        ),
        "SELECT email FROM customers WHERE id = 1",
    ),
    case(
        "cipherstash-upsert-function",
        "INSERT INTO customers (id, email) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET email = lower(excluded.email)",
        NEW,
        refused="function-refused",
    ),
    case("cipherstash-null-selector", "SELECT profile -> NULL FROM customers", refused="comparison-refused"),
    case(
        "cipherstash-chained-selectors",
        "SELECT profile -> 'a' ->> 'b' FROM customers",
        refused="comparison-refused",
    ),
    case(
        "cipherstash-selector-parameter",
        "SELECT profile -> $1 FROM customers",
        "likes",
        refused="comparison-refused",
    ),
    case("cipherstash-unknown-function", "SELECT shout(email) FROM customers", refused="function-refused"),
    case(
        "cipherstash-unknown-function-of-value",
        "SELECT id FROM customers WHERE email = shout($1)",
        "xq7mark",
        refused="comparison-refused",
    ),
    script("cipherstash-unknown-type", "SELECT email::point FROM customers", refused="function-refused"),
    script(
        "cipherstash-ddl-in-transaction",
        "ALTER TABLE customers RENAME TO c2",
        "INSERT INTO c2 (id, email) VALUES (40, 'leak.xq7mark')",
        "SELECT email FROM c2 WHERE id = 40",
        ways=TEXT_ONLY,
    ),
    # moves of a value to where it is not, or is otherwise, protected
    case(
        "moves-to-plain-table",
        "INSERT INTO contacts (id, email) SELECT id + 100, email FROM customers",
        refused="value-moves",
    ),
    case("moves-to-plain-column", "UPDATE customers SET name = email", refused="value-moves"),
    case("moves-to-other-key", "UPDATE orders SET card = email", refused="value-moves"),
    case("moves-from-plain-column", "UPDATE customers SET email = name", refused="value-computed"),
    case(
        "moves-from-plain-table",
        "INSERT INTO customers (id, email) SELECT id + 100, email FROM contacts",
        refused="value-computed",
    ),
    case(
        "moves-by-returning",
        "WITH d AS (DELETE FROM events RETURNING email) INSERT INTO contacts (id, email) SELECT 50, email FROM d",
        refused="value-moves",
    ),
    case(
        "moves-by-case",
        "UPDATE customers SET name = CASE WHEN id = 1 THEN email ELSE name END",
        refused="value-moves",
    ),
    case("moves-by-array", "SELECT ARRAY[email, name] FROM customers", refused="value-moves"),
    case("moves-by-row", "SELECT ROW(email, name) FROM customers", refused="function-refused"),
    script(
        "parameter-in-both",
        ("INSERT INTO customers (id, email, name) VALUES (40, $1, $1)", "both"),
        "SELECT email, name FROM customers WHERE id = 40",
    ),
    # code that cannot be seen into
    case("function-that-reads", "SELECT how_many()", refused="user-code-refused"),
    script(
        "do-block", "DO $$ BEGIN UPDATE customers SET email = 'xq7mark'; END $$", refused="user-code-refused"
    ),
    script(
        "do-block-dynamic",
        "DO $$ BEGIN EXECUTE 'UPDATE custo' || 'mers SET email = ''xq7mark'''; END $$",
        refused="user-code-refused",
    ),
    case(
        "query-to-xml",
        "SELECT query_to_xml('SELECT email FROM customers', true, true, '')",
        refused="user-code-refused",
    ),
    case("table-to-xml", "SELECT table_to_xml('customers', true, true, '')", refused="user-code-refused"),
    script(
        "trigger-made",
        "CREATE TRIGGER t BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION stamp()",
        refused="definition-refused",
        ways=TEXT_ONLY,
    ),
    script(
        "rule-made",
        "CREATE RULE r AS ON INSERT TO customers DO ALSO INSERT INTO contacts VALUES (90, new.email)",
        refused="construct-refused",
    ),
    script(
        "copy-query",
        "COPY (SELECT lower(email) FROM customers) TO STDOUT",
        refused="function-refused",
        ways=TEXT_ONLY,
    ),
    script("copy-to-file", "COPY customers TO '/tmp/never'", refused="construct-refused"),
    script("copy-from-program", "COPY customers FROM PROGRAM 'echo'", refused="construct-refused"),
)
