"""audit/ageing.py, erasing.py, pruning.py and asked.py: what is taken away, and what goes on to verify."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audit.making import ORIGIN, signer
from tests.audit.recorded import BASE, MINUTE, permitted, written
from tests.audit.test_against_go import answer
from tests.audit.test_log import contents as lines_of
from tests.audit.test_log import filled, records

from strongroom.audit import verify
from strongroom.audit.ageing import Ageing, go_through, newest_time, settled_size
from strongroom.audit.asked import Asked, What, drop, is_done, put, runs, standing
from strongroom.audit.checkpoint import verify as verify_note
from strongroom.audit.contents import Contents
from strongroom.audit.index import Index
from strongroom.audit.leaf import Content
from strongroom.audit.log import Log
from strongroom.audit.minimum import minimum_of
from strongroom.audit.proving import prove_growth, prove_record
from strongroom.audit.pruning import prunable
from strongroom.audit.records.shared import Holder
from strongroom.audit.tiles import TILE_WIDTH, content_path, edge_paths
from strongroom.errors import RecordsPruned

KEYS = [signer().key]
TRUST = verify.Trust([verify.Key.parse(str(signer().key))])
SIZE, SMALL = 1700, 600


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that is closed; tests copy it."""
    folder = tmp_path_factory.mktemp("sound") / "log"
    filled(folder, SIZE)
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two whole bundles and a partial one."""
    folder = tmp_path_factory.mktemp("small") / "log"
    filled(folder, SMALL)
    return folder


@pytest.fixture
def log(sound: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(sound, tmp_path / "log"))


def to_erase(*numbers: int) -> Asked:
    return Asked(What.ERASE, "anna@desk", Holder.ADMINISTRATOR, 1, len(numbers), runs(numbers))


def notes(log: Path) -> list[tuple[str, Asked]]:
    """All of them; none is passed over."""
    said: list[str] = []
    found = list(standing(log, said.append))
    assert said == []
    return found


def prune(log: Path, minimum: int) -> None:
    """After it was erased: what is left there would not be pruned."""
    put(log, to_erase(*range(minimum)))
    put(log, to_prune(minimum))
    assert go_through(log, KEYS)
    assert minimum_of(log) == minimum


def to_prune(minimum: int) -> Asked:
    return Asked(What.PRUNE, "anna@desk", Holder.ADMINISTRATOR, 1, minimum, limit=minimum)


def verified(log: Path, minimum: int = 0) -> verify.Report:
    return verify.verify_log(verify.folder(log), TRUST, minimum=minimum)


def erased(log: Path, size: int = SIZE) -> set[int]:
    """By their contents."""
    opened = Contents.open(log, KEYS)
    return {kept.number for kept in map(opened.record, range(size)) if kept.state is Content.ERASED}


@given(st.sets(st.integers(0, 3000)))
def test_runs_are_the_same_numbers(numbers: set[int]) -> None:
    """In as few as there can be."""
    found = runs(numbers)
    assert [one for first, last in found for one in range(first, last + 1)] == sorted(numbers)
    assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(found))


@settings(max_examples=10, deadline=None)
@given(
    st.sets(st.one_of(st.integers(0, SMALL - 1), st.integers(250, 270)), max_size=100),
    st.integers(0, SMALL // TILE_WIDTH),
    st.integers(0, 2**32),
    st.integers(1, 255),
)
def test_the_rest_verifies(small: Path, numbers: set[int], bundles: int, place: int, flip: int) -> None:
    """After any numbers were erased and any beginning pruned; and whatever is wrong beside is still found."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(shutil.copytree(small, Path(folder) / "log"))
        whole = erased_and_pruned(log, numbers, bundles * TILE_WIDTH)
        assert whole.erased == len([one for one in numbers if one >= bundles * TILE_WIDTH])
        assert whole.entries == SMALL - bundles * TILE_WIDTH
        files = sorted(read(log))
        file = files[place % len(files)]
        octets = bytearray(file.read_bytes())
        octets[place % len(octets)] ^= flip
        file.write_bytes(octets)
        with pytest.raises(verify.Fault):
            verified(log, bundles * TILE_WIDTH)
        if "content" not in str(file.relative_to(log)):
            file.unlink()
            with pytest.raises(verify.Fault, match="not there"):
                verified(log, bundles * TILE_WIDTH)


def read(log: Path) -> Iterator[Path]:
    """What a verifier reads: of partial files those of the present size."""
    edge = {log / one for one in edge_paths(SMALL)}
    for part in ("tile", "content"):
        for one in (log / part).rglob("*"):
            if one.is_file() and (one in edge or ".p" not in str(one.parent.relative_to(log))):
                yield one


def erased_and_pruned(log: Path, numbers: set[int], minimum: int) -> verify.Report:
    put(log, to_erase(*numbers))
    prune(log, minimum)
    assert all(one.done and not one.numbers for _, one in notes(log))
    return verified(log, minimum)


def test_what_was_erased_is_gone(log: Path) -> None:
    """Its octets are in no file of the log's, and a file in which nothing is left goes as a whole."""
    put(log, to_erase(5, *range(256, 512)))
    assert go_through(log, KEYS)
    assert erased(log) == {5, *range(256, 512)}
    assert not (log / content_path(1)).exists()
    found = b"".join(one.read_bytes() for one in log.rglob("*") if one.is_file())
    assert b'{"number":5}' not in found
    assert b'{"number":300}' not in found
    assert b'{"number":6}' in found


def test_what_is_not_settled_waits(tmp_path: Path) -> None:
    """A start may write it again, from the journal; once it is settled it goes, and does not come back."""
    log = Log.open(tmp_path, [signer()])
    log.append(records(0, 300))
    log.publish()
    name = put(tmp_path, to_erase(3, 299))
    ageing = Ageing(tmp_path, KEYS, lambda: log.settled, log.contents_lock)
    assert (ageing.step(), ageing.waits) == (False, True)
    log.turn()
    log.settle()
    log.append(records(300, 10))
    log.publish()
    assert (ageing.step(), ageing.waits) == (True, False)
    assert is_done(tmp_path, name)
    log.append(records(310, 10))
    log.publish()
    log._journal.close()  # killed
    os.close(log._lock)
    Log.open(tmp_path, [signer()]).close()
    assert erased(tmp_path, 320) == {3, 299}
    assert b'{"number":299}' not in b"".join(lines_of(tmp_path))
    assert verified(tmp_path).contents == 318


def test_one_process_does_it(log: Path) -> None:
    """While another holds the log nothing is done."""
    name = put(log, to_erase(1))
    held = Log.open(log, [signer()])
    assert not go_through(log, KEYS)
    assert not is_done(log, name)
    held.close()
    assert go_through(log, KEYS)
    assert is_done(log, name)
    assert is_done(log, "another.json")  # as it is in the log by now


def test_the_notes(log: Path) -> None:
    """They come in order."""
    first, second = put(log, to_erase(1)), put(log, to_prune(256))
    assert notes(log) == [(first, to_erase(1)), (second, to_prune(256))]
    drop(log, [first])
    assert notes(log) == [(second, to_prune(256))]


# ------------------------------------------------------------------------------------------ by schedule


def aged(folder: Path, minutes: list[int]) -> None:
    written(folder, [permitted(minute, statement=at + 1) for at, minute in enumerate(minutes)])


def age(folder: Path, before: int) -> int:
    """Rounds to their end; how many steps that took."""
    size = settled_size(folder, KEYS)
    ageing = Ageing(folder, KEYS, lambda: size, nullcontext())
    steps = 1
    while ageing.step_of_age(before):
        steps += 1
    return steps


def test_older_ones_are_erased(tmp_path: Path) -> None:
    """To the record, though clocks went back; how many is noted; another round finds nothing."""
    minutes = [*range(600), 5, *range(600, 5000)]
    aged(tmp_path / "log", minutes)
    limit = BASE + 3000 * MINUTE
    steps = age(tmp_path / "log", limit)
    assert steps > 1
    gone = {at for at, minute in enumerate(minutes) if minute < 3000}
    assert erased(tmp_path / "log", len(minutes)) == gone
    ((_, noted),) = notes(tmp_path / "log")
    assert (noted.what, noted.records, noted.limit, noted.done) == (What.KEEP, len(gone), limit, True)
    assert verified(tmp_path / "log").erased == len(gone)
    age(tmp_path / "log", limit)
    assert len(notes(tmp_path / "log")) == 1


def test_a_round_that_is_interrupted(tmp_path: Path) -> None:
    """Another process goes on, and the note of the first one counts what that did."""
    aged(tmp_path / "log", list(range(5000)))
    size = settled_size(tmp_path / "log", KEYS)
    first = Ageing(tmp_path / "log", KEYS, lambda: size, nullcontext())
    assert first.step_of_age(BASE + 4000 * MINUTE)
    age(tmp_path / "log", BASE + 4000 * MINUTE)
    noted = [one for _, one in notes(tmp_path / "log")]
    assert [one.done for one in noted] == [True, True]
    assert sum(one.records for one in noted) == 4000
    assert verified(tmp_path / "log").erased == 4000


def test_what_is_wrong_is_evidence(tmp_path: Path) -> None:
    """It is not erased by its age, and verification names it as before; nor is it pruned."""
    aged(tmp_path / "log", list(range(300)))
    file = tmp_path / "log" / content_path(0)
    file.write_bytes(file.read_bytes().replace(b'"rows":1', b'"rows":2', 1))
    age(tmp_path / "log", BASE + 10_000 * MINUTE)
    assert len(erased(tmp_path / "log", 300)) == 299
    with pytest.raises(verify.Fault, match="record 0"):
        verified(tmp_path / "log")
    opened = Contents.open(tmp_path / "log", KEYS)
    assert prunable(opened, 300, older=None, kept=BASE + 10_000 * MINUTE) == 0


def test_the_index_forgets(tmp_path: Path) -> None:
    """What was erased is not found, and is in no octet of its file; after pruning it is made anew."""
    aged(tmp_path / "log", list(range(600)))
    said: list[str] = []

    def indexed() -> int:
        opened = Contents.open(tmp_path / "log", KEYS)
        with closing(Index.open(tmp_path / "index.db", opened, said.append)) as index:
            index.follow(opened)
            return index.records

    assert indexed() == 600
    put(tmp_path / "log", to_erase(*range(10)))
    go_through(tmp_path / "log", KEYS)
    assert indexed() == 590
    prune(tmp_path / "log", 512)
    assert indexed() == 88
    assert said == []
    written(tmp_path / "log", [permitted(1)] * 600)
    prune(tmp_path / "log", 1024)
    assert indexed() == 176
    assert "pruned" in said[0]


# ---------------------------------------------------------------------------------------------------- pruning


def test_how_far_it_can_be_pruned(tmp_path: Path) -> None:
    """Whole bundles, in which all is erased, or older than is asked for and than contents are kept."""
    aged(tmp_path / "log", list(range(1000)))
    opened = Contents.open(tmp_path / "log", KEYS)

    def at(minute: int) -> int:
        return BASE + minute * MINUTE

    assert prunable(opened, 1000, older=None, kept=None) == 0
    assert prunable(opened, 1000, older=None, kept=at(800)) == 768
    assert prunable(opened, 1000, older=at(600), kept=at(800)) == 512
    assert prunable(opened, 600, older=None, kept=at(2000)) == 512
    put(tmp_path / "log", to_erase(*range(300)))
    go_through(tmp_path / "log", KEYS)
    assert prunable(opened, 1000, older=None, kept=None) == 256


def test_what_a_pruned_log_shows(log: Path, tmp_path: Path) -> None:
    """Proofs from there on; of what is before, that it was pruned. Its own word is not taken."""
    old = verify_note((log / "checkpoint").read_bytes(), KEYS).checkpoint
    prune(log, 1280)
    with pytest.raises(verify.Fault, match="pruned before '1280'"):
        verified(log)
    filled(log, 3000)
    assert verified(log, 1280).entries == 3000 - 1280
    now = verify_note((log / "checkpoint").read_bytes(), KEYS).checkpoint
    prove_growth(log, old, now)
    with pytest.raises(RecordsPruned):
        prove_growth(log, replace(old, size=1000), now)
    with pytest.raises(RecordsPruned):
        prove_record(log, KEYS, 1279)
    for number in (1280, 2999):
        assert verify.verify_proof(prove_record(log, KEYS, number), TRUST).index == number
    (log / "minimum").unlink()
    with pytest.raises(verify.Fault, match=r"tile/.*not there"):
        verified(log)


def test_they_verify_what_is_left(log: Path, tmp_path: Path) -> None:
    """The program of others goes on from the checkpoint of the day before, and takes proofs made since."""
    prune(log, 1536)
    (tmp_path / "one").write_bytes(prove_record(log, KEYS, 1600))
    assert answer("proof", tmp_path / "one", str(signer().key)) == {
        "index": 1600,
        "content": '{"number":1600}',
    }


@pytest.mark.parametrize("limit", [300, 2048, 512])
def test_what_may_not_be_pruned(log: Path, limit: int) -> None:
    """No whole bundles, more than is settled, or contents that are there still: the file is not believed."""
    put(log, to_erase(*range(257)))
    put(log, to_prune(limit))
    said: list[str] = []
    assert go_through(log, KEYS, say=said.append)
    assert (minimum_of(log), len(said)) == (0, 1)
    assert "not pruned" in said[0]
    assert verified(log).erased == 257


def test_a_damaged_bundle(tmp_path: Path) -> None:
    """It is passed over, and named: what is behind it goes, by its age."""
    log = tmp_path / "log"
    aged(log, list(range(1000)))
    file = log / content_path(1)
    file.write_bytes(file.read_bytes()[:1000])
    said: list[str] = []
    ageing = Ageing(log, KEYS, lambda: 1000, nullcontext(), say=said.append)
    while ageing.step_of_age(BASE + 1000 * MINUTE):
        pass
    left = {one for one in range(4) if (log / content_path(one)).exists()}
    assert left == {1, 3}  # the last has room for more records
    assert b"support-1" not in (log / content_path(3)).read_bytes()
    assert len(said) == 1
    assert content_path(1) in said[0]
    assert newest_time(log, KEYS, 512) == 0


def test_the_newest_of_the_settled(tmp_path: Path) -> None:
    """By its own time; of records that say none nobody knows, and of none there is nothing to know."""
    log = tmp_path / "log"
    aged(log, list(range(600)))
    assert newest_time(log, KEYS, 600) == BASE + 599 * MINUTE
    assert newest_time(log, KEYS, 300) == BASE + 299 * MINUTE
    assert newest_time(log, KEYS, 0) is None


# -------------------------------------------------------------------------------------------------- kill -9

PROGRAM = """\
import sys
from pathlib import Path
from strongroom.audit.ageing import go_through
from tests.audit.making import signer
print("ready", flush=True)
assert go_through(Path(sys.argv[1]), [signer().key])
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So much that a kill comes in the midst."""
    folder = tmp_path_factory.mktemp("large") / "log"
    filled(folder, 40_000, each=4000)
    return folder


def moments() -> Iterator[float]:
    pause = 0.01
    while True:
        yield pause
        pause *= 1.5


@pytest.mark.parametrize("asked", [to_erase(*range(0, 40_000, 3)), to_prune(38_400)], ids=["erase", "prune"])
def test_killed_anywhere(large: Path, tmp_path: Path, asked: Asked) -> None:
    """It verifies then and there, with the minimum that was asked for; and is gone on with to its end."""
    log = Path(shutil.copytree(large, tmp_path / "log"))
    if asked.what is What.PRUNE:
        put(log, to_erase(*range(asked.limit)))
        assert go_through(log, KEYS)
    name = put(log, asked)
    kills = 0
    for moment in moments():
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(log)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moment)  # where it is killed does not matter
        process.send_signal(signal.SIGKILL)
        process.stdout.close()
        killed = process.wait() == -signal.SIGKILL
        kills += killed and not is_done(log, name)
        assert verified(log, asked.limit).entries == 40_000 - asked.limit
        if is_done(log, name):
            break
    assert kills > 0
    report = verified(log, asked.limit)
    assert report.erased == len(range(0, 40_000, 3)) * (asked.what is What.ERASE)
    left = [one for one in (log / "tile" / "entries").rglob("*") if one.is_file()]
    assert len(left) == -(-40_000 // TILE_WIDTH) - asked.limit // TILE_WIDTH
    assert ORIGIN in (log / "checkpoint").read_text()
