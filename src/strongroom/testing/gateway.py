"""A real ``strongroom serve`` in front of a real database, for tests, the demo and the benchmarks.

``with Gateway.start(server, "shop") as gateway`` writes a configuration into a temporary folder, starts the
command as a process of its own and waits until it is ready; ``gateway.uri()`` is what a client connects to.
"""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, urlencode
from urllib.request import urlopen

import yaml

import strongroom
from strongroom.errors import ServerFailed
from strongroom.secret import Secret
from strongroom.testing.processes import STOP_SECONDS, Temporary, free_port
from strongroom.testing.servers import PostgresServer
from strongroom.wire.postgres.verifier import SALT_BYTES, make_verifier

if TYPE_CHECKING:  # certificates are made by trustme, which the demo does without
    from strongroom.testing.certificates import Authority

PASSWORD_VARIABLE = "STRONGROOM_TEST_UPSTREAM_PASSWORD"  # noqa: S105  # the name of a variable


@dataclass(frozen=True, slots=True)
class Account:
    """Who logs in to the gateway."""

    name: str = "app"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)


@dataclass(slots=True, eq=False)
class Gateway(Temporary):
    """A running gateway."""

    folder: Path
    database: str
    port: int
    health_port: int
    account: Account
    root_certificate: Path | None
    environment: Mapping[str, str] = field(repr=False)
    _process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(
        cls,
        server: PostgresServer,
        database: str,
        *,
        upstream: tuple[str, str] | None = None,
        account: Account | None = None,
        authority: "Authority | None" = None,
        workers: int = 1,
        limits: Mapping[str, float] | None = None,
        more: Mapping[str, object] | None = None,
        first: "Callable[[Gateway], None] | None" = None,
        variables: Mapping[str, str] | None = None,
    ) -> Self:
        """A gateway in front of one database of the server, running.

        ``upstream`` is the user and password it logs in with, the superuser's when left out. With an
        ``authority`` the listener has TLS and verifies client certificates of that authority. ``more`` is put
        into the database's configuration: ``columns``, ``functions`` and so on. The root key of protected
        columns is made in a folder of its own. ``first`` is called before it is started, ``variables`` are
        put into its environment.
        """
        user, password = upstream or ("postgres", server.password)
        certificate = None if authority is None else authority.certificate
        folder = Path(tempfile.mkdtemp(prefix="strongroom-gateway-"))
        environment = _environment() | {PASSWORD_VARIABLE: password} | dict(variables or {})
        who = account or Account()
        gateway = cls(folder, database, free_port(), free_port(), who, certificate, environment)
        entry: dict[str, object] = {
            "upstream": server.uri(database, user, password=""),
            "upstream_password": f"${{{PASSWORD_VARIABLE}}}",
            "listen": f"127.0.0.1:{gateway.port}",
        }
        if authority is not None:
            made = authority.server("localhost", "127.0.0.1")
            files = {"certificate": made.certificate, "key": made.key, "client_ca": authority.certificate}
            entry["tls"] = {key: str(path) for key, path in files.items()}
        for name in ("state", "keys"):
            (folder / name).mkdir(mode=0o700)
        gateway.configure(
            {
                "state": "sqlite:state/state.db",
                "keys": {"root": "file:keys/root.key"},
                "databases": {database: {**entry, **(more or {})}},
                "accounts": {who.name: {"databases": [database], "password": _verifier(who.password)}},
                "limits": dict(limits or {}),
                "workers": workers,
                "health": f"127.0.0.1:{gateway.health_port}",
            }
        )
        with gateway._starting():
            if first is not None:
                first(gateway)
            gateway.launch()
        return gateway

    @property
    def configuration(self) -> Path:
        """The strongroom.yaml."""
        return self.folder / "strongroom.yaml"

    @property
    def pid(self) -> int:
        """The process of the supervisor."""
        assert self._process is not None, "the gateway does not run"
        return self._process.pid

    def uri(self, user: str | None = None, password: str | None = None, **parameters: str) -> str:
        """A libpq URI of the gateway; the account's name and password when left out."""
        name = quote(self.account.name if user is None else user, safe="")
        secret = quote(self.account.password if password is None else password, safe="")
        if self.root_certificate is not None:
            parameters = {"sslmode": "verify-full", "sslrootcert": str(self.root_certificate)} | parameters
        query = f"?{urlencode(parameters)}" if parameters else ""
        return f"postgresql://{name}:{secret}@127.0.0.1:{self.port}/{quote(self.database)}{query}"

    def configure(self, configuration: Mapping[str, object]) -> None:
        """Writes the configuration; it counts from the next ``launch`` or ``reload``."""
        self.configuration.write_text(yaml.safe_dump(dict(configuration), sort_keys=False))

    def give_roles(
        self,
        roles: Mapping[str, Mapping[str, object]],
        held: Mapping[str, Sequence[str]],
        password: str,
        **more: object,
    ) -> None:
        """Writes roles, in this database, and which of them each account holds; `more` stands beside them.

        Accounts that are not there yet are made, with this one password; those that hold nothing any more go.
        """
        written = yaml.safe_load(self.configuration.read_text())
        before, made = written["accounts"], {"databases": [self.database], "password": _verifier(password)}
        written["roles"] = {name: {"databases": [self.database], **role} for name, role in roles.items()}
        written["accounts"] = {
            name: {**before.get(name, made), "roles": list(names)} for name, names in held.items()
        }
        self.configure({**written, **more})

    def launch(self) -> None:
        """Starts the process and waits until it takes connections."""
        command = [sys.executable, "-m", "strongroom", "serve", "--config", str(self.configuration)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own command line
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(self.environment)
            )
        self._wait_until(self.is_ready, "the gateway")

    def set_password(self, account: str, password: str, *options: str) -> None:
        """Gives an account, whose verifier is in the state, another password."""
        self.command("password", account, *options, typed=f"{password}\n")

    def command(self, *arguments: str, show: bool = False, typed: str = "") -> str:
        """Runs a command on this configuration; shows what it prints as it comes, or returns it.

        ``typed`` is what it reads from standard input.
        """
        run = subprocess.run(  # noqa: S603  # our own command line
            [sys.executable, "-m", "strongroom", *arguments, "--config", str(self.configuration)],
            stdout=None if show else subprocess.PIPE,
            stderr=None if show else subprocess.STDOUT,
            env=dict(self.environment),
            input=typed,
            text=True,
            check=False,
        )
        if run.returncode != 0:
            raise ServerFailed(f"strongroom {arguments[0]} failed", detail=run.stdout or "")
        return run.stdout or ""

    def is_ready(self) -> bool:
        """What the readiness endpoint says."""
        try:
            with urlopen(f"http://127.0.0.1:{self.health_port}/readyz", timeout=5) as answer:
                return int(answer.status) == 200
        except (OSError, HTTPException):
            return False

    def signal(self, what: signal.Signals) -> None:
        """Sends the supervisor a signal: SIGHUP reloads, SIGTERM drains."""
        os.kill(self.pid, what)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """The exit status of the process, once it has ended."""
        assert self._process is not None, "the gateway does not run"
        return self._process.wait(seconds)


def _environment() -> dict[str, str]:
    """Our own environment, in which the process finds this very strongroom."""
    path = str(Path(strongroom.__file__).parent.parent)
    before = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{before}" if before else path}


def _verifier(password: str) -> str:
    return make_verifier(Secret(password), secrets.token_bytes(SALT_BYTES)).text()
