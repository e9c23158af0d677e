"""PREPARE, EXECUTE, DECLARE and FETCH."""

from dataclasses import replace

import pytest
from tests.sql.world import CONTEXT, EMAIL, NAME, ORDER_EMAIL, one, shown

from strongroom.errors import (
    ArgumentCount,
    ConstructRefused,
    FunctionRefused,
    UndefinedCursor,
    UndefinedStatement,
    ValueComputed,
)
from strongroom.sql.resolve import after
from strongroom.sql.statement import Barrier, Kind, Output, Parameter

PREPARED = after(CONTEXT, one("prepare p as insert into customers (email, note) values ($1, $1)"))
DECLARED = after(CONTEXT, one("declare c cursor for select email, total from orders"))


def test_prepare_defines() -> None:
    """What PREPARE defines has the parameters and outputs of its statement; PREPARE itself has none."""
    resolved = one("prepare p (text) as select email from customers where email = $1")
    assert resolved.parameters == ()
    assert resolved.outputs is None
    assert resolved.barriers is Barrier.PREPARED
    assert resolved.defines is not None
    assert resolved.defines.parameters == (Parameter(1, 25, 17, EMAIL, compared=True),)
    assert resolved.defines.outputs == (Output("email", 100, 2, EMAIL, type_oid=25),)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        (
            "prepare p as delete from orders where email=$1 and id=$2",
            'prepare p (pg_catalog.bytea, unknown) as delete from "public".orders where email=$1 and id=$2',
        ),
        (
            "prepare p(varchar(9), int) as update orders set email='x', id=$2",
            'prepare p (varchar(9), int) as update "public".orders set email=⟨public.orders.email⟩, id=$2',
        ),
        (
            "prepare p as select 1 from customers where email = any($1)",
            'prepare p (pg_catalog.bytea[]) as select 1 from "public".customers where email = any($1)',
        ),
        ("prepare p as select 1 from customers", 'prepare p as select 1 from "public".customers'),
        ("prepare p as select $1 from plain", "prepare p as select $1 from plain"),
    ],
)
def test_types_are_spelled_out(text: str, sent: str) -> None:
    """The types of PREPARE are those that its parameters have upstream."""
    assert shown(text) == sent


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("execute p('a')", "execute p(⟨public.customers.email⟩, 'a')"),
        ("execute p(null)", "execute p(null, NULL)"),
        ("explain execute p ('a')", "explain execute p (⟨public.customers.email⟩, 'a')"),
    ],
)
def test_execute_seals(text: str, sent: str) -> None:
    """Arguments are sealed; one that was split is written twice."""
    assert shown(text, context=PREPARED) == sent


def test_execute_gives_the_outputs_of_what_it_executes() -> None:
    """EXECUTE has the outputs that PREPARE resolved, and depends on the session."""
    context = after(CONTEXT, one("prepare s as select email from customers where id = $1"))
    resolved = one("execute s(1)", context=context)
    assert resolved.outputs == (Output("email", 100, 2, EMAIL, type_oid=25),)
    assert not resolved.context_free


def test_execute_refuses_what_it_cannot_seal() -> None:
    """A computed argument, one to be sent twice that is no literal, and an unknown name are refused."""
    single = after(CONTEXT, one("prepare q as insert into customers (email) values ($1)"))
    with pytest.raises(ValueComputed):
        one("execute q(now()::text)", context=single)
    with pytest.raises(ConstructRefused):
        one("execute p('a'::text)", context=PREPARED)
    for given in ("", "('a', 'b')", "('a', 'b', 'c')"):
        with pytest.raises(ArgumentCount):
            one(f"execute p{given}", context=PREPARED)
    with pytest.raises(UndefinedStatement):
        one("execute nobody")


def test_arrays_of_parameters_are_made_in_bind_alone() -> None:
    """In EXECUTE each argument would go upstream by itself, also of a statement that Parse made."""
    insert = "insert into listed (tags) values (array[$1])"
    parsed = replace(CONTEXT, prepared={"q": one(insert)})
    for text in (f"prepare p as {insert}", "execute q ('a')", "explain execute q ('a')"):
        with pytest.raises(ConstructRefused, match="protected array of parameters"):
            one(text, context=parsed)


def test_a_prepared_statement_is_refused_like_any() -> None:
    """PREPARE is refused for what its statement does."""
    with pytest.raises(FunctionRefused):
        one("prepare p as select lower(email) from customers")


def test_fetch_has_the_outputs_of_its_cursor() -> None:
    """FETCH gives rows as DECLARE resolved them; MOVE gives none."""
    fetched = one("fetch all from c", context=DECLARED)
    assert fetched.outputs == (
        Output("email", 101, 3, ORDER_EMAIL, type_oid=25),
        Output("total", 101, 4),
    )
    assert fetched.touched
    assert one("move 2 from c", context=DECLARED).outputs is None
    with pytest.raises(UndefinedCursor):
        one("fetch 1 from d", context=DECLARED)


def test_names() -> None:
    """The records name the statement or cursor; None stands for all."""
    texts = {"deallocate p": "p", "deallocate all": None, "close c": "c", "close all": None}
    assert {text: one(text).name for text in texts} == texts
    assert one("declare d scroll cursor for select 1").kind is Kind.DECLARE


def test_execute_cuts_what_the_statement_cuts() -> None:
    """A cast to varchar(n) in PREPARE goes for each argument, also for one that is sent twice."""
    text = "prepare s as update customers set email = $1::varchar(2), name = $1"
    context = after(CONTEXT, one(text))
    holes = [piece for piece in one("execute s('abc')", context=context).pieces if not isinstance(piece, str)]
    assert [(hole.protection, hole.cut) for hole in holes] == [(EMAIL, 2), (NAME, 0)]
