"""acceptance/reminder.py: what a key-encryption key says of protection."""

from datetime import UTC, datetime

import pytest

from strongroom.acceptance.reminder import Reminder, newest
from strongroom.errors import ProtectionForgotten
from strongroom.keys import document
from strongroom.keys.kek import new_kek
from strongroom.keys.model import ExportCapability
from strongroom.stance.model import Stance

SIGNED = Stance({"protection": {"needed": 2, "by": {"anna": ["a"], "ben": ["b"]}}})
OTHERS = Stance({"protection": {"needed": 1, "by": {"anna": ["a"], "ben": ["b"]}}})
KEK = new_kek("shop", datetime(2026, 1, 1, tzinfo=UTC))


def test_it_says_how_far_and_who() -> None:
    """Who signs is told apart, what else is configured is not; where nobody signs there is none."""
    one = Reminder.of(3, SIGNED)
    assert one == Reminder.of(3, Stance({**SIGNED.sections, "login": {"failures": 5}}))
    assert one != Reminder.of(3, OTHERS)
    assert one != Reminder.of(4, SIGNED)
    assert Reminder.of(3, Stance({})) is None
    assert Reminder.read(str(one)) == one
    assert Reminder.read("") is None


@pytest.mark.parametrize("text", ["3", "x " + "0" * 64, "3 0", "-3 " + "0" * 64, "3 " + "0" * 65])
def test_another_form(text: str) -> None:
    """Whatever is not written so stops, and is not taken for none."""
    with pytest.raises(ProtectionForgotten):
        Reminder.read(text)


def test_it_stands_in_the_document() -> None:
    """It stays with the KEK through its document and its changes, and can be taken out."""
    said = str(Reminder.of(3, SIGNED))
    kek = KEK.reminding(said)
    again = document.read(document.danger_written(kek, ExportCapability("for a test")))
    assert (again.reminder, again.revision, again.primary) == (said, kek.revision, kek.primary)
    assert kek.revision == KEK.revision + 1
    assert kek.rewrapped().reminder == said
    assert "reminder" not in document.danger_written(KEK, ExportCapability("for a test")).decode()
    assert kek.reminding("").reminder == ""


def test_of_several_the_newest_counts() -> None:
    """A database that was away has an older one."""
    keks = [KEK, *(KEK.reminding(str(Reminder.of(number, SIGNED))) for number in (9, 10, 2))]
    assert newest(keks) == Reminder.of(10, SIGNED)
    assert newest([KEK]) is None
