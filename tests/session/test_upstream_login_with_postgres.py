"""The upstream login against real servers, PostgreSQL 15 to 18 with TLS, in every method."""

import os
import shutil
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.conftest import VERSIONS, Servers, installation
from tests.session.sockets import next_message, upstream_login

from strongroom.errors import StrongroomError, UpstreamLoginRefused, UpstreamUntrusted
from strongroom.gateway.certificate import Pin, PinKind, pins_of
from strongroom.gateway.upstream_address import Upstream, parse_upstream
from strongroom.secret import Secret
from strongroom.session.upstream_login import LoggedIn
from strongroom.testing.certificates import Authority, Certificate
from strongroom.testing.installations import EMBEDDED
from strongroom.testing.pgbouncer import Pgbouncer
from strongroom.testing.servers import PostgresServer
from strongroom.wire.postgres.messages import PROTOCOL_3_0, PROTOCOL_3_2, Query

PASSWORD = "correct horse ä\u00a0ﬁ"
NO_PIN = Pin(PinKind.CERTIFICATE, b"\0" * 32)

# One role for each way to log in. Debian's build has GSSAPI, the others may refuse the line.
HBA = (
    "local all all trust",
    "hostssl all scram 127.0.0.1/32 scram-sha-256",
    "hostssl all md5 127.0.0.1/32 md5",
    "hostssl all clear 127.0.0.1/32 password",
    "hostssl all robot 127.0.0.1/32 cert",
    "hostssl all trusted 127.0.0.1/32 trust",
    "hostnossl all plain 127.0.0.1/32 scram-sha-256",
    "hostnossl all clear 127.0.0.1/32 password",
    "host all all 127.0.0.1/32 reject",
)
GSS = "hostssl all gss 127.0.0.1/32 gss"

ROLES = f"""
CREATE ROLE scram LOGIN PASSWORD '{PASSWORD}';
CREATE ROLE plain LOGIN PASSWORD '{PASSWORD}';
CREATE ROLE clear LOGIN PASSWORD '{PASSWORD}';
CREATE ROLE robot LOGIN;
CREATE ROLE trusted LOGIN;
CREATE ROLE gss LOGIN;
SET password_encryption = md5;
CREATE ROLE md5 LOGIN PASSWORD '{PASSWORD}';
ALTER ROLE scram SET bytea_output = 'escape';
ALTER ROLE scram SET standard_conforming_strings = off;
ALTER ROLE scram SET client_encoding = 'LATIN1';
CREATE DATABASE closed;
REVOKE CONNECT ON DATABASE closed FROM PUBLIC
"""


@dataclass(frozen=True)
class Bench:
    """A server, its certificate, and a client's."""

    server: PostgresServer
    authority: Authority
    robot: Certificate
    pins: tuple[Pin, Pin]

    @property
    def verified(self) -> str:
        return f"sslmode=verify-full&sslrootcert={quote(str(self.authority.certificate))}"

    def address(
        self,
        user: str,
        settings: str | None = None,
        *,
        password: str | None = PASSWORD,
        pins: tuple[Pin, ...] = (),
        database: str = "postgres",
    ) -> Upstream:
        """``settings`` are those of the URI; a leading ampersand adds to verified TLS."""
        settings = self.verified + (settings or "") if not settings or settings[0] == "&" else settings
        uri = f"postgresql://{user}@127.0.0.1:{self.server.port}/{database}?{settings}"
        secret = None if password is None else Secret(password)
        return parse_upstream(uri, base=Path("/"), password=secret, pins=pins)


@pytest.fixture(scope="module", params=VERSIONS[1:])
def bench(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Bench]:
    found = installation(request.param)
    made = authority.server("127.0.0.1")
    files = (authority.certificate, made.certificate, made.key)
    hba = (GSS, *HBA) if found.name == "15" else HBA
    with PostgresServer.start(found, hba=hba, server_certificate=files) as server:
        with server.connect() as admin:
            for statement in ROLES.split(";"):
                admin.execute(statement.encode())
        der = ssl.PEM_cert_to_DER_cert(made.certificate.read_text().partition("-----END")[0] + END)
        yield Bench(server, authority, authority.client("robot"), pins_of(der))


END = "-----END CERTIFICATE-----\n"


def error_of(upstream: Upstream) -> StrongroomError:
    with pytest.raises(StrongroomError) as caught:
        upstream_login(upstream)
    return caught.value


def check(outcome: LoggedIn) -> None:
    """What every session begins with, in protocol 3.0."""
    assert outcome.parameters["client_encoding"] == "UTF8"
    assert outcome.parameters["standard_conforming_strings"] == "on"
    assert outcome.process_id > 0
    assert len(outcome.secret_key) == 4


# ------------------------------------------------------------------------------------- every method


@pytest.mark.parametrize(
    ("user", "settings"),
    [
        ("scram", "&channel_binding=require&require_auth=scram-sha-256"),
        ("scram", "&channel_binding=disable"),
        ("scram", "sslmode=require&channel_binding=require"),
        ("scram", "&ssl_min_protocol_version=TLSv1.3"),
        ("plain", "sslmode=disable&require_auth=scram-sha-256"),
        ("md5", "&require_auth=md5"),
        ("clear", "&require_auth=password"),
        ("trusted", "&require_auth=none"),
    ],
)
def test_every_method_logs_in(bench: Bench, user: str, settings: str) -> None:
    """SCRAM with and without PLUS, with and without TLS, md5, clear text over verified TLS, trust."""
    check(upstream_login(bench.address(user, settings)))


def test_a_client_certificate_logs_in(bench: Bench) -> None:
    """pg_hba's cert method: the certificate is shown in the handshake, and no password is needed."""
    settings = f"&sslcert={bench.robot.certificate}&sslkey={bench.robot.key}&require_auth=none"
    check(upstream_login(bench.address("robot", settings, password=None)))


def test_a_pin_verifies_enough_for_a_clear_password(bench: Bench) -> None:
    """sslmode=require with the pin of the server's key or certificate counts as verified."""
    for pin in bench.pins:
        check(upstream_login(bench.address("clear", "sslmode=require", pins=(NO_PIN, pin))))


def test_a_unix_socket_logs_in(bench: Bench) -> None:
    """host=/directory, without TLS."""
    uri = f"host={bench.server.socket_folder} port={bench.server.port} user=postgres"
    check(upstream_login(parse_upstream(uri, base=Path("/"))))


def test_the_pins_win_over_role_settings_and_options(bench: Bench) -> None:
    """The role's own settings and start-up options say otherwise; the session has ours."""
    settings = "&options=-c%20bytea_output%3Descape%20-c%20client_encoding%3DLATIN1"
    upstream = bench.address("scram", settings)
    check(upstream_login(upstream))
    assert shown(upstream, "bytea_output") == b"hex"


def shown(upstream: Upstream, setting: str) -> bytes:
    """The value that a session of this address has, from a simple query."""
    answers: list[bytes] = []

    def ask(connection: socket.socket) -> None:
        connection.sendall(Query(f"SHOW {setting}").serialise())
        while (message := next_message(connection))[0] != ord("Z"):
            if message[0] == ord("D"):
                answers.append(message[1][2 + 4 :])

    upstream_login(upstream, then=ask)
    return answers[0]


# ------------------------------------------------------------------------------------- and refusals


@pytest.mark.parametrize("settings", ["sslmode=require", "sslmode=disable"])
def test_a_clear_password_needs_a_verified_peer(bench: Bench, settings: str) -> None:
    """TLS to somebody is not enough, and no TLS even less."""
    assert isinstance(error_of(bench.address("clear", settings)), UpstreamUntrusted)


def test_a_wrong_pin_ends_before_the_start_up_packet(bench: Bench) -> None:
    """Verified by the authority, and still not ours."""
    error = error_of(bench.address("scram", pins=(NO_PIN,)))
    assert isinstance(error, UpstreamUntrusted)
    assert "no pin" in error.message


@pytest.mark.parametrize(
    ("user", "require"), [("md5", "scram-sha-256"), ("clear", "!password"), ("trusted", "!none")]
)
def test_a_method_that_require_auth_excludes_ends_the_login(bench: Bench, user: str, require: str) -> None:
    """The server's demand is not met."""
    error = error_of(bench.address(user, f"&require_auth={require}"))
    assert isinstance(error, UpstreamUntrusted)


def test_gssapi_is_refused(bench: Bench) -> None:
    """Debian's server asks for it where pg_hba.conf says so; the others, without the line, reject."""
    error = error_of(bench.address("gss"))
    expected = UpstreamUntrusted if bench.server.installation.name == "15" else UpstreamLoginRefused
    assert isinstance(error, expected)


def test_a_pooler_that_drops_a_pin_is_named(servers: Servers) -> None:
    """pgbouncer takes no bytea_output: the login is refused, rather than the pin dropped."""
    if shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/sbin") is None:
        assert os.environ.get("CI") != "true", "pgbouncer must be there where nothing may be skipped"
        pytest.skip("pgbouncer is not installed here (apt-get install pgbouncer)")
    server = servers.server(EMBEDDED)
    with Pgbouncer.start(server, "postgres", "postgres", server.password) as pooler:
        uri = f"postgresql://postgres@127.0.0.1:{pooler.port}/postgres"
        error = error_of(parse_upstream(uri, base=Path("/"), password=Secret(server.password)))
    assert isinstance(error, UpstreamLoginRefused)
    assert (error.upstream_sqlstate, error.sqlstate) == ("08P01", "08004")
    assert "pooler" in error.message


@pytest.mark.parametrize("user", ["md5", "clear", "trusted"])
def test_channel_binding_required_takes_scram_alone(bench: Bench, user: str) -> None:
    """Other methods cannot bind."""
    error = error_of(bench.address(user, "&channel_binding=require"))
    assert "channel binding" in error.message


@pytest.mark.parametrize(
    ("login", "password", "database", "reason"),
    [
        (("scram", None), "hunter2", "postgres", "28P01"),
        (("md5", None), "hunter2", "postgres", "28P01"),
        (("clear", None), "hunter2", "postgres", "28P01"),
        (("nobody", None), PASSWORD, "postgres", "28000"),
        (("scram", "sslmode=disable"), PASSWORD, "postgres", "28000"),
        (("robot", None), PASSWORD, "postgres", "28000"),
        (("scram", None), PASSWORD, "missing", "3D000"),
        (("scram", None), PASSWORD, "closed", "42501"),
        (("scram", "&options=-c%20no_such_setting%3D1"), PASSWORD, "postgres", "42704"),
        (("scram", "&options=-c%20work_mem%3Dx"), PASSWORD, "postgres", "22023"),
    ],
)
def test_a_refusal_says_why(
    bench: Bench, login: tuple[str, str | None], password: str, database: str, reason: str
) -> None:
    """PostgreSQL's SQLSTATE is kept, and none of the secrets."""
    error = error_of(bench.address(*login, password=password, database=database))
    assert isinstance(error, UpstreamLoginRefused)
    assert error.upstream_sqlstate == reason
    assert password not in error.message + error.hint + error.detail


# --------------------------------------------------------------------------------- protocol versions


def test_protocol_3_2_is_negotiated(bench: Bench) -> None:
    """PostgreSQL 18 speaks it, and its cancellation key has 32 octets; before, 3.0 is what is left."""
    outcome = upstream_login(bench.address("scram"), version=PROTOCOL_3_2)
    new = bench.server.installation.major >= 18
    assert (outcome.version, len(outcome.secret_key)) == ((PROTOCOL_3_2, 32) if new else (PROTOCOL_3_0, 4))


def test_direct_tls(bench: Bench) -> None:
    """PostgreSQL 17 and later take the handshake at once and agree on ALPN; before, they hang up."""
    upstream = bench.address("scram", "&sslnegotiation=direct&channel_binding=require")
    if bench.server.installation.major >= 17:
        check(upstream_login(upstream))
        return
    with pytest.raises(OSError, match=r"EOF|reset"):
        upstream_login(upstream)
