"""A session whose statements wait until their intents are on the disk, as playbooks."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.session.conversation import BOUND, DONE, ERROR, IDLE, PARSED, errors
from tests.session.guarding import SNAPSHOT, column, data_row, described
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
from tests.session.test_recorded_session import OWN_PATH

from strongroom.session import effects as do
from strongroom.session import events as ev
from strongroom.session.intending import IntendingSession
from strongroom.session.recorded_session import RecordedSession
from strongroom.session.recording import SUCCESSFUL, UNKNOWN, Begun, Done, Refused
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types
from strongroom.wire.postgres.codec import Framer, message

INTENDED = replace(RULES, recorded=True, intended=True)
READ_NOTE = m.ParameterDescription(()).serialise() + described(column("note", 4, types.TEXT))
PREPARE = m.Parse("s", "select note from people").serialise()
ROUND = m.Bind("", "s").serialise() + m.Execute("").serialise()
NOT_RUN = ("57014", "statement-not-run")


class Witness:
    """One such session, opened; what it gave for upstream and into the log."""

    def __init__(self, judge: Judge | None = None, *, buffer_bytes: int = 1 << 20) -> None:
        limits = replace(RULES.limits, buffer_bytes=buffer_bytes)
        self.session = IntendingSession(replace(INTENDED, limits=limits), ENTROPY, SNAPSHOT)
        self.keeps = 0
        for event in (
            CERTIFIED,
            ev.ClientData(startup()),
            ev.AccountKnown(WITH_CERTIFICATE),
            ev.Admitted(judge=judge or Judge()),
            ev.UpstreamConnected(upstream_login()),
            ev.UpstreamData(welcome()),
            ev.ClientData(m.Query("select 1").serialise()),
            ev.UpstreamData(OWN_PATH),
            ev.Kept(),
            ev.UpstreamData(DONE + IDLE),
        ):
            self.session.handle(event)
        self.effects: list[do.Effect] = []

    def when(self, event: ev.Event) -> list[do.Effect]:
        self.effects = self.session.handle(event)
        return self.effects

    def client(self, data: bytes) -> list[do.Effect]:
        return self.when(ev.ClientData(data))

    def query(self, text: str) -> list[do.Effect]:
        return self.client(m.Query(text).serialise())

    def upstream(self, data: bytes) -> list[do.Effect]:
        return self.when(ev.UpstreamData(data))

    def kept(self) -> list[do.Effect]:
        return self.when(ev.Kept())


def shown(effects: list[do.Effect]) -> list[str]:
    """Of each effect a word, or the types of the messages that go upstream."""
    return [
        tags(one.data)
        if isinstance(one, do.SendUpstream)
        else type(one.deed).__name__
        if isinstance(one, do.Record)
        else type(one).__name__
        for one in effects
    ]


def tags(octets: bytes) -> str:
    return "".join(chr(tag) for tag, _, _ in Framer(1 << 20).feed(octets)[1])


def ends(effects: list[do.Effect]) -> list[tuple[int, str, str | None]]:
    """Of each statement that has its end here the number, the SQLSTATE, and our code."""
    deeds = [one.deed for one in effects if isinstance(one, do.Record)]
    assert all(one.intended for one in deeds if isinstance(one, Done))
    return [(one.number, one.sqlstate, one.code) for one in deeds if isinstance(one, Done)]


def intents(effects: list[do.Effect]) -> list[int]:
    deeds = [one.deed for one in effects if isinstance(one, do.Record)]
    return [one.number for one in deeds if isinstance(one, Begun)]


def sent(effects: list[do.Effect]) -> bytes:
    return b"".join(one.data for one in effects if isinstance(one, do.SendUpstream))


# ------------------------------------------------------------------------------------ it waits


def test_a_statement_waits_for_its_intent() -> None:
    """It goes upstream once that is kept, and its end has the same number."""
    talk = Witness()
    assert shown(talk.query("select note from people where id = 4711")) == ["Begun", "Keep"]
    (intent,) = [one.deed for one in talk.effects if isinstance(one, do.Record)]
    assert intent.plan.text == "select note from people where id = $1"
    assert shown(talk.kept()) == ["Q"]
    answer = described(column("note", 4, types.TEXT)) + data_row(b"x") + DONE + IDLE
    assert shown(talk.upstream(answer)) == ["SendClient", "Done"]
    assert ends(talk.effects) == [(intent.number, SUCCESSFUL, None)]


def test_what_comes_meanwhile_waits_behind_it() -> None:
    """In order; and all of it once more, for the intents that it has."""
    talk = Witness()
    talk.query("select 1")
    assert shown(talk.query("select 2")) == ["Begun"]
    assert shown(talk.query("select 3")) == ["Begun"]
    assert shown(talk.kept()) == ["Q", "Keep"]
    assert sent(talk.kept()) == m.Query("select 2").serialise() + m.Query("select 3").serialise()
    assert shown(talk.kept()) == []


def test_what_needs_no_intent_waits_behind_one_that_does() -> None:
    """A Parse, a Sync: nothing overtakes; and by itself it does not wait."""
    talk = Witness()
    assert shown(talk.client(PREPARE + m.SYNC)) == ["PDS"]
    talk.upstream(PARSED + READ_NOTE + IDLE)
    talk.client(ROUND)
    assert shown(talk.client(m.SYNC)) == []
    assert shown(talk.kept()) == ["BES"]


def test_what_is_sent_together_waits_once() -> None:
    """Three rounds in a pipeline, and three statements in a query."""
    talk = Witness()
    talk.client(PREPARE + m.SYNC)
    talk.upstream(PARSED + READ_NOTE + IDLE)
    assert shown(talk.client(ROUND * 3 + m.SYNC)) == ["Begun"] * 3 + ["Keep"]
    assert shown(talk.kept()) == ["BEBEBES"]
    talk.upstream((BOUND + DONE) * 3 + IDLE)
    assert len(ends(talk.effects)) == 3
    assert shown(talk.query("select 1; select 2; select 3")) == ["Begun"] * 3 + ["Keep"]


def test_answers_go_on_meanwhile() -> None:
    """Of what was sent before."""
    talk = Witness()
    talk.query("select 1")
    talk.kept()
    talk.query("select 2")
    assert shown(talk.upstream(DONE + IDLE)) == ["SendClient", "Done"]
    assert shown(talk.kept()) == ["Q"]


def test_a_round_that_is_taken_whole_waits_too() -> None:
    """And its answer is recognised as a whole."""
    talk = Witness()
    talk.client(PREPARE + m.SYNC)
    talk.upstream(PARSED + READ_NOTE + IDLE)
    for _ in range(3):
        assert talk.session.begin_round(ROUND + m.SYNC) is None
        assert shown(talk.client(ROUND + m.SYNC)) == ["Begun", "Keep"]
        assert shown(talk.kept()) == ["BES"]
        answer = BOUND + data_row(b"x") + DONE + IDLE
        assert talk.session.end_round(answer) == answer
        (deed,) = talk.session.recording.take()
        assert isinstance(deed, Done)
        assert deed.intended


def test_a_refusal_waits_for_nothing() -> None:
    """It has one record, and no statement of the client's goes upstream."""
    talk = Witness(Judge(frozenset({"note"})))
    assert shown(talk.query("select note from people")) == ["Q", "Log", "Refused"]


def test_its_time_begins_when_it_is_sent() -> None:
    """The wait is not the database's."""
    talk = Witness()
    talk.session.recording.moment = 1.0
    talk.query("select 1")
    talk.session.recording.moment = 5.0
    talk.kept()
    talk.session.recording.moment = 5.5
    talk.upstream(DONE + IDLE)
    (deed,) = [one.deed for one in talk.effects if isinstance(one, do.Record)]
    assert isinstance(deed, Done)
    assert deed.seconds == 0.5


def test_no_more_is_held_than_there_is_room_for() -> None:
    """The client is read from again when it was sent."""
    talk = Witness(buffer_bytes=100)
    talk.query("select 1")
    assert talk.session.wants_client
    talk.query("select " + "1" * 100)
    assert not talk.session.wants_client
    assert talk.session.held > 100
    talk.kept()
    talk.kept()
    assert talk.session.wants_client
    assert talk.session.held == 0


@given(cuts=st.lists(st.integers(1, 200)), kept=st.lists(st.booleans(), max_size=300))
def test_in_whatever_pieces_it_comes_and_is_kept(cuts: list[int], kept: list[bool]) -> None:
    """What goes upstream is what the client sent, and nothing of a statement before its intent was kept."""
    talk = Witness()
    octets = b"".join(m.Query(f"select {one}").serialise() for one in range(10, 20))
    gone, waiting, keep = b"", 0, iter(kept)
    for piece in pieces(octets, cuts):
        events: list[ev.Event] = [ev.ClientData(piece)]
        events += [ev.Kept()] if next(keep, False) and waiting else []
        for event in events:
            effects = talk.when(event)
            waiting += effects.count(do.Keep()) - isinstance(event, ev.Kept)
            assert waiting in {0, 1}
            gone += sent(effects)
    while waiting:
        gone += sent(talk.kept())
        waiting += talk.effects.count(do.Keep()) - 1
    assert gone == octets
    talk.upstream((DONE + IDLE) * 10)
    assert [number for number, _, _ in ends(talk.effects)] == list(range(2, 12))


def pieces(octets: bytes, cuts: list[int]) -> list[bytes]:
    found, at = [], 0
    for cut in cuts:
        found.append(octets[at : at + cut])
        at += cut
    return [one for one in [*found, octets[at:]] if one]


# ------------------------------------------------------------------------------------ what never ran


def test_what_follows_an_error_in_a_query_has_its_end() -> None:
    """It was intended, and did not run."""
    talk = Witness()
    talk.query("select 1; select 1/0; select 2; select 3")
    talk.kept()
    talk.upstream(DONE + ERROR + IDLE)
    assert ends(talk.effects) == [(2, SUCCESSFUL, None), (3, "22012", None), (4, *NOT_RUN), (5, *NOT_RUN)]


@pytest.mark.parametrize("answer", [BOUND + DONE + BOUND + ERROR, BOUND + DONE + ERROR])
def test_what_is_skipped_in_a_pipeline_has_its_end(answer: bytes) -> None:
    """Behind an error in Execute or in Bind, up to the Sync; what follows that runs."""
    talk = Witness()
    talk.client(PREPARE + m.SYNC)
    talk.upstream(PARSED + READ_NOTE + IDLE)
    talk.client(ROUND * 4 + m.SYNC + ROUND + m.SYNC)
    talk.kept()
    found = ends(talk.upstream(answer + IDLE + BOUND + DONE + IDLE))
    assert [number for number, _, _ in found] == [2, 3, 4, 5, 6]
    failed = "22012" if answer.count(BOUND) == 2 else "57014"
    assert [state for _, state, _ in found] == [SUCCESSFUL, failed, "57014", "57014", SUCCESSFUL]


def test_a_round_whose_bind_fails_has_its_end() -> None:
    """Its Execute is skipped."""
    talk = Witness()
    talk.client(PREPARE + m.SYNC)
    talk.upstream(PARSED + READ_NOTE + IDLE)
    talk.client(ROUND + m.SYNC)
    talk.kept()
    assert talk.session.end_round(ERROR + IDLE) is None
    assert ends(talk.upstream(ERROR + IDLE)) == [(2, *NOT_RUN)]


def test_a_portal_that_is_asked_twice_has_two_intents() -> None:
    """Each with its rows."""
    talk = Witness()
    talk.client(PREPARE + m.SYNC)
    talk.upstream(PARSED + READ_NOTE + IDLE)
    twice = m.Bind("p", "s").serialise() + m.Execute("p", 2).serialise() * 2 + m.SYNC
    assert intents(talk.client(twice)) == [2, 3]
    talk.kept()
    talk.upstream(BOUND + data_row(b"x") * 2 + message(b"s", b"") + data_row(b"x") + DONE + IDLE)
    deeds = [one.deed for one in talk.effects if isinstance(one, do.Record)]
    assert [(one.number, one.rows) for one in deeds if isinstance(one, Done)] == [(2, 2), (3, 1)]


@pytest.mark.parametrize(
    "end",
    [
        ev.UpstreamClosed(),
        ev.ClientClosed(),
        ev.TimedOut("session_seconds"),
        ev.ClientData(m.TERMINATE),
    ],
)
def test_what_is_held_at_the_end_is_not_sent(end: ev.Event) -> None:
    """It is recorded that it did not run; of what was sent, that nobody knows."""
    talk = Witness()
    talk.query("update people set note = 'x' where id = 1")
    talk.kept()
    talk.query("update people set note = 'x' where id = 2")
    talk.query("update people set note = 'x' where id = 3")
    talk.when(end)
    assert shown(talk.effects)[-4:] == ["Done"] * 3 + ["Close"]
    assert sent(talk.effects) == b""
    assert ends(talk.effects) == [(2, UNKNOWN, None), (3, *NOT_RUN), (4, *NOT_RUN)]
    assert talk.kept() == []


def test_a_client_that_leaves_at_once() -> None:
    """Its statement and its farewell came in one piece: neither is sent."""
    talk = Witness()
    talk.client(m.Query("select 1").serialise() + m.TERMINATE)
    assert shown(talk.effects) == ["Begun", "Done", "Close"]
    assert ends(talk.effects) == [(2, *NOT_RUN)]


# ------------------------------------------------------------------------------------ cancels


def test_a_query_that_is_cancelled_while_it_waits() -> None:
    """Upstream rejects something else in its place; the session goes on."""
    talk = Witness()
    assert not talk.session.cancels
    talk.query("update people set note = 'x'")
    assert talk.session.cancels
    talk.when(ev.StatementCancelled())
    assert shown(talk.effects) == ["Q", "Done"]
    assert ends(talk.effects) == [(2, *NOT_RUN)]
    assert b"people" not in sent(talk.effects)
    told = talk.upstream(ERROR + IDLE)
    assert ends(told) == []
    (error,) = errors(b"".join(one.data for one in told if isinstance(one, do.SendClient)))
    assert error.fields["C"] == "57014"
    for _ in range(2):  # while there is no recorder, again and again
        assert shown(talk.query("select 1")) == ["Begun", "Keep"]
        assert talk.session.cancels
        assert shown(talk.when(ev.StatementCancelled())) == ["Q", "Done"]
        talk.upstream(ERROR + IDLE)
    assert shown(talk.query("select 2")) == ["Begun", "Keep"]
    assert [shown(talk.kept()) for _ in range(4)] == [[], [], [], ["Q"]]
    assert talk.session.held == 0


def test_a_pipeline_that_is_cancelled_while_it_waits() -> None:
    """Up to its Sync; what follows that waits on."""
    talk = Witness()
    talk.client(PREPARE + m.SYNC)
    talk.upstream(PARSED + READ_NOTE + IDLE)
    talk.client(ROUND * 2 + m.SYNC)
    talk.client(ROUND + m.SYNC)
    assert shown(talk.when(ev.StatementCancelled())) == ["ES", "Keep"]
    assert not talk.session.cancels
    talk.upstream(ERROR + IDLE)
    assert ends(talk.effects) == [(2, *NOT_RUN), (3, *NOT_RUN)]
    assert shown(talk.kept()) == []
    assert shown(talk.kept()) == ["BES"]
    talk.upstream(BOUND + DONE + IDLE)
    assert ends(talk.effects) == [(4, SUCCESSFUL, None)]


def test_a_round_that_is_cancelled_while_it_waits() -> None:
    """It is written into the books first."""
    talk = Witness()
    talk.client(PREPARE + m.SYNC)
    talk.upstream(PARSED + READ_NOTE + IDLE)
    talk.client(ROUND + m.SYNC)
    talk.when(ev.StatementCancelled())
    talk.upstream(ERROR + IDLE)
    assert ends(talk.effects) == [(2, *NOT_RUN)]
    talk.kept()
    assert shown(talk.client(ROUND + m.SYNC)) == ["Begun", "Keep"]


def test_a_cancel_is_for_what_upstream_is_at() -> None:
    """Where something was sent before, that is what it meets."""
    talk = Witness()
    talk.query("select 1")
    talk.kept()
    talk.query("select 2")
    assert not talk.session.cancels


def test_without_intents_nothing_waits() -> None:
    """The session of the mode `batch` asks for nothing to be kept."""
    session = RecordedSession(replace(RULES, recorded=True), ENTROPY, SNAPSHOT)
    assert not session.cancels
    assert session.recording.take() == []


def test_what_was_refused_is_numbered_among_them() -> None:
    """Numbers are those of the order in which statements came."""
    talk = Witness(Judge(frozenset({"email"})))
    talk.query("select 1")
    talk.query("select email from people")
    talk.query("select 2")
    deeds = [one.deed for one in talk.effects if isinstance(one, do.Record)]
    assert [one.number for one in deeds] == [4]
    assert not any(isinstance(one, Refused) for one in deeds)
