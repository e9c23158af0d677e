"""Roles for a time at a running gateway of two workers: open sessions get them, and lose them."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg import errors
from tests.gateway.serving import logged, workers
from tests.gateway.signed_in import (
    EVERYTHING,
    HOUR,
    LOOK,
    MASKED,
    SUPPORT,
    WAY,
    WHOLE,
    House,
    Session,
    housed,
    rename,
    sees,
    shows,
)

from strongroom.errors import ServerFailed
from strongroom.lending import deeds
from strongroom.lending.model import Wanted
from strongroom.people.model import Verified
from strongroom.policy.roles import Policy
from strongroom.testing.raw_client import RawClient
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres import messages as m

ROLES: dict[str, Any] = {
    "support": SUPPORT,
    "repair": EVERYTHING
    | {
        "temporary": {"to": ["anna", "berta", "emil"], "by": ["berta", "carl"], "longest": "4h"},
        "break_glass": {"to": ["dora"], "longest": "30m"},
    },
}
PEOPLE = {name: ["support"] for name in ("anna", "berta", "carl", "dora", "emil")}


@pytest.fixture(scope="module")
def house(shop: PostgresServer) -> Iterator[House]:
    """Before it starts dora has broken the glass."""
    with housed(shop, "granted", ROLES, PEOPLE) as opened:
        yield opened


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
            wait_until(partial(shows, one, WHOLE), "the role has come")
        anna.execute("UPDATE people SET name = 'Johanna' WHERE id = 1")
        assert sees(berta) == MASKED
        house.command("revoke", str(number), who="carl")
        for one in (anna, second):
            wait_until(partial(shows, one, MASKED), "the role has gone")
        with pytest.raises(errors.InsufficientPrivilege, match=r"update on public\.people"):
            anna.execute("UPDATE people SET name = 'x' WHERE id = 1")
    for event in ("a role was asked for", "a role was granted", "a role was revoked"):
        (line,) = wait_until(partial(said_of, house, event, "anna"), "it is said")
        assert (line["role"], line["reason"]) == ("repair", "ticket 4711")


def said_of(house: House, event: str, person: str) -> list[dict[str, Any]]:
    """The lines of the log about one person."""
    return [one for one in logged(house.gateway, event) if one["person"] == person]


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
        wait_until(partial(shows, emil, WHOLE), "the role has come")
        begin_work(emil)
        house.revoke(grant)
        wait_until(lambda: has_lost(emil), "the role has gone")
        loses_what_was_begun(emil)


def test_what_was_begun_before_its_time_was_over(house: House) -> None:
    """By the clock, without a word from anybody."""
    house.give("emil", left=timedelta(seconds=10))
    with house.session("emil") as emil:
        wait_until(partial(shows, emil, WHOLE), "the role has come")
        begin_work(emil)
        wait_until(lambda: has_lost(emil), "its time is over")
        loses_what_was_begun(emil)


def test_a_portal_that_was_bound_before(house: House) -> None:
    """Its next rows are refused: what opens them was settled when it was bound."""
    grant = house.give("emil")
    with house.session("emil") as emil:
        wait_until(partial(shows, emil, WHOLE), "the role has come")
        with RawClient.connect(house.gateway.port) as client:
            client.log_in("emil", house.password("emil"), house.gateway.database)
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
            wait_until(partial(shows, emil, MASKED), "one session has lost it")
            wait_until(lambda: refused(client), "the portal gives no more")


def refused(client: RawClient) -> bool:
    """Whether the next row of the portal is; before, there is one more, and then none."""
    client.send(m.Execute("p", 1).serialise() + m.SYNC)
    came = client.until("Z")
    return any(tag == "E" and b"access-denied" in body for tag, body in came)


def test_a_state_that_cannot_be_read(house: House) -> None:
    """What runs ends by the clock, and nothing new counts; then all is as the state says."""
    house.give("emil", left=timedelta(seconds=10))
    with house.session("emil") as emil, house.session("anna") as anna:
        wait_until(partial(shows, emil, WHOLE), "the role has come")
        house.give("anna")
        wait_until(partial(shows, anna, WHOLE), "the other's has come, too")
        rename(house.state, "grants", "away")
        assert (sees(emil), sees(anna)) == (WHOLE, WHOLE)
        wait_until(lambda: logged(house.gateway, "roles for a time not read"), "it is said")
        wait_until(partial(shows, emil, MASKED), "its time is over")
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


def test_broken_glass_raises_the_alarm(house: House) -> None:
    """Though no gateway ran when it was broken: the one that starts says it, at the level for alarms."""
    with house.session("dora") as dora:
        wait_until(partial(shows, dora, WHOLE), "the role counts")
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


def test_a_worker_that_starts_later_knows(house: House) -> None:
    """Whoever comes in at it has the role in the first statement."""
    house.give("emil")
    with house.session("emil") as emil:
        wait_until(partial(shows, emil, WHOLE), "the role has come")
    count = len(logged(house.gateway, "worker ready"))
    for pid in workers(house.gateway):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(logged(house.gateway, "worker ready")) == count + 2, "two others are ready")
    for _ in range(4):
        with house.session("emil") as emil:
            assert sees(emil) == WHOLE


def test_a_configuration_of_ones_own_gives_nothing(house: House) -> None:
    """Whoever runs a command may name another file: whose agreement counts, the gateway's own says."""
    roles = house.policy.roles
    offer = roles["repair"].temporary
    assert offer is not None
    repair = replace(roles["repair"], temporary=replace(offer, by=frozenset({"dora"})))
    wanted = Wanted("repair", "berta", HOUR, "between us")
    grant = deeds.ask(
        house.state, Policy({"repair": repair}), Verified("dora", WAY, datetime.now(UTC)), wanted
    )
    assert grant.begins is not None
    wait_until(
        lambda: any(one["by"] == "dora" for one in said_of(house, deeds.GRANTED, "berta")), "it is heard"
    )
    with house.session("berta") as berta:
        assert sees(berta) == MASKED
        house.give("berta")
        wait_until(partial(shows, berta, WHOLE), "a true one counts")
