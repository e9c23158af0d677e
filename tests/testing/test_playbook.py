"""Playbooks fail at the first step that goes otherwise, and say which it was."""

import pytest

from strongroom.session import effects as do
from strongroom.session import events as ev
from strongroom.testing.playbook import Asks, Expected, Fails, Logs, Playbook, Tells, ends
from strongroom.wire.postgres import messages as m

QUERY = m.Query("SELECT 1").serialise()
FATAL = m.ErrorResponse.of("FATAL", "57P05", "too late [time-limit-reached]").serialise()


class Echo:
    """Sends the client's octets upstream and upstream's to the client; ends with either."""

    def handle(self, event: ev.Event) -> list[do.Effect]:
        """What is to be done."""
        match event:
            case ev.ClientData(data):
                return [do.SendUpstream(data)]
            case ev.UpstreamData(data):
                return [do.SendClient(data), do.Log("told", {"code": "x"})]
        return [do.Close()]


def test_what_goes_as_written_passes() -> None:
    """By effects themselves or by matchers, in order."""
    (
        Playbook(Echo())
        .client(QUERY).then(do.SendUpstream(QUERY))
        .client(QUERY + m.SYNC).then(Asks("QS"))
        .upstream(m.ready_for_query("I")).then(Tells("Z"), Logs("told", "x"))
        .when(ev.ClientClosed()).then(do.Close())
        .over()
    )  # fmt: skip


@pytest.mark.parametrize(
    "expected",
    [
        (), (Asks("S"),), (Asks("QQ"),), (Tells("Q"),), (do.Close(),), (Asks("Q"), do.Close()),
        (do.SendUpstream(QUERY + b"x"),), (Logs("told"),),
    ],
)  # fmt: skip
def test_what_goes_otherwise_fails(expected: tuple[Expected, ...]) -> None:
    """Other effects, fewer, more or others than were written."""
    with pytest.raises(AssertionError, match="after ClientData"):
        Playbook(Echo()).client(QUERY).then(*expected)


def test_what_was_not_said_fails_at_the_next_step() -> None:
    """Nothing may be left out, at the end neither."""
    with pytest.raises(AssertionError, match="nothing was expected"):
        Playbook(Echo()).client(QUERY).client(QUERY)
    with pytest.raises(AssertionError, match="nothing was expected"):
        Playbook(Echo()).client(QUERY).over()


def test_a_message_that_is_cut_is_not_the_message() -> None:
    """Tags are those of whole messages."""
    with pytest.raises(AssertionError, match="Q…"):
        Playbook(Echo()).client(QUERY + m.SYNC[:3]).then(Asks("Q"))


@pytest.mark.parametrize(
    ("matcher", "matches"),
    [
        (Fails("time-limit-reached", "57P05"), True), (Fails("time-limit-reached", "57P01"), False),
        (Fails("other", "57P05"), False),
    ],
)  # fmt: skip
def test_an_end_is_known_by_its_code(matcher: Fails, matches: bool) -> None:
    """And by its SQLSTATE; an error that is not FATAL, or has company, is no end."""
    assert matcher.matches(do.SendClient(FATAL)) is matches
    assert not matcher.matches(do.SendUpstream(FATAL))
    assert not matcher.matches(do.SendClient(FATAL + m.ready_for_query("I")))
    assert not matcher.matches(do.SendClient(FATAL.replace(b"FATAL", b"ERROR")))


def test_a_log_is_known_by_its_event_and_code() -> None:
    """A line without a code has none."""
    assert Logs("x").matches(do.Log("x", {}))
    assert not Logs("x").matches(do.Log("x", {"code": "a"}))
    assert not Logs("x", "a").matches(do.Log("y", {"code": "a"}))
    assert ends("a", "b")[0] == Fails("a", "b")
