"""audit/sinks/s3.py: a log in a real bucket with object lock, and what contradicts it."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.audit.making import ORIGIN, signer
from tests.audit.test_log import contents, records, run_verify

from strongroom.audit import verify
from strongroom.audit.checkpoint import Signer
from strongroom.audit.log import Log
from strongroom.audit.pruning import prune
from strongroom.audit.sinks.bucket import Bucket, source
from strongroom.audit.sinks.follower import sent
from strongroom.audit.sinks.s3 import S3Sink, checkpoint_path
from strongroom.config.destinations import BucketAddress
from strongroom.errors import LogContradicted, LogRolledBack, SinkUnreachable, SinkUntrue
from strongroom.testing.seaweedfs import SeaweedFs

SIGNER = signer()
RETAIN = timedelta(days=2)


class House:
    """A log's folder and its way into a bucket."""

    def __init__(self, folder: Path, address: BucketAddress, key: Signer = SIGNER) -> None:
        self.folder, self.address, self.key = folder, address, key

    def grow(self, count: int, of: int = 0) -> None:
        """So many records more, each batch under a checkpoint of its own."""
        with closing(Log.open(self.folder, [self.key])) as log:
            end = log.size + count
            for first in range(log.size, end, 200):
                log.append(records(first + of, min(200, end - first)))
                log.publish()

    def sink(self, **given: Any) -> S3Sink:
        usual: dict[str, Any] = {"retain": RETAIN, "now": lambda: datetime.now(UTC)}
        return S3Sink(Bucket(self.address), self.folder, [self.key.key], **(usual | given))

    def send(self, **given: Any) -> int:
        """As a recorder that was just started does."""
        with closing(self.sink(**given)) as sink:
            sink.begin()
            return sink.send()

    def send_often(self, times: int) -> None:
        """With a record more each time."""
        with closing(self.sink()) as sink:
            for _ in range(times):
                self.grow(1)
                sink.send()

    def verified(self) -> verify.Report:
        """What an auditor finds who has the bucket alone."""
        with closing(Bucket(self.address)) as bucket:
            return verify.verify_log(source(bucket), verify.Trust([verify.Key.parse(str(self.key.key))]))


@pytest.fixture
def house(tmp_path: Path, address: BucketAddress) -> House:
    """Without records."""
    return House(tmp_path / "log", address)


def objects(store: SeaweedFs, address: BucketAddress) -> Iterator[dict[str, Any]]:
    """Every version of every object below the prefix."""
    for page in store.client.get_paginator("list_object_versions").paginate(
        Bucket=address.bucket, Prefix=f"{address.prefix}/"
    ):
        yield from page.get("Versions", ())


def put(store: SeaweedFs, address: BucketAddress, path: str, octets: bytes) -> None:
    store.client.put_object(Bucket=address.bucket, Key=f"{address.prefix}/{path}", Body=octets)


@pytest.mark.parametrize("sizes", [[1], [256], [1, 255, 1], [700, 5, 300]])
def test_it_follows_the_log(house: House, sizes: list[int]) -> None:
    """Each time what is in the bucket verifies by itself, with all contents."""
    total = 0
    for count in sizes:
        house.grow(count)
        total += count
        assert house.send() == total
        report = house.verified()
        assert (report.checkpoint.size, report.contents) == (total, total)
    assert house.send() == total


def test_a_log_that_was_pruned(house: House) -> None:
    """The bucket keeps what it has and goes on; another gets what is left, and verifies from there."""
    house.grow(700)
    house.send()
    assert sent(house.folder, "bucket") == 700
    for _ in prune(house.folder, 512):
        pass
    house.grow(300)
    assert house.send() == 1000
    assert house.verified().entries == 1000
    other = House(house.folder, replace(house.address, prefix=f"{house.address.prefix}/other"))
    assert other.send() == 1000
    with closing(Bucket(other.address)) as bucket:
        trust = verify.Trust([verify.Key.parse(str(SIGNER.key))])
        assert verify.verify_log(source(bucket), trust, minimum=512).entries == 488


def test_nothing_can_be_deleted_or_shortened(house: House, store: SeaweedFs) -> None:
    """Every version of everything is locked in compliance mode, against the administrator too."""
    house.grow(300)
    house.send()
    house.grow(10)
    house.send()
    found = list(objects(store, house.address))
    assert len({one["Key"] for one in found}) < len(found)  # of checkpoint and content there are two
    earliest = datetime.now(UTC) + RETAIN - timedelta(minutes=5)
    for one in found:
        which = {"Bucket": house.address.bucket, "Key": one["Key"], "VersionId": one["VersionId"]}
        with pytest.raises(ClientError, match="AccessDenied"):
            store.client.delete_object(**which)
        with pytest.raises(ClientError, match="AccessDenied"):
            store.client.delete_object(**which, BypassGovernanceRetention=True)
        for mode, days in (("COMPLIANCE", 1), ("GOVERNANCE", 1)):
            until = datetime.now(UTC) + timedelta(days=days)
            with pytest.raises(ClientError, match="AccessDenied"):
                store.client.put_object_retention(
                    **which,
                    Retention={"Mode": mode, "RetainUntilDate": until},
                    BypassGovernanceRetention=True,
                )
        head = store.client.head_object(**which)
        assert head["ObjectLockMode"] == "COMPLIANCE"
        assert head["ObjectLockRetainUntilDate"] > earliest


def test_without_contents(house: House) -> None:
    """The log proves what happened, and the bucket knows nothing of it."""
    house.grow(300)
    house.send(contents=False)
    report = house.verified()
    assert (report.entries, report.contents, report.erased) == (300, 0, 300)


def test_an_old_disk_is_noticed(house: House, tmp_path: Path) -> None:
    """Restored from before, it has fewer records than the bucket: at the start, and while it grows again."""
    house.grow(300)
    house.send()
    shutil.copytree(house.folder, tmp_path / "backup")
    house.grow(500)
    house.send()
    shutil.rmtree(house.folder)
    shutil.copytree(tmp_path / "backup", house.folder)
    with pytest.raises(LogRolledBack, match=r"has 300 records, and s3://\S+ 800"):
        house.send()
    house.grow(600, of=1000)
    with pytest.raises(LogContradicted):
        house.send()


def test_a_head_that_was_put_back(house: House, store: SeaweedFs, tmp_path: Path) -> None:
    """Or deleted, together with the disk: what stands under its size shows that there was more."""
    house.grow(300)
    house.send()
    old = (house.folder / "checkpoint").read_bytes()
    shutil.copytree(house.folder, tmp_path / "backup")
    house.grow(500)
    house.send()
    shutil.rmtree(house.folder)
    shutil.copytree(tmp_path / "backup", house.folder)
    put(store, house.address, "checkpoint", old)
    for path in ("checkpoint", checkpoint_path(800)):  # which hides it, and deletes nothing
        with pytest.raises(LogRolledBack):
            house.send()
        store.client.delete_object(Bucket=house.address.bucket, Key=f"{house.address.prefix}/{path}")
    with pytest.raises(LogRolledBack):
        house.send()


def test_a_log_that_begins_anew(house: House) -> None:
    """A lost disk and state are no reason to write another history of the same name."""
    house.grow(300)
    house.send()
    shutil.rmtree(house.folder)
    house.grow(0)
    with pytest.raises(LogRolledBack):
        house.send()


def test_two_gateways_with_one_origin(house: House, tmp_path: Path, address: BucketAddress) -> None:
    """Whichever comes second is stopped, though its log is longer, and though it has another key."""
    other = House(tmp_path / "other", address)
    stranger = House(tmp_path / "stranger", address, signer(ORIGIN, seed=9))
    house.grow(300)
    other.grow(400, of=1000)
    stranger.grow(400)
    house.send()
    with pytest.raises(LogContradicted, match="another history"):
        other.send()
    with pytest.raises(LogContradicted, match="no checkpoint that a key of this log has signed"):
        stranger.send()
    assert house.verified().checkpoint.size == 300


def test_two_gateways_that_begin_at_once(house: House, tmp_path: Path, address: BucketAddress) -> None:
    """Both found the bucket empty: the one that comes second is stopped before its checkpoint counts."""
    other = House(tmp_path / "other", address)
    house.grow(300)
    other.grow(300, of=1000)
    with ExitStack() as stack:
        first, second = (stack.enter_context(closing(one.sink())) for one in (house, other))
        first.begin()
        second.begin()
        first.send()
        with pytest.raises(LogContradicted):
            second.send()
    assert house.verified().checkpoint.size == 300


def test_the_log_is_brought_back_from_the_bucket(house: House, tmp_path: Path, store: SeaweedFs) -> None:
    """A copy of the bucket, whose checkpoint is settled, is a folder that the log goes on from."""
    house.grow(700)
    house.send()
    shutil.rmtree(house.folder)
    for one in objects(store, house.address):
        if one["IsLatest"]:
            file = house.folder / one["Key"].removeprefix(f"{house.address.prefix}/")
            file.parent.mkdir(parents=True, exist_ok=True)
            got = store.client.get_object(Bucket=house.address.bucket, Key=one["Key"])
            file.write_bytes(got["Body"].read())
    shutil.copy(house.folder / "checkpoint", house.folder / "settled")
    house.grow(100)
    assert house.send() == 800
    assert contents(house.folder) == records(0, 800)
    run_verify(house.folder)
    house.verified()


def test_storage_that_has_other_octets(house: House, store: SeaweedFs) -> None:
    """A bundle that is deleted or changed is put anew, and said: what was there stays as a version."""
    house.grow(256)
    house.send()
    for harm in (b"other octets", None):
        path = "tile/entries/000"
        if harm is None:
            store.client.delete_object(Bucket=house.address.bucket, Key=f"{house.address.prefix}/{path}")
        else:
            put(store, house.address, path, harm)
        with pytest.raises(verify.Fault, match=path):
            house.verified()
        with pytest.raises(SinkUntrue, match="put anew"):
            house.send_often(100)  # each time a sample of one of two bundles is read back
        house.verified()


def test_what_was_not_finished_is_gone_on_with(house: House, store: SeaweedFs) -> None:
    """Files are there, and no checkpoint: the next attempt takes them for what they are, and adds none."""
    house.grow(300)
    with closing(house.sink()) as sink:
        sink.end()
        with pytest.raises(SinkUnreachable, match="uploaded later"):
            sink.send()
    assert house.send() == 300
    store.client.delete_object(Bucket=house.address.bucket, Key=f"{house.address.prefix}/checkpoint")
    before = sorted(one["Key"] for one in objects(store, house.address) if "/tile/" in one["Key"])
    assert house.send() == 300
    assert sorted(one["Key"] for one in objects(store, house.address) if "/tile/" in one["Key"]) == before
    assert house.verified().checkpoint.size == 300
