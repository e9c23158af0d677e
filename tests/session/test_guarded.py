"""The client's side of a guarded session: what is sent, what is refused, and what waits."""

from dataclasses import replace

import pytest
from tests.session.conversation import (
    BOUND,
    CLOSED,
    DONE,
    ERROR,
    FAILED,
    IDLE,
    IN_TRANSACTION,
    LIMITS,
    PARSED,
    errors,
    split,
)
from tests.session.guarding import (
    ANNA,
    CODECS,
    SNAPSHOT,
    Guarded,
    column,
    data_row,
    described,
    plaintext,
)

from strongroom.session.relay import REFUSED
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types
from strongroom.wire.postgres.codec import message

BY_MAIL = "SELECT id FROM people WHERE email = $1"
NOTHING_READ = m.ParameterDescription((types.BYTEA,)).serialise() + described(column("id", 1, types.INT4))
CREATED = message(b"C", b"CREATE TABLE\0")


def query(text: str) -> bytes:
    return m.Query(text).serialise()


def parse(name: str, text: str) -> bytes:
    return m.Parse(name, text).serialise()


def bind(portal: str, statement: str, *values: bytes) -> bytes:
    return m.Bind(portal, statement, (), values).serialise()


def execute(portal: str = "") -> bytes:
    return m.Execute(portal).serialise()


def tags(octets: bytes) -> str:
    return "".join(tag for tag, _ in split(octets))


def prepared(name: str = "s", text: str = BY_MAIL) -> Guarded:
    """A session in which this was prepared."""
    talk = Guarded()
    talk.client(parse(name, text) + m.SYNC)
    talk.upstream(PARSED + NOTHING_READ + IDLE)
    return talk


# ------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("octets", "sent", "code"),
    [
        (query("SELECT lower(email) FROM people WHERE note = 'geheim'"), "Q", "0A000"),
        (query("UPDATE people SET pin = 'geheim'"), "Q", "22P02"),
        (parse("s", "SELECT id FROM people WHERE email LIKE 'geheim'") + m.SYNC, "PS", "0A000"),
        (parse("s", "SELECT 1 FROM people WHERE email = 'geheim'; SELECT 1") + m.SYNC, "PS", "42501"),
        (bind("", "nobody", b"geheim") + m.SYNC, "BS", "26000"),
        (execute("geheim") + m.SYNC, "ES", "34000"),
        (m.Target("P", "geheim").describe() + m.SYNC, "DS", "34000"),
        (query("SET client_encoding = 'geheim'"), "Q", "55P02"),
    ],
)
def test_what_is_refused_is_replaced_upstream(octets: bytes, sent: str, code: str) -> None:
    """By a message of the same kind that PostgreSQL rejects; the client hears our error in place of its."""
    talk = Guarded()
    up, _ = talk.client(octets)
    assert tags(up) == sent
    assert REFUSED.encode() in up
    assert b"geheim" not in up
    _, told = talk.upstream(ERROR + IDLE)
    (error,) = errors(told)
    assert error.fields["C"] == code
    assert b"geheim" not in told
    assert b"division" not in told
    assert talk.relay.idle


def test_what_follows_a_refusal_sends_no_value() -> None:
    """Upstream skips it, and so it need not see it."""
    talk = Guarded()
    refused = parse("s", "SELECT lower(email) FROM people WHERE note = $1")
    up, _ = talk.client(refused + bind("", "s", b"geheim") + execute() + m.SYNC)
    assert (tags(up), b"geheim" in up) == ("PBES", False)
    _, told = talk.upstream(ERROR + IDLE)
    assert tags(told) == "EZ"


def test_a_refused_statement_is_not_there_afterwards() -> None:
    """As if its Parse had failed, which it has."""
    talk = Guarded()
    talk.client(parse("s", "SELECT lower(email) FROM people") + m.SYNC)
    talk.upstream(ERROR + IDLE)
    up, _ = talk.client(bind("", "s") + m.SYNC)
    assert REFUSED.encode() in up
    _, told = talk.upstream(ERROR + IDLE)
    assert errors(told)[0].fields["C"] == "26000"


def test_a_limit_of_statements_is_kept() -> None:
    """Beside protected columns as elsewhere."""
    talk = Guarded()
    for number in range(LIMITS.statements_per_session):
        talk.client(parse(f"s{number}", "SELECT 1") + m.SYNC)
        talk.upstream(PARSED + IDLE)
    up, _ = talk.client(parse("more", "SELECT 1") + m.SYNC)
    assert REFUSED.encode() in up


# ------------------------------------------------------------------------------------ read in binary

READ = "SELECT email FROM people"


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (b"", f"{READ} WHERE note = $1"),
        (b"", f"{READ}; {READ}"),
        (b"", "SELECT note FROM people"),
        (b"", "DELETE FROM people RETURNING email"),
        (query("SELECT 1"), READ),
        (parse("s", "SELECT 1"), READ),
    ],
)
def test_what_stays_a_simple_query(before: bytes, text: str) -> None:
    """What would be another thing in the extended protocol, or may be skipped; or has nothing to gain."""
    talk = Guarded()
    up, _ = talk.client(before + query(text))
    assert tags(up)[-1] == "Q"


def test_a_query_that_is_read_in_binary_leaves_nothing_behind() -> None:
    """The client's unnamed statement and portal are gone, as after any simple query; ours are never its."""
    for answer in (ERROR + IDLE, PARSED + BOUND + described(column("email", 2, types.BYTEA)) + ERROR + IDLE):
        talk = prepared("")
        up, _ = talk.client(query(READ))
        assert tags(up) == "PBDECCS"
        talk.upstream(answer)
        for octets, sent, code in (
            (bind("", "", b"anna"), "BS", "26000"),
            (m.Target("S", "").describe(), "DS", "26000"),
            (m.Target("P", "").describe(), "DS", "34000"),
            (execute(), "ES", "34000"),
        ):
            up, _ = talk.client(octets + m.SYNC)
            assert (tags(up), REFUSED.encode() in up) == (sent, True)
            _, told = talk.upstream(ERROR + IDLE)
            assert errors(told)[0].fields["C"] == code


# ------------------------------------------------------------------------------------ what waits


def test_what_follows_a_barrier_waits_for_its_answer() -> None:
    """And for what must be read anew then; the messages keep their order."""
    talk = Guarded()
    up, _ = talk.client(query("CREATE TABLE x (id int)") + query("SELECT 1") + query("SELECT 2"))
    assert up == query("CREATE TABLE x (id int)") + m.FLUSH
    assert talk.relay.waiting
    talk.relay.upstream(CREATED + IDLE)
    sent = b"".join(talk.relay.to_upstream)
    assert b"pg_catalog.pg_class" in sent
    assert b"SELECT 1" not in sent


def test_a_name_that_may_change_is_waited_for() -> None:
    """Execute and Describe of a portal, while CLOSE or DECLARE is under way; the unnamed one is nobody's."""
    talk = Guarded()
    talk.client(query("BEGIN"))
    talk.upstream(message(b"C", b"BEGIN\0") + IN_TRANSACTION)
    talk.client(parse("s", "SELECT note FROM people") + parse("x", "CLOSE c") + m.SYNC)
    noted = m.ParameterDescription(()).serialise() + described(column("note", 4, types.TEXT))
    talk.upstream(PARSED + noted + PARSED + IN_TRANSACTION)
    up, _ = talk.client(bind("c", "s") + bind("", "x") + execute() + execute("c"))
    assert tags(up.replace(m.FLUSH, b"")) == "BBE"
    up, _ = talk.upstream(BOUND + BOUND + message(b"C", b"CLOSE CURSOR\0"))
    assert tags(up.replace(m.FLUSH, b"")) == "E"  # of a portal that is not there any more
    assert REFUSED.encode() in up


def test_a_statement_that_may_change_is_waited_for() -> None:
    """Describe of a statement that PREPARE is about to make."""
    talk = Guarded()
    up, _ = talk.client(query(f"PREPARE p AS {BY_MAIL}") + m.Target("S", "p").describe() + m.SYNC)
    assert tags(up.replace(m.FLUSH, b"")) == "Q"
    up, _ = talk.upstream(message(b"C", b"PREPARE\0") + IDLE)
    assert tags(up.replace(m.FLUSH, b"")) == "DS"
    _, told = talk.upstream(NOTHING_READ + IDLE)
    assert m.ParameterDescription.parse(split(told)[0][1]).types == (
        types.TEXT,
    )  # varchar is compared as text


# ------------------------------------------------------------------------------------ prepared anew


def test_under_another_path_a_statement_is_prepared_anew() -> None:
    """By a Close and a Parse of ours, whose answers the client does not see."""
    talk = prepared()
    talk.client(query("SET search_path = other, public"))
    talk.path = ("pg_catalog", "other", "public")
    talk.upstream(message(b"C", b"SET\0") + IDLE)
    up, _ = talk.client(bind("", "s", b"anna") + execute() + m.SYNC)
    assert tags(up) == "BES"  # it means the same as before
    assert ANNA in up
    talk.upstream(BOUND + data_row(b"1") + DONE + IDLE)
    talk.client(query("SET search_path = other"))
    talk.path = ("pg_catalog", "other")
    talk.upstream(message(b"C", b"SET\0") + IDLE)
    up, _ = talk.client(bind("", "s", b"anna") + execute() + m.SYNC)
    assert tags(up) == "CPBES"  # another table, which is not protected
    assert ANNA not in up
    _, told = talk.upstream(CLOSED + PARSED + BOUND + data_row(b"1") + DONE + IDLE)
    assert tags(told) == "2DCZ"


def test_prepared_anew_and_refused() -> None:
    """A statement that may no longer run is refused in Bind, and its values stay here."""
    talk = prepared("s", "SELECT id FROM people WHERE note = $1 AND email IS NULL")
    talk.relay.share(replace(SNAPSHOT, sealed=frozenset(CODECS)).with_schema(plaintext()))
    up, _ = talk.client(bind("", "s", b"geheim") + execute() + m.SYNC)
    assert (tags(up), REFUSED.encode() in up, b"geheim" in up) == ("BES", True, False)
    _, told = talk.upstream(ERROR + IDLE)
    assert "[form-lost]" in errors(told)[0].fields["M"]


def test_a_prepared_statement_of_sql_survives_a_change_of_the_catalog() -> None:
    """Its text is remembered, wherever it stood: alone, among others, or behind an Execute."""
    for among in ("PREPARE p AS {}", "BEGIN; PREPARE p AS {}; COMMIT"):
        talk = Guarded()
        talk.client(query(among.format(BY_MAIL)))
        done = [message(b"C", one) for one in (b"BEGIN\0", b"PREPARE\0", b"COMMIT\0")]
        talk.upstream((done[1] if among.startswith("PREPARE") else b"".join(done)) + IDLE)
        talk.relay.share(SNAPSHOT.with_schema(SNAPSHOT.schema))
        up, _ = talk.client(bind("", "p", b"anna") + execute() + m.SYNC)
        assert (tags(up), ANNA in up) == ("BES", True)


@pytest.mark.parametrize(
    ("what", "stays"), [("PLANS", True), ("TEMP", True), ("SEQUENCES", True), ("ALL", False)]
)
def test_discard_takes_what_it_says(what: str, stays: bool) -> None:
    """Prepared statements by ALL only."""
    talk = prepared()
    talk.client(query(f"DISCARD {what}"))
    talk.upstream(message(b"C", f"DISCARD {what}\0".encode()) + IDLE)
    assert (talk.relay._statements.find("s") is not None) is stays


def test_closing_a_statement_is_noted() -> None:
    """Its name means nothing afterwards."""
    talk = prepared()
    talk.client(m.Target("S", "s").close() + m.SYNC)
    talk.upstream(CLOSED + IDLE)
    assert talk.relay._statements.find("s") is None


def test_in_a_failed_transaction_nothing_is_read() -> None:
    """PostgreSQL would answer nothing; its end passes, and then it is read."""
    talk = Guarded()
    for text, done, ready in (
        ("BEGIN", b"BEGIN\0", IN_TRANSACTION),
        ("SET search_path = x", b"SET\0", FAILED),
    ):
        talk.client(query(text))
        talk.upstream(message(b"C", done) + ready)
    asked = talk.questions
    up, _ = talk.client(query(BY_MAIL.replace("$1", "'a'")))
    assert REFUSED.encode() in up
    talk.upstream(ERROR + FAILED)
    up, _ = talk.client(query("ROLLBACK"))
    assert up == query("ROLLBACK")
    assert talk.questions == asked
    talk.upstream(message(b"C", b"ROLLBACK\0") + IDLE)
    talk.client(query("SELECT 1"))
    assert talk.questions == asked + 1


def test_what_touches_nothing_goes_as_it_came() -> None:
    """Octet by octet."""
    talk = Guarded()
    octets = (
        query("SELECT  1 -- people") + parse("t", "SELECT $1::int") + bind("", "t", b"5") + execute() + m.SYNC
    )
    assert talk.client(octets)[0] == octets
