"""audit/leaf.py: what an entry commits to, what it hides, and what erasing leaves."""

from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.audit.leaf import (
    ERASED,
    MAX_CONTENT_BYTES,
    Committed,
    Content,
    _commit,
    commit,
    entry_of,
    erase,
    judge,
)
from strongroom.errors import Bug, LogDamaged

SALT = bytes(range(32))
CONTENT = b'{"user":"anna"}'
# printf '\000\001...\037{"user":"anna"}' | sha256sum
DIGEST = "fd02569928d0ce0ffa553ca89ad9c0ba6fc9f1ad71386a18fa487bfcf11b97fc"


def test_the_form() -> None:
    """A version and SHA-256 over salt and content; and a line of both."""
    made = _commit([CONTENT], SALT)[0]
    assert made.entry.hex() == "01" + DIGEST
    assert made.line == b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= " + CONTENT + b"\n"


@given(st.lists(st.binary(max_size=50).filter(lambda content: b"\n" not in content), max_size=5))
def test_what_was_committed_is_right(contents: list[bytes]) -> None:
    """Each content is right beside its own entry, and wrong beside any other."""
    made = commit(contents)
    assert [one.line[45:-1] for one in made] == contents
    for one in made:
        for other in made:
            expected = Content.RIGHT if one is other else Content.WRONG
            assert judge(one.line[:-1], other.entry) is expected


def test_each_record_has_a_salt_of_its_own() -> None:
    """Equal contents have different entries: who sees the log does not see which records are alike."""
    made = commit([CONTENT] * 100)
    assert len({one.entry for one in made}) == len({one.line[:44] for one in made}) == 100


def test_erased() -> None:
    """Erasing takes salt and content away and leaves the other lines; what is erased is not wrong."""
    made = commit([b"a", b"b", b"c"])
    lines = erase([one.line[:-1] for one in made], frozenset({1}))
    assert lines[1] == b"-"
    found = [judge(line, one.entry) for line, one in zip(lines, made, strict=True)]
    assert found == [Content.RIGHT, Content.ERASED, Content.RIGHT]


def wrong_lines(made: Committed) -> list[bytes]:
    line = made.line[:-1]
    last = line[42:43]
    hidden = bytes([last[0] + 1])  # the same octets to a lax decoder: bits that base64 leaves over
    return [
        b"",
        b" ",
        line[:-1],
        line + b" ",
        line[1:],
        line.replace(b" ", b"", 1),
        line.replace(b"=", b"", 1),
        line[:42] + hidden + line[43:],
        b"\t" + line,
        b"--",
        b"- " + line,
        b64encode(bytes(32)) + b" " + CONTENT,
        b64encode(SALT[:31]) + b" " + SALT[31:] + CONTENT,
    ]


@pytest.mark.parametrize("which", range(13))
def test_wrong(which: int) -> None:
    """Anything else is wrong: cut, longer, in another spelling, or salt and content divided elsewhere."""
    made = _commit([CONTENT], SALT)[0]
    assert judge(wrong_lines(made)[which], made.entry) is Content.WRONG
    assert judge(made.line[:-1], made.entry) is Content.RIGHT


def test_a_line_alone() -> None:
    """From a line its entry is made again, as for a log that stopped before its bundles were written."""
    for one in commit([b"", b"a", CONTENT]):
        assert entry_of(one.line[:-1]) == one.entry
    empty, made = _commit([b""], SALT)[0], _commit([CONTENT], SALT)[0]
    for line in (ERASED, b"", empty.line[:-2], *wrong_lines(made)[7:10]):
        with pytest.raises(LogDamaged, match="has no salt"):
            entry_of(line)


def test_another_version_is_wrong() -> None:
    """An entry of another version commits to nothing that is known here."""
    made = _commit([CONTENT], SALT)[0]
    assert judge(made.line[:-1], b"\x02" + sha256(SALT + CONTENT).digest()) is Content.WRONG


@pytest.mark.parametrize("content", [b"two\nlines", bytes(MAX_CONTENT_BYTES + 1)], ids=["lines", "length"])
def test_what_is_no_content(content: bytes) -> None:
    """A content is one line of bounded length; whoever makes records keeps to it."""
    with pytest.raises(Bug, match="one line of bounded length"):
        commit([content])
    assert commit([bytes(MAX_CONTENT_BYTES)])
