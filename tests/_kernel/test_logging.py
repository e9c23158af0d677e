"""What the kernel does for the audit log, in both twins."""

from hashlib import sha256
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests._kernel.conftest import INSTALLED

from strongroom._kernel import choose, python
from strongroom.audit.leaf import entry_of

GREATEST = (1 << 53) - 1
FILLINGS = st.lists(st.integers(0, GREATEST) | st.binary(max_size=9), max_size=6).map(tuple)


def test_a_commitment(kernel: ModuleType) -> None:
    """Over salt and content; the line alone gives the entry again."""
    made = kernel.commit_records([b"{}", b"", b"x" * 5000], bytes(range(96)))
    assert made[0][0] == b"\x01" + sha256(bytes(range(32)) + b"{}").digest()
    assert [entry_of(line[:-1]) for _, line in made] == [entry for entry, _ in made]
    assert kernel.commit_records([], b"") == []
    with pytest.raises(ValueError, match="salts"):
        kernel.commit_records([b"", b""], bytes(63))


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


def test_python_is_there() -> None:
    """The readable twin is one of them."""
    assert "python" in INSTALLED
    assert choose("python") is python
