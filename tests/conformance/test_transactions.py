"""What the end of a transaction takes back, on a real server: names and values never mean what they meant."""

import pytest
from tests.conformance.asking import Answer, Outcome, Refusal, Way, ask
from tests.conformance.twins import Twin, Twins, same

from strongroom.testing.installations import EMBEDDED
from strongroom.testing.raw_client import Message, RawClient
from strongroom.wire.postgres import messages as m

pytestmark = pytest.mark.parametrize("twins", [EMBEDDED], indirect=True)
SECRET = "'shy.xq7mark@example.org'"


def run(text: str) -> bytes:
    """A statement in the extended protocol, without a Sync."""
    return m.Parse("", text).serialise() + m.Bind("", "").serialise() + m.Execute("").serialise()


def errors(came: list[Message]) -> list[str]:
    """The messages of the errors that came."""
    return [m.ErrorResponse.parse(one.body).fields["M"] for one in came if one.tag == "E"]


def raw(twins: Twins) -> RawClient:
    """A session with the gateway, logged in."""
    client = RawClient.connect(twins.gateway.port)
    parameters = twins.protected.parameters
    client.log_in(parameters["user"], parameters["password"], parameters["dbname"])
    return client


def last(twin: Twin, *statements: str) -> list[Outcome]:
    """What the last of some statements gives; a transaction that is left open is rolled back."""
    twin.connection.exec_(b"ROLLBACK; RESET ALL")
    outcomes = [ask(twin.connection, Way.SIMPLE, statement, ()) for statement in statements][-1]
    twin.connection.exec_(b"ROLLBACK")
    return outcomes


@pytest.mark.parametrize(
    "steps",
    [
        ("BEGIN", "SET LOCAL search_path = archive", f"COMMIT; INSERT INTO customers VALUES (77, {SECRET})"),
        (
            "BEGIN", "SAVEPOINT a", "SET LOCAL search_path = archive",
            f"ROLLBACK TO a; INSERT INTO customers VALUES (77, {SECRET})",
        ),
        (
            "BEGIN", "CREATE TEMP TABLE customers (id int, email text) ON COMMIT DROP",
            "COMMIT; SELECT email FROM customers WHERE id = 1",
        ),
        ("BEGIN", "SET LOCAL timezone = 'Asia/Tokyo'", "ROLLBACK; SELECT seen FROM customers WHERE id = 1"),
        ("BEGIN", "SET timezone = 'Asia/Tokyo'; SELECT seen FROM customers WHERE id = 1"),
    ],
)  # fmt: skip
def test_one_text_across_a_change_is_refused(twins: Twins, steps: tuple[str, ...]) -> None:
    """What follows in the same text cannot be analysed before the change was answered."""
    ours = last(twins.protected, *steps)
    assert isinstance(ours[-1], Refusal)
    assert ours[-1].code == "barrier-in-batch"
    assert not [leak for leak in twins.leaks() if b"shy" in leak.around]


@pytest.mark.parametrize(
    "end",
    [run("COMMIT"), run("ROLLBACK"), m.Query("ROLLBACK").serialise()],
    ids=["commit", "rollback", "query"],
)
def test_a_pipeline_across_the_end_of_a_transaction(twins: Twins, end: bytes) -> None:
    """A statement that is pipelined behind COMMIT is analysed as of after it."""
    with raw(twins) as client:
        client.ask("BEGIN")
        client.ask("SET LOCAL search_path = archive")
        client.send(end + run(f"SELECT id FROM customers WHERE iban = {SECRET}") + m.SYNC)
        came = client.until("Z")
        if end[:1] == b"Q":
            came = client.until("Z")
    assert any("randomized" in error for error in errors(came)), came


def test_a_pipeline_across_an_implicit_transaction_that_failed(twins: Twins) -> None:
    """A Sync behind an error takes SET back, and what is pipelined behind the Sync sees it."""
    with raw(twins) as client:
        client.send(run("SET search_path = archive") + run("SELECT 1/0") + m.SYNC)
        client.send(run(f"SELECT id FROM customers WHERE iban = {SECRET}") + m.SYNC)
        assert "division by zero" in errors(client.until("Z"))
        assert any("randomized" in error for error in errors(client.until("Z")))


@pytest.mark.parametrize(
    ("setting", "query"),
    [
        ("timezone = 'Asia/Tokyo'", "SELECT seen FROM customers WHERE id = 1"),
        ("datestyle = 'German'", "SELECT born FROM customers WHERE id = 1"),
    ],
)
def test_a_setting_holds_for_what_is_pipelined_behind_it(twins: Twins, setting: str, query: str) -> None:
    """Values are written by a setting at once, though it is reported not before ReadyForQuery."""
    with raw(twins) as client:
        client.send(run(f"SET {setting}") + run(query) + m.SYNC)
        (row,) = [one.body for one in client.until("Z") if one.tag == "D"]
    plain = last(twins.plain, f"SET {setting}", query)
    assert isinstance(plain[0], Answer)
    expected = plain[0].rows[0][0]
    assert expected is not None
    assert row[6:] == expected


@pytest.mark.parametrize(
    "definition",
    [
        f"CREATE TABLE heir (x int, CHECK (email <> {SECRET})) INHERITS (customers)",
        f"CREATE TABLE heir PARTITION OF events (CHECK (email <> {SECRET})) FOR VALUES FROM (200) TO (300)",
        f"CREATE TABLE heir PARTITION OF events (email DEFAULT {SECRET}) FOR VALUES FROM (200) TO (300)",
        "CREATE TABLE heir PARTITION OF events (kind DEFAULT 'x') FOR VALUES FROM (200) TO (300)",
    ],
)
def test_heirs_keep_literals_sealed(twins: Twins, definition: str) -> None:
    """A constraint or default of a new child or partition holds no plaintext of its parent's columns."""
    plain, ours = (last(twin, "BEGIN", definition) for twin in (twins.plain, twins.protected))
    assert isinstance(ours[-1], Refusal) or same(plain, ours, ordered=True)
    assert not [leak for leak in twins.leaks() if b"shy" in leak.around]


def test_a_field_of_a_row(twins: Twins) -> None:
    """`(t).field` is the column."""
    query = "SELECT (c).email, (c).id FROM customers c"
    plain, ours = (last(twin, query) for twin in (twins.plain, twins.protected))
    assert same(plain, ours, ordered=False)
