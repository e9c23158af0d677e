"""A record in a line for people."""

import pytest
from hypothesis import given, settings
from tests.audit.recorded import IBAN, PHONE, client, denied, opened, permitted, plan, turned_away
from tests.audit.records.world import ANY

from strongroom.audit.records.codes import Record
from strongroom.audit.records.shared import Result
from strongroom.audit.words import COLUMNS, row, time_words


@settings(max_examples=150)
@given(ANY)
def test_every_record_has_its_line(record: Record) -> None:
    """With all columns, and nothing that a terminal would obey."""
    found = row(7, record)
    assert list(found) == COLUMNS
    assert all(str(value).isprintable() for value in found.values())


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (
            permitted(1, what=plan(IBAN, masked=[PHONE], filtered=["public.customers.id"])),
            [
                "2026-11-02 12:01:00Z",
                "statement.permitted",
                "support-1",
                "192.0.2.7",
                f"reveals {IBAN}; masks {PHONE} (last); filters public.customers.id",
                "1 rows, 1 values",
            ],
        ),
        (
            permitted(what=plan(), result=Result.FAILURE),
            [
                "2026-11-02 12:00:00Z",
                "statement.permitted",
                "support-1",
                "192.0.2.7",
                "public.customers",
                "1 rows, 1 values, 00000",
            ],
        ),
        (
            denied(0, client("anna", None)),
            [
                "2026-11-02 12:00:00Z",
                "statement.denied",
                "anna",
                "",
                f"asked: reveals {IBAN}",
                "access-denied",
            ],
        ),
        (opened(), ["2026-11-02 12:00:00Z", "session.opened", "support-1", "192.0.2.7", "shop", ""]),
        (
            turned_away(),
            ["2026-11-02 12:00:00Z", "login.failed", "support-1", "198.51.100.9", "shop", "proof"],
        ),
    ],
)
def test_the_line_of_a_record(record: Record, words: list[str]) -> None:
    """Who, from where, what, and how it ended."""
    assert list(row(0, record).values()) == [0, *words]


def test_any_time_has_words() -> None:
    """Clocks say anything."""
    assert time_words(0) == "1970-01-01 00:00:00Z"
    assert time_words(2**53) == "9007199254740992 ms"
