"""What an index finds is read from the log; and who saw a column."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.audit.recorded import (
    IBAN,
    MINUTE,
    NAME,
    PHONE,
    client,
    denied,
    erased,
    head,
    later,
    permitted,
    plan,
    written,
)

from strongroom.audit.contents import Contents
from strongroom.audit.criteria import Criteria
from strongroom.audit.index import Index, index_of
from strongroom.audit.records.codes import Record
from strongroom.audit.records.shared import Holder, Result
from strongroom.audit.records.statements import Ended, Intended, Outcome
from strongroom.audit.search import Search, Seen, Sight, who_saw
from strongroom.errors import LogDamaged

NOON = head().time
APP = client("app", "192.0.2.9", Holder.ACCOUNT)


@contextmanager
def searching(log: Contents, *, follow: bool = True) -> Iterator[Search]:
    index = Index.open(index_of(log.folder), log, print)
    try:
        if follow:
            index.follow(log)
        yield Search(index, log)
    finally:
        index.close()


def sights(folder: Path, *records: Record | bytes, **wanted: str) -> dict[Sight, Seen]:
    criteria = Criteria(**{"event": "statement", "seen": True, **wanted})  # type: ignore[arg-type]  # names are text
    with searching(written(folder / "audit", records)) as search:
        return who_saw(search, search.find(criteria), criteria)


def test_what_is_found_is_the_record(tmp_path: Path) -> None:
    """Octet by octet, the newest first, within its time."""
    log = written(tmp_path / "audit", [permitted(one) for one in range(20)])
    with searching(log) as search:
        found = list(
            search.find(Criteria(person="support-1", since=NOON + 5 * MINUTE, until=NOON + 8 * MINUTE))
        )
    assert [one.number for one in found] == [7, 6, 5]
    assert [one.octets for one in found] == [log.record(number).octets for number in (7, 6, 5)]


def test_an_index_that_lies_is_not_believed(tmp_path: Path) -> None:
    """It says that a record is of another kind, or where none is: what is there is read, and does not fit."""
    log = written(tmp_path / "audit", [permitted(0), permitted(1, client("anna"))])
    with searching(log):
        pass
    connection = sqlite3.connect(index_of(log.folder))
    connection.execute("UPDATE records SET kind = (SELECT kind FROM records WHERE number = 0)")
    connection.execute("INSERT INTO records SELECT 77, kind FROM records WHERE number = 0")
    connection.commit()
    connection.close()
    with searching(log, follow=False) as search:
        assert [one.number for one in search.find(Criteria(person="support-1"))] == [0]
        assert search.read(77) is None


def test_what_changes_between_index_and_reading(tmp_path: Path) -> None:
    """What was erased is passed over, and what was changed is an error that names the record."""
    log = written(tmp_path / "audit", [permitted(0), permitted(1), later(permitted(2))])
    with searching(log) as search:
        erased(log.folder, 0)
        assert [one.number for one in search.find(Criteria(person="support-1"))] == [1]
        assert search.read(2) is None
    file = log.folder / "content" / "000"
    with searching(Contents(log.folder, log.checkpoint)) as search:
        file.write_bytes(file.read_bytes().replace(b"support-1", b"support-2"))
        with pytest.raises(LogDamaged, match="record 1 "):
            list(search.find(Criteria(person="support-1")))


def test_who_saw_a_column(tmp_path: Path) -> None:
    """By name and way: how often, how much, first and last; what was denied showed nothing."""
    found = sights(
        tmp_path,
        permitted(5, rows=3),
        permitted(1, rows=4),
        permitted(2, APP, plan(NAME, masked=[IBAN]), rows=9),
        permitted(3, what=plan(NAME, filtered=[IBAN])),
        denied(4, client("mallory")),
        column="customers.iban",
    )
    assert found == {
        Sight("app", "account", "shop", IBAN, "masked (last)"): Seen(
            1, 9, 9, 0, NOON + 2 * MINUTE, NOON + 2 * MINUTE
        ),
        Sight("support-1", "person", "shop", IBAN, "revealed"): Seen(
            2, 7, 7, 0, NOON + MINUTE, NOON + 5 * MINUTE
        ),
    }


def test_who_saw_a_table(tmp_path: Path) -> None:
    """Each of its columns, and none of another table in the same statement."""
    what = replace(plan(IBAN, PHONE, "public.orders.total"), tables=("public.customers", "public.orders"))
    found = sights(tmp_path, permitted(0, what=what), table="customers")
    assert [one.column for one in found] == [IBAN, PHONE]


def test_statements_whose_end_is_a_record_of_its_own(tmp_path: Path) -> None:
    """They are joined by session and statement; without an end nobody knows what came."""
    whose, other = client(), client("anna")

    def ended(minute: int, statement: int, rows: int) -> Ended:
        return Ended(head(minute), whose, Outcome(Result.SUCCESS, "00000", 1, rows, rows), "shop", statement)

    found = sights(
        tmp_path,
        Intended(head(1), whose, plan(IBAN), "shop", 1),
        Intended(head(2), whose, plan(IBAN), "shop", 2),
        ended(3, 2, 20),
        ended(4, 1, 10),
        ended(4, 3, 99),
        Intended(head(5), other, plan(IBAN), "shop", 3),
        column="iban",
    )
    assert found[Sight("support-1", "person", "shop", IBAN, "revealed")].rows == 30
    assert found[Sight("anna", "person", "shop", IBAN, "revealed")] == Seen(
        1, 0, 0, 1, NOON + 5 * MINUTE, NOON + 5 * MINUTE
    )


def test_a_statement_of_which_nobody_knows_the_outcome(tmp_path: Path) -> None:
    """The session broke off: it is counted as such."""
    found = sights(tmp_path, permitted(0, result=Result.UNKNOWN), permitted(1), column="iban")
    assert [(one.statements, one.unknown) for one in found.values()] == [(2, 1)]
