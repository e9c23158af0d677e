"""Who keeps what, and which tests are overdue."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests.keys.state_of_keys import MADE, an_empty_state

from strongroom.keys.custody import (
    GRACE,
    Custody,
    Overdue,
    keeping,
    note,
    note_tested,
    noted,
    overdue,
    unkept,
)

QUARTER = timedelta(days=90)
EMAIL = Custody("shop/public.t.email", "Ada", "the safe in Bern", QUARTER, MADE, None)
ROOT = Custody("file 1f2e3d4c", "Ada", "", None, MADE, None)


def test_what_is_noted_comes_back(tmp_path: Path) -> None:
    """By name; a second note takes the place of the first."""
    engine = an_empty_state(tmp_path).engine
    assert noted(engine) == []
    note(engine, [EMAIL, ROOT])
    changed = replace(EMAIL, keeper="Grace", tested=MADE)
    note(engine, [changed])
    assert noted(engine) == [ROOT, changed]


def test_what_is_overdue(tmp_path: Path) -> None:
    """A test is due a period after the last one, or after the first note; without a period never."""
    engine = an_empty_state(tmp_path).engine
    late = replace(EMAIL, name="kek shop", backup_keeper="", tested=MADE - QUARTER)
    note(engine, [EMAIL, ROOT, late])
    assert overdue(engine, MADE) == []
    assert overdue(engine, MADE + timedelta(seconds=1)) == [Overdue("kek shop", MADE, "")]
    assert overdue(engine, MADE + 2 * QUARTER) == [
        Overdue("kek shop", MADE, ""),
        Overdue(EMAIL.name, MADE + QUARTER, "the safe in Bern"),
    ]


def test_what_nobody_keeps(tmp_path: Path) -> None:
    """It is overdue a month after it was made, until keepers of it and of its backup are noted."""
    engine = an_empty_state(tmp_path).engine
    name, month = EMAIL.name, MADE + GRACE
    made, later = {name: MADE}, month + timedelta(seconds=1)
    assert list(unkept(engine, made, month)) == []
    assert list(unkept(engine, made, later)) == [Overdue(name, month, "", ("it", "its backup"))]
    note(engine, [replace(EMAIL, backup_keeper="")])
    assert list(unkept(engine, made, later)) == [Overdue(name, month, "", ("its backup",))]
    note(engine, [EMAIL])
    assert list(unkept(engine, made, later)) == []


def test_who_keeps_a_kek_keeps_what_it_wraps(tmp_path: Path) -> None:
    """Where nothing is noted of that itself; a root is wrapped by nothing of ours."""
    engine = an_empty_state(tmp_path).engine
    kek = replace(EMAIL, name="kek shop")
    note(engine, [kek])
    made = dict.fromkeys([EMAIL.name, "kek shop", ROOT.name], MADE)
    assert [one.name for one in unkept(engine, made, MADE + 2 * GRACE)] == [ROOT.name]
    notes = {one.name: one for one in noted(engine)}
    assert keeping(notes, EMAIL.name) == kek
    assert keeping(notes | {EMAIL.name: EMAIL}, EMAIL.name) == EMAIL
    assert keeping(notes, "other/public.t.email") is None


def test_a_test_moves_the_date(tmp_path: Path) -> None:
    """Of the keys that it proved; one of which nothing is noted is not begun to be watched."""
    engine = an_empty_state(tmp_path).engine
    note(engine, [EMAIL])
    note_tested(engine, [EMAIL.name, "shop/public.t.iban"], MADE + QUARTER)
    assert overdue(engine, MADE + 2 * QUARTER) == []
    assert [one.name for one in noted(engine)] == [EMAIL.name]
