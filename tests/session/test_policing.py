"""What a policy says of one session's statements."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from tests.sql.world import CONTEXT

from strongroom.errors import AccessDenied
from strongroom.policy.model import DENY, PERMIT, Access, Action, Decision, Mask, Reason, Resource
from strongroom.policy.residual import UNLIMITED, Limits, Residual
from strongroom.protect.pseudonyms import PseudonymKey
from strongroom.session.assuming import Assumption
from strongroom.session.policing import NAMED_AT_MOST, Policing, Said
from strongroom.sql.resolve import analyse
from strongroom.sql.statement import Analysis

POLICED = replace(CONTEXT, policed=True)
EMAIL = Mask("email")


@dataclass
class Judge:
    """Permits all but what is refused; remembers what it was asked."""

    refuses: frozenset[str] = frozenset()
    masks: dict[str, Mask] = field(default_factory=dict)
    stands: int = 0
    asked: list[tuple[Access, ...]] = field(default_factory=list)
    heard: list[Said] = field(default_factory=list)
    database: str = "shop"
    policy: str = "5" * 64
    limits: Limits = UNLIMITED
    spent: list[tuple[int, int]] = field(default_factory=list)
    key: PseudonymKey = field(default_factory=lambda: PseudonymKey(bytes(32)))

    def standing(self, said: Said) -> object:
        """As the test says."""
        self.heard.append(said)
        return self.stands

    def may_assume(self, role: str, said: Said) -> bool:
        """One role, by those who have assumed none."""
        return role == "dba" and not said.assumed

    def decide(self, accesses: Sequence[Access], said: Said) -> Decision:
        """By table or column."""
        self.asked.append(tuple(accesses))
        reasons = tuple(
            Reason(one, DENY if {one.resource.table, one.resource.column} & self.refuses else PERMIT)
            for one in accesses
        )
        if any(one.effect is DENY for one in reasons):
            return Decision(DENY, reasons=reasons)
        masks = {
            one.resource: self.masks[one.resource.column]
            for one in accesses
            if one.action is Action.MASK and one.resource.column in self.masks
        }
        return Decision(PERMIT, masks, reasons, Residual(limits=self.limits))

    def counts(self, column: Resource) -> bool:
        """All but the number."""
        return column.column != "id"

    def spend(self, rows: int, reveals: int) -> None:
        """Remembers it."""
        self.spent.append((rows, reveals))


def judged(judge: Judge, text: str, tenant: str = "") -> Analysis:
    """A text as one session may send it."""
    return Policing(judge).judged(analyse(text, (), POLICED), CONTEXT.schema, tenant)


def test_what_a_row_reveals() -> None:
    """As many values as come unmasked and count; a statement that no limit binds is not metered."""
    judge = Judge(limits=Limits(10), masks={"ts": EMAIL})
    (metered,) = judged(judge, "select id, txt, txt from plain").statements
    assert metered.metered == 2
    Policing(judge).spend(metered, 3)
    (free,) = judged(Judge(), "select txt from plain").statements
    assert free.metered is None
    Policing(judge).spend(free, 3)
    assert judge.spent == [(3, 6)]


def test_what_is_asked() -> None:
    """Each access by its names, and each column that is output as it stands, under the database's name."""
    judge = Judge()
    judged(judge, "select txt from plain where id = 1")
    assert set(judge.asked[0]) == {
        Access(Action.SELECT, Resource("shop", "public", "plain")),
        Access(Action.FILTER, Resource("shop", "public", "plain", "id")),
        Access(Action.MASK, Resource("shop", "public", "plain", "txt")),
    }


@pytest.mark.parametrize(
    ("text", "access"),
    [
        ("select public.harmless(1)", Access(Action.CALL, Resource("shop", "public", function="harmless"))),
        ("create schema x", Access(Action.DDL, Resource("shop"))),
        ("select 1 from nowhere", Access(Action.SELECT, Resource("shop", "", "nowhere"))),
    ],
)
def test_what_has_fewer_names(text: str, access: Access) -> None:
    """Functions, the database itself, and what the catalog does not know, which is of no schema."""
    judge = Judge()
    judged(judge, text)
    assert access in judge.asked[0]


def test_what_is_permitted_whole_is_the_same_analysis() -> None:
    """So that what is remembered of it stays good."""
    analysis = analyse("select txt from plain", (), POLICED)
    policing = Policing(Judge())
    assert policing.judged(analysis, CONTEXT.schema, "") is analysis


def test_masks_are_put_on_outputs() -> None:
    """On each that is of the column, and on no other."""
    (found,) = judged(Judge(masks={"txt": EMAIL}), "select txt, id, txt as t from plain").statements
    assert [one.mask for one in found.outputs or ()] == [EMAIL, None, EMAIL]


def test_a_mask_that_does_not_fit_is_refused_at_once() -> None:
    """Before anything is sent, with the output's name."""
    with pytest.raises(AccessDenied, match='the output "id" can only be shown masked'):
        judged(Judge(masks={"id": EMAIL}), "select id from plain")


def test_what_is_denied_is_named() -> None:
    """The first few of it, and how many more; no value of the statement."""
    with pytest.raises(AccessDenied) as caught:
        judged(
            Judge(refuses=frozenset({"plain"})), "update plain set txt = 'secret' where id = 4711 returning *"
        )
    words = caught.value.message.removeprefix("permission denied: ").split(", ")
    assert len(words) == NAMED_AT_MOST
    assert words[0] == "filter on public.plain.id"
    assert words[-1].endswith(" more")
    assert "secret" not in caught.value.message


def test_each_is_asked_about_once_while_nothing_changes() -> None:
    """And again when the judge stands otherwise."""
    judge = Judge()
    policing = Policing(judge, "psql")
    analysis = analyse("select txt from plain", (), POLICED)
    for _ in range(3):
        policing.judged(analysis, CONTEXT.schema, "acme")
    assert len(judge.asked) == 1
    judge.stands, judge.refuses = 1, frozenset({"txt"})
    with pytest.raises(AccessDenied):
        policing.judged(analysis, CONTEXT.schema, "acme")
    assert set(judge.heard) == {Said("acme", "psql")}


def test_a_denial_is_not_remembered_as_a_permission() -> None:
    """Asked again, it is denied again."""
    policing = Policing(Judge(refuses=frozenset({"txt"})))
    analysis = analyse("select txt from plain", (), POLICED)
    for _ in range(2):
        with pytest.raises(AccessDenied):
            policing.judged(analysis, CONTEXT.schema, "")


def test_one_statement_of_several_denies_the_text() -> None:
    """None of it is sent."""
    with pytest.raises(AccessDenied):
        judged(Judge(refuses=frozenset({"txt"})), "select 1; select txt from plain")


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("begin", False),
        ("start transaction read only", False),
        ("rollback", False),
        ("set strongroom.tenant = 'acme'", False),
        ("set local STRONGROOM.Tenant to 'acme'", False),
        ("reset strongroom.tenant", False),
        ("commit", True),
        ("rollback prepared 'x'", True),
        ("savepoint a", True),
        ("reset all", True),
        ("set work_mem = '1MB'", True),
        ("select set_config('strongroom.tenant', 'acme', false)", True),
        ("begin; select 1", True),
    ],
)
def test_what_needs_no_role(text: str, asks: bool) -> None:
    """What says whose values are meant, and what begins and takes back: a role may count by it alone."""
    judge = Judge()
    judged(judge, text)
    assert bool(judge.asked) is asks


def test_a_role_is_assumed_if_the_judge_lets_it() -> None:
    """Whatever else counts; the judge hears of it in every statement once it was written down."""
    judge, assumption = Judge(), Assumption()
    policing = Policing(judge, "psql", assumption)
    text = "set strongroom.role = 'dba: order 17'"
    asked = policing.judged(analyse(text, (), POLICED), CONTEXT.schema, "")
    assert asked.statements[0].assumes == "dba: order 17"
    assert judge.asked == []
    assert assumption.said("dba: order 17")
    policing.standing("")
    assumption.answered(written=True)
    policing.standing("")
    assert [one.assumed for one in judge.heard[-2:]] == ["", "dba"]


@pytest.mark.parametrize("said", ["other: order 17", "dba", "dba:", "d\u0432a: x", "dba: a\nb", ": x"])
def test_what_may_not_be_assumed(said: str) -> None:
    """Another role, one in letters that look alike, and what gives no reason; no word of what was said."""
    assumption = Assumption()
    policing = Policing(Judge(), "psql", assumption)
    with pytest.raises(AccessDenied) as denied:
        policing.judged(analyse(f"set strongroom.role = '{said}'", (), POLICED), CONTEXT.schema, "")
    assert "17" not in denied.value.message
    assert assumption.said(said)
    assert assumption.waiting is None
