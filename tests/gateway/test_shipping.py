"""gateway/shipping.py and ways.py: a real gateway whose log goes to a real bucket, and bad days of both."""

import json
import os
import secrets
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.audit.sinks.test_syslog import Receiver
from tests.audit.test_log import contents
from tests.gateway.serving import configuration, logged, logged_in
from tests.gateway.test_recorder import ORIGIN, recorder, stopped

from strongroom.audit import verify
from strongroom.audit.sinks.bucket import Bucket, source
from strongroom.config.destinations import BucketAddress
from strongroom.errors import ServerFailed
from strongroom.testing.certificates import Authority
from strongroom.testing.gateway import Gateway
from strongroom.testing.seaweedfs import ADMINISTRATOR, CREDENTIALS, SeaweedFs
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

ADMINISTRATORS = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ADMINISTRATOR, strict=True))


def sends_to(gateway: Gateway, **s3: Any) -> None:
    """Has it send its log to a bucket, each second."""
    given = {"bucket": "audit", "retain_days": 1, "seconds": 1} | s3
    audit = {"log": "audit", "origin": ORIGIN, "to": {"vault": {"s3": given}}}
    gateway.configure(configuration(gateway) | {"audit": audit})


@pytest.fixture
def own_store(weed: Path) -> Iterator[SeaweedFs]:
    """A server that a test may end."""
    with SeaweedFs.start(weed) as store:
        yield store


def started(postgres: PostgresServer, store: SeaweedFs) -> Gateway:
    """A gateway with a prefix of its own."""
    prefix = f"p{secrets.token_hex(8)}"

    def first(gateway: Gateway) -> None:
        sends_to(gateway, prefix=prefix, endpoint=store.url)

    return Gateway.start(postgres, "postgres", first=first, variables=CREDENTIALS)


def address(gateway: Gateway) -> BucketAddress:
    s3 = configuration(gateway)["audit"]["to"]["vault"]["s3"]
    return BucketAddress(s3["bucket"], s3["prefix"], endpoint=s3["endpoint"])


def log_in(gateway: Gateway, times: int) -> None:
    """Each session is something to record."""
    for _ in range(times):
        with logged_in(gateway):
            pass


def size(gateway: Gateway) -> int:
    """Records that the log's checkpoint covers."""
    return int((gateway.folder / "audit" / "checkpoint").read_text().splitlines()[1])


def sent(gateway: Gateway) -> int:
    """Those that the bucket has."""
    with closing(Bucket(address(gateway))) as bucket:
        note = bucket.read("checkpoint")
    return 0 if note is None else int(note.split(b"\n")[1])


def verified(gateway: Gateway) -> verify.Report:
    """What the bucket alone shows."""
    keys = [one["key"] for one in json.loads(gateway.command("audit", "keys", "--json"))]
    with closing(Bucket(address(gateway))) as bucket:
        return verify.verify_log(source(bucket), verify.Trust([verify.Key.parse(one) for one in keys]))


def test_it_follows(postgres: PostgresServer, store: SeaweedFs) -> None:
    """While the gateway runs, and to the last record when it ends."""
    with started(postgres, store) as gateway:
        log_in(gateway, 5)
        wait_until(lambda: 5 <= size(gateway) == sent(gateway), "the bucket has them")
        log_in(gateway, 5)
        stopped(gateway)
        assert size(gateway) >= 20
        report = verified(gateway)
        assert (report.checkpoint.size, report.contents) == (size(gateway), size(gateway))


def test_the_bucket_is_killed(postgres: PostgresServer, own_store: SeaweedFs, store: SeaweedFs) -> None:
    """Sessions go on, also behind one that takes connections and is silent; what was missed follows."""
    del store  # whose fixture puts the credentials into the environment
    with started(postgres, own_store) as gateway:
        log_in(gateway, 5)
        wait_until(lambda: 5 <= size(gateway) == sent(gateway), "the bucket has them")
        own_store.shut_down(signal.SIGKILL)
        log_in(gateway, 5)
        wait_until(lambda: logged(gateway, "the audit log cannot be sent"), "it is said")
        (said, *_) = logged(gateway, "the audit log cannot be sent")
        assert (said["to"], said["code"]) == ("vault", "audit-sink-unreachable")
        own_store.launch()
        own_store.pause()
        log_in(gateway, 5)
        own_store.resume()
        wait_until(lambda: 15 <= size(gateway) == sent(gateway), "the bucket has all", 60)
        wait_until(lambda: logged(gateway, "the audit log is sent again"), "that is said, too")
        verified(gateway)


def test_the_recorder_is_killed(postgres: PostgresServer, store: SeaweedFs) -> None:
    """Again and again, wherever it is: each goes on from what the bucket has."""
    with started(postgres, store) as gateway:
        for turn in range(1, 5):
            log_in(gateway, 5)
            os.kill(recorder(gateway), signal.SIGKILL)
            log_in(gateway, 5)
            wait_until(
                lambda: len(logged(gateway, "audit log open")) == turn + 1,  # noqa: B023  # called here alone
                "another has opened the log",
            )
        stopped(gateway)
        assert verified(gateway).checkpoint.size == size(gateway) >= 40


def brought_back(gateway: Gateway) -> None:
    """The disk, state and log, is that of an earlier day than the bucket."""
    stopped(gateway)
    for name in ("audit", "state"):
        shutil.copytree(gateway.folder / name, gateway.folder / f"{name}.old", symlinks=True)
    gateway.launch()
    log_in(gateway, 5)
    stopped(gateway)
    for name in ("audit", "state"):
        shutil.rmtree(gateway.folder / name)
        (gateway.folder / f"{name}.old").rename(gateway.folder / name)


def test_a_disk_that_was_brought_back(postgres: PostgresServer, store: SeaweedFs) -> None:
    """State and log agree, and the bucket knows better: nothing is served."""
    with started(postgres, store) as gateway:
        brought_back(gateway)
        with pytest.raises(ServerFailed) as failed:
            gateway.command("serve")
        assert "the disk was brought back to another day" in failed.value.detail


def test_one_that_is_noticed_late(postgres: PostgresServer, own_store: SeaweedFs, store: SeaweedFs) -> None:
    """The bucket was away at the start: once it is back, nothing is recorded any more, so nothing runs."""
    del store
    with started(postgres, own_store) as gateway:
        brought_back(gateway)
        own_store.shut_down(signal.SIGKILL)
        gateway.launch()
        own_store.launch()
        wait_until(lambda: logged(gateway, "the audit log must not go on"), "it is noticed", 60)
        wait_until(lambda: logged(gateway, "the audit log cannot be written"), "no other takes its place")
        (said,) = logged(gateway, "the audit log must not go on")
        assert said["code"] in ("audit-log-rolled-back", "audit-log-contradicted")


def test_a_bucket_without_a_lock(postgres: PostgresServer, store: SeaweedFs) -> None:
    """Or without rights there: a gateway does not start, as nobody would miss what never came."""
    with started(postgres, store) as gateway:
        stopped(gateway)
        for bucket, variables in (("plain", ADMINISTRATORS), ("absent", CREDENTIALS)):
            sends_to(gateway, bucket=bucket, endpoint=store.url)
            gateway.environment = {**gateway.environment, **variables}
            with pytest.raises(ServerFailed) as failed:
                gateway.command("serve")
            assert ("has no object lock" if variables is ADMINISTRATORS else "refuses") in failed.value.detail


def test_lines_and_syslog(postgres: PostgresServer, authority: Authority) -> None:
    """Both have each record of the log; a server that is not there holds up nobody."""
    receiver = Receiver(authority)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"127.0.0.1:{taken.getsockname()[1]}"
    ca = str(authority.certificate)
    to = {
        "file": {"lines": {"file": "audit.jsonl"}},
        "desk": {"syslog": {"server": f"127.0.0.1:{receiver.port}", "ca": ca}},
        "away": {"syslog": {"server": nobody, "ca": ca}},
    }
    audit = {"log": "audit", "origin": ORIGIN, "to": to}

    def first(gateway: Gateway) -> None:
        gateway.configure(configuration(gateway) | {"audit": audit})

    try:
        with Gateway.start(postgres, "postgres", first=first) as gateway:
            log_in(gateway, 5)
            os.kill(recorder(gateway), signal.SIGKILL)
            log_in(gateway, 5)
            stopped(gateway)
            expected = contents(gateway.folder / "audit")
            assert len(expected) >= 20
            wait_until(
                lambda: (
                    list(dict.fromkeys(one.split(b"] ", 1)[1] for one in receiver.messages())) == expected
                ),
                "the server has them",
            )
            assert list(dict.fromkeys((gateway.folder / "audit.jsonl").read_bytes().splitlines())) == expected
            assert {one["to"] for one in logged(gateway, "the audit log cannot be sent")} == {"away"}
    finally:
        receiver.stop()
