"""Policies, triggers, statistics, publications, comments and functions near a protected table."""

import pytest
from tests.sql.world import one, shown

from strongroom.errors import ComparisonRefused, DefinitionRefused, FunctionRefused
from strongroom.sql.statement import Barrier, Kind

HOLE = "⟨public.customers.email⟩"
TRIGGER = "create trigger t before update on customers for each row"


@pytest.mark.parametrize(
    "text",
    [
        "create policy p on customers using (email = 'a')",
        "alter policy p on customers with check (email = 'a')",
        "create policy p on customers for update using (id = 1) with check (id = 2 and email = 'a')",
        f"{TRIGGER} when (new.email = 'a') execute function listed()",
        f"{TRIGGER} when (old.email is distinct from new.email or old.email = 'a') execute function listed()",
        "create publication p for table customers where (email = 'a')",
        "alter publication p add table plain, customers (id) where (email = 'a')",
    ],
)
def test_a_stored_condition_seals_its_literal(text: str) -> None:
    """What the database keeps has a hole in place of the literal, and nothing else changes."""
    assert shown(text) == text.replace("'a'", HOLE)
    resolved = one(text)
    assert resolved.touched
    assert (resolved.kind, resolved.barriers) == (Kind.DDL, Barrier.CATALOG)


@pytest.mark.parametrize(
    "text",
    [
        "create policy p on customers using (note = 'a')",
        "create policy p on customers to someone",
        f"{TRIGGER} when (new.note = 'a') execute function listed()",
        f"{TRIGGER} execute function public.listed()",
        "create publication p for table customers where (note = 'a')",
        "create publication p for table customers, plain",
        "create publication p for tables in schema public",
        "alter publication p drop table customers",
        "create statistics s on email, note from customers",
    ],
)
def test_what_holds_no_protected_literal_stays(text: str) -> None:
    """It is sent as it came."""
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("create policy p on customers using (lower(email) = 'a')", FunctionRefused),
        ("create policy p on customers with check (iban = 'a')", ComparisonRefused),
        (f"{TRIGGER} when (upper(new.email) = 'a') execute function listed()", FunctionRefused),
        (f"{TRIGGER} when (old.* is distinct from new.*) execute function listed()", ComparisonRefused),
        ("create publication p for table customers where (iban = 'a')", ComparisonRefused),
        ("alter publication p set table customers where (email like 'a%')", ComparisonRefused),
        ("create statistics s on lower(note), email from customers", DefinitionRefused),
    ],
)
def test_a_condition_that_sealed_values_cannot_answer_is_refused(text: str, error: type[Exception]) -> None:
    """As it would be in a query."""
    with pytest.raises(error):
        one(text)


def test_a_trigger_needs_a_function_that_is_listed() -> None:
    """Its function is given rows with sealed values, so somebody has looked at it."""
    for function in ("stamp", "public.stamp", "other.listed", "nowhere"):
        with pytest.raises(DefinitionRefused) as refused:
            one(f"{TRIGGER} execute function {function}()")
        assert "functions:" in refused.value.hint


def test_a_function_body_that_is_read_is_refused() -> None:
    """BEGIN ATOMIC and RETURN are stored as read, with their literals; a string is opaque when called."""
    for body in (
        "begin atomic select count(*)::int from customers where email = 'a'; end",
        "begin atomic delete from plain; delete from customers; end",
        "return (select id from customers where email = 'a')",
    ):
        with pytest.raises(DefinitionRefused):
            one(f"create function f() returns int {body}")
    for passing in (
        "create function f() returns int begin atomic select id from plain where txt = 'a'; end",
        "create function f() returns int language sql as 'select id from customers'",
    ):
        assert shown(passing) == passing


def test_the_comment_of_our_check_stays() -> None:
    """It tells the order of columns; other comments, and those of other tables, are the client's."""
    for text in (
        "comment on constraint strongroom_email on customers is 'strongroom column order: {}'",
        "comment on constraint strongroom_email on public.customers is null",
        "comment on constraint strongroom_email on mails is ''",
    ):
        with pytest.raises(DefinitionRefused):
            one(text)
    for text in (
        "comment on constraint strongroom_email on plain is 'x'",
        "comment on constraint strongroom_email on nowhere is 'x'",
        "comment on constraint u on customers is 'x'",
        "comment on table customers is 'x'",
    ):
        assert shown(text) == text
