"""What the kernel does for the audit log, in both twins."""

from hashlib import sha256
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests._kernel.conftest import INSTALLED

from strongroom._kernel import choose, python
from strongroom._kernel.logging import LENGTH, URGENT, rows_of
from strongroom.audit.leaf import entry_of

GREATEST = (1 << 53) - 1
FILLINGS = st.lists(st.integers(0, GREATEST) | st.binary(max_size=9), max_size=6).map(tuple)


def test_a_commitment(kernel: ModuleType) -> None:
    """Over salt and content; the line alone gives the entry again."""
    entries, lines = kernel.commit_records([b"{}", b"", b"x" * 5000], bytes(range(96)), 5000)
    assert entries[0] == b"\x01" + sha256(bytes(range(32)) + b"{}").digest()
    assert [entry_of(line[:-1]) for line in lines] == entries
    assert kernel.commit_records([], b"", 1) == ([], [])
    for contents, salts in (([b"", b""], 63), ([], 1), ([b"x" * 5001], 32), ([b"a\nb"], 32)):
        with pytest.raises(ValueError, match="salts of one length each"):
            kernel.commit_records(contents, bytes(salts), 5000)


def test_a_bundle(kernel: ModuleType) -> None:
    """C2SP tlog-tiles: entries behind their lengths."""
    assert kernel.pack_entries([b"a", b"", b"x" * 300]) == b"\0\1a\0\0\1\x2c" + b"x" * 300
    assert kernel.pack_entries([]) == b""
    with pytest.raises(ValueError, match="longer than its length"):
        kernel.pack_entries([bytes(1 << 16)])


def test_hashes_of_the_tree(kernel: ModuleType) -> None:
    """RFC 6962, section 2.1: leaves behind a 0, nodes behind a 1."""
    leaves = kernel.hash_leaves([b"", b"a"])
    assert leaves == [sha256(b"\0").digest(), sha256(b"\0a").digest()]
    assert kernel.hash_nodes(leaves) == [sha256(b"\1" + leaves[0] + leaves[1]).digest()]
    assert kernel.hash_nodes([]) == kernel.hash_leaves([]) == []
    with pytest.raises(ValueError):  # noqa: PT011 - each twin has words of its own
        kernel.hash_nodes(leaves[:1])


@pytest.mark.parametrize("twin", INSTALLED)
@given(st.lists(st.binary(max_size=20), min_size=1, max_size=7), FILLINGS)
def test_holes(twin: str, pieces: list[bytes], fillings: tuple[int | bytes, ...]) -> None:
    """Between two pieces each is a hole, and each filling has one."""
    template = choose(twin).Template(pieces)
    if len(fillings) != len(pieces) - 1:
        with pytest.raises(ValueError, match="do not fit"):
            template.fill(fillings)
        return
    written = [one if isinstance(one, bytes) else str(one).encode() for one in fillings]
    assert template.fill(fillings) == b"".join(
        part for pair in zip(pieces, [*written, b""], strict=True) for part in pair
    )


@pytest.mark.parametrize("number", [-1, GREATEST + 1, 1 << 64, 1 << 70])
def test_numbers_out_of_bounds(kernel: ModuleType, number: int) -> None:
    """No JSON number that somebody would read as another (RFC 8259, section 6)."""
    with pytest.raises(ValueError, match="do not fit"):
        kernel.Template([b"", b""]).fill((number,))
    assert kernel.Template([b"", b""]).fill((GREATEST,)) == str(GREATEST).encode()


@pytest.mark.parametrize("filling", [1.5, 1.0, "1", None, [1]])
def test_fillings_of_another_type(kernel: ModuleType, filling: object) -> None:
    """Neither what would be cut to a number, nor text."""
    with pytest.raises(ValueError, match="do not fit"):
        kernel.Template([b"", b""]).fill((filling,))


@pytest.mark.parametrize("twin", INSTALLED)
@given(st.lists(st.tuples(st.binary(max_size=9), st.booleans()), max_size=5), st.integers(0, 12))
def test_records_are_cut(twin: str, sent: list[tuple[bytes, bool]], missing: int) -> None:
    """What is whole comes; the rest waits for its end, wherever the octets were cut."""
    frames = [LENGTH.pack(len(one) | (URGENT if urgent else 0)) + one for one, urgent in sent]
    octets = b"".join(frames)
    octets = octets[: max(len(octets) - missing, 0)]
    whole = 0
    while whole < len(frames) and sum(map(len, frames[: whole + 1])) <= len(octets):
        whole += 1
    records, end, urgent = choose(twin).cut_records(octets)
    assert records == [one for one, _ in sent[:whole]]
    assert end == sum(map(len, frames[:whole]))
    assert urgent == any(waits for _, waits in sent[:whole])


COUNTS = [
    (b"SELECT 17", 17),
    (b"INSERT 0 3", 3),
    (b"UPDATE 2", 2),
    (b"DELETE 0", 0),
    (b"MERGE 4", 4),
    (b"COPY 5", 5),
    (b"FETCH 6", 6),
    (b"MOVE 7", 0),
    (b"CREATE TABLE", 0),
    (b"SELECT", 0),
    (b"SELECT x", 0),
    (b"SELECT -1", 0),
    (b"SELECT ", 0),
    (b"", 0),
    (b"SELECT 18446744073709551615", GREATEST),
    (b"SELECT 9999999999999999", GREATEST),
]
READY = b"Z\0\0\0\x05I"


def completed(tag: bytes) -> bytes:
    """A CommandComplete."""
    return b"C" + (5 + len(tag)).to_bytes(4, "big") + tag + b"\0"


@pytest.mark.parametrize(("tag", "rows"), COUNTS)
def test_rows(kernel: ModuleType, tag: bytes, rows: int) -> None:
    """What CommandComplete says; more than a number of ours is the greatest of them."""
    assert rows_of(tag) == rows
    assert kernel.rows_at_end(completed(tag) + READY) == rows


@pytest.mark.parametrize("twin", INSTALLED)
@given(st.binary(max_size=30))
def test_a_database_may_say_anything(twin: str, tag: bytes) -> None:
    """It is a number that a record can have, and the same in both."""
    assert 0 <= rows_of(tag) <= GREATEST
    for chunk in (tag, completed(tag) + READY, b"C\0\0\0" + tag):
        assert choose(twin).rows_at_end(chunk) == python.rows_at_end(chunk)


@pytest.mark.parametrize("twin", INSTALLED)
@given(rows=st.lists(st.binary(max_size=40), max_size=5), count=st.sampled_from(COUNTS))
def test_the_tag_at_the_end(twin: str, rows: list[bytes], count: tuple[bytes, int]) -> None:
    """Whatever rows come before it: the last CommandComplete is found, also where a row looks like one."""
    forged = completed(b"SELECT 99")
    row = b"".join(b"D" + (4 + len(one)).to_bytes(4, "big") + one for one in [*rows, forged])
    assert choose(twin).rows_at_end(row + completed(count[0]) + READY) == count[1]


def test_answers(kernel: ModuleType) -> None:
    """A record for each round; neither clock nor product goes beyond what a number may be."""
    template = kernel.Template([b"", b",", b",", b",", b",", b",", b",", b",", b""])
    tail = completed(b"SELECT 3") + READY
    records, rows = template.answers([(7, tail, 2.0, 0.5), (8, tail, 3.0, 4.0)], 11, 1000.5, 2)
    assert records == [b'1500,11,"00000",1,3000,3,7,6', b'0,12,"00000",1,4000,3,8,6']
    assert rows == 6
    assert template.answers([], 1, 0.0, 1) == ([], 0)
    with pytest.raises(ValueError, match="do not fit"):
        template.answers([(7, completed(b"SELECT 9007199254740991") + READY, 1.0, 1.0)], 1, 0.0, 2)
    with pytest.raises(ValueError, match="do not fit"):
        kernel.Template([b"", b""]).answers([(7, tail, 1.0, 1.0)], 1, 0.0, 2)


def test_python_is_there() -> None:
    """The readable twin is one of them."""
    assert "python" in INSTALLED
    assert choose("python") is python
