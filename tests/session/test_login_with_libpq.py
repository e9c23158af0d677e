"""libpq logs in to the gateway's side of the conversation, over real sockets and real TLS."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from tests.gateway.certificates import make_certificate
from tests.session.sockets import Doorman

from strongroom.gateway.tls import ServerTls
from strongroom.secret import Secret
from strongroom.session.login import Credentials, Method
from strongroom.wire.postgres.verifier import SALT_BYTES, make_verifier

PASSWORD = "correct horse ä\u00a0ﬁ"
ACCOUNTS = {
    "app": Credentials(make_verifier(Secret(PASSWORD), b"s" * SALT_BYTES)),
    "robot": Credentials(None, frozenset({"robot"})),
}
LOCALHOST = (x509.DNSName("localhost"),)


@dataclass(frozen=True)
class Files:
    """Where the certificates of the bench are."""

    folder: Path
    serving: ServerTls
    without_digest: ServerTls

    def client(self, name: str) -> str:
        return f"sslcert={self.folder / name}.crt sslkey={self.folder / name}.key"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("login")
    authority = make_certificate("authority")
    root, _ = authority.write(folder, "ca")
    for name in ("robot", "app"):
        make_certificate(name, issuer=authority).write(folder, name)
    make_certificate("robot").write(folder, "forged")
    server = make_certificate("localhost", alternatives=LOCALHOST, issuer=authority).write(folder, "server")
    modern = make_certificate("localhost", key=ed25519.Ed25519PrivateKey.generate(), alternatives=LOCALHOST)
    ed = modern.write(folder, "ed25519")
    return Files(folder, ServerTls(*server, client_ca=root), ServerTls(*ed))


@pytest.fixture
def in_the_clear() -> Iterator[Doorman]:
    with Doorman(ACCOUNTS).on_duty() as doorman:
        yield doorman


@pytest.fixture
def over_tls(files: Files) -> Iterator[Doorman]:
    with Doorman(ACCOUNTS, files.serving).on_duty() as doorman:
        yield doorman


def connect(doorman: Doorman, user: str, settings: str, password: str = PASSWORD) -> None:
    """Log in with libpq and leave."""
    target = f"host=localhost port={doorman.port} user={user} connect_timeout=10 {settings}"
    psycopg.connect(target, password=password).close()


def verified(files: Files) -> str:
    return f"sslmode=verify-full sslrootcert={files.folder / 'ca.crt'} sslcertmode=disable"


def with_certificate(files: Files, name: str) -> str:
    return f"sslmode=verify-full sslrootcert={files.folder / 'ca.crt'} {files.client(name)}"


def test_libpq_logs_in_without_tls(in_the_clear: Doorman) -> None:
    """SCRAM-SHA-256, with a password that SASLprep changes."""
    connect(in_the_clear, "app", "sslmode=disable require_auth=scram-sha-256")
    assert [a.method for a in in_the_clear.admitted] == [Method.SCRAM]


def test_libpq_falls_back_where_there_is_no_tls(in_the_clear: Doorman) -> None:
    """sslmode=prefer asks for TLS, hears no, and logs in."""
    connect(in_the_clear, "app", "sslmode=prefer")
    assert [a.method for a in in_the_clear.admitted] == [Method.SCRAM]


def test_libpq_binds_to_the_channel(over_tls: Doorman, files: Files) -> None:
    """channel_binding=require is met, and prefer takes PLUS as well."""
    connect(over_tls, "app", verified(files) + " channel_binding=require")
    connect(over_tls, "app", verified(files))
    assert [a.method for a in over_tls.admitted] == [Method.SCRAM_PLUS, Method.SCRAM_PLUS]


def test_libpq_may_do_without_channel_binding(over_tls: Doorman, files: Files) -> None:
    """channel_binding=disable says "n", which is no downgrade."""
    connect(over_tls, "app", verified(files) + " channel_binding=disable")
    assert [a.method for a in over_tls.admitted] == [Method.SCRAM]


def test_a_certificate_without_a_digest_serves_libpq(files: Files) -> None:
    """With Ed25519 PLUS is not offered, so libpq says "y" and gets in."""
    with Doorman(ACCOUNTS, files.without_digest).on_duty() as doorman:
        connect(doorman, "app", f"sslmode=verify-full sslrootcert={files.folder / 'ed25519.crt'}")
        assert [a.method for a in doorman.admitted] == [Method.SCRAM]
        with pytest.raises(psycopg.OperationalError, match="channel binding"):
            connect(doorman, "app", "sslmode=require channel_binding=require")


def test_direct_tls(files: Files) -> None:
    """sslnegotiation=direct begins with the handshake, and ALPN agrees on "postgresql"."""
    with Doorman(ACCOUNTS, files.serving, direct=True).on_duty() as doorman:
        connect(doorman, "app", verified(files) + " sslnegotiation=direct channel_binding=require")
        assert [a.method for a in doorman.admitted] == [Method.SCRAM_PLUS]


def test_a_client_certificate_logs_in(over_tls: Doorman, files: Files) -> None:
    """The account whose name the certificate bears is admitted without a password."""
    connect(over_tls, "robot", with_certificate(files, "robot"), password="")
    assert [(a.account, a.method) for a in over_tls.admitted] == [("robot", Method.CERTIFICATE)]


def test_a_client_certificate_does_not_stand_in_the_way(over_tls: Doorman, files: Files) -> None:
    """An account with a password still uses it, with a certificate of any verified name."""
    connect(over_tls, "app", with_certificate(files, "robot"))
    assert [(a.account, a.method) for a in over_tls.admitted] == [("app", Method.SCRAM_PLUS)]


def test_a_forged_certificate_does_not_connect(over_tls: Doorman, files: Files) -> None:
    """A certificate of the right name, signed by itself, ends in the handshake."""
    with pytest.raises(psycopg.OperationalError):
        connect(over_tls, "robot", with_certificate(files, "forged"))
    assert over_tls.admitted == []


@pytest.mark.parametrize(
    ("user", "password"),
    [("app", "wrong"), ("ghost", PASSWORD), ("robot", PASSWORD), ("app", PASSWORD.upper())],
)
def test_strangers_hear_the_same(over_tls: Doorman, files: Files, user: str, password: str) -> None:
    """Wrong password, no such account, no password login: one message, one SQLSTATE."""
    with pytest.raises(psycopg.OperationalError, match="FATAL:  login refused"):
        connect(over_tls, user, verified(files), password)
    assert [error.sqlstate for error in over_tls.refused] == ["28P01"]
    assert over_tls.admitted == []


def test_psql_logs_in(over_tls: Doorman, files: Files) -> None:
    """The other libpq on this machine, PostgreSQL 15's, agrees."""
    target = f"host=localhost port={over_tls.port} user=app dbname=x {verified(files)}"
    done = subprocess.run(
        ["psql", target.replace("sslcertmode=disable", "channel_binding=require"), "-c", r"\q"],
        env={"PGPASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"}, capture_output=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [a.method for a in over_tls.admitted] == [Method.SCRAM_PLUS]
