"""A libpq connection string into the frozen settings of one database (manual, "Connection Strings").

libpq itself takes the string apart (through psycopg), so quoting and escapes are its own. What each keyword
then means to us is listed here; a keyword that is not listed is refused by name, since a setting that is
read and not kept is a promise broken. Deviations from libpq: no host list, no service or password file, no
environment, no sslmode allow or prefer; and ``sslmode`` left out means verify-full, by the system's
authorities unless ``sslrootcert`` says otherwise, except on loopback and Unix sockets, where it means
disable. Called by ``config`` and by whoever takes a URI from a command line.
"""

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from strongroom.errors import InvalidUpstreamAddress
from strongroom.gateway.certificate import Pin
from strongroom.gateway.tls import SslMode, UpstreamTls
from strongroom.secret import Secret
from strongroom.session.upstream_login import AuthMethod, ChannelBinding, LoginRules, UpstreamCredentials
from strongroom.wire.postgres.messages import PROTOCOL_3_0, PROTOCOL_3_2

DEFAULT_PORT = 5432
DEFAULT_CONNECT_SECONDS = 10  # ours; libpq waits as long as the system does
MAX_CONNECT_SECONDS = 600  # ours

_KEPT = frozenset({
    "host", "hostaddr", "port", "user", "password", "dbname", "options", "application_name",
    "sslmode", "sslrootcert", "sslcert", "sslkey", "sslnegotiation", "ssl_min_protocol_version",
    "require_auth", "channel_binding", "connect_timeout", "max_protocol_version",
})  # fmt: skip

# Keywords that cloud consoles add, with the values that say what we do anyway.
_ANYWAY: dict[str, frozenset[str]] = {
    "client_encoding": frozenset({"utf8", "utf-8", "auto"}),
    "gssencmode": frozenset({"disable", "prefer"}),
    "keepalives": frozenset({"1"}),
    "load_balance_hosts": frozenset({"disable"}),
    "sslcompression": frozenset({"0"}),
    "sslsni": frozenset({"1"}),
    "target_session_attrs": frozenset({"any"}),
}

_T = TypeVar("_T")

_PROTOCOLS = {"3.0": PROTOCOL_3_0, "3.2": PROTOCOL_3_2, "latest": PROTOCOL_3_2}
_TLS_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
_TLS_FILES = ("sslrootcert", "sslcert", "sslkey")


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a database is and how to log in to it.

    ``host`` is a name, an address or the directory of a Unix socket; ``address``, where given, is what to
    connect to instead of looking ``host`` up. ``parameters`` are start-up parameters (application_name,
    options); those of a client win over them. ``connect_seconds`` covers TCP, TLS and login together.
    """

    host: str
    port: int
    credentials: UpstreamCredentials
    address: str | None = None
    tls: UpstreamTls = field(default_factory=UpstreamTls)
    rules: LoginRules = field(default_factory=LoginRules)
    parameters: tuple[tuple[str, str], ...] = ()
    protocol: int = PROTOCOL_3_0
    connect_seconds: float = DEFAULT_CONNECT_SECONDS

    @property
    def unix_socket(self) -> Path | None:
        """The socket's path (src/include/libpq/pqcomm.h, UNIXSOCK_PATH), None for TCP."""
        return Path(self.host) / f".s.PGSQL.{self.port}" if self.host.startswith("/") else None

    def as_user(self, user: str, password: Secret | None) -> "Upstream":
        """The same database for another upstream user."""
        return replace(self, credentials=UpstreamCredentials(user, self.credentials.database, password))

    def __str__(self) -> str:
        """Without the password, for an operator to read."""
        return f"{self.credentials.user}@{self.host}:{self.port}/{self.credentials.database}"


def parse_upstream(
    text: str, *, base: Path, password: Secret | None = None, pins: tuple[Pin, ...] = ()
) -> Upstream:
    """Read a URI or keywords; files are relative to ``base``. Raises ``InvalidUpstreamAddress``.

    ``password`` (``upstream_password``) wins over one in the string. No message repeats a value of it.
    """
    given = _taken_apart(text)
    _check_keywords(given)
    host, address = _host(given)
    user = given.get("user")
    if not user:
        raise _refused("user", "is missing", "name the upstream user: postgresql://USER@host/database")
    inline = Secret(given["password"]) if "password" in given else None
    tls = _tls(given, base, pins, host, address)
    return Upstream(
        host=host,
        port=_whole(given, "port", DEFAULT_PORT, 65_535),
        credentials=UpstreamCredentials(user, given.get("dbname") or user, password or inline),
        address=address,
        tls=tls,
        rules=_rules(given, tls),
        parameters=tuple((name, given[name]) for name in ("application_name", "options") if name in given),
        protocol=_choice(given, "max_protocol_version", _PROTOCOLS, "3.0"),
        connect_seconds=_whole(given, "connect_timeout", DEFAULT_CONNECT_SECONDS, MAX_CONNECT_SECONDS),
    )


def is_loopback(host: str) -> bool:
    """Whether a name or address never leaves this machine; a Unix socket's directory does not."""
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _taken_apart(text: str) -> dict[str, str]:
    try:
        given = conninfo_to_dict(text)
    except psycopg.Error:  # its message may repeat a password
        raise InvalidUpstreamAddress(
            "the connection string is no libpq URI",
            hint="write postgresql://user@host:port/database?sslmode=verify-full, with parameters that libpq "
            "knows; escape with %XX",
        ) from None
    return {name: str(value) for name, value in given.items() if value is not None and value != ""}


def _check_keywords(given: Mapping[str, str]) -> None:
    for name, value in given.items():
        if name in _KEPT:
            continue
        if name not in _ANYWAY:
            raise _refused(name, "is not supported", "remove it")
        if value.lower() not in _ANYWAY[name]:
            raise _refused(
                name, "has a value that is not supported", f"use {' or '.join(sorted(_ANYWAY[name]))}"
            )


def _host(given: Mapping[str, str]) -> tuple[str, str | None]:
    """(host, hostaddr); one of each at most."""
    host, address = given.get("host"), given.get("hostaddr")
    for name in ("host", "hostaddr", "port"):
        if "," in given.get(name, ""):
            raise _refused(
                name, "is a list", "name one server; one address that moves is the vendor's to give"
            )
    if address is not None:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise _refused("hostaddr", "is no IP address", "give an address, or use host") from None
    host = host or address
    if host is None:
        raise _refused(
            "host", "is missing", "name the server, or a socket's directory: ?host=/var/run/postgresql"
        )
    if host.startswith("@"):
        raise _refused("host", "is an abstract Unix socket", "give a directory")
    return host, address


def _tls(
    given: Mapping[str, str], base: Path, pins: tuple[Pin, ...], host: str, address: str | None
) -> UpstreamTls:
    direct = _choice(given, "sslnegotiation", {"postgres": False, "direct": True}, "postgres")
    asked = bool(pins) or direct or any(name in given for name in _TLS_FILES)
    if host.startswith("/"):
        if asked or given.get("sslmode", "disable") != "disable":
            raise _refused("sslmode", "or a pin is given for a Unix socket, which has no TLS", "remove it")
        return UpstreamTls(mode=SslMode.DISABLE)
    mode = _mode(given, default="disable" if is_loopback(address or host) and not asked else "verify-full")
    if mode is SslMode.DISABLE and asked:
        raise _refused("sslmode", "is disable beside other TLS settings or pins", "remove one or the other")
    root = None if given.get("sslrootcert") == "system" else _file(given, "sslrootcert", base)
    if mode is SslMode.VERIFY_CA and root is None:
        raise _refused(
            "sslmode", "is verify-ca without a file of authorities", "set sslrootcert, or verify-full"
        )
    return UpstreamTls(
        mode=mode,
        root=root,
        certificate=_file(given, "sslcert", base),
        key=_file(given, "sslkey", base),
        direct=direct,
        minimum=_choice(given, "ssl_min_protocol_version", _TLS_VERSIONS, "TLSv1.2"),
        pins=pins,
    )


def _mode(given: Mapping[str, str], default: str) -> SslMode:
    text = given.get("sslmode", default)
    if text in {"allow", "prefer"}:
        raise _refused(
            "sslmode", f"is {text}: whoever stands between can switch TLS off", "use verify-full, or disable"
        )
    mode = _choice({"sslmode": text}, "sslmode", {m.value: m for m in SslMode}, default)
    root = given.get("sslrootcert")
    if mode is SslMode.REQUIRE and root == "system":
        raise _refused("sslrootcert", "is system, which needs sslmode=verify-full", "set sslmode=verify-full")
    # libpq: require with a file of authorities verifies as verify-ca does (manual, "SSL Modes").
    return SslMode.VERIFY_CA if mode is SslMode.REQUIRE and root else mode


def _rules(given: Mapping[str, str], tls: UpstreamTls) -> LoginRules:
    binding = _choice(given, "channel_binding", {b.value: b for b in ChannelBinding}, "prefer")
    if binding is ChannelBinding.REQUIRE and tls.mode is SslMode.DISABLE:
        raise _refused("channel_binding", "is require without TLS", "set sslmode=verify-full")
    return LoginRules(_methods(given), binding)


def _methods(given: Mapping[str, str]) -> frozenset[AuthMethod]:
    """``require_auth``: methods that may be used, or with ``!`` before each, that may not be."""
    names = [name.strip() for name in given.get("require_auth", "").split(",") if name.strip()]
    refused = {name.removeprefix("!") for name in names if name.startswith("!")}
    wanted = {name for name in names if not name.startswith("!")}
    unknown = (refused | wanted) - {m.value for m in AuthMethod} - {"gss", "sspi", "oauth"}
    if unknown or (refused and wanted):
        raise _refused("require_auth", "is no list of methods, all or none with !", "use scram-sha-256")
    methods = frozenset(m for m in AuthMethod if (m.value in wanted or not wanted) and m.value not in refused)
    if not methods:
        raise _refused("require_auth", "leaves no method that Strongroom speaks", "use scram-sha-256")
    return methods


def _file(given: Mapping[str, str], name: str, base: Path) -> Path | None:
    return base / given[name] if name in given else None


def _whole(given: Mapping[str, str], name: str, default: int, maximum: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= maximum):
        raise _refused(name, f"is no whole number from 1 to {maximum}", "mend it or leave it out")
    return int(text)


def _choice(given: Mapping[str, str], name: str, choices: Mapping[str, _T], default: str) -> _T:
    text = given.get(name, default)
    if text not in choices:
        raise _refused(name, "has a value that is not supported", f"use {' or '.join(choices)}")
    return choices[text]


def _refused(name: str, what: str, hint: str) -> InvalidUpstreamAddress:
    return InvalidUpstreamAddress(f"connection string: {name} {what}", hint=hint)
