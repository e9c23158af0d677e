"""What sessions count: with and without something to protect, whatever way the messages take."""

from collections.abc import Iterator
from itertools import count

import pytest
from tests.session.conversation import (
    BIND,
    BOUND,
    DONE,
    ERROR,
    EXECUTE,
    FATAL,
    IDLE,
    LIMITS,
    PARSE,
    PARSED,
    QUERY,
    ROW,
    split,
)
from tests.session.test_rounds import (
    ANSWER,
    ASKED,
    DESCRIBED,
    EMAIL,
    PEOPLE,
    ROUND,
    SUSPENDED,
    data_row,
    near_people,
    people,
)

from strongroom.errors import AccessDenied, BudgetSpent, ConstructRefused
from strongroom.protect.plan import Sent
from strongroom.protect.style import TextStyle
from strongroom.session.guarded import GuardedRelay
from strongroom.session.metering import BOUNDS, OTHER, Meter, Times
from strongroom.session.relay import Relay
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import message

EMPTY = message(b"I", b"")


def clocked() -> Meter:
    """A meter by whose clock everything takes a second."""
    ticks: Iterator[int] = count()
    return Meter(lambda: float(next(ticks)))


def relay() -> tuple[Relay, Meter]:
    """A relay before nothing protected, in which ``s`` was prepared."""
    meter = Meter()
    made = Relay(LIMITS, meter)
    made.client(PARSE + m.SYNC)
    made.upstream(PARSED + IDLE)
    return made, meter


def test_times_fall_into_classes() -> None:
    """One on a bound belongs below it, as Prometheus' `le` says; what is longer than all is kept, too."""
    times = Times()
    for seconds in (0.0, BOUNDS[0], BOUNDS[0] * 1.01, BOUNDS[-1] * 2):
        times.note(seconds)
    assert times.counts == [2, 1, *[0] * (len(BOUNDS) - 2), 1]
    assert times.seconds == pytest.approx(BOUNDS[0] * 2.01 + BOUNDS[-1] * 2)


@pytest.mark.parametrize(
    ("asked", "answered", "statements"),
    [
        (QUERY, ROW + DONE + IDLE, 1),
        (QUERY, DONE + DONE + DONE + IDLE, 3),
        (QUERY, DONE + ERROR + IDLE, 2),
        (QUERY, EMPTY + IDLE, 0),
        (ROUND, ANSWER + IDLE, 1),
        (ROUND, BOUND + DESCRIBED + ROW + SUSPENDED + IDLE, 1),
        (ROUND, ERROR + IDLE, 1),
        (BIND + EXECUTE + EXECUTE + m.SYNC, BOUND + SUSPENDED + DONE + IDLE, 2),
        (BIND + m.SYNC, BOUND + IDLE, 0),
        (BIND + EXECUTE + m.SYNC, BOUND + DONE + ERROR + IDLE, 1),
        (PARSE + BIND + EXECUTE + m.SYNC, ERROR + IDLE, 1),
    ],
)
def test_each_statement_counts_once(asked: bytes, answered: bytes, statements: int) -> None:
    """Each Execute, and each of a simple query: once it is done, has failed, or could not be begun.

    What fails at the end of a transaction is an error, and no statement.
    """
    made, meter = relay()
    if made.begin_round(asked) is None:
        made.client(asked)
    if made.end_round(answered) is None:
        made.upstream(answered)
    assert made.idle
    assert (meter.passed, meter.denied, meter.refused) == (statements, 0, 0)
    assert meter.failures.total() == (ERROR in answered)
    assert not meter.failures.keys() - {"22"}


def test_the_end_of_a_session_is_an_error_of_the_databases() -> None:
    """The statement that is under way then was not answered."""
    made, meter = relay()
    made.client(QUERY)
    made.upstream(FATAL)
    assert (meter.passed, dict(meter.failures)) == (0, {"57": 1})


def test_what_is_refused_counts_as_that_and_not_again() -> None:
    """Whatever the database says to what it is sent in its place."""
    made, meter = relay()
    made.client(message(b"F", bytes(12)))
    made.upstream(ERROR + IDLE)
    assert (meter.passed, meter.refused, meter.failures.total()) == (0, 1, 0)
    assert dict(meter.errors) == {"unsupported-message": 1}


def test_a_policys_denial_is_told_from_other_refusals() -> None:
    """By the error; a SQLSTATE that a function made up has no class of its own."""
    meter = Meter()
    for error in (AccessDenied("x"), BudgetSpent("x"), ConstructRefused("x")):
        meter.refuse(error)
    assert (meter.denied, meter.refused) == (2, 1)
    for sqlstate in ("23505", "AB123", "", "57014", "ABCDE"):
        meter.fail(sqlstate)
    assert dict(meter.failures) == {"23": 1, OTHER: 3, "57": 1}


@pytest.mark.parametrize("whole", [True, False])
def test_rounds_near_protected_columns(whole: bool) -> None:
    """As many values opened, and statements, as if they were taken message by message."""
    near = near_people()
    meter = near._meter = near._guard.meter = clocked()
    sealed = EMAIL.seal(b"anna", Sent(TextStyle())) or b""
    answer = BOUND + people(m.BINARY) + data_row(b"7", sealed) * 2 + message(b"C", b"SELECT 2\0") + IDLE
    for _ in range(3):
        assert near.begin_round(ASKED) is not None
        if whole:
            assert near.end_round(answer) is not None
        else:
            near.upstream(answer)
    assert (meter.passed, meter.opened, meter.veiled) == (3, 6, 0)
    assert sum(meter.protect.counts) == 3
    assert meter.protect.seconds >= 3


def test_a_refused_text_is_one_refusal() -> None:
    """However many statements it has, and whatever follows it in the pipeline."""
    near = near_people()
    meter = near._meter
    before = meter.passed
    text = "SELECT email || 'x' FROM people; SELECT email || 'y' FROM people"
    near.client(m.Query(text).serialise())
    near.upstream(ERROR + IDLE)
    refused = m.Parse("", "SELECT email || 'x' FROM people").serialise()
    near.client(refused + m.Bind("", "").serialise() + EXECUTE + m.SYNC)
    near.upstream(ERROR + IDLE)
    assert (meter.passed - before, meter.refused, meter.failures.total()) == (0, 2, 0)
    assert meter.errors.total() == 2
    assert near.idle


def test_analyses_are_looked_up() -> None:
    """What was not known is timed, what was known is a hit."""
    near: GuardedRelay = near_people()
    meter = near._meter = near._guard.meter = clocked()
    for name in ("t", "", ""):
        text = f"SELECT email FROM people WHERE email = $1 -- {bool(name)}"
        near.client(m.Parse(name, text).serialise() + m.SYNC)
        assert [tag for tag, _ in split(b"".join(near.to_upstream))][:1] == ["P"]
        near.to_upstream.clear()
        types = m.ParameterDescription((PEOPLE.columns[1].type_oid,)).serialise()
        field = m.Field("email", PEOPLE.oid, 2, PEOPLE.columns[1].type_oid, -1, -1, m.TEXT)
        near.upstream(PARSED + types + m.RowDescription((field,)).serialise() + IDLE)
    assert (meter.analyses.hits, meter.analyses.misses) == (1, 2)
    assert (sum(meter.parse.counts), meter.parse.seconds) == (2, 2.0)
