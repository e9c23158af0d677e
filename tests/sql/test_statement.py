"""The records that analysis hands to the session."""

import pytest
from tests.sql.world import EMAIL

from strongroom.sql.statement import Analysis, Barrier, Kind, Resolved, SealedLiteral


def statement(*, touched: bool = False, barriers: Barrier = Barrier.NONE) -> Resolved:
    """A statement of which only this is known."""
    return Resolved(Kind.OTHER, (), touched=touched, barriers=barriers)


@pytest.mark.parametrize("touched", [(False, False), (False, True), (True, False), (True, True)])
def test_a_text_is_touched_if_one_statement_is(touched: tuple[bool, bool]) -> None:
    """Wherever it stands."""
    statements = tuple(statement(touched=one) for one in touched)
    assert Analysis(statements, ()).touched is any(touched)
    assert not Analysis((), ()).touched


def test_the_barriers_of_a_text_are_those_of_all() -> None:
    """Each adds its own."""
    statements = (statement(barriers=Barrier.ROLE), statement(), statement(barriers=Barrier.STYLE))
    assert Analysis(statements, ()).barriers == Barrier.ROLE | Barrier.STYLE
    assert Analysis((), ()).barriers is Barrier.NONE


def test_a_literal_is_never_shown() -> None:
    """Neither by itself nor in what holds it."""
    hole = SealedLiteral(EMAIL, "geheim")
    analysis = Analysis((Resolved(Kind.SELECT, ("select ", hole)),), ("select ", hole))
    for text in (repr(hole), str(hole), repr(analysis)):
        assert "geheim" not in text
        assert "public.customers.email" in text


@pytest.mark.parametrize(
    ("transaction", "takes_back"),
    [
        ("", False), ("begin", False), ("savepoint", False), ("release", False), ("commit", True),
        ("rollback", True), ("rollback to", True), ("prepare", True),
    ],
)  # fmt: skip
def test_what_may_take_back_changes(transaction: str, takes_back: bool) -> None:
    """The end of a transaction undoes SET LOCAL, and ROLLBACK whatever it can."""
    assert Resolved(Kind.TRANSACTION, (), transaction=transaction).takes_back is takes_back
