"""A gate: one database as a listener needs it, and the ways to it that the configuration names.

Made by `server` for its listeners, and by commands that speak to the database themselves.
"""

import ssl
from dataclasses import dataclass

from strongroom.config import Database, Settings
from strongroom.gateway.certificate import parse_pin
from strongroom.gateway.connector import Connector
from strongroom.gateway.tls import ServerTls, server_binding, server_context
from strongroom.gateway.upstream_address import parse_upstream
from strongroom.secret import Secret
from strongroom.session.relay import Limits
from strongroom.session.rules import Rules


@dataclass(frozen=True, slots=True)
class Gate:
    """One database as a listener needs it: how clients come in, and the way to upstream."""

    name: str
    settings: Database
    rules: Rules
    tls: ServerTls | None
    context: ssl.SSLContext | None
    binding: bytes | None
    connector: Connector


def gate_of(name: str, settings: Settings, mock_secret: bytes) -> Gate:
    """Build a gate; reads certificates and keys. Raises `ConfigError`."""
    database = settings.databases[name]
    tls = None
    if database.tls is not None:
        tls = ServerTls(database.tls.certificate, database.tls.key, database.tls.client_ca)
    limits = database.limits
    return Gate(
        name=name,
        settings=database,
        rules=Rules(
            database=name,
            limits=Limits(limits.message_bytes, limits.statements_per_session, limits.buffer_bytes),
            startup_packet_bytes=limits.startup_packet_bytes,
            tls_required=tls is not None and database.plaintext is None,
            recorded=settings.audit is not None,
            intended=settings.audit is not None and settings.audit.durability == "sync",
            mock_secret=mock_secret,
        ),
        tls=tls,
        context=None if tls is None else server_context(tls),
        binding=None if tls is None else server_binding(tls),
        connector=upstream_of(name, settings),
    )


def upstream_of(name: str, settings: Settings) -> Connector:
    """The way to the database as the upstream user; raises `ConfigError`."""
    database = settings.databases[name]
    return _way(settings, database, database.upstream, database.upstream_password)


def owner_of(name: str, settings: Settings) -> Connector | None:
    """The way to the database as the owner of its tables; None where none is configured."""
    database = settings.databases[name]
    if database.owner is None:
        return None
    return _way(settings, database, database.owner, database.owner_password)


def _way(settings: Settings, database: Database, uri: str, password: Secret | None) -> Connector:
    pins = tuple(parse_pin(pin) for pin in database.upstream_pin)
    return Connector.to(parse_upstream(uri, base=settings.file.parent, password=password, pins=pins))
