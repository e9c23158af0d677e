"""sql/keyed.py: which parameters and literals are held against a keyed column, or written to it."""

from dataclasses import replace

import pytest
from tests.sql.world import CONTEXT, CUSTOMERS, INT, INT_ARRAY, NUMERIC, PLAIN, TEXT

from strongroom.audit.records.statements import MORE, UNKNOWN
from strongroom.sql.keyed import KEYED_AT_MOST
from strongroom.sql.resolve import after, analyse
from strongroom.sql.statement import Context, KeyedValue, Resolved

ID, EMAIL = (PLAIN.oid, 1), (CUSTOMERS.oid, 2)
RECORDED = replace(CONTEXT, recorded=True, keyed=frozenset({ID, EMAIL}))
POLICED = replace(RECORDED, policed=True)


def found(text: str, context: Context = RECORDED, declared: tuple[int, ...] = ()) -> Resolved:
    """The last statement of a text whose statements are sent one by one."""
    for one in text.split(";"):
        (resolved,) = analyse(one, declared, context).statements
        context = after(context, resolved)
    return resolved


def short(one: KeyedValue) -> str:
    """``$1``, ``'4711'``, ``each $1``, ``to $1``, ``unknown``."""
    words = (
        "" if one.column == ID else "email",
        "to" if one.is_stored else "",
        "each" if one.is_array else "",
        one.instead or (f"${one.client}" if one.client else repr(one.literal)),
    )
    return " ".join(filter(None, words))


@pytest.mark.parametrize("context", [RECORDED, POLICED], ids=["recorded", "policed"])
@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("select txt from plain where id = $1", ["$1"]),
        ("select txt from plain where $2 = id and txt = $1", ["$2"]),
        ("select txt from plain where id = 4711", ["'4711'"]),
        ("select txt from plain where id = '4711'", ["'4711'"]),
        ("select txt from plain where id = -4711", ["'-4711'"]),
        ("select txt from plain where id = $1::int8", ["$1"]),
        ("select txt from plain where id = cast($1 as text)::int", ["$1"]),
        ("select txt from plain p where p.id in (1, $1, 3)", ["'1'", "$1", "'3'"]),
        ("select txt from plain where id in (1)", ["'1'"]),
        ("select txt from plain where id = any($1)", ["each $1"]),
        ("select txt from plain where id = any('{1,2}')", ["each '{1,2}'"]),
        ("select txt from plain where id = any(array[1, $1])", ["'1'", "$1"]),
        ("select txt from plain where id is not distinct from $1", ["$1"]),
        ("select txt from plain where (id, txt) = ($1, 'x')", ["$1"]),
        ("select txt from plain where (txt, id) in (values ('x', 1), ('y', $1))", ["'1'", "$1"]),
        ("select txt from plain join (values (1), (2)) v (n) on n = id", ["'1'", "'2'"]),
        ("select txt from plain, unnest($1::int[]) n where id = n", ["each $1"]),
        ("with p as (select id as n from plain) select n from p where n = $1", ["$1"]),
        ("select n from (select id as n from plain) p where n = $1", ["$1"]),
        ("select txt from plain where id = coalesce($1, 7)", ["$1", "'7'"]),
        ("select txt from plain where case id when 1 then true end", ["'1'"]),
        ("select txt from plain where exists (select 1 where id = $1)", ["$1"]),
        ("select txt from plain where id = $1 or id = $1", ["$1"]),
        ("select txt from plain where id = $1 + 1", ["unknown"]),
        ("select txt from plain where id = current_setting('x')::int", ["unknown"]),
        ("select txt from plain where id = null", []),
        ("select txt from plain where id <> 1 and not id in (2)", ["'2'"]),
        ("select txt from plain where id not in (1) and id is distinct from 2", []),
        ("select txt from plain where id > 1 and txt = '1'", []),
        ("select txt from plain where id + 0 = 1", []),
        ("select p.txt from plain p join orders o on p.id = o.id where o.id = 1", []),
        ("select txt from plain where id in (select id from orders)", []),
        ("insert into plain values ($1, 'x'), (2, 'y')", ["to $1", "to '2'"]),
        ("insert into plain (txt) values ('1')", []),
        ("insert into plain values (default, 'x')", []),
        ("insert into plain select $1, 'x'", ["to $1"]),
        ("insert into plain select id, txt from plain where id = 3", ["'3'"]),
        ("insert into plain values (1, 'x') on conflict (txt) do update set id = 2", ["to '1'", "to '2'"]),
        ("update plain set id = $2 where id = $1", ["$1", "to $2"]),
        ("update plain set (id, txt) = (1, 'x')", ["to '1'"]),
        ("delete from plain where id = $1", ["$1"]),
        (
            "merge into plain using (values (1)) v (n) on id = n when not matched then insert values (n)",
            ["'1'", "to '1'"],
        ),
        ("select name from customers where email = $1", ["email $1"]),
        ("select name from customers where email = 'a@b.example'", ["email 'a@b.example'"]),
        ("select id from mails where mail = $1", ["email $1"]),
        ("insert into customers (email) values ($1)", ["email to $1"]),
        ("copy plain from stdin", ["more"]),
        ("copy plain (txt) from stdin", []),
        ("copy (select txt from plain where id = 1) to stdout", ["'1'"]),
        ("explain select txt from plain where id = 1", ["'1'"]),
        ("prepare p as select txt from plain where id = $1 or id = 3", []),
        ("prepare p as select txt from plain where id = $1 or id = 3; execute p(4)", ["'4'", "'3'"]),
        ("prepare p as select txt from plain where id = $1; execute p('5'::int)", ["'5'"]),
        ("prepare p as select txt from plain where id = $1; execute p(1 + 1)", ["unknown"]),
        ("prepare p as select txt from plain where id = $1; execute p(null)", []),
        ("prepare p as select txt from plain where id = $1; explain analyze execute p(6)", ["'6'"]),
        ("prepare p as select name from customers where email = $1; execute p('a')", ["email 'a'"]),
        ("declare c cursor for select txt from plain where id = 7", ["'7'"]),
        ("declare c cursor for select txt from plain where id = 7; fetch c", ["'7'"]),
        ("declare c cursor for select txt from plain where id = $1; fetch c", ["unknown"]),
        ("begin", []),
    ],
)
def test_what_is_held_against_a_column(context: Context, text: str, held: list[str]) -> None:
    """Whether a policy asks or not, and whether the column is protected or not."""
    assert sorted(map(short, found(text, context).keyed)) == sorted(held)


TXT = (PLAIN.oid, 2)
WITH_TEXT = replace(RECORDED, keyed=frozenset({ID, TXT}))


@pytest.mark.parametrize(
    "text",
    [
        "select 1 from plain where id = 4711.4::int",
        "select 1 from plain where id = '4711.4'::numeric::int",
        "select 1 from plain where id = $1::numeric::int",
        "select 1 from plain where id = $1::float8::int",
        "select 1 from plain where id = $1::text::numeric::int",
        "select 1 from plain where $1::numeric is not null and id = $1::int",
        "select 1 from plain where id = any(array[4711.4]::int[])",
        "select 1 from plain where id = any($1::numeric[]::int[])",
        "select 1 from plain where id = '47111'::varchar(4)::int",
        "select 1 from plain where txt = 'abc'::char(2)",
        "select 1 from plain where txt = char(2) 'abc'",
        "select 1 from plain where txt = 'abc '::bpchar",
        "select 1 from plain where txt = 007::text",
        "select 1 from plain where txt = 'abc'::name",
        "select 1 from plain where txt = 't'::text::bool::text",
        "insert into plain (id) values (4711.4::int)",
        "insert into plain (txt) values ('abc'::char(2))",
        "prepare p as select 1 from plain where id = $1; execute p(4711.4::int)",
        "prepare p as select 1 from plain where id = $1; execute p(4711.4)",
    ],
)
def test_a_cast_that_makes_another_value(text: str) -> None:
    """What is compared then is not what was written: it has no hash."""
    assert [(one.instead, one.literal) for one in found(text, WITH_TEXT).keyed] == [(UNKNOWN, "")]


@pytest.mark.parametrize(
    ("text", "declared"),
    [
        ("select 1 from plain where id = 4711::int8", ()),
        ("select 1 from plain where id = 4711::numeric", ()),
        ("select 1 from plain where id = $1::int8::int", ()),
        ("select 1 from plain where id = $1::int", (20,)),
        ("select 1 from plain where id = $1::int", (TEXT,)),
        ("select 1 from plain where id = int '4711'", ()),
        ("select 1 from plain where id = any('{4711}'::int8[])", ()),
        ("select 1 from plain where id = any(array[$1, 4711]::int[])", ()),
        ("select 1 from plain where txt = 'abc'::varchar(2)::text", ()),
        ("select 1 from plain where txt = varchar(2) 'abc'", ()),
        ("prepare p as select 1 from plain where id = $1; execute p('5'::int8)", ()),
    ],
)
def test_a_cast_that_keeps_the_value(text: str, declared: tuple[int, ...]) -> None:
    """Or only widens its type, or fails: what was written has its hash."""
    keyed = found(text, WITH_TEXT, declared).keyed
    assert keyed
    assert {one.instead for one in keyed} == {""}


@pytest.mark.parametrize(
    ("text", "declared", "type_oid", "cut"),
    [
        ("select txt from plain where id = $1", (), INT, 0),
        ("select txt from plain where id = $1", (20,), 20, 0),
        ("select txt from plain where id = $1", (705,), INT, 0),
        ("select txt from plain where id = $1::int8", (), 20, 0),
        ("select txt from plain where $1::text is not null and id = $1::int", (), TEXT, 0),
        ("select txt from plain where id = any($1)", (), INT_ARRAY, 0),
        ("select txt from plain where id = 4711", (), INT, 0),
        ("select txt from plain where id = 4711.5", (), NUMERIC, 0),
        ("select txt from plain where id = '4711'", (), 0, 0),
        ("select id from customers where email = $1::varchar(3)", (), 1043, 3),
    ],
)
def test_its_type(text: str, declared: tuple[int, ...], type_oid: int, cut: int) -> None:
    """As it is declared, cast, or as the database takes it; 0 where that is the column's."""
    (one,) = found(text, RECORDED, declared).keyed
    assert (one.type_oid, one.cut) == (type_oid, cut)


def test_there_are_at_most_so_many() -> None:
    """Then the record says that there were more."""
    rows = ", ".join(f"({number}, 'x')" for number in range(KEYED_AT_MOST + 1))
    keyed = found(f"insert into plain values {rows}").keyed
    assert [one.literal for one in keyed[:-1]] == [str(number) for number in range(KEYED_AT_MOST)]
    assert keyed[-1] == KeyedValue(ID, instead=MORE)


def test_a_statement_that_is_not_followed() -> None:
    """Nobody knows what it holds against the keyed columns of what it names."""
    unfollowed = "select * from plain natural join public.nowhere"
    for context in (RECORDED, POLICED):
        assert found(unfollowed, context).keyed == (KeyedValue(ID, instead=UNKNOWN),)


def test_behind_what_may_change_names() -> None:
    """In one text, any table may be meant."""
    text = "set search_path = other; select id from plain where id = 1"
    *_, last = analyse(text, (), RECORDED).statements
    assert {one.column for one in last.keyed} == {ID, EMAIL}
    assert {one.instead for one in last.keyed} == {UNKNOWN}


@pytest.mark.parametrize("name", ["_is_kept", "_own_type"])
@pytest.mark.parametrize("context", [RECORDED, POLICED], ids=["recorded", "policed"])
def test_what_breaks_is_not_known(context: Context, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No record is worth a statement that would have run."""

    def breaks(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(f"strongroom.sql.keyed.{name}", breaks)
    one = found("select txt from plain where id = 1", context)
    assert one.keyed == (KeyedValue(ID, instead=UNKNOWN),)


def test_where_no_column_is_keyed_nothing_is_kept() -> None:
    """No literal stays in an analysis for a record that has no hashes."""
    assert found("select txt from plain where id = 1", replace(RECORDED, keyed=frozenset())).keyed == ()


def test_its_words_have_no_value() -> None:
    """Whatever prints an analysis."""
    assert "4711" not in repr(found("select txt from plain where id = 4711").keyed)
