"""keys/journal.py: what was done to keys."""

from pathlib import Path

from strongroom.config import StateAddress
from strongroom.keys.journal import Journal
from strongroom.state import open_state


def test_events_are_kept_in_their_order(tmp_path: Path) -> None:
    """With their details, in a state that is opened again."""
    tmp_path.chmod(0o700)
    address = StateAddress(path=tmp_path / "state.db")
    Journal(open_state(address).engine).add("rotated", "shop/public.t.c", key_id="1f2e3d4c", resealed=7)
    Journal(open_state(address).engine).add("exported", "shop/public.t.c")
    first, second = Journal(open_state(address).engine).events()
    assert (first.what, first.subject, dict(first.details)) == (
        "rotated",
        "shop/public.t.c",
        {"key_id": "1f2e3d4c", "resealed": 7},
    )
    assert (second.number, second.what) == (first.number + 1, "exported")
    assert second.at >= first.at


def test_the_list_of_a_lost_state(tmp_path: Path) -> None:
    """It is taken over once, however often that is tried, and goes on from there."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir(mode=0o700)
    old, new = (
        Journal(open_state(StateAddress(tmp_path / name / "state.db")).engine) for name in ("old", "new")
    )
    old.add("rotated", "shop/public.t.c", resealed=7)
    old.add("exported", "shop/public.t.c")
    for _ in range(2):
        new.take_over(old.events())
    new.add("restored", "1f2e3d4c")
    assert new.events()[:-1] == old.events()
    assert new.events()[-1].what == "restored"
