"""The contents of a log's records, each held against its entry: what search, reports and the index read.

A log may grow meanwhile: what stands behind the checkpoint's tree is not read. That the entries are those of
the tree is for ``verify``, which reads all of them. A file of contents that is not there was erased as a
whole.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from strongroom.audit.checkpoint import Checkpoint, VerifierKey
from strongroom.audit.leaf import ERASED, Content, judge
from strongroom.audit.proving import head
from strongroom.audit.tiles import TILE_WIDTH, bundle_path, content_path, split_bundle
from strongroom.errors import LogDamaged

_CONTENT = "content"
_AFTER_SALT = 45
"""Characters of a salt in base64, and a space."""


class Kept(NamedTuple):
    """What stands for a record."""

    number: int
    state: Content
    octets: bytes
    """Its content, where that is the right one."""


class Stamp(NamedTuple):
    """What changes when a file of contents does, be it that it grows or that something is erased in it."""

    octets: int
    changed: int
    """Nanoseconds since 1970, by the file system."""


@dataclass(frozen=True, slots=True)
class _Bundle:
    """A file of contents, and the entries that go with it."""

    number: int
    lines: list[bytes]
    entries: tuple[bytes, ...]

    def kept(self, place: int) -> Kept:
        """What stands for one of its records."""
        number, line = self.number * TILE_WIDTH + place, self.lines[place]
        state = judge(line, self.entries[place])
        return Kept(number, state, line[_AFTER_SALT:] if state is Content.RIGHT else b"")


class Contents:
    """A log as its checkpoint says it is."""

    def __init__(self, folder: Path, checkpoint: Checkpoint) -> None:
        self.folder = folder
        self.checkpoint = checkpoint
        self._last = _Bundle(-1, [], ())

    @classmethod
    def open(cls, folder: Path, keys: Iterable[VerifierKey]) -> Self:
        """Raises ``CheckpointInvalid`` where these keys did not sign it, ``LogDamaged`` without one."""
        return cls(folder, head(folder, keys)[1])

    @property
    def size(self) -> int:
        """Records in the log."""
        return self.checkpoint.size

    @property
    def bundles(self) -> int:
        """Files of contents that there would be, were none erased."""
        return -(-self.size // TILE_WIDTH)

    def width(self, bundle: int) -> int:
        """Records of this bundle."""
        return min(TILE_WIDTH, self.size - bundle * TILE_WIDTH)

    def bundle(self, bundle: int) -> list[Kept]:
        """All of its records; raises ``LogDamaged`` where files are cut or missing."""
        found = self._read(bundle)
        return [found.kept(place) for place in range(self.width(bundle))]

    def all(self) -> Iterator[Kept]:
        """Every record in the order of the log, from files that are read once."""
        for bundle in range(self.bundles):
            yield from self.bundle(bundle)

    def record(self, number: int) -> Kept:
        """One record of those that there are; others of its file are read fast behind it."""
        bundle, place = divmod(number, TILE_WIDTH)
        if self._last.number != bundle:
            self._last = self._read(bundle)
        return self._last.kept(place)

    def stamps(self) -> dict[int, Stamp]:
        """Of each file of contents that is there, by the number of its bundle."""
        found = dict(_stamps(self.folder / _CONTENT, 0))
        return {bundle: stamp for bundle, stamp in found.items() if bundle < self.bundles}

    def _read(self, bundle: int) -> _Bundle:
        width = self.width(bundle)
        try:
            lines = (self.folder / content_path(bundle)).read_bytes().split(b"\n")
        except FileNotFoundError:
            return _Bundle(bundle, [ERASED] * width, (b"",) * width)
        except OSError as error:
            raise LogDamaged(f"{content_path(bundle)} cannot be read: {error.strerror}") from error
        if len(lines) <= width:
            raise LogDamaged(f"{content_path(bundle)} of the audit log has fewer records than the log")
        return _Bundle(bundle, lines, self._entries(bundle, width))

    def _entries(self, bundle: int, width: int) -> tuple[bytes, ...]:
        """A partial bundle may have been deleted once the whole one was there (C2SP tlog-tiles)."""
        for path in (bundle_path(bundle, width), bundle_path(bundle)):
            try:
                found = split_bundle((self.folder / path).read_bytes())
            except OSError:
                continue
            if len(found) >= width:
                return found[:width]
        raise LogDamaged(f"{bundle_path(bundle, width)} of the audit log cannot be read, or is cut")


def _stamps(folder: Path | str, above: int) -> Iterator[tuple[int, Stamp]]:
    """``x001/x234/067`` is the bundle 1234067; whatever has another name is not ours."""
    try:
        found = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for one in found:
        digits = one.name.removeprefix("x")
        if len(digits) != 3 or not digits.isdecimal():
            continue
        bundle = above * 1000 + int(digits)
        if one.name == digits:
            status = one.stat()
            yield bundle, Stamp(status.st_size, status.st_mtime_ns)
        else:
            yield from _stamps(one.path, bundle)
