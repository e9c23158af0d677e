"""acceptance/record.py: what stands beside the data, and whether a root proves it."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.keys.state_of_keys import a_root

from strongroom.acceptance.record import Record, is_proven, proven
from strongroom.errors import ProtectionForgotten
from strongroom.keys.hierarchy import Roots
from strongroom.stance.model import Stance

ONE = Stance({"login": {"failures": 5}})
OTHER = Stance({"login": {"failures": 50}})


def test_a_root_proves_what_it_wrapped(tmp_path: Path) -> None:
    """This number and this stance, and nothing else; another root proves nothing."""
    root, strange = a_root(tmp_path, "one"), a_root(tmp_path, "two")
    record = proven(3, ONE, Roots((root,)))
    read = Record.read(b"3", record.stance.encode(), record.proofs_text().encode())
    assert read == record
    assert is_proven(read, Roots((root,)))
    assert not is_proven(read, Roots((strange,)))
    assert not is_proven(replace(read, number=4), Roots((root,)))
    assert not is_proven(replace(read, stance=OTHER.written()), Roots((root,)))
    assert not is_proven(replace(read, proofs={}), Roots((root,)))
    assert is_proven(read, Roots((strange, root)))


def test_a_root_that_is_out_of_reach(tmp_path: Path) -> None:
    """What it has proven stays while the content does, and goes with it."""
    root, away = a_root(tmp_path, "one"), a_root(tmp_path, "two")
    both = proven(3, ONE, Roots((root, away)))
    assert both.proofs.keys() == {root.name, away.name}
    assert proven(3, ONE, Roots((root,)), both).proofs.keys() == {root.name, away.name}
    assert proven(4, ONE, Roots((root,)), both).proofs.keys() == {root.name}


@pytest.mark.parametrize(
    ("number", "proofs"),
    [
        (b"1", b""),
        (b"1", b"[]"),
        (b"1", b'{"file": 1}'),
        (b"1", b'{"file": "!"}'),
        (b"x", b"{}"),
        (None, b"{}"),
    ],
    ids=range(6),
)
def test_a_row_that_is_damaged(number: bytes | None, proofs: bytes) -> None:
    """It is none, and nothing starts."""
    with pytest.raises(ProtectionForgotten):
        Record.read(number, ONE.written().encode(), proofs)
