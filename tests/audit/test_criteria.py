"""What is looked for, held against a record."""

from typing import Any

import pytest
from tests.audit.recorded import IBAN, PHONE, client, head, permitted, plan, turned_away

from strongroom.audit.criteria import VERDICTS, Criteria, Verdict, is_address, is_event
from strongroom.audit.records.codes import CODES
from strongroom.audit.records.traits import traits_of

NOON = head().time
RECORD = permitted(what=plan(IBAN, masked=[PHONE], filtered=["public.customers.id"]))


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({}, True),
        ({"person": "Support-1"}, True),
        ({"person": "support"}, False),
        ({"column": "customers.iban"}, True),
        ({"column": "customers.id"}, True),
        ({"column": "customers.id", "seen": True}, False),
        ({"column": "phone", "seen": True}, True),
        ({"column": "iban", "person": "anna"}, False),
        ({"table": "customers"}, True),
        ({"table": "public"}, False),
        ({"database": "shop"}, True),
        ({"database": "crm"}, False),
        ({"event": "statement"}, True),
        ({"event": "state"}, False),
        ({"verdict": Verdict.PERMITTED}, True),
        ({"verdict": Verdict.DENIED}, False),
        ({"address": "192.0.2.7"}, True),
        ({"address": "192.0.2.1/24"}, True),
        ({"address": "2001:db8::/32"}, False),
        ({"since": NOON}, True),
        ({"since": NOON + 1}, False),
        ({"until": NOON}, False),
        ({"until": NOON + 1}, True),
    ],
)
def test_a_record_fits(wanted: dict[str, Any], fits: bool) -> None:
    """Where all hold that are asked for."""
    assert Criteria(**wanted).fits(traits_of(RECORD), RECORD.head.time) is fits


def test_an_address_that_is_none_is_no_error() -> None:
    """A record of a Unix socket has none, and a client none of ours may have any."""
    for one in (permitted(0, client(address=None)), permitted(0, client(address="fe80::1%eth0/x"))):
        assert not Criteria(address="192.0.2.7").fits(traits_of(one), NOON)


def test_a_refused_login_is_a_denial() -> None:
    """Somebody was told no."""
    assert Criteria(verdict=Verdict.DENIED).fits(traits_of(turned_away()), NOON)


def test_verdicts_are_of_codes() -> None:
    """That there are."""
    assert VERDICTS.keys() <= CODES.keys()


def test_columns_that_are_shown() -> None:
    """By name, or all of a table."""
    assert Criteria(column="customers.iban").shows(IBAN)
    assert not Criteria(column="customers.iban").shows(PHONE)
    assert Criteria(table="customers").shows(PHONE)
    assert not Criteria(table="orders").shows(PHONE)
    assert not Criteria(column="iban", table="orders").shows(IBAN)
    assert Criteria().shows(IBAN)


def test_names_of_events_and_addresses() -> None:
    """What is none is told before anything is read."""
    assert is_event("key")
    assert is_event("key.created")
    assert not is_event("keys")
    assert not is_event("")
    assert is_address("192.0.2.7")
    assert is_address("2001:db8::/32")
    assert not is_address("localhost")
    assert not is_address("192.0.2.300")
