"""Verifies an audit log of Strongroom's, or any of the form C2SP tlog-tiles: one file, to be taken anywhere.

    python verify.py FOLDER-OR-URL --key NAME+HASH+BASE64 [--witness KEY ...] [--since OLD-CHECKPOINT]
    python verify.py --proof FILE --key NAME+HASH+BASE64

It needs Python 3.11 and the package ``cryptography``, and imports nothing of Strongroom. It begins at the
signed checkpoint and goes down from there: the last tile of each level gives the root, each tile is held
against its parent, each entry against its tile, each record's content against its entry. So what it names
is what is wrong, and not a neighbour; and it holds no more than a tile of each level, a bundle and a line
in memory. ``verify_log`` and ``verify_proof`` are what programs call. The form is in
docs/spec/audit-log.md.
"""

import argparse
import re
import sys
import zlib
from base64 import b64decode, b64encode
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from gzip import GzipFile
from hashlib import sha256
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO, NoReturn, cast
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LOG_KEY, WITNESS_KEY = 0x01, 0x04  # C2SP signed-note, "Signature types"
MAX_NOTE_BYTES, MAX_SIGNATURES = 1_000_000, 100  # as golang.org/x/mod/sumdb/note has them
MAX_BUNDLE_BYTES = 256 * (2 + 65535)
MAX_LINE_BYTES = 45 + (1 << 20) + 1  # salt, a space, content and a newline
MAX_PROOF_BYTES = 4 * MAX_LINE_BYTES
MAX_RUNS = 100  # of erased contents that a report names
WAIT_SECONDS = 30  # for an answer over a URL

END_OF_TIME = 253402300799  # the last second of the year 9999

Source = Callable[[str], BinaryIO | None]
"""Opens a file of the log by its path; None if it is not there. ``folder`` and ``web`` make one."""


class Fault(Exception):
    """Something is wrong: where, and what, in words."""

    def __init__(self, place: str, words: str) -> None:
        super().__init__(f"{place}: {words}")
        self.place = place
        self.words = words


@dataclass(frozen=True, slots=True)
class Key:
    """A public key of a log or a witness."""

    name: str
    kind: int
    public: bytes
    id: bytes

    @classmethod
    def parse(cls, text: str) -> "Key":
        """From ``NAME+HASH+BASE64``; raises ``ValueError``."""
        name, digest, encoded = text.split("+", 2)
        octets = b64decode(encoded, validate=True)
        number = sha256(name.encode() + b"\n" + octets).digest()[:4]
        if len(octets) != 33 or octets[0] not in (LOG_KEY, WITNESS_KEY) or number.hex() != digest:
            raise ValueError("no key of a log or witness")
        return cls(name, octets[0], octets[1:], number)


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom the caller believes."""

    keys: Sequence[Key]
    """The log's; one of them must have signed."""
    witnesses: Sequence[Key] = ()
    quorum: int = 0
    """How many different witnesses must have cosigned."""
    origin: str = ""
    """The log's name; that of its keys if not given."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A verified one."""

    origin: str
    size: int
    root: bytes
    signers: tuple[str, ...]
    witnessed: tuple[tuple[str, int], ...]
    """Which witnesses cosigned it, and when, in seconds since 1970."""


@dataclass(slots=True)
class Report:
    """What a verification found."""

    checkpoint: Checkpoint
    minimum: int = 0
    """Entries before it may be missing, as they were pruned."""
    entries: int = 0
    contents: int = 0
    """Records whose content is there and right."""
    erased: int = 0
    ranges: list[list[int]] = field(default_factory=list)
    """The first and last index of runs of erased contents: the first ``MAX_RUNS`` of them."""

    def erase(self, index: int) -> None:
        """Takes down that this record's content is not there."""
        self.erased += 1
        if self.ranges and self.ranges[-1][1] == index - 1:
            self.ranges[-1][1] = index
        elif len(self.ranges) < MAX_RUNS:
            self.ranges.append([index, index])


def verify_log(
    source: Source,
    trust: Trust,
    *,
    minimum: int = 0,
    since: bytes | None = None,
    contents: bool = True,
    complete: bool = False,
) -> Report:
    """Checkpoint, tiles, entries and contents of a log; raises ``Fault`` at the first that is wrong.

    ``minimum``: the index up to which whole bundles and tiles may be missing (C2SP tlog-tiles, "Pruning"),
    as whoever verifies was told. What the log itself says of it is not believed: it is a ``Fault`` if more.
    ``since``: an older signed checkpoint, whose entries must be the first ones of this log.
    ``complete``: contents that are not there are wrong, too.
    """
    checkpoint = verify_checkpoint(_must(_read(source, "checkpoint", MAX_NOTE_BYTES), "checkpoint"), trust)
    if not 0 <= minimum <= checkpoint.size:
        raise Fault("checkpoint", f"it has {checkpoint.size} entries, fewer than are said to be pruned")
    _check_claim(source, minimum)
    tree = Tree(source, checkpoint, minimum)
    if since is not None:
        alone = Trust(trust.keys, origin=trust.origin)  # it may be older than the witnesses
        _check_since(tree, verify_checkpoint(since, alone, "older checkpoint"))
    report = Report(checkpoint, minimum - minimum % 256)
    for bundle in range(minimum // 256, -(-checkpoint.size // 256)):
        entries = _entries(tree, bundle)
        report.entries += len(entries)
        if contents:
            _check_contents(source, bundle, entries, report)
        if complete and report.erased:
            raise Fault(_file("content", bundle), f"the content of record {report.ranges[0][0]} is not there")
    return report


def _check_claim(source: Source, minimum: int) -> None:
    """The log's own word for where it begins; who took its beginning away might have written it."""
    text = (_read(source, "minimum", 20) or b"0").strip()
    claimed = int(text) if text.isdigit() else -1
    if not 0 <= claimed <= minimum:
        words = f"it says that the log was pruned before {text.decode(errors='replace')!r}"
        raise Fault("minimum", f"{words}: if you know of that, give it as the minimum index")


def _check_since(tree: "Tree", old: Checkpoint) -> None:
    """The tree of an older checkpoint is the beginning of this one."""
    size = tree.checkpoint.size
    if old.size > size:
        raise Fault("checkpoint", f"the log had {old.size} entries and now has {size}: its end was cut off")
    if _fold(tree.peaks(old.size)) != old.root:
        raise Fault("checkpoint", f"the first {old.size} entries are not those of the older checkpoint")


# ------------------------------------------------------------------------------------------------- the tree


class Tree:
    """A log's tiles, each of them verified before it is given out."""

    def __init__(self, source: Source, checkpoint: Checkpoint, minimum: int = 0) -> None:
        self.source = source
        self.checkpoint = checkpoint
        self.minimum = minimum
        self._held: dict[int, Tile] = {}  # by level, the one that was last asked for
        self._edge = self._read_edge()

    def tile(self, level: int, index: int) -> bytes:
        """The hashes of a tile, as many as the checkpoint's tree has in it."""
        last = self._edge.get(level)
        if last is not None and last.index == index:
            return last.hashes
        held = self._held.get(level)
        if held is None or held.index != index:
            held = self._held[level] = self._verified(level, index)
        return held.hashes

    def peaks(self, size: int) -> list[bytes]:
        """The roots of the perfect subtrees over the tree's first so many leaves, the largest first."""
        peaks = []
        for height in reversed(range(size.bit_length())):
            if size >> height & 1:
                level, above = divmod(height, 8)
                index, start = divmod((size >> (height + 1)) << (above + 1), 256)
                hashes = self.tile(level, index)[32 * start : 32 * (start + (1 << above))]
                peaks.append(_fold(_peaks(hashes)))
        return peaks

    def _verified(self, level: int, index: int) -> "Tile":
        """A whole tile, held against its parent."""
        path = _file(f"tile/{level}", index)
        expected = self.tile(level + 1, index // 256)[32 * (index % 256) :][:32]
        octets = _read(self.source, path, 8192)
        if octets is None and (index + 1) << 8 * (level + 1) <= self.minimum:
            raise Fault(path, "it was pruned, and is needed for the older checkpoint")
        octets = _whole(octets, path)
        if _fold(_peaks(octets)) != expected:
            raise Fault(path, "its hashes are not those that the checkpoint stands for")
        return Tile(path, index, octets)

    def _read_edge(self) -> dict[int, "Tile"]:
        """The partial tile of each level, which together have the root."""
        size = self.checkpoint.size
        edge = {}
        for level in range(-(-size.bit_length() // 8)):
            index, width = divmod(size >> 8 * level, 256)
            if width:
                edge[level] = self._read_partial(level, index, width)
        peaks = [peak for level in sorted(edge, reverse=True) for peak in _peaks(edge[level].hashes)]
        if _fold(peaks) != self.checkpoint.root:
            self._blame(edge)
        return edge

    def _read_partial(self, level: int, index: int, width: int) -> "Tile":
        path, octets = _partial_or_whole(self.source, f"tile/{level}", index, width, 8192)
        expected = 32 * width if ".p/" in path else 8192
        if len(octets) != expected:
            raise Fault(path, f"it has {len(octets)} octets in the place of {expected}")
        return Tile(path, index, octets[: 32 * width])

    def _blame(self, edge: dict[int, "Tile"]) -> NoReturn:
        """The last tiles have another root: says which of them does not go with what is beneath it."""
        for level, tile in sorted(edge.items()):
            beneath = self._tiles_beneath(level, tile.index) if level else self._entries_beneath(tile.index)
            for at, name, expected in beneath:
                if expected != tile.hashes[32 * at : 32 * at + 32]:
                    raise Fault(tile.path, f"its hash {at} is not that of {name}")
        held = ", ".join(tile.path for _, tile in sorted(edge.items())) or "what is there"
        raise Fault("checkpoint", f"it is of another log, or {held} and what is beneath are")

    def _entries_beneath(self, index: int) -> Iterator[tuple[int, str, bytes]]:
        """The hashes of the last bundle's entries, as they stand there."""
        path, entries = _bundle(self.source, index, self.checkpoint.size % 256)
        for at, entry in enumerate(entries):
            yield at, path, sha256(b"\x00" + entry).digest()

    def _tiles_beneath(self, level: int, index: int) -> Iterator[tuple[int, str, bytes]]:
        """The roots of the tiles one level down, as they stand there, but for those that may be pruned."""
        for child in range(256 * index, self.checkpoint.size >> 8 * level):
            path = _file(f"tile/{level - 1}", child)
            octets = _read(self.source, path, 8192)
            if octets is None and (child + 1) << 8 * level <= self.minimum:
                continue
            yield child % 256, path, _fold(_peaks(_whole(octets, path)))


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile, and the file that it was read from."""

    path: str
    index: int
    hashes: bytes


def _whole(octets: bytes | None, path: str) -> bytes:
    """A tile of the length that it must have."""
    found = _must(octets, path)
    if len(found) != 8192:
        raise Fault(path, f"it has {len(found)} octets in the place of 8192")
    return found


def _peaks(hashes: bytes) -> list[bytes]:
    """The roots of the perfect subtrees over so many siblings, the largest first."""
    peaks = []
    while hashes:
        if len(hashes) // 32 & 1:
            peaks.append(hashes[-32:])
            hashes = hashes[:-32]
        pairs = range(0, len(hashes), 64)
        hashes = b"".join([sha256(b"\x01" + hashes[at : at + 64]).digest() for at in pairs])
    return peaks[::-1]


def _fold(peaks: Sequence[bytes]) -> bytes:
    """The root over perfect subtrees side by side (RFC 6962, section 2.1)."""
    if not peaks:
        return sha256(b"").digest()
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = sha256(b"\x01" + peak + root).digest()
    return root


# ------------------------------------------------------------------------------------- entries and contents


def _entries(tree: Tree, bundle: int) -> list[bytes]:
    """The entries of a bundle, held against their tile."""
    hashes = tree.tile(0, bundle)
    width = len(hashes) // 32
    path, entries = _bundle(tree.source, bundle, width)
    for number, entry in enumerate(entries):
        if sha256(b"\x00" + entry).digest() != hashes[32 * number : 32 * number + 32]:
            raise Fault(path, f"entry {256 * bundle + number} is not the one that was logged")
    return entries


def _bundle(source: Source, bundle: int, width: int) -> tuple[str, list[bytes]]:
    """The first so many entries of a bundle, as they stand there, and the file."""
    path, octets = _partial_or_whole(source, "tile/entries", bundle, width, MAX_BUNDLE_BYTES)
    count = width if ".p/" in path else 256
    entries = _split(octets, count)
    if len(entries) < count:
        raise Fault(path, f"it is cut short: entry {256 * bundle + len(entries)} is not whole")
    if sum(map(len, entries)) + 2 * count != len(octets):
        raise Fault(path, f"something follows its {count} entries")
    return path, entries[:width]


def _split(octets: bytes, count: int) -> list[bytes]:
    """The first so many entries of a bundle, or as many as are whole."""
    entries: list[bytes] = []
    at = 0
    while len(entries) < count:
        end = at + 2 + int.from_bytes(octets[at : at + 2], "big")
        if at + 2 > len(octets) or end > len(octets):
            break
        entries.append(octets[at + 2 : end])
        at = end
    return entries


def _check_contents(source: Source, bundle: int, entries: list[bytes], report: Report) -> None:
    """Each record's content against its entry; one that is erased, or in no file, is taken down as such."""
    path = _file("content", bundle)
    with _opened(source, path) as stream:
        for number, entry in enumerate(entries):
            index = 256 * bundle + number
            line = stream.readline(MAX_LINE_BYTES) if stream else b"-\n"
            if line[-1:] != b"\n":
                raise Fault(path, f"it is cut short, or too long, at the content of record {index}")
            if content_of(line[:-1], entry, path, f"record {index}") is None:
                report.erase(index)
            else:
                report.contents += 1
        if stream and len(entries) == 256 and stream.read(1):
            raise Fault(path, "something follows its 256 contents")


def content_of(line: bytes, entry: bytes, place: str, record: str) -> bytes | None:
    """The content in a line, if the entry commits to it; None if it was erased, and else a ``Fault``."""
    if line == b"-":
        return None
    salt, _, content = line.partition(b" ")
    try:
        octets = a2b_base64(salt)
    except Error:
        octets = b""
    if len(octets) != 32 or b2a_base64(octets, newline=False) != salt:
        raise Fault(place, f"the salt of {record} is no salt")
    if b"\x01" + sha256(octets + content).digest() != entry:
        raise Fault(place, f"the content of {record} is not what was logged")
    return content


# ---------------------------------------------------------------------------------------------- checkpoints


def verify_checkpoint(note: bytes, trust: Trust, place: str = "checkpoint") -> Checkpoint:
    """A signed checkpoint (C2SP signed-note, tlog-checkpoint, tlog-cosignature); raises ``Fault``."""
    text, lines = _split_note(note, place)
    origin, size, root = _head(text, place)
    if origin not in ([trust.origin] if trust.origin else [key.name for key in trust.keys]):
        raise Fault(place, "it is of another log: its origin is not the one asked for")
    ours = [key for key in trust.keys if key.kind == LOG_KEY and (trust.origin or key.name == origin)]
    signers = [key for key in ours if _signed(key, text, lines, place) is not None]
    others = [key for key in trust.witnesses if key.kind == WITNESS_KEY]
    times = [(key, _signed(key, text, lines, place)) for key in others]
    witnessed = [(key, time) for key, time in times if time is not None]
    if not signers:
        raise Fault(place, "it is not signed by the key of the log")
    count = len({key.public for key, _ in witnessed})  # one key by two names is one witness
    if count < trust.quorum:
        raise Fault(place, f"{count} of the {trust.quorum} witnesses asked for have cosigned it")
    named = tuple((key.name, time) for key, time in witnessed)
    return Checkpoint(origin, size, root, tuple(key.name for key in signers), named)


def _signed(key: Key, text: str, lines: list[tuple[str, bytes]], place: str) -> int | None:
    """When this key signed it: 0 for a log's, which does not say; None if it did not."""
    found = None
    for name, octets in lines:
        if (name, octets[:4]) == (key.name, key.id):
            time, signature, message = 0, octets[4:], text
            if key.kind == WITNESS_KEY:
                time, signature = int.from_bytes(octets[4:12], "big"), octets[12:]
                message = f"cosignature/v1\ntime {time}\n{text}"
            try:
                Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message.encode())
            except InvalidSignature:
                raise Fault(place, f"the signature of {name} is damaged, or of another checkpoint") from None
            found = time
    return found


def _split_note(note: bytes, place: str) -> tuple[str, list[tuple[str, bytes]]]:
    """What was signed, and by which name and with what octets."""
    try:
        text, blank, rest = note.decode().rpartition("\n\n")
    except UnicodeDecodeError:
        raise Fault(place, "it is not UTF-8") from None
    lines = rest.split("\n")
    if not blank or lines.pop() or not lines or len(lines) > MAX_SIGNATURES or len(note) > MAX_NOTE_BYTES:
        raise Fault(place, "it is cut or too long, or has no signatures or too many")
    if re.search(r"[\x00-\x09\x0b-\x1f]", note.decode()):
        raise Fault(place, "it has control characters")
    return text + "\n", [_signature_line(line, place) for line in lines]


def _signature_line(line: str, place: str) -> tuple[str, bytes]:
    found = re.fullmatch(r"\N{EM DASH} ([^\s+]+) (\S+)", line)
    octets = _base64(found[2]) if found else None
    if found is None or octets is None or len(octets) < 5:
        raise Fault(place, "a line of its signatures is damaged")
    return found[1], octets


def _head(text: str, place: str) -> tuple[str, int, bytes]:
    """Origin, size and root."""
    lines = text.split("\n")
    root = _base64(lines[2]) if len(lines) > 3 else None
    sound = root is not None and len(root) == 32 and all(lines[:-1]) and not lines[-1]
    if root is None or not sound or not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]) or int(lines[1]) >> 63:
        raise Fault(place, "it is not of the form of a checkpoint")
    return lines[0], int(lines[1]), root


def _base64(text: str) -> bytes | None:
    """Octets, from their one spelling; None for any other."""
    try:
        octets = b64decode(text, validate=True)
    except ValueError:
        return None
    return octets if b64encode(octets).decode() == text else None


# --------------------------------------------------------------------------------------------------- proofs


@dataclass(frozen=True, slots=True)
class Proved:
    """A record that a proof shows to be in a log."""

    checkpoint: Checkpoint
    index: int
    entry: bytes
    content: bytes | None
    """None if it was erased."""


def verify_proof(octets: bytes, trust: Trust, place: str = "proof") -> Proved:
    """A file of the form C2SP tlog-proof, with a record of ours in its extra; raises ``Fault``."""
    head, _, note = octets.partition(b"\n\n")
    form = rb"c2sp\.org/tlog-proof@v1\nextra (\S+)\nindex (0|[1-9][0-9]{0,18})((?:\n\S+)*)"
    found = re.fullmatch(form, head)
    extra = _base64(found[1].decode(errors="replace")) if found else None
    hashes = [_base64(line.decode(errors="replace")) for line in found[3].split()] if found else []
    if found is None or extra is None or any(one is None or len(one) != 32 for one in hashes):
        raise Fault(place, "it is not of the form of a proof with a record in it")
    checkpoint = verify_checkpoint(note, trust, place)
    index = int(found[2])
    encoded, _, line = extra.partition(b" ")
    entry = _base64(encoded.decode(errors="replace"))
    if entry is None:
        raise Fault(place, "the entry in it is damaged")
    verify_inclusion(entry, index, checkpoint, cast(list[bytes], hashes), place)
    return Proved(checkpoint, index, entry, content_of(line, entry, place, f"record {index}"))


def verify_inclusion(entry: bytes, index: int, tree: Checkpoint, proof: list[bytes], place: str) -> None:
    """RFC 9162, section 2.1.3.2; raises ``Fault``."""
    root, at, last, used = sha256(b"\x00" + entry).digest(), index, tree.size - 1, 0
    while last > 0 and used < len(proof):
        if at & 1 or at == last:
            root = sha256(b"\x01" + proof[used] + root).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            root = sha256(b"\x01" + root + proof[used]).digest()
        at, last, used = at >> 1, last >> 1, used + 1
    if index >= tree.size or last or used < len(proof) or root != tree.root:
        raise Fault(place, f"it does not show that record {index} is in the log")


# -------------------------------------------------------------------------------------------------- sources


def folder(path: Path) -> Source:
    """A log in a folder."""

    def source(name: str) -> BinaryIO | None:
        try:
            return (path / name).open("rb")
        except FileNotFoundError:
            return None

    return source


def web(url: str) -> Source:
    """A log behind an http or https URL."""

    def source(name: str) -> BinaryIO | None:
        request = Request(f"{url.rstrip('/')}/{name}", headers={"Accept-Encoding": "gzip, identity"})  # noqa: S310 - `source_of` takes http and https alone
        try:
            answer = urlopen(request, timeout=WAIT_SECONDS)  # noqa: S310 - as above
        except HTTPError as error:
            if error.code in (404, 410):
                return None
            raise
        packed = answer.headers.get("Content-Encoding") == "gzip"
        return cast(BinaryIO, Unpacked(answer) if packed else answer)

    return source


class Unpacked(GzipFile):
    """An answer that came compressed; closing it closes the connection, which GzipFile leaves open."""

    def __init__(self, answer: HTTPResponse) -> None:
        super().__init__(fileobj=answer)
        self.answer = answer

    def close(self) -> None:
        super().close()
        self.answer.close()


def source_of(text: str) -> Source:
    """Either, by what it looks like."""
    return web(text) if text.startswith(("http://", "https://")) else folder(Path(text))


@contextmanager
def _opened(source: Source, path: str) -> Iterator[BinaryIO | None]:
    try:
        stream = source(path)
        if stream is None:
            yield None
        else:
            with stream:
                yield stream
    except (OSError, EOFError, HTTPException, zlib.error) as error:
        raise Fault(path, f"it cannot be read ({type(error).__name__})") from error


def _read(source: Source, path: str, limit: int) -> bytes | None:
    """A whole file; one longer than it can be is a ``Fault``, before there is more of it in memory."""
    with _opened(source, path) as stream:
        octets = stream.read(limit + 1) if stream else None
    if octets is not None and len(octets) > limit:
        raise Fault(path, f"it has more than {limit} octets")
    return octets


def _partial_or_whole(source: Source, kind: str, index: int, width: int, limit: int) -> tuple[str, bytes]:
    """A file with so many hashes or entries, or the whole one: then the partial one may be deleted."""
    path, whole = _file(kind, index, width), _file(kind, index)
    octets = _read(source, path, limit)
    if octets is None and (octets := _read(source, whole, limit)) is not None:
        path = whole
    return path, _must(octets, path)


def _must(octets: bytes | None, path: str) -> bytes:
    if octets is None:
        raise Fault(path, "it is not there")
    return octets


def _file(kind: str, index: int, width: int = 256) -> str:
    """``tile/0/x001/x234/067``, or ``tile/0/000.p/17`` (C2SP tlog-tiles, "Merkle Tree")."""
    parts = re.findall("...", f"{index:0{-(-len(str(index)) // 3) * 3}}")
    place = "/".join([f"x{part}" for part in parts[:-1]] + parts[-1:])
    return f"{kind}/{place}" if width == 256 else f"{kind}/{place}.p/{width}"


# ----------------------------------------------------------------------------------------- the command line


def main(arguments: Sequence[str] | None = None) -> int:
    """0: everything verifies; 1: something is wrong; 2: wrong use."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if (options.log is None) == (options.proof is None) or not options.key:
        parser.error("give a log or --proof, and --key")
    quorum = len(options.witness) if options.quorum is None else options.quorum
    trust = Trust(options.key, options.witness, quorum, options.origin)
    try:
        if options.proof:
            _say_proved(verify_proof(_given(options.proof, MAX_PROOF_BYTES), trust, options.proof))
        else:
            _say(_verify(options, trust))
    except Fault as fault:
        print(f"WRONG  {fault}", file=sys.stderr)
        return 1
    return 0


def _verify(options: argparse.Namespace, trust: Trust) -> Report:
    return verify_log(
        source_of(options.log),
        trust,
        minimum=options.minimum_index,
        since=_given(options.since, MAX_NOTE_BYTES) if options.since else None,
        contents=not options.log_only,
        complete=options.complete,
    )


def _given(name: str, limit: int) -> bytes:
    return _must(_read(folder(Path()), name, limit), name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Verifies an audit log in the form of C2SP tlog-tiles.")
    parser.add_argument("log", nargs="?", help="the log's folder or URL")
    parser.add_argument("--proof", metavar="FILE", help="verify one record's proof instead")
    parser.add_argument("--key", type=Key.parse, action="append", default=[], help="the log's key")
    parser.add_argument("--origin", default="", help="the log's name, if not its key's")
    parser.add_argument("--witness", type=Key.parse, action="append", default=[], help="a witness's key")
    parser.add_argument("--quorum", type=int, help="how many of them must have cosigned, if not all")
    parser.add_argument("--since", metavar="FILE", help="an older checkpoint that the log must go on from")
    parser.add_argument(
        "--minimum-index", type=int, default=0, help="entries before it were pruned, as you were told"
    )
    parser.add_argument("--log-only", action="store_true", help="leave contents out")
    parser.add_argument("--complete", action="store_true", help="contents that were erased are wrong, too")
    return parser


def _say(report: Report) -> None:
    _say_checkpoint(report.checkpoint)
    print(f"right  {report.entries} entries from {report.minimum} on, contents of {report.contents} records")
    if report.erased:
        runs = [f"{first}-{last}" if first < last else f"{first}" for first, last in report.ranges]
        print(
            f"erased contents of {report.erased} records: {', '.join(runs)}{' ...' * (len(runs) == MAX_RUNS)}"
        )


def _say_checkpoint(checkpoint: Checkpoint) -> None:
    root = b64encode(checkpoint.root).decode()
    print(f"right  checkpoint of {checkpoint.origin}: {checkpoint.size} entries, root {root}")
    for name, time in checkpoint.witnessed:
        print(
            f"       cosigned by {name} at {datetime.fromtimestamp(min(time, END_OF_TIME), UTC).isoformat()}"
        )


def _say_proved(proved: Proved) -> None:
    _say_checkpoint(proved.checkpoint)
    print(
        f"right  record {proved.index} is in the log" + "; its content was erased" * (proved.content is None)
    )
    text = (proved.content or b"").decode(errors="backslashreplace")
    print("".join(one if one.isprintable() else repr(one)[1:-1] for one in text))  # nothing moves a terminal


if __name__ == "__main__":
    sys.exit(main())
