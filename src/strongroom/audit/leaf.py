"""An entry of the log: a commitment to a record's content, which stands beside the log and can be erased.

An entry is ``0x01 || SHA-256(salt || content)``, with 32 random octets of salt drawn here for each
record. Salt and content stand in a file of their own, a line each, in the order of the log. Binding:
since salts have one length, two openings of one entry would be a collision of SHA-256, on which the tree
rests as well. Hiding: without the salt an entry says nothing about a content that somebody guesses, as
long as SHA-256 keyed by its first 32 octets is pseudorandom; each salt keys it once. So a line that is
erased leaves every proof as it was, and nothing to try guesses on. docs/adr/0101 says why not HMAC.
Called by the log's writer and by whoever erases.
"""

import secrets
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Sequence
from enum import Enum
from hashlib import sha256
from typing import NamedTuple

from strongroom._kernel import commit_records
from strongroom.errors import Bug, LogDamaged

SALT_BYTES = 32
VERSION = b"\x01"
MAX_CONTENT_BYTES = 1 << 20
"""Of one record: what a verifier holds in memory at a time."""
ERASED = b"-"
"""The line of a record whose salt and content were erased."""


class Committed(NamedTuple):
    """A record on its way into the log."""

    entry: bytes
    """For the log."""
    line: bytes
    """For the file of contents, with its newline."""


def commit(contents: Sequence[bytes]) -> list[Committed]:
    """Commits to each content under a salt of its own."""
    return _commit(contents, secrets.token_bytes(SALT_BYTES * len(contents)))


def _commit(contents: Sequence[bytes], salts: bytes) -> list[Committed]:
    """With given salts, for vectors alone: drawn twice, one would show which records are alike."""
    if any(len(one) > MAX_CONTENT_BYTES or b"\n" in one for one in contents):
        raise Bug("the content of an audit record is one line of bounded length")
    return list(map(Committed._make, commit_records(list(contents), salts)))


class Content(Enum):
    """What stands in the place of a record's content."""

    RIGHT = "right"
    ERASED = "erased"
    WRONG = "wrong"
    """Not what the entry commits to, or no content at all."""


def judge(line: bytes, entry: bytes) -> Content:
    """Whether this line (without its newline) has the salt and content that this entry commits to."""
    if line == ERASED:
        return Content.ERASED
    try:
        return Content.RIGHT if entry_of(line) == entry else Content.WRONG
    except LogDamaged:
        return Content.WRONG


def entry_of(line: bytes) -> bytes:
    """The entry that a line (without its newline) goes with; raises ``LogDamaged`` where it is none.

    So a log is taken up again whose lines were written before its bundles.
    """
    encoded, space, content = line.partition(b" ")
    try:
        salt = a2b_base64(encoded, strict_mode=True)
    except Error:
        salt = b""
    # Its length says where the content begins; and one spelling only, as base64 can hide bits in its end.
    if not space or len(salt) != SALT_BYTES or b2a_base64(salt, newline=False) != encoded:
        raise LogDamaged("a line of contents of the audit log has no salt")
    return VERSION + sha256(salt + content).digest()


def erase(lines: Sequence[bytes], which: frozenset[int]) -> list[bytes]:
    """A file of contents' lines (without newlines), with those of these numbers erased.

    The file is to be written anew: what was in its former blocks, in copies and in backups its keeper ends.
    """
    return [ERASED if number in which else line for number, line in enumerate(lines)]
