"""Who acts in a process, and what is noted of that."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.deeds.test_listing import DOER, ORIGIN, untaken

from strongroom.audit.records.changes import AccountDeed
from strongroom.audit.records.codes import Record
from strongroom.audit.records.reading import read
from strongroom.audit.records.running import ClockTurnedBack, Job, JobTurned
from strongroom.audit.records.sessions import LoginFailed, Refusal
from strongroom.audit.records.shared import Result
from strongroom.changeover.model import Progress, Stage, silent
from strongroom.config import StateAddress
from strongroom.deeds import listing
from strongroom.deeds.accounts import account_changed, turned_away
from strongroom.deeds.jobs import ROTATE, job
from strongroom.deeds.listing import DeedList
from strongroom.deeds.present import Pen, acting, present
from strongroom.errors import ChangeoverBusy, StateUnusable
from strongroom.keys.journal import Journal
from strongroom.state import State, open_state

COLUMN, QUOTED = "public.people.note", 'public."Odd one".note'


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """One without deeds."""
    opened = open_state(StateAddress(tmp_path / "state.db"))
    yield opened
    opened.close()


def pen(origin: str | None = ORIGIN) -> Pen:
    return Pen(DOER, "strongroom people add", origin)


def records(state: State) -> list[Record]:
    return [read(one) for one in untaken(state).records]


def test_records_of_a_run_are_counted(state: State) -> None:
    """By the process and run that wrote them, from 1: one that is missing shows."""
    with acting(pen()), state.engine.begin() as connection:
        account_changed(connection, AccountDeed.ADDED, "anna")
        account_changed(connection, AccountDeed.DISABLED, "anna")
    first, second = (one.head for one in records(state))
    assert (first.sequence, second.sequence) == (1, 2)
    assert first.process == second.process
    assert first.process.startswith("strongroom people add, process ")


@pytest.mark.parametrize("nobody", [True, False])
def test_nothing_is_listed_without_a_log(state: State, nobody: bool) -> None:
    """Neither by who has no log, nor where nobody acts."""
    if nobody:
        with state.engine.begin() as connection:
            account_changed(connection, AccountDeed.ADDED, "anna")
    else:
        with acting(pen(None)), state.engine.begin() as connection:
            account_changed(connection, AccountDeed.ADDED, "anna")
    assert present() is None
    assert untaken(state).is_empty


def test_what_is_left_out_leaves_no_hole(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the numbers of a run; and a name that nobody has is not written."""
    monkeypatch.setattr(listing, "MINOR_AT_MOST", 1)
    with acting(pen()), state.engine.begin() as connection:
        for _ in range(3):
            turned_away(connection, None, Refusal.UNKNOWN, counted=True)
        account_changed(connection, AccountDeed.ADDED, "anna")
    found = records(state)
    assert [one.head.sequence for one in found] == [1, 2]
    assert isinstance(found[0], LoginFailed)
    assert found[0].user == "(unknown)"


def test_a_command_notices_the_clock(state: State) -> None:
    """That says less than a command, or the gateway, has noted before it."""
    with state.engine.begin() as connection:
        DeedList(ORIGIN).hear(connection, 4_000_000_000_000)
    with acting(pen()), state.engine.begin() as connection:
        account_changed(connection, AccountDeed.ADDED, "anna")
        account_changed(connection, AccountDeed.DISABLED, "anna")
    turned, added, _ = records(state)
    assert isinstance(turned, ClockTurnedBack)
    assert turned.former == 4_000_000_000_000
    assert (turned.head.sequence, added.head.sequence) == (1, 2)


def test_who_did_it_stands_beside_events_of_keys(state: State) -> None:
    """And beside none where nobody is known."""
    journal = Journal(state.engine)
    journal.add("rotated", "shop/public.people.note")
    with acting(pen(None)):
        journal.add("exported", "shop/public.people.note")
    one, other = journal.events()
    assert journal.doers(0) == {other.number: DOER}
    assert journal.doers(other.number) == {}
    assert one.details == other.details == {}


def turns(state: State) -> list[tuple[Job, Result, str, str, int, str | None]]:
    found = records(state)
    assert all(isinstance(one, JobTurned) for one in found)
    return [
        (one.job, one.result, one.table, one.column, one.rows, one.code)
        for one in found
        if isinstance(one, JobTurned)
    ]


def test_a_job_begins_and_ends(state: State) -> None:
    """A record for each column, with what all of them came to; looking at values is not working on them."""
    with acting(pen()), job(state.engine, ROTATE, "shop", [COLUMN, QUOTED]) as done:
        tell = done.heard(silent)
        for stage, rows in ((Stage.RESEAL, 10), (Stage.RESEAL, 25), (Stage.VERIFY, 99)):
            tell(Progress(stage, COLUMN, 1, 1, rows))
        tell(Progress(Stage.RESEAL, QUOTED, 1, 1, 5))
    assert turns(state) == [
        (Job.ROTATE_BEGAN, Result.UNKNOWN, "public.people", COLUMN, 0, None),
        (Job.ROTATE_BEGAN, Result.UNKNOWN, 'public."Odd one"', QUOTED, 0, None),
        (Job.ROTATE_ENDED, Result.SUCCESS, "public.people", COLUMN, 30, None),
        (Job.ROTATE_ENDED, Result.SUCCESS, 'public."Odd one"', QUOTED, 30, None),
    ]


def test_a_job_stops(state: State) -> None:
    """Why, and how much it had done."""

    def work() -> None:
        with job(state.engine, ROTATE, "shop", [COLUMN], ["anna"]) as done:
            done.heard(silent)(Progress(Stage.RESEAL, COLUMN, 1, 2, 7))
            raise ChangeoverBusy("another is at work")

    with acting(pen()), pytest.raises(ChangeoverBusy):
        work()
    assert turns(state)[1] == (
        Job.ROTATE_STOPPED,
        Result.FAILURE,
        "public.people",
        COLUMN,
        7,
        "changeover-busy",
    )


def test_it_is_written_down_before_a_job_begins(state: State) -> None:
    """So that one that was killed shows as one that has no end."""
    with acting(pen()), job(state.engine, ROTATE, "shop", [COLUMN]):
        assert [one[0] for one in turns(state)] == [Job.ROTATE_BEGAN]


@pytest.mark.parametrize("error", [StateUnusable("the disk is full"), OSError(28, "No space left")])
def test_an_end_that_cannot_be_noted(
    state: State, error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The job is what it came to, and its error the one that it had."""

    def full(*_: object) -> None:
        raise error

    def work(*, fails: bool) -> None:
        with job(state.engine, ROTATE, "shop", [COLUMN]):
            monkeypatch.setattr("strongroom.deeds.jobs.note", full)
            if fails:
                raise ChangeoverBusy("another is at work")

    with acting(pen()):
        work(fails=False)
        monkeypatch.undo()
        with pytest.raises(ChangeoverBusy):
            work(fails=True)
    assert capsys.readouterr().err.count("its end is not recorded") == 2
    assert {one[0] for one in turns(state)} == {Job.ROTATE_BEGAN}
