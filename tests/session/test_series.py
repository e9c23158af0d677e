"""session/series.py: rounds in a pipeline, sealed and noted as one, and the same as if taken one by one."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.session.conversation import (
    BOUND,
    DONE,
    ERROR,
    IDLE,
    IN_TRANSACTION,
    LIMITS,
    PARSED,
    errors,
    split,
)
from tests.session.guarding import tagged
from tests.session.test_rounds import DESCRIBE, EMAIL, PEOPLE, data_row

from strongroom.errors import UndefinedCursor
from strongroom.protect.plan import Sent
from strongroom.protect.style import TextStyle
from strongroom.session.guarded import GuardedRelay
from strongroom.session.refusals import to_wire
from strongroom.session.series import PLANS_KEPT, in_kernel
from strongroom.session.snapshot import Snapshot
from strongroom.sql.schema import Schema
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types
from strongroom.wire.postgres.codec import message
from strongroom.wire.postgres.reader import cstring

INSERT = "INSERT INTO people (id, email) VALUES ($1, $2)"
EXECUTE = m.Execute("").serialise()
NO_DATA = message(b"n", b"")
ANSWER = BOUND + NO_DATA + DONE
CLOSED = message(b"3", b"")
BAD = b"bad"  # an id that upstream refuses


def snapshot(names: Iterable[str] = (EMAIL.scheme.column,)) -> Snapshot:
    """The table people, its email protected."""
    schemes = dict.fromkeys(names, EMAIL.scheme)
    return Snapshot(Schema({}), schemes, {}, dict.fromkeys(names, EMAIL)).with_schema(
        Schema({PEOPLE.oid: PEOPLE})
    )


def prepared(text: str = INSERT) -> GuardedRelay:
    """A relay in which a statement was prepared as ``s``, inside a transaction."""
    relay = GuardedRelay(LIMITS, snapshot())
    relay.client(m.Parse("s", text).serialise() + m.SYNC)
    path = b'{"path": ["pg_catalog", "public"]}'
    relay.upstream(PARSED + BOUND + data_row(path, b"{}") + DONE + CLOSED + CLOSED + IN_TRANSACTION)
    described = m.ParameterDescription((types.INT4, types.BYTEA)).serialise() + NO_DATA
    relay.upstream(PARSED + described + IN_TRANSACTION)
    relay.to_upstream.clear()
    relay.to_client.clear()
    return relay


def bind(number: bytes | None, email: bytes | None, statement: str = "s") -> bytes:
    """The client's Bind."""
    return m.Bind("", statement, (), (number, email)).serialise()


def round_of(number: bytes | None, email: bytes | None) -> bytes:
    """The client's round."""
    return bind(number, email) + DESCRIBE + EXECUTE


def sealed(number: bytes | None, email: bytes | None) -> bytes:
    """The round as it goes upstream."""
    value = EMAIL.seal(email, Sent(TextStyle()))
    return m.Bind("", "s", (m.TEXT, m.BINARY), (number, value)).serialise() + DESCRIBE + EXECUTE


def sent(relay: GuardedRelay, chunk: bytes) -> bytes:
    """What goes upstream of a chunk."""
    at_once = relay.begin_round(chunk)
    if at_once is not None:
        return at_once
    relay.client(chunk)
    return taken(relay.to_upstream)


def told(relay: GuardedRelay, chunk: bytes) -> bytes:
    """What the client gets of upstream's chunk."""
    at_once = relay.end_round(chunk)
    if at_once is not None:
        return at_once
    relay.upstream(chunk)
    return taken(relay.to_client)


def taken(octets: list[bytes]) -> bytes:
    whole = b"".join(octets)
    octets.clear()
    return whole


def test_a_series_is_sealed_in_one_piece() -> None:
    """Every round of it, NULLs too; its answers pass as they are, and leave nothing behind."""
    relay = prepared()
    rounds: list[tuple[bytes, bytes | None]] = [(b"1", b"anna"), (b"2", None), (b"3", b"ben")]
    assert sent(relay, b"".join(round_of(*one) for one in rounds)) == b"".join(sealed(*one) for one in rounds)
    assert told(relay, ANSWER * 3) == ANSWER * 3
    relay.client(m.SYNC)
    assert told(relay, IDLE) == IDLE
    assert relay.idle


def test_what_goes_on_needs_no_thought() -> None:
    """Once a series was found, its next rounds are taken before any message is looked at."""
    relay = prepared()
    assert relay.begin_round(round_of(b"1", b"a")) is None
    relay.client(round_of(b"1", b"a"))
    for email in (b"b", b"c"):
        assert relay.begin_round(round_of(b"2", email)) == sealed(b"2", email)
    assert relay.end_round(ANSWER * 2) == ANSWER * 2
    assert relay.begin_round(round_of(b"2", b"d") * 2) == sealed(b"2", b"d") * 2
    assert relay.end_round(ANSWER * 3) == ANSWER * 3
    assert relay.end_round(ANSWER) is None


@pytest.mark.parametrize("chunk", [m.SYNC, m.FLUSH, round_of(b"1", b"x")[:-1], bind(b"1", b"x")])
def test_anything_else_is_looked_at(chunk: bytes) -> None:
    """A chunk that is not all of the series takes the long way whole."""
    relay = prepared()
    relay.client(round_of(b"1", b"a"))
    assert relay.begin_round(chunk) is None
    assert relay.begin_round(round_of(b"1", b"x") + chunk) is None


def test_an_error_skips_the_rest_of_the_series() -> None:
    """Up to the Sync, and without what quotes values; what follows is a series again."""
    relay = prepared()
    sent(relay, round_of(b"1", b"a") * 5)
    quoting = m.ErrorResponse.of("ERROR", "23505", "duplicate key", detail="Key (id)=(1) exists.").serialise()
    answered = told(relay, ANSWER * 2 + BOUND + NO_DATA + quoting)
    assert answered.startswith(ANSWER * 2 + BOUND + NO_DATA)
    assert b"Key" not in answered
    assert sent(relay, round_of(b"1", b"b")) == b""
    assert sent(relay, m.SYNC) == m.SYNC
    assert told(relay, IN_TRANSACTION) == IN_TRANSACTION
    assert sent(relay, round_of(b"1", b"b") * 2) == sealed(b"1", b"b") * 2
    assert told(relay, ANSWER * 2) == ANSWER * 2


def test_a_value_that_needs_words_ends_the_series_before_it() -> None:
    """The rounds before it go upstream, and its own is refused as anywhere."""
    relay = prepared()
    up = sent(relay, round_of(b"1", b"a") * 2 + round_of(b"2", b"\xff") + round_of(b"3", b"b"))
    assert up.startswith(sealed(b"1", b"a") * 2)
    assert b"strongroom refused" in up
    assert relay.refused == ["value-encoding"]
    down = told(relay, ANSWER * 2 + ERROR)
    assert errors(down)[0].fields["C"] == "22021"


def test_arrays_of_parameters_are_no_series() -> None:
    """The kernel knows no value that is made of several: they are taken one by one."""
    guard = tagged()
    (resolved,) = guard.analyse("INSERT INTO tagged VALUES (ARRAY[$1]::int[])", ()).statements
    assert in_kernel(guard, resolved, m.Bind("", "s", (), (b"1",), ()), EXECUTE, ()) is None


def test_every_value_is_counted() -> None:
    """Each use of the key, and none for a NULL."""
    relay = prepared()
    uses = EMAIL._uses.taken  # type: ignore[attr-defined]  # the list of tests.protect.samples
    before = len(uses)
    sent(relay, round_of(b"1", b"a") * 10 + round_of(b"1", None) * 10)
    assert sum(count for _, _, count in uses[before:]) == 10


def test_a_statement_prepared_anew_is_another() -> None:
    """What was found for one does not hold for the next of its name."""
    relay = prepared()
    relay.client(round_of(b"1", b"a"))
    relay.client(m.Target("S", "s").close() + m.Parse("s", INSERT).serialise())
    assert relay.begin_round(round_of(b"1", b"a")) is None


def test_after_a_new_snapshot_statements_are_looked_at_again() -> None:
    """What may be done to a series is known only as long as the catalog is."""
    relay = prepared()
    relay.client(round_of(b"1", b"a"))
    relay.share(snapshot())
    assert relay.begin_round(round_of(b"1", b"a")) is None


def test_forms_are_forgotten_before_there_are_too_many() -> None:
    """A session does not keep all it has seen."""
    relay = prepared()
    for number in range(PLANS_KEPT + 2):
        codes = tuple(number >> bit & 1 for bit in range(7))
        relay.client(m.Bind("", "s", (), (b"1", b"a"), codes).serialise() + EXECUTE)
    assert len(relay._plans._known) < PLANS_KEPT  # it is nowhere to be seen from outside


VALUES = st.sampled_from([None, b"a", b"anna", b"\xff"])
NUMBERS = st.sampled_from([None, b"1", b"22", BAD])
MESSAGES = st.one_of(
    st.builds(round_of, NUMBERS, VALUES),
    st.builds(lambda number, value: bind(number, value) + EXECUTE, NUMBERS, VALUES),
    st.builds(bind, NUMBERS, VALUES),
    st.builds(lambda number, value: bind(number, value, "t") + EXECUTE, NUMBERS, VALUES),
    st.sampled_from([m.SYNC, m.SYNC, m.FLUSH, DESCRIBE, EXECUTE, m.Target("P", "").close()]),
)


NO_PORTAL = to_wire(
    UndefinedCursor(
        "there is no portal of this name", hint="Bind it first; portals end with their transaction."
    )
).serialise()
"""In the gateway's own words, which it says itself where it knows already."""


class Upstream:
    """Answers as PostgreSQL would, and skips after an error."""

    def __init__(self) -> None:
        self._skips = False
        self._bound = False
        self._number = b""

    def answer(self, octets: bytes) -> bytes:
        return b"".join(self._one(tag, body) for tag, body in split(octets))

    def _one(self, tag: str, body: bytes) -> bytes:
        if tag == "S":
            self._skips = False
            return IN_TRANSACTION
        if self._skips or tag == "H":
            return b""
        if tag == "B":
            self._number = BAD if BAD in body else b""
            self._bound = not (cstring("t") in body or b"strongroom refused" in body)
        if tag == "C":
            self._bound = False
        if tag in "DE" and not self._bound:
            self._skips = True
            return NO_PORTAL
        if cstring("t") in body or b"strongroom refused" in body or (tag == "E" and self._number):
            self._skips = True
            return ERROR
        return {"B": BOUND, "D": NO_DATA, "E": DONE, "C": CLOSED}[tag]


def talked(chunks: Iterable[bytes], patience: list[bool]) -> tuple[list[tuple[str, bytes]], bytes]:
    """All that went up, but for Flushes, and all that came down when the client sent these chunks."""
    relay, server = prepared(), Upstream()
    up = down = owed = b""
    turns = [(chunk, patience[number % len(patience)]) for number, chunk in enumerate(chunks)]
    for chunk, is_answered in [*turns, (m.SYNC, True)]:
        arrived = sent(relay, chunk)
        up += arrived
        owed += server.answer(arrived)
        while is_answered and owed:
            down += told(relay, owed)
            arrived = taken(relay.to_upstream)
            up += arrived
            owed = server.answer(arrived)
    return [one for one in split(up) if one[0] != "H"], down


@settings(deadline=None)
@given(st.lists(MESSAGES, max_size=12), st.lists(st.booleans(), min_size=1, max_size=5), st.integers(1, 200))
def test_a_series_is_what_its_messages_are_one_by_one(
    messages: list[bytes], patience: list[bool], size: int
) -> None:
    """However the octets are cut the same goes up, and whenever upstream answers the same comes down."""
    whole = b"".join(messages)
    octets = [whole[at : at + 1] for at in range(len(whole))]
    expected = talked(octets, [False])
    chunks = [whole[at : at + size] for at in range(0, len(whole), size)]
    for cut in (messages, [whole], chunks):
        assert talked(cut, [False]) == expected
        assert talked(cut, patience)[1] == expected[1]
