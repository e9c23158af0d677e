"""audit/verify.py: signed checkpoints, and proofs of one record."""

from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audit.making import NOON, ORIGIN, WITNESSES, Log, make, signer, trust

from strongroom.audit import checkpoint
from strongroom.audit.checkpoint import Checkpoint, Kind, cosign, sign
from strongroom.audit.verify import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Fault,
    Key,
    Trust,
    verify_checkpoint,
    verify_proof,
)
from strongroom.errors import CheckpointInvalid

SIZE = 256 * 3 + 10
KEY = str(signer().key)


@pytest.fixture(scope="module")
def log() -> Log:
    """A log with whole and partial tiles on two levels."""
    return make(SIZE)


HEAD = Checkpoint(ORIGIN, 5, bytes(32))
NOTE = sign(HEAD, [signer()])


def test_a_note_and_every_octet_of_it() -> None:
    """With any bit of a fully known checkpoint changed, added or cut it is not taken."""
    note = cosign(NOTE, WITNESSES[0], NOON)
    assert verify_checkpoint(note, trust(quorum=1)).witnessed == ((WITNESSES[0].name, NOON),)
    for at in range(len(note)):
        for bit in range(8):
            damaged = note[:at] + bytes([note[at] ^ 1 << bit]) + note[at + 1 :]
            with pytest.raises(Fault):
                verify_checkpoint(damaged, trust(quorum=1))
        with pytest.raises(Fault):
            verify_checkpoint(note[:at], trust(quorum=1))


STRANGER = cosign(NOTE, signer("stranger.example", Kind.WITNESS, 8), NOON)


@given(
    st.sampled_from(
        [NOTE, STRANGER, cosign(STRANGER, WITNESSES[0], NOON), sign(HEAD, [signer(seed=2), signer()])]
    ),
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 2), st.binary(max_size=2)), max_size=2),
)
@settings(max_examples=400)
def test_two_readers_agree(note: bytes, changes: list[tuple[int, int, bytes]]) -> None:
    """What the log's writer takes for a checkpoint of its own, the verifier takes, and nothing else."""
    for at, gone, come in changes:
        note = note[:at] + come + note[at + gone :]
    keys = [signer().key, *(one.key for one in WITNESSES)]
    try:
        expected = checkpoint.verify(note, keys).checkpoint
    except CheckpointInvalid:
        with pytest.raises(Fault):
            verify_checkpoint(note, trust(quorum=0))
    else:
        found = verify_checkpoint(note, trust(quorum=0))
        assert (found.origin, found.size, found.root) == (expected.origin, expected.size, expected.root)


def test_other_signatures_are_passed_over() -> None:
    """Unknown keys' signatures do neither good nor harm."""
    note = cosign(sign(HEAD, [signer(seed=9), signer()]), signer("stranger", Kind.WITNESS, 8), NOON)
    assert verify_checkpoint(note, trust(quorum=0)).witnessed == ()
    with pytest.raises(Fault, match="0 of the 1 witnesses"):
        verify_checkpoint(note, trust(quorum=1))


def test_keys_that_follow_one_another() -> None:
    """While two keys sign, either is enough; when the old one signs no more, it is not."""
    first, second = Key.parse(KEY), Key.parse(str(signer(seed=2).key))
    both, new = sign(HEAD, [signer(), signer(seed=2)]), sign(HEAD, [signer(seed=2)])
    for note, keys in [(both, [first]), (both, [second]), (new, [second]), (new, [first, second])]:
        assert verify_checkpoint(note, Trust(keys)).size == 5
    with pytest.raises(Fault, match="not signed by the key of the log"):
        verify_checkpoint(new, Trust([first]))


def test_another_origin() -> None:
    """A log's key has its name; another name must be asked for."""
    note = sign(Checkpoint("elsewhere.example", 5, bytes(32)), [signer()])
    with pytest.raises(Fault, match="it is of another log"):
        verify_checkpoint(note, trust(quorum=0))
    assert verify_checkpoint(note, Trust([Key.parse(KEY)], origin="elsewhere.example")).size == 5
    with pytest.raises(Fault, match="it is of another log"):
        verify_checkpoint(NOTE, Trust([Key.parse(KEY)], origin="elsewhere.example"))


def test_a_key_of_another_log() -> None:
    """Whose keys are several logs', believes each for its own log alone."""
    keys = [Key.parse(KEY), Key.parse(str(signer("other.example/audit", seed=5).key))]
    note = sign(HEAD, [signer("other.example/audit", seed=5)])
    with pytest.raises(Fault, match="not signed by the key of the log"):
        verify_checkpoint(note, Trust(keys))
    assert verify_checkpoint(note, Trust(keys, origin=ORIGIN)).size == 5


def test_limits() -> None:
    """As many signatures as are allowed, and no more; and no more text, though it is signed."""
    other = sign(HEAD, [signer("other.example", seed=3)]).splitlines(keepends=True)[-1]
    assert verify_checkpoint(NOTE + other * (MAX_SIGNATURES - 1), trust(quorum=0)).size == 5
    with pytest.raises(Fault, match="too many"):
        verify_checkpoint(NOTE + other * MAX_SIGNATURES, trust(quorum=0))
    long = Checkpoint(ORIGIN, 5, bytes(32), ("x" * MAX_NOTE_BYTES,))
    with pytest.raises(Fault, match="too many"):
        verify_checkpoint(sign(long, [signer()]), trust(quorum=0))


def test_control_characters() -> None:
    """A note has none, though the log's key signed it."""
    for text in (f"{HEAD.text}a bell \x07\n", f"{HEAD.text}a return\r\n"):
        line = sign(HEAD, [signer()]).splitlines()[-1]
        signature = signer().private.sign(text.encode())
        line = line[: line.rindex(b" ") + 1] + b64encode(signer().key.id + signature)
        with pytest.raises(Fault, match="control characters"):
            verify_checkpoint(text.encode() + b"\n" + line + b"\n", trust(quorum=0))
        with pytest.raises(CheckpointInvalid, match="control characters"):
            checkpoint.verify(text.encode() + b"\n" + line + b"\n", [signer().key])


def test_a_witness_counts_once() -> None:
    """By two names, or with two lines, a witness is still one."""
    double = signer("witness.example/again", Kind.WITNESS, 10)
    note = cosign(cosign(cosign(NOTE, WITNESSES[0], NOON), WITNESSES[0], NOON + 1), double, NOON)
    witnesses = [Key.parse(str(one.key)) for one in (WITNESSES[0], double)]
    assert verify_checkpoint(note, Trust([Key.parse(KEY)], witnesses, 1)).size == 5
    with pytest.raises(Fault, match="1 of the 2 witnesses asked for"):
        verify_checkpoint(note, Trust([Key.parse(KEY)], witnesses, 2))


def test_a_witness_is_no_log() -> None:
    """A witness's key among the log's signs nothing for it, and a log's key among the witnesses' neither."""
    note = cosign(NOTE, WITNESSES[0], NOON)
    witness = Key.parse(str(WITNESSES[0].key))
    with pytest.raises(Fault, match="not signed by the key of the log"):
        verify_checkpoint(note, Trust([witness], origin=ORIGIN))
    with pytest.raises(Fault, match="witnesses asked for"):
        verify_checkpoint(note, Trust([Key.parse(KEY)], [Key.parse(KEY)], 1))


@pytest.mark.parametrize(
    "text", ["", "a", "a+b", "a+b+", "a+b+c", KEY[:-4], KEY.replace("+", "-"), KEY[:-1] + "*", f"{KEY}A"]
)
def test_what_is_no_key(text: str) -> None:
    """A key that cannot be one is not taken."""
    with pytest.raises(ValueError):  # noqa: PT011 - argparse shows no more of it than that it is one
        Key.parse(text)


def test_a_proof_of_each_kind(log: Log) -> None:
    """A file proves its record, its content with it; where that was erased, that it was there."""
    for index in (0, 255, 256, 500, SIZE - 1):
        proved = verify_proof(log.proof(index), trust())
        assert (proved.index, proved.content) == (index, log.contents[index])
        assert proved.checkpoint.size == SIZE
    assert verify_proof(log.proof(3, line=b"-"), trust()).content is None
    with pytest.raises(Fault, match="the content of record 3 is not what was logged"):
        verify_proof(log.proof(3, line=log.committed[4].line[:-1]), trust())


def test_a_proof_and_every_octet_of_it(log: Log) -> None:
    """With any octet changed or cut off it proves nothing."""
    proof = log.proof(300)
    assert verify_proof(proof, trust()).index == 300
    for at in range(len(proof)):
        for damaged in (proof[:at] + bytes([proof[at] ^ 1]) + proof[at + 1 :], proof[:at]):
            with pytest.raises(Fault):
                verify_proof(damaged, trust())


def test_a_proof_of_other_data(log: Log) -> None:
    """A proof without a record of ours in it says nothing that could be shown."""
    head, _, note = log.proof(1).partition(b"\n\n")
    lines = head.split(b"\n")
    for damaged in ([lines[0], *lines[2:]], [*lines, b"AAAA"], [lines[0], b"extra LS0=", *lines[2:]]):
        with pytest.raises(Fault):
            verify_proof(b"\n".join(damaged) + b"\n\n" + note, trust())
