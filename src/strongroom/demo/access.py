"""The same SELECT as three: the application, an analyst and an intern. A step of the story.

Roles are written into the configuration of the gateway that runs; a reload is all it takes.
"""

import secrets
import signal
from collections.abc import Callable
from typing import Any

import psycopg

from strongroom.testing.gateway import Gateway
from strongroom.testing.waiting import wait_until

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
    held = {gateway.account.name: ["application"], "analyst": ["analyst"], "intern": ["intern"]}
    gateway.give_roles(ROLES, held, password)
    gateway.signal(signal.SIGHUP)
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


def _may_log_in(gateway: Gateway, password: str) -> bool:
    try:
        psycopg.connect(gateway.uri("analyst", password)).close()
    except psycopg.OperationalError:
        return False
    return True


def _row(connection: psycopg.Connection) -> list[str]:
    (row,) = connection.execute(QUERY).fetchall()
    return [str(value) for value in row]
