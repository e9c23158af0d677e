"""What a query gives: SELECT, VALUES, set operations, WITH, and subqueries in expressions."""

import pytest
from tests.sql.world import EMAIL, IBAN, NAME, one, shown

from strongroom.errors import (
    ComparisonRefused,
    ConstructRefused,
    Denied,
    FunctionRefused,
    OrderRefused,
    StatementTooComplex,
    UndefinedColumn,
    ValueMoves,
)
from strongroom.sql.queries import MAX_COLUMNS
from strongroom.sql.statement import Output

HOLE = "⟨public.customers.email⟩"


def outputs(text: str) -> tuple[Output, ...]:
    """The outputs of a query."""
    return one(text).outputs or ()


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("select * from customers", 6), ("select customers.* from customers", 6),
        ("select public.customers.* from customers", 6), ("select c.*, c.* from customers c", 12),
        ("table customers", 6), ("select c.*, o.* from customers c, orders o", 10),
        ("select * from customers c, orders o", 10), ("select * from customers natural join orders", 8),
        ("with c as (select * from customers) select * from c", 6), ("select * from customers c(a, b)", 6),
        ("(table customers) union all select * from customers", 6),
    ],
)  # fmt: skip
def test_a_star_is_spelled_out(text: str, columns: int) -> None:
    """With the columns of the snapshot, so that one swapped meanwhile does not change their order."""
    assert len(outputs(text)) == columns
    sent = shown(text)
    assert "*" not in sent.split("from c")[-1]
    assert '"email"' in sent or '"b"' in sent
    assert sent.lower().count("table customers") == 0


@pytest.mark.parametrize(
    "text",
    [
        "select * from customers c, orders c2, json_to_record('{}') j",
        "select *",
        "select * from customers, pg_class",
        "select j.* from customers c, json_each('{}') j",
        "select * from customers join (select 1::bigint id) t using (id) cross join (select 2 id) s",
    ],
)
def test_a_star_of_what_is_not_known_is_refused(text: str) -> None:
    """Nothing is sent whose columns were not looked at."""
    if text == "select *":
        assert shown(text) == text
        return
    with pytest.raises(ConstructRefused):
        one(text)


def test_the_star_of_exists_does_not_matter() -> None:
    """EXISTS (SELECT * ...) is sent as it is, and what is inside is analysed still."""
    text = "select id from plain where exists (select * from customers c where email = 'a')"
    assert f'(select * from "public".customers c where email = {HOLE})' in shown(text)
    with pytest.raises(ComparisonRefused):
        one("select id from plain where exists (select * from customers c where email < txt)")


def test_columns_are_bounded() -> None:
    """As many as PostgreSQL allows."""
    text = "select {} from customers"
    assert len(outputs(text.format(", ".join(["email"] * MAX_COLUMNS)))) == MAX_COLUMNS
    with pytest.raises(StatementTooComplex):
        one(text.format(", ".join(["email"] * (MAX_COLUMNS + 1))))


def test_set_operations() -> None:
    """One form for all arms; of no table's column; only UNION ALL does without comparison."""
    (output,) = outputs("select email from customers union all select 'a' union all select null")
    assert (output.protection, output.table_oid, output.name) == (EMAIL, 0, "email")
    assert outputs("select iban from customers union all select iban from customers")[0].protection == IBAN
    for operator in ("union", "intersect", "intersect all", "except", "except all"):
        text = f"select {{0}} from customers {operator} select {{0}} from customers"
        assert outputs(text.format("email"))[0].protection == EMAIL
        with pytest.raises(ComparisonRefused):
            one(text.format("iban"))


@pytest.mark.parametrize(
    "arms",
    [
        ("select email from customers", "select note from customers"),
        ("select email from customers", "select name from customers"),
        ("select email from customers", "select lower('a')"),
        ("select email, id from customers", "select id, email from orders"),
        ("select email from customers", "select array_agg(email) from customers"),
    ],
)
def test_arms_of_other_forms_do_not_mix(arms: tuple[str, str]) -> None:
    """In either order."""
    for left, right in (arms, arms[::-1]):
        with pytest.raises(ValueMoves):
            one(f"{left} union all {right}")


def test_arms_have_one_width() -> None:
    """PostgreSQL would say so; nothing of it is sent."""
    with pytest.raises(ConstructRefused, match="same number of columns"):
        one("select email from customers union select email, id from customers")
    with pytest.raises(ConstructRefused, match="same length"):
        one(
            "insert into customers (email, id) values ('a', 1) on conflict do nothing;"
            " select id from customers where (email, id) in (values ('a', 1), ('b'))"
        )


def test_values() -> None:
    """Its columns are open until something meets them; then all rows have one form."""
    text = "select 1 from (values ('a', 'b'), ($1, $2)) v(x, y) join customers on x = email and y = note"
    assert f"(values ({HOLE}, 'b'), ($1, $2))" in shown(text)
    assert [parameter.protection for parameter in one(text).parameters or ()] == [EMAIL, None]
    assert outputs("values ((select email from customers limit 1)), ('a')")[0].name == "column1"
    with pytest.raises(ValueMoves):
        one("values ((select email from customers limit 1)), ((select name from customers limit 1))")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("select id from customers order by email", OrderRefused),
        ("select email e from customers order by e desc nulls last", OrderRefused),
        ("select id, email from customers order by 1, 2", OrderRefused),
        ("select email from customers union select email from orders order by 1", OrderRefused),
        (
            "select id from customers order by (email = 'a'), (select max(o.email) from orders o)",
            FunctionRefused,
        ),
        ("select id from customers limit score", FunctionRefused),
        ("select id from customers where id = 1 group by id having max(email) = 'a'", FunctionRefused),
        ("select 1 from customers group by iban", ComparisonRefused),
        ("select 1 from customers group by rollup (id, iban)", ComparisonRefused),
        ("select distinct on (iban) id from customers", ComparisonRefused),
        ("select distinct id, iban from customers", ComparisonRefused),
        ("select id from customers order by 7", UndefinedColumn),
        ("select id from customers group by 0", UndefinedColumn),
        ("select lower(email) from customers where id = 1", FunctionRefused),
    ],
)
def test_clauses_that_do_not_go_with_sealed_values(text: str, error: type[Denied]) -> None:
    """Each is refused for its reason."""
    with pytest.raises(error):
        one(text)


@pytest.mark.parametrize(
    "text",
    [
        "select email from customers order by id, note limit 5 offset 2",
        "select email as id from customers order by customers.id",
        "select id from customers order by email is null, email = 'a'",
        "select email, count(*) from customers group by email having email <> 'a' order by 2",
        "select email as note from customers group by note, email",
        "select distinct on (email) id from customers",
        "select count(*) from customers group by grouping sets ((email, id), cube (email), ())",
        "select id from customers for update of customers nowait",
        "select id from customers order by id fetch first 5 rows with ties",
    ],
)
def test_clauses_that_go(text: str) -> None:
    """They compare nothing, or for equality only."""
    resolved = one(text)
    assert resolved.touched
    assert shown(text) == text.replace("from customers", 'from "public".customers').replace("'a'", HOLE)


def test_group_by_means_the_column_before_the_output() -> None:
    """A name of GROUP BY is a column of FROM first, one of ORDER BY an output first."""
    with pytest.raises(ComparisonRefused):
        one("select note as iban from customers group by iban, note")
    assert one("select iban as x, id from customers order by id").touched
    assert one("select id as iban from customers order by iban").touched


def test_with_queries() -> None:
    """Each sees those before it; what is written later is not used before; columns may be renamed."""
    text = "with a (x) as (select email from customers), b as (select x from a) select x from b where x = 'a'"
    assert outputs(text)[0].protection == EMAIL
    assert shown(text).endswith(f"x = {HOLE}")
    with pytest.raises(ConstructRefused, match="before it is written"):
        one("with recursive a as (select x from b), b as (select email x from customers) select 1 from a")
    with pytest.raises(UndefinedColumn):
        one("with a (x, y) as (select email from customers) select 1 from a")
    shadowed = "with customers as (select 'a'::text email) select email from customers where email = 'b'"
    assert shown(shadowed) == shadowed


def test_recursion() -> None:
    """The first arm says the form; what it leaves open is plain, since the second arm is read with it."""
    text = (
        "with recursive r (e, n) as (select email, 1 from customers union all"
        " select c.email, n + 1 from r join customers c on c.email = r.e where n < 5)"
        " select e from r where e = 'a'"
    )
    (output,) = outputs(text)
    assert (output.protection, output.table_oid) == (EMAIL, 0)
    assert shown(text).endswith(f"e = {HOLE}")
    with pytest.raises(ValueMoves):
        one("with recursive r (e) as (select 'a' union all select email from customers) select e from r")
    with pytest.raises(ComparisonRefused):
        one("with recursive r (e) as (select iban from customers union select e from r) select e from r")


@pytest.mark.parametrize(
    ("expression", "protection"),
    [
        ("(select email from orders limit 1)", "public.orders.email"),
        ("array(select name from customers)", NAME.column),
        ("(select email)", EMAIL.column), ("exists (select email)", None), ("email in (select 'a')", None),
        ("email = any (select email from orders)", None),
        ("(id, email) in (select id, email from orders)", None),
        ("(email, id) <> all (values ('a', 1))", None), ("(select count(*) from orders)", None),
        ("(select (select email))", EMAIL.column),
    ],
)  # fmt: skip
def test_subqueries_in_expressions(expression: str, protection: str | None) -> None:
    """A scalar or array is what its column is; EXISTS and IN are true or false."""
    (output,) = outputs(f"select {expression} from customers")
    assert (output.protection.column if output.protection else None) == protection
    assert (output.table_oid, output.attnum) == (0, 0)


@pytest.mark.parametrize(
    ("condition", "error"),
    [
        ("email = any (select note from customers)", ComparisonRefused),
        ("note in (select email from orders)", ComparisonRefused),
        ("email in (select iban from customers)", ComparisonRefused),
        ("iban in (select 'a')", ComparisonRefused), ("email < all (select 'a')", FunctionRefused),
        ("(email, id) > (select 'a', 1)", Denied), ("email = (select 'a', 'b')", ConstructRefused),
        ("(email, id) in (select id, email from orders)", ComparisonRefused),
        ("array(select array_agg(email) from orders) is null", ValueMoves),
        ("email like any (select 'a')", Denied), ("(email, id) = (select 'a', 1)", Denied),
    ],
)  # fmt: skip
def test_subqueries_that_are_refused(condition: str, error: type[Denied]) -> None:
    """As the same comparison without a subquery would be."""
    with pytest.raises(error):
        one(f"select 1 from customers where {condition}")


def test_labels_stay_what_they_were() -> None:
    """A literal that becomes a hole keeps the name that PostgreSQL would give its output."""
    sent = shown("select 'a' union select email from customers")
    assert sent.startswith(f'select {HOLE} AS "?column?" union')
    assert shown("select 'a'::text union select email from customers").startswith(
        f'select {HOLE}::pg_catalog.bytea AS "text" union'
    )
    assert shown("select 'a' as x union select email from customers").startswith(f"select {HOLE} as x union")
