"""Roles for a time at a running gateway of two workers: open sessions get them, and lose them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pyotp
import pytest
from psycopg import errors
from psycopg.rows import TupleRow
from tests.gateway.serving import configuration, logged

from strongroom.config import StateAddress, load_policy
from strongroom.errors import ServerFailed
from strongroom.grants import deeds
from strongroom.grants.model import Grant, Wanted
from strongroom.people import sign_in
from strongroom.people.credentials import issue
from strongroom.people.model import Verified
from strongroom.policy.roles import Policy
from strongroom.secret import Secret
from strongroom.state import State, open_state
from strongroom.testing.gateway import Gateway
from strongroom.testing.raw_client import RawClient
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres import messages as m

WORDS = "correct horse battery staple"
NAME = "granted"
TABLES = """
CREATE TABLE people (id int PRIMARY KEY, email bytea, name text);
INSERT INTO people (id, name) VALUES (1, 'Johanna'), (2, 'Jonas');
"""
COLUMNS = {"public.people.email": {"type": "text", "encryption": "deterministic"}}
ROLES: dict[str, Any] = {
    "support": {
        "databases": [NAME],
        "tables": {"public.people": ["select"]},
        "columns": {
            "public.people.id": "reveal",
            "public.people.name": {"show": {"mask": "first", "n": 1}},
        },
    },
    "repair": {
        "databases": [NAME],
        "tables": {"public.people": ["select", "insert", "update"]},
        "columns": {"public.people.*": "reveal"},
        "temporary": {"to": ["anna", "berta", "emil"], "by": ["berta", "carl"], "longest": "4h"},
        "break_glass": {"to": ["dora"], "longest": "30m"},
    },
}
PEOPLE = ("anna", "berta", "carl", "dora", "emil")
LOOK = "SELECT name FROM people WHERE id = 1"
MASKED, WHOLE = ("J****",), ("Johanna",)
HOUR = timedelta(hours=1)

Session = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class House:
    """A gateway, its state, its policy, and its people's authenticators."""

    gateway: Gateway
    state: State
    policy: Policy
    authenticators: dict[str, pyotp.TOTP]

    def command(self, *arguments: str, who: str) -> str:
        """What a command of a person's prints, who shows password and code.

        Which code was used last is forgotten, so that nobody need wait for the next.
        """
        with self.state.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE people SET last_step = -1")
        typed = f"{WORDS}\n{self.authenticators[who].now()}\n"
        return self.gateway.command(*arguments, "--as", who, typed=typed)

    def session(self, name: str, *, ago: timedelta = timedelta(0)) -> Session:
        """An open session of a person, who signed in so long ago."""
        now = datetime.now(UTC)
        made = issue(
            self.state,
            Verified(name, "password and totp", now - ago),
            database=NAME,
            source="127.0.0.1",
            credential_time=timedelta(minutes=10),
            session_time=timedelta(hours=8),
            now=now,
        )
        return psycopg.connect(
            self.gateway.uri(name, made.password.danger_reveal()), autocommit=True, prepare_threshold=None
        )

    def give(self, person: str, *, left: timedelta = HOUR) -> Grant:
        """A role for an hour, so much of which is left."""
        then = datetime.now(UTC) + left - HOUR
        wanted = Wanted("repair", person, HOUR, "ticket 4711")
        return deeds.ask(self.state, self.policy, Verified("carl", "password and totp", then), wanted)

    def revoke(self, grant: Grant) -> None:
        """Taken back by another."""
        deeds.revoke(
            self.state, self.policy, Verified("carl", "password and totp", datetime.now(UTC)), grant.id
        )


def prepared_house(gateway: Gateway) -> tuple[State, dict[str, pyotp.TOTP]]:
    """The roles and the people, who were all added a day ago."""
    people = {name: {"databases": [NAME], "roles": ["support"]} for name in PEOPLE}
    gateway.configure(configuration(gateway) | {"roles": ROLES, "people": people})
    state = open_state(StateAddress(gateway.folder / "state" / "state.db"))
    authenticators = {}
    for name in PEOPLE:
        secret = sign_in.add(state, name, Secret(WORDS), datetime.now(UTC) - timedelta(days=1))
        authenticators[name] = pyotp.TOTP(secret.danger_reveal())
    return state, authenticators


@pytest.fixture(scope="module")
def house(shop: PostgresServer) -> Iterator[House]:
    """Two workers; before they start dora has broken the glass."""
    shop.create_database(NAME)
    shop.run(TABLES, NAME)
    found: list[tuple[State, dict[str, pyotp.TOTP]]] = []

    def first(gateway: Gateway) -> None:
        found.append(prepared_house(gateway))
        policy = load_policy(gateway.configuration, gateway.environment)[1]
        night = Wanted("repair", "dora", HOUR / 2, "at night", broke_glass=True)
        deeds.ask(found[0][0], policy, Verified("dora", "password and totp", datetime.now(UTC)), night)

    more = {"columns": COLUMNS}
    with Gateway.start(shop, NAME, workers=2, more=more, first=first) as running:
        policy = load_policy(running.configuration, running.environment)[1]
        yield House(running, found[0][0], policy, found[0][1])
        found[0][0].close()


def sees(session: Session) -> object:
    """What is shown of a name."""
    return session.execute(LOOK).fetchone()


def test_from_request_to_revoke_in_one_session(house: House) -> None:
    """Asked for and agreed to by another on the command line; the session that was open sees the value."""
    with house.session("anna") as anna, house.session("anna") as second, house.session("berta") as berta:
        assert [sees(one) for one in (anna, second, berta)] == [MASKED] * 3
        house.command("request", "repair", "--for", "2h", "--reason", "ticket 4711", who="anna")
        (number,) = [
            one["number"]
            for one in json.loads(house.gateway.command("grants", "--json"))
            if one["person"] == "anna"
        ]
        house.command("approve", str(number), who="berta")
        for one in (anna, second):
            wait_until(lambda one=one: sees(one) == WHOLE, "the role has come")
        anna.execute("UPDATE people SET name = 'Johanna' WHERE id = 1")
        assert sees(berta) == MASKED
        house.command("revoke", str(number), who="carl")
        for one in (anna, second):
            wait_until(lambda one=one: sees(one) == MASKED, "the role has gone")
        with pytest.raises(errors.InsufficientPrivilege, match=r"update on public\.people"):
            anna.execute("UPDATE people SET name = 'x' WHERE id = 1")
    for event in ("a role was asked for", "a role was granted", "a role was revoked"):
        (line,) = wait_until(
            lambda event=event: [one for one in logged(house.gateway, event) if one["person"] == "anna"],
            "it is said",
        )
        assert (line["role"], line["reason"]) == ("repair", "ticket 4711")


def begin_work(session: Session) -> None:
    """Statements prepared by protocol and by SQL, a cursor, and a portal that gave its first row."""
    session.execute("BEGIN")
    session.execute(LOOK, prepare=True)
    session.execute("PREPARE p AS SELECT name FROM people ORDER BY id")
    session.execute("DECLARE c CURSOR FOR SELECT upper(name) FROM people ORDER BY id")
    assert session.execute("FETCH 1 FROM c").fetchone() == ("JOHANNA",)
    assert session.execute("EXECUTE p").fetchone() == WHOLE


def has_lost(session: Session) -> bool:
    """Whether a statement of its own is judged without the role."""
    session.execute("SAVEPOINT s")
    try:
        return sees(session) == MASKED
    finally:
        session.execute("ROLLBACK TO s")


def loses_what_was_begun(session: Session) -> None:
    """Nothing that was prepared, declared or opened before gives more than the session may see now."""
    assert session.execute(LOOK, prepare=True).fetchone() == MASKED
    for late, error in (
        ("EXECUTE p", errors.InvalidSqlStatementName),  # to be prepared again, with the mask
        ("FETCH 1 FROM c", errors.InsufficientPrivilege),
        ("UPDATE people SET name = 'x'", errors.InsufficientPrivilege),
    ):
        session.execute("SAVEPOINT s")
        with pytest.raises(error):
            session.execute(late)
        session.execute("ROLLBACK TO s")
    session.execute("ROLLBACK")


def test_what_was_begun_before_it_was_revoked(house: House) -> None:
    """In the middle of a transaction."""
    grant = house.give("emil")
    with house.session("emil") as emil:
        wait_until(lambda: sees(emil) == WHOLE, "the role has come")
        begin_work(emil)
        house.revoke(grant)
        wait_until(lambda: has_lost(emil), "the role has gone")
        loses_what_was_begun(emil)


def test_what_was_begun_before_its_time_was_over(house: House) -> None:
    """By the clock, without a word from anybody."""
    house.give("emil", left=timedelta(seconds=6))
    with house.session("emil") as emil:
        wait_until(lambda: sees(emil) == WHOLE, "the role has come")
        begin_work(emil)
        wait_until(lambda: has_lost(emil), "its time is over")
        loses_what_was_begun(emil)


def test_a_portal_that_was_bound_before(house: House) -> None:
    """Its next rows are refused: what opens them was settled when it was bound."""
    grant = house.give("emil")
    with house.session("emil") as emil:
        wait_until(lambda: sees(emil) == WHOLE, "the role has come")
        password = issue(
            house.state,
            Verified("emil", "password and totp", datetime.now(UTC)),
            database=NAME,
            source="127.0.0.1",
            credential_time=timedelta(minutes=10),
            session_time=timedelta(hours=8),
            now=datetime.now(UTC),
        ).password.danger_reveal()
        with RawClient.connect(house.gateway.port) as client:
            client.log_in("emil", password, NAME)
            client.ask("BEGIN")
            query = "SELECT name FROM people ORDER BY id"
            client.send(
                m.Parse("s", query).serialise()
                + m.Bind("p", "s").serialise()
                + m.Execute("p", 1).serialise()
                + m.SYNC
            )
            assert [tag for tag, _ in client.until("Z")] == ["1", "2", "D", "s", "Z"]
            house.revoke(grant)
            wait_until(lambda: sees(emil) == MASKED, "one session has lost it")
            wait_until(lambda: refused(client), "the portal gives no more")


def refused(client: RawClient) -> bool:
    """Whether the next row of the portal is; before, there is one more, and then none."""
    client.send(m.Execute("p", 1).serialise() + m.SYNC)
    came = client.until("Z")
    return any(tag == "E" and b"access-denied" in body for tag, body in came)


def test_a_state_that_cannot_be_read(house: House) -> None:
    """What runs ends by the clock, and nothing new counts; then all is as the state says."""
    house.give("emil", left=timedelta(seconds=6))
    with house.session("emil") as emil, house.session("anna") as anna:
        wait_until(lambda: sees(emil) == WHOLE, "the role has come")
        house.give("anna")
        wait_until(lambda: sees(anna) == WHOLE, "the other's has come, too")
        rename(house.state, "grants", "away")
        assert (sees(emil), sees(anna)) == (WHOLE, WHOLE)
        wait_until(lambda: logged(house.gateway, "roles for a time not read"), "it is said")
        wait_until(lambda: sees(emil) == MASKED, "its time is over")
        assert sees(anna) == WHOLE
        rename(house.state, "away", "grants")
        house.gateway.command("people", "disable", "anna")
        wait_until(lambda: anna.broken or ended(anna), "the session is over")


def ended(session: Session) -> bool:
    """Whether it was ended."""
    try:
        session.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


def rename(state: State, before: str, after: str) -> None:
    """As a broken file would be, but for a moment."""
    with state.engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {before} RENAME TO {after}")


def test_broken_glass_raises_the_alarm(house: House) -> None:
    """Though no gateway ran when it was broken: the one that starts says it, at the level for alarms."""
    with house.session("dora") as dora:
        wait_until(lambda: sees(dora) == WHOLE, "the role counts")
    (line,) = wait_until(lambda: logged(house.gateway, "the glass was broken"), "the alarm is raised")
    assert (line["level"], line["person"], line["role"], line["reason"]) == (
        *("critical", "dora", "repair", "at night"),
    )
    assert datetime.fromisoformat(line["until"]) > datetime.now(UTC)


def test_nobody_agrees_to_their_own(house: House) -> None:
    """Berta may agree to the role and may have it; her own needs another, and her session sees nothing."""
    said = house.command("grant", "repair", "--to", "berta", "--for", "1h", "--reason", "mine", who="berta")
    number = said.split(":")[0].removeprefix("Number ")
    before = house.gateway.command("grants", "--json")
    with pytest.raises(ServerFailed) as failed:
        house.command("approve", number, who="berta")
    assert "grant-refused" in failed.value.detail
    assert house.gateway.command("grants", "--json") == before
    with house.session("berta") as berta:
        assert sees(berta) == MASKED
