"""A real KMIP server in a temporary folder: PyKMIP's. Needs PyKMIP (``pip install strongroom[dev]``)."""

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import quote

from strongroom.errors import ServerFailed
from strongroom.testing.certificates import Authority, Certificate
from strongroom.testing.processes import Temporary, free_port, listens


@dataclass(slots=True, eq=False)
class KmipServer(Temporary):
    """A running server that trusts the clients of one authority."""

    folder: Path
    port: int
    authority: Authority
    client: Certificate
    """Of the client that owns the keys that ``make_key`` makes."""
    _process: subprocess.Popen[bytes] | None = None
    _ends_by: ClassVar[signal.Signals] = (
        signal.SIGINT
    )  # upon SIGTERM it first waits out its accept(), 10 seconds

    @classmethod
    def start(cls, authority: Authority) -> Self:
        """A server without keys, at 127.0.0.1."""
        if importlib.util.find_spec("kmip") is None:
            raise ServerFailed("PyKMIP is not installed", hint="Run: pip install 'strongroom[dev]'")
        folder = Path(tempfile.mkdtemp(prefix="strongroom-kmip-"))
        server = cls(folder, free_port(), authority, authority.client("strongroom"))
        with server._starting():
            server._configure(authority.server("127.0.0.1"))
            server.restart()
        return server

    def restart(self) -> None:
        """Starts it, again after ``shut_down``; its keys are still there."""
        command = [sys.executable, "-W", "ignore", "-m", "kmip.services.server.server"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # the package that was found
                [*command, "-f", self.folder / "server.conf", "-l", self.folder / "server.log"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                start_new_session=True,  # Ctrl-C is for us; we then stop the server in order
            )
        self._wait_until(lambda: listens(self.port), "PyKMIP")

    @property
    def calls(self) -> int:
        """How many operations it was asked for since it was first started."""
        return (self.folder / "server.log").read_text().count("Processing operation: ")

    def uri(self, identifier: str, client: Certificate | None = None, ca: Path | None = None) -> str:
        """What stands behind ``kmip:`` for a key."""
        ours = client or self.client
        files = {"ca": ca or self.authority.certificate, "certificate": ours.certificate, "key": ours.key}
        query = "&".join(f"{name}={quote(str(path))}" for name, path in files.items())
        return f"127.0.0.1:{self.port}/{quote(identifier, safe='')}?{query}"

    def make_key(
        self, *, bits: int = 256, active: bool = True, may: Sequence[str] = ("ENCRYPT", "DECRYPT")
    ) -> str:
        """A new AES key of our client; its unique identifier."""
        with self._client() as (client, enums):
            from kmip.pie.objects import SymmetricKey  # noqa: PLC0415  # an optional dependency

            masks = [enums.CryptographicUsageMask[name] for name in may]
            key = SymmetricKey(enums.CryptographicAlgorithm.AES, bits, os.urandom(bits // 8), masks)
            made = client.register(key)  # the client's create() adds usages that were not asked for
            if active:
                client.activate(made)
            return str(made)

    def revoke(self, identifier: str) -> None:
        """Deactivates a key; it cannot be used any more."""
        with self._client() as (client, enums):
            client.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, identifier)

    def destroy(self, identifier: str) -> None:
        """Destroys a key that is not active."""
        with self._client() as (client, _):
            client.destroy(identifier)

    @contextmanager
    def _client(self) -> Iterator[tuple[Any, Any]]:
        """PyKMIP's own client and its enumerations; they use what SQLAlchemy and ssl warn of."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from kmip.core import enums  # noqa: PLC0415  # an optional dependency
            from kmip.pie.client import ProxyKmipClient  # noqa: PLC0415  # an optional dependency

            with ProxyKmipClient(
                hostname="127.0.0.1",
                port=self.port,
                cert=str(self.client.certificate),
                key=str(self.client.key),
                ca=str(self.authority.certificate),
                ssl_version="PROTOCOL_TLSv1_2",
                kmip_version=enums.KMIPVersion.KMIP_1_4,
            ) as client:
                yield client, enums

    def _configure(self, certificate: Certificate) -> None:
        folder = self.folder
        (folder / "policy").mkdir()
        (folder / "server.conf").write_text(
            f"[server]\nhostname=127.0.0.1\nport={self.port}\n"
            f"certificate_path={certificate.certificate}\nkey_path={certificate.key}\n"
            f"ca_path={self.authority.certificate}\nauth_suite=TLS1.2\nenable_tls_client_auth=False\n"
            f"policy_path={folder / 'policy'}\ndatabase_path={folder / 'keys.db'}\nlogging_level=INFO\n"
        )
