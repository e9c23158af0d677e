"""A session whose statements are recorded, as playbooks."""

from dataclasses import replace

import pytest
from tests.session.conversation import DONE, ERROR, IDLE
from tests.session.guarding import PATH, SNAPSHOT, column, data_row, described
from tests.session.test_policing import Judge
from tests.session.test_postgres import (
    CERTIFIED,
    ENTROPY,
    RULES,
    WITH_CERTIFICATE,
    startup,
    upstream_login,
    welcome,
)

from strongroom.errors import Bug
from strongroom.session import effects as do
from strongroom.session import events as ev
from strongroom.session.recorded_session import RecordedSession
from strongroom.session.recording import SUCCESSFUL, UNKNOWN, Done, Refused
from strongroom.testing.playbook import Playbook
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types
from strongroom.wire.postgres.codec import message

RECORDED = replace(RULES, recorded=True)
OWN_PATH = (
    message(b"1", b"")
    + message(b"2", b"")
    + data_row(f'{{"path": ["{PATH[0]}", "{PATH[1]}"]}}'.encode(), b"{}")
    + DONE
    + message(b"3", b"") * 2
    + IDLE
)


def opened(judge: Judge) -> Playbook:
    """A session that is open; what it does to come so far is told in `test_postgres`."""
    book = Playbook(RecordedSession(RECORDED, ENTROPY, SNAPSHOT))
    events: list[ev.Event] = [
        CERTIFIED,
        ev.ClientData(startup()),
        ev.AccountKnown(WITH_CERTIFICATE),
        ev.Admitted(judge=judge),
        ev.UpstreamConnected(upstream_login()),
        ev.UpstreamData(welcome()),
    ]
    for event in events:
        book.session.handle(event)
    return book


def asked(book: Playbook, text: str) -> list[do.Effect]:
    """The effects of a query, once the gateway's own question was answered."""
    first = book.session.handle(ev.ClientData(m.Query(text).serialise()))
    return [*first, *book.session.handle(ev.UpstreamData(OWN_PATH))]


def test_a_statement_that_ran_is_an_effect_behind_its_answer() -> None:
    """The client does not wait for its record."""
    book = opened(Judge())
    asked(book, "select note from people where id = 4711")
    answer = described(column("note", 4, types.TEXT)) + data_row(b"x") + DONE + IDLE
    told, recorded = book.session.handle(ev.UpstreamData(answer))
    assert told == do.SendClient(answer)
    assert isinstance(recorded, do.Record)
    assert isinstance(recorded.deed, Done)
    assert (recorded.deed.sqlstate, recorded.deed.rows) == (SUCCESSFUL, 1)
    assert recorded.deed.plan.text == "select note from people where id = $1"


def test_a_refusal_is_an_effect_when_it_is_sent() -> None:
    """Upstream's answer to what stands in its place has no record of its own."""
    book = opened(Judge(frozenset({"note"})))
    *_, recorded = asked(book, "select note from people")
    assert isinstance(recorded, do.Record)
    assert isinstance(recorded.deed, Refused)
    assert recorded.deed.code == "access-denied"
    effects = book.session.handle(ev.UpstreamData(ERROR + IDLE))
    assert not [one for one in effects if isinstance(one, do.Record)]


@pytest.mark.parametrize("end", [ev.UpstreamClosed(), ev.ClientClosed(), ev.TimedOut("session_seconds")])
def test_the_end_is_last(end: ev.Event) -> None:
    """What is under way is recorded before both sides are closed."""
    book = opened(Judge())
    asked(book, "update people set note = 'x' where id = 1")
    *_, recorded, closed = book.session.handle(end)
    assert closed == do.Close()
    assert isinstance(recorded, do.Record)
    assert isinstance(recorded.deed, Done)
    assert recorded.deed.sqlstate == UNKNOWN
    assert book.session.handle(ev.ClientClosed()) == []


def test_the_moment_is_the_drivers() -> None:
    """No clock is read here."""
    book = opened(Judge())
    assert isinstance(book.session, RecordedSession)
    asked(book, "select note from people")
    book.session.recording.moment = 2.5
    *_, recorded = book.session.handle(
        ev.UpstreamData(described(column("note", 4, types.TEXT)) + DONE + IDLE)
    )
    assert isinstance(recorded, do.Record)
    assert isinstance(recorded.deed, Done)
    assert recorded.deed.seconds == 2.5


def test_statements_that_nobody_looks_into_cannot_be_recorded() -> None:
    """Before a database with nothing to protect a session passes octets, and could not say what ran."""
    with pytest.raises(Bug):
        RecordedSession(RECORDED, ENTROPY)
