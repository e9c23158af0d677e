"""The role that a session has assumed."""

import pytest

from strongroom.errors import AccessDenied
from strongroom.session.assuming import ASKED_AT_MOST, REASON_AT_MOST, Assumption, Wish, wish_of

TEXT = "dba: order 17"
WISH = Wish("dba", "order 17")


def assumed() -> Assumption:
    """One that was asked for, said and written down."""
    one = Assumption()
    one.ask(TEXT, WISH)
    assert one.said(TEXT)
    assert one.take() == WISH
    one.answered(written=True)
    return one


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        (TEXT, WISH),
        ("dba:order 17", WISH),
        ("dba : order 17 ", WISH),
        ("dba: a: b", Wish("dba", "a: b")),
        ("d-b_a1: Bestellung für Ömer", Wish("d-b_a1", "Bestellung für Ömer")),
        ("dba: " + "x" * REASON_AT_MOST, Wish("dba", "x" * REASON_AT_MOST)),
    ],
)
def test_a_role_and_why(text: str, wish: Wish) -> None:
    """With spaces or without."""
    assert wish_of(text) == wish


@pytest.mark.parametrize(
    "text", ["", "dba", "dba:", "dba:  ", ": why", "d ba: why", "dbа: why", "dba: a\nb", "dba: " + "x" * 201]
)
def test_what_is_none(text: str) -> None:
    """Without a reason, with one of two lines, or with a name that is none; it is not repeated."""
    with pytest.raises(AccessDenied) as denied:
        wish_of(text)
    assert "why\n" not in denied.value.message


def test_it_counts_once_it_is_written_down() -> None:
    """Not when it is asked for, nor when upstream says it."""
    one = Assumption()
    one.ask(TEXT, WISH)
    assert (one.role, one.take()) == ("", None)
    one.said(TEXT)
    assert (one.role, one.waiting, one.take(), one.take()) == ("", WISH, WISH, None)
    one.answered(written=True)
    assert (one.role, one.waiting) == ("dba", None)


def test_what_was_not_written_down_does_not_count() -> None:
    """Until it is asked for once more."""
    one = Assumption()
    for written, role in ((False, ""), (True, "dba")):
        one.ask(TEXT, WISH)
        assert one.said(TEXT)
        assert one.take() == WISH
        one.answered(written=written)
        assert one.role == role


def test_what_nobody_asked_for_does_not_count() -> None:
    """The database may say of itself what it likes; and what it says ends what was assumed."""
    one = assumed()
    assert one.said("other: why")
    assert (one.role, one.take()) == ("", None)


@pytest.mark.parametrize("again", [False, True])
def test_it_ends_when_it_is_taken_back(again: bool) -> None:
    """By RESET, ROLLBACK or DISCARD; also where it was asked for anew and that came to nothing."""
    one = assumed()
    if again:
        one.ask(TEXT, WISH)
    assert one.said("")
    assert (one.role, one.waiting) == ("", None)


def test_it_stays_while_nothing_changes() -> None:
    """What upstream says again is nothing new."""
    one = assumed()
    assert not one.said(TEXT)
    assert one.role == "dba"


def test_few_texts_are_remembered() -> None:
    """However many a client asks for."""
    one = Assumption()
    for number in range(ASKED_AT_MOST + 1):
        one.ask(f"dba: {number}", Wish("dba", str(number)))
    one.said("dba: 0")
    assert one.take() is None
