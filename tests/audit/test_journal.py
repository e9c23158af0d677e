"""audit/journal.py: what is closed is there again, and nothing else, wherever the file ends."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.audit.journal import Batch, Journal
from strongroom.errors import LogDamaged, LogUnwritable

ONE = Batch((b"a 1\n", b"b 2\n"), "worker-1", 2)
TWO = Batch((b"c 3\n",), "worker-2", 1)
THREE = Batch((b"d 4\n", b"e 5\n", b"f 6\n"), "worker-1", 5)


def written(folder: Path, *batches: Batch, first: int = 0) -> Path:
    """A journal of one segment; its file."""
    journal, _ = Journal.open(folder, first)
    for batch in batches:
        journal.append(batch)
    journal.flush()
    journal.close()
    return folder / f"{first:020}"


def test_it_gives_back_what_was_appended(tmp_path: Path) -> None:
    """Over several openings, each with a segment of its own."""
    written(tmp_path, ONE, TWO)
    journal, found = Journal.open(tmp_path, 0)
    assert found == [ONE, TWO]
    journal.append(THREE)
    journal.close()
    journal, found = Journal.open(tmp_path, 0)
    journal.close()
    assert found == [ONE, TWO, THREE]


def test_from_the_midst(tmp_path: Path) -> None:
    """Only what comes after a record is given, be it in the midst of a batch, and how much each had sent."""
    written(tmp_path, ONE, TWO, THREE)
    journal, found = Journal.open(tmp_path, 4)
    journal.close()
    assert found == [
        Batch((), ONE.source, ONE.number),
        Batch((), TWO.source, TWO.number),
        Batch((b"e 5\n", b"f 6\n"), "worker-1", 5),
    ]


def test_cut_anywhere(tmp_path: Path) -> None:
    """The batches before the cut are there, and the rest is put aside and out of the way."""
    whole = written(tmp_path / "whole", ONE, TWO, THREE).read_bytes()
    ends = list(itertools.accumulate(len(one) for one in parts(whole)))
    for cut in range(len(whole)):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / f"{0:020}").write_bytes(whole[:cut])
        journal, found = Journal.open(folder, 0)
        assert found == [ONE, TWO, THREE][: sum(end <= cut for end in ends)]
        journal.append(THREE)
        journal.close()
        again, found = Journal.open(folder, 0)
        again.close()
        assert found[-1] == THREE
        assert len(list(folder.glob("*.torn"))) == (cut not in (0, *ends))


def parts(whole: bytes) -> list[bytes]:
    """The octets of each batch."""
    found, part = [], b""
    for line in whole.splitlines(keepends=True):
        part += line
        if line.startswith(b"="):
            found.append(part)
            part = b""
    return found


@given(data=st.data())
@settings(max_examples=300)
def test_any_octet_changed(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What comes back is a beginning of what was written, and never anything else."""
    folder = tmp_path_factory.mktemp("journal")
    file = written(folder, ONE, TWO, THREE)
    octets = bytearray(file.read_bytes())
    at = data.draw(st.integers(0, len(octets) - 1))
    octets[at] ^= data.draw(st.integers(1, 255))
    file.write_bytes(octets)
    journal, found = Journal.open(folder, 0)
    journal.close()
    assert found == [ONE, TWO, THREE][: len(found)]
    assert len(found) < 3


def test_segments_that_are_done_with(tmp_path: Path) -> None:
    """Whole segments before a record are deleted; one that has later records stays whole."""
    journal, _ = Journal.open(tmp_path, 0)
    journal.append(ONE)
    journal.turn(2)
    journal.append(TWO)
    journal.turn(3)
    journal.turn(3)
    journal.append(THREE)
    journal.forget(2)
    assert [int(one.name) for one in sorted(tmp_path.iterdir())] == [2, 3]
    journal.close()
    journal, found = Journal.open(tmp_path, 2)
    journal.close()
    assert found == [TWO, THREE]


def test_a_segment_that_cannot_be_begun(tmp_path: Path) -> None:
    """It goes on in the one before, and says why; nothing of it is lost."""
    journal, _ = Journal.open(tmp_path, 0)
    journal.append(ONE)
    (tmp_path / f"{2:020}").mkdir()
    with pytest.raises(LogUnwritable, match="cannot go on"):
        journal.turn(2)
    journal.append(TWO)
    (tmp_path / f"{2:020}").rmdir()
    journal.turn(3)
    journal.append(THREE)
    journal.close()
    journal, found = Journal.open(tmp_path, 0)
    journal.close()
    assert found == [ONE, TWO, THREE]


def test_a_segment_that_is_missing(tmp_path: Path) -> None:
    """Records that were acknowledged are gone: that is said, and not passed over."""
    journal, _ = Journal.open(tmp_path, 0)
    for batch, end in ((ONE, 2), (TWO, 3), (THREE, 6)):
        journal.append(batch)
        journal.turn(end)
    journal.close()
    (tmp_path / f"{2:020}").unlink()
    with pytest.raises(LogDamaged, match="no records from 2 to 3"):
        Journal.open(tmp_path, 0)
