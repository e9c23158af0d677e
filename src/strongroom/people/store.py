"""People, their credentials and the counts of wrong sign-ins, in the state.

Times go in as arguments, and stand in UTC. What is kept of passwords are verifiers; the secrets of second
factors are there as they are (docs/threat-model.md says what that means). Called by `sign_in`, `credentials`,
the commands and, for credentials, by the gateway.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Float,
    Integer,
    Row,
    Table,
    Text,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection

from strongroom.people.model import Credential, Person
from strongroom.people.throttle import Rules, Tally
from strongroom.secret import Secret
from strongroom.state import Utc, metadata
from strongroom.wire.postgres.verifier import parse_verifier

KNOWN_AT_MOST = 64
"""So many credentials of one person are looked at when a session begins: the newest."""
REMEMBERED = timedelta(days=7)
"""For so long a credential is known as one that is over: a tool that tries it still guesses no password."""
NAME_AT_MOST = 64
TALLIES_AT_MOST = 10_000


_people = Table(
    "people",
    metadata,
    Column("name", Text, primary_key=True),
    Column("password", Text, nullable=False),
    Column("totp", Text, nullable=False),
    Column("last_step", Integer, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("updated", Utc, nullable=False),
)
_credentials = Table(
    "credentials",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False, index=True),
    Column("database", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("verifier", Text, nullable=False),
    Column("second_factor_at", Utc, nullable=False),
    Column("expires", Utc, nullable=False),
    Column("session_until", Utc, nullable=False),
    Column("revoked", Boolean, nullable=False),
)
_tallies = Table(
    "sign_in_tallies",
    metadata,
    Column("person", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last", Float, nullable=False),
    Column("free_at", Float, nullable=False),
)


# ------------------------------------------------------------------------------------------- people


def store_person(connection: Connection, person: Person) -> None:
    """Keeps a person, in place of what was kept before."""
    row = {
        "password": person.password.danger_reveal(),
        "totp": person.totp.danger_reveal(),
        "last_step": person.last_step,
        "disabled": person.disabled,
        "updated": person.updated,
    }
    statement = insert(_people).values(name=person.name, **row)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))


def find_person(connection: Connection, name: str) -> Person | None:
    """The person of this name, who may be disabled; the name may be anything."""
    row = connection.execute(select(_people).where(_people.c.name == _clipped(name))).first()
    return None if row is None else _person(row)


def all_people(connection: Connection) -> Sequence[Person]:
    """Who was added, by name."""
    return [_person(row) for row in connection.execute(select(_people).order_by(_people.c.name))]


def has_changed(connection: Connection, name: str, since: datetime) -> bool:
    """Whether the person is disabled, gone, or was renewed since."""
    person = find_person(connection, name)
    return person is None or person.disabled or person.updated > since


def disable_person(connection: Connection, name: str, now: datetime) -> None:
    """Takes away the right to sign in; what was given already goes with `revoke`."""
    where = _people.c.name == name
    connection.execute(update(_people).where(where).values(disabled=True, updated=now))


def use_step(connection: Connection, name: str, step: int) -> None:
    """Notes that the code of this step was used."""
    connection.execute(update(_people).where(_people.c.name == name).values(last_step=step))


def _person(row: Row[Any]) -> Person:
    return Person(row.name, Secret(row.password), Secret(row.totp), row.last_step, row.disabled, row.updated)


# -------------------------------------------------------------------------------------- credentials


def add_credential(connection: Connection, credential: Credential, now: datetime) -> None:
    """Keeps a credential; those that nobody should hold any more go."""
    connection.execute(delete(_credentials).where(_credentials.c.session_until <= now - REMEMBERED))
    connection.execute(
        insert(_credentials).values(
            id=credential.id,
            person=credential.person,
            database=credential.database,
            source=credential.source,
            verifier=credential.verifier.text(),
            second_factor_at=credential.second_factor_at,
            expires=credential.expires,
            session_until=credential.session_until,
            revoked=credential.revoked,
        )
    )


def credentials_of(connection: Connection, person: str) -> Sequence[Credential]:
    """The newest of a person, also those that open nothing any more: their use is worth a line in the log."""
    query = select(_credentials).where(_credentials.c.person == person)
    newest = query.order_by(_credentials.c.expires.desc()).limit(KNOWN_AT_MOST)
    return [_credential(row) for row in connection.execute(newest)]


def open_credentials(connection: Connection, person: str, now: datetime) -> int:
    """How many of a person may open sessions now."""
    count = select(func.count()).select_from(_credentials)
    mine = (_credentials.c.person == person) & (_credentials.c.expires > now) & ~_credentials.c.revoked
    return connection.scalar(count.where(mine)) or 0


def is_revoked(connection: Connection, credential: str) -> bool:
    """Whether it was taken back, or is not there any more."""
    found = connection.scalar(select(_credentials.c.revoked).where(_credentials.c.id == credential))
    return found is not False


def revoke(connection: Connection, person: str) -> None:
    """Takes back all that a person holds; sessions end when the gateway sees it, within seconds."""
    connection.execute(update(_credentials).where(_credentials.c.person == person).values(revoked=True))


def revoked(connection: Connection, now: datetime) -> set[str]:
    """The ids of those that were taken back and whose sessions could still be there."""
    where = _credentials.c.revoked & (_credentials.c.session_until > now)
    return set(connection.scalars(select(_credentials.c.id).where(where)))


def _credential(row: Row[Any]) -> Credential:
    return Credential(
        id=row.id,
        person=row.person,
        database=row.database,
        source=row.source,
        verifier=parse_verifier(row.verifier),
        second_factor_at=row.second_factor_at,
        expires=row.expires,
        session_until=row.session_until,
        revoked=row.revoked,
    )


# ------------------------------------------------------------------------------------- wrong sign-ins


def tally_of(connection: Connection, person: str, source: str) -> Tally:
    """The wrong tries of a person from there."""
    row = connection.execute(select(_tallies).where(_is(person, source))).first()
    return Tally() if row is None else Tally(row.failures, row.last, row.free_at)


def keep_tally(connection: Connection, person: str, source: str, tally: Tally) -> None:
    """Keeps them; of too many the oldest go."""
    row = {"failures": tally.failures, "last": tally.last, "free_at": tally.free_at}
    statement = insert(_tallies).values(person=_clipped(person), source=source, **row)
    connection.execute(statement.on_conflict_do_update(index_elements=["person", "source"], set_=row))
    oldest = select(_tallies.c.last).order_by(_tallies.c.last.desc()).offset(TALLIES_AT_MOST).limit(1)
    connection.execute(delete(_tallies).where(_tallies.c.last <= oldest.scalar_subquery()))


def drop_tally(connection: Connection, person: str, source: str) -> None:
    """Forgets them."""
    connection.execute(delete(_tallies).where(_is(person, source)))


def drop_tallies(connection: Connection, person: str) -> None:
    """Forgets those from everywhere."""
    connection.execute(delete(_tallies).where(_tallies.c.person == _clipped(person)))


def locked(connection: Connection, rules: Rules, now: datetime) -> set[tuple[str, str]]:
    """Persons and sources of which nothing counts now."""
    recent = _tallies.c.last > now.timestamp() - rules.lock_seconds
    found = select(_tallies.c.person, _tallies.c.source).where(
        recent & (_tallies.c.failures >= rules.failures)
    )
    return {(row.person, row.source) for row in connection.execute(found)}


def _is(person: str, source: str) -> ColumnElement[bool]:
    return (_tallies.c.person == _clipped(person)) & (_tallies.c.source == source)


def _clipped(person: str) -> str:
    """Nobody configured has a longer name, and who is nobody may have any."""
    return person[:NAME_AT_MOST].encode("utf-8", "replace").decode()
