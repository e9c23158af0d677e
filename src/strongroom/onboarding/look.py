"""The first look at a live database: its columns, its certificate, and whether Strongroom was here before.

Connects as the gateway will, so that what works here works there. Called by ``init``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from strongroom.errors import DatabaseProtectedAlready, UpstreamLoginRefused
from strongroom.gateway.certificate import Pin, pins_of
from strongroom.gateway.connector import Connector
from strongroom.gateway.kept import kept_beside
from strongroom.gateway.upstream_address import Upstream
from strongroom.onboarding.census import LiveColumn, take_census
from strongroom.secret import Secret


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What was found."""

    columns: tuple[LiveColumn, ...]
    with_password: bool  # the database asked for one
    pin: Pin | None  # of the public key that the database showed; None without TLS


async def look(upstream: Upstream, ask_password: Callable[[], Secret]) -> FirstLook:
    """Look once; ``ask_password`` is called where the database wants one and ``upstream`` has none."""
    try:
        return await _look(upstream)
    except UpstreamLoginRefused as error:
        if upstream.credentials.password is not None or error.upstream_sqlstate:
            raise
    return await _look(replace(upstream, credentials=replace(upstream.credentials, password=ask_password())))


async def _look(upstream: Upstream) -> FirstLook:
    connector = Connector.to(upstream)
    columns = await take_census(connector)
    if (await kept_beside(connector)).anything:
        raise DatabaseProtectedAlready(
            f"{upstream}: keysets of Strongroom are kept in this database",
            hint="Use the configuration and the root key they were made with; the table"
            " strongroom_keys.columns says which columns are protected.",
        )
    certificate = await connector.certificate()
    pin = None if certificate is None else pins_of(certificate)[0]
    return FirstLook(columns, upstream.credentials.password is not None, pin)
