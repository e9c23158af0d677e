"""Analyses at hand: what is remembered, and how a session waits for a long text."""

import contextlib

import pytest

from strongroom.errors import Denied, InvalidText, StatementTooComplex
from strongroom.session.analyses import (
    ANALYSES_KEPT,
    ASKED_AT_MOST,
    HERE_AT_MOST,
    LENGTH_KEPT,
    PIECES_AT_ONCE,
    Analyses,
    LongText,
    Question,
    Unfinished,
)
from strongroom.sql.schema import Protection
from strongroom.sql.statement import Analysis, Piece, SealedLiteral

ANALYSIS = Analysis((), ("SELECT 1",))
EMAIL = Protection("public.people.email", "k", 25, -1, True)


def question(text: str = "SELECT 1", snapshot: object = None) -> Question:
    return Question(text, (), ("public",), snapshot)


def literals(count: int) -> tuple[Piece, ...]:
    """Texts and literals in turn."""
    return tuple(piece for number in range(count) for piece in (", ", SealedLiteral(EMAIL, str(number))))


def test_the_least_recently_used_is_forgotten_first() -> None:
    """What is asked for stays; the number of texts is bounded."""
    known = Analyses()
    for number in range(ANALYSES_KEPT):
        known.keep((number,), ANALYSIS)
    known.find((0,))
    known.keep(("one more",), ANALYSIS)
    assert known.find((0,)) is ANALYSIS
    assert known.find((1,)) is None


def test_what_nobody_sends_any_more_is_forgotten() -> None:
    """With the literals in it: after two turns in which nobody asked for it."""
    known = Analyses()
    known.keep(("often",), ANALYSIS)
    known.keep(("once",), ANALYSIS)
    known.turn()
    assert known.find(("often",)) is ANALYSIS
    known.turn()
    assert (known.find(("often",)), known.find(("once",))) == (ANALYSIS, None)


def test_long_texts_are_not_remembered() -> None:
    """They would fill the memory, and hardly come twice."""
    known = Analyses()
    known.keep(("x" * (LENGTH_KEPT + 1),), ANALYSIS)
    assert known.find(("x" * (LENGTH_KEPT + 1),)) is None


def test_a_question_is_asked_once_and_its_answer_stays() -> None:
    """Until it is answered there is nothing to do; then the message can be looked at as often as needed."""
    long = LongText()
    for _ in range(2):
        with pytest.raises(Unfinished):
            long.analysis(question())
    assert (long.to_ask, long.busy) == (question(), True)
    assert long.to_ask is not None
    long.answered(long.to_ask, ANALYSIS)
    assert not long.busy
    assert long.analysis(question()) is long.analysis(question()) is ANALYSIS


def test_a_refusal_is_raised_each_time() -> None:
    """As analysis on the spot would."""
    long = LongText()
    with pytest.raises(Unfinished):
        long.analysis(question())
    assert long.to_ask is not None
    long.answered(long.to_ask, Denied("no"))
    for _ in range(2):
        with pytest.raises(Denied):
            long.analysis(question())


def test_an_answer_to_an_older_question_counts_for_nothing() -> None:
    """The catalog has changed meanwhile: what was found under the old one may be wrong."""
    long, new = LongText(), object()
    with pytest.raises(Unfinished):
        long.analysis(question())
    older = long.to_ask
    assert older is not None
    with pytest.raises(Unfinished):
        long.analysis(question(snapshot=new))
    long.answered(older, ANALYSIS)
    assert long.busy
    with pytest.raises(Unfinished):
        long.analysis(question(snapshot=new))


def test_a_catalog_that_keeps_changing_does_not_keep_a_statement_for_ever() -> None:
    """After some times the text is analysed on the spot."""
    long = LongText()
    for _ in range(ASKED_AT_MOST):
        with pytest.raises(Unfinished):
            long.analysis(question(snapshot=object()))
    assert long.analysis(question(snapshot=object())) is None
    assert not long.busy


@pytest.mark.parametrize("much", [False, True])
def test_a_text_that_only_its_session_can_analyse(much: bool) -> None:
    """It is analysed on the spot, if it is not so long that all others would wait for it."""
    long, asked = LongText(), question("x" * (HERE_AT_MOST + much))
    with pytest.raises(Unfinished):
        long.analysis(asked)
    long.answered(asked, None)
    with pytest.raises(StatementTooComplex) if much else contextlib.nullcontext():
        assert long.analysis(asked) is None
    long.keep(ANALYSIS)
    assert long.analysis(asked) is ANALYSIS
    assert long.holds(ANALYSIS.pieces)


def test_literals_are_sealed_bit_by_bit() -> None:
    """Each literal once, in order, with a turn for others in between."""
    long, sealed = LongText(), list[str]()
    pieces, turns = literals(PIECES_AT_ONCE), 0

    def seal(literal: SealedLiteral) -> str:
        sealed.append(literal.value)
        return f"<{literal.value}>"

    while True:
        try:
            text = long.sealed(pieces, seal)
            break
        except Unfinished:
            assert long.wants_turn
            assert long.busy
            long.wants_turn, turns = False, turns + 1
    assert turns == 1
    assert sealed == [str(number) for number in range(PIECES_AT_ONCE)]
    assert text == "".join(f", <{number}>" for number in range(PIECES_AT_ONCE))


def test_a_value_that_cannot_be_sealed_ends_it() -> None:
    """The next text begins anew."""
    long, pieces = LongText(), literals(3)

    def refuse(literal: SealedLiteral) -> str:
        raise InvalidText("no")

    with pytest.raises(InvalidText):
        long.sealed(pieces, refuse)
    assert long.sealed(pieces, lambda literal: literal.value) == ", 0, 1, 2"
