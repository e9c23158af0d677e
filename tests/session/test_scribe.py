"""What a session did, as the octets of records."""

from dataclasses import replace

from tests.session.conversation import DONE, IDLE
from tests.session.guarding import column, data_row, described
from tests.session.test_policing import Judge
from tests.session.test_recorded_session import asked, opened

from strongroom.audit.records.reading import read
from strongroom.audit.records.shared import Client, Head, Holder, Result
from strongroom.audit.records.statements import Deed, Denied, Outcome, Permitted, Plan
from strongroom.session import effects as do
from strongroom.session import events as ev
from strongroom.session.recording import Done, Refused
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
