"""The first packet of a connection: what the client wants (manual, "Start-up" and "SSL Session Encryption").

It has no type byte. `first_packet` is fed what has arrived and says what it is once it is whole; who reads
the octets decides what to do with a request for encryption, since only the shell has a socket.

Called by `session/postgres.py` and `gateway/preamble.py`.
"""

from enum import Enum

from strongroom.errors import (
    AccessDenied,
    DumpRefused,
    MalformedMessage,
    StartupPacketTooLarge,
    UnsupportedProtocol,
)
from strongroom.wire.postgres.messages import (
    CANCEL_REQUEST,
    GSSENC_REQUEST,
    PROTOCOL_3_2,
    SSL_REQUEST,
    CancelRequest,
    NegotiateProtocolVersion,
    StartupMessage,
)

SMALLEST_PACKET = 8
"""Length and code."""

OPTION_PREFIX = "_pq_."
"""Start-up parameters with this prefix ask for protocol extensions."""


DUMPERS = frozenset({"pg_dump", "pg_dumpall"})
"""Names that these programs give themselves; refused to help, not to protect: a name is easily changed."""

REPLICATION_OFF = frozenset({"false", "off", "no", "0"})
"""The words for which PostgreSQL does not start a walsender (manual, "Streaming Replication Protocol")."""


class Encryption(Enum):
    """A request to encrypt the connection, answered with one octet before anything else."""

    TLS = SSL_REQUEST
    GSSAPI = GSSENC_REQUEST


def first_packet(data: bytes, limit: int) -> tuple[Encryption | CancelRequest | StartupMessage, int] | None:
    """Return the packet at the beginning of ``data`` and its length in octets, or None: more must come."""
    if len(data) < SMALLEST_PACKET:
        return None
    length, code = int.from_bytes(data[:4]), int.from_bytes(data[4:8])
    if length < SMALLEST_PACKET:
        raise MalformedMessage(f"a start-up packet gives its length as {length}")
    if length > limit:
        raise StartupPacketTooLarge(
            f"the start-up packet has {length} octets, more than the limit of {limit}",
            hint="Is this a PostgreSQL client? If so, raise `limits.startup_packet_bytes`.",
        )
    if code in (SSL_REQUEST, GSSENC_REQUEST):
        if length != SMALLEST_PACKET:
            raise MalformedMessage("a request for encryption has octets that it should not have")
        return Encryption(code), length
    if len(data) < length:
        return None
    body = data[4:length]
    packet = CancelRequest.parse(body) if code == CANCEL_REQUEST else StartupMessage.parse(body)
    return packet, length


def negotiate(startup: StartupMessage) -> tuple[int, bytes]:
    """Return the version to speak and what to say about it: nothing, or a NegotiateProtocolVersion.

    Raises `UnsupportedProtocol` for another major version.
    """
    if startup.version >> 16 != PROTOCOL_3_2 >> 16:
        raise UnsupportedProtocol(
            f"protocol {startup.version >> 16}.{startup.version & 0xFFFF} is not supported: 3.0 and 3.2 are",
            hint="Use a client of PostgreSQL 7.4 or newer.",
        )
    unknown = tuple(name for name in startup.parameters if name.startswith(OPTION_PREFIX))
    version = min(startup.version, PROTOCOL_3_2)
    if version == startup.version and not unknown:
        return version, b""
    return version, NegotiateProtocolVersion(version, unknown).serialise()


def account_of(startup: StartupMessage, *, guarded: bool) -> str:
    """Return the account that a client names; raises where no session may begin with what it asks for.

    ``guarded`` is whether there are protected columns.
    """
    account = startup.parameters.get("user", "")
    if not account:
        raise MalformedMessage("the start-up packet names no user")
    if startup.parameters.get("replication", "off").lower() not in REPLICATION_OFF:
        raise UnsupportedProtocol(
            "replication connections are not supported: the WAL holds other tables' rows too",
            hint="Connect to the database itself for replication; protected columns stay sealed there.",
        )
    if guarded and startup.parameters.get("application_name") in DUMPERS:
        raise DumpRefused(
            "a dump through the gateway would hold opened values in columns made for sealed ones",
            hint="Dump from the database itself: sealed values, and their wrapped keys in the schema "
            "strongroom, come along; keep the root key apart.",
        )
    return account


def check_settings(startup: StartupMessage) -> None:
    """Raises where a client whom a policy binds would begin as another role of the database's.

    In ``options`` a backslash stands before any character, and `-` for `_` (pg_split_opts, ParseLongOption).
    """
    names = {name.lower().replace("-", "_") for name in startup.parameters}
    options = startup.parameters.get("options", "").replace("\\", "").replace("-", "_").lower()
    for name in ("role", "session_authorization"):
        if name in names or name in options:
            raise AccessDenied(
                f"permission denied: {name} in the start-up packet",
                hint="Leave it out; SET needs the right `ddl` on the database.",
            )
