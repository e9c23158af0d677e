"""Real PostgreSQL servers in temporary folders, for tests, the demo and the benchmarks.

``with PostgresServer.start(installation) as server`` makes a cluster, starts it on a free port of 127.0.0.1
and on a Unix socket, and removes everything at the end. Passwords are SCRAM; whoever reaches the socket's
folder (this user alone) is the superuser. Run by root, the server runs as another user (``processes``), on a
copy of the programs where they lie in a folder that this user cannot enter.
"""

import contextlib
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import quote, urlencode

import psycopg

from strongroom.errors import ServerFailed
from strongroom.testing.installations import Installation
from strongroom.testing.processes import START_SECONDS, Temporary, free_port, give_away, runner, start

SUPERUSER = "postgres"

FAST_SETTINGS = {
    "fsync": "off",  # the cluster is thrown away; a test must not wait for the disk
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "max_prepared_transactions": "10",
    "wal_level": "logical",
    "log_line_prefix": "'%m [%p] %q%u@%d '",
}


@dataclass(slots=True, eq=False)
class PostgresServer(Temporary):
    """A running PostgreSQL."""

    installation: Installation
    folder: Path
    port: int
    password: str = field(repr=False)
    root_certificate: Path | None = None
    _process: subprocess.Popen[bytes] | None = None
    _ends_by: ClassVar[signal.Signals] = signal.SIGINT  # the fast shutdown; SIGQUIT is a crash

    @classmethod
    def start(
        cls,
        installation: Installation,
        *,
        settings: Mapping[str, str] | None = None,
        hba: Sequence[str] = (),
        server_certificate: tuple[Path, Path, Path] | None = None,
    ) -> Self:
        """A new cluster, running.

        ``settings`` go to postgresql.conf over ``FAST_SETTINGS``, ``hba`` lines stand first in pg_hba.conf.
        ``server_certificate`` is (authority, certificate, key) as PEM files and turns TLS on; the authority
        verifies clients, too.
        """
        folder = Path(tempfile.mkdtemp(prefix="strongroom-postgres-"))
        server = cls(_reachable(installation, folder), folder, free_port(), secrets.token_urlsafe(12))
        with server._starting():
            server._initialise()
            server._configure({**FAST_SETTINGS, **(settings or {})}, hba, server_certificate)
            server.launch()
        return server

    @property
    def socket_folder(self) -> Path:
        """Where the Unix socket is; who reaches it is trusted to be whoever they say."""
        return self.folder / "socket"

    @property
    def data(self) -> Path:
        """The cluster's files."""
        return self.folder / "data"

    def uri(
        self,
        database: str = "postgres",
        user: str = SUPERUSER,
        password: str | None = None,
        **parameters: str,
    ) -> str:
        """A libpq URI over TCP; ``password`` is the superuser's when it is None, and left out when empty."""
        secret = self.password if password is None else password
        who = quote(user, safe="") + (f":{quote(secret, safe='')}" if secret else "")
        if self.root_certificate is not None:
            parameters = {"sslmode": "verify-full", "sslrootcert": str(self.root_certificate)} | parameters
        query = f"?{urlencode(parameters)}" if parameters else ""
        return f"postgresql://{who}@127.0.0.1:{self.port}/{quote(database, safe='')}{query}"

    def connect(self, database: str = "postgres", user: str = SUPERUSER) -> psycopg.Connection:
        """A direct connection over the Unix socket, in autocommit."""
        return psycopg.connect(
            host=str(self.socket_folder), port=self.port, dbname=database, user=user, autocommit=True
        )

    def run(self, sql: str, database: str = "postgres") -> None:
        """Executes statements as the superuser."""
        with self.connect(database) as connection:
            connection.execute(sql.encode())

    def create_database(self, name: str, owner: str = SUPERUSER) -> str:
        """Makes a database, in place of the one of that name; returns the name."""
        identifier, role = psycopg.sql.Identifier(name), psycopg.sql.Identifier(owner)
        with self.connect() as connection:
            connection.execute(psycopg.sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {} OWNER {}").format(identifier, role))
        return name

    def create_user(self, name: str, password: str, options: str = "") -> None:
        """Makes a role that can log in."""
        with self.connect() as connection:
            connection.execute(
                psycopg.sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} ").format(
                    psycopg.sql.Identifier(name), psycopg.sql.Literal(password)
                )
                + psycopg.sql.SQL(options)  # keywords of the test's author
            )

    def launch(self) -> None:
        """Starts the server on its cluster and waits until it answers."""
        program = self.installation.program("postgres")
        with self.log.open("ab") as log:
            self._process = start([program, "-D", self.data], self.folder, log)
        self._wait_until(self._answers, "PostgreSQL")

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            self.connect().close()
            return True
        return False

    def _initialise(self) -> None:
        password_file = self.folder / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        for name in ("data", "socket"):
            (self.folder / name).mkdir(mode=0o700)
        give_away(self.folder)
        command: list[str | Path] = [
            self.installation.program("initdb"),
            "-D",
            self.data,
            "-U",
            SUPERUSER,
            "--no-sync",
        ]
        command += ["--encoding=UTF8", "--locale=C.UTF-8", "--auth-local=trust", "--auth-host=scram-sha-256"]
        run = start([*command, f"--pwfile={password_file}"], self.folder, subprocess.PIPE)
        said, _ = run.communicate(timeout=START_SECONDS)
        if run.returncode != 0:
            raise ServerFailed("initdb failed", detail=said.decode(errors="replace")[-2000:])
        password_file.unlink()

    def _configure(
        self,
        settings: Mapping[str, str],
        hba: Sequence[str],
        server_certificate: tuple[Path, Path, Path] | None,
    ) -> None:
        own = {
            "listen_addresses": "'127.0.0.1'",
            "port": str(self.port),
            "unix_socket_directories": f"'{self.socket_folder}'",
        }
        if server_certificate is not None:
            own |= self._install_certificates(*server_certificate)
        lines = [f"{name} = {value}" for name, value in {**settings, **own}.items()]
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("\n".join(["", *lines, ""]))
        rules = self.data / "pg_hba.conf"
        rules.write_text("\n".join([*hba, rules.read_text()]))

    def _install_certificates(self, authority: Path, certificate: Path, key: Path) -> Mapping[str, str]:
        for name, source in (("root.crt", authority), ("server.crt", certificate), ("server.key", key)):
            target = self.data / name
            shutil.copyfile(source, target)
            target.chmod(0o600)
        give_away(self.data)
        self.root_certificate = authority
        return {"ssl": "on", "ssl_ca_file": "'root.crt'"}


def _reachable(installation: Installation, folder: Path) -> Installation:
    """The installation, copied where its own place is closed to whom the server runs as."""
    if runner() is None:
        return installation
    place = installation.folder
    ways = (place.absolute(), *place.absolute().parents, place.resolve(), *place.resolve().parents)
    if all(folder.stat().st_mode & 0o001 for folder in ways):
        return installation
    place = place.resolve()
    package = folder / "programs" / place.parent.name
    copy = package / place.name
    shutil.copytree(place, copy, symlinks=True)
    libraries = place.parent.with_name(
        f"{place.parent.name}.libs"
    )  # where wheels keep their shared libraries
    if libraries.is_dir():
        shutil.copytree(libraries, package.with_name(libraries.name))
    return Installation(installation.name, copy, installation.major, installation.tls)
