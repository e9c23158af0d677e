"""What a session did, as the octets of records."""

from dataclasses import replace

from tests.session.conversation import DONE, IDLE
from tests.session.guarding import column, data_row, described
from tests.session.test_policing import Judge
from tests.session.test_recorded_session import asked, opened

from strongroom.audit.records.reading import read
from strongroom.audit.records.shared import Client, Head, Holder, Result
from strongroom.audit.records.statements import (
    Deed,
    Denied,
    Ended,
    Intended,
    Keyed,
    Outcome,
    Permitted,
    Plan,
)
from strongroom.session import effects as do
from strongroom.session import events as ev
from strongroom.session.recorded import Recorded
from strongroom.session.recording import Answers, Begun, Done, Refused
from strongroom.session.scribe import SHAPES_KEPT, Scribe, Shapes
from strongroom.wire.postgres import types

ORIGIN = Head(0, 0, "worker 1", "shop/gateway", "0.1.0")
CLIENT = Client("support-1", Holder.PERSON, "1/shop/1", "192.0.2.1", "psql")
PLAN = Plan(Deed.QUERY, "00", "select $1", (), (), (), (), (), (), (), ())


def scribe(shapes: Shapes | None = None) -> Scribe:
    return Scribe(shapes or Shapes(ORIGIN), CLIENT, "shop")


def test_what_ran() -> None:
    """A record of it, with the time in whole milliseconds."""
    done = Done(4, PLAN, Result.FAILURE, "22012", 5.0, 1.2349, 10, 20)
    assert read(scribe().octets(done, 1_763_860_000_000, 17)) == Permitted(
        replace(ORIGIN, time=1_763_860_000_000, sequence=17),
        CLIENT,
        PLAN,
        Outcome(Result.FAILURE, "22012", 1234, 10, 20),
        "shop",
        4,
    )


def test_what_was_refused() -> None:
    """With the code of our error."""
    refused = Refused(5, PLAN, "access-denied", "42501", 5.0)
    assert read(scribe().octets(refused, 1, 2)) == Denied(
        replace(ORIGIN, time=1, sequence=2), CLIENT, PLAN, "shop", 5, "access-denied", "42501"
    )


def test_what_is_intended_and_its_end() -> None:
    """Two records, of which the second has no plan."""
    assert read(scribe().octets(Begun(4, PLAN, 5.0), 5, 17)) == Intended(
        replace(ORIGIN, time=5, sequence=17), CLIENT, PLAN, "shop", 4
    )
    done = Done(4, PLAN, Result.SUCCESS, "00000", 9.0, 1.5, 10, 20, intended=True)
    head = replace(ORIGIN, time=6, sequence=18)
    assert read(scribe().octets(done, 6, 18)) == Ended(
        head, CLIENT, Outcome(Result.SUCCESS, "00000", 1500, 10, 20), "shop", 4
    )
    never = done._replace(result=Result.FAILURE, sqlstate="57014", seconds=0.0, rows=0, values=0)
    assert read(scribe().octets(never._replace(code="statement-not-run"), 6, 18)) == Ended(
        head, CLIENT, Outcome(Result.FAILURE, "57014", 0, 0, 0), "shop", 4, "statement-not-run"
    )


def test_what_only_some_records_have() -> None:
    """Keyed hashes, if only an empty list of them; and what a denial says beside its rules."""
    pen, hashed = scribe(), (Keyed("public.people.id", "0" * 32), Keyed("public.people.id", "more"))
    done = Done(4, PLAN, Result.SUCCESS, "00000", at=1.0, seconds=1.0)
    for keyed in (hashed, (), None):
        found = read(pen.octets(done._replace(keyed=keyed), 1, 2))
        assert isinstance(found, Permitted)
        assert found.keyed == keyed
        intent = read(pen.octets(Begun(5, PLAN, 1.0, keyed), 1, 2))
        assert isinstance(intent, Intended)
        assert intent.keyed == keyed
    refused = read(pen.octets(Refused(5, PLAN, "access-denied", "42501", at=1.0, remark="why"), 1, 2))
    assert isinstance(refused, Denied)
    assert refused.remark == "why"


def test_rounds_together_are_rounds_one_by_one() -> None:
    """The same octets."""
    tail = b"C\0\0\0\x0dSELECT 4\0Z\0\0\0\x05I"
    answers = Answers(Recorded(PLAN, 2), [(5, tail, 8.0, 7.75), (6, tail, 9.5, 8.0)])
    together, rows = scribe().answers(answers, 100.0, 17)
    pen = scribe()
    assert together == [
        pen.octets(one, int(one.at * 1000 + 100.0), 17 + index) for index, one in enumerate(answers.each())
    ]
    assert rows == 8


def test_the_same_plan_has_one_shape() -> None:
    """In whichever session, and whichever object it is."""
    shapes = Shapes(ORIGIN)
    shape = shapes.find(PLAN)
    assert shapes.find(replace(PLAN)) is shape
    assert shapes.find(replace(PLAN, assumed="dba")) is not shape


def test_shapes_are_bounded() -> None:
    """The one that was not used for longest is forgotten."""
    shapes = Shapes(ORIGIN)
    first, second = shapes.find(PLAN), shapes.find(replace(PLAN, text="x"))
    for number in range(SHAPES_KEPT - 1):
        shapes.find(PLAN)
        shapes.find(replace(PLAN, fingerprint=str(number)))
    assert shapes.find(PLAN) is first
    assert shapes.find(replace(PLAN, text="x")) is not second


def test_no_value_of_a_conversation_is_in_its_records() -> None:
    """Neither of a statement's literals, nor of the rows that came."""
    book, pen = opened(Judge(frozenset({"email"}))), scribe()
    effects = asked(book, "select note from people where note = 'geheim' and id = 47114711")
    answer = described(column("note", 4, types.TEXT)) + data_row(b"geheim too") + DONE + IDLE
    effects += book.session.handle(ev.UpstreamData(answer))
    effects += asked(book, "select email from people where note = 'geheim'")
    deeds = [one.deed for one in effects if isinstance(one, do.Record)]
    assert [type(one) for one in deeds] == [Done, Refused]
    for deed in deeds:
        octets = pen.octets(deed, 1, 1)
        assert read(octets)
        assert b"geheim" not in octets
        assert b"4711" not in octets
