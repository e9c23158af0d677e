"""The list of deeds in the state: taken up in order and once, and what is missing from it shows."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import text

from strongroom.audit.records.changes import AccountChanged, AccountDeed
from strongroom.audit.records.encoding import encode
from strongroom.audit.records.running import ProcessTurned, Turn
from strongroom.audit.records.shared import Doer, Head, Holder, Result
from strongroom.config import StateAddress
from strongroom.deeds import listing
from strongroom.deeds.listing import DeedList, Untaken
from strongroom.state import State, open_state

ORIGIN, OTHER = "gateway.example/test", "gateway.example/other"
DEEDS = DeedList(ORIGIN)
DOER = Doer("root", Holder.ADMINISTRATOR)


def deed(number: int, origin: str = ORIGIN) -> bytes:
    """A record that may stand in the list."""
    head = Head(1000 + number, number, "strongroom people add, process 7, run 0a", origin, "0.1")
    return encode(AccountChanged(head, DOER, AccountDeed.ADDED, "anna", Result.SUCCESS))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """One without deeds."""
    opened = open_state(StateAddress(tmp_path / "state.db"))
    yield opened
    opened.close()


def append(state: State, *octets: bytes, minor: bool = False, deeds: DeedList = DEEDS) -> list[bool]:
    """Each in a transaction of its own, as commands do."""
    kept = []
    for one in octets:
        with state.engine.begin() as connection:
            kept.append(deeds.append(connection, one, minor=minor))
    return kept


def untaken(state: State, deeds: DeedList = DEEDS) -> Untaken:
    with state.engine.begin() as connection:
        return deeds.untaken(connection)


def take(state: State, taken: Untaken, now: int = 9000) -> None:
    with state.engine.begin() as connection:
        DEEDS.take(connection, taken, now)


def tamper(state: State, statement: str) -> None:
    """As somebody with the file would."""
    with state.engine.begin() as connection:
        assert connection.execute(text(statement)).rowcount > 0


def octets(count: int, first: int = 1) -> Sequence[bytes]:
    return [deed(number) for number in range(first, first + count)]


def test_what_was_listed_is_taken_in_order(state: State) -> None:
    """And what came meanwhile is not: it is there the next time."""
    append(state, *octets(3))
    found = untaken(state)
    append(state, deed(4))
    take(state, found)
    assert found.records == octets(3)
    assert (found.removed, found.left_out, found.since) == (0, 0, 0)
    rest = untaken(state)
    assert (rest.records, rest.removed, rest.since) == ([deed(4)], 0, 9000)
    take(state, rest)
    assert untaken(state).is_empty


def test_until_it_is_taken_it_is_there(state: State) -> None:
    """Who dies between the log and the list finds it again, the same octets."""
    append(state, *octets(2))
    assert untaken(state) == untaken(state)


def test_what_was_taken_is_gone_from_the_state(state: State) -> None:
    """The list does not grow with what the log has."""
    append(state, *octets(3))
    take(state, untaken(state))
    with state.engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM deeds")) == 0


def test_many_are_taken_in_several_goes(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing counts as missing between them."""
    monkeypatch.setattr(listing, "AT_ONCE", 2)
    append(state, *octets(5))
    found: list[bytes] = []
    while not (one := untaken(state)).is_empty:
        assert one.removed == 0
        found += one.records
        take(state, one)
    assert found == octets(5)


def test_logs_have_lists_of_their_own(state: State) -> None:
    """What is listed for another log stays for that one."""
    append(state, deed(1))
    append(state, deed(1, OTHER), deeds=DeedList(OTHER))
    take(state, untaken(state))
    assert untaken(state, DeedList(OTHER)).records == [deed(1, OTHER)]


@pytest.mark.parametrize(
    ("statement", "left", "removed"),
    [
        pytest.param("DELETE FROM deeds WHERE number = 2", [1, 3, 4], 1, id="one within"),
        pytest.param("DELETE FROM deeds WHERE number <= 2", [3, 4], 2, id="the first"),
        pytest.param("DELETE FROM deeds WHERE number >= 3", [1, 2], 2, id="the last"),
        pytest.param("DELETE FROM deeds", [], 4, id="all"),
        pytest.param(
            "UPDATE deeds SET octets = CAST(replace(octets, 'anna', 'dora') AS BLOB) WHERE number = 2",
            [1, 3, 4],
            1,
            id="one says something else",
        ),
        pytest.param(
            "UPDATE deeds SET octets = 'text', digest = 'text' WHERE number = 2",
            [1, 4],
            2,
            id="one of another type",
        ),
        pytest.param("UPDATE deeds SET digest = x'00' WHERE number = 2", [1, 4], 2, id="a digest"),
    ],
)
def test_what_was_removed_shows(state: State, statement: str, left: list[int], removed: int) -> None:
    """How much it was; once, and then the list goes on."""
    append(state, *octets(4))
    tamper(state, statement)
    found = untaken(state)
    assert (found.records, found.removed) == ([deed(number) for number in left], removed)
    take(state, found)
    append(state, deed(5))
    again = untaken(state)
    assert (again.records, again.removed) == ([deed(5)], 0)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(b"nonsense", id="no record"),
        pytest.param(deed(1, OTHER), id="another log's"),
        pytest.param(
            encode(ProcessTurned(Head(1, 1, "worker", ORIGIN, "0.1"), Turn.STOPPED, Result.SUCCESS, 1)),
            id="what no command does",
        ),
    ],
)
def test_what_no_command_lists_is_not_taken(state: State, other: bytes) -> None:
    """However it came there; it counts as what is missing."""
    append(state, deed(1), other, deed(2))
    found = untaken(state)
    assert (found.records, found.removed) == ([deed(1), deed(2)], 1)


def test_refused_sign_ins_do_not_fill_the_state(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are counted; deeds of administrators are listed all the same, however many wait."""
    monkeypatch.setattr(listing, "MINOR_AT_MOST", 2)
    assert append(state, *octets(5), minor=True) == [True, True, False, False, False]
    assert append(state, *octets(2, 6)) == [True, True]
    found = untaken(state)
    assert (found.records, found.left_out) == ([*octets(2), *octets(2, 6)], 3)
    take(state, found)
    assert append(state, deed(8), minor=True) == [True]
    assert untaken(state).left_out == 0


def test_what_is_left_out_meanwhile_is_told_the_next_time(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is counted away that nobody was told of."""
    monkeypatch.setattr(listing, "MINOR_AT_MOST", 1)
    append(state, *octets(2), minor=True)
    found = untaken(state)
    append(state, *octets(3, 3), minor=True)
    take(state, found)
    assert untaken(state).left_out == 3


def test_a_deed_goes_with_its_transaction(state: State) -> None:
    """Undone, it was none."""
    with state.engine.connect() as connection, connection.begin() as transaction:
        DEEDS.append(connection, deed(1))
        transaction.rollback()
    assert untaken(state).is_empty


def test_the_clock_is_remembered(state: State) -> None:
    """What it said before, where it says less; some milliseconds are nothing."""
    told = []
    for now in (10_000, 11_000, 10_900, 5_000, 5_001):
        with state.engine.begin() as connection:
            told.append(DEEDS.hear(connection, now))
    assert told == [None, None, None, 10_900, None]
