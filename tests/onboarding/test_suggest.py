"""onboarding/suggest.py: which columns to protect, and how."""

from dataclasses import replace

import pytest

from strongroom.config import ColumnName
from strongroom.onboarding.census import Dependent, LiveColumn
from strongroom.onboarding.suggest import Suggestion, suggest
from strongroom.wire.postgres import types


def column(name: str, type_: str = "text", oid: int = types.TEXT, table: str = "customers") -> LiveColumn:
    """A column of which the catalog says nothing special."""
    return LiveColumn(ColumnName("public", table, name), 1, 1, type_, oid, -1)


def only(*columns: LiveColumn) -> Suggestion:
    """The one suggestion."""
    (found,) = suggest(columns, "shop")
    return found


def test_nothing_to_suggest() -> None:
    """Columns whose names say nothing are not listed."""
    assert (
        suggest([column("id"), column("created_at"), column("email_ok", "boolean", types.BOOL)], "shop") == ()
    )


@pytest.mark.parametrize(
    ("one", "encryption"),
    [
        (column("email"), "deterministic"),
        (column("iban"), "randomized"),
        (replace(column("iban"), indexed=True), "deterministic"),
        (replace(column("iban"), indexed=True, is_unique=True), "deterministic"),
        (column("phone", "jsonb", types.JSONB), "randomized"),
    ],
)
def test_encryption(one: LiveColumn, encryption: str) -> None:
    """Deterministic where rows are looked up or an index compares, if the type allows it."""
    found = only(one)
    assert found.encryption == encryption
    assert found.chosen


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (column("city"), "sorted"),
        (column("last_ip", "inet", 869), "inet"),
        (replace(column("email"), has_default=True), "default"),
        (replace(column("email"), generated=True), "computes"),
        (replace(column("email"), dependents=(Dependent("CHECK", "has_at"),)), "CHECK has_at"),
        (replace(column("email"), folds=True, indexed=True), "collation"),
        (replace(column("phone", "jsonb", types.JSONB), indexed=True), "jsonb"),
        (column("token", "bytea", types.BYTEA), "already"),
    ],
)
def test_what_is_left_to_the_operator(one: LiveColumn, reason: str) -> None:
    """What is doubtful, cannot be sealed, or needs a change first is suggested and not chosen."""
    found = only(one)
    assert not found.chosen
    assert reason in found.reason


def test_views_do_not_stand_in_the_way() -> None:
    """A view over a column is no reason against it."""
    assert only(replace(column("email"), dependents=(Dependent("view", "v"),))).chosen


def test_foreign_keys_share_a_key() -> None:
    """Columns that foreign keys join are suggested together, with the key of the one all refer to."""
    email = replace(column("email"), indexed=True, is_unique=True)
    buyer = replace(column("buyer", table="orders"), references=email.name)
    payer = replace(column("payer", table="bills"), references=buyer.name)
    found = {one.column: one for one in suggest([payer, email, buyer], "shop")}
    assert {one.key for one in found.values()} == {None, email.name}
    assert found[email.name].key is None
    assert all(one.encryption == "deterministic" and one.chosen for one in found.values())


def test_one_doubt_holds_for_all_that_are_joined() -> None:
    """Of columns that are joined, all are chosen or none."""
    email = replace(column("email"), has_default=True)
    buyer = replace(column("buyer", table="orders"), references=email.name)
    found = suggest([email, buyer], "shop")
    assert [one.chosen for one in found] == [False, False]
    assert "public.customers.email" in found[1].reason


def test_a_circle_of_foreign_keys() -> None:
    """Columns that refer to each other share the key of the first by name."""
    one, two = column("email", table="a"), column("email", table="b")
    found = suggest([replace(one, references=two.name), replace(two, references=one.name)], "shop")
    assert [suggestion.key for suggestion in found] == [None, one.name]
