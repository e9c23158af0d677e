"""A month of the log, counted."""

import calendar
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.audit.recorded import (
    IBAN,
    MINUTE,
    PHONE,
    client,
    denied,
    erased,
    head,
    later,
    numbered,
    opened,
    permitted,
    plan,
    turned_away,
    written,
)

from strongroom.audit import report as reporting
from strongroom.audit.records.changes import KeyChanged, KeyDeed, KeyKind, RoleChanged, RoleDeed
from strongroom.audit.records.codes import CODES, Record
from strongroom.audit.records.running import ClockTurnedBack, Gap, Loss
from strongroom.audit.records.sessions import LoginFailed, SessionClosed, SessionOpened
from strongroom.audit.records.shared import Doer, Head, Holder, Result
from strongroom.audit.records.statements import Denied, Ended, Intended, Outcome, Permitted
from strongroom.audit.report import Month, Part, Report, Times, report_of
from strongroom.audit.search import Seen, Sight

NOVEMBER = Month.parse("2026-11")
NOON = head().time
ANNA = Doer("anna", Holder.ADMINISTRATOR)


def reported(folder: Path, *records: Record | bytes) -> Report:
    return report_of(written(folder / "audit", records).all(), NOVEMBER)


def test_a_month_is_from_its_first_millisecond_to_its_last() -> None:
    """In UTC, December too."""
    first = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp() * 1000)
    assert Month.parse("2026-12") == Month("2026-12", first, first + 31 * 86_400_000)
    for year, month in ((2024, 2), (2026, 11)):
        found = Month.parse(f"{year}-{month:02}")
        assert found.behind - found.first == calendar.monthrange(year, month)[1] * 86_400_000


@pytest.mark.parametrize(
    "text", ["2026", "2026-13", "2026-00", "2026-1", "11-2026", "2026-11-01", "0000-01", ""]
)
def test_what_is_no_month(text: str) -> None:
    """Is refused."""
    with pytest.raises(ValueError, match=r".*"):
        Month.parse(text)


def test_each_record_has_a_place() -> None:
    """None is left out of every count and list."""
    counted = {Permitted, Intended, Ended, Denied, SessionOpened, SessionClosed, LoginFailed}
    assert {one.record for one in CODES.values()} == counted | reporting._PARTS.keys()


def test_what_is_counted(tmp_path: Path) -> None:
    """Columns by who saw them, denials, sessions and failures, each with first and last."""
    found = reported(
        tmp_path,
        opened(0),
        permitted(1, rows=3),
        permitted(2, what=plan(IBAN, masked=[PHONE]), rows=4),
        denied(3),
        denied(4),
        turned_away(5),
        opened(6),
    )
    assert found.sights == {
        Sight("support-1", "person", "shop", IBAN, "revealed"): Seen(
            2, 7, 7, 0, NOON + MINUTE, NOON + 2 * MINUTE
        ),
        Sight("support-1", "person", "shop", PHONE, "masked (last)"): Seen(
            1, 4, 4, 0, NOON + 2 * MINUTE, NOON + 2 * MINUTE
        ),
    }
    times = Times(2, NOON + 3 * MINUTE, NOON + 4 * MINUTE)
    assert found.denials == {("support-1", "access-denied", "public.customers"): times}
    entry = "support-1", "192.0.2.7", "SCRAM-SHA-256-PLUS", "second factor"
    assert {key[:2]: one.count for key, one in found.entries.items()} == {entry[:2]: 2}
    assert list(found.failures) == [("support-1", "198.51.100.9", "proof")]
    assert found.records == 7


def test_what_is_listed(tmp_path: Path) -> None:
    """Grants, keys and gaps, record by record."""
    role = RoleChanged(head(1), ANNA, RoleDeed.GRANTED, "bob", ("support",), 1, "ticket 7", ("carl",))
    key = KeyChanged(head(2), ANNA, KeyDeed.ROTATED, IBAN, KeyKind.KEYSET, Result.SUCCESS, (), ())
    gap = Gap(head(3), Loss.UNWRITABLE, 5, NOON, NOON)
    found = reported(tmp_path, role, key, gap, ClockTurnedBack(head(4), 1))
    assert {part: one.count for part, one in found.listings.items() if one.count} == {
        Part.ROLES: 1,
        Part.KEYS: 1,
        Part.GAPS: 2,
    }


def test_a_list_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says how many there are."""
    monkeypatch.setattr(reporting, "LISTED", 3)
    listing = reported(tmp_path, *[ClockTurnedBack(head(one), 1) for one in range(9)]).listings[Part.GAPS]
    assert (len(listing.octets), listing.count) == (3, 9)


def test_other_months_are_left_out(tmp_path: Path) -> None:
    """By the time of each record."""

    def at(time: int, record: Permitted) -> Permitted:
        return replace(record, head=replace(record.head, time=time))

    times = NOVEMBER.first - 1, NOVEMBER.first, NOVEMBER.behind - 1, NOVEMBER.behind
    found = reported(tmp_path, *[at(time, permitted(rows=10**place)) for place, time in enumerate(times)])
    assert [one.rows for one in found.sights.values()] == [110]
    assert found.records == 2


def test_what_could_not_be_read(tmp_path: Path) -> None:
    """Is counted and named: erased, changed, and of a later version."""
    log = written(tmp_path / "audit", [*[permitted(one) for one in range(4)], later(permitted(4))])
    erased(log.folder, 1)
    file = log.folder / "content" / "000"
    file.write_bytes(file.read_bytes().replace(b"support-1", b"support-2", 1))
    found = report_of(log.all(), NOVEMBER)
    assert (found.erased, found.wrong, found.unread, found.records) == (1, [0], [4], 2)


@pytest.mark.parametrize(
    ("numbers", "missing"), [((1, 2, 3), 0), ((1, 2, 5), 2), ((3, 4), 2), ((1, 1, 2), 0), ((2, 1), 1)]
)
def test_numbers_of_a_process_that_are_missing(tmp_path: Path, numbers: Sequence[int], missing: int) -> None:
    """From 1 on, each is there; holes are counted."""
    found = reported(tmp_path, *[numbered(permitted(), one) for one in numbers])
    assert sum(found.missing().values()) == missing


def test_a_process_of_another_month_is_not_named(tmp_path: Path) -> None:
    """What it lost is in that month's report."""
    before = Head(NOVEMBER.first - 1, 9, "worker 2, process 8, run 11", head().gateway, "0.1")
    assert reported(tmp_path, replace(permitted(), head=before)).missing() == {}


def intended(statement: int) -> Intended:
    return Intended(head(statement), client(), plan(IBAN), "shop", statement)


def ended(statement: int, rows: int) -> Ended:
    outcome = Outcome(Result.SUCCESS, "00000", 1, rows, rows)
    return Ended(head(10), client(), outcome, "shop", statement)


def test_statements_and_their_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are joined; those without an end are counted, and no more wait for one than may."""
    records: list[Record | bytes] = [intended(1), intended(2), ended(2, 5), intended(3), ended(7, 99)]
    found = reported(tmp_path / "one", *records)
    (seen,) = found.sights.values()
    assert (seen.statements, seen.rows, seen.unknown, found.unended) == (3, 5, 2, 2)
    monkeypatch.setattr(reporting, "WAITING", 1)
    found = reported(tmp_path / "two", *records)
    (seen,) = found.sights.values()
    assert (seen.statements, seen.rows, seen.unknown, found.unended) == (3, 5, 2, 2)
