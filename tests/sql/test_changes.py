"""What INSERT, UPDATE, DELETE and MERGE store, compare and return."""

from dataclasses import replace

import pytest
from tests.sql.world import CONTEXT, EMAIL, PROTECTIONS, SCHEMA, one, shown

from strongroom.errors import (
    ComparisonRefused,
    ConstructRefused,
    Denied,
    FunctionRefused,
    SyntaxNotUnderstood,
    UndefinedColumn,
    UserCodeRefused,
    ValueComputed,
    ValueMoves,
)
from strongroom.sql.schema import Schema
from strongroom.sql.statement import Context, Kind

EMAIL_HOLE, IBAN_HOLE = "⟨public.customers.email⟩", "⟨public.customers.iban⟩"


def stored(text: str) -> list[bool]:
    """Of each sealed parameter, whether it is stored and not only compared."""
    return [not parameter.compared for parameter in one(text).parameters or () if parameter.protection]


def test_kinds_and_touches() -> None:
    """The record says what kind of change it is and which protected columns it is about."""
    for text, kind in (
        ("insert into customers (email) values ('a')", Kind.INSERT),
        ("update customers set email = 'a'", Kind.UPDATE),
        ("delete from customers where email = 'a'", Kind.DELETE),
        ("merge into customers c using plain p on p.id = c.id when matched then delete", Kind.MERGE),
    ):
        assert one(text).kind is kind
        assert (100, 2) in one(text).touches


@pytest.mark.parametrize(
    ("rest", "spelled"),
    [
        ("values (1, 'a')", '("id", "email") values'), ("select 1, 'a'", '("id", "email") select'),
        ("as c values (1, 'a')", 'as c ("id", "email") values'), ("table plain", "! "),
        ("default values", "default values"), ("values (1, default)", '("id", "email") values'),
        ("select c.id, c.email from customers c", '("id", "email") select'),
        ('as "values" values (1)', 'as "values" ("id") values'),
        ("overriding user value values (1, 'a')", '("id", "email") overriding user value values'),
    ],
)  # fmt: skip
def test_column_lists_are_spelled_out(rest: str, spelled: str) -> None:
    """As many as there are values, so that a column swapped meanwhile cannot take another's value."""
    text = f"insert into customers {rest}"
    if spelled == "! ":
        with pytest.raises(ValueComputed):
            one(text)
        return
    assert f'insert into "public".customers {spelled}' in shown(text)


@pytest.mark.parametrize(
    "text",
    [
        "insert into customers (id, email, iban) values (1, 'a', 'b'), (2, 'a', 'b')",
        "insert into customers (id, email, iban) select 1, 'a', 'b' union all select 2, 'a', 'b'",
        "insert into customers (iban, email) select * from (values ('b', 'a'), ('b', 'a')) v",
        (
            "with v (e, i) as (values ('a', 'b'), ('a', 'b'))"
            " insert into customers (email, iban) select e, i from v"
        ),
    ],
)
def test_rows_are_sealed_by_column(text: str) -> None:
    """Each literal for the column in which it ends, from wherever it comes."""
    sent = shown(text)
    assert sent.count(EMAIL_HOLE) == text.count("'a'")
    assert sent.count(IBAN_HOLE) == text.count("'b'")
    assert "'" not in sent


def test_stored_values_are_stored() -> None:
    """Their length counts; those of WHERE are only compared; a parameter for both counts as stored."""
    assert stored("insert into customers (email) values ($1)") == [True]
    assert stored("update customers set email = $1 where email = $2") == [True, False]
    assert stored("update customers set email = $1 where email = $1") == [True]
    assert stored("delete from customers where email = $1") == [False]
    assert stored(
        "merge into customers c using (values ($1)) v(e) on c.email = v.e when not matched then"
        " insert (email) values (v.e)"
    ) == [True]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("insert into customers (email) values (lower('a'))", ValueComputed),
        ("insert into customers (email) values (current_user)", ValueComputed),
        ("insert into customers (email) select note from customers", ValueComputed),
        ("insert into customers (email) select txt from plain union select email from orders", ValueMoves),
        ("insert into customers (email) select name from customers", ValueMoves),
        ("insert into customers (email) select coalesce(name, email) from customers", ValueMoves),
        ("insert into customers (note) select email from customers", ValueMoves),
        ("insert into plain select id, email from customers", ValueMoves),
        ("insert into customers (email) values ('a', 'b')", SyntaxNotUnderstood),
        ("insert into customers values (1, 2, 3, 4, 5, 6, 7)", SyntaxNotUnderstood),
        ("insert into customers (email, id) select email from orders", SyntaxNotUnderstood),
        ("insert into customers (nope) values (1)", UndefinedColumn),
        ("insert into customers (email[1]) values ('a')", ConstructRefused),
        ("insert into diverted (mail) values ('a')", ConstructRefused),
        ("insert into pg_class select 1 from customers", ConstructRefused),
        ("update customers set email = note", ValueComputed),
        ("update customers set email = iban", ValueMoves),
        ("update customers set email = email || 'a'", ComparisonRefused),
        ("update customers set email = upper(email)", FunctionRefused),
        ("update customers set note = email", ValueMoves),
        ("update customers set email[1] = 'a'", ConstructRefused),
        ("update customers set (email, note) = ('a')", ConstructRefused),
        ("update customers set (email, note) = (select note, email from customers limit 1)", Denied),
        ("update customers set nope = 1", UndefinedColumn),
        ("update plain set txt = c.email from customers c", ValueMoves),
        ("update diverted set mail = 'a'", ConstructRefused),
        ("delete from diverted", ConstructRefused),
        ("update mails set mail = lower('a')", ValueComputed),
        ("delete from customers where email > 'a'", ComparisonRefused),
        ("delete from plain using customers c where c.email = txt", ComparisonRefused),
    ],
)
def test_what_would_be_stored_otherwise_is_refused(text: str, error: type[Denied]) -> None:
    """Computed values, values of other keys, and targets that are not certain."""
    with pytest.raises(error):
        one(text)


@pytest.mark.parametrize(
    "assignment",
    [
        "email = 'a'", "email = null", "email = default", "email = o.email", "(email, note) = ('a', 'b')",
        "(note, email) = row('b', 'a')", "(email) = row(default)", "email = coalesce('a', customers.email)",
        "email = case when o.id = 1 then 'a' else customers.email end", "(email, total) = (select 'a', 1)",
        "email = (select x.email from orders x limit 1)",
    ],
)  # fmt: skip
def test_assignments_that_pass(assignment: str) -> None:
    """Literals, DEFAULT, NULL, and what gives a value of the same key."""
    assignment = assignment.replace("total", "id")
    sent = shown(f"update customers set {assignment} from orders o where o.customer = customers.id")
    assert "'a'" not in sent
    assert sent.count(EMAIL_HOLE) == assignment.count("'a'")


def test_a_part_of_a_plain_column_may_be_changed() -> None:
    """Beside a protected one; its subscript is plain."""
    text = "update customers set note[1] = 'x', email = 'a'"
    assert shown(text) == f"update \"public\".customers set note[1] = 'x', email = {EMAIL_HOLE}"
    with pytest.raises(FunctionRefused):
        one("update customers set note[score] = 'x'")


@pytest.mark.parametrize(
    ("rest", "error"),
    [
        ("(email) do nothing", None), ("(id, email) where email = 'a' do nothing", None),
        ("do nothing", None),
        ("on constraint x do update set email = excluded.email", None),
        ("(id) do update set email = 'a', note = 'n' where customers.email = 'a'", None),
        ("(id) do update set email = coalesce(excluded.email, customers.email)", None),
        ("(id) do update set iban = excluded.iban, note = excluded.note", None),
        ("(iban) do nothing", ComparisonRefused), ("(lower(email)) do nothing", FunctionRefused),
        ("(nope) do nothing", UndefinedColumn), ("(id) do update set note = excluded.email", ValueMoves),
        ("(id) do update set email = excluded.note", ValueComputed),
        ("(id) do update set email = excluded.name", ValueMoves),
        ("(id) do update set id = 1 where excluded.email > 'a'", ComparisonRefused),
        ("(id) do update set email = email", Denied),
    ],
)  # fmt: skip
def test_on_conflict(rest: str, error: type[Denied] | None) -> None:
    """The arbiter compares; `excluded` is the row that was to be stored, sealed as it is."""
    clause = rest.removeprefix("on constraint x ")
    target = "on conflict on constraint x " if clause != rest else "on conflict "
    text = f"insert into customers (email) values ('a') {target}{clause}"
    if error is None:
        assert shown(text).count(EMAIL_HOLE) == text.count("'a'")
        return
    with pytest.raises(error):
        one(text)


def test_returning() -> None:
    """Columns, `*` in the clients' order, and OLD and NEW where the server knows them."""
    for text in (
        "insert into customers (email) values ('a') returning *",
        "update customers set email = 'a' returning customers.*",
        "delete from customers returning *",
    ):
        assert [output.name for output in one(text).outputs or ()] == [
            "id", "email", "iban", "name", "note", "score",
        ]  # fmt: skip
    new = "update customers set email = 'a' returning old.email, new.email, (new.email = old.email)"
    assert [output.protection for output in one(new).outputs or ()] == [EMAIL, EMAIL, None]
    older = Context(Schema(SCHEMA.relations, version=170000), PROTECTIONS, CONTEXT.search_path)
    with pytest.raises(Denied):
        one(new, context=older)
    with pytest.raises(FunctionRefused):
        one("delete from customers returning lower(email)")


@pytest.mark.parametrize(
    ("when", "error"),
    [
        ("matched then update set email = p.email", None), ("matched and c.email = 'a' then delete", None),
        ("not matched then insert (email) values (p.email)", None),
        ("not matched then insert values (1, 'a')", None), ("not matched then insert default values", None),
        ("not matched by source then update set email = 'a'", None), ("not matched then do nothing", None),
        ("matched then update set (email, note) = ('a', 'b')", None),
        ("matched then update set note = p.email", ValueMoves),
        ("matched then update set email = c.note", ValueComputed),
        ("matched and c.email like 'a' then delete", ComparisonRefused),
        ("not matched then insert (note) values (p.email)", ValueMoves),
        ("not matched then insert (email) values (lower('a'))", ValueComputed),
        ("not matched then insert (email) values ('a', 'b')", SyntaxNotUnderstood),
        ("not matched then insert (email) values (c.email)", Denied),
    ],
)  # fmt: skip
def test_merge(when: str, error: type[Denied] | None) -> None:
    """Each WHEN is treated like the statement that it is."""
    text = f"merge into customers c using orders p on p.email = c.email when {when}"
    if error is None:
        assert shown(text).count(EMAIL_HOLE) == text.count("'a'")
        return
    with pytest.raises(error):
        one(text)


def test_merge_of_a_swapped_table_needs_a_list() -> None:
    """Its INSERT cannot be given one; and RETURNING * of two tables is not spelled out."""
    text = (
        "merge into older o using plain p on p.id = o.id when not matched then insert {}values (1, 'r', 'a')"
    )
    with pytest.raises(ConstructRefused, match="column list"):
        one(text.format(""))
    assert "⟨public.older.email⟩" in shown(text.format("(id, rest, email) "))
    with pytest.raises(ConstructRefused, match="RETURNING"):
        one("merge into customers c using plain p on p.id = c.id when matched then delete returning *")


def test_triggers_of_the_target_are_looked_at() -> None:
    """One that may use a protected column refuses the change, by whichever statement."""
    for text in (
        "insert into logged (email) values ('a')", "update logged set id = 1", "delete from logged",
        "merge into logged l using plain p on p.id = l.id when matched then delete",
        "with x as (delete from logged returning id) select id from x",
    ):  # fmt: skip
        with pytest.raises(UserCodeRefused):
            one(text)
    listed = replace(CONTEXT, functions={"public.mirror": "reviewed"})
    assert one("delete from logged", context=listed).touched


def test_tables_with_rules_are_refused() -> None:
    """What would be changed is not certain."""
    ruled = Schema({**SCHEMA.relations, 100: replace(SCHEMA.relations[100], rules=("r",))})
    context = Context(ruled, PROTECTIONS, CONTEXT.search_path)
    with pytest.raises(ConstructRefused, match="has rules"):
        one("delete from customers", context=context)


def test_changes_inside_with_are_changes() -> None:
    """Their literals are sealed, and their rows are what RETURNING gives."""
    text = (
        "with gone as (delete from customers where email = 'a' returning email, note)"
        " insert into orders (email) select email from gone"
    )
    assert shown(text).count(EMAIL_HOLE) == 1
    with pytest.raises(ValueMoves):
        one(text.replace("insert into orders (email)", "insert into plain (txt)"))
