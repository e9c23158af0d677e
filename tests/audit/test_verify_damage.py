"""audit/verify.py on logs damaged at random: it names the file, or is right that all is as it was."""

from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audit.making import Log, make, opened, trust

from strongroom.audit.leaf import ERASED
from strongroom.audit.tiles import TILE_WIDTH, bundle_path, content_path, edge_paths
from strongroom.audit.verify import Fault, Report, verify_log

SIZES = [1, 5, 256, 300, 513, 700]
LOGS = {size: make(size) for size in SIZES}
OTHERS = {size: make(size) for size in SIZES}
"""Of the same name, key and records, under other salts."""
EARLIER = make(200)
"""A log before and after it went on: the files of its former right edge are still there."""
BEFORE = dict(EARLIER.files)
EARLIER.append([b"more"] * 500)
EARLIER.publish()

Files = dict[str, bytes]
Damage = Callable[[st.DataObject, Files, Log], Files]


def _some(data: st.DataObject, files: Files) -> str:
    return data.draw(st.sampled_from(sorted(files)))


def bit(data: st.DataObject, files: Files, _: Log) -> Files:
    """One bit of one file is another."""
    path = _some(data, files)
    octets = bytearray(files[path])
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    return {path: bytes(octets)}


def octet(data: st.DataObject, files: Files, _: Log) -> Files:
    """An octet more or less, or another one."""
    path = _some(data, files)
    at = data.draw(st.integers(0, len(files[path])))
    return {path: files[path][:at] + data.draw(st.binary(max_size=2)) + files[path][at + 1 :]}


def cut(data: st.DataObject, files: Files, _: Log) -> Files:
    """A file ends early."""
    path = _some(data, files)
    return {path: files[path][: data.draw(st.integers(0, len(files[path])))]}


def swap(data: st.DataObject, files: Files, _: Log) -> Files:
    """Two files have changed places."""
    one, two = _some(data, files), _some(data, files)
    return {one: files[two], two: files[one]}


def line(data: st.DataObject, files: Files, _: Log) -> Files:
    """Two lines of contents have changed places, or one is doubled, left out or another's."""
    one, two = (
        data.draw(st.sampled_from([path for path in sorted(files) if "content" in path])) for _ in "12"
    )
    lines, others = files[one].splitlines(keepends=True), files[two].splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = data.draw(st.sampled_from([b"", lines[at] * 2, *others[:3], others[-1], ERASED + b"\n"]))
    return {one: b"".join(lines)}


def entry(data: st.DataObject, files: Files, log: Log) -> Files:
    """An entry stands in the place of another, in its bundle, with its content or without."""
    one, two = (data.draw(st.integers(0, log.edge.size - 1)) for _ in "12")
    path = next(path for path in files if path.startswith(bundle_path(one // TILE_WIDTH)))
    bundle = files[path].replace(log.committed[one].entry, log.committed[two].entry)
    lines = files[content_path(one // TILE_WIDTH)].replace(log.committed[one].line, log.committed[two].line)
    return {path: bundle} | ({content_path(one // TILE_WIDTH): lines} if data.draw(st.booleans()) else {})


def another(data: st.DataObject, files: Files, log: Log) -> Files:
    """Files are those of another log with the same key: one of them, or some."""
    other = OTHERS[log.edge.size].files
    chosen = data.draw(st.sets(st.sampled_from(sorted(files)), min_size=1, max_size=3))
    return {path: other[path] for path in chosen}


DAMAGES: list[Damage] = [bit, octet, cut, swap, line, entry, another]


def judge(log: Log, files: Files, altered: set[str]) -> None:
    """A fault that names the altered file, or one of several; or a report that is true of what is there."""
    found = outcome(log, files)
    if isinstance(found, Report):
        hold_to_account(log, files, found)
    elif len(altered) == 1:
        assert found.place in altered
    else:  # who disagrees with whom is all that can be said of several
        assert altered & {found.place, *found.words.replace(",", "").split()}


def outcome(log: Log, files: Files) -> Report | Fault:
    """What verify_log says of these files."""
    try:
        return verify_log(opened(files), trust(), since=log.files["checkpoint"])
    except Fault as fault:
        return fault


def hold_to_account(log: Log, files: Files, report: Report) -> None:
    """What the report says is there is what was logged; what it says is erased is not there."""
    vouched = {path for path in log.files if path.startswith("tile/") and ".p/" not in path}
    for path in vouched | {path for path in edge_paths(log.edge.size) if path.startswith("tile/")}:
        assert files[path] == log.files[path]
    erased = {index for first, last in report.ranges for index in range(first, last + 1)}
    assert (report.entries, len(erased)) == (log.edge.size, report.erased)
    assert report.contents == log.edge.size - report.erased
    for index in range(log.edge.size):
        lines = files.get(content_path(index // TILE_WIDTH), ERASED + b"\n").splitlines(keepends=True)
        found = lines[index % TILE_WIDTH] if len(lines) > index % TILE_WIDTH else ERASED + b"\n"
        assert found == (ERASED + b"\n" if index in erased else log.committed[index].line)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@given(data=st.data())
@settings(max_examples=150)
def test_any_damage(damage: Damage, data: st.DataObject) -> None:
    """Whatever was done to files, the one that is named is among those, and nothing false is vouched for."""
    log = LOGS[data.draw(st.sampled_from(SIZES))]
    changed = damage(data, log.files, log)
    altered = {path for path, octets in changed.items() if octets != log.files[path]}
    judge(log, log.files | changed, altered)


@given(data=st.data())
@settings(max_examples=200)
def test_several_damages_at_once(data: st.DataObject) -> None:
    """Several at once change nothing about that."""
    log = LOGS[data.draw(st.sampled_from(SIZES))]
    files = dict(log.files)
    for damage in data.draw(st.lists(st.sampled_from(DAMAGES), min_size=2, max_size=4)):
        files |= damage(data, log.files, log)
    judge(log, files, {path for path, octets in files.items() if octets != log.files[path]})


@pytest.mark.parametrize("size", SIZES)
def test_any_file_missing(size: int) -> None:
    """Each file that is gone is named; contents that are gone are erased ones."""
    log = LOGS[size]
    for path in log.files:
        judge(log, {name: octets for name, octets in log.files.items() if name != path}, {path})


@pytest.mark.parametrize(("old", "new"), [*combinations(sorted(BEFORE), 2)])
def test_files_of_yesterday(old: str, new: str) -> None:
    """Files that were put back to what they were, as from a backup, are named, the checkpoint too."""
    put_back = {path: BEFORE[path] for path in (old, new) if path in EARLIER.files}
    altered = {path for path, octets in put_back.items() if octets != EARLIER.files[path]}
    judge(EARLIER, EARLIER.files | put_back, altered)


def test_the_end_cut_off() -> None:
    """A whole log of yesterday verifies; beside the checkpoint of today its end is seen to be missing."""
    assert verify_log(opened(BEFORE), trust()).entries == 200
    with pytest.raises(Fault, match=r"^checkpoint: the log had 700 entries and now has 200"):
        verify_log(opened(BEFORE), trust(), since=EARLIER.files["checkpoint"])
