"""The open session: what passes, what waits, what is refused, and what PostgreSQL makes of it."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.session.conversation import (
    BIND,
    BOUND,
    CLOSED,
    COPIED,
    COPY_DATA,
    COPY_IN,
    COPY_OUT,
    DONE,
    ERROR,
    EXECUTE,
    EXTENDED,
    FAILED,
    FATAL,
    IDLE,
    IN_TRANSACTION,
    PARSE,
    PARSED,
    QUERY,
    ROW,
    Conversation,
    errors,
    split,
)

from strongroom.errors import (
    MalformedMessage,
    MessageTooLarge,
    PinnedSettingChanged,
    StatementLimitReached,
    UnsupportedMessage,
    UpstreamError,
)
from strongroom.session.relay import Limits
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import message

FUNCTION_CALL = message(b"F", b"\0\0\0\x01\0\0\0\0\0\0")


def status(name: str, value: str) -> bytes:
    return m.ParameterStatus(name, value).serialise()


# ------------------------------------------------------------------------------------ what passes


def test_a_chunk_that_needs_no_thought_passes_as_the_same_object() -> None:
    """Messages of one chunk go on without a copy, in both directions."""
    talk = Conversation()
    chunk = EXTENDED + QUERY
    talk.relay.client(chunk)
    assert talk.relay.to_upstream[0] is chunk
    answer = PARSED + BOUND + ROW + DONE + IDLE
    talk.relay.upstream(answer)
    assert talk.relay.to_client[0] is answer


ASKED = EXTENDED + QUERY + m.Target("S", "s").close() + m.SYNC
ANSWERED = PARSED + BOUND + ROW + ROW + DONE + IDLE + ROW + DONE + IDLE + CLOSED + IDLE


@given(st.lists(st.integers(0, len(ASKED)), max_size=8), st.lists(st.integers(0, len(ANSWERED)), max_size=8))
def test_chunks_do_not_matter(cuts_asked: list[int], cuts_answered: list[int]) -> None:
    """However the octets are cut, the same come out on the other side, in order."""
    talk = Conversation()
    up = [talk.client(part) for part in _cut(ASKED, cuts_asked)]
    down = [talk.upstream(part) for part in _cut(ANSWERED, cuts_answered)]
    assert b"".join(part for part, _ in up) == ASKED
    assert b"".join(part for _, part in down) == ANSWERED
    assert talk.relay.idle
    assert talk.relay.held == 0


def test_byte_by_byte() -> None:
    """Octets that arrive one at a time come out whole."""
    talk = Conversation()
    up = b"".join(talk.client(ASKED[i : i + 1])[0] for i in range(len(ASKED)))
    down = b"".join(talk.upstream(ANSWERED[i : i + 1])[1] for i in range(len(ANSWERED)))
    assert (up, down) == (ASKED, ANSWERED)


def _cut(octets: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cuts), len(octets)]
    return [octets[a:b] for a, b in itertools.pairwise(edges)]


def test_notices_notifications_and_settings_pass_at_any_time() -> None:
    """What upstream says unasked reaches the client, between replies and while nothing is owed."""
    talk = Conversation()
    said = m.ErrorResponse.of("NOTICE", "00000", "look").serialise(b"N")
    said += message(b"A", b"\0\0\0\1c\0p\0") + status("TimeZone", "UTC")
    assert talk.upstream(said) == (b"", said)
    talk.client(QUERY)
    mixed = ROW + said + ROW + said + DONE + said + IDLE
    assert talk.upstream(mixed) == (b"", mixed)


def test_the_transaction_state_is_what_upstream_says() -> None:
    """`idle` is true only outside a transaction, with nothing owed."""
    talk = Conversation()
    assert talk.relay.idle
    talk.client(QUERY)
    assert not talk.relay.idle
    talk.upstream(DONE + IN_TRANSACTION)
    assert not talk.relay.idle
    talk.client(QUERY)
    talk.upstream(ERROR + FAILED)
    assert talk.relay.transaction == "E"
    talk.client(QUERY)
    talk.upstream(DONE + IDLE)
    assert talk.relay.idle


def test_terminate_ends_the_session() -> None:
    """Terminate goes upstream and is the last that is looked at."""
    talk = Conversation()
    up, _ = talk.client(m.TERMINATE)
    assert up == m.TERMINATE
    assert talk.relay.ended


def test_a_fatal_error_of_upstream_reaches_the_client_and_ends_the_session() -> None:
    """Whatever was owed, a FATAL is the last that comes."""
    talk = Conversation()
    talk.client(EXTENDED)
    assert talk.upstream(PARSED + FATAL)[1] == PARSED + FATAL
    assert talk.relay.ended


# -------------------------------------------------------------------------------------------- COPY


def test_copy_data_waits_until_upstream_asks_for_it() -> None:
    """Data pipelined behind its query is kept, and goes when CopyInResponse has come."""
    talk = Conversation()
    assert talk.client(QUERY + COPY_DATA + m.COPY_DONE) == (QUERY + m.FLUSH, b"")
    assert talk.relay.waiting
    assert talk.upstream(COPY_IN) == (COPY_DATA + m.COPY_DONE, COPY_IN)
    assert not talk.relay.waiting
    assert talk.upstream(COPIED + IDLE) == (b"", COPIED + IDLE)
    assert talk.relay.idle


def test_libpqs_copy_in_the_extended_protocol() -> None:
    """The Sync right behind Execute, which upstream ignores, confuses nothing."""
    talk = Conversation()
    talk.client(EXTENDED)
    talk.upstream(PARSED + BOUND + COPY_IN)
    assert talk.client(COPY_DATA + m.COPY_DONE + m.SYNC)[0] == COPY_DATA + m.COPY_DONE + m.SYNC
    talk.upstream(COPIED + IDLE)
    assert talk.relay.idle
    talk.client(QUERY)
    assert talk.upstream(DONE + IDLE)[1] == DONE + IDLE


def test_copy_data_that_nobody_asked_for_is_dropped() -> None:
    """PostgreSQL ignores it, so that it need not be sent."""
    talk = Conversation()
    assert talk.client(COPY_DATA + m.COPY_DONE + QUERY) == (QUERY, b"")


def test_copy_data_behind_a_query_that_is_no_copy_is_dropped() -> None:
    """Once the query has been answered, the data that waited turns out to be none."""
    talk = Conversation()
    talk.client(QUERY + COPY_DATA + QUERY)
    assert talk.upstream(DONE + IDLE) == (QUERY, DONE + IDLE)
    talk.upstream(DONE + IDLE)
    assert talk.relay.idle


def test_copy_that_fails_while_data_comes() -> None:
    """The error reaches the client; data still on its way is dropped, and the session goes on."""
    talk = Conversation()
    talk.client(QUERY)
    talk.upstream(COPY_IN)
    talk.client(COPY_DATA)
    assert talk.upstream(ERROR + IDLE)[1] == ERROR + IDLE
    assert talk.client(COPY_DATA + m.copy_fail("no more") + QUERY) == (QUERY, b"")


def test_large_copy_data_is_not_held_whole() -> None:
    """COPY data flows in parts, in both directions."""
    talk = Conversation()
    talk.client(QUERY)
    talk.upstream(COPY_IN)
    large = message(b"d", bytes(100_000))
    for i in range(0, len(large), 1000):
        assert talk.client(large[i : i + 1000])[0] == large[i : i + 1000]
        assert talk.relay.held == 0
    talk.client(m.COPY_DONE)
    talk.upstream(COPIED + IDLE)
    talk.client(QUERY)
    talk.upstream(COPY_OUT)
    for i in range(0, len(large), 1000):
        assert talk.upstream(large[i : i + 1000])[1] == large[i : i + 1000]
        assert talk.relay.held == 0


def test_no_message_hides_in_copy_data_that_was_dropped() -> None:
    """Octets inside a CopyData never go upstream without its header, where they would be messages.

    The CopyData begins while a COPY runs and in the same chunk as the CopyDone that ends it: it counts as
    asked for when it is framed, and as dropped when it is looked at.
    """
    talk = Conversation()
    talk.client(QUERY)
    talk.upstream(COPY_IN)
    hidden = m.Query("DROP TABLE customers").serialise()
    smuggler = message(b"d", b"12345" + hidden)
    up = talk.client(m.COPY_DONE + smuggler[:10])[0]
    up += talk.upstream(COPIED + IDLE)[0]
    up += talk.client(smuggler[10:])[0]
    up += talk.client(QUERY)[0]
    assert [tag for tag, _ in split(up) if tag != "H"] == ["c", "Q"]
    assert hidden not in up


# -------------------------------------------------------------------------- statements and portals


def test_bind_waits_while_its_statement_could_still_be_an_older_one() -> None:
    """A Parse that replaces a name is awaited before a Bind behind a Sync uses it."""
    talk = Conversation()
    talk.client(PARSE + m.SYNC)
    talk.upstream(PARSED + IDLE)
    close = m.Target("S", "s").close()
    assert talk.client(close + m.SYNC + BIND) == (close + m.SYNC + m.FLUSH, b"")
    assert talk.relay.waiting
    assert talk.upstream(CLOSED)[0] == BIND
    assert not talk.relay.waiting


def test_a_pipeline_over_unnamed_statements_never_waits() -> None:
    """Segments that prepare, bind and run for themselves flow without a pause."""
    talk = Conversation()
    unnamed = m.Parse("", "SELECT 1").serialise() + m.Bind("", "").serialise() + EXECUTE + m.SYNC
    assert talk.client(unnamed * 5)[0] == unnamed * 5
    assert not talk.relay.waiting


def test_too_many_statements_are_refused_by_name() -> None:
    """The statement over the limit is replaced by one that PostgreSQL rejects, its error by ours."""
    talk = Conversation()
    parses = [m.Parse(f"s{i}", "SELECT 1").serialise() for i in range(4)]
    up, _ = talk.client(b"".join(parses) + m.SYNC)
    assert up.startswith(b"".join(parses[:3]))
    refused = m.Parse.parse(split(up)[3][1])
    assert refused.name == "s3"
    assert re.fullmatch(r"strongroom refused \d+", refused.text)
    _, down = talk.upstream(PARSED * 3 + ERROR + IDLE)
    assert [tag for tag, _ in split(down)] == ["1", "1", "1", "E", "Z"]
    assert errors(down)[0].fields["C"] == StatementLimitReached.sqlstate
    assert "statements_per_session" in errors(down)[0].fields["H"]


def test_a_closed_statement_makes_room() -> None:
    """The limit counts what is open; preparing a name or the unnamed statement anew costs nothing."""
    talk = Conversation()
    for i in range(3):
        talk.client(m.Parse(f"s{i}", "").serialise())
    talk.client(m.Target("S", "s0").close())
    more = m.Parse("s3", "").serialise() + m.Parse("", "").serialise()
    assert talk.client(more)[0] == more


def test_a_statement_that_upstream_refused_does_not_count() -> None:
    """What failed upstream is forgotten."""
    talk = Conversation()
    for i in range(5):
        parse = m.Parse(f"s{i}", "SELEC").serialise()
        assert talk.client(parse + m.SYNC)[0] == parse + m.SYNC
        talk.upstream(ERROR + IDLE)


# ---------------------------------------------------------------------------------------- refusals


def test_function_call_is_refused_in_its_place() -> None:
    """A statement that fails goes upstream for it, and the client reads our error in its turn."""
    talk = Conversation()
    up, down = talk.client(QUERY + FUNCTION_CALL + QUERY)
    assert [tag for tag, _ in split(up)] == ["Q", "Q", "Q"]
    assert down == b""
    _, down = talk.upstream(DONE + IDLE + ERROR + IDLE + DONE + IDLE)
    assert [tag for tag, _ in split(down)] == ["C", "Z", "E", "Z", "C", "Z"]
    assert "unsupported-message" in errors(down)[0].fields["M"]
    assert talk.relay.refused == ["unsupported-message"]


@pytest.mark.parametrize("cut", range(1, len(FUNCTION_CALL)))
def test_a_torn_message_is_refused_all_the_same(cut: int) -> None:
    """Nothing of what must not pass goes upstream before it is whole."""
    talk = Conversation()
    assert talk.client(FUNCTION_CALL[:cut]) == (b"", b"")
    up, _ = talk.client(FUNCTION_CALL[cut:])
    assert m.Query.parse(split(up)[0][1]).text.startswith("strongroom refused")


def test_a_refusal_that_upstream_skips_is_not_told() -> None:
    """Behind an error that PostgreSQL found first, the refused message was never looked at."""
    talk = Conversation()
    talk.client(PARSE + FUNCTION_CALL + m.SYNC)
    _, down = talk.upstream(ERROR + IDLE)
    assert down == ERROR + IDLE
    assert talk.relay.idle


# ------------------------------------------------------------------------------- broken protocol


@pytest.mark.parametrize("tag", sorted(set(range(256)) - set(b"QPBDECSHdcfXF")))
def test_a_message_type_that_does_not_exist_ends_the_session(tag: int) -> None:
    """What the manual does not list never passes."""
    with pytest.raises(UnsupportedMessage):
        Conversation().client(message(bytes([tag]), b""))


@pytest.mark.parametrize(
    "broken",
    [
        message(b"Q", b"SELECT 1"),
        message(b"Q", b"SELECT 1\0x"),
        message(b"Q", b"\xff\0"),
        message(b"P", b"s\0SELECT 1\0"),
        message(b"P", b"s\0SELECT 1\0\0\1"),
        message(b"B", b"portal"),
        message(b"D", b"Xname\0"),
        message(b"C", b""),
        message(b"E", b"\0"),
        b"Q\0\0\0\3",
    ],
)
def test_a_malformed_message_ends_the_session(broken: bytes) -> None:
    """A message that is not of the manual's form raises, and does not pass."""
    talk = Conversation()
    with pytest.raises(MalformedMessage):
        talk.client(broken)
    assert talk.relay.to_upstream == []


def test_a_message_over_the_limit_ends_the_session() -> None:
    """The limit holds by the length in the header, before the octets have come."""
    talk = Conversation(Limits(message_bytes=1000, statements_per_session=1))
    with pytest.raises(MessageTooLarge):
        talk.client(b"Q" + (1001).to_bytes(4))


@pytest.mark.parametrize("said", [ROW, DONE, IDLE, PARSED, COPY_IN, message(b"V", b""), message(b"?", b"")])
def test_an_upstream_that_answers_what_was_not_asked_ends_the_session(said: bytes) -> None:
    """A reply with nothing to answer is never passed on."""
    talk = Conversation()
    with pytest.raises(UpstreamError):
        talk.upstream(said)


@pytest.mark.parametrize(
    "broken", [b"Z\0\0\0\5X", b"Z\0\0\0\4", b"E\0\0\0\5S", b"S\0\0\0\6a\0", b"C\0\0\0\3", b"N\0\0\0\0"]
)
def test_malformed_messages_of_upstream_are_its_own_fault(broken: bytes) -> None:
    """The client is not blamed for what the database sent."""
    talk = Conversation()
    talk.client(QUERY)
    with pytest.raises(UpstreamError):
        talk.upstream(broken)


def test_a_row_over_the_limit_is_upstreams_fault() -> None:
    """The limit of a message holds for rows too, and says by which name it can be raised."""
    talk = Conversation(Limits(message_bytes=1000, statements_per_session=1))
    talk.client(QUERY)
    with pytest.raises(UpstreamError) as caught:
        talk.upstream(b"D" + (1001).to_bytes(4))
    assert "limits.message_bytes" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "value", "fine"),
    [
        ("client_encoding", "UTF8", True),
        ("client_encoding", "LATIN1", False),
        ("standard_conforming_strings", "on", True),
        ("standard_conforming_strings", "off", False),
        ("TimeZone", "Mars/Olympus", True),
    ],
)
def test_pinned_settings_may_not_change(name: str, value: str, fine: bool) -> None:
    """A setting under which statements are read ends the session when it changes."""
    talk = Conversation()
    if fine:
        assert talk.upstream(status(name, value))[1] == status(name, value)
        return
    with pytest.raises(PinnedSettingChanged):
        talk.upstream(status(name, value))


@given(st.binary(max_size=200), st.booleans())
def test_random_octets_raise_nothing_but_our_own_errors(octets: bytes, from_upstream: bool) -> None:
    """Noise from either side is a protocol error of that side, or waits for more."""
    talk = Conversation()
    talk.client(QUERY)
    try:
        if from_upstream:
            talk.upstream(octets)
        else:
            talk.client(octets)
    except (MalformedMessage, MessageTooLarge, UnsupportedMessage):
        assert not from_upstream
    except UpstreamError:
        assert from_upstream
