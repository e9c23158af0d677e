"""``strongroom protection``, ``check`` and the acts that weaken, on one machine with a database.

It stands beside the tests of the key commands, whose machine it uses.
"""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.cli.keys.conftest import House
from tests.cli.keys.signing import EXPORT, People

from strongroom.acceptance.store import Acceptance
from strongroom.config import load
from strongroom.gateway.stances import stance_of
from strongroom.keys.approvals import Act, Request


def bind(people: People) -> None:
    """As a gateway does at its start: what is configured counts, and two of two sign what weakens it."""
    by = {one.name: one.public for one in (people.anna, people.ben)}
    people.house.configure(protection={"approvals": 2, "by": by}, keys=people.keys())
    with people.house.opened_state() as state:
        settings = load(people.house.folder / "strongroom.yaml")
        Acceptance(state.engine).accept(1, stance_of(settings))


def new(house: House, **changes: Any) -> str:
    """The configuration with changes, in another file."""
    before = dict(house.settings)
    house.configure(**changes)
    file = house.folder / "strongroom.yaml"
    there = file.rename(house.folder / "new.yaml")
    house.settings = before
    house.configure()
    return str(there)


def test_what_would_be_weaker(people: People) -> None:
    """Listed, with exit status 1; `check` says it of the configuration in its place."""
    house = people.house
    assert "does not bind yet" not in house("check", "--offline").stdout
    assert "nothing was accepted yet" in house("protection", "show").stdout
    nothing = house("protection", "request", str(house.folder / "strongroom.yaml"))
    assert "nobody is asked to sign anything" in nothing.stderr
    bind(people)
    weaker = new(house, login={"failures": 50})
    run = house("protection", "diff", weaker, "--json")
    assert run.status == 1
    assert json.loads(run.stdout) == [{"what": "login", "words": "more wrong tries are allowed"}]
    assert house("protection", "diff", str(house.folder / "strongroom.yaml")).status == 0
    assert house("protection", "diff", new(house, login={"failures": 5})).status == 0
    assert "no less than number 1" in house("check", "--offline").stdout
    house.configure(login={"failures": 50})
    checked = house("check", "--offline")
    assert checked.status == 1
    assert "more wrong tries are allowed" in checked.stdout
    assert "2 of anna, ben" in house("protection", "show").stdout


def test_requests_that_do_not_fit(people: People) -> None:
    """One that is over, one for another act, one that begins elsewhere: whoever signed them."""
    house = people.house
    bind(people)
    words = ("protection", "accept", str(people.request))
    assert house("protection", "request", new(house, login={"failures": 50}), "-o", words[-1]).status == 0
    request = Request.read(people.request.read_bytes())
    other = Act("export", request.act.words, request.act.fields)
    elsewhere = Act(request.act.kind, request.act.words, {**request.act.fields, "before": "0" * 64})
    over = request.made - timedelta(days=2)
    for changed, code in (
        (replace(request, made=over, expires=over + timedelta(hours=24)), "approval-expired"),
        (replace(request, act=other), "approval-mismatch"),
        (replace(request, act=elsewhere), "approval-mismatch"),
        (replace(request, state="0" * 16), "approval-mismatch"),
    ):
        people.request.write_bytes(changed.written())
        people.sign(people.anna, people.ben)
        run = house(*words)
        assert run.status == 2
        assert code in run.stderr
    people.request.write_bytes(request.written())
    assert "approval-incomplete" in house(*words).stderr
    people.sign(people.anna, people.ben)
    shown = house("keys", "approvals", "show", str(people.request))
    assert shown.status == 0
    assert "more wrong tries are allowed" in shown.stdout
    assert house(*words).status == 0


def test_a_command_that_opens_keys_is_refused(people: People) -> None:
    """Not the gateway alone: nothing that opens keys runs under a weaker configuration."""
    bind(people)
    people.house.configure(login={"failures": 50})
    run = people.house("protect", "--json")
    assert run.status == 2
    assert "protection-weakened" in run.stderr


@pytest.mark.parametrize("bound", [False, True], ids=["configured", "on record"])
def test_the_acts_that_weaken(people: People, bound: bool) -> None:
    """An export and `unprotect` take both people, once it is configured, and where it was taken out again."""
    bind(people)
    if not bound:
        with people.house.opened_state() as state, state.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM protection_accepted")
    words = (*EXPORT, "--output", str(people.house.safe / "note.json"))
    if bound:
        people.house.configure(protection=None)
    people.asked_anew(*words)
    people.sign(people.anna, people.mallory)
    assert "those who did: anna" in people.ask(*words).stderr
    people.sign(people.ben)
    assert people.ask(*words).status == 0
    if bound:
        return
    unprotect = ("unprotect", "public.people.note", "--json")
    people.asked_anew(*unprotect)
    people.sign(people.anna)
    assert people.ask(*unprotect).status == 2
    people.sign(people.ben)
    run = people.ask(*unprotect)
    assert run.status == 0, run.stderr
    assert "approval-used" in people.ask(*unprotect).stderr
    assert people.house.rows("SELECT note FROM people WHERE id = 1") == [("note 1",)]


def test_both_kinds_of_approval(people: People) -> None:
    """Where `keys.approvals` asks for an export as well, each must be met."""
    bind(people)
    carla_alone = {"needed": 1, "by": {"carla": people.carla.public}, "for": ["export"]}
    people.house.configure(keys=people.keys(**carla_alone))
    words = (*EXPORT, "--output", str(people.house.safe / "note.json"))
    people.asked_anew(*words)
    people.sign(people.anna, people.ben)
    assert "1 people must sign" in people.ask(*words).stderr
    people.sign(people.carla)
    assert people.ask(*words).status == 0
