"""audit/verify.py: what an auditor runs, by itself and on another machine."""

import ast
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.audit.making import NOON, ORIGIN, WITNESSES, Log, make, opened, signer, trust

from strongroom.audit import verify
from strongroom.audit.checkpoint import Checkpoint, sign
from strongroom.audit.leaf import MAX_CONTENT_BYTES, erase
from strongroom.audit.tiles import Edge, File, bundle_path, content_path, pack_bundle
from strongroom.audit.verify import MAX_PROOF_BYTES, Fault, verify_log, verify_proof

SIZE = 256 * 3 + 10
PROGRAM = Path(verify.__file__)
KEY = str(signer().key)


@pytest.fixture(scope="module")
def log() -> Log:
    """A log with whole and partial tiles on two levels."""
    return make(SIZE)


def changed(log: Log, path: str, octets: bytes | None) -> verify.Source:
    """The log with one file replaced, or taken away."""
    files = {name: kept for name, kept in log.files.items() if name != path}
    return opened(files if octets is None else files | {path: octets})


def test_it_stands_alone() -> None:
    """It imports the standard library and cryptography, and nothing of Strongroom."""
    names = set()
    for node in ast.walk(ast.parse(PROGRAM.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(str(node.module).split(".")[0])
    assert names - sys.stdlib_module_names == {"cryptography"}


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, SIZE])
def test_a_log_as_it_was_written(size: int) -> None:
    """Everything is counted: entries, contents, who signed and who cosigned when."""
    report = verify_log(opened(make(size).files), trust(), complete=True)
    assert (report.entries, report.contents, report.erased) == (size, size, 0)
    assert report.checkpoint.size == size
    assert report.checkpoint.signers == (ORIGIN,)
    assert report.checkpoint.witnessed == tuple((one.name, NOON) for one in WITNESSES)


def test_three_levels() -> None:
    """A log with a whole tile at level 1 and a partial one at level 2."""
    appended = Edge().append([b"%d" % number for number in range(65_536 + 700)])
    files = {file.path: file.octets for file in (*appended.files, *appended.edge.partial())}
    files["checkpoint"] = sign(Checkpoint(ORIGIN, appended.edge.size, appended.edge.root), [signer()])
    assert {"tile/2/000.p/1", "tile/1/000", "tile/1/001.p/2"} < files.keys()
    assert verify_log(opened(files), trust(quorum=0)).entries == 65_536 + 700
    damaged = bytearray(files["tile/1/000"])
    damaged[32 * 77] ^= 1
    with pytest.raises(Fault, match=r"^tile/1/000: its hashes are not"):
        verify_log(opened(files | {"tile/1/000": bytes(damaged)}), trust(quorum=0))
    damaged = bytearray(files["tile/2/000.p/1"])
    damaged[0] ^= 1
    with pytest.raises(Fault, match=r"^tile/2/000.p/1: its hash 0 is not that of tile/1/000"):
        verify_log(opened(files | {"tile/2/000.p/1": bytes(damaged)}), trust(quorum=0))


def test_partial_files_that_were_deleted() -> None:
    """Where a log went on, an older checkpoint is verified by the whole files that came after."""
    log = make(300)
    older = log.files["checkpoint"]
    log.append([b"more"] * 300)
    log.publish()
    files = {path: octets for path, octets in log.files.items() if not path.endswith(".p/44")}
    assert len(files) == len(log.files) - 2
    report = verify_log(opened(files | {"checkpoint": older}), trust())
    assert (report.entries, report.contents) == (300, 300)
    for path in ("tile/0/001", "tile/entries/001"):
        octets = bytearray(files[path])
        octets[40] ^= 1
        damaged = files | {"checkpoint": older, path: bytes(octets)}
        with pytest.raises(Fault) as raised:
            verify_log(opened(damaged), trust())
        assert raised.value.place == path
        cut = files | {"checkpoint": older, path: files[path][:-1]}
        with pytest.raises(Fault) as raised:
            verify_log(opened(cut), trust())
        assert raised.value.place == path


# --------------------------------------------------------------------------------------- what is found wrong


WRONG: dict[str, tuple[str, Callable[[bytes], bytes | None], str]] = {
    "no checkpoint": ("checkpoint", lambda _: None, "checkpoint: it is not there"),
    "no tile": ("tile/0/001", lambda _: None, "tile/0/001: it is not there"),
    "no partial tile": ("tile/1/000.p/3", lambda _: None, "tile/1/000.p/3: it is not there"),
    "no bundle": ("tile/entries/002", lambda _: None, "tile/entries/002: it is not there"),
    "no partial bundle": ("tile/entries/003.p/10", lambda _: None, "tile/entries/003.p/10: it is not there"),
    "a tile cut": ("tile/0/001", lambda octets: octets[:-32], "tile/0/001: it has 8160 octets"),
    "a tile longer": ("tile/0/001", lambda octets: octets * 2, "tile/0/001: it has more than 8192 octets"),
    "a partial tile cut": ("tile/0/003.p/10", lambda octets: octets[:-1], "003.p/10: it has 319 octets"),
    "a partial tile longer": ("tile/0/003.p/10", lambda octets: octets * 2, "640 octets in the place of 320"),
    "a bundle cut": ("tile/entries/000", lambda octets: octets[:-1], "entry 255 is not whole"),
    "a bundle cut between": ("tile/entries/001", lambda octets: octets[:-35], "entry 511 is not whole"),
    "a bundle longer": ("tile/entries/000", lambda octets: octets + b"\x00\x00", "something follows its 256"),
    "a partial one longer": ("tile/entries/003.p/10", lambda octets: octets + b"\x00", "follows its 10"),
    "a content cut": ("content/001", lambda octets: octets[:-1], "content/001: it is cut short"),
    "contents missing": ("content/003", lambda octets: octets[: octets.index(b"\n") + 1], "of record 769"),
    "contents longer": ("content/000", lambda octets: octets + b"-\n", "something follows its 256 contents"),
    "a line too long": ("content/000", lambda octets: b"x" * (1 << 21) + octets, "or too long, at"),
    "no salt": ("content/000", lambda octets: b"\n" + octets, "the salt of record 0 is no salt"),
    "lines swapped": (
        "content/002",
        lambda octets: b"".join(reversed(octets.splitlines(keepends=True))),
        "the content of record 512 is not what was logged",
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", WRONG)
def test_what_is_wrong_is_named(log: Log, how: str) -> None:
    """The file, and the entry or record in it, are in the words."""
    path, change, words = WRONG[how]
    with pytest.raises(Fault) as raised:
        verify_log(changed(log, path, change(log.files[path])), trust())
    assert words in str(raised.value)
    assert raised.value.place == path


@pytest.mark.parametrize("number", [0, 255, 256, 300, SIZE - 1])
def test_a_changed_entry_is_named(log: Log, number: int) -> None:
    """By its index in the log; and a changed content by that of its record."""
    bundle, width = number // 256, min(256, SIZE - number // 256 * 256)
    entries = [one.entry for one in log.committed[256 * bundle :][:width]]
    entries[number % 256] = b"\x01" + bytes(32)
    path = bundle_path(bundle, width)
    with pytest.raises(Fault, match=f"entry {number} is not the one that was logged"):
        verify_log(changed(log, path, pack_bundle(entries)), trust())
    path = content_path(bundle)
    lines = log.files[path].splitlines(keepends=True)
    lines[number % 256] = lines[number % 256].replace(b"record", b"Record")
    with pytest.raises(Fault, match=f"the content of record {number} is not what was logged"):
        verify_log(changed(log, path, b"".join(lines)), trust())


def test_another_log_with_the_same_key() -> None:
    """Files of another log of the same name and key are not taken for this one's, neither one nor all."""
    one, other = make(600), make(600)
    for path, octets in other.files.items():
        if octets != one.files[path]:
            with pytest.raises(Fault) as raised:
                verify_log(changed(one, path, octets), trust())
            assert raised.value.place == path
    tiles = {path: octets for path, octets in other.files.items() if path.startswith("tile/")}
    with pytest.raises(Fault, match=r"^checkpoint: it is of another log, or tile/0/002.p/88, tile/1/000.p/2"):
        verify_log(opened(one.files | tiles), trust())


def test_a_history_written_anew(log: Log) -> None:
    """Who has the log's key can write another log; an older checkpoint, or a witness, shows it."""
    forged = make(SIZE)
    older = make(300)
    assert verify_log(opened(forged.files), trust()).entries == SIZE
    with pytest.raises(Fault, match="the first 300 entries are not those of the older checkpoint"):
        verify_log(opened(forged.files), trust(), since=older.files["checkpoint"])
    forged.publish(WITNESSES[:1])
    with pytest.raises(Fault, match="1 of the 2 witnesses asked for"):
        verify_log(opened(forged.files), trust(quorum=2))


@pytest.mark.parametrize("more", [0, 1, 212, 300, 65_000])
def test_since_an_older_checkpoint(more: int) -> None:
    """A log that went on from it is right; one that is shorter than it was cut off."""
    log = make(300)
    older = dict(log.files)
    log.append([b"more"] * more)
    log.publish()
    assert verify_log(opened(log.files), trust(), since=older["checkpoint"]).entries == 300 + more
    if more:
        with pytest.raises(Fault, match=f"the log had {300 + more} entries and now has 300: its end was cut"):
            verify_log(opened(older), trust(), since=log.files["checkpoint"])


def test_an_older_checkpoint_of_another_key(log: Log) -> None:
    """The older checkpoint is verified as well, and named where it does not hold."""
    with pytest.raises(Fault, match=r"^older checkpoint: it is not signed by the key of the log"):
        verify_log(opened(log.files), trust(), since=make(5, seed=2).files["checkpoint"])


# ------------------------------------------------------------------------------------------ erased and pruned


def test_erased_contents(log: Log) -> None:
    """They are counted and named, and leave entries and proofs as they were; `complete` does without none."""
    lines = [line[:-1] for line in log.files["content/001"].splitlines(keepends=True)]
    erased = b"".join(line + b"\n" for line in erase(lines, frozenset({0, 1, 2, 100})))
    report = verify_log(changed(log, "content/001", erased), trust())
    assert (report.entries, report.contents, report.erased) == (SIZE, SIZE - 4, 4)
    assert report.ranges == [[256, 258], [356, 356]]
    with pytest.raises(Fault, match=r"^content/001: the content of record 256 is not there"):
        verify_log(changed(log, "content/001", erased), trust(), complete=True)


def test_contents_erased_as_files(log: Log) -> None:
    """A file of contents that is not there is one whose records' contents were all erased."""
    report = verify_log(changed(log, "content/002", None), trust())
    assert (report.contents, report.erased, report.ranges) == (SIZE - 256, 256, [[512, 767]])
    only = {path: octets for path, octets in log.files.items() if not path.startswith("content")}
    assert verify_log(opened(only), trust()).ranges == [[0, SIZE - 1]]


def test_only_so_many_runs_are_named() -> None:
    """A report stays small, whatever was erased."""
    log = make(512)
    for path in ("content/000", "content/001"):
        lines = [line[:-1] for line in log.files[path].splitlines(keepends=True)]
        log.files[path] = b"".join(line + b"\n" for line in erase(lines, frozenset(range(0, 256, 2))))
    report = verify_log(opened(log.files), trust())
    assert (report.erased, len(report.ranges)) == (256, verify.MAX_RUNS)


def test_contents_of_records_that_are_not_logged_yet() -> None:
    """The file of contents may be ahead of the checkpoint, as it is written first."""
    log = make(3)
    log.files["content/000"] += b"- \n"
    assert verify_log(opened(log.files), trust()).contents == 3


def test_the_longest_content() -> None:
    """A content may be as long as contents can be, in the log and in a proof."""
    log = make(1)
    log.append([b"x" * MAX_CONTENT_BYTES])
    log.publish()
    assert verify_log(opened(log.files), trust()).contents == 2
    assert verify_proof(log.proof(1), trust()).content == b"x" * MAX_CONTENT_BYTES
    assert len(log.proof(1)) <= MAX_PROOF_BYTES


def test_the_log_alone(log: Log) -> None:
    """Contents can be left out, as they are where only the log was copied."""
    report = verify_log(changed(log, "content/001", b"nonsense"), trust(), contents=False)
    assert (report.entries, report.contents, report.erased) == (SIZE, 0, 0)


def pruned(log: Log, minimum: int) -> dict[str, bytes]:
    """What is left where all is deleted that the standard allows to be."""
    whole = [(f"tile/0/{index:03}", 256 * (index + 1)) for index in range(SIZE // 256)]
    whole += [(f"tile/entries/{index:03}", 256 * (index + 1)) for index in range(SIZE // 256)]
    gone = {path for path, end in whole if end <= minimum}
    return {path: octets for path, octets in log.files.items() if path not in gone}


@pytest.mark.parametrize("minimum", [0, 1, 255, 256, 257, 512, 767, 768, SIZE])
def test_a_pruned_log(log: Log, minimum: int) -> None:
    """What is left verifies, from the first bundle on that is not pruned."""
    files = pruned(log, minimum)
    report = verify_log(opened(files), trust(), minimum=minimum)
    first = minimum - minimum % 256
    assert (report.minimum, report.entries) == (first, SIZE - first)
    if minimum >= 256:
        with pytest.raises(Fault, match=r"^tile/0/000: it is not there"):
            verify_log(opened(files), trust())
        older = make(100).files["checkpoint"]
        with pytest.raises(Fault, match="it was pruned, and is needed"):
            verify_log(opened(files), trust(), minimum=minimum, since=older)


def test_pruned_beyond_its_end(log: Log) -> None:
    """A minimum index is at most the log's size: else nothing at all would be verified."""
    for minimum in (-1, SIZE + 1):
        with pytest.raises(Fault, match=r"^checkpoint: it has 778 entries"):
            verify_log(opened(log.files), trust(), minimum=minimum)


def test_other_logs(log: Log) -> None:
    """A log of entries that are not ours is verified as far as its tiles go; a content for one is wrong."""
    appended = Edge().append([b"of another kind", b""])
    kept = (*appended.files, *appended.edge.partial(), File("content/000", log.files["content/000"]))
    files = {file.path: file.octets for file in kept}
    files["checkpoint"] = sign(Checkpoint(ORIGIN, 2, appended.edge.root), [signer()])
    assert verify_log(opened(files), trust(quorum=0), contents=False).entries == 2
    with pytest.raises(Fault, match="the content of record 0 is not what was logged"):
        verify_log(opened(files), trust(quorum=0))
