"""The register of backups."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.keys.state_of_keys import EMAIL, MADE, an_empty_state, some_keysets

from strongroom.errors import BackupUnknown
from strongroom.keys.backups import Backup, Backups, Held, held
from strongroom.keys.model import KeyState

FIRST = Backup("0a", MADE, "/media/stick/keys.age", "a passphrase", {EMAIL: Held(2, frozenset({7, 5}))})
SECOND = replace(FIRST, id="0b", made=MADE + timedelta(days=1), holds={EMAIL: Held(3, frozenset({7}))})


@pytest.fixture
def register(tmp_path: Path) -> Backups:
    """A register with two backups."""
    made = Backups(an_empty_state(tmp_path).engine)
    made.register(SECOND)
    made.register(FIRST)
    return made


def test_what_is_registered_comes_back(register: Backups) -> None:
    """Oldest first, and an entry is never replaced."""
    register.register(replace(FIRST, place="elsewhere"))
    assert register.all() == [FIRST, SECOND]


def test_which_hold_a_key(register: Backups) -> None:
    """By keyset, by one key of it; forgotten ones no more."""
    assert register.holding(EMAIL) == [FIRST, SECOND]
    assert register.holding(EMAIL, 5) == [FIRST]
    assert register.holding("shop/public.t.iban") == []
    register.forget("0a", MADE)
    assert register.holding(EMAIL, 5) == []
    assert register.all()[0].forgotten == MADE


def test_a_drill_is_noted(register: Backups) -> None:
    """With its date, on the one backup."""
    register.note_drilled("0b", MADE)
    assert [one.drilled for one in register.all()] == [None, MADE]


def test_one_that_is_not_there(register: Backups) -> None:
    """Neither drilled nor forgotten; forgetting twice is noticed too."""
    register.forget("0a", MADE)
    for act in (register.forget, register.note_drilled):
        for id_ in ("0c", "0a"):
            with pytest.raises(BackupUnknown):
                act(id_, MADE)


def test_one_whose_file_never_came_to_be(register: Backups) -> None:
    """It is taken out again."""
    register.withdraw("0b")
    assert register.all() == [FIRST]


def test_a_destroyed_key_is_not_held() -> None:
    """What a backup holds of a keyset are the keys whose material it has."""
    _, iban = some_keysets()
    destroyed = {one.key_id for one in iban.versions if one.state is KeyState.DESTROYED}
    assert held(iban) == Held(iban.revision, frozenset(one.key_id for one in iban.versions) - destroyed)
    assert destroyed
