"""A secret of 32 octets in shares, of which any k bring it back and fewer say nothing of it (Shamir).

The octets of a share are as HashiCorp Vault and OpenBao have them: the values of the polynomials over
GF(2^8), then the point, one octet. Around them a line of text for a person:

    strongroom-share-1 5c9e21d4 03 3f0a99 b17c2e ... 41d8e2b0

the form's version; the set that the shares belong to; how many it takes; the octets in hexadecimal, as
Vault prints them; and a checksum over all that. Set and number are drawn or chosen without regard to the
secret, and the checksum is of what stands beside it: so a line tells a typing error, a doubled share and one
of another set apart, and nothing about the secret. Spaces, hyphens and case do not matter. Used by
``root/shamir.py``.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyshamir

from strongroom.errors import (
    DoubledShare,
    ForeignShare,
    ImpossibleShares,
    InvalidShare,
    SharesMissing,
    WrongShare,
)

SECRET_SIZE = 32  # octets
MAX_SHARES = 255  # points of GF(2^8) but 0, where the secret is
PREFIX = "strongroom-share-1"

_OCTETS = SECRET_SIZE + 1
_CHECKSUM = 4
_LENGTH = 4 + 1 + _OCTETS + _CHECKSUM
_LOOKALIKES = str.maketrans({"o": "0", "l": "1", "i": "1", "-": None})


@dataclass(frozen=True, slots=True)
class Share:
    """One person's share; it prints without its octets."""

    set_id: int
    threshold: int
    """How many shares of the set bring the secret back."""

    octets: bytes = field(repr=False)
    """As Vault has them: in hexadecimal, its own tools take them."""

    @property
    def point(self) -> int:
        """Where the polynomials were evaluated; each share of a set has another."""
        return self.octets[-1]

    def danger_text(self) -> str:
        """The line for its keeper; to be shown once, and never logged."""
        head = self.set_id.to_bytes(4) + bytes([self.threshold])
        octets = self.octets.hex()
        groups = " ".join(octets[start : start + 6] for start in range(0, len(octets), 6))
        check = _checksum(head + self.octets).hex()
        return f"{PREFIX} {self.set_id:08x} {self.threshold:02x} {groups} {check}"

    @classmethod
    def parse(cls, line: str, which: str = "this share") -> "Share":
        """A line that was typed or pasted; raises ``InvalidShare``, which calls it ``which``."""
        text = "".join(line.lower().split())
        if not text.startswith(PREFIX):
            raise InvalidShare(
                f"{which} does not begin with {PREFIX}", hint="enter the whole line, from its first word"
            )
        try:
            written = bytes.fromhex(text.removeprefix(PREFIX).translate(_LOOKALIKES))
        except ValueError:
            raise InvalidShare(f"{which} has a sign that is no hexadecimal digit") from None
        if len(written) != _LENGTH:
            raise InvalidShare(f"{which} is too short or too long: a group is missing, or there twice")
        body, check = written[:-_CHECKSUM], written[-_CHECKSUM:]
        share = cls(int.from_bytes(body[:4]), body[4], body[5:])
        if check != _checksum(body) or not share.point or share.threshold < 2:
            raise InvalidShare(f"{which} is mistyped: its checksum is another")
        return share


@dataclass(frozen=True, slots=True)
class Combined:
    """The secret that shares brought back, and of which set."""

    set_id: int
    secret: bytes = field(repr=False)


def split(secret: bytes, set_id: int, *, count: int, threshold: int) -> tuple[Share, ...]:
    """So many shares, any ``threshold`` of which bring the secret back; raises ``ImpossibleShares``.

    Who draws the secret draws a new ``set_id`` with it: shares of one secret that was split twice would not
    go together, and nothing could tell.
    """
    assert len(secret) == SECRET_SIZE
    if not 2 <= threshold <= count <= MAX_SHARES:
        raise ImpossibleShares(f"there cannot be {count} shares of which {threshold} are needed")
    shares = tuple(Share(set_id, threshold, bytes(part)) for part in pyshamir.split(secret, count, threshold))
    for some in (shares[:threshold], shares[-threshold:]):
        assert _secret(some) == secret  # before anybody relies on them
    return shares


def combine(lines: Iterable[str], set_id: int | None = None) -> Combined:
    """The secret, from lines that people entered, in any order; raises a ``ShareError``, also of another set.

    Lines without text are passed over. Whether it is the secret that was meant shows where it is used:
    nothing in a share says so. Of more shares than are needed, though, all must agree.
    """
    filled = [line for line in lines if line.strip()]
    shares = [Share.parse(line, f"share {number}") for number, line in enumerate(filled, 1)]
    if not shares:
        raise SharesMissing("there is no share")
    _refuse_foreign(shares, set_id)
    _refuse_doubled(shares)
    threshold = shares[0].threshold
    if len(shares) < threshold:
        raise SharesMissing(
            f"set {shares[0].set_id:08x} needs {threshold} shares, and {len(shares)} are there"
        )
    secret = _secret(shares[:threshold])
    # One polynomial of the right degree goes through the first shares but one and the secret: each further
    # share lies on it exactly if it gives the same secret.
    if any(_secret([*shares[: threshold - 1], further]) != secret for further in shares[threshold:]):
        raise WrongShare("the shares do not agree with each other: one of them is forged")
    return Combined(shares[0].set_id, secret)


def _refuse_foreign(shares: Sequence[Share], set_id: int | None) -> None:
    first = shares[0]
    if set_id not in (None, first.set_id):
        raise ForeignShare(f"share 1 belongs to set {first.set_id:08x}, and {set_id:08x} is wanted")
    for number, share in enumerate(shares, 1):
        if (share.set_id, share.threshold) != (first.set_id, first.threshold):
            raise ForeignShare(
                f"share {number} belongs to set {share.set_id:08x}, of which {share.threshold} are needed,"
                f" and share 1 to {first.set_id:08x}, of which {first.threshold} are"
            )


def _refuse_doubled(shares: Sequence[Share]) -> None:
    seen: dict[int, int] = {}
    for number, share in enumerate(shares, 1):
        before = seen.setdefault(share.point, number)
        if before == number:
            continue
        if share.octets != shares[before - 1].octets:
            raise WrongShare(f"shares {before} and {number} cannot both be right: one of them is forged")
        raise DoubledShare(f"shares {before} and {number} are the same")


def _secret(shares: Sequence[Share]) -> bytes:
    return bytes(pyshamir.combine([bytearray(share.octets) for share in shares]))


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(b"strongroom.share.v1" + body).digest()[:_CHECKSUM]
