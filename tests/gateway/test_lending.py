"""What a gateway hears of roles for a time; tests/gateway/test_grants.py has it at a running one."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from strongroom.config import StateAddress
from strongroom.gateway import lending
from strongroom.gateway.lending import Everyones, Lending, told, watch_grants
from strongroom.lending import deeds, store
from strongroom.lending.model import Grant
from strongroom.lending.store import RoleEvent
from strongroom.policy.offers import Lent
from strongroom.state import State, open_state

HOUR = timedelta(hours=1)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[State]:
    """An empty state, which is looked at often."""
    monkeypatch.setattr(lending, "LOOK_SECONDS", 0.001)
    opened = open_state(StateAddress(tmp_path / "state.db"))
    yield opened
    opened.close()


def lend(state: State, person: str = "anna", *, broke_glass: bool = False) -> Lent:
    """A role for an hour from now, with its line in the record."""
    now = datetime.now(UTC)
    grant = Grant(0, "repair", person, HOUR, "fire", person, now, broke_glass, begins=now)
    what = deeds.BROKE_GLASS if broke_glass else deeds.GRANTED
    with state.engine.begin() as connection:
        store.add(connection, grant)
        store.note(connection, RoleEvent(0, now, what, "repair", person, {"reason": "fire", "by": None}))
    return Lent("repair", now, now + HOUR, broke_glass)


def watched(state: State, looks: int, between: object = None) -> list[Everyones]:
    """What was told in so many looks; ``between`` the first and the second something is done."""
    heard: list[Everyones] = []
    left = iter(range(looks))

    def wanted() -> bool:
        number = next(left, None)
        if number is None:
            raise asyncio.CancelledError
        if number == 1 and callable(between):
            between()
        return True

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(watch_grants(state, wanted, heard.append))
    return heard


def test_what_changes_is_told_once(state: State) -> None:
    """And each line of the record is said once, of broken glass at the level of an alarm."""
    first = lend(state)
    others: list[Lent] = []
    with capture_logs() as log:
        heard = watched(state, 3, lambda: others.append(lend(state, "berta", broke_glass=True)))
        assert watched(state, 2) == [heard[1]]
    assert heard == [{"anna": (first,)}, {"anna": (first,), "berta": (others[0],)}]
    assert [(one["event"], one["log_level"], one["person"]) for one in log] == [
        (deeds.GRANTED, "warning", "anna"),
        (deeds.BROKE_GLASS, "critical", "berta"),
    ]
    assert log[1]["reason"] == "fire"


def test_a_state_that_cannot_be_read_tells_nothing(state: State) -> None:
    """Neither that there is something new nor that there is nothing any more; and it is looked at again."""
    lend(state)

    def rename(before: str, after: str) -> None:
        with state.engine.begin() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {before} RENAME TO {after}")

    with capture_logs() as log:
        heard = watched(state, 4, lambda: rename("grants", "away"))
    assert len(heard) == 1
    assert {one["event"] for one in log[1:]} == {"roles for a time not read"}
    rename("away", "grants")
    assert watched(state, 2) == heard


def test_a_worker_hears_what_changed() -> None:
    """Over the line and back it is the same; who is no longer named has nothing."""
    now = datetime.now(UTC)
    annas = Lent("repair", now, now + HOUR, agreed=frozenset({"carl", "dora"}))
    bertas = Lent("dba", now, now + HOUR, broke_glass=True)
    one = Lending()
    assert one.heard(told({"anna": (annas,)})) == {"anna"}
    assert one.heard(told({"anna": (annas,), "berta": (annas, bertas)})) == {"berta"}
    assert (one.of("berta"), one.of("carl")) == ((annas, bertas), ())
    assert one.heard(told({"berta": (annas, bertas)})) == {"anna"}
    assert one.of("anna") == ()
