"""cli/keys/states.py: a leak, whatever was under way before it, killed at any statement."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
from tests.changeover.killing import Killed, killing
from tests.cli.keys.conftest import EVERYONE, House
from tests.cli.keys.dying import OFTEN
from tests.cli.keys.test_tenant_backup import Desk
from tests.cli.keys.test_tenant_drill import IBAN, desk
from tests.cli.keys.test_transfer import wrapped
from tests.cli.keys.test_work import NOTE, Site, site

from strongroom.changeover.model import Stage, Tell
from strongroom.cli.keys.work import KeyWork
from strongroom.keys.model import Algorithm
from strongroom.protect.envelope import key_id_of

__all__ = ["desk", "site"]  # fixtures

EMAIL = "public.people.email"
COLUMN = pytest.mark.parametrize("column", [NOTE, EMAIL])
STEP = {NOTE: 3, EMAIL: 7}
"""Statements by which a run lives longer than the one before: a swap has many."""
SIZES = {NOTE: Algorithm.AES256_GCM.key_size, EMAIL: Algorithm.AES256_SIV.key_size}


SHADOWS = """\
SELECT attname FROM pg_attribute
WHERE attrelid = 'people'::regclass AND attname LIKE 'strongroom%' AND NOT attisdropped"""


def shown(house: House, *words: str) -> list[dict[str, Any]]:
    """What a command prints for programs."""
    run = house("keys", *words, "--json")
    assert run.status == 0, run.stderr
    return list(json.loads(run.stdout))


def versions(house: House, column: str) -> dict[str, tuple[str, bool, bool]]:
    """What each version may do, oldest first: its state, whether it seals, whether it opens."""
    return {
        str(row["key_id"]): (row["state"], row["seals"], row["opens"]) for row in shown(house, "show", column)
    }


def records(house: House) -> list[list[str]]:
    """The versions that each record of a leak names."""
    return [row["details"]["key_ids"] for row in shown(house, "events") if row["what"] == "compromised"]


def sealed_by(house: House, column: str) -> set[str]:
    """The keys of the values that are there."""
    name = column.rpartition(".")[2]
    return {f"{key_id_of(value):08x}" for (value,) in house.rows(f"SELECT {name} FROM people")}


def compromise(work: KeyWork, column: str) -> None:
    """The command, on work that may die."""
    (group,) = work.groups([column])
    work.replace(group, work.leak(group))


def killed(site: Site, stage: Stage, deed: Callable[[KeyWork], object]) -> None:
    """Does it, and dies in this stage."""

    def said(_: str) -> AbstractContextManager[Tell]:
        return nullcontext(killing(lambda progress: progress.stage is stage))

    with pytest.raises(Killed), site.work(OFTEN, said) as work:
        deed(work)


def rotate(work: KeyWork, column: str) -> None:
    """`keys rotate --reencrypt`."""
    work.rotate(work.groups([column])[0], reencrypt=True)


def brought(house: House, column: str) -> None:
    """A key that was imported, and waits."""
    begun = house("keys", "import", column, "--begin")
    blob = wrapped(house.safe, begun.stdout, SIZES[column])
    assert house("keys", "import", column, "--key-file", str(blob)).status == 0


def holds(house: House, column: str, before: set[str]) -> None:
    """A version made since seals everything; those before are compromised, open nothing, and are named."""
    after = versions(house, column)
    assert house.opened() == EVERYONE
    assert len(after) == len(before) + 1
    (new,) = set(after) - before
    assert after.pop(new) == ("active", True, True)
    assert set(after.values()) == {("compromised", False, False)}
    assert sealed_by(house, column) == {new}
    assert list(map(set, records(house))) == [before]
    assert house.rows("SELECT * FROM strongroom_keys.rotations") == []
    assert house.rows(SHADOWS) == []


@pytest.mark.parametrize(
    ("column", "stage", "promoted"),
    [
        (NOTE, Stage.PREPARE, False),
        (NOTE, Stage.RESEAL, True),
        (EMAIL, Stage.PREPARE, False),
        (EMAIL, Stage.INDEX, False),
        (EMAIL, Stage.SWAP, False),
        (EMAIL, Stage.SETTLE, True),
    ],
)
def test_a_leak_after_an_interrupted_rotation(site: Site, column: str, stage: Stage, promoted: bool) -> None:
    """Before its version seals or after: that one existed at the leak, and is given up with the others."""
    house, first = site.house, set(versions(site.house, column))
    killed(site, stage, lambda work: rotate(work, column))
    before = set(versions(house, column))
    assert (sealed_by(house, column) == before - first) is promoted
    assert house("keys", "compromise", column, "--no-wait").status == 0
    holds(house, column, before)


@COLUMN
def test_a_leak_after_an_import(house: House, column: str) -> None:
    """The key that waits was there already: it never seals."""
    brought(house, column)
    before = set(versions(house, column))
    assert len(before) == 2
    assert house("keys", "compromise", column, "--no-wait").status == 0
    holds(house, column, before)


@COLUMN
@pytest.mark.parametrize("offset", [0, *(pytest.param(n, marks=pytest.mark.full) for n in (1, 2))])
def test_a_leak_killed_at_any_statement(site: Site, column: str, offset: int) -> None:
    """Run again it goes on: one record, of what was there before, and one new version."""
    before = set(versions(site.house, column))
    assert site.killed_until(lambda work: compromise(work, column), STEP[column], offset) > 8
    holds(site.house, column, before)


@pytest.mark.parametrize(("column", "stage"), [(NOTE, Stage.RESEAL), (EMAIL, Stage.SWAP)])
def test_a_leak_after_an_interrupted_rotation_killed_at_any_statement(
    site: Site, column: str, stage: Stage
) -> None:
    """The same where there is a version to be given up, and a swap that had begun."""
    killed(site, stage, lambda work: rotate(work, column))
    before = set(versions(site.house, column))
    assert site.killed_until(lambda work: compromise(work, column), STEP[column]) > 6
    holds(site.house, column, before)


def test_a_leak_of_one_tenants_key(desk: Desk) -> None:
    """A key that waits is given up there too; what other tenants have stays sealed as it was."""
    shop, name = desk.shop, f"{IBAN}@acme"
    blob = wrapped(shop.folder, desk("import", name, "--begin").stdout, SIZES[NOTE])
    assert desk("import", name, "--key-file", str(blob)).status == 0
    theirs = values_of(desk, "globex")
    assert desk("compromise", name, "--no-wait").status == 0
    states = [row["state"] for row in json.loads(desk("show", name, "--json").stdout)]
    assert states == ["compromised", "compromised", "active"]
    (event,) = (row for row in json.loads(desk("events", "--json").stdout) if row["what"] == "compromised")
    newest = json.loads(desk("show", name, "--json").stdout)[-1]["key_id"]
    assert (len(event["details"]["key_ids"]), newest in event["details"]["key_ids"]) == (2, False)
    assert {f"{key_id_of(value):08x}" for value in values_of(desk, "acme")} == {newest}
    assert values_of(desk, "globex") == theirs


def values_of(desk: Desk, tenant: str) -> list[bytes]:
    """The sealed values of a tenant."""
    with desk.shop.server.connect(desk.shop.database) as direct:
        query = "SELECT iban FROM people WHERE tenant = %s ORDER BY id"
        return [value for (value,) in direct.execute(query, (tenant,))]


def test_a_killed_run_is_taken_up_and_says_so(site: Site) -> None:
    """By the record's date, and by what to do if the version made since may be known too."""
    house, before = site.house, set(versions(site.house, NOTE))
    killed(site, Stage.PREPARE, lambda work: compromise(work, NOTE))
    run = house("keys", "compromise", NOTE, "--no-wait")
    assert run.status == 0
    assert "this run goes on with it" in run.stderr
    holds(house, NOTE, before)


def test_another_leak_after_the_first(house: House) -> None:
    """One that has come to its end is over: the version that it made is exposed by the next."""
    assert house("keys", "compromise", NOTE, "--no-wait").status == 0
    before = list(versions(house, NOTE))
    run = house("keys", "compromise", NOTE, "--no-wait")
    assert "goes on" not in run.stderr
    after = versions(house, NOTE)
    assert [state for state, _, _ in after.values()] == ["compromised", "compromised", "active"]
    assert records(house) == [before[:1], before]


def test_a_rotation_between_a_killed_run_and_the_next(site: Site) -> None:
    """It takes the clean version further; the exposed one is given up all the same, by the next run."""
    house, before = site.house, set(versions(site.house, NOTE))
    killed(site, Stage.PREPARE, lambda work: compromise(work, NOTE))
    assert house("keys", "rotate", NOTE, "--no-wait").status == 0
    assert [seals for _, seals, _ in versions(house, NOTE).values()] == [False, True]
    assert house("keys", "compromise", NOTE, "--no-wait").status == 0
    holds(house, NOTE, before)
