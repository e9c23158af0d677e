"""From decisions to text: holes, types of casts, and parameters that are split."""

import pytest
from tests.sql.test_run import run_of
from tests.sql.world import EMAIL, IBAN, NAME, SCORE, TEXT, one

from strongroom.errors import Bug, ParameterTypeUnknown
from strongroom.sql.meeting import settled
from strongroom.sql.rewrite import joined, literal_hole, parameters, pieces, settle
from strongroom.sql.run import Run
from strongroom.sql.schema import Protection
from strongroom.sql.statement import Parameter, SealedLiteral
from strongroom.sql.typenames import INT4, TEXT_ARRAY
from strongroom.sql.value import Cast, Literal, ParameterUse, Value


def use(run: Run, number: int, protection: Protection | None, **more: object) -> ParameterUse:
    """A use of a parameter that is decided; it stands where its number stands for the nth time."""
    text = run.lexed.source.decode()
    start = -1
    for _ in range(1 + sum(isinstance(node, ParameterUse) and node.number == number for node in run.opens)):
        start = text.index(f"${number}", start + 1)
    node = ParameterUse(start, start + 2, number=number)
    run.add(node)
    if protection is None:
        node.keep_plain(int(str(more.get("natural", 0))))
    else:
        node.seal(protection, is_array=bool(more.get("is_array")), compared=bool(more.get("compared", True)))
    return node


def test_texts_become_one_piece() -> None:
    """Holes part them; what is empty is left out."""
    hole = SealedLiteral(EMAIL, "a")
    assert joined(["a", "", "b", hole, "", "c", "d"]) == ("ab", hole, "cd")
    assert joined([]) == ()


def test_only_what_was_sealed_changes() -> None:
    """A literal becomes a hole, the type of a cast bytea; the rest stays byte by byte."""
    run = run_of("select 'é',  'b'::text , 'c'")
    sealed, cast, kept = Literal(7, 11, value="é"), Cast(19, 23, TEXT), Literal(26, 29, value="c")
    for node in (sealed, cast, kept):
        run.add(node)
    sealed.seal(EMAIL, is_array=False, compared=True)
    cast.seal(EMAIL, is_array=False, compared=True)
    kept.keep_plain()
    out = pieces(run, 0, len(run.lexed.source))
    assert out == ("select ", literal_hole(run, sealed), ",  'b'::pg_catalog.bytea , 'c'")


def test_a_name_that_would_change_is_written() -> None:
    """Behind the place that it labels."""
    run = run_of("select 'a'")
    node = Literal(7, 10, value="a", label="te xt", label_at=10)
    run.add(node)
    node.seal(EMAIL, is_array=False, compared=True)
    assert pieces(run, 0, 10)[-1] == ' AS "te xt"'


def test_changes_that_overlap_are_a_bug() -> None:
    """Two parts of the analysis cannot both write one place; nor may one reach beyond the statement."""
    run = run_of("select email")
    run.edit(0, 6, "a")
    run.edit(3, 8, "b")
    with pytest.raises(Bug):
        pieces(run, 0, 12)
    beyond = run_of("select email; select 1")
    beyond.edit(7, 14, "x")
    with pytest.raises(Bug):
        pieces(beyond, 0, 12)


@pytest.mark.parametrize(
    ("literal", "protection", "oid"),
    [
        (Literal(0, 1, value="a"), EMAIL, TEXT), (Literal(0, 1, value="5", number_oid=INT4), SCORE, INT4),
        (Literal(0, 1, value="5", number_oid=INT4), EMAIL, INT4),
        (Literal(0, 1, type_oid=20, value="5"), SCORE, 20),
    ],
)  # fmt: skip
def test_a_hole_says_how_to_read_its_literal(literal: Literal, protection: Protection, oid: int) -> None:
    """By its own type, as a number, else as the column's type."""
    literal.seal(protection, is_array=False, compared=False)
    hole = literal_hole(run_of("select 1"), literal)
    assert (hole.type_oid, hole.value, hole.compared) == (oid, literal.value, False)


def test_an_array_literal_is_read_as_the_column_says() -> None:
    """Its elements are of the column's type."""
    literal = Literal(0, 1, value="{a}")
    literal.seal(EMAIL, is_array=True, compared=True)
    hole = literal_hole(run_of("select 1"), literal)
    assert (hole.type_oid, hole.is_array) == (0, True)


def test_a_parameter_that_is_only_plain_is_not_ours() -> None:
    """It goes as it came, with what Parse declared; one that is not used still has its number."""
    run = run_of("select $1, $3")
    run.declared = (23,)
    run.top = 3
    use(run, 1, None)
    use(run, 3, None)
    assert parameters(run) == (Parameter(1, 0, 23), Parameter(2), Parameter(3))
    assert run.edits == []


def test_a_parameter_that_is_sealed_in_all_its_uses_stays_one() -> None:
    """If each use has the same key and form; it is compared only if each use is."""
    run = run_of("$1 $1")
    use(run, 1, EMAIL)
    use(run, 1, EMAIL)
    run.top = 1
    assert parameters(run) == (Parameter(1, 25, 17, EMAIL, compared=True),)


@pytest.mark.parametrize(
    ("second", "more"),
    [
        (None, {}), (NAME, {}), (IBAN, {"compared": False}),
    ],
)  # fmt: skip
def test_uses_of_other_forms_are_split(second: Protection | None, more: dict[str, object]) -> None:
    """The second gets a number after the client's, and takes the same client's parameter."""
    run = run_of("$1 $2 $1")
    use(run, 1, EMAIL)
    use(run, 2, None)
    use(run, 1, second, **more)
    run.top = 2
    sent = parameters(run)
    assert [parameter.client for parameter in sent] == [1, 2, 1]
    assert [parameter.protection for parameter in sent] == [EMAIL, None, second]
    (edit,) = run.edits
    assert (edit.start, edit.end, edit.pieces) == (6, 8, ("$3",))
    assert sent[2].upstream_oid == (17 if second else 25)


def test_randomized_uses_are_each_sealed_alone() -> None:
    """One ciphertext in two places would show that they are equal."""
    run = run_of("$1 $1 $1")
    for _ in range(3):
        use(run, 1, IBAN, compared=False)
    run.top = 1
    assert len(parameters(run)) == 3
    assert [edit.pieces for edit in run.edits] == [("$2",), ("$3",)]


def test_a_stored_use_and_one_of_another_length_are_split() -> None:
    """The length of a stored value is checked, that of a compared one is not."""
    run = run_of("$1 $1")
    use(run, 1, NAME, compared=False)
    use(run, 1, NAME, compared=True)
    run.top = 1
    assert [parameter.compared for parameter in parameters(run)] == [False, True]


def test_arrays_have_a_type_of_their_own() -> None:
    """bytea[] upstream, the array of the column's type for the client."""
    run = run_of("$1")
    use(run, 1, EMAIL, is_array=True)
    run.top = 1
    assert parameters(run) == (Parameter(1, TEXT_ARRAY, 1001, EMAIL, is_array=True, compared=True),)


def test_what_parse_declares_is_what_the_client_sees() -> None:
    """Whatever the uses are."""
    run = run_of("$1")
    run.declared = (1043,)
    use(run, 1, EMAIL)
    run.top = 1
    (parameter,) = parameters(run)
    assert (parameter.type_oid, parameter.upstream_oid) == (1043, 17)


def test_two_types_for_one_parameter_are_refused() -> None:
    """PostgreSQL would refuse them, or choose; text and varchar, or two integers, take the first."""
    run = run_of("$1 $1")
    use(run, 1, EMAIL)
    use(run, 1, None, natural=23)
    run.top = 1
    with pytest.raises(ParameterTypeUnknown, match=r"parameter \$1 .*public\.customers\.email"):
        parameters(run)
    run = run_of("$1 $1")
    use(run, 1, None, natural=20)
    use(run, 1, SCORE)
    run.top = 1
    assert {parameter.type_oid for parameter in parameters(run)} == {20}


def test_what_is_linked_is_sealed_together() -> None:
    """One row of VALUES decides for the others, and they for what is linked with them, in any order."""
    run = run_of("x")
    first, second, third = Literal(0, 1), Literal(0, 1), Literal(0, 1)
    for node in (first, second, third):
        run.add(node)
    for pair in ((second, third), (first, second)):
        value = Value(open=tuple((node, 0) for node in pair))
        for node in pair:
            node.links.append(value)
    third.seal(EMAIL, is_array=False, compared=True)
    settle(run)
    assert first.protection is second.protection is EMAIL


def test_numbers_after_the_clients_are_written_where_they_stand() -> None:
    """In a whole statement, with the client's own order kept."""
    resolved = one("update customers set note = $2, email = $2, iban = $1 where id = $3 and email = $1")
    text = "".join(str(piece) for piece in resolved.pieces)
    assert text.endswith("note = $2, email = $5, iban = $4 where id = $3 and email = $1")
    assert [parameter.client for parameter in resolved.parameters or ()] == [1, 2, 3, 1, 2]


def test_a_parameter_that_a_function_is_given_first_is_of_its_type() -> None:
    """Which is not known, but that it is text where functions choose (manual, "Function Type Resolution")."""
    sent = one("select 1 from customers where lower($1) = 'a' and email = $1").parameters or ()
    assert {item.type_oid for item in sent} == {TEXT}
    for condition in ("abs($1) = 1 and score = $1", "lower($1) = 'a' and score = $1::int"):
        with pytest.raises(ParameterTypeUnknown):
            one(f"select 1 from customers where {condition}")
    sent = one("select 1 from customers where score = $1 and abs($1) = 1").parameters or ()
    assert {item.type_oid for item in sent} == {INT4}


def test_a_long_list_is_settled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each value in it: that took minutes for a thousand rows."""
    looked: list[Value] = []

    def counting(value: Value) -> Value:
        looked.append(value)
        return settled(value)

    monkeypatch.setattr("strongroom.sql.rewrite.settled", counting)
    rows = ", ".join(f"({number}, ${number})" for number in range(1, 201))
    found = one(f"insert into customers (id, email) select a, b::text from (values {rows}) v (a, b)")
    assert sum(parameter.protection is not None for parameter in found.parameters or ()) == 200
    assert len(looked) < 100
