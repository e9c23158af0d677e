"""``strongroom audit``: verify, prove, keys; on a log that its own writer wrote."""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from tests.cli.conftest import Run

from strongroom.audit.checkpoint import VerifierKey
from strongroom.audit.keys import LogKeys
from strongroom.audit.log import Log, hold
from strongroom.audit.sinks.bucket import Bucket
from strongroom.audit.sinks.s3 import S3Sink
from strongroom.config import StateAddress
from strongroom.config.destinations import BucketAddress
from strongroom.state import open_state

ORIGIN = "gateway.example/audit"


class House:
    """A configuration, its state, and its audit log."""

    def __init__(self, folder: Path, run: Callable[..., Run]) -> None:
        self.folder, self._run = folder, run
        (folder / "state").mkdir(mode=0o700)
        self.file = folder / "strongroom.yaml"
        database = {"upstream": "postgresql://a@localhost/a", "listen": "127.0.0.1:6432"}
        found = {
            "state": "sqlite:state/state.db",
            "databases": {"shop": database},
            "audit": {"log": "audit", "origin": ORIGIN},
        }
        self.file.write_text(yaml.safe_dump(found))

    def grow(self, count: int) -> Path:
        """So many records more; a copy of the checkpoint."""
        state = open_state(StateAddress(self.folder / "state" / "state.db"))
        keys = LogKeys(state.engine, ORIGIN)
        former = [one.verifier for one in keys.all()]
        log = Log.open(self.folder / "audit", [one.signer for one in keys.to_sign(datetime.now(UTC))], former)
        log.append([b'{"number":%d}' % number for number in range(log.size, log.size + count)])
        log.close()
        state.close()
        return Path(shutil.copy(self.folder / "audit" / "checkpoint", self.folder / f"{log.size}.checkpoint"))

    def __call__(self, *words: str, status: int = 0) -> Run:
        run = self._run("audit", *words, "--config", str(self.file))
        assert run.status == status, run.stdout + run.stderr
        return run

    @property
    def key(self) -> str:
        return str(json.loads(self("keys", "--json").stdout)[-1]["key"])


@pytest.fixture
def house(tmp_path: Path, strongroom: Callable[..., Run]) -> House:
    """Without records."""
    return House(tmp_path, strongroom)


def test_a_sound_log(house: House) -> None:
    """By the configuration, and by folder and key alone."""
    house.grow(300)
    done = json.loads(house("verify", "--json").stdout)
    assert done == {
        "right": True,
        "origin": ORIGIN,
        "records": 300,
        "first": 0,
        "contents": 300,
        "erased": 0,
        "cosigned_by": [],
    }
    run = house("verify", "--log", str(house.folder / "audit"), "--key", house.key)
    assert run.stdout == f"right: 300 records of {ORIGIN}, 300 with their contents\n"


def test_one_flipped_octet(house: House) -> None:
    """The record is named, for people and programs, and the status is 1."""
    house.grow(300)
    file = house.folder / "audit" / "content" / "001"
    octets = file.read_bytes()
    file.write_bytes(octets.replace(b'{"number":270}', b'{"number":271}'))
    assert "record 270" in house("verify", status=1).stderr
    done = json.loads(house("verify", "--json", status=1).stdout)
    assert (done["right"], done["place"]) == (False, "content/001")


def test_a_record_by_itself(house: House) -> None:
    """The file that `prove` writes shows it without the log; whatever bundle it is in."""
    house.grow(700)
    for number in (0, 255, 256, 699):
        file = house.folder / f"{number}.proof"
        house("prove", str(number), "-o", str(file))
        run = house("verify-proof", str(file), "--key", house.key)
        assert run.stdout == (f'right: record {number} of {ORIGIN}, which has 700\n{{"number":{number}}}\n')
        file.write_bytes(file.read_bytes().replace(b"index ", b"index 1"))
        assert "wrong" in house("verify-proof", str(file), status=1).stderr
    assert "0 to 699" in house("prove", "700", "-o", str(house.folder / "x"), status=2).stderr
    assert "file already" in house("prove", "1", "-o", str(house.folder / "0.proof"), status=2).stderr
    house.grow(500)  # what was partial is whole now
    house("prove", "690", "-o", str(house.folder / "later.proof"))


def test_two_days(house: House) -> None:
    """The log of one is the beginning of that of the other; of another log it is not."""
    monday = house.grow(300)
    tuesday = house.grow(400)
    house.grow(3)
    assert house("consistency", str(monday)).stdout == "right: the first 300 of 703 records are the same\n"
    house("consistency", str(monday), str(tuesday))
    house("verify", "--since", str(tuesday))
    assert "proof" in house("consistency", str(tuesday), str(monday), status=2).stderr
    shutil.rmtree(house.folder / "audit")
    house.grow(1000)
    assert "audit-proof-invalid" in house("consistency", str(monday), status=2).stderr
    assert "first 300 entries" in house("verify", "--since", str(monday), status=1).stderr


def test_another_key(house: House) -> None:
    """The former one signs beside it, or ends at once; what it signed goes on to verify."""
    old = house.grow(10)
    first = house.key
    assert json.loads(house("rotate-key", "--json").stdout)["until"] is None
    house.grow(10)
    for key in (first, house.key):
        house("verify", "--log", str(house.folder / "audit"), "--key", key)
    house("rotate-key", "--at-once")
    house.grow(10)
    assert len(json.loads(house("keys", "--json").stdout)) == 3
    house("consistency", str(old))
    assert "wrong" in house("verify", "--log", str(house.folder / "audit"), "--key", first, status=1).stderr


def test_in_a_bucket(house: House, address: BucketAddress) -> None:
    """By the bucket's address and the key; what is wrong there is named, and an address that is none."""
    house.grow(300)
    key = VerifierKey.parse(house.key)
    with closing(Bucket(address)) as bucket:
        sink = S3Sink(
            bucket, house.folder / "audit", [key], retain=timedelta(days=1), now=lambda: datetime.now(UTC)
        )
        sink.send()
        log = f"{address}?endpoint={quote(str(address.endpoint), safe='')}"
        run = house("verify", "--log", log, "--key", house.key)
        assert run.stdout == f"right: 300 records of {ORIGIN}, 300 with their contents\n"
        lines = bucket.read("content/001")
        assert lines is not None
        until = datetime.now(UTC) + timedelta(days=1)
        bucket.keep("content/001", lines.replace(b"270}", b"271}"), until, once=False)
    assert "record 270" in house("verify", "--log", log, "--key", house.key, status=1).stderr
    assert "bucket" in house("verify", "--log", "s3://A/b", "--key", house.key, status=2).stderr
    missing = log.replace("s3://audit", "s3://absent")
    assert "audit-sink-refused" in house("verify", "--log", missing, "--key", house.key, status=2).stderr


def test_wrong_use(house: House) -> None:
    """No log, no such key, no audit in the configuration: each is said."""
    assert "audit-key-invalid" in house("verify", "--key", "a+b+c", status=2).stderr
    house.grow(1)
    shutil.rmtree(house.folder / "audit")
    assert "checkpoint" in house("verify", status=1).stderr
    assert "cannot be read" in house("prove", "0", "-o", str(house.folder / "x"), status=2).stderr
    found = yaml.safe_load(house.file.read_text())
    del found["audit"]
    house.file.write_text(yaml.safe_dump(found))
    assert "audit-log-missing" in house("verify", status=2).stderr


def test_no_secret_is_forgotten_beside_a_gateway(house: House) -> None:
    """It makes hashes by one of them; another secret may be made, and both find theirs."""
    house.grow(1)
    house("rotate-hash-secret")
    held = hold(house.folder / "audit")
    assert "a gateway runs" in house("rotate-hash-secret", "--forget-former", status=2).stderr
    assert [one["number"] for one in json.loads(house("hash-secrets", "--json").stdout)] == [1]
    house("rotate-hash-secret")
    os.close(held)
    assert json.loads(house("rotate-hash-secret", "--forget-former", "--json").stdout)["forgotten"] == 2


def test_secrets_behind_keyed_hashes(house: House) -> None:
    """They are listed without what they are, and a copy of one is written for its owner alone."""
    copy = house.folder / "hashes.secret"
    assert json.loads(house("hash-secrets", "--json").stdout) == []
    assert "there is no such secret" in house("export-hash-secret", str(copy), status=2).stderr
    assert json.loads(house("rotate-hash-secret", "--json").stdout)["number"] == 1
    made = json.loads(house("rotate-hash-secret", "--forget-former", "--json").stdout)
    assert (made["number"], made["forgotten"]) == (2, 1)
    listed = house("hash-secrets", "--json").stdout
    assert [one["number"] for one in json.loads(listed)] == [2]
    house("export-hash-secret", str(copy))
    assert (len(copy.read_bytes()), copy.stat().st_mode & 0o777) == (32, 0o600)
    assert copy.read_bytes().hex() not in listed
    assert "File exists" in house("export-hash-secret", str(copy), status=2).stderr
    assert "there is no such secret" in house("export-hash-secret", "other", "--number", "1", status=2).stderr
