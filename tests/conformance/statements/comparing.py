"""Comparisons: what deterministic columns can, what randomized ones cannot, and what neither can."""

from tests.conformance.statements.model import case
from tests.conformance.statements.reading import ADA, BOB

CASES = (
    case("equal", "SELECT id FROM customers WHERE email = $1", ADA),
    case("equal-or-none-given", "SELECT id FROM customers WHERE $1::text IS NULL OR email = $1", ADA),
    case("equal-or-null-given", "SELECT id FROM customers WHERE $1::text IS NULL OR email = $1", None),
    case(
        "equal-or-none-of-a-list-given",
        "SELECT id FROM customers WHERE $1::text[] IS NULL OR email = ANY($1::text[])",
        "{ada.xq7mark@example.org}",
    ),
    case(
        "equal-randomized-or-none-given",
        "SELECT id FROM customers WHERE $1::text IS NULL OR iban = $1",
        "xq7mark",
        refused="comparison-refused",
    ),
    case("equal-or-empty", "SELECT id FROM customers WHERE $1 = '' OR email = $1", ADA),
    case(
        "equal-or-empty-given",
        "SELECT id FROM customers WHERE $1::text = '' OR email = $1",
        "",
    ),
    case(
        "equal-unless-another",
        "SELECT id FROM customers WHERE $1 <> $2 AND email IN ($1, $2) ORDER BY id",
        ADA,
        BOB,
    ),
    case("equal-reversed", "SELECT id FROM customers WHERE $1 = email", ADA),
    case("equal-literal", "SELECT id FROM customers WHERE email = 'ada.xq7mark@example.org'"),
    case("equal-nothing", "SELECT id FROM customers WHERE email = $1", "nobody.xq7mark@example.org"),
    case("equal-null", "SELECT id FROM customers WHERE email = $1", None),
    case("equal-cast-parameter", "SELECT id FROM customers WHERE email = $1::text", ADA),
    case("equal-varchar-parameter", "SELECT id FROM customers WHERE email = $1::varchar", ADA),
    case("equal-cast-literal", "SELECT id FROM customers WHERE email = 'bob.xq7mark@example.org'::text"),
    case(
        "equal-typed-literal",
        "SELECT id FROM customers WHERE ref = uuid '98765432-0000-4000-8000-000000000001'",
    ),
    case("equal-cast-column", "SELECT id FROM customers WHERE email::text = $1", ADA),
    case("equal-escape-literal", r"SELECT id FROM customers WHERE email = E'ada.xq7mark\u0040example.org'"),
    case("equal-unicode-literal", r"SELECT id FROM customers WHERE email = U&'ada.xq7mark\0040example.org'"),
    case("equal-dollar-literal", "SELECT id FROM customers WHERE email = $q$ada.xq7mark@example.org$q$"),
    case("equal-continued-literal", "SELECT id FROM customers WHERE email = 'ada.xq7mark'\n'@example.org'"),
    case("equal-int", "SELECT id FROM customers WHERE visits = $1", 731100001),
    case("equal-int-literal", "SELECT id FROM customers WHERE visits = 731100001"),
    case(
        "equal-int-sum", "SELECT id FROM customers WHERE visits = 731100000 + 1", refused="comparison-refused"
    ),
    case("equal-int-as-text", "SELECT id FROM customers WHERE visits = '731100001'"),
    case("equal-bigint", "SELECT id FROM customers WHERE visits = $1::bigint", 731100001),
    case(
        "equal-too-large-int",
        "SELECT id FROM customers WHERE visits = 7311000010000",
    ),
    case("equal-uuid", "SELECT id FROM customers WHERE ref = $1", "98765432-0000-4000-8000-000000000002"),
    case(
        "equal-uuid-other-spelling",
        "SELECT id FROM customers WHERE ref = '{98765432000040008000000000000002}'",
    ),
    case("equal-timestamp", "SELECT id FROM customers WHERE seen = $1", "1847-01-02 10:00+00"),
    case("equal-timestamp-other-zone", "SELECT id FROM customers WHERE seen = '1847-01-02 12:00:00+02'"),
    case("equal-varchar", "SELECT id FROM customers WHERE phone = $1", "+98765432 2"),
    case(
        "equal-longer-than-varchar",
        "SELECT id FROM customers WHERE phone = $1",
        "+98765432 2 and much longer than that",
    ),
    case("not-equal", "SELECT id FROM customers WHERE email <> $1", ADA),
    case("not-equal-bang", "SELECT id FROM customers WHERE email != $1", ADA),
    case("not", "SELECT id FROM customers WHERE NOT (email = $1)", ADA),
    case(
        "and-or",
        "SELECT id FROM customers WHERE (email = $1 OR phone = $2) AND age > $3",
        ADA,
        "+98765432 2",
        30,
    ),
    case("in-list", "SELECT id FROM customers WHERE email IN ($1, $2)", ADA, BOB),
    case(
        "in-list-literals", "SELECT id FROM customers WHERE email IN ('ada.xq7mark@example.org', 'x.xq7mark')"
    ),
    case("in-list-one", "SELECT id FROM customers WHERE email IN ($1)", ADA),
    case("not-in-list", "SELECT id FROM customers WHERE email NOT IN ($1, $2)", ADA, BOB),
    case(
        "in-list-null",
        "SELECT id FROM customers WHERE phone IN ($1, NULL)",
        "+98765432 2",
    ),
    case(
        "any-array",
        "SELECT id FROM customers WHERE email = ANY ($1)",
        "{ada.xq7mark@example.org,bob.xq7mark@example.org}",
    ),
    case(
        "any-array-cast",
        "SELECT id FROM customers WHERE email = ANY ($1::text[])",
        "{ada.xq7mark@example.org,bob.xq7mark@example.org}",
    ),
    case("any-array-literal", "SELECT id FROM customers WHERE email = ANY ('{ada.xq7mark@example.org}')"),
    case("any-array-constructor", "SELECT id FROM customers WHERE email = ANY (ARRAY[$1, $2])", ADA, BOB),
    case(
        "all-array", "SELECT id FROM customers WHERE email <> ALL ($1::text[])", "{ada.xq7mark@example.org}"
    ),
    case("any-int-array", "SELECT id FROM customers WHERE visits = ANY ($1::int[])", "{731100001,731100002}"),
    case("is-null", "SELECT id FROM customers WHERE iban IS NULL"),
    case("is-not-null", "SELECT id FROM customers WHERE credit IS NOT NULL"),
    case("isnull", "SELECT id FROM customers WHERE phone ISNULL"),
    case("distinct-from", "SELECT id FROM customers WHERE phone IS DISTINCT FROM $1", "+98765432 2"),
    case("not-distinct-from", "SELECT id FROM customers WHERE phone IS NOT DISTINCT FROM $1", "+98765432 2"),
    case("not-distinct-from-null", "SELECT id FROM customers WHERE phone IS NOT DISTINCT FROM NULL"),
    case("row-equal", "SELECT id FROM customers WHERE (email, name) = ($1, $2)", ADA, "Ada"),
    case("row-in", "SELECT id FROM customers WHERE (email, phone) IN (($1, $2))", ADA, "+98765432 1"),
    case("columns-of-one-key", "SELECT c.id FROM customers c, orders o WHERE c.email = o.email AND o.id = 1"),
    case("comparison-in-output", "SELECT id, email = $1 FROM customers", ADA),
    case("group-by", "SELECT phone, count(*) FROM customers GROUP BY phone"),
    case("group-by-position", "SELECT email, count(*) FROM orders GROUP BY 1"),
    case("group-by-having", "SELECT phone FROM customers GROUP BY phone HAVING count(*) > 1"),
    case(
        "group-by-having-value",
        "SELECT phone, count(*) FROM customers GROUP BY phone HAVING phone = $1",
        "+98765432 2",
    ),
    case("group-by-plain", "SELECT city, count(email), count(DISTINCT phone) FROM customers GROUP BY city"),
    case("group-by-rollup", "SELECT phone, count(*) FROM customers GROUP BY ROLLUP (phone)"),
    case(
        "group-by-key-of-table",
        "SELECT c.id, c.email, count(o.id) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id",
    ),
    case("distinct", "SELECT DISTINCT phone FROM customers"),
    case("distinct-on", "SELECT DISTINCT ON (phone) phone FROM customers"),
    case("distinct-rows", "SELECT DISTINCT phone, city FROM customers"),
    case("count", "SELECT count(*), count(email), count(iban), count(DISTINCT phone) FROM customers"),
    case("count-filter", "SELECT count(*) FILTER (WHERE email = $1) FROM customers", ADA),
    case("array-agg", "SELECT city, array_agg(email ORDER BY id) FROM customers GROUP BY city"),
    case("window-partition", "SELECT id, count(*) OVER (PARTITION BY phone) FROM customers"),
    case("window-row-number", "SELECT email, row_number() OVER (ORDER BY id) FROM customers"),
    case(
        "window-named",
        "SELECT email, rank() OVER w FROM customers WINDOW w AS (PARTITION BY city ORDER BY id)",
    ),
    case("window-lag", "SELECT id, lag(email) OVER (ORDER BY id) FROM customers"),
    case(
        "window-first-value",
        "SELECT id, first_value(email) OVER (PARTITION BY city ORDER BY id) FROM customers",
    ),
    case("unnest", "SELECT id, unnest(tags) FROM customers", refused="function-refused"),
    case(
        "array-length",
        "SELECT id, array_length(tags, 1), cardinality(tags) FROM customers",
        refused="function-refused",
    ),
    case("array-element", "SELECT tags[1] FROM customers", refused="function-refused"),
    case("num-nulls", "SELECT num_nulls(email, iban, phone) FROM customers"),
    # what the database cannot do with sealed values
    case("order-by", "SELECT email FROM customers ORDER BY email", refused="order-refused"),
    case("order-by-alias", "SELECT email AS e FROM customers ORDER BY e", refused="order-refused"),
    case("order-by-protected-position", "SELECT email FROM customers ORDER BY 1", refused="order-refused"),
    case("min", "SELECT min(email) FROM customers", refused="function-refused"),
    case("max", "SELECT max(visits) FROM customers", refused="function-refused"),
    case("sum", "SELECT sum(credit) FROM customers", refused="function-refused"),
    case("string-agg", "SELECT string_agg(email, ',') FROM customers", refused="function-refused"),
    case(
        "like", "SELECT id FROM customers WHERE email LIKE $1", "ada.xq7mark%", refused="comparison-refused"
    ),
    case("ilike", "SELECT id FROM customers WHERE email ILIKE 'ada.xq7mark%'", refused="comparison-refused"),
    case(
        "similar",
        "SELECT id FROM customers WHERE email SIMILAR TO 'ada.xq7mark%'",
        refused="comparison-refused",
    ),
    case(
        "regular-expression",
        "SELECT id FROM customers WHERE email ~ $1",
        "xq7mark",
        refused="comparison-refused",
    ),
    case("less", "SELECT id FROM customers WHERE visits < $1", 731100002, refused="comparison-refused"),
    case(
        "greater-literal", "SELECT id FROM customers WHERE visits > 731100001", refused="comparison-refused"
    ),
    case(
        "between",
        "SELECT id FROM customers WHERE born BETWEEN '1847-01-01' AND '1847-12-31'",
        refused="comparison-refused",
    ),
    case(
        "starts-with",
        "SELECT id FROM customers WHERE starts_with(email, 'ada.xq7mark')",
        refused="function-refused",
    ),
    case("lower", "SELECT lower(email) FROM customers", refused="function-refused"),
    case(
        "lower-compared",
        "SELECT id FROM customers WHERE lower(email) = lower($1)",
        ADA,
        refused="function-refused",
    ),
    case(
        "upper-compared",
        "SELECT id FROM customers WHERE upper(email::text) = upper($1)",
        ADA,
        refused="function-refused",
    ),
    case("length", "SELECT length(email) FROM customers", refused="function-refused"),
    case("concatenated", "SELECT email || '!' FROM customers", refused="comparison-refused"),
    case("arithmetic", "SELECT visits + 1 FROM customers", refused="comparison-refused"),
    case("extract", "SELECT extract(year FROM born) FROM customers", refused="function-refused"),
    case("json-arrow", "SELECT profile -> 'likes' FROM customers", refused="comparison-refused"),
    case("json-text-arrow", "SELECT profile ->> 'likes' FROM customers", refused="comparison-refused"),
    case(
        "json-contains",
        'SELECT id FROM customers WHERE profile @> \'{"likes": "xq7mark tea"}\'',
        refused="comparison-refused",
    ),
    case(
        "array-contains", "SELECT id FROM customers WHERE tags @> '{xq7mark-a}'", refused="comparison-refused"
    ),
    case(
        "any-of-tags",
        "SELECT id FROM customers WHERE $1 = ANY (tags)",
        "xq7mark-a",
        refused="comparison-refused",
    ),
    case(
        "randomized-equal",
        "SELECT id FROM customers WHERE iban = $1",
        "DE xq7mark 0001",
        refused="comparison-refused",
    ),
    case(
        "randomized-in",
        "SELECT id FROM customers WHERE iban IN ('DE xq7mark 0001')",
        refused="comparison-refused",
    ),
    case(
        "randomized-group-by",
        "SELECT iban, count(*) FROM customers GROUP BY iban",
        refused="comparison-refused",
    ),
    case("randomized-distinct", "SELECT DISTINCT iban FROM customers", refused="comparison-refused"),
    case(
        "randomized-count-distinct",
        "SELECT count(DISTINCT iban) FROM customers",
        refused="comparison-refused",
    ),
    case(
        "randomized-union",
        "SELECT iban FROM customers UNION SELECT iban FROM customers",
        refused="comparison-refused",
    ),
    case(
        "across-keys",
        "SELECT c.id FROM customers c JOIN orders o ON o.card = c.email",
        refused="comparison-refused",
    ),
    case(
        "with-plain-column",
        "SELECT c.id FROM customers c JOIN contacts k ON k.email = c.email",
        refused="comparison-refused",
    ),
    case(
        "with-plain-function",
        "SELECT id FROM customers WHERE email = lower($1)",
        "ADA.xq7mark",
        refused="comparison-refused",
    ),
    case(
        "with-subquery-of-plain",
        "SELECT id FROM customers WHERE email IN (SELECT email FROM contacts)",
        refused="comparison-refused",
    ),
    case(
        "collated", 'SELECT id FROM customers WHERE email COLLATE "C" = $1', ADA, refused="function-refused"
    ),
)
