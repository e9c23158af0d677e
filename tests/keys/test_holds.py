"""keys/holds.py: what is held, since when, and until when."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom.config import StateAddress
from strongroom.errors import HoldUnknown
from strongroom.keys.holds import Hold, Holds
from strongroom.state import open_state

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def holds(tmp_path: Path) -> Iterator[Holds]:
    """Of an empty state."""
    state = open_state(StateAddress(path=tmp_path / "state.db"))
    yield Holds(state.engine)
    state.close()


def test_a_name_is_matched_as_text(holds: Holds) -> None:
    """One hold on all versions, one on the second: each version meets those on it."""
    holds.lay(all_of := Hold.new("shop/public.t.iban", None, "case 17", NOW))
    holds.lay(second := Hold.new("shop/public.t.iban", 2, "case 18", NOW + DAY))
    assert holds.naming("shop/public.t.iban") == [all_of, second]
    assert holds.naming("shop/public.t.iban", 1) == [all_of]
    assert holds.naming("shop/public.t.iban", 2) == [all_of, second]
    for other in ("shop/public.t.ibans", "shop", "SHOP/public.t.iban"):
        assert holds.naming(other) == []


def test_its_last_day(holds: Holds) -> None:
    """It holds through that day, and no longer."""
    holds.lay(today := Hold.new("kek shop", None, "case 17", NOW, NOW.date()))
    holds.lay(Hold.new("kek shop", None, "case 18", NOW - 9 * DAY, (NOW - 2 * DAY).date()))
    assert holds.naming("kek shop") == [today]
    end = datetime(NOW.year, NOW.month, NOW.day, 23, 59, 59, tzinfo=UTC)
    assert today.in_force(end)
    assert not today.in_force(end + timedelta(seconds=1))


def test_a_released_one_stays_in_the_list(holds: Holds) -> None:
    """With who said why; it is released once."""
    holds.lay(hold := Hold.new("kek shop", None, "case 17", NOW))
    released = holds.release(hold.id, "closed", NOW + DAY)
    assert (released.released, released.released_for) == (NOW + DAY, "closed")
    assert holds.all() == [released]
    assert holds.naming("kek shop") == []
    for id_ in (hold.id, "00000000"):
        with pytest.raises(HoldUnknown):
            holds.release(id_, "closed", NOW)


def test_one_that_is_there_stays_as_it_is(holds: Holds) -> None:
    """A backup from before its release does not bring it back into force."""
    hold = Hold.new("kek shop", None, "case 17", NOW)
    holds.lay(hold)
    holds.release(hold.id, "closed", NOW)
    holds.take_over([hold])
    assert holds.naming("kek shop") == []
