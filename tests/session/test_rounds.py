"""Ordinary rounds: they pass whole, and leave the books as if they had been taken message by message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protect.samples import codec
from tests.session.conversation import (
    BIND,
    BOUND,
    CLOSED,
    DONE,
    ERROR,
    EXECUTE,
    FAILED,
    IDLE,
    IN_TRANSACTION,
    LIMITS,
    PARSE,
    PARSED,
    ROW,
    Conversation,
    split,
)

from strongroom.errors import InvalidCiphertext, OriginMismatch, UpstreamError
from strongroom.protect.plan import Sent
from strongroom.protect.style import TextStyle
from strongroom.session.guarded import GuardedRelay
from strongroom.session.rounds import Rounds, Treatment
from strongroom.session.snapshot import Snapshot
from strongroom.session.statements import Names, Statement
from strongroom.sql.schema import Column, Relation, Schema
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types
from strongroom.wire.postgres.codec import message
from strongroom.wire.postgres.reader import int32

DESCRIBE = m.Target("P", "").describe()
ROUND = BIND + DESCRIBE + EXECUTE + m.SYNC
DESCRIBED = message(b"T", b"\0\0")
ANSWER = BOUND + DESCRIBED + ROW + DONE
SUSPENDED = message(b"s", b"")
NOTICE = m.ErrorResponse.of("NOTICE", "00000", "a notice").serialise(b"N")


def prepared() -> Conversation:
    """A conversation in which the statement ``s`` was prepared."""
    talk = Conversation()
    talk.client(PARSE + m.SYNC)
    talk.upstream(PARSED + IDLE)
    return talk


def test_a_round_passes_whole() -> None:
    """A round and its answer are taken as they are, with and without Describe, and leave nothing behind."""
    relay = prepared().relay
    for asked, answered in ((ROUND, ANSWER + IDLE), (BIND + EXECUTE + m.SYNC, BOUND + DONE + IDLE)):
        assert relay.begin_round(asked) is asked
        assert not relay.idle
        assert relay.end_round(answered) is answered
        assert relay.idle
    assert relay.end_round(ANSWER + IDLE) is None


def test_while_anything_else_is_under_way_no_round_begins() -> None:
    """What is owed, held back or open takes the long way, and so does what follows it."""
    for before in (m.SYNC, BIND, BIND + m.FLUSH, m.SYNC[:3], PARSE + m.SYNC):
        talk = prepared()
        talk.client(before)
        assert talk.relay.begin_round(ROUND) is None


@pytest.mark.parametrize(
    "answers",
    [
        [ANSWER + IDLE],
        [BOUND + DESCRIBED + ERROR + IDLE],
        [ERROR + IDLE],
        [NOTICE + ANSWER + IDLE],
        [BOUND + DESCRIBED + ROW + SUSPENDED + IDLE],
        [BOUND + DESCRIBED + ROW, ROW + DONE, IDLE],
        [NOTICE[:9], NOTICE[9:] + ANSWER + IDLE],
        [ANSWER + IDLE + NOTICE[:9], NOTICE[9:]],
    ],
)
def test_whatever_the_answer_is_the_next_round_finds_its_own(answers: list[bytes]) -> None:
    """Errors, notices, suspended portals and torn answers are taken message by message."""
    talk = prepared()
    for _ in range(3):
        assert talk.client(ROUND) == (ROUND, b"")
        assert b"".join(talk.upstream(answer)[1] for answer in answers) == b"".join(answers)
        assert talk.relay.idle


ANSWERS = {"P": PARSED, "B": BOUND, "D": DESCRIBED, "E": ROW + DONE, "S": IDLE, "H": b""}


def talked(chunks: list[bytes], patience: list[bool]) -> tuple[Conversation, bytes, bytes]:
    """A conversation in which the client sent these chunks, what went up in it, and what came down.

    Upstream answers what has reached it after each chunk for which ``patience`` says so, and at the end.
    """
    talk = prepared()
    up = down = owed = b""
    for i, chunk in enumerate([*chunks, b"", b"", b""]):
        arrived, _ = talk.client(chunk)
        up += arrived
        owed += b"".join(ANSWERS[tag] for tag, _ in split(arrived))
        if i >= len(chunks) or patience[i % len(patience)]:
            arrived, told = talk.upstream(owed)
            up, down = up + arrived, down + told
            owed = b"".join(ANSWERS[tag] for tag, _ in split(arrived))
    return talk, up, down


@given(
    st.lists(st.sampled_from([ROUND, PARSE + m.SYNC, BIND, EXECUTE, m.SYNC, m.FLUSH]), max_size=6),
    st.lists(st.booleans(), min_size=1, max_size=6),
)
def test_rounds_change_nothing_that_can_be_seen(sent: list[bytes], patience: list[bool]) -> None:
    """The same messages, as rounds and one by one, leave the same books, whenever the answers come."""
    one_by_one = [message(tag.encode(), body) for chunk in sent for tag, body in split(chunk)]
    (talk, up, down), (other, _, told) = talked(sent, patience), talked(one_by_one, patience)
    assert up.replace(m.FLUSH, b"") == b"".join(sent).replace(
        m.FLUSH, b""
    )  # the relay flushes while it waits
    assert down == told
    for what in ("idle", "transaction", "held"):
        assert getattr(talk.relay, what) == getattr(other.relay, what)


def test_rounds_in_a_pipeline() -> None:
    """Rounds follow each other without waiting; their answers may come in one chunk."""
    talk = prepared()
    for _ in range(3):
        talk.client(ROUND)
    assert talk.upstream(ANSWER + IDLE)[1] == ANSWER + IDLE
    assert talk.upstream((ANSWER + IDLE) * 2)[1] == (ANSWER + IDLE) * 2
    assert talk.relay.idle


def test_in_a_transaction_the_portal_of_a_round_stays() -> None:
    """It can be run again behind the Sync, and ends with the transaction."""
    talk = prepared()
    talk.client(m.Query("BEGIN").serialise())
    talk.upstream(message(b"C", b"BEGIN\0") + IN_TRANSACTION)
    talk.client(ROUND)
    talk.upstream(ANSWER + IN_TRANSACTION)
    assert talk.relay.transaction == "T"
    portals = talk.relay._portals
    assert portals.names() == [""]
    talk.client(EXECUTE + m.SYNC)
    talk.upstream(ERROR + FAILED)
    assert talk.relay.transaction == "E"
    talk.client(m.Query("ROLLBACK").serialise())
    talk.upstream(message(b"C", b"ROLLBACK\0") + IDLE)
    assert portals.names() == []
    assert talk.relay.idle


def test_what_was_not_asked_is_refused() -> None:
    """An answer too many, behind a round or in place of one, is no answer."""
    for answer in (ANSWER + IDLE + ANSWER + IDLE, PARSED + IDLE):
        talk = prepared()
        talk.client(ROUND)
        with pytest.raises(UpstreamError):
            talk.upstream(answer)


def test_only_statements_that_need_no_thought_make_rounds() -> None:
    """Whether a statement may pass unseen is asked for each round; unknown ones never do."""
    statements: Names[Statement] = Names()
    asked: list[Statement] = []

    def passes(statement: Statement) -> tuple[Treatment | None] | None:
        asked.append(statement)
        return (None,) if len(asked) == 1 else None

    rounds = Rounds(statements, passes, LIMITS.message_bytes)
    statements.note("s", Statement("s", "SELECT 1"))
    assert not rounds.begin(ROUND)
    rounds.allow()
    assert [rounds.begin(ROUND) for _ in range(2)] == [ROUND, ROUND]
    assert len(asked) == 1
    assert len(list(rounds.unfold())) == 2
    assert not rounds.begin(ROUND)
    rounds.allow()
    assert not rounds.begin(ROUND)
    assert len(asked) == 2
    for name in (b"\xff", b"other"):
        assert not rounds.begin(message(b"B", b"\0" + name + bytes(7)) + EXECUTE + m.SYNC)


def test_a_chunk_over_the_limit_is_no_round() -> None:
    """No message of a round is over the limit of messages; the long way refuses it."""
    statements: Names[Statement] = Names()
    statements.note("s", Statement("s", "SELECT 1"))
    rounds = Rounds(statements, lambda _statement: (None,), len(ROUND))
    rounds.allow()
    assert not rounds.begin(m.Bind("", "s", (), (b"x",)).serialise() + DESCRIBE + EXECUTE + m.SYNC)
    assert rounds.begin(ROUND)
    assert rounds.end(BOUND + DESCRIBED + ROW * 100 + DONE + IDLE) is None


# ------------------------------------------------------------------------------------ near protected columns


PEOPLE = Relation(
    16400, "public", "people", "r", (Column(1, "id", types.INT4, -1), Column(2, "email", types.BYTEA, -1))
)
EMAIL = codec("text", "deterministic", column="public.people.email")
LOOKUP = "SELECT id, email FROM people WHERE email = $1"
ASKED = m.Bind("", "s", (), (b"anna",)).serialise() + DESCRIBE + EXECUTE + m.SYNC


def near_people() -> GuardedRelay:
    """A relay with a protected column, in which the lookup was prepared as ``s``."""
    name = EMAIL.scheme.column
    snapshot = Snapshot(Schema({}), {name: EMAIL.scheme}, {}, {name: EMAIL})
    relay = GuardedRelay(LIMITS, snapshot.with_schema(Schema({PEOPLE.oid: PEOPLE})))
    relay.client(m.Parse("s", LOOKUP).serialise() + m.SYNC)
    path = b'{"path": ["pg_catalog", "public"]}'
    relay.upstream(PARSED + BOUND + data_row(path, b"{}") + DONE + CLOSED + CLOSED + IDLE)
    described = m.ParameterDescription((types.BYTEA,)).serialise() + people(m.TEXT)
    relay.upstream(PARSED + described + IDLE)
    relay.to_upstream.clear()
    relay.to_client.clear()
    return relay


def people(email_format: int, type_oid: int = types.BYTEA) -> bytes:
    """The RowDescription of the lookup, as upstream gives it."""
    number = m.Field("id", PEOPLE.oid, 1, types.INT4, 4, -1, m.TEXT)
    return m.RowDescription(
        (number, m.Field("email", PEOPLE.oid, 2, type_oid, -1, -1, email_format))
    ).serialise()


def data_row(*values: bytes | None) -> bytes:
    """A DataRow."""
    fields = b"".join(int32(-1) if one is None else int32(len(one)) + one for one in values)
    return message(b"D", len(values).to_bytes(2) + fields)


def test_rounds_near_protected_columns_are_sealed_and_opened() -> None:
    """The value goes upstream sealed and comes back open; the client sees the declared type."""
    relay = near_people()
    sealed = EMAIL.seal(b"anna", Sent(TextStyle()))
    assert sealed is not None
    for _ in range(2):
        sent = relay.begin_round(ASKED)
        bind = m.Bind("", "s", (m.BINARY,), (sealed,), (m.TEXT, m.BINARY)).serialise()
        assert sent == bind + DESCRIBE + EXECUTE + m.SYNC
        answer = relay.end_round(BOUND + people(m.BINARY) + data_row(b"7", sealed) * 2 + DONE + IDLE)
        assert answer is not None
        shown = {tag: body for tag, body in split(answer) if tag in "TD"}
        assert [one.type_oid for one in m.RowDescription.parse(shown["T"]).fields] == [types.INT4, types.TEXT]
        assert answer.endswith(data_row(b"7", b"anna") * 2 + DONE + IDLE)
        assert relay.idle


def test_rounds_may_change_their_form_from_one_to_the_next() -> None:
    """Other formats, NULL, no Describe, and back: each is sealed, and its rows open as it asked."""
    relay = near_people()
    sealed = EMAIL.seal(b"anna", Sent(TextStyle()))
    forms: list[tuple[tuple[int, ...], bytes | None, tuple[int, ...], bytes]] = [
        ((), b"anna", (), DESCRIBE),
        ((m.BINARY,), b"anna", (m.BINARY,), DESCRIBE),
        ((), None, (), b""),
        ((), b"anna", (m.TEXT, m.BINARY), b""),
        ((), b"anna", (), DESCRIBE),
    ] * 2
    for formats, value, results, described in forms:
        after = described + EXECUTE + m.SYNC
        sent = relay.begin_round(m.Bind("", "s", formats, (value,), results).serialise() + after)
        number = results[0] if results else m.TEXT
        wanted = (None if value is None else sealed,)
        assert sent == m.Bind("", "s", (m.BINARY,), wanted, (number, m.BINARY)).serialise() + after
        description = people(m.BINARY) if described else b""
        answer = relay.end_round(BOUND + description + data_row(b"7", sealed) + DONE + IDLE)
        assert answer is not None
        assert answer.endswith(data_row(b"7", b"anna") + DONE + IDLE)
        fields = [m.RowDescription.parse(body).fields for tag, body in split(answer) if tag == "T"]
        assert [one[1].format for one in fields] == ([results[0] if results else 0] if described else [])


def test_what_does_not_open_takes_the_long_way() -> None:
    """A changed value, or a column that is another one, is found in a round as anywhere."""
    sealed = EMAIL.seal(b"anna", Sent(TextStyle())) or b""
    wrong = [
        people(m.BINARY) + data_row(b"7", sealed + b"x"),
        people(m.BINARY, types.TEXT) + data_row(b"7", sealed),
    ]
    for rows, error in zip(wrong, (InvalidCiphertext, OriginMismatch), strict=True):
        relay = near_people()
        assert relay.begin_round(ASKED) is not None
        assert relay.end_round(BOUND + rows + DONE + IDLE) is None
        with pytest.raises(error):
            relay.upstream(BOUND + rows + DONE + IDLE)
        assert b"anna" not in b"".join(relay.to_client)


def test_what_may_not_be_sealed_takes_the_long_way() -> None:
    """A Bind with a value too many is refused as anywhere."""
    relay = near_people()
    chunk = m.Bind("", "s", (), (b"anna", b"x")).serialise() + DESCRIBE + EXECUTE + m.SYNC
    assert relay.begin_round(chunk) is None
    relay.client(chunk)
    assert b"anna" not in b"".join(relay.to_upstream)
    assert relay.refused


def test_after_a_new_snapshot_statements_are_looked_at_again() -> None:
    """What a round may do is known only as long as the catalog is."""
    relay = near_people()
    assert relay.begin_round(ASKED) is not None
    relay.share(Snapshot(Schema({}), {}, {}, {}))
    assert relay.begin_round(ASKED) is None
