"""gateway/shipping.py and ways.py: a real gateway whose log goes to a real bucket, and bad days of both."""

import json
import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.serving import configuration, logged
from tests.gateway.test_recorder import ORIGIN, recorder, stopped

from strongroom.audit import verify
from strongroom.audit.sinks.bucket import Bucket, source
from strongroom.config.destinations import BucketAddress
from strongroom.errors import ServerFailed
from strongroom.testing.gateway import Gateway
from strongroom.testing.seaweedfs import CREDENTIALS, SeaweedFs
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until


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
        with gateway.connection() as client:
            client.query("SELECT 1")


def size(gateway: Gateway) -> int:
    return int((gateway.folder / "audit" / "checkpoint").read_text().splitlines()[1])


def verified(gateway: Gateway) -> verify.Report:
    """What the bucket alone shows."""
    keys = [one["key"] for one in json.loads(gateway.command("audit", "keys", "--json"))]
    with closing(Bucket(address(gateway))) as bucket:
        return verify.verify_log(source(bucket), verify.Trust([verify.Key.parse(one) for one in keys]))
