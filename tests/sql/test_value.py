"""What is open decides once: it is sealed by what it meets, or stays plain."""

import pytest
from tests.sql.world import DATE, EMAIL, IBAN, INT, NAME, NUMERIC, SCORE, TEXT, VARCHAR

from strongroom.errors import TypeRefused, ValueMoves
from strongroom.sql.typenames import BYTEA, BYTEA_ARRAY, FLOAT8, INT2, INT8, TEXT_ARRAY
from strongroom.sql.value import COMPUTED, NO_TYPE, NULL, PLAIN, Cast, Literal, Open, Value


def test_what_is_sealed_is_no_longer_plain_nor_the_reverse() -> None:
    """One place in the text has one form: the second use that wants the other is refused."""
    sealed, kept = Open(0, 1), Open(0, 1)
    sealed.seal(EMAIL, is_array=False, compared=True)
    kept.keep_plain()
    with pytest.raises(ValueMoves, match=r"used for .* public\.customers\.email and elsewhere"):
        sealed.keep_plain()
    with pytest.raises(ValueMoves):
        kept.seal(EMAIL, is_array=False, compared=True)
    assert not sealed.plain
    assert kept.protection is None


def test_the_first_column_keeps_it() -> None:
    """A second column of its key does not take it over."""
    node = Open(0, 1)
    node.seal(EMAIL, is_array=False, compared=True)
    node.seal(NAME, is_array=False, compared=True)
    assert node.protection is EMAIL


def test_compared_until_it_is_stored() -> None:
    """One use that stores it makes its length count; a length of its own does, too."""
    node = Open(0, 1)
    node.seal(EMAIL, is_array=False, compared=True)
    assert node.compared
    node.seal(EMAIL, is_array=False, compared=False)
    assert not node.compared
    cut = Cast(0, 1, VARCHAR, 24)
    cut.seal(NAME, is_array=False, compared=True)
    assert not cut.compared


def test_the_type_that_the_context_gives() -> None:
    """Stored, of the column's type; compared, of the type that has the operator; the first one stays."""
    stored, compared, told = Open(0, 1), Open(0, 1), Open(0, 1, natural_oid=INT)
    stored.seal(NAME, is_array=False, compared=False)
    compared.seal(NAME, is_array=False, compared=True)
    told.seal(NAME, is_array=False, compared=True)
    assert (stored.natural_oid, compared.natural_oid, told.natural_oid) == (VARCHAR, TEXT, INT)
    array = Open(0, 1)
    array.seal(EMAIL, is_array=True, compared=True)
    assert array.natural_oid == TEXT_ARRAY


def test_text_by_default_gives_way() -> None:
    """What is text only because nothing else said so takes the type of a column that is no text."""
    number, text = Open(0, 1, natural_oid=TEXT), Open(0, 1, natural_oid=TEXT)
    number.seal(SCORE, is_array=False, compared=True)
    text.seal(NAME, is_array=False, compared=False)
    assert (number.natural_oid, text.natural_oid) == (INT, TEXT)


@pytest.mark.parametrize(
    ("oid", "protection", "compared"),
    [
        (0, IBAN, False), (TEXT, EMAIL, True), (VARCHAR, EMAIL, True), (TEXT, NAME, False),
        (INT, SCORE, True), (INT8, SCORE, True), (NUMERIC, SCORE, True), (FLOAT8, SCORE, False),
    ],
)  # fmt: skip
def test_types_that_are_taken(oid: int, protection: object, compared: bool) -> None:
    """The column's own type, and those that keep the value: exact numbers, text and varchar."""
    node = Open(0, 1, oid)
    node.seal(protection, is_array=False, compared=compared)  # type: ignore[arg-type]  # parametrised
    assert node.protection is protection


@pytest.mark.parametrize(
    ("oid", "typmod", "is_array"),
    [(INT, -1, False), (DATE, -1, False), (BYTEA, -1, False), (NO_TYPE, -1, False), (TEXT, 10, False),
     (TEXT_ARRAY, -1, False), (TEXT, -1, True), (BYTEA_ARRAY, -1, True)],
)  # fmt: skip
def test_types_that_are_refused(oid: int, typmod: int, is_array: bool) -> None:
    """Another type, another length, an array for a value and a value for an array."""
    with pytest.raises(TypeRefused, match=r"public\.customers\.email"):
        Open(0, 1, oid, typmod).seal(EMAIL, is_array=is_array, compared=True)


def test_floating_point_is_stored_but_not_compared() -> None:
    """PostgreSQL compares float8 with integer as float8: the column would be cast, which is sealed."""
    with pytest.raises(TypeRefused):
        Open(0, 1, FLOAT8).seal(SCORE, is_array=False, compared=True)


def test_a_wider_type_is_either_compared_or_stored() -> None:
    """A numeric that is compared with an integer and stored in it would be rounded in one place only."""
    for first in (True, False):
        node = Open(0, 1, NUMERIC)
        node.seal(SCORE, is_array=False, compared=first)
        with pytest.raises(TypeRefused, match=r"compared with .*customers\.score, and stored"):
            node.seal(SCORE, is_array=False, compared=not first)
    narrow = Open(0, 1, INT2)
    narrow.seal(SCORE, is_array=False, compared=True)
    narrow.seal(SCORE, is_array=False, compared=False)
    assert not narrow.compared


def test_what_the_database_stored_has_bytes_already() -> None:
    """In a view's definition, what meets a protected column must be bytea."""
    Open(0, 1, BYTEA, stored=True).seal(EMAIL, is_array=False, compared=True)
    Open(0, 1, BYTEA_ARRAY, stored=True).seal(EMAIL, is_array=True, compared=True)
    for oid in (0, TEXT, BYTEA_ARRAY):
        with pytest.raises(TypeRefused):
            Open(0, 1, oid, stored=True).seal(EMAIL, is_array=False, compared=True)


@pytest.mark.parametrize(
    ("oid", "inner", "taken"),
    [
        (INT, 0, True), (INT8, 0, False), (INT, INT2, True), (INT8, INT, True), (INT, INT8, False),
        (NUMERIC, INT, True), (INT, NUMERIC, False), (TEXT, INT, False),
    ],
)  # fmt: skip
def test_a_cast_of_a_cast_widens(oid: int, inner: int, taken: bool) -> None:
    """A cast that could change its argument is refused; one of nothing yet must be of the column's type."""
    cast = Cast(0, 1, oid, inner_oid=inner)
    if taken:
        cast.seal(SCORE, is_array=False, compared=True)
        assert cast.protection is SCORE
    else:
        with pytest.raises(TypeRefused):
            cast.seal(SCORE, is_array=False, compared=True)


def test_undecided_ends_with_the_decision() -> None:
    """A value with something open may yet be either; a protected one, NULL and what is computed may not."""
    node = Literal(0, 1)
    assert Value(open=((node, 0),)).undecided
    assert not Value(EMAIL, open=((node, 0),)).undecided
    assert not NULL.undecided
    assert not COMPUTED.undecided


def test_a_row_touches_what_its_fields_touch() -> None:
    """At any depth."""
    inner = Value(fields=(("a", PLAIN), ("b", Value(EMAIL))))
    assert Value(fields=(("x", PLAIN), ("y", inner))).touches()
    assert not Value(fields=(("x", PLAIN), ("y", Value(fields=(("a", NULL),))))).touches()


def test_a_literal_is_never_shown() -> None:
    """Neither in its own representation nor in that of a value that holds it."""
    value = Value(open=((Literal(0, 8, value="geheim"), 0),))
    assert "geheim" not in repr(value)
