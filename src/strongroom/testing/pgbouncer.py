"""A real pgbouncer in a temporary folder: what the gateway is compared with."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from strongroom.errors import ServerFailed
from strongroom.testing.processes import Temporary, free_port, give_away, listens, start
from strongroom.testing.servers import PostgresServer


@dataclass(slots=True, eq=False)
class Pgbouncer(Temporary):
    """A running pgbouncer in session mode."""

    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(
        cls,
        server: PostgresServer,
        database: str,
        user: str,
        password: str,
        certificate: tuple[Path, Path] | None = None,
    ) -> Self:
        """A pgbouncer in front of one database of the server, for one user.

        With a ``certificate`` (certificate and key as PEM files) both legs have TLS; the server is verified.
        """
        program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
        if program is None:
            raise ServerFailed("pgbouncer is not installed", hint="Install the package pgbouncer.")
        folder = Path(tempfile.mkdtemp(prefix="strongroom-pgbouncer-"))
        bouncer = cls(folder, free_port())
        with bouncer._starting():
            bouncer._configure(server, database, user, password, certificate)
            with bouncer.log.open("ab") as log:
                bouncer._process = start([program, folder / "pgbouncer.ini"], folder, log)
            bouncer._wait_until(lambda: listens(bouncer.port), "pgbouncer")
        return bouncer

    def _configure(
        self,
        server: PostgresServer,
        database: str,
        user: str,
        password: str,
        certificate: tuple[Path, Path] | None,
    ) -> None:
        folder = self.folder
        (folder / "users.txt").write_text(f'"{user}" "{password}"\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n{database} = host=127.0.0.1 port={server.port} dbname={database}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {folder}/users.txt\npool_mode = session\n"
            "max_client_conn = 1000\ndefault_pool_size = 100\nlog_connections = 0\nlog_disconnections = 0\n"
            + (_tls(folder, server, certificate) if certificate else "")
        )
        give_away(folder)


def _tls(folder: Path, server: PostgresServer, certificate: tuple[Path, Path]) -> str:
    """Settings for TLS on both legs, on copies that pgbouncer's user may read."""
    assert server.root_certificate is not None, "the server has no TLS"
    copied = {"tls.crt": certificate[0], "tls.key": certificate[1], "ca.pem": server.root_certificate}
    for name, source in copied.items():
        shutil.copyfile(source, folder / name)
    return (
        f"client_tls_sslmode = require\nclient_tls_cert_file = {folder}/tls.crt\n"
        f"client_tls_key_file = {folder}/tls.key\n"
        f"server_tls_sslmode = verify-full\nserver_tls_ca_file = {folder}/ca.pem\n"
    )
