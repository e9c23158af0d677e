"""The records of a guarded session's statements, as upstream answers them."""

import pytest
from tests.session.conversation import BOUND, DONE, ERROR, FATAL, IDLE, IN_TRANSACTION, PARSED, errors
from tests.session.guarding import ANNA, SNAPSHOT, Guarded, column, data_row, described
from tests.session.test_policing import Judge

from strongroom.audit.records.shared import Result
from strongroom.audit.records.statements import Deed, Keyed, Plan
from strongroom.errors import FunctionRefused
from strongroom.policy.model import Mask
from strongroom.session.recorded import Recorded
from strongroom.session.recording import SUCCESSFUL, UNKNOWN, Begun, Done, Recording, Refused
from strongroom.session.statements import Run
from strongroom.sql.statement import Kind, Resolved
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types
from strongroom.wire.postgres.codec import message

SUSPENDED = message(b"s", b"")
READS_NOTHING = m.ParameterDescription(()).serialise() + message(b"n", b"")
READ_NOTE = m.ParameterDescription(()).serialise() + described(column("note", 4, types.TEXT))
READ_EMAIL = m.ParameterDescription(()).serialise() + described(column("email", 2, types.BYTEA))


class Witnessed(Guarded):
    """A session before a database with protected columns whose statements are recorded."""

    def __init__(self, judge: Judge | None = None) -> None:
        super().__init__(SNAPSHOT)
        self.recording = self.relay.record()
        self.relay.police(judge or Judge(), "psql")

    def said(self) -> list[tuple[str, str, int]]:
        """Of each record its text, how it ended or why it was refused, and the rows."""
        return [
            (one.plan.text, one.sqlstate, one.rows)
            if isinstance(one, Done)
            else (one.plan.text, one.code, -1)
            for one in self.recording.take()
            if not isinstance(one, Begun)
        ]


def query(text: str) -> bytes:
    return m.Query(text).serialise()


def done(tag: str) -> bytes:
    return message(b"C", tag.encode() + b"\0")


def parse(text: str) -> bytes:
    return m.Parse("s", text).serialise()


BIND, EXECUTE = m.Bind("", "s").serialise(), m.Execute("").serialise()


# ------------------------------------------------------------------------------------ what ran


def test_a_query_is_recorded_when_it_is_done() -> None:
    """With its rows, and not before."""
    talk = Witnessed()
    talk.client(query("select note from people where id = 4711"))
    assert talk.said() == []
    talk.upstream(
        described(column("note", 4, types.TEXT)) + data_row(b"x") + data_row(b"y") + done("SELECT 2")
    )
    assert talk.said() == [("select note from people where id = $1", SUCCESSFUL, 2)]
    talk.upstream(IDLE)
    assert talk.said() == []


def test_each_statement_of_a_query_has_a_record() -> None:
    """In order, each with what came of it; what follows an error is not carried out."""
    talk = Witnessed()
    talk.client(query("begin; update people set note = 'a' where id = 1; select 1/0; select 2"))
    talk.upstream(done("BEGIN") + done("UPDATE 3") + ERROR + IDLE)
    assert talk.said() == [
        ("begin", SUCCESSFUL, 0),
        ("update people set note = $1 where id = $2", SUCCESSFUL, 3),
        ("select $1/$2", "22012", 0),
    ]
    talk.relay.record_lost()
    assert talk.said() == []


def test_a_query_that_is_read_in_binary() -> None:
    """It goes upstream as Parse to Sync, and is one statement for all that."""
    talk = Witnessed()
    talk.client(query("select email from people where id = 1"))
    described_email = described(column("email", 2, types.BYTEA, m.BINARY))
    talk.upstream(PARSED + BOUND + described_email + data_row(ANNA) + done("SELECT 1"))
    talk.upstream(message(b"3", b"") * 2 + IDLE)
    assert talk.said() == [("select email from people where id = $1", SUCCESSFUL, 1)]


def test_each_execute_has_a_record() -> None:
    """Of a statement that is prepared once; preparing it shows nothing."""
    talk = Witnessed()
    talk.client(parse("select note from people") + m.SYNC)
    talk.upstream(PARSED + READ_NOTE + IDLE)
    assert talk.said() == []
    for _ in range(3):
        talk.client(BIND + EXECUTE + m.SYNC)
        talk.upstream(BOUND + data_row(b"x") + DONE + IDLE)
    assert talk.said() == [("select note from people", SUCCESSFUL, 1)] * 3


def in_rounds(text: str, described: bytes) -> Witnessed:
    """A session that has prepared a statement, and has no more to learn of it."""
    talk = Witnessed()
    talk.client(parse(text) + m.SYNC)
    talk.upstream(PARSED + described + IDLE)
    assert talk.said() == []
    return talk


@pytest.mark.parametrize(
    ("text", "described", "rows", "tag", "count"),
    [
        ("select note from people", READ_NOTE, [b"x", b"C\0\0\0\x0eSELECT 99\0"], "SELECT 2", 2),
        ("insert into people (id) values (1)", READS_NOTHING, [], "INSERT 0 1", 1),
        ("select email from people where id = 1", READ_EMAIL, [ANNA], "SELECT 1", 1),
    ],
)
def test_a_round_that_is_taken_whole_has_its_record(
    text: str, described: bytes, rows: list[bytes], tag: str, count: int
) -> None:
    """Of each statement that ran so, with its rows, whatever stands in these."""
    talk = in_rounds(text, described)
    for turn in range(3):
        talk.recording.moment = 10.0 * turn
        assert talk.relay.begin_round(BIND + EXECUTE + m.SYNC) is not None
        talk.recording.moment += 2
        answer = BOUND + b"".join(map(data_row, rows)) + done(tag) + IDLE
        assert talk.relay.end_round(answer) is not None
        (deed,) = talk.recording.take()
        assert isinstance(deed, Done)
        assert (deed.number, deed.seconds, deed.rows) == (turn + 1, 2.0, count)
        assert deed.sqlstate == SUCCESSFUL


def test_a_round_that_fails_or_is_left_has_its_record() -> None:
    """It is written into the books then, and its record is what came of it."""
    talk = in_rounds("insert into people (id) values (1)", READS_NOTHING)
    assert talk.relay.begin_round(BIND + EXECUTE + m.SYNC) is not None
    assert talk.relay.end_round(BOUND + ERROR + IDLE) is None
    talk.upstream(BOUND + ERROR + IDLE)
    assert [state for _, state, _ in talk.said()] == ["22012"]
    talk = in_rounds("insert into people (id) values (1)", READS_NOTHING)
    assert talk.relay.begin_round(BIND + EXECUTE + m.SYNC) is not None
    talk.client(query("begin"))
    talk.upstream(BOUND + done("INSERT 0 1") + IDLE + done("BEGIN") + IN_TRANSACTION)
    assert [text for text, _, _ in talk.said()] == ["insert into people (id) values ($1)", "begin"]
    talk = in_rounds("insert into people (id) values (1)", READS_NOTHING)
    assert talk.relay.begin_round(BIND + EXECUTE + m.SYNC) is not None
    talk.relay.record_lost()
    assert [state for _, state, _ in talk.said()] == ["08007"]


def test_a_pipeline_is_recorded_one_by_one() -> None:
    """Nor does a series of rounds."""
    talk = Witnessed()
    talk.client(parse("insert into people (id) values (1)") + m.SYNC)
    talk.upstream(PARSED + READS_NOTHING + IDLE)
    talk.client((BIND + EXECUTE) * 5 + m.SYNC)
    talk.upstream((BOUND + done("INSERT 0 1")) * 5 + IDLE)
    assert talk.said() == [("insert into people (id) values ($1)", SUCCESSFUL, 1)] * 5


def test_what_is_skipped_has_no_record() -> None:
    """Behind an error nothing is carried out up to the Sync."""
    talk = Witnessed()
    talk.client(parse("insert into people (id) values (1)") + m.SYNC)
    talk.upstream(PARSED + READS_NOTHING + IDLE)
    talk.client((BIND + EXECUTE) * 3 + m.SYNC)
    talk.upstream(BOUND + done("INSERT 0 1") + BOUND + ERROR + IDLE)
    assert [state for _, state, _ in talk.said()] == [SUCCESSFUL, "22012"]


def test_a_portal_that_stops_has_given_its_rows() -> None:
    """PortalSuspended has no number: as many came as were asked for."""
    talk = Witnessed()
    talk.client(parse("select note from people") + m.SYNC)
    talk.upstream(PARSED + READ_NOTE + IN_TRANSACTION)
    talk.client(m.Bind("p", "s").serialise() + m.Execute("p", 2).serialise() + m.FLUSH)
    talk.upstream(BOUND + data_row(b"x") * 2 + SUSPENDED)
    talk.client(m.Execute("p", 2).serialise() + m.SYNC)
    talk.upstream(data_row(b"x") + DONE + IN_TRANSACTION)
    assert [rows for _, _, rows in talk.said()] == [2, 1]


def test_each_execute_of_a_portal_has_its_own_limit() -> None:
    """Though both were sent before the first answer came."""
    talk = Witnessed()
    talk.client(parse("select note from people") + m.SYNC)
    talk.upstream(PARSED + READ_NOTE + IN_TRANSACTION)
    executes = m.Execute("p", 3).serialise() + m.Execute("p", 1).serialise()
    talk.client(m.Bind("p", "s").serialise() + executes + m.SYNC)
    talk.upstream(BOUND + data_row(b"x") * 3 + SUSPENDED + data_row(b"x") + SUSPENDED + IN_TRANSACTION)
    assert [rows for _, _, rows in talk.said()] == [3, 1]


def test_a_round_that_stops_has_given_its_rows() -> None:
    """A limit in an ordinary round, as of JDBC's setMaxRows."""
    talk = in_rounds("select note from people", READ_NOTE)
    assert talk.relay.begin_round(BIND + m.Execute("", 2).serialise() + m.SYNC) is not None
    answer = BOUND + data_row(b"x") * 2 + SUSPENDED + IDLE
    assert talk.relay.end_round(answer) is None
    talk.upstream(answer)
    assert [rows for _, _, rows in talk.said()] == [2]


def test_how_long_it_took() -> None:
    """From where it was sent, or the one before it in a query was done, by the clock of who drives."""
    talk = Witnessed()
    talk.recording.moment = 10.0
    talk.client(query("select 1; select 2"))
    talk.recording.moment = 10.5
    talk.upstream(done("SELECT 1"))
    talk.recording.moment = 12.5
    talk.upstream(done("SELECT 1") + IDLE)
    assert [one.seconds for one in talk.recording.take() if isinstance(one, Done)] == [0.5, 2.0]


def test_the_plan_is_that_of_the_moment_it_was_sent() -> None:
    """Whatever the policy says when it ends."""
    judge = Judge(masks={"note": Mask("null")})
    talk = Witnessed(judge)
    talk.client(query("select note from people"))
    judge.masks.clear()
    judge.stands += 1
    talk.upstream(described(column("note", 4, types.TEXT)) + done("SELECT 0") + IDLE)
    (one,) = talk.recording.take()
    assert [(each.column, each.mask) for each in one.plan.masked] == [("public.people.note", "null")]
    assert one.plan.revealed == ()


def test_values_are_counted() -> None:
    """Rows times the columns that come as they are, and count."""
    talk = Witnessed()
    talk.client(query("select id, note, note from people"))
    fields = (column("id", 1, types.INT4), column("note", 4, types.TEXT), column("note", 4, types.TEXT))
    talk.upstream(described(*fields) + done("SELECT 5") + IDLE)
    (one,) = talk.recording.take()
    assert isinstance(one, Done)
    assert (one.rows, one.values) == (5, 10)


# ------------------------------------------------------------------------------------ what was refused


@pytest.mark.parametrize(
    ("octets", "text", "code"),
    [
        (
            query("select note from people where id = 4711"),
            "select note from people where id = $1",
            "access-denied",
        ),
        (
            parse("select note from people where id = 4711"),
            "select note from people where id = $1",
            "access-denied",
        ),
        (query("select lower(email) from people"), "select lower(email) from people", "function-refused"),
        (query("selec 'geheim'"), "", "syntax-not-understood"),
    ],
)
def test_a_refusal_is_recorded_at_once(octets: bytes, text: str, code: str) -> None:
    """With its text, and once: the error that upstream gives in its place is no other."""
    talk = Witnessed(Judge(frozenset({"note"})))
    talk.client(octets + (m.SYNC if octets[:1] == b"P" else b""))
    assert talk.said() == [(text, code, -1)]
    _, told = talk.upstream(ERROR + IDLE)
    assert errors(told)
    assert talk.said() == []


def test_a_denial_names_what_was_asked_for() -> None:
    """Tables and columns."""
    talk = Witnessed(Judge(frozenset({"note"})))
    talk.client(query("select note from people"))
    (one,) = talk.recording.take()
    assert isinstance(one, Refused)
    assert (one.plan.tables, one.plan.revealed) == (("public.people",), ("public.people.note",))


def test_what_may_no_longer_be_bound_is_recorded() -> None:
    """The statement was prepared under another policy."""
    judge = Judge()
    talk = Witnessed(judge)
    talk.client(parse("select note from people") + m.SYNC)
    talk.upstream(PARSED + READ_NOTE + IDLE)
    judge.refuses, judge.stands = frozenset({"note"}), 1
    talk.client(BIND + EXECUTE + m.SYNC)
    assert talk.said() == [("select note from people", "access-denied", -1)]


# ------------------------------------------------------------------------------------ the end


def test_what_is_under_way_at_the_end_is_recorded() -> None:
    """Nobody knows what came of it."""
    talk = Witnessed()
    talk.client(query("select 1; update people set note = 'a' where id = 1; select 2"))
    talk.upstream(done("SELECT 1") + FATAL)
    talk.relay.record_lost()
    assert talk.said() == [
        ("select $1", SUCCESSFUL, 1),
        ("update people set note = $1 where id = $2", UNKNOWN, 0),
        ("select $1", UNKNOWN, 0),
    ]


PLAN = Plan(Deed.OTHER, "", "", (), (), (), (), (), (), (), ())


def test_statements_are_numbered() -> None:
    """Those that ran and those that were refused, in one row."""
    recording = Recording(lambda _: Recorded(PLAN, 0))
    run = Run((Resolved(Kind.SELECT, ()),))
    recording.begun(run, None)
    recording.done(run, b"SELECT 1")
    recording.refused([Recorded(PLAN, 0), Recorded(PLAN, 0, "why")], FunctionRefused("no"))
    recording.begun(run, None)
    recording.failed(run, "22012")
    assert [one.number for one in recording.take()] == [1, 2, 3, 4]


def test_a_plan_is_made_once_while_the_policy_says_the_same() -> None:
    """And anew when it says something else."""
    asked: list[Resolved] = []

    def recorded(statement: Resolved) -> Recorded:
        asked.append(statement)
        return Recorded(PLAN, 0)

    recording, run = Recording(recorded), Run((Resolved(Kind.SELECT, ()),))
    for standing in [1, 1, 2, 2]:
        recording.begun(run, standing)
    assert len(asked) == 2


def test_a_clock_that_goes_back_gives_no_negative_time() -> None:
    """A record has none."""
    recording, run = Recording(lambda _: Recorded(PLAN, 0)), Run((Resolved(Kind.SELECT, ()),))
    recording.moment = 5.0
    recording.begun(run, None)
    recording.moment = 4.0
    recording.done(run, b"SELECT 1")
    (one,) = recording.take()
    assert isinstance(one, Done)
    assert (one.seconds, one.result) == (0.0, Result.SUCCESS)


def test_hashes_and_remarks_go_along() -> None:
    """What was hashed when a statement was bound, and what a denial says beside its rules."""
    recording = Recording(lambda _: Recorded(PLAN, 0))
    hashed = (Keyed("public.people.id", "0" * 32),)
    run = Run((Resolved(Kind.SELECT, ()), Resolved(Kind.SELECT, ())), keyed=(hashed, None))
    recording.begun(run, None)
    recording.done(run, b"SELECT 1")
    run.index = 1
    recording.done(run, b"SELECT 1")
    recording.refused([Recorded(PLAN, 0, "why")], FunctionRefused("no"))
    first, second, refused = recording.take()
    assert isinstance(first, Done)
    assert isinstance(second, Done)
    assert isinstance(refused, Refused)
    assert (first.keyed, second.keyed, refused.remark) == (hashed, None, "why")
