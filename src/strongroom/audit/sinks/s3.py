"""The log in a bucket: the same files, each locked for a time, under checkpoints that only go forwards.

What the bucket has is asked of the bucket, each time: its ``checkpoint`` must be the beginning of our log,
and there may be none under ``checkpoints/`` that is of a larger one. Then whole tiles, bundles and contents
follow, the partial ones of the present size, and last the checkpoint, under its size and as the head. A
checkpoint of another history, or of a longer one, comes from a disk that was brought back or from a second
gateway with our origin. That ends the writing; all else is tried again.

Run by ``gateway/shipping.py`` in a thread beside the log's writer.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Event

from strongroom.audit.checkpoint import Checkpoint, VerifierKey, verify
from strongroom.audit.log import CHECKPOINT
from strongroom.audit.minimum import minimum_of
from strongroom.audit.proving import prove_growth
from strongroom.audit.sinks import files
from strongroom.audit.sinks.bucket import CONNECTIONS, Bucket
from strongroom.audit.sinks.follower import took
from strongroom.audit.tiles import TILE_WIDTH, File
from strongroom.errors import (
    CheckpointInvalid,
    LogContradicted,
    LogRolledBack,
    ProofInvalid,
    SinkUnreachable,
    SinkUntrue,
)

CHUNK = 64
"""Files that are under way or about to be."""

Job = Callable[[], None]


def checkpoint_path(size: int) -> str:
    """Where the checkpoint of this size stands for good: names are in the order of sizes."""
    return f"checkpoints/{size:020}"


class S3Sink:
    """A bucket that follows a log."""

    def __init__(
        self,
        bucket: Bucket,
        folder: Path,
        keys: Iterable[VerifierKey],
        *,
        retain: timedelta,
        name: str = "bucket",
        contents: bool = True,
        now: Callable[[], datetime],
    ) -> None:
        """``name``: under which the log's folder says how far the bucket has it, for pruning alone."""
        self._bucket = bucket
        self._folder = folder
        self._keys = list(keys)
        self._retain = retain
        self._name = name
        self._contents = contents
        self._now = now
        self._ending = Event()

    def begin(self) -> None:
        """Raises ``SinkRefused`` where nothing can be locked, and what `_former` raises."""
        self._bucket.check_lock()
        ours = files.head(self._folder, self._keys)
        if ours is not None:
            self._former(ours[1])

    def end(self) -> None:
        """What is under way comes to its end, and nothing follows."""
        self._ending.set()

    def close(self) -> None:
        """Hangs up."""
        self._bucket.close()

    def send(self) -> int:
        """Returns the size of the log that is in the bucket now.

        Raises ``LogRolledBack`` or ``LogContradicted`` where it cannot follow, and other ``AuditError``s
        where it is to be tried again.
        """
        ours = files.head(self._folder, self._keys)
        if ours is None:
            return 0
        note, head = ours
        former = self._former(head)
        if former < head.size:
            until = self._now() + self._retain
            self._upload(max(former, minimum_of(self._folder)), head.size, until)
            self._publish(note, head, until)
            self._look_at_any(head.size, until)
        took(self._folder, self._name, head.size)
        return head.size

    # ------------------------------------------------------------------------------- what is there already

    def _former(self, ours: Checkpoint) -> int:
        """How much of our log the bucket has; raises where it has another, or more."""
        note = self._bucket.read(CHECKPOINT)
        head = None if note is None else self._believed(note, CHECKPOINT)
        beyond = self._bucket.after(checkpoint_path(ours.size))
        if beyond is not None:
            head = self._believed(beyond[1], beyond[0])
        if head is None:
            return 0
        if head.size > ours.size:
            raise LogRolledBack(
                f"the audit log in {self._folder} has {ours.size} records, and {self._bucket} {head.size}: "
                "the disk was brought back to another day, or another gateway has the same origin"
            )
        try:
            prove_growth(self._folder, head, ours)
        except ProofInvalid:
            raise self._contradicted() from None
        return head.size

    def _believed(self, note: bytes, path: str) -> Checkpoint:
        """A checkpoint of ours."""
        try:
            return verify(note, self._keys).checkpoint
        except CheckpointInvalid:
            raise LogContradicted(
                f"{path} in {self._bucket} is no checkpoint that a key of this log has signed"
            ) from None

    def _contradicted(self) -> LogContradicted:
        return LogContradicted(
            f"{self._bucket} has another history of the audit log in {self._folder}: the disk was brought "
            "back to another day, or another gateway has the same origin"
        )

    # --------------------------------------------------------------------------------------------- uploading

    def _upload(self, since: int, size: int, until: datetime) -> None:
        """All files but checkpoints, several at a time."""
        jobs = self._jobs(since, size, until)
        with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="audit-s3") as pool:
            try:
                while chunk := list(islice(jobs, CHUNK)):
                    for done in [pool.submit(self._do, one) for one in chunk]:
                        done.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _do(self, job: Job) -> None:
        if self._ending.is_set():
            raise SinkUnreachable(f"{self._bucket} has not all of the log: the rest is uploaded later")
        job()

    def _jobs(self, since: int, size: int, until: datetime) -> Iterator[Job]:
        for index in files.bundles(since, size):
            yield partial(self._put_bundle, index, size, until)
        for file in files.whole_tiles(self._folder, since, size):
            yield partial(self._put, file, until)
        for file in files.partial_tiles(self._folder, size):
            yield partial(self._put, file, until)

    def _put_bundle(self, index: int, size: int, until: datetime) -> None:
        """Entries before contents: entries of another history are noticed, and these are never replaced."""
        self._put(files.bundle(self._folder, index, size), until)
        found = files.contents(self._folder, index, size) if self._contents else None
        if found is not None:
            self._bucket.keep(found.path, found.octets, until, once=False)

    def _put(self, file: File, until: datetime) -> None:
        """A file that never changes: from an attempt that came to no end it may be there."""
        if not self._bucket.keep(file.path, file.octets, until, once=True):
            self._see_again(file, until)

    def _see_again(self, file: File, until: datetime) -> None:
        """Storage that has forgotten or changed a file gets it anew, and is told off.

        Only a signed checkpoint shows that there is another history; whatever else stands there may be
        anybody's, and what was there before stays as a version.
        """
        if not self._bucket.has(file.path, file.octets):
            self._bucket.keep(file.path, file.octets, until, once=False)
            raise SinkUntrue(f"{self._bucket} had not {file.path}, or other octets in it; it was put anew")

    def _publish(self, note: bytes, head: Checkpoint, until: datetime) -> None:
        """The checkpoint: first where it stays, then as the bucket's head, which is read back."""
        path = checkpoint_path(head.size)
        if not self._bucket.keep(path, note, until, once=True):
            # The same tree may have been signed by other keys meanwhile.
            there = self._bucket.read(path)
            if there is None or self._believed(there, path).root != head.root:
                raise self._contradicted()
        self._bucket.keep(CHECKPOINT, note, until, once=False)
        if not self._bucket.has(CHECKPOINT, note):
            raise SinkUntrue(f"{self._bucket} has another checkpoint than was put there a moment ago")

    def _look_at_any(self, size: int, until: datetime) -> None:
        """Reads a bundle of any age back, so that storage which forgets is found out."""
        first = minimum_of(self._folder) // TILE_WIDTH
        index = random.randrange(first, max(first + 1, -(-size // TILE_WIDTH)))  # noqa: S311  # a sample, not a secret
        self._see_again(files.bundle(self._folder, index, size), until)
