"""``strongroom keys approvals``: who must sign, what is to be signed, and a change of who must."""

import json
from typing import Any

from tests.cli.keys.signing import EXPORT, People, events


def test_less_is_refused_until_it_was_signed(people: People) -> None:
    """Without the section, with fewer people, others, or an act left out; until those of before sign."""
    words = (*EXPORT, "--output", str(people.house.safe / "note.json"))
    people.asked_anew(*words)  # the first use: on record now
    three = {one.name: one.public for one in (people.anna, people.ben, people.carla)}
    weaker: list[dict[str, Any]] = [
        {},
        {"needed": 1, "by": three},
        {"needed": 2, "by": {**three, "mallory": people.mallory.public}},
        {"needed": 2, "by": {**three, "ben": people.mallory.public}},
        {"needed": 2, "by": three, "for": ["destroy", "restore", "root"]},
    ]
    for one in weaker:
        people.house.configure(keys=people.keys(**one))
        run = people.house(*words)
        assert run.status == 2
        assert "approvals-weakened" in run.stderr
        assert people.house("keys", "approvals", "list").status == 1
    # Mallory, whom the new configuration names, signs it, and Ben; of those on record that is one.
    people.house.configure(keys=people.keys(**weaker[2]))
    people.asked_anew("keys", "approvals", "change")
    people.sign(people.mallory, people.ben)
    assert "those who did: ben" in people.ask("keys", "approvals", "change").stderr
    people.sign(people.anna)
    run = people.ask("keys", "approvals", "change")
    assert run.status == 0, run.stderr
    assert people.house("keys", "approvals", "list").status == 0
    assert events(people.house)[-1]["details"]["signed_by"] == "anna, ben"
    people.asked_anew(*words)
    people.sign(people.mallory, people.carla)
    assert people.ask(*words).status == 0


def test_no_approvals_any_more(people: People) -> None:
    """The people on record may sign that, too; then nobody is asked."""
    words = (*EXPORT, "--output", str(people.house.safe / "note.json"))
    people.asked_anew(*words)
    people.house.configure(keys=people.keys())
    people.asked_anew("keys", "approvals", "change")
    shown = people.house("keys", "approvals", "show", str(people.request))
    assert shown.status == 1
    assert "need nobody's approval any more" in shown.stdout
    people.sign(people.anna, people.carla)
    assert people.ask("keys", "approvals", "change").status == 0
    assert people.house(*words).status == 0


def test_more_is_taken_at_once(people: People) -> None:
    """Three of three, and from then on no less."""
    words = (*EXPORT, "--output", str(people.house.safe / "note.json"))
    people.asked_anew(*words)
    people.require(needed=3)
    people.asked_anew(*words)
    people.sign(people.anna, people.ben)
    assert "approval-incomplete" in people.ask(*words).stderr
    people.require(needed=2)
    assert "approvals-weakened" in people.ask(*words).stderr


def test_what_one_is_about_to_sign(people: People) -> None:
    """In words, with every field; who has signed, and who has not in a way that counts."""
    output = people.house.safe / "note.json"
    people.asked_anew(*EXPORT, "--output", str(output))
    people.sign(people.anna, people.mallory)
    run = people.house("keys", "approvals", "show", str(people.request), "--json")
    assert run.status == 1
    shown = json.loads(run.stdout)
    assert shown["act"] == "export"
    assert shown["file"] == str(output)
    assert f"{people.house.database}/public.people.note" in shown["in words"]
    assert {one["person"] for one in shown["signatures"]} == {"anna", None}
    people.sign(people.ben)
    assert people.house("keys", "approvals", "show", str(people.request)).status == 0
