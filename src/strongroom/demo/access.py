"""The same SELECT as three: the application, an analyst and an intern. A step of the story.

Roles are written into the configuration of the gateway that runs; a reload is all it takes.
"""

import secrets
import signal
from collections.abc import Callable
from typing import Any

import psycopg
import yaml

from strongroom.secret import Secret
from strongroom.testing.gateway import Gateway
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres.verifier import SALT_BYTES, make_verifier

QUERY = "SELECT name, email, iban, born FROM customers WHERE id = 1"

ROLES: dict[str, Any] = {
    "application": {
        "tables": {"public.*": ["select", "insert", "update", "delete"]},
        "columns": {"*": "reveal"},
    },
    "analyst": {
        "tables": {"public.customers": ["select"]},
        "columns": {
            "public.customers.*": "reveal",
            "public.customers.name": {"show": {"mask": "first", "n": 1}},
            "public.customers.email": {"show": {"mask": "email"}, "filter": True},
            "public.customers.iban": {"show": {"mask": "last", "n": 4}},
            "public.customers.born": {"show": {"mask": "date", "to": "year"}, "filter": True},
        },
    },
    "intern": {"tables": {"public.customers": "nothing"}},
}


def as_three(gateway: Gateway, quote: Callable[[str, str], None]) -> tuple[list[str], list[str], str]:
    """What the application and the analyst see, and what the intern hears."""
    password = secrets.token_urlsafe()
    _give_roles(gateway, password)
    quote(QUERY, "cyan")
    wait_until(lambda: _may_log_in(gateway, password), "the gateway knows the analyst")
    with psycopg.connect(gateway.uri()) as application:
        whole = _row(application)
    with psycopg.connect(gateway.uri("analyst", password)) as analyst:
        masked = _row(analyst)
    try:
        with psycopg.connect(gateway.uri("intern", password)) as intern:
            _row(intern)
    except psycopg.Error as error:
        return whole, masked, str(error).splitlines()[0]
    return whole, masked, ""


def _give_roles(gateway: Gateway, password: str) -> None:
    written = yaml.safe_load(gateway.configuration.read_text())
    database = gateway.database
    written["roles"] = {name: {"databases": [database], **role} for name, role in ROLES.items()}
    written["accounts"][gateway.account.name]["roles"] = ["application"]
    for name in ("analyst", "intern"):
        verifier = make_verifier(Secret(password), secrets.token_bytes(SALT_BYTES)).text()
        written["accounts"][name] = {"databases": [database], "password": verifier, "roles": [name]}
    gateway.configure(written)
    gateway.signal(signal.SIGHUP)


def _may_log_in(gateway: Gateway, password: str) -> bool:
    try:
        psycopg.connect(gateway.uri("analyst", password)).close()
    except psycopg.OperationalError:
        return False
    return True


def _row(connection: psycopg.Connection) -> list[str]:
    (row,) = connection.execute(QUERY).fetchall()
    return [str(value) for value in row]
