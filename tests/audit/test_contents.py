"""The contents of a log's records, held against its entries."""

from pathlib import Path

import pytest
from tests.audit.making import signer
from tests.audit.recorded import erased, permitted, written

from strongroom.audit.contents import Contents
from strongroom.audit.leaf import Content
from strongroom.audit.records.encoding import encode
from strongroom.errors import CheckpointInvalid, LogDamaged

RECORDS = [permitted(one) for one in range(600)]


@pytest.fixture
def log(tmp_path: Path) -> Contents:
    """Of 600 records."""
    return written(tmp_path / "audit", RECORDS)


def test_each_record_is_there(log: Contents) -> None:
    """By its number, and in the order of the log."""
    assert [one.octets for one in log.all()] == [encode(one) for one in RECORDS]
    assert [one.number for one in log.all()] == list(range(600))
    for number in (599, 0, 255, 256):
        assert log.record(number).octets == encode(RECORDS[number])
    assert (log.size, log.bundles, log.width(2)) == (600, 3, 88)


def test_what_was_erased_or_changed(log: Contents) -> None:
    """Is said to be so, and gives no octets."""
    erased(log.folder, 3, 300)
    file = log.folder / "content" / "000"
    file.write_bytes(file.read_bytes().replace(b"support-1", b"support-2", 1))
    states = {one.number: one.state for one in log.all() if one.state is not Content.RIGHT}
    assert states == {0: Content.WRONG, 3: Content.ERASED, 300: Content.ERASED}
    assert not any(log.record(number).octets for number in states)
    (log.folder / "content" / "001").unlink()
    assert {one.state for one in log.bundle(1)} == {Content.ERASED}


def test_swapped_lines_are_wrong(log: Contents) -> None:
    """Each is a record of the log, and neither in its place."""
    file = log.folder / "content" / "002"
    one, two, *rest = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join([two, one, *rest]))
    assert [log.record(number).state for number in (512, 513)] == [Content.WRONG] * 2


def test_a_log_that_grew_meanwhile(log: Contents) -> None:
    """Is read as it was when it was opened, though the partial bundle of that day was swept away."""
    written(log.folder, RECORDS)
    assert len(list(log.all())) == 600
    assert not (log.folder / "tile" / "entries" / "002.p").exists()


@pytest.mark.parametrize("path", ["content/002", "tile/entries/001"])
def test_files_that_are_cut(log: Contents, path: str) -> None:
    """Are an error, and not fewer records."""
    file = log.folder / path
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(LogDamaged):
        list(log.all())


def test_entries_that_are_missing(log: Contents) -> None:
    """Contents are never taken without them."""
    (log.folder / "tile" / "entries" / "000").unlink()
    with pytest.raises(LogDamaged, match="entries"):
        log.record(0)


def test_stamps_tell_which_files_changed(log: Contents) -> None:
    """By the number of each, those above 999 too; what has another name is none of them."""
    before = log.stamps()
    assert sorted(before) == [0, 1, 2]
    erased(log.folder, 300)
    assert {one for one, stamp in log.stamps().items() if before[one] != stamp} == {1}
    (log.folder / "content" / "000.new").touch()
    (log.folder / "content" / "0b1").touch()
    (log.folder / "content" / "007").touch()
    (log.folder / "content" / "x001").mkdir()
    (log.folder / "content" / "x001" / "002").touch()
    assert sorted(log.stamps()) == [0, 1, 2]
    large = Contents(log.folder, type(log.checkpoint)(log.checkpoint.origin, 256 * 1003, b""))
    assert sorted(large.stamps()) == [0, 1, 2, 7, 1002]


def test_another_key_opens_nothing(log: Contents) -> None:
    """A checkpoint that these keys did not sign is none."""
    with pytest.raises(CheckpointInvalid):
        Contents.open(log.folder, [signer(seed=2).key])
