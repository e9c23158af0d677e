"""Checkpoints: the log's head, signed by the log and cosigned by witnesses.

The form is C2SP tlog-checkpoint, which is a C2SP signed-note; witnesses' signatures are those of C2SP
tlog-cosignature, version 1, which say when they were made. Keys are Ed25519, written as
``NAME+HASH+BASE64``. A checkpoint may have several signatures of the log, so that a key is followed by
another with an overlap. Pure: the time of a cosignature is an argument. Called by the log's writer;
``verify.py`` reads the same by code of its own.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from strongroom.audit.tree import HASH_BYTES, MAX_SIZE
from strongroom.errors import Bug, CheckpointInvalid, LogKeyInvalid

MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100
"""Both are those of golang.org/x/mod/sumdb/note, from which the standard comes."""
KEY_BYTES = 32
SIGNATURE_BYTES = 64

_DASH = "\N{EM DASH} "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


class Kind(IntEnum):
    """What a key signs, and how (C2SP signed-note, "Signature types")."""

    LOG = 0x01
    WITNESS = 0x04


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key by its name; which of a name's keys it is, its ``id`` says."""

    name: str
    kind: Kind
    public: bytes

    @property
    def id(self) -> bytes:
        """The four octets by which signature lines name it."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(bytes([self.kind]) + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From ``NAME+HASH+BASE64``; raises ``LogKeyInvalid``."""
        name, _, rest = text.partition("+")
        digest, _, encoded = rest.partition("+")
        try:
            octets = b64decode(encoded, validate=True)
        except ValueError:
            raise LogKeyInvalid("the key of a log or witness is damaged: its base64 does not hold") from None
        if not _is_name(name) or len(octets) != 1 + KEY_BYTES or octets[0] not in set(Kind):
            raise LogKeyInvalid("the key of a log or witness is of no kind that signs checkpoints")
        key = cls(name, Kind(octets[0]), octets[1:])
        if str(key) != f"{name}+{digest}+{encoded}":
            raise LogKeyInvalid("the key of a log or witness is damaged: its hash is another key's")
        return key


@dataclass(frozen=True, slots=True)
class Signer:
    """A log's or witness's private key, by its name."""

    name: str
    private: Ed25519PrivateKey = field(repr=False)
    kind: Kind = Kind.LOG

    @property
    def key(self) -> VerifierKey:
        """Its public half."""
        return VerifierKey(self.name, self.kind, self.private.public_key().public_bytes_raw())


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree's head."""

    origin: str
    """The log's name, which is its key's."""
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()
    """Lines of no meaning to the standard; we write none."""

    @property
    def text(self) -> str:
        """What is signed."""
        return "\n".join([self.origin, str(self.size), b64encode(self.root).decode(), *self.extensions, ""])

    @classmethod
    def parse(cls, text: str) -> Self:
        """From what was signed; raises ``CheckpointInvalid``."""
        lines = text.split("\n")
        if len(lines) < 4 or not _NUMBER.fullmatch(lines[1]):
            raise CheckpointInvalid("a checkpoint has not the form of C2SP tlog-checkpoint")
        try:
            root = b64decode(lines[2], validate=True)
        except ValueError:
            raise CheckpointInvalid("a checkpoint's third line is not a hash in base64") from None
        parsed = cls(lines[0], int(lines[1]), root, tuple(lines[3:-1]))
        if parsed.text != text or not _is_whole(parsed):  # the first, too, if base64 hides bits in its end
            raise CheckpointInvalid("a checkpoint has not the form of C2SP tlog-checkpoint")
        return parsed


def _is_whole(checkpoint: Checkpoint) -> bool:
    lines = (checkpoint.origin, *checkpoint.extensions)
    sound = all(line and not _CONTROL.search(line) and "\n" not in line for line in lines)
    return sound and 0 <= checkpoint.size <= MAX_SIZE and len(checkpoint.root) == HASH_BYTES


def _is_name(name: str) -> bool:
    """C2SP signed-note, "Format": a key's name has neither spaces nor a plus."""
    return bool(name) and "+" not in name and not re.search(r"\s", name) and not _CONTROL.search(name)


def sign(checkpoint: Checkpoint, signers: Sequence[Signer]) -> bytes:
    """The signed checkpoint, with a line of each of the log's keys that count today."""
    if not _is_whole(checkpoint) or not signers or any(one.kind is not Kind.LOG for one in signers):
        raise Bug("a checkpoint to be signed cannot be one, or no key of the log is there")
    text = checkpoint.text
    return "".join([text, "\n", *(_line(one, one.private.sign(text.encode())) for one in signers)]).encode()


def cosign(note: bytes, witness: Signer, time: int) -> bytes:
    """The signed checkpoint with this witness's cosignature behind it.

    Whether the tree is one that its former one is the beginning of is for the witness to verify before.
    """
    if witness.kind is not Kind.WITNESS:
        raise Bug("a cosignature is to be made with the key of a log")
    text, _ = _split(note)
    signature = witness.private.sign(_cosigned(text, time))
    return note + _line(witness, time.to_bytes(8, "big") + signature).encode()


def _cosigned(text: str, time: int) -> bytes:
    """C2SP tlog-cosignature, "Ed25519 signed message"."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _line(signer: Signer, signature: bytes) -> str:
    if not _is_name(signer.name):
        raise Bug("a key's name has a space or a plus in it")
    return f"{_DASH}{signer.name} {b64encode(signer.key.id + signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that holds."""

    key: VerifierKey
    time: int | None
    """When a witness made it, in seconds since 1970; None for the log's own."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint and who signed it."""

    checkpoint: Checkpoint
    signatures: tuple[Signature, ...]


def verify(note: bytes, keys: Iterable[VerifierKey]) -> Signed:
    """The checkpoint that a signed note is, and which of these keys signed it; raises ``CheckpointInvalid``.

    At least one of the log's own must have, by the name that the checkpoint's origin is; and each that is
    named there must have in fact. Signatures of others' keys are passed over, as the standard has it.
    """
    text, lines = _split(note)
    known = {(key.name, key.id): key for key in keys}
    found: dict[VerifierKey, Signature] = {}
    for name, octets in lines:
        key = known.get((name, octets[:4]))
        if key is not None:
            found[key] = _check(key, text, octets[4:])
    checkpoint = Checkpoint.parse(text)
    if not any(key.kind is Kind.LOG and key.name == checkpoint.origin for key in found):
        raise CheckpointInvalid("no key of the log has signed the checkpoint")
    return Signed(checkpoint, tuple(found.values()))


def _check(key: VerifierKey, text: str, signature: bytes) -> Signature:
    time = None
    message = text.encode()
    if key.kind is Kind.WITNESS:
        time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
        message = _cosigned(text, time)
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except InvalidSignature:
        raise CheckpointInvalid(f"the signature of {key.name!r} is damaged, or another's") from None
    return Signature(key, time)


def _split(note: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """The signed text, and who signed with what (C2SP signed-note, "Format")."""
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        raise CheckpointInvalid("a signed checkpoint is not UTF-8") from None
    text, blank, rest = whole.rpartition("\n\n")
    lines = rest.split("\n")
    if len(note) > MAX_NOTE_BYTES or len(lines) > MAX_SIGNATURES + 1 or _CONTROL.search(whole):
        raise CheckpointInvalid("a signed checkpoint is longer than one can be, or has control characters")
    if not blank or lines.pop() or not lines:
        raise CheckpointInvalid("a signed checkpoint has no signatures, or is cut")
    return text + "\n", [_parse_line(line) for line in lines]


def _parse_line(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        octets = b64decode(encoded, validate=True)
    except ValueError:
        octets = b""
    # One spelling only: base64 can hide bits in its last character.
    if (
        not line.startswith(_DASH)
        or not _is_name(name)
        or len(octets) < 5
        or b64encode(octets).decode() != encoded
    ):
        raise CheckpointInvalid("a signature line of a checkpoint is not of the form of C2SP signed-note")
    return name, octets
