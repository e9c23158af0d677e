"""onboarding/clues.py: what names of columns say."""

import pytest

from strongroom.config import ColumnName
from strongroom.onboarding.clues import clue_for


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("email", "e-mail address"),
        ("customerEmail", "e-mail address"),
        ("CUSTOMER_E_MAIL", "e-mail address"),
        ("email_address", "e-mail address"),
        ("last_ip", "network address"),
        ("phone_number", "phone number"),
        ("IBAN", "bank account"),
        ("cvv", "card number"),
        ("tax_id", "tax number"),
        ("SSN", "identity number"),
        ("date_of_birth", "date of birth"),
        ("session_id", "token"),
        ("api_key", "secret"),
        ("address1", "postal address"),
        ("zip", "place"),
        ("LastName", "name of a person"),
        ("salary", "income"),
        ("notes", "free text"),
        ("password_hash", "password or its hash"),
    ],
)
def test_names(name: str, what: str) -> None:
    """However its words are put together, a name says what it holds."""
    found = clue_for(ColumnName("public", "t", name))
    assert found is not None
    assert found.what == what


@pytest.mark.parametrize(
    "name",
    [
        "id",
        "email_verified",
        "phone_type",
        "token_expires_at",
        "address_id",
        "emailed",
        "discard",
        "name",
        "é",
    ],
)
def test_names_that_say_nothing(name: str) -> None:
    """A fact about a datum, a reference to it, or a longer word with it inside, is not the datum."""
    assert clue_for(ColumnName("public", "products", name)) is None


@pytest.mark.parametrize(("table", "found"), [("users", True), ("old_customers", True), ("products", False)])
def test_a_bare_name(table: str, found: bool) -> None:
    """What is called ``name`` is the name of a person in a table of people only."""
    assert (clue_for(ColumnName("public", table, "name")) is not None) is found
