"""keys/shares.py: a secret in shares, as Vault and OpenBao split theirs."""

import itertools
import re
import secrets
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import missing

from strongroom.errors import (
    DoubledShare,
    ForeignShare,
    ImpossibleShares,
    InvalidShare,
    ShareError,
    SharesMissing,
    WrongShare,
)
from strongroom.keys.shares import SECRET_SIZE, Share, combine, split
from strongroom.testing.certificates import Authority
from strongroom.testing.installations import openbao
from strongroom.testing.openbao import OpenBao

GUIDE = Path(__file__).parent.parent.parent / "docs" / "guides" / "roots.md"
SECRET = bytes(range(SECRET_SIZE))
SET = 0x5C9E21D4
SHARES = split(SECRET, SET, count=5, threshold=3)
LINES = [share.danger_text() for share in SHARES]


def test_any_that_suffice_bring_it_back() -> None:
    """Whichever three of five, in any order, and all of them."""
    for some in [*itertools.combinations(LINES, 3), LINES[::-2]]:
        assert combine(some).secret == SECRET
    assert combine([*LINES, "", "  "]).secret == SECRET
    assert combine(LINES[2:]).set_id == SET


@given(secret=st.binary(min_size=32, max_size=32), numbers=st.tuples(st.integers(2, 5), st.integers(2, 5)))
@settings(max_examples=5, deadline=None)
def test_any_secret_and_numbers(secret: bytes, numbers: tuple[int, int]) -> None:
    """What was split is combined again."""
    threshold, count = sorted(numbers)
    lines = [share.danger_text() for share in split(secret, 0, count=count, threshold=threshold)]
    assert combine(lines[-threshold:]).secret == secret


@pytest.mark.parametrize(("count", "threshold"), [(3, 1), (2, 3), (256, 2), (1, 1), (0, 0), (5, -1)])
def test_impossible_numbers_are_refused(count: int, threshold: int) -> None:
    """One share is a copy of the secret, and there are 255 points."""
    with pytest.raises(ImpossibleShares):
        split(SECRET, SET, count=count, threshold=threshold)


def test_the_most_there_can_be() -> None:
    """255 shares, each with a point of its own that is not 0."""
    shares = split(SECRET, SET, count=255, threshold=2)
    assert {share.point for share in shares} == set(range(1, 256))


def test_openbao_is_unsealed_by_our_shares(authority: Authority) -> None:
    """Theirs combine here, whichever two; what we split of that unseals the server there."""
    program = openbao()
    if program is None:
        missing("OpenBao")
    with OpenBao.start(program, authority, shares=3, threshold=2) as bao:
        theirs = [Share(SET, 2, bytes.fromhex(text)).danger_text() for text in bao.shares]
        (key,) = {combine(pair).secret for pair in itertools.permutations(theirs, 2)}
        for ours in itertools.combinations(split(key, 1, count=3, threshold=2), 2):
            bao.seal()
            assert bao.unseal(tuple(share.octets.hex() for share in ours))
        bao.seal()
        assert bao.unseal((split(key, 1, count=2, threshold=2)[0].octets.hex(),)) is False


def test_a_line_is_for_people() -> None:
    """Set and number in the open; case, spaces, hyphens and lookalikes do not matter, whole lines do."""
    line = LINES[0]
    assert line.startswith("strongroom-share-1 5c9e21d4 03 ")
    assert SHARES[0].octets.hex() in line.replace(" ", "")
    odd = line.upper().replace(" ", " -  ") + "\n"
    assert Share.parse(odd) == SHARES[0]
    head, _, rest = line.partition(" ")
    assert Share.parse(f"{head} {rest.replace('0', 'O').replace('1', 'l')}") == SHARES[0]


def test_the_guide_shows_a_share() -> None:
    """One that parses, of a secret that nobody has."""
    (line,) = re.findall(r"^strongroom-share-1 .*$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert Share.parse(line).threshold == 3


def test_a_share_prints_without_its_octets() -> None:
    """Neither it nor the secret shows in a traceback."""
    for one in (SHARES[0], combine(LINES)):
        assert "octets" not in repr(one)
        assert "secret" not in repr(one)


@pytest.mark.parametrize("position", range(len(LINES[0])))
def test_each_wrong_sign_is_found(position: int) -> None:
    """In whichever place; what was typed is not repeated."""
    line = LINES[1]
    sign = "7" if line[position] != "7" else "2"
    changed = line[:position] + sign + line[position + 1 :]
    if line[position] == " ":
        changed = line[:position] + sign + line[position:]
    with pytest.raises(InvalidShare, match="share 2") as caught:
        combine([LINES[0], changed, LINES[2]])
    assert line[31:50] not in caught.value.message + caught.value.hint


def test_a_cut_or_doubled_group_is_found() -> None:
    """Every beginning of a line, a group left out, a group twice, two groups exchanged."""
    line = LINES[0]
    groups = line.split()
    without = [" ".join(groups[:at] + groups[at + 1 :]) for at in range(len(groups))]
    twice = [" ".join([*groups[: at + 1], *groups[at:]]) for at in range(len(groups))]
    swapped = [" ".join([*groups[:at], groups[at + 1], groups[at], *groups[at + 2 :]]) for at in range(1, 13)]
    for wrong in [*(line[:end] for end in range(1, len(line))), *without, *twice, *swapped]:
        with pytest.raises(InvalidShare):
            Share.parse(wrong)


@given(st.text())
@settings(max_examples=50, deadline=None)
def test_whatever_is_entered(text: str) -> None:
    """It is a share or an error of ours."""
    for line in (text, f"strongroom-share-1 {text}"):
        with pytest.raises(InvalidShare):
            Share.parse(line)


def test_too_few_are_told() -> None:
    """How many it takes is in the line, so that nobody gets a wrong secret."""
    for lines in ([], ["", " "], LINES[:1], LINES[:2]):
        with pytest.raises(SharesMissing):
            combine(lines)


def test_a_share_twice_is_told() -> None:
    """By its place among the lines."""
    with pytest.raises(DoubledShare, match="shares 1 and 3"):
        combine([LINES[0], LINES[1], LINES[0]])


def test_a_share_of_another_set_is_told() -> None:
    """By its set's id, though the secret be the same."""
    other = split(SECRET, 7, count=3, threshold=3)[0].danger_text()
    with pytest.raises(ForeignShare, match="share 2 belongs to set 00000007"):
        combine([LINES[0], other, LINES[1]])


def test_forged_shares_are_told_where_that_can_be() -> None:
    """Two of one point, or more than needed that do not agree; of no more nothing can be told."""
    octets = SHARES[1].octets
    elsewhere = Share(SET, 3, bytes([octets[0] ^ 1]) + octets[1:])
    with pytest.raises(WrongShare, match="shares 2 and 3"):
        combine([LINES[0], LINES[1], elsewhere.danger_text()])
    others = [LINES[0], *LINES[2:]]
    for at in range(len(others) + 1):
        with pytest.raises(WrongShare, match="one of them is forged"):
            combine([*others[:at], elsewhere.danger_text(), *others[at:]])
    assert combine([elsewhere.danger_text(), LINES[0], LINES[2]]).secret != SECRET


def test_a_share_says_nothing_of_the_secret() -> None:
    """All but the octets is the same for two secrets, and any octets are as likely for each of them."""
    one = split(bytes(32), SET, count=2, threshold=2)[0]
    other = split(secrets.token_bytes(32), SET, count=2, threshold=2)[0]
    assert (one.set_id, one.threshold) == (other.set_id, other.threshold)
    octets = {
        octet for _ in range(40) for octet in split(bytes(32), SET, count=2, threshold=2)[0].octets[:32]
    }
    assert len(octets) > 240  # of 256; 2 are missing on average


def test_the_errors_have_one_parent() -> None:
    """A prompt that asks again catches that one."""
    for error in (DoubledShare, ForeignShare, ImpossibleShares, InvalidShare, SharesMissing, WrongShare):
        assert issubclass(error, ShareError)
