"""Parse and Bind as they go upstream."""

import pytest
from tests.session.conversation import split
from tests.session.guarding import ANNA, PATH, SEVEN, SNAPSHOT, TAGS, tagged

from strongroom.errors import InvalidValue, ParameterCount, UnsupportedInput
from strongroom.protect.style import TextStyle
from strongroom.session.binding import client_types, resolved_parse, sealed_bind
from strongroom.session.guard import Guard
from strongroom.session.statements import Names
from strongroom.sql.statement import Kind, Parameter, Resolved
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types


@pytest.fixture
def guard() -> Guard:
    """A session's view of the people."""
    made = Guard(SNAPSHOT, Names(), Names())
    made.refreshed(PATH, None)
    return made


def resolved(guard: Guard, text: str, *declared: int) -> Resolved:
    """A statement, understood."""
    (found,) = guard.analyse(text, declared).statements
    return found


def parse(guard: Guard, text: str, *declared: int) -> m.Parse:
    """The Parse that goes upstream."""
    analysis = guard.analyse(text, declared)
    sent = resolved_parse(
        guard, m.Parse("s", text, declared), analysis, analysis.statements[0], may_wait=False
    )
    ((_, body),) = split(sent)
    return m.Parse.parse(body)


def bind(
    guard: Guard,
    text: str,
    *values: bytes | None,
    formats: tuple[int, ...] = (),
    wanted: tuple[int, ...] = (),
) -> m.Bind:
    """The Bind that goes upstream."""
    _, sent = sealed_bind(guard, resolved(guard, text), m.Bind("p", "s", formats, values, wanted))
    ((_, body),) = split(sent)
    return m.Bind.parse(body)


def test_parse_declares_what_is_sealed(guard: Guard) -> None:
    """bytea for a sealed parameter, for the others what the client declared, if it did."""
    sent = parse(guard, "SELECT id FROM people WHERE email = $1 AND id = $2 AND note = $3", 0, types.INT8)
    assert (sent.name, sent.parameter_types) == ("s", (types.BYTEA, types.INT8, 0))
    assert '"public".people' in sent.text


def test_parse_seals_literals(guard: Guard) -> None:
    """As hexadecimal bytea."""
    sent = parse(guard, "SELECT id FROM people WHERE email = 'anna' AND note = 'anna'")
    assert f"email = '\\x{ANNA.hex()}'::pg_catalog.bytea" in sent.text
    assert sent.text.count("anna") == 1


def test_parse_seals_arrays_of_literals(guard: Guard) -> None:
    """Element by element."""
    sent = parse(guard, "SELECT id FROM people WHERE pin = ANY ('{7, NULL}')")
    assert SEVEN.hex() in sent.text
    assert "::pg_catalog.bytea[]" in sent.text


def test_bind_seals_in_binary(guard: Guard) -> None:
    """From either format of the client's; the others keep value and format, NULL stays NULL."""
    text = "SELECT id FROM people WHERE pin = $1 AND note = $2 AND email = $3"
    sent = bind(guard, text, b"7", b"n", None)
    assert (sent.portal, sent.statement, sent.values) == ("p", "s", (SEVEN, b"n", None))
    assert sent.formats == (1, 0, 1)
    sent = bind(guard, text, (7).to_bytes(4), b"n", b"anna", formats=(1, 0, 1))
    assert (sent.values, sent.formats) == ((SEVEN, b"n", ANNA), (1, 0, 1))


def test_a_split_parameter_is_sent_twice(guard: Guard) -> None:
    """Sealed and as it is."""
    sent = bind(guard, "UPDATE people SET email = $1, note = $1", b"anna")
    assert sorted(sent.values, key=str) == sorted((ANNA, b"anna"), key=str)


@pytest.mark.parametrize(
    ("values", "formats"),
    [((b"1", None, b"-7"), ()), ((b"\0\0\0\x01", None, b"\xff\xff\xff\xf9"), (1, 0, 1))],
)
def test_an_array_of_parameters_is_sealed_as_one(
    values: tuple[bytes | None, ...], formats: tuple[int, ...]
) -> None:
    """From either format; what it is made of goes upstream in no other way."""
    guard = tagged()
    sent = bind(guard, "INSERT INTO tagged VALUES (ARRAY[$1, $2, $3]::int[])", *values, formats=formats)
    assert sent.values[:3] == (None, None, None)
    assert sent.formats[3] == m.BINARY
    assert TAGS.opener(m.TEXT, TextStyle())(sent.values[3] or b"") == b"{1,NULL,-7}"


def test_an_array_of_parameters_in_two_formats_is_refused() -> None:
    """Before anything of it goes upstream."""
    with pytest.raises(UnsupportedInput):
        bind(tagged(), "INSERT INTO tagged VALUES (ARRAY[$1, $2]::int[])", b"1", b"\0\0\0\1", formats=(0, 1))


def test_the_elements_of_an_array_are_declared_as_text() -> None:
    """Nothing else says their type upstream; the client is told its own."""
    text = "INSERT INTO tagged VALUES (ARRAY[$1, $2]::int[])"
    assert parse(tagged(), text).parameter_types == (types.TEXT, types.TEXT, types.BYTEA)
    upstream = (types.TEXT, types.TEXT, types.BYTEA)
    assert client_types(resolved(tagged(), text), upstream) == (types.INT4, types.INT4)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_values_is_refused(guard: Guard, count: int) -> None:
    """In PostgreSQL's words, with the client's own numbers."""
    with pytest.raises(ParameterCount, match=f"supplies {count} parameters, but the statement requires 2"):
        bind(guard, "UPDATE people SET email = $1, note = $1 WHERE id = $2", *[b"1"] * count)


def test_a_value_that_is_none_of_the_column_is_refused(guard: Guard) -> None:
    """Before anything of it goes upstream, and without being quoted."""
    for text, value in (
        ("UPDATE people SET pin = $1", b"geheim"),
        ("UPDATE people SET email = $1", b"x" * 21),
    ):
        with pytest.raises(InvalidValue) as refused:
            bind(guard, text, value)
        assert value.decode() not in refused.value.message + refused.value.hint + refused.value.detail


@pytest.mark.parametrize(("wanted", "asked"), [((), (0, 1)), ((1,), (1, 1)), ((0, 0), (0, 1))])
def test_sealed_results_are_asked_for_in_binary(
    guard: Guard, wanted: tuple[int, ...], asked: tuple[int, ...]
) -> None:
    """And the run knows what the client asked for."""
    statement = resolved(guard, "SELECT id, email FROM people")
    run, sent = sealed_bind(guard, statement, m.Bind("", "s", (), (), wanted))
    assert m.Bind.parse(split(sent)[0][1]).result_formats == asked
    assert (run.formats, run.statements, run.rows is not None) == (wanted, (statement,), True)


def test_what_gives_nothing_sealed_is_asked_for_as_the_client_wants() -> None:
    """And needs no plan."""
    made = Guard(SNAPSHOT, Names(), Names())
    made.refreshed(PATH, None)
    run, sent = sealed_bind(
        made, resolved(made, "SELECT id FROM people WHERE email = $1"), m.Bind("", "s", (), (b"a",), (1,))
    )
    assert m.Bind.parse(split(sent)[0][1]).result_formats == (1,)
    assert run.rows is None


def test_the_client_is_told_its_own_parameters() -> None:
    """By its numbering: ours where one is sealed or split, else upstream's."""
    email = Parameter(1, types.TEXT, types.BYTEA, next(iter(SNAPSHOT.protections.values())))
    statement = Resolved(
        Kind.SELECT, (), parameters=(email, Parameter(2), Parameter(3), Parameter(1, types.TEXT, types.TEXT))
    )
    assert client_types(statement, (types.BYTEA, types.INT4, types.DATE, types.TEXT)) == (
        types.TEXT, types.INT4, types.DATE,
    )  # fmt: skip


def test_a_client_knows_nothing_of_literals_that_are_bound() -> None:
    """Upstream they are parameters; the types of the client's own are those that it asked about."""
    own = Parameter(1)
    literal = Parameter(1, types.TEXT, types.BYTEA, literal="x")
    statement = Resolved(Kind.INSERT, (), touched=True, parameters=(own, literal))
    assert client_types(statement, (types.INT8, types.BYTEA)) == (types.INT8,)
