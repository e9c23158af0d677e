"""sql/tenants.py: to which tenant a row belongs whose values are sealed by its tenant's keys."""

from dataclasses import replace

import pytest
from tests.sql.rented import (
    IBAN,
    NOTE,
    RENTED,
    ROWS,
    SESSIONS,
    TEXTUAL,
    by,
    changed,
    sealed,
    written,
)
from tests.sql.world import INT, TEXT, one

from strongroom.errors import Denied, TenantUnclear, UserCodeRefused, ValueMoves
from strongroom.sql.schema import Function, Operator
from strongroom.sql.statement import Barrier, Parameter, Tenant


@pytest.mark.parametrize(
    ("text", "tenants"),
    [
        ("insert into rented (tenant_id, iban) values ($1, $2)", [by(1)]),
        ("insert into rented (iban, note, tenant_id) values ($1, $2, $3)", [by(3), by(3)]),
        ("insert into rented (tenant_id, iban) values ($1, $2), ($3, $4)", [by(1), by(3)]),
        ("insert into rented (tenant_id, iban) select $1, $2", [by(1)]),
        ("insert into rented values ($1, $2, $3, $4, $5)", [by(2), by(2)]),
        ("insert into rented (tenant_id, iban) values ($1::int, $2)", [by(1, INT)]),
        ("insert into rented (tenant_id, iban) values (7, $1)", [Tenant(INT, literal="7")]),
        ("update rented set iban = $1 where tenant_id = $2", [by(2)]),
        ("update rented set iban = $1 where id = $3 and $2 = tenant_id and name = 'x'", [by(2)]),
        ("update rented r set iban = $1 where r.tenant_id = $2", [by(2)]),
        ("update only public.rented set iban = $1 where public.rented.tenant_id = $2", [by(2)]),
        ("update rented set tenant_id = $1, iban = $2, note = $3 where id = $4", [by(1), by(1)]),
        ("update rented set iban = coalesce($1, iban) where tenant_id = $2", [by(2)]),
        ("update rented set iban = case when name = 'x' then $1 else iban end where tenant_id = $2", [by(2)]),
        (
            (
                "update rented a set iban = $1 from rented b"
                " where a.tenant_id = b.tenant_id and $2 = b.tenant_id"
            ),
            [by(2)],
        ),
        (
            (
                "insert into rented (tenant_id, iban) values ($1, $2)"
                " on conflict (tenant_id, id) do update set iban = $3"
            ),
            [by(1), by(1)],
        ),
        (
            (
                "insert into rented (tenant_id, id, iban) values ($1, $2, $3)"
                " on conflict (id) do update set iban = $4 where rented.tenant_id = excluded.tenant_id"
            ),
            [by(1), by(1)],
        ),
        (
            (
                "merge into rented r using (select $1::int as id) s on r.id = s.id and r.tenant_id = $2"
                " when matched then update set iban = $3"
            ),
            [by(2)],
        ),
        (
            (
                "merge into rented r using (select $1::int as id) s on r.id = s.id"
                " when not matched then insert (tenant_id, iban) values ($2, $3)"
            ),
            [by(2)],
        ),
        (
            (
                "merge into rented r using (select $1::int as id) s on r.id = s.id and r.tenant_id = $2"
                " when matched then update set iban = $3"
                " when not matched then insert (tenant_id, id, iban) values ($4, s.id, $5)"
            ),
            [by(2), by(4)],
        ),
        ("select coalesce(iban, $1) from rented where tenant_id = $2", [by(2)]),
        (
            (
                "update rented a set iban = $1 from rented b"
                " where a.tenant_id = b.tenant_id and a.tenant_id = $2"
            ),
            [by(2)],
        ),
        ("with x as (select 1) update rented set iban = $1 where tenant_id = $2", [by(2)]),
        ("update rented set iban = $1 where (tenant_id, id) = ($2, $3)", [by(2)]),
        ("update rented r set iban = $1 where row($3, r.tenant_id) = row(id, $2) and name = 'x'", [by(2)]),
        (
            (
                "update rented a set iban = $1 from rented b"
                " where (a.tenant_id, b.tenant_id) = (b.tenant_id, $2)"
            ),
            [by(2)],
        ),
        ("update rented set (tenant_id, iban, note) = ($1, $2, $3) where id = $4", [by(1), by(1)]),
        ("update rented set (iban, note, tenant_id) = row($2, $3, $1) where id = $4", [by(1), by(1)]),
        ("update rented set (iban, id) = ($1, $2) where (id, tenant_id) = ($3, $4)", [by(4)]),
        ("update rented set (iban, note) = ($1, default), tenant_id = $2 where id = $3", [by(2)]),
    ],
)
def test_a_statement_says_whose_its_values_are(text: str, tenants: list[Tenant]) -> None:
    """In the row that it stores, or by a condition on every row that it changes."""
    assert sealed(text) == tenants


@pytest.mark.parametrize(
    ("text", "tenants"),
    [
        ("insert into rented (tenant_id, iban) values (7, 'x'), (8, 'y')", ["7", "8"]),
        ("insert into rented (tenant_id, iban) values ('7'::int, 'x')", ["7"]),
        ("insert into rented (tenant_id, iban) values ('7'::pg_catalog.int8, 'x')", ["7"]),
        ("update rented set iban = 'x' where tenant_id = 7", ["7"]),
    ],
)
def test_literals_have_tenants(text: str, tenants: list[str]) -> None:
    """Each as its own row says."""
    assert written(text) == [Tenant(INT, literal=name) for name in tenants]


def test_a_table_with_two_names_of_tenants_is_not_mixed_up() -> None:
    """What belongs to the tenant that another column names is not sealed for that of the first."""
    both = {(200, 3): IBAN, (200, 4): replace(NOTE, tenant="name")}
    with pytest.raises(TenantUnclear):
        one(
            "insert into rented (tenant_id, iban, note, name) values ($1, $2, $3, $4)",
            context=replace(ROWS, protections=both),
        )


@pytest.mark.parametrize(
    "text",
    [
        "insert into rented (iban) values ($1)",
        "insert into rented (tenant_id, iban) values (default, $1)",
        "insert into rented (tenant_id, iban) values (null, $1)",
        "insert into rented (tenant_id, iban) values ($1 + 1, $2)",
        "insert into rented (tenant_id, iban) values ($1::varchar(2), $2)",
        "insert into rented (tenant_id, iban) values (case when $1 then $2 end, $3)",
        "insert into rented (tenant_id, iban) select * from (values ($1::int, $2)) v",
        "insert into rented (tenant_id, iban) select id, $1 from rented where tenant_id = $2",
        "update rented set iban = $1 where id = $2",
        "update rented set iban = $1",
        "update rented set iban = $1 where tenant_id = $2 or id = $3",
        "update rented set iban = $1 where not tenant_id = $2",
        "update rented set iban = $1 where tenant_id <> $2",
        "update rented set iban = $1 where tenant_id = any($2)",
        "update rented set iban = $1 where tenant_id in ($2, $3)",
        "update rented set iban = $1 where exists (select 1 from rented b where rented.tenant_id = $2)",
        "update rented set iban = $1 where exists (select 1 from rented b where b.tenant_id = $2)",
        "update rented a set iban = $1 from rented b where b.tenant_id = $2",
        (
            "update rented a set iban = $1 from rented b left join rented c on c.tenant_id = $2"
            " where a.tenant_id = b.tenant_id"
        ),
        "update rented set iban = $1 where tenant_id = $2 + 1",
        "update rented_view set iban = $1 where tenant_id = $2",
        "update rented set iban = $1 where tenant_id operator(public.=) $2",
        "insert into rented (tenant_id, iban) values ($1::text, $2)",
        "insert into rented (tenant_id, iban) values ($1::public.int4, $2)",
        "insert into rented (tenant_id, id, iban) values ($1, $1::text::int, $2)",
        "insert into rented (id, tenant_id, iban) select a.*, $1, b.* from (select 1, 2) a, (select) b",
        (
            "insert into rented (tenant_id, id, iban) values ($1, $2, $3), ($4, $5, $6)"
            " on conflict ((tenant_id) int4_ops, id) do update set iban = $7"
        ),
        (
            "insert into rented (tenant_id, iban) values ($1, $2), ($3, $4)"
            " on conflict (tenant_id, id) do update set iban = $5"
        ),
        "insert into rented (tenant_id, iban) values ($1, $2) on conflict (id) do update set iban = $3",
        (
            "insert into rented (iban) values ($1) on conflict (id) do update set name = 'x'"
            " where excluded.tenant_id = $2"
        ),
        (
            "merge into rented r using (select $1::int as id) s on r.id = s.id and r.tenant_id = $2"
            " when matched then update set iban = $3 when not matched then insert (iban) values ($4)"
        ),
        (
            "merge into rented r using (select $1::int as id) s on r.id = s.id and r.tenant_id = $2"
            " when matched then update set iban = $3 when not matched by source then update set iban = $4"
        ),
        (
            "merge into rented r using rented s on s.tenant_id = $1 and r.tenant_id = s.tenant_id"
            " when matched then update set iban = $2 when not matched then insert (id) values (1)"
        ),
        (
            "merge into rented r using rented s on s.tenant_id = $1 and r.tenant_id = s.tenant_id"
            " when matched then delete when not matched then insert (tenant_id, iban)"
            " values (s.tenant_id, $2)"
        ),
        (
            "merge into rented r using rented s on s.tenant_id = $1 and r.id = s.id"
            " when not matched then insert (tenant_id, iban) values (s.tenant_id, $2)"
        ),
        "update rented set iban = $1 where (tenant_id, id) <> ($2, $3)",
        "update rented set iban = $1 where (tenant_id, id) >= ($2, $3)",
        "update rented set iban = $1 where (tenant_id, id) in (($2, $3), ($4, $5))",
        "update rented set iban = $1 where (tenant_id, id) operator(public.=) ($2, $3)",
        "update rented set iban = $1 where (tenant_id, id) is not distinct from ($2, $3)",
        "update rented set iban = $1 where ((tenant_id, id), 1) = (($2, $3), 1)",
        "update rented set iban = $1 where not (tenant_id, id) = ($2, $3)",
        "update rented set iban = $1 where (tenant_id::text::int, id) = ($2, $3)",
        "update rented set (iban, note) = ($1, $2) where id = $3",
        "update rented set (tenant_id, iban, note) = ($1 + 1, $2, $3) where id = $4",
        "update rented set (tenant_id, iban, note) = (default, $2, $3) where id = $4",
        "update rented set (tenant_id, iban, note) = (null, $2, $3) where id = $4",
        "update rented set (tenant_id, iban, note) = (select $1::int, $2, $3) where id = $4",
        "select coalesce(iban, $1) from rented",
        (
            "with c as (select tenant_id, iban from rented) select coalesce(b.iban, $1) from c a, c b"
            " where a.tenant_id = $2"
        ),
    ],
)
def test_what_is_not_clear_is_refused(text: str) -> None:
    """A value under the wrong tenant's key would die with the wrong tenant."""
    with pytest.raises(TenantUnclear):
        one(text, context=ROWS)


@pytest.mark.parametrize(
    "text",
    [
        "update rented a set iban = b.iban from rented b where a.tenant_id = b.tenant_id and a.id > b.id",
        "update rented a set iban = b.iban from rented b where a.tenant_id = $1 and b.tenant_id = $1",
        "update rented a set iban = (select iban from rented b where b.tenant_id = a.tenant_id limit 1)",
        "update rented set iban = iban",
        (
            "merge into rented r using rented s on (r.tenant_id, r.id) = (s.tenant_id, s.id + 1)"
            " when matched then update set iban = s.iban"
            " when not matched then insert (tenant_id, iban) values (s.tenant_id, s.iban)"
        ),
        (
            "update rented a set (iban, id) = (b.iban, 1) from rented b"
            " where (a.tenant_id, a.id) = (b.tenant_id, b.id)"
        ),
        "insert into rented (tenant_id, iban) select tenant_id, iban from rented",
        "insert into rented (tenant_id, iban) select $1, iban from rented where tenant_id = $1",
        (
            "insert into rented (tenant_id, id, iban) values ($1, $2, $3), ($4, $5, $6)"
            " on conflict (tenant_id, id) do update set iban = excluded.iban"
        ),
        (
            "insert into rented (tenant_id, id, iban) values ($1, $2, $3), ($4, $5, $6)"
            " on conflict (id) do update set iban = excluded.iban where excluded.tenant_id = rented.tenant_id"
        ),
        (
            "update rented a set iban = b.iban from rented b join rented c on b.tenant_id = c.tenant_id"
            " where c.tenant_id = a.tenant_id"
        ),
    ],
)
def test_values_move_within_a_tenant(text: str) -> None:
    """Where the statement says that both rows are of one."""
    assert one(text, context=ROWS).touched


@pytest.mark.parametrize(
    "text",
    [
        "update rented a set iban = b.iban from rented b where a.id = b.id",
        "update rented a set iban = b.iban from rented b where a.tenant_id = $1 and b.tenant_id = $2",
        "update rented a set iban = (select iban from rented b where b.id = a.id) where tenant_id = $1",
        "insert into rented (tenant_id, iban) select 7, iban from rented",
        "insert into rented (tenant_id, iban) select id, iban from rented",
        "insert into rented (tenant_id, iban) select tenant_id::varchar(1)::int, iban from rented",
        "insert into rented (tenant_id, iban) select max(tenant_id), (array_agg(iban))[1] from rented",
        "insert into rented (tenant_id, iban) select tenant_id, lag(iban) over (order by id) from rented",
        (
            "insert into rented (tenant_id, iban) select t, unnest(i) from"
            " (select tenant_id as t, array_agg(iban) as i from rented group by tenant_id) s"
        ),
        "insert into rented (tenant_id, iban) select tenant_id, iban from rented union all select 1, 'x'",
        (
            "insert into rented (tenant_id, id, iban) values ($1, $2, $3)"
            " on conflict (id) do update set iban = excluded.iban"
        ),
        (
            "with c as (select tenant_id, iban from rented) update rented r set iban = b.iban from c a, c b"
            " where a.tenant_id = r.tenant_id"
        ),
        "update rented_view set iban = (select iban from rented where id = 1)",
        "update rented_view set tenant_id = 2",
        "insert into rented_view (tenant_id) values (1) on conflict (tenant_id) do update set tenant_id = 2",
        "merge into rented_view v using rented p on true when matched then update set tenant_id = 2",
        "insert into rented (tenant_id, iban) select $1, iban from rented where tenant_id = $1::text::int",
        "update rented set tenant_id = $1",
        (
            "merge into rented r using rented s on r.tenant_id = $1 and s.tenant_id = $1"
            " when matched then update set iban = s.iban when not matched then insert (id) values (1)"
        ),
        (
            "merge into rented r using rented s on r.tenant_id = s.tenant_id and s.tenant_id = $1"
            " when matched then delete when not matched then insert (tenant_id, iban) values ($1, s.iban)"
        ),
        "update rented set (tenant_id, id) = ($1, $2)",
        "update rented set (tenant_id, iban) = ($1, $2)",
        "update rented set (tenant_id, iban, note) = ($1, iban, $2) where id = 3",
        "update rented a set (iban, note) = (b.iban, b.note) from rented b where (a.id, b.id) = (1, 2)",
        "update rented set tenant_id = $1, iban = $2 where id = $3",
    ],
)
def test_no_value_goes_to_another_tenant(text: str) -> None:
    """It would open still, and outlive its tenant's key, or die with another's."""
    with pytest.raises((ValueMoves, TenantUnclear)):
        one(text, context=ROWS)


@pytest.mark.parametrize(
    "text",
    [
        "insert into textual (tenant, iban) values ('07'::int, 'x')",
        "insert into textual (tenant, iban) values (1e1, 'x')",
        "insert into textual (id, tenant, iban) values ($1::int, $1, $2)",
        (
            "insert into textual (tenant, id, iban) values ($1, 1, $2)"
            " on conflict (tenant, id) do update set iban = excluded.iban"
        ),
    ],
)
def test_a_name_that_the_database_may_write_otherwise_is_not_clear(text: str) -> None:
    """By a cast, by the type that another use gives a parameter, or by an index's collation."""
    with pytest.raises((TenantUnclear, ValueMoves)):
        one(text, context=changed(TEXTUAL))


@pytest.mark.parametrize("how", [{"identity": "d"}, {"identity": "a"}, {"generated": "s"}])
def test_a_column_that_the_database_computes_names_nobody(how: dict[str, str]) -> None:
    """What is written for it is not what is stored."""
    columns = tuple(replace(c, **how) if c.name == "tenant_id" else c for c in RENTED.columns)  # type: ignore[arg-type]  # mypy cannot see into **
    computed = changed(replace(RENTED, columns=columns))
    for text in (
        "insert into rented (tenant_id, iban) overriding user value values ($1, $2)",
        "update rented set iban = $1 where tenant_id = $2",
        "update rented set id = 1",
    ):
        with pytest.raises(TenantUnclear, match="computes"):
            one(text, context=computed)


def test_a_number_names_nobody_where_names_are_text() -> None:
    """It is stored otherwise than it is written: no value moves by it, either."""
    text = "insert into textual (tenant, iban) select 1e1, iban from textual where tenant = '1e1'"
    with pytest.raises(ValueMoves):
        one(text, context=changed(TEXTUAL))


def test_another_equality_says_nothing() -> None:
    """An operator of users may be what `=` means, for all that analysis knows."""
    operators = (Operator("public", "=", INT, INT, 500),)
    with pytest.raises(TenantUnclear):
        one("update rented set iban = $1 where tenant_id = $2", context=changed(RENTED, operators=operators))


@pytest.mark.parametrize(
    "text",
    [
        "alter table rented alter tenant_id type text using 'x'",
        "alter table rented drop column tenant_id",
        "alter table rented rename tenant_id to other",
        "alter table rented alter column tenant_id set expression as (9)",
    ],
)
def test_the_column_that_names_tenants_stays(text: str) -> None:
    """Its values cannot change but row by row."""
    with pytest.raises(Denied, match="names tenants"):
        one(text, context=ROWS)


def test_a_trigger_may_not_say_it() -> None:
    """It would change it after the value was sealed."""
    moves = Function(600, "public", "moves", "f", "plpgsql", "begin new.tenant_id := 2; return new; end")
    table_ = replace(RENTED, triggers=(("moves", 600),), calls=(600,))
    context_ = changed(table_, functions={600: moves})
    with pytest.raises(UserCodeRefused):
        one("insert into rented (tenant_id, iban) values ($1, $2)", context=context_)


def test_what_sets_the_tenant_later_is_a_barrier() -> None:
    """EXECUTE of what was prepared; a cursor whose query sets it is refused."""
    query = "select set_config('strongroom.tenant', 'x', false)"
    made = one(f"prepare p as {query}", context=SESSIONS)
    assert made.defines is not None
    known = replace(SESSIONS, prepared={"p": made.defines})
    for text in ("execute p", "explain analyze execute p"):
        assert Barrier.STYLE in one(text, context=known).barriers
    with pytest.raises(Denied, match="cursor"):
        one(f"declare c cursor for {query}", context=SESSIONS)


def test_a_session_says_for_all() -> None:
    """Then no statement has to."""
    for text in (
        "insert into rented (iban) values ($1)",
        "update rented set iban = $1 where id = $2",
        "update rented a set iban = coalesce($1, b.iban) from rented b",
        "select coalesce(iban, $1) from rented",
    ):
        assert sealed(text, by=SESSIONS) == [Tenant()]
    assert written("insert into rented (iban) values ('x'), ('y')", SESSIONS) == [Tenant(), Tenant()]


def test_what_is_read_is_of_no_row() -> None:
    """Records of the same statement are equal, whenever it was analysed."""
    text = "update rented set iban = $1 where tenant_id = $2 returning iban"
    assert one(text, context=ROWS) == one(text, context=ROWS)
    (output,) = one(text, context=ROWS).outputs or ()
    assert output.protection == IBAN
    assert output.protection.row is None


def test_a_parameter_is_split_by_row() -> None:
    """One value for two tenants is sealed twice."""
    text = "insert into rented (tenant_id, iban) values ($1, $3), ($2, $3)"
    found = one(text, context=ROWS).parameters or ()
    assert [(p.client, p.tenant) for p in found if isinstance(p, Parameter) and p.protection] == [
        (3, by(1)),
        (3, by(2)),
    ]


@pytest.mark.parametrize(
    ("text", "sent", "tenant"),
    [
        (
            "insert into rented (tenant_id, iban) values ($1, 'DE')",
            'insert into "public".rented (tenant_id, iban) values ($1, $2)',
            by(1),
        ),
        (
            "update rented set iban = 'DE'::text, name = $2 where tenant_id = $1",
            'update "public".rented set iban = $3::pg_catalog.bytea, name = $2 where tenant_id = $1',
            by(1),
        ),
        (
            "update rented set iban = text 'DE' where tenant_id = $1",
            'update "public".rented set iban = $2 where tenant_id = $1',
            by(1),
        ),
    ],
)
def test_a_literal_goes_with_the_parameter_that_names_its_tenant(
    text: str, sent: str, tenant: Tenant
) -> None:
    """It is a parameter more upstream, since only Bind says by whose key it is sealed."""
    found = one(text, context=ROWS)
    assert found.pieces == (sent,)
    *_, last = found.parameters or ()
    assert (last.literal, last.tenant, last.type_oid) == ("DE", tenant, TEXT)
    assert "DE" not in repr(found)


def test_prepare_cannot_say_it() -> None:
    """EXECUTE brings values that only then would name a tenant."""
    with pytest.raises(TenantUnclear, match="PREPARE"):
        one("prepare p as insert into rented (tenant_id, iban) values ($1, $2)", context=ROWS)
    with pytest.raises(TenantUnclear, match="PREPARE"):
        one("prepare p as insert into rented (tenant_id, iban) values ($1, 'x')", context=ROWS)
    assert one("prepare p as insert into rented (iban) values ($1)", context=SESSIONS).touched
