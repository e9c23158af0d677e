"""sql/listed.py: rows that an INSERT selects from a list of VALUES, each for its own tenant."""

import pytest
from tests.sql.rented import ROWS, TEXTUAL, changed, sealed, written
from tests.sql.world import INT, one

from strongroom.errors import TenantUnclear, ValueMoves
from strongroom.sql.statement import Tenant

LISTED = "insert into rented (tenant_id, iban) select {} from (values {}) v (a, b, c)"


@pytest.mark.parametrize(
    ("text", "tenants"),
    [
        (LISTED.format("a::int, b::text", "($1::int, $2::text, 0), ($3::int, $4::text, 1)"), [1, 3]),
        (LISTED.format("a, b", "($1::int, $2, 0), ($3::bigint, $4, 1)") + " order by c", [1, 3]),
        (
            LISTED.format("v.a, v.b", "($1::int, $2, 0), ($3::int8, $4, 1)") + " order by c desc limit 1",
            [1, 3],
        ),
        (LISTED.format("a, b", "($1::int, $2, 0), ($3::int, null, 1)") + " where c > 0 offset 1", [1]),
        (LISTED.format("a, b", "($1::int, $2, 0)"), [1]),
        (LISTED.format("a, b", "($1::int, $2, 0), (null, null, 1)"), [1]),
        (LISTED.format("a, b", "($1::int, $2, 0), ($1, $3, 1)"), None),
        (LISTED.format("a, b", "($1::int, $2, 0), ($3::int, 'x', 1), ($4::int, 'y', 2)"), [1, 3, 4]),
        (LISTED.format("a, b", "($1::int, case when $2 then $3 else $4 end, 0)"), [1, 1]),
        (LISTED.format("a, b", "($1::int, $2, 0), ($1::int, $3, 1)"), [1, 1]),
        (
            (
                "insert into rented (iban, id, tenant_id) select column2, generate_series(1, 2), column1"
                " from (values ($1::int, $2), ($3::int, $4)) v"
            ),
            [1, 3],
        ),
        (
            LISTED.format("a, b", "($1::int, $2, 0), ($3::int, $4, 1)")
            + " on conflict (tenant_id, id) do update set iban = excluded.iban returning iban",
            [1, 3],
        ),
    ],
)
def test_a_list_of_rows_says_whose_each_is(text: str, tenants: list[int] | None) -> None:
    """Where the INSERT takes the tenant and what is sealed from one row of it; None: it is not certain."""
    if tenants is None:
        with pytest.raises(TenantUnclear):
            one(text, context=ROWS)
        return
    found = one(text, context=ROWS).parameters or ()
    assert [p.tenant.client for p in found if p.protection is not None and p.tenant is not None] == tenants


def test_literals_of_a_list_have_tenants() -> None:
    """Each that of its own row; a quoted one is read as its column's type."""
    text = LISTED.format("a::int, b::text", "(7, 'x', 0), ('8', 'y', 1)")
    assert written(text) == [Tenant(INT, literal="7"), Tenant(INT, literal="8")]
    text = LISTED.format("c, b", "($1::int, $2, 0), ($3::int, $4, 1)")
    assert sealed(text) == [Tenant(INT, literal="0"), Tenant(INT, literal="1")]


SELECTED = "insert into rented (tenant_id, iban) select "
TWO = "(values ($1::int, $2, 0), ($3::int, $4, 1)) v (a, b, c)"


@pytest.mark.parametrize(
    "text",
    [
        SELECTED + f"a, lag(b) over (order by c) from {TWO}",
        SELECTED + f"max(a), b from {TWO}",
        SELECTED + f"a, any_value(b) from {TWO} group by a",
        SELECTED + f"a + 1, b from {TWO}",
        SELECTED + f"a::text::int, b from {TWO}",
        SELECTED + f"a::varchar(1)::int, b from {TWO}",
        SELECTED + f"a::numeric, b from {TWO}",
        SELECTED + f"unnest(array[a, a + 1]), b from {TWO}",
        SELECTED + f"a, coalesce(b, $5) from {TWO}",
        SELECTED + f"a, case when c = 0 then b else $5 end from {TWO}",
        SELECTED + f"a, $5 from {TWO}",
        SELECTED + f"a, (select b from {TWO.replace(' v ', ' w ')} where w.c = v.c + 1) from {TWO}",
        SELECTED + f"v.a, x.b from {TWO}, {TWO.replace(' v ', ' x ')}",
        SELECTED + f"v.a, x.b from {TWO} join (values ($5, 0)) x (b, c) on v.c <> x.c",
        SELECTED + f"a, b from (select a, b, c from {TWO} offset 1) s",
        SELECTED + f"a, b from (select a, lead(b) over () as b from {TWO}) s",
        SELECTED + f"a, b from {TWO} union all select $5::int, $6",
        SELECTED + f"distinct on (a) a, b from {TWO}",
        SELECTED + "a, b from (values ($1::int, $2) union all values ($3::int, $4)) v (a, b)",
        SELECTED + "a, b from (values ($1::int, $2), ($3::int, $4) order by 1 limit 1) v (a, b)",
        SELECTED + "a, b from (values ($1, $2), ($3, $4)) v (a, b)",
        SELECTED + "a::int, b from (values ($1, $2), ($3, $4)) v (a, b)",
        SELECTED + "a::int, b from (values ('7', $1), ('8', $2)) v (a, b)",
        SELECTED + "a, b from (values ($1::int, $2), ($3, $4)) v (a, b)",
        SELECTED + "a, b from (values ($1::int, $2), (7.5, $3)) v (a, b)",
        SELECTED + "a, b from (values ($1::int, $2), ($3::numeric, $4)) v (a, b)",
        SELECTED + "a, b from (values ($1::int, $2), ($3::int + 1, $4)) v (a, b)",
        SELECTED + "a, b from (values ($1::int, $2), (null, $3)) v (a, b)",
        SELECTED + "a, b from (values ($1::int, $2), ((select 1), $3)) v (a, b)",
        SELECTED + "a, b from (values ($1::int, $2), ($1::text::int, $3)) v (a, b)",
        SELECTED + "a, b from (values ($1::public.int4, $2), ($3::int, $4)) v (a, b)",
        SELECTED + "a, b from (values ($1::int, $2), (length($1), $3)) v (a, b)",
        SELECTED + "a, b from (values ($1::int, $2), ($3::int, $4)) v (a, b) where length($1) = 1",
        "with v (a, b) as (values ($1::int, $2), ($3::int, $4)) " + SELECTED + "a, b from v",
        "with v (a, b) as (values ($1::int, $2), ($3::int, $4)) " + SELECTED + "v.a, w.b from v, v w",
        SELECTED + f"a, b from {TWO} on conflict (tenant_id, id) do update set iban = $5",
        SELECTED + f"a, b from {TWO} on conflict (id) do update set iban = excluded.iban",
        SELECTED + f"a, b from {TWO} returning coalesce(iban, $5)",
        SELECTED + f"a, b from {TWO.replace('$4', '(select iban from rented where tenant_id = $3 limit 1)')}",
        "insert into rented_view " + SELECTED[19:] + f"a, b from {TWO}",
        "update rented set iban = b from (values ($1::int, $2)) v (a, b) where tenant_id = a",
    ],
)
def test_a_list_that_may_mix_its_rows_says_nothing(text: str) -> None:
    """What stands beside a tenant must come from the very row that names it, as it is written there."""
    with pytest.raises((TenantUnclear, ValueMoves)):
        one(text, context=ROWS)


@pytest.mark.parametrize(
    "text",
    [
        "values ('07', $1), (8, $2)",
        "values ('07', $1), (8::int, $2)",
        "values ($1, $2), (1e1, $3)",
        "values ($1, $2), (true, $3)",
        "values ($1, $2), ($3::char(3), $4)",
        "values ($1, $2), ($3::varchar(3), $4)",
        "values ($1, $2), ($3::uuid, $4)",
        "values ($1, $2), (current_user, $3)",
        "values ($1, $2), (b'1', $3)",
    ],
)
def test_a_list_of_several_types_says_nothing(text: str) -> None:
    """PostgreSQL takes all of them to one type, in which a name may be written otherwise."""
    for target in ("a", "a::text", "a::varchar"):
        listed = f"insert into textual (tenant, iban) select {target}, b from ({text}) v (a, b)"
        with pytest.raises(TenantUnclear):
            one(listed, context=changed(TEXTUAL))


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("a", "values ($1, $2), ($3::varchar, $4)"),
        ("a::varchar", "values ($1::text, $2), ($3, $4)"),
    ],
)
def test_a_list_of_strings_says_whose_each_is(target: str, text: str) -> None:
    """Strings of any type without a length are written alike."""
    listed = f"insert into textual (tenant, iban) select {target}, b from ({text}) v (a, b)"
    found = one(listed, context=changed(TEXTUAL)).parameters or ()
    assert [p.tenant.client for p in found if p.tenant is not None] == [1, 3]
    with pytest.raises(TenantUnclear):
        one(listed.replace(f"select {target}", "select a::varchar(2)"), context=changed(TEXTUAL))
