"""What comes back from upstream: checked, shown and opened."""

import pytest
from tests.kit.reachable import reachable
from tests.session.conversation import BOUND, CLOSED, COPIED, DONE, ERROR, IDLE, PARSED, errors, split
from tests.session.guarding import (
    ANNA,
    EMAIL,
    SEVEN,
    SNAPSHOT,
    Guarded,
    column,
    data_row,
    described,
    plaintext,
    rotated,
)

from strongroom.errors import InvalidCiphertext, OriginMismatch, UnknownKey
from strongroom.keys.model import KeyState
from strongroom.protect.canonical import Sent
from strongroom.protect.style import TextStyle
from strongroom.session.snapshot import Snapshot
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types
from strongroom.wire.postgres.codec import message

READ = m.Query("SELECT email, id FROM people").serialise()
RETURNED = m.Query("UPDATE people SET note = '' RETURNING email, id").serialise()
HEX = b"\\x" + ANNA.hex().encode()
FIELDS = (column("email", 2, types.BYTEA), column("id", 1, types.INT4))
BEGUN = PARSED + BOUND  # what a query that is sent in the extended protocol is answered by, and at its end
ENDED = CLOSED + CLOSED
INSERT = m.Query("INSERT INTO people (email) VALUES ('anna')").serialise()


def asked(text: bytes = READ) -> Guarded:
    """A session in which this has gone upstream."""
    talk = Guarded()
    sent, told = talk.client(text)
    assert ([tag for tag, _ in split(sent)], told) == (list("PBDECCS" if text == READ else "Q"), b"")
    return talk


def refusal(code: str, **fields: str) -> bytes:
    """An error of upstream's with more fields."""
    return m.ErrorResponse({"S": "ERROR", "V": "ERROR", "C": code, "M": "no", **fields}).serialise()


@pytest.mark.parametrize(
    ("text", "begun", "value", "ended"), [(RETURNED, b"", HEX, b""), (READ, BEGUN, ANNA, ENDED)]
)
def test_rows_are_shown_as_declared_and_opened(text: bytes, begun: bytes, value: bytes, ended: bytes) -> None:
    """The client sees its type and its value, whichever way its query has gone."""
    rows = described(*FIELDS) + data_row(value, b"1") + data_row(None, b"2")
    _, told = asked(text).upstream(begun + rows + DONE + ended + IDLE)
    tags = split(told)
    assert [tag for tag, _ in tags] == ["T", "D", "D", "C", "Z"]
    assert [one.type_oid for one in m.RowDescription.parse(tags[0][1]).fields] == [types.VARCHAR, types.INT4]
    assert data_row(b"anna", b"1") + data_row(None, b"2") in told


@pytest.mark.parametrize(
    "fields",
    [
        (column("email", 4, types.BYTEA), FIELDS[1]), (column("email", 2, types.TEXT), FIELDS[1]), FIELDS[:1],
        (FIELDS[1], FIELDS[0]),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("text", "begun"), [(RETURNED, b""), (READ, BEGUN)])
def test_a_description_that_disagrees_ends_the_session(
    fields: tuple[m.Field, ...], text: bytes, begun: bytes
) -> None:
    """Before a row of it is shown."""
    talk = asked(text)
    with pytest.raises(OriginMismatch):
        talk.relay.upstream(begun + described(*fields) + data_row(HEX, b"1"))
    assert b"".join(talk.relay.to_client) == b""


@pytest.mark.parametrize(
    "value", [HEX[:-2], b"\\x" + SEVEN.hex().encode(), b"\\x", b"plain", b"\\x00" + HEX[4:]]
)
def test_a_value_that_does_not_open_ends_the_session(value: bytes) -> None:
    """It is neither shown nor taken for empty."""
    talk = asked(RETURNED)
    talk.upstream(described(*FIELDS))
    with pytest.raises(InvalidCiphertext) as failed:
        talk.relay.upstream(data_row(value, b"1"))
    assert "anna" not in str(failed.value)
    assert not [tag for tag, _ in split(b"".join(talk.relay.to_client)) if tag == "D"]


def test_a_query_that_is_read_in_binary_ends_with_its_transaction() -> None:
    """An error of the commit comes in the place of CommandComplete, as it does in a simple query."""
    talk = asked()
    _, told = talk.upstream(BEGUN + described(*FIELDS) + data_row(ANNA, b"1") + DONE + ENDED)
    assert [tag for tag, _ in split(told)] == ["T", "D"]
    _, told = talk.upstream(refusal("40001") + IDLE)
    assert [tag for tag, _ in split(told)] == ["E", "Z"]


def test_an_error_of_a_query_that_is_read_in_binary_is_the_querys() -> None:
    """Whichever of the messages fails that it was sent as; the next query is answered as ever."""
    for begun in (b"", PARSED, BEGUN, BEGUN + described(*FIELDS)):
        talk = asked()
        _, told = talk.upstream(begun + ERROR + IDLE)
        assert [tag for tag, _ in split(told)][-2:] == ["E", "Z"]
        assert talk.relay.idle
        talk.client(READ)
        _, told = talk.upstream(BEGUN + described(*FIELDS) + DONE + ENDED + IDLE)
        assert [tag for tag, _ in split(told)] == ["T", "C", "Z"]


def test_rows_that_need_no_thought_are_not_looked_at() -> None:
    """Nor held whole."""
    talk = asked(m.Query("SELECT note FROM people").serialise())
    row = data_row(b"x" * 1000)
    _, told = talk.upstream(described(column("note", 4, types.TEXT)) + row[:500])
    assert told.endswith(row[:500])


def test_errors_near_protected_columns_lose_what_may_quote() -> None:
    """Detail, context and position; SQLSTATE, message, hint and names stay."""
    whole = {"D": "Key (email)=(\\x01) already exists.", "W": "COPY people, line 1", "P": "7",
    "q": "SELECT x",
             "n": "people_email_key", "t": "people", "H": "hint"}  # fmt: skip
    talk = asked(INSERT)
    _, told = talk.upstream(refusal("23505", **whole) + IDLE)
    (error,) = errors(told)
    assert error.fields.keys() == {"S", "V", "C", "M", "n", "t", "H"}
    talk = asked(m.Query("SELECT 1 / 0").serialise())
    _, told = talk.upstream(refusal("22012", **whole) + IDLE)
    assert errors(told)[0].fields["D"] == whole["D"]


def test_notices_lose_the_same() -> None:
    """While a statement near protected columns runs."""
    notice = m.ErrorResponse({"S": "NOTICE", "C": "00000", "M": "x", "D": "row (\\x01)"}).serialise(b"N")
    for text, left in ((INSERT, False), (m.Query("SELECT 1").serialise(), True)):
        _, told = asked(text).upstream(notice)
        assert (b"row (" in told) is left


def test_a_check_of_ours_means_that_the_table_has_changed() -> None:
    """The client may try again, and the catalog is read before it does; another CHECK is the client's."""
    talk = asked(INSERT)
    _, told = talk.upstream(refusal("23514", n="strongroom_email") + IDLE)
    (error,) = errors(told)
    assert "[plan-outdated]" in error.fields["M"]
    assert talk.relay.catalog_changed
    other = asked(INSERT)
    other.upstream(refusal("23514", n="people_check") + IDLE)
    assert not other.relay.catalog_changed


@pytest.mark.parametrize("code", ["0A000", "42804", "42883"])
def test_an_error_of_changed_types_means_it_too(code: str) -> None:
    """Near protected columns."""
    for text, changed in ((INSERT, True), (m.Query("SELECT 1").serialise(), False)):
        talk = asked(text)
        talk.upstream(refusal(code) + IDLE)
        assert talk.relay.catalog_changed is changed


def test_a_column_that_was_sealed_a_moment_ago_is_noticed() -> None:
    """Its first row does not pass for plaintext."""
    snapshot = Snapshot(plaintext(), SNAPSHOT.schemes, {}, SNAPSHOT.codecs).with_schema(plaintext())
    talk = Guarded(snapshot)
    talk.client(m.Query("SELECT email FROM people").serialise())
    with pytest.raises(OriginMismatch, match="sealed while"):
        talk.relay.upstream(described(column("email", 2, types.BYTEA)))
    assert talk.relay.catalog_changed
    talk = Guarded(snapshot)
    talk.client(m.Query("SELECT email FROM people").serialise())
    _, told = talk.upstream(described(column("email", 2, types.TEXT)) + data_row(b"plain"))
    assert b"plain" in told


def test_copy_data_is_opened_message_by_message() -> None:
    """Clients rely on one row in each."""
    talk = asked(m.Query("COPY people (email, id) TO STDOUT").serialise())
    began = message(b"H", b"\0\0\2\0\0\0\0")
    rows = message(b"d", b"\\" + HEX + b"\t1\n") + message(b"d", b"\\N\t2\n")
    _, told = talk.upstream(began + rows + m.COPY_DONE + COPIED + IDLE)
    assert (
        told == began + message(b"d", b"anna\t1\n") + message(b"d", b"\\N\t2\n") + m.COPY_DONE + COPIED + IDLE
    )


def test_copy_of_another_width_ends_the_session() -> None:
    """In either direction."""
    for text, tag in (("TO STDOUT", b"H"), ("FROM STDIN", b"G")):
        talk = asked(m.Query(f"COPY people (email, id) {text}").serialise())
        with pytest.raises(OriginMismatch, match="COPY"):
            talk.relay.upstream(message(tag, b"\0\0\3\0\0\0\0\0\0"))


def test_what_goes_into_copy_is_sealed() -> None:
    """Row by row; what is none of the column ends the COPY, and upstream takes nothing of it."""
    talk = asked(m.Query("COPY people (email, pin) FROM STDIN").serialise())
    began = message(b"G", b"\0\0\2\0\0\0\0")
    assert talk.upstream(began)[1] == began
    sent, _ = talk.client(message(b"d", b"anna\t7\n") + m.COPY_DONE)
    assert sent == message(b"d", b"\\" + HEX + b"\t\\\\x" + SEVEN.hex().encode() + b"\n") + m.COPY_DONE
    talk = asked(m.Query("COPY people (email, pin) FROM STDIN").serialise())
    talk.upstream(began)
    sent, _ = talk.client(message(b"d", b"anna\tgeheim\n") + m.COPY_DONE)
    assert [tag for tag, _ in split(sent)] == ["f", "H"]
    _, told = talk.upstream(refusal("57014") + IDLE)
    (error,) = errors(told)
    assert error.fields["C"] == "22P02"
    assert b"geheim" not in sent + told


def test_settings_that_are_reported_count_for_what_is_opened() -> None:
    """Dates and times are written by the session's own style."""
    talk = Guarded()
    talk.upstream(m.ParameterStatus("TimeZone", "Asia/Tokyo").serialise())
    assert talk.relay._guard.style == TextStyle().with_setting("TimeZone", "Asia/Tokyo")


def test_answers_to_our_own_questions_are_not_the_clients() -> None:
    """It sees its own answer alone."""
    talk = Guarded()
    sent, told = talk.client(READ)
    assert (talk.questions, told, len(split(sent))) == (1, b"", 7)
    talk.upstream(BEGUN + described(*FIELDS) + DONE + ENDED + IDLE)
    talk.client(READ)
    assert talk.questions == 1


def test_prepared_statements_are_described_before_a_row_is_opened() -> None:
    """By a Describe of ours, whose answer the client does not see unless it asks itself."""
    talk = Guarded()
    sent, _ = talk.client(m.Parse("s", "SELECT email FROM people WHERE pin = $1").serialise() + m.SYNC)
    assert [tag for tag, _ in split(sent)] == ["P", "D", "S"]
    answer = m.ParameterDescription((types.BYTEA,)).serialise() + described(FIELDS[0])
    assert talk.upstream(PARSED + answer + IDLE)[1] == PARSED + IDLE
    talk.client(m.Target("S", "s").describe() + m.SYNC)
    _, told = talk.upstream(answer + IDLE)
    (_, parameters), (_, rows), _ = split(told)
    assert m.ParameterDescription.parse(parameters).types == (types.INT4,)
    assert [one.type_oid for one in m.RowDescription.parse(rows).fields] == [types.VARCHAR]


def test_a_portals_rows_are_opened_without_a_describe() -> None:
    """Bind asks for binary, so the format is known."""
    talk = Guarded()
    talk.client(m.Parse("", "SELECT email FROM people").serialise() + m.Bind("", "").serialise()
                + m.Execute("").serialise() + m.SYNC)  # fmt: skip
    nothing = m.ParameterDescription(()).serialise() + described(FIELDS[0])
    sealed = EMAIL.seal(b"bob", Sent(TextStyle()))
    _, told = talk.upstream(PARSED + nothing + BOUND + data_row(sealed) + DONE + IDLE)
    assert told == PARSED + BOUND + data_row(b"bob") + DONE + IDLE


PORTAL = (
    m.Parse("", "SELECT email FROM people").serialise() + m.Bind("p", "").serialise()
    + m.Execute("p", 1).serialise() + m.FLUSH
)  # fmt: skip
COPY = m.Query("COPY people (email, id) TO STDOUT").serialise()
NOTHING = m.ParameterDescription(()).serialise() + described(FIELDS[0])


@pytest.mark.parametrize(
    ("text", "begun", "row"),
    [
        (READ, BEGUN + described(*FIELDS), data_row(ANNA, b"1")),
        (RETURNED, described(*FIELDS), data_row(HEX, b"1")),
        (PORTAL, PARSED + NOTHING + BOUND, data_row(ANNA)),
        (COPY, message(b"H", b"\0\0\2\0\0\0\0"), message(b"d", b"\\" + HEX + b"\t1\n")),
    ],
)
def test_rows_on_their_way_end_with_their_key(text: bytes, begun: bytes, row: bytes) -> None:
    """However slowly a client reads, or keeps a portal: the next value of the key ends it, and no other."""
    for state in (KeyState.DEACTIVATED, KeyState.SUSPENDED):
        talk = Guarded()
        talk.client(text)
        assert b"anna" in talk.upstream(begun + row)[1]
        if text is PORTAL:
            talk.upstream(message(b"s", b""))
            talk.client(m.Execute("p", 1).serialise() + m.FLUSH)
        talk.relay.share(rotated(state))
        assert state is KeyState.DEACTIVATED or not any(one is EMAIL for one in reachable(talk))
        if state is KeyState.DEACTIVATED:
            assert b"anna" in talk.upstream(row)[1]
        else:
            with pytest.raises(UnknownKey):
                talk.upstream(row)


def test_between_statements_a_key_may_go() -> None:
    """Nothing is opened by it any more, and the session goes on."""
    talk = Guarded()
    talk.client(READ)
    talk.upstream(BEGUN + described(*FIELDS) + data_row(ANNA, b"1") + DONE + ENDED + IDLE)
    assert any(one is EMAIL for one in reachable(talk))
    talk.relay.share(rotated(KeyState.SUSPENDED))
    assert not any(one is EMAIL for one in reachable(talk))
    talk.client(READ)
    with pytest.raises(UnknownKey):
        talk.upstream(BEGUN + described(*FIELDS) + data_row(ANNA, b"1") + DONE + ENDED + IDLE)
