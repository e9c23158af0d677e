"""What is wrong with a policy before anybody asks."""

from strongroom.policy.authorizer import Authorizer
from strongroom.policy.model import Action, DataClass, Mask, Subject
from strongroom.policy.pattern import ANY, Pattern, exact
from strongroom.policy.review import review
from strongroom.policy.roles import REVEAL, ColumnRule, Policy, Role, TableRule

SHOP = frozenset({"shop"})
READ = TableRule(exact("public", "customers"), frozenset({Action.SELECT}), place="read")
EMAIL = exact("public", "customers", "email")
SHOWN = ColumnRule(EMAIL, REVEAL, place="shown")


def remarks(*roles: Role, held: bool = True) -> list[tuple[str, str, bool]]:
    """Of a policy whose one subject holds all of these roles."""
    names = frozenset(one.name for one in roles) if held else frozenset()
    policy = Policy({one.name: one for one in roles}, (Subject("anna", "person", names),))
    return [(one.place, one.wrong.split(":")[0], one.serious) for one in review(Authorizer(policy))]


def test_nothing_is_wrong() -> None:
    """With rules that count, and exceptions from wider ones."""
    wide = ColumnRule(Pattern((("public",), ANY, ANY)), Mask("email"), place="wide")
    secret = ColumnRule(DataClass.SECRET, nothing=True, place="secret")
    assert remarks(Role("r", SHOP, (READ,), (wide, SHOWN, secret))) == []


def test_rules_that_disagree() -> None:
    """Patterns as close as each other that may mean the same, and give different things."""
    by_table = ColumnRule(Pattern((("public",), ("customers",), ANY)), REVEAL, place="by table")
    by_name = ColumnRule(Pattern((("public",), ANY, ("email",))), Mask("email"), place="by name")
    (found,) = remarks(Role("r", SHOP, (READ,), (by_table, by_name)))
    assert found == ("by table", "disagrees with by name, which is as close", True)
    apart = ColumnRule(Pattern((("sales",), ANY, ("email",))), Mask("email"), place="apart")
    wide = TableRule(Pattern((ANY, ANY)), frozenset({Action.SELECT}), place="all")
    assert remarks(Role("r", SHOP, (wide,), (by_table, apart))) == []


def test_columns_of_tables_that_are_not_given() -> None:
    """What needs the role's leave for the table, and does not have it, never counts."""
    written = ColumnRule(EMAIL, write=True, place="written")
    assert [one[:2] for one in remarks(Role("r", SHOP, (READ,), (written,)))] == [("written", "never counts")]
    assert [one[:2] for one in remarks(Role("r", SHOP, (), (SHOWN,)))] == [("shown", "never counts")]
    closed = TableRule(exact("public", "customers"), nothing=True, place="closed")
    wide = TableRule(Pattern((ANY, ANY)), frozenset({Action.SELECT}), place="all")
    found = remarks(Role("r", SHOP, (wide, closed), (SHOWN,)))
    assert ("shown", "never counts", True) in found


def test_rules_that_another_role_refuses() -> None:
    """For who holds both, the permit never counts."""
    forbidding = Role("b", SHOP, columns=(ColumnRule(EMAIL, nothing=True, place="closed"),))
    (found,) = remarks(Role("a", SHOP, (READ,), (SHOWN,)), forbidding)
    assert found == ("shown", "never counts for who holds a, b", True)


def test_roles_that_nobody_holds() -> None:
    """And subjects that hold none: to be borne in mind."""
    assert remarks(Role("r", SHOP), held=False) == [
        ("roles.r", "is held by nobody", False),
        ("people.anna", "holds no role, and may do nothing", False),
    ]
