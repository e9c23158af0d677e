"""Series in an open session: when one begins or goes on, and when messages are looked at one by one."""

import pytest
from tests.kit.reachable import reachable
from tests.session.conversation import BOUND, CLOSED, DONE, ERROR, FAILED, IN_TRANSACTION, LIMITS, PARSED
from tests.session.test_rounds import DESCRIBE, data_row
from tests.session.test_series import (
    ANSWER,
    EXECUTE,
    INSERT,
    NO_DATA,
    bind,
    prepared,
    round_of,
    sealed,
    sent,
    snapshot,
    taken,
    told,
)

from strongroom import _kernel as kernel
from strongroom.session.guarded import GuardedRelay
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types
from strongroom.wire.postgres.codec import message

ROUND = round_of(b"1", b"anna")
SEALED = sealed(b"1", b"anna")
SET_PATH = m.Query("SET LOCAL search_path = public").serialise()
HAS_SET = message(b"C", b"SET\0")


def going_on() -> GuardedRelay:
    """A relay in which a series was found and answered."""
    relay = prepared()
    assert sent(relay, ROUND * 2) == SEALED * 2
    assert told(relay, ANSWER * 2) == ANSWER * 2
    return relay


def test_a_series_goes_on() -> None:
    """Without a message looked at; whatever was found before was answered or not."""
    relay = going_on()
    for _ in range(2):
        assert relay.begin_round(ROUND * 3) == SEALED * 3
    assert relay.end_round(ANSWER * 6) == ANSWER * 6


@pytest.mark.parametrize("held", [m.SYNC[:2], ROUND[:30], DESCRIBE[:1]])
def test_behind_half_a_message_nothing_goes_on(held: bytes) -> None:
    """The octets are its rest, whatever they look like."""
    relay = going_on()
    sent(relay, held)
    assert relay.begin_round(ROUND) is None


def test_after_an_error_nothing_goes_on_until_the_sync() -> None:
    """Upstream skips it; and so it is not sealed, and no use of a key counted."""
    relay = going_on()
    assert relay.begin_round(ROUND) == SEALED
    told(relay, ERROR)
    assert relay.begin_round(ROUND) is None
    assert sent(relay, ROUND) == b""
    assert sent(relay, m.SYNC) == m.SYNC
    assert told(relay, FAILED) == FAILED
    assert relay.begin_round(ROUND) == SEALED


def test_what_names_may_mean_is_read_before_more_goes_on() -> None:
    """A search path that was set may have brought another table of the same name into sight."""
    relay = going_on()
    sent(relay, m.SYNC)
    told(relay, IN_TRANSACTION)
    assert sent(relay, SET_PATH) == SET_PATH
    assert relay.begin_round(ROUND) is None
    told(relay, HAS_SET + IN_TRANSACTION)
    assert relay.begin_round(ROUND) is None
    asked = sent(relay, ROUND)
    assert b"strongroom own" in asked
    assert SEALED not in asked
    own = data_row(b'{"path": ["pg_catalog", "public"]}', b"{}")
    told(relay, PARSED + BOUND + own + DONE + CLOSED + CLOSED + IN_TRANSACTION)
    assert SEALED in taken(relay.to_upstream)


def test_a_series_that_is_longer_than_a_message_may_be_is_looked_at() -> None:
    """Each message of it is within the limit; together they take the long way, and are sealed there."""
    relay = going_on()
    count = LIMITS.message_bytes // len(ROUND) + 1
    assert relay.begin_round(ROUND * count) is None
    assert sent(relay, ROUND * count) == SEALED * count
    assert relay.begin_round(ROUND) == SEALED


def test_a_named_portal_is_no_series() -> None:
    """It stays, and may be executed again."""
    relay = going_on()
    named = m.Bind("p", "s", (), (b"1", b"anna")).serialise() + m.Execute("p").serialise()
    assert relay.begin_round(named) is None
    up = sent(relay, named)
    assert up != named
    assert b"anna" not in up
    assert relay.begin_round(ROUND) == SEALED


def test_a_name_that_may_mean_another_statement_is_waited_for() -> None:
    """Behind a Sync nobody knows yet whether it was prepared anew."""
    relay = going_on()
    relay.client(m.SYNC + m.Target("S", "s").close() + m.Parse("s", INSERT).serialise() + m.SYNC)
    taken(relay.to_upstream)
    assert relay.begin_round(ROUND) is None
    assert SEALED not in sent(relay, ROUND)
    described = m.ParameterDescription((types.INT4, types.BYTEA)).serialise() + NO_DATA
    told(relay, IN_TRANSACTION + CLOSED + PARSED + described + IN_TRANSACTION)
    assert SEALED in taken(relay.to_upstream)


def test_what_gives_rows_is_no_series() -> None:
    """Each row of them is to be looked at."""
    relay = prepared(INSERT + " RETURNING email")
    for _ in range(2):
        assert b"anna" not in sent(relay, ROUND)
        assert relay.begin_round(ROUND) is None


def test_the_last_round_of_a_series_is_the_unnamed_portal() -> None:
    """It can be described and executed behind the series, as behind any Bind."""
    relay = going_on()
    assert sent(relay, DESCRIBE + EXECUTE) == DESCRIBE + EXECUTE
    assert told(relay, NO_DATA + DONE) == NO_DATA + DONE
    assert relay.refused == []


def test_series_of_two_statements_take_turns() -> None:
    """Each is found again by its form, in one chunk or in several."""
    relay = prepared()
    relay.client(m.SYNC + m.Parse("t", "UPDATE people SET email = $2 WHERE id = $1").serialise() + m.SYNC)
    taken(relay.to_upstream)
    described = m.ParameterDescription((types.INT4, types.BYTEA)).serialise() + NO_DATA
    told(relay, IN_TRANSACTION + PARSED + described + IN_TRANSACTION)
    other = bind(b"2", b"ben", "t") + EXECUTE
    up = sent(relay, ROUND * 2 + other * 2)
    assert up.startswith(SEALED * 2)
    assert b"ben" not in up
    theirs = up.removeprefix(SEALED * 2)
    assert relay.begin_round(other * 2) == theirs
    assert sent(relay, ROUND) == SEALED
    answers = ANSWER * 2 + (BOUND + DONE) * 4 + ANSWER
    assert told(relay, answers) == answers


def test_with_a_new_snapshot_no_cipher_is_left() -> None:
    """What seals series, and opens answers, holds keys that may have been withdrawn."""
    relay = going_on()
    assert any(isinstance(one, kernel.Series) for one in reachable(relay))
    relay.share(snapshot([]))
    ciphers = (kernel.Series, kernel.Sealer, kernel.Opener, kernel.Rows, kernel.Answer)
    assert not any(isinstance(one, ciphers) for one in reachable(relay))
