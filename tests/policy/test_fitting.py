"""policy/fitting.py: names that no database has, and masks that its columns do not take."""

import pytest

from strongroom.policy.fitting import NAMED_AT_MOST, Catalog, fitting
from strongroom.policy.model import Action, DataClass, Mask
from strongroom.policy.pattern import ANY, Pattern, exact
from strongroom.policy.review import Remark
from strongroom.policy.roles import REVEAL, ClassRule, ColumnRule, FunctionRule, Policy, Role, TableRule

SHOP = frozenset({"shop"})
TEXT, INT = (25, -1), (23, -1)
CUSTOMERS: dict[tuple[str, ...], tuple[int, int]] = {
    ("public", "customers", name): TEXT for name in ("email", "iban", "name")
}
COLUMNS: dict[tuple[str, ...], tuple[int, int]] = {
    **CUSTOMERS,
    ("public", "customers", "id"): INT,
    ("public", "orders", "id"): INT,
}
TABLES = frozenset({("public", "customers"), ("public", "orders"), ("pg_catalog", "pg_stats")})
CATALOG = Catalog(TABLES, COLUMNS, frozenset({("public", "slug")}))
READ = TableRule(Pattern((("public",), ANY)), frozenset({Action.SELECT}), place="read")


def misfit(mask: Mask, oid: int, typmod: int) -> str:
    """Only text takes other masks than null."""
    del typmod
    return "" if oid == 25 or mask.name in {"null", "constant"} else "it is for text"


def remarks(*roles: Role, policy: Policy | None = None, **catalogs: Catalog) -> list[Remark]:
    """Of these roles in the shop, unless other databases are said."""
    made = policy or Policy({one.name: one for one in roles})
    return list(fitting(made, catalogs or {"shop": CATALOG}, misfit))


def column(about: Pattern | DataClass, show: Mask | None = REVEAL, place: str = "rule") -> ColumnRule:
    return ColumnRule(about, show, place=place)


EVERY = Pattern((("public",), ANY, ANY))


def test_nothing_is_wrong() -> None:
    """Names that are there, patterns that mean something, and what is PostgreSQL's own."""
    role = Role(
        "r",
        SHOP,
        (READ, TableRule(exact("pg_catalog", "pg_stats"), frozenset({Action.SELECT}))),
        (column(exact("public", "customers", "email"), Mask("email")), column(EVERY)),
        (FunctionRule(exact("public", "slug")), FunctionRule(exact("pg_catalog", "pg_read_file"))),
    )
    assert remarks(role) == []


@pytest.mark.parametrize(
    ("role", "wrong", "remedy"),
    [
        (
            Role("r", SHOP, (TableRule(exact("public", "custmers"), place="rule"),)),
            "there is no such table in shop",
            "Did you mean public.customers?",
        ),
        (
            Role("r", SHOP, (READ,), (column(exact("public", "customers", "emial")),)),
            "there is no such column in shop",
            "Did you mean public.customers.email?",
        ),
        (
            Role("r", SHOP, functions=(FunctionRule(exact("public", "slgu"), "rule"),)),
            "there is no such function in shop",
            "Did you mean public.slug?",
        ),
        (
            Role("r", SHOP, (TableRule(exact("elsewhere", "x"), place="rule"),)),
            "there is no such table in shop",
            "Correct the name, or take the rule out.",
        ),
    ],
)
def test_a_name_that_is_not_there(role: Role, wrong: str, remedy: str) -> None:
    """Is wrong, with the one that may have been meant."""
    (found,) = remarks(role)
    assert (found.place, found.wrong, found.remedy, found.serious) == ("rule", wrong, remedy, True)


def test_what_matches_nothing_yet() -> None:
    """A pattern or a class may be for what is to come."""
    role = Role(
        "r",
        SHOP,
        (READ, TableRule(Pattern((("audit",), ANY)), place="pattern")),
        (column(DataClass.SECRET, place="class"),),
    )
    assert [(one.place, one.serious) for one in remarks(role)] == [("pattern", False), ("class", False)]


def test_a_line_of_classes_that_means_no_column() -> None:
    """Covers nothing, which nobody would notice."""
    classes = (
        ClassRule(exact("public", "customers", "ibn"), DataClass.SECRET),
        ClassRule(exact("public", "customers", "gone"), DataClass.PROTECTED, "shop"),
    )
    (found,) = remarks(policy=Policy({"r": Role("r", SHOP)}, classes=classes))
    assert (found.place, found.remedy) == (
        "classes.public.customers.ibn",
        "Did you mean public.customers.iban?",
    )
    assert found.serious


def test_a_role_of_several_databases() -> None:
    """A name need be in one of them; where one could not be read, nothing is certain."""
    role = Role("r", frozenset({"shop", "archive"}), (TableRule(exact("public", "orders"), place="rule"),))
    empty = Catalog(frozenset(), {}, frozenset())
    assert remarks(role, shop=CATALOG, archive=empty) == []
    (found,) = remarks(role, archive=empty)
    assert not found.serious
    assert remarks(role, other=empty) == []


@pytest.mark.parametrize("about", [exact("public", "customers", "id"), EVERY, DataClass.SECRET])
def test_a_mask_that_the_type_does_not_take(about: Pattern | DataClass) -> None:
    """However the rule is written: the column cannot be read at all."""
    secret = (ClassRule(exact("public", "customers", "id"), DataClass.SECRET),)
    role = Role("r", SHOP, (READ,), (column(about, Mask("email")),))
    (found,) = remarks(policy=Policy({"r": role}, classes=secret))
    assert found.serious
    assert found.wrong.startswith("public.customers.id")
    assert "it is for text" in found.wrong
    assert "name" not in found.wrong


IDS = Pattern((ANY, ANY, ("id",)))
OF_CUSTOMERS = Pattern((ANY, ("customers",), ANY))


@pytest.mark.parametrize(
    "rules",
    [
        (column(EVERY, Mask("null")),),
        (column(EVERY, Mask("email")), column(Pattern((("public",), ANY, ("id",))), place="ids")),
        (column(OF_CUSTOMERS, Mask("email")), column(IDS, Mask("null"))),
    ],
)
def test_a_mask_that_never_counts_there(rules: tuple[ColumnRule, ...]) -> None:
    """Where a closer rule speaks, or one as close tells less, and where the mask fits."""
    assert remarks(Role("r", SHOP, (READ,), rules)) == []


def test_a_mask_on_a_table_that_is_not_given() -> None:
    """Is nobody's."""
    only = TableRule(exact("public", "orders"), frozenset({Action.INSERT}), place="only")
    assert remarks(Role("r", SHOP, (only,), (column(EVERY, Mask("email")),))) == []


def test_many_columns_are_not_all_named() -> None:
    """A remark stays readable."""
    many = Catalog(TABLES, {("public", "orders", f"c{one:02}"): INT for one in range(20)}, frozenset())
    (found,) = remarks(Role("r", SHOP, (READ,), (column(EVERY, Mask("email")),)), shop=many)
    assert found.wrong.count("public.orders.") == NAMED_AT_MOST
    assert " and more of shop" in found.wrong
