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
