"""People at a running gateway: their sessions, their commands, and the roles that they have for a time."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pyotp
from psycopg.rows import TupleRow
from tests.gateway.serving import configuration

from strongroom.config import StateAddress, load_policy
from strongroom.lending import deeds
from strongroom.lending.model import Grant, Wanted
from strongroom.people import sign_in
from strongroom.people.credentials import issue
from strongroom.people.model import Verified
from strongroom.policy.roles import Policy
from strongroom.secret import Secret
from strongroom.state import State, open_state
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer

WORDS = "correct horse battery staple"
WAY = "password and totp"
TABLES = """
CREATE TABLE people (id int PRIMARY KEY, email bytea, name text);
INSERT INTO people (id, name) VALUES (1, 'Johanna'), (2, 'Jonas');
"""
COLUMNS = {"public.people.email": {"type": "text", "encryption": "deterministic"}}
SUPPORT: dict[str, Any] = {
    "tables": {"public.people": ["select"]},
    "columns": {"public.people.id": "reveal", "public.people.name": {"show": {"mask": "first", "n": 1}}},
}
EVERYTHING: dict[str, Any] = {
    "tables": {"public.people": ["select", "insert", "update"]},
    "columns": {"public.people.*": "reveal"},
}
LOOK = "SELECT name FROM people WHERE id = 1"
MASKED, WHOLE = ("J****",), ("Johanna",)
HOUR = timedelta(hours=1)

Session = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class House:
    """A gateway, its state, and its people's authenticators."""

    gateway: Gateway
    state: State
    authenticators: dict[str, pyotp.TOTP]

    @property
    def policy(self) -> Policy:
        """Of the configuration."""
        return load_policy(self.gateway.configuration, self.gateway.environment)[1]

    def command(self, *arguments: str, who: str) -> str:
        """What a command of a person's prints, who shows password and code.

        Which code was used last is forgotten, so that nobody need wait for the next.
        """
        with self.state.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE people SET last_step = -1")
        typed = f"{WORDS}\n{self.authenticators[who].now()}\n"
        return self.gateway.command(*arguments, "--as", who, typed=typed)

    def password(self, name: str, *, ago: timedelta = timedelta(0)) -> str:
        """What somebody got who showed a second factor so long ago."""
        now = datetime.now(UTC)
        made = issue(
            self.state,
            Verified(name, WAY, now - ago),
            database=self.gateway.database,
            source="127.0.0.1",
            credential_time=timedelta(minutes=10),
            session_time=timedelta(hours=8),
            now=now,
        )
        return made.password.danger_reveal()

    def session(self, name: str, *, ago: timedelta = timedelta(0)) -> Session:
        """An open session of a person, who showed a second factor so long ago."""
        uri = self.gateway.uri(name, self.password(name, ago=ago))
        return psycopg.connect(uri, autocommit=True, prepare_threshold=None)

    def give(self, person: str, *, left: timedelta = HOUR) -> Grant:
        """A role for an hour, so much of which is left."""
        then = datetime.now(UTC) + left - HOUR
        wanted = Wanted("repair", person, HOUR, "ticket 4711")
        return deeds.ask(self.state, self.policy, Verified("carl", WAY, then), wanted)

    def take_at_night(self, person: str) -> Grant:
        """A role for half an hour, by breaking the glass."""
        wanted = Wanted("repair", person, HOUR / 2, "at night", broke_glass=True)
        return deeds.ask(self.state, self.policy, Verified(person, WAY, datetime.now(UTC)), wanted)

    def revoke(self, grant: Grant) -> None:
        """Taken back by another."""
        deeds.revoke(self.state, self.policy, Verified("carl", WAY, datetime.now(UTC)), grant.id)


@contextmanager
def housed(
    server: PostgresServer, database: str, roles: Mapping[str, Any], people: Mapping[str, list[str]]
) -> Iterator[House]:
    """A gateway of two workers with these roles, and people who hold some and were all added a day ago.

    A program holds all of them. Before it starts, dora has broken the glass, if she may.
    """
    server.create_database(database)
    server.run(TABLES, database)
    houses: list[House] = []

    def first(gateway: Gateway) -> None:
        held = {name: {"databases": [database], "roles": names} for name, names in people.items()}
        written = {name: {"databases": [database], **role} for name, role in roles.items()}
        read = configuration(gateway)
        program = read["accounts"][gateway.account.name] | {"roles": [*roles]}
        accounts = {gateway.account.name: program}
        gateway.configure(read | {"roles": written, "people": held, "accounts": accounts})
        state = open_state(StateAddress(gateway.folder / "state" / "state.db"))
        authenticators = {}
        for name in people:
            secret = sign_in.add(state, name, Secret(WORDS), datetime.now(UTC) - timedelta(days=1))
            authenticators[name] = pyotp.TOTP(secret.danger_reveal())
        houses.append(House(gateway, state, authenticators))
        if any("break_glass" in role for role in roles.values()):
            houses[0].take_at_night("dora")

    more = {"columns": COLUMNS}
    with Gateway.start(server, database, workers=2, more=more, first=first):
        yield houses[0]
        houses[0].state.close()


def sees(session: Session) -> object:
    """What is shown of a name."""
    return session.execute(LOOK).fetchone()


def shows(session: Session, what: object) -> bool:
    """Whether that is it."""
    return sees(session) == what


def rename(state: State, before: str, after: str) -> None:
    """As a broken file would be, but for a moment."""
    with state.engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {before} RENAME TO {after}")
