"""audit/checkpoint.py: the forms of C2SP signed-note, tlog-checkpoint and tlog-cosignature."""

from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tests.audit.making import NOON, ORIGIN, signer

from strongroom.audit.checkpoint import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Checkpoint,
    Kind,
    Signer,
    VerifierKey,
    cosign,
    sign,
    verify,
)
from strongroom.errors import Bug, CheckpointInvalid, LogKeyInvalid

LOG, NEXT = signer(), signer(seed=2)
WITNESS = signer("witness.example/w1", Kind.WITNESS, 7)
HEAD = Checkpoint(ORIGIN, 20_852_163, bytes(range(32)))
NOTE = sign(HEAD, [LOG])


def test_the_text() -> None:
    """Origin, size and root, a line each."""
    assert HEAD.text == f"{ORIGIN}\n20852163\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    assert Checkpoint.parse(HEAD.text) == HEAD


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1),
    st.integers(0, (1 << 63) - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(st.text("abc ", min_size=1), max_size=2).map(tuple),
)
def test_every_checkpoint_is_read_back(origin: str, size: int, root: bytes, more: tuple[str, ...]) -> None:
    """What is signed is read as what it was, extension lines and all."""
    signed = Signer("log", LOG.private)
    head = Checkpoint(origin, size, root, more)
    assert Checkpoint.parse(head.text) == head
    if origin == "log":
        assert verify(sign(head, [signed]), [signed.key]).checkpoint == head


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"{ORIGIN}\n1\n",
        HEAD.text[:-1],
        HEAD.text + "\n",
        HEAD.text.replace("20852163", "020852163"),
        HEAD.text.replace("20852163", "-1"),
        HEAD.text.replace("20852163", "+1"),
        HEAD.text.replace("20852163", "2_0"),
        HEAD.text.replace("20852163", "٣"),
        HEAD.text.replace("20852163", str(1 << 63)),
        HEAD.text.replace("20852163", "9" * 5000),
        HEAD.text.replace("20852163", ""),
        HEAD.text.replace("AAEC", "AAE"),
        HEAD.text.replace("HR4f", "").replace("Hh8=", "Hg=="),
        HEAD.text.replace("Hh8=", "Hh9="),
        HEAD.text.replace("AAEC", "AA*C"),
        HEAD.text.replace("AAEC", "AAÄC"),
        "\n" + HEAD.text,
        HEAD.text + "\nmore\n",
    ],
)
def test_what_is_no_checkpoint(text: str) -> None:
    """Any other form is refused, those of other spellings of the same number or hash among them."""
    with pytest.raises(CheckpointInvalid):
        Checkpoint.parse(text)


def test_keys() -> None:
    """A key is written with its name and the hash of both, and read from that alone."""
    for key in (LOG.key, WITNESS.key):
        assert VerifierKey.parse(str(key)) == key
    name, digest, encoded = str(LOG.key).split("+", 2)
    assert (name, digest) == (ORIGIN, LOG.key.id.hex())
    assert b64decode(encoded) == b"\x01" + LOG.private.public_key().public_bytes_raw()
    assert "Ed25519" not in repr(LOG)


def test_the_same_key_signs_as_log_and_as_witness_by_another_id() -> None:
    """The kind is in the id: a signature of the one kind is not looked at as one of the other."""
    assert signer().key.id != signer(kind=Kind.WITNESS).key.id


BAD_KEYS: dict[str, Callable[[str], str]] = {
    "hash": lambda key: key.replace(LOG.key.id.hex(), "00000000"),
    "capitals": lambda key: key.replace(LOG.key.id.hex(), LOG.key.id.hex().upper() + "AA"),
    "cut": lambda key: key[:-4],
    "base64": lambda key: key[:-1] + "*",
    "parts": lambda key: key.replace("+", " "),
    "name": lambda key: key.replace(ORIGIN, "a b"),
    "no name": lambda key: key.replace(ORIGIN, ""),
    "control": lambda key: key.replace(ORIGIN, "a\x00b"),
    "kind": lambda key: f"{ORIGIN}+00000000+" + b64encode(b"\x02" + bytes(32)).decode(),
    "empty": lambda _: "",
    "not ASCII": lambda key: key[:-4] + "ÄÖÜ=",
}


@pytest.mark.parametrize("how", BAD_KEYS)
def test_what_is_no_key(how: str) -> None:
    """A key that is cut, of another kind, or does not agree with its hash is refused."""
    with pytest.raises(LogKeyInvalid):
        VerifierKey.parse(BAD_KEYS[how](str(LOG.key)))


def test_signed() -> None:
    """A signed checkpoint says who signed it, and is refused with any octet of what was signed changed."""
    signed = verify(NOTE, [LOG.key])
    assert signed.checkpoint == HEAD
    assert [(one.key, one.time) for one in signed.signatures] == [(LOG.key, None)]
    for at in range(len(NOTE)):
        with pytest.raises(CheckpointInvalid):
            verify(NOTE[:at] + bytes([NOTE[at] ^ 1]) + NOTE[at + 1 :], [LOG.key])


def test_cut_anywhere() -> None:
    """A checkpoint that was cut is none."""
    for end in range(len(NOTE)):
        with pytest.raises(CheckpointInvalid):
            verify(NOTE[:end], [LOG.key])


def test_keys_follow_one_another_with_an_overlap() -> None:
    """While two keys sign, each of them is enough to those who know it alone."""
    both = sign(HEAD, [LOG, NEXT])
    for keys, count in [([LOG.key], 1), ([NEXT.key], 1), ([LOG.key, NEXT.key], 2)]:
        assert len(verify(both, keys).signatures) == count
    with pytest.raises(CheckpointInvalid, match="no key of the log"):
        verify(NOTE, [NEXT.key])


def test_a_known_key_that_did_not_sign() -> None:
    """A line of a known key over something else ends it, though another key's signature holds."""
    other = sign(Checkpoint(ORIGIN, 1, bytes(32)), [NEXT]).decode().rpartition("\n\n")[2]
    mixed = NOTE + other.encode()
    assert verify(mixed, [LOG.key]).checkpoint == HEAD
    with pytest.raises(CheckpointInvalid, match="damaged, or another's"):
        verify(mixed, [LOG.key, NEXT.key])


def test_a_key_of_another_log() -> None:
    """The log's key has the log's name: one that signs for another is not enough."""
    other = signer("other.example/audit")
    with pytest.raises(CheckpointInvalid, match="no key of the log"):
        verify(sign(HEAD, [other]), [other.key])


def test_cosigned() -> None:
    """A witness says when; its signature is over the log's text and that time."""
    note = cosign(NOTE, WITNESS, NOON)
    signed = verify(note, [LOG.key, WITNESS.key])
    assert [(one.key.name, one.time) for one in signed.signatures] == [(ORIGIN, None), (WITNESS.name, NOON)]
    octets = b64decode(note.split()[-1])
    assert (octets[:4], octets[4:12], len(octets)) == (WITNESS.key.id, NOON.to_bytes(8, "big"), 76)
    WITNESS.private.public_key().verify(octets[12:], f"cosignature/v1\ntime {NOON}\n{HEAD.text}".encode())
    later = note[: -len(note.split()[-1]) - 1] + b64encode(
        octets[:4] + (NOON + 1).to_bytes(8, "big") + octets[12:]
    )
    with pytest.raises(CheckpointInvalid, match="witness"):
        verify(later + b"\n", [LOG.key, WITNESS.key])


def test_a_witness_alone() -> None:
    """A cosignature is no signature of the log's."""
    note = cosign(NOTE, WITNESS, NOON)
    with pytest.raises(CheckpointInvalid, match="no key of the log"):
        verify(note, [WITNESS.key])


FORMS = {
    "not UTF-8": NOTE.replace(b"gateway", b"gatewa\xff"),
    "carriage return": NOTE.replace(b"\n", b"\r\n"),
    "no end": NOTE[:-1],
    "a line behind": NOTE + b"more\n",
    "an empty line behind": NOTE + b"\n",
    "a hyphen": NOTE.replace("—".encode(), b"-"),
    "two spaces": NOTE.replace("— ".encode(), "—  ".encode()),
    "no signature": NOTE.rpartition(b"\n\n")[0] + b"\n\n",
    "too many": NOTE + NOTE.splitlines(keepends=True)[-1] * MAX_SIGNATURES,
    "too long": NOTE.replace(b"\n\n", b"\n" + b"x" * MAX_NOTE_BYTES + b"\n\n"),
    "hidden bits": NOTE[:-4] + bytes([NOTE[-4] + 1]) + NOTE[-3:],
    "not ASCII": NOTE[:-5] + "Ä".encode() + NOTE[-5:],
    "short": NOTE.rpartition(b" ")[0] + b" AAAA\n",
    "empty": b"",
}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_no_note(form: str) -> None:
    """Any other form of a signed note is refused."""
    with pytest.raises(CheckpointInvalid):
        verify(FORMS[form], [LOG.key])


def test_as_many_signatures_as_are_allowed() -> None:
    """Signatures of keys that are not known are passed over, up to the limit."""
    others = [signer(f"other.example/{number}", seed=3) for number in range(MAX_SIGNATURES - 1)]
    note = sign(HEAD, [*others, LOG])
    assert verify(note, [LOG.key]).checkpoint == HEAD
    with pytest.raises(CheckpointInvalid, match="longer than one can be"):
        verify(note + note.splitlines(keepends=True)[-1], [LOG.key])


def test_what_is_not_signed() -> None:
    """No checkpoint is signed that cannot be read back, and none by a key of the wrong kind or name."""
    bad = [
        Checkpoint("", 1, bytes(32)),
        Checkpoint("two\nlines", 1, bytes(32)),
        Checkpoint(ORIGIN, -1, bytes(32)),
        Checkpoint(ORIGIN, 1 << 63, bytes(32)),
        Checkpoint(ORIGIN, 1, bytes(31)),
        Checkpoint(ORIGIN, 1, bytes(32), ("",)),
    ]
    for head in bad:
        with pytest.raises(Bug):
            sign(head, [LOG])
    for signers in ([], [WITNESS], [signer("a b")], [Signer("a+b", Ed25519PrivateKey.generate())]):
        with pytest.raises(Bug):
            sign(HEAD, signers)
    with pytest.raises(Bug, match="key of a log"):
        cosign(NOTE, LOG, NOON)
