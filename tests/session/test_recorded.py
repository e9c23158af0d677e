"""What an audit record says of a statement."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.session.test_policing import EMAIL, POLICED, Judge
from tests.sql.world import CONTEXT, SCHEMA

from strongroom.audit.records.statements import Deed, Masked, Plan
from strongroom.policy.model import DENY, PERMIT, Access, Action, Decision, Reason, Resource
from strongroom.session.policing import Policing, Said, noticed, questions
from strongroom.session.recorded import Recorded, is_recordable, plan_of
from strongroom.sql import access
from strongroom.sql.resolve import analyse
from strongroom.sql.statement import Noticed

RECORDED = replace(POLICED, recorded=True)
ASKED = Access(Action.SELECT, Resource("shop", "public", "customers"))


class Answering(Judge):
    """Says one thing."""

    def __init__(self, says: Decision) -> None:
        super().__init__()
        self.says = says

    def decide(self, accesses: Sequence[Access], said: Said) -> Decision:
        """As it was told."""
        return self.says


def recorded(judge: Judge, text: str) -> Recorded:
    """Of a text of one statement, after it passed."""
    policing = Policing(judge)
    (statement,) = policing.judged(analyse(text, (), RECORDED), SCHEMA, "").statements
    return policing.recorded(statement, SCHEMA, "")


def plan(text: str, judge: Judge | None = None) -> Plan:
    return recorded(judge or Judge(), text).plan


def test_a_query() -> None:
    """Its table, and which columns it shows, masks, computes with and tells rows apart by."""
    judge = Judge(masks={"email": EMAIL})
    found = plan("select c.email, c.name, upper(c.note) from customers c where c.id = 4711", judge)
    assert found == Plan(
        Deed.QUERY,
        found.fingerprint,
        "select c.email, c.name, upper(c.note) from customers c where c.id = $1",
        tables=("public.customers",),
        revealed=("public.customers.name", "public.customers.note"),
        masked=(Masked("public.customers.email", "email"),),
        filtered=("public.customers.id",),
        written=(),
        actions=("select",),
        functions=(),
        rules=(),
        policy=judge.policy,
    )


@pytest.mark.parametrize(
    ("text", "deed", "actions"),
    [
        ("insert into plain (id) values (1)", Deed.CREATE, ("insert",)),
        ("update plain set txt = 'x' where id = 1", Deed.UPDATE, ("select", "update")),
        ("delete from plain where id = 1", Deed.DELETE, ("delete", "select")),
        ("copy plain from stdin", Deed.WRITE, ("copy", "insert")),
        ("copy plain to stdout", Deed.QUERY, ("copy", "select")),
        ("truncate plain", Deed.OTHER, ("truncate",)),
        ("begin", Deed.OTHER, ()),
    ],
)
def test_what_it_does(text: str, deed: Deed, actions: tuple[str, ...]) -> None:
    """In the words of OCSF, and in those of the policy."""
    found = plan(text)
    assert (found.deed, found.actions) == (deed, actions)
    assert found.tables == (("public.plain",) if actions else ())


def test_what_is_written() -> None:
    """The columns, not what they get."""
    found = plan("update plain set txt = 'secret' where id = 17")
    assert (found.written, found.filtered) == (("public.plain.txt",), ("public.plain.id",))
    assert found.text == "update plain set txt = $1 where id = $2"


def test_more_than_a_record_holds() -> None:
    """Then it names the first tables alone; a guard lets no such statement pass."""
    (statement,) = analyse("select * from customers", (), RECORDED).statements
    accesses = frozenset(
        access.Access(Action.REVEAL, "public", "t", "\x01" * 60 + str(n)) for n in range(1500)
    )
    wide = replace(statement, accesses=accesses)
    asked = questions(wide, SCHEMA, "shop")
    assert not is_recordable(wide, SCHEMA, asked.accesses, asked.shown)
    found = plan_of(wide, SCHEMA, asked.accesses, asked.shown)
    assert (found.tables, found.revealed) == (("public.customers",), ())
    narrow = replace(statement, accesses=frozenset(sorted(accesses, key=repr)[:1000]))
    asked = questions(narrow, SCHEMA, "shop")
    assert len(plan_of(narrow, SCHEMA, asked.accesses, asked.shown).revealed) >= 1000


def test_functions_are_named() -> None:
    """Those that the policy is asked about."""
    assert plan("select public.harmless(1)").functions == ("public.harmless",)


def test_a_table_that_is_not_there_has_a_name() -> None:
    """And no schema: nobody knows in which it would be."""
    assert plan("select 1 from nowhere").tables == ("nowhere",)


def test_values_of_a_row() -> None:
    """As many as come unmasked, of columns that count; one that comes twice is two."""
    judge = Judge(masks={"email": EMAIL})
    assert recorded(judge, "select id, email, name, name from customers").values == 2


def test_rules_are_named_once() -> None:
    """The places in the configuration of all that decided."""
    (statement,) = analyse("select txt from plain where id = 1", (), RECORDED).statements
    asked = questions(statement, SCHEMA, "shop")
    reasons = (
        Reason(asked.accesses[0], PERMIT, ("roles.b", "roles.a")),
        Reason(asked.accesses[1], PERMIT, ("roles.a",)),
    )
    found = plan_of(
        statement, SCHEMA, asked.accesses, asked.shown, Decision(PERMIT, reasons=reasons), assumed="dba"
    )
    assert found.rules == ("roles.a", "roles.b")
    assert found.assumed == "dba"


def test_a_denial_has_a_plan_too() -> None:
    """What was asked for is what an auditor wants to see."""
    (statement,) = analyse("select name from customers where id = 1", (), RECORDED).statements
    found = Policing(Judge(frozenset({"name"}))).recorded(statement, SCHEMA, "").plan
    assert found.revealed == ("public.customers.name",)
    assert found.text == "select name from customers where id = $1"


def unasked(text: str) -> Plan:
    """Of the last statement of a text where no policy is asked."""
    *_, statement = analyse(text, (), replace(CONTEXT, recorded=True)).statements
    asked = noticed(statement, SCHEMA)
    return plan_of(statement, SCHEMA, asked.accesses, asked.shown)


def test_without_a_policy_the_columns_are_known() -> None:
    """As they are where one is asked."""
    found = unasked("select c.email, upper(c.note) from customers c where c.id = 4711")
    assert found.tables == ("public.customers",)
    assert found.revealed == ("public.customers.email", "public.customers.note")
    assert (found.filtered, found.actions) == (("public.customers.id",), ("select",))
    assert (found.rules, found.policy) == ((), None)
    assert unasked("update plain set txt = 'x' where id = 1").written == ("public.plain.txt",)


def test_columns_that_are_not_known() -> None:
    """Of a statement that cannot be followed each of its tables'; of a text that is not SQL, of any table."""
    found = unasked("select * from plain natural join nowhere")
    assert found.tables == ("public.plain",)
    assert (found.revealed, found.filtered) == (("nowhere.*", "public.plain.*"),) * 2
    assert found.written == ()
    assert unasked("insert into plain select * from nowhere").written == ("nowhere.*", "public.plain.*")
    assert unasked("selekt 1").revealed == ("*",)
    behind = unasked("set search_path = other; select id from plain")
    assert behind.revealed == ("*", "public.plain.*")


def test_more_columns_than_a_record_holds() -> None:
    """Where nothing is refused for it, the record says that it was any of them."""
    (statement,) = analyse("select * from customers", (), replace(CONTEXT, recorded=True)).statements
    many = frozenset(access.Access(Action.REVEAL, "public", "t", "\x01" * 60 + str(n)) for n in range(1500))
    asked = noticed(replace(statement, noticed=Noticed(many)), SCHEMA)
    assert plan_of(statement, SCHEMA, asked.accesses, asked.shown).revealed == ("public.t.*",)


def test_what_a_denial_says_besides() -> None:
    """What the rules do not: that nothing matched, or that no role counts."""
    (statement,) = analyse("select name from customers", (), RECORDED).statements
    for reasons, remark in (
        ((Reason(ASKED, DENY, remark="b"), Reason(ASKED, DENY, remark="a"), Reason(ASKED, DENY)), "a; b"),
        ((Reason(ASKED, PERMIT, remark="c"), Reason(ASKED, DENY, ("roles.x",))), None),
        ((), "no role counts now"),
    ):
        judge = Answering(Decision(DENY, reasons=reasons))
        assert Policing(judge).recorded(statement, SCHEMA, "").remark == remark
    assert recorded(Judge(), "select name from customers").remark is None


def test_statements_that_are_not_recorded_are_not_normalized() -> None:
    """Nor is anything kept of their text."""
    (statement,) = analyse("select name from customers where id = 1", (), POLICED).statements
    assert statement.normalized is None
