"""A state that was copied back, on a real PostgreSQL; and what must not be taken for that."""

import asyncio
import json
import secrets
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Run
from tests.cli.keys.conftest import COLUMNS, EVERYONE, TABLE, House
from tests.keys.people import Signer

from strongroom.config import load
from strongroom.errors import UpstreamError
from strongroom.gateway import generations
from strongroom.gateway.generations import look_again
from strongroom.gateway.protection import open_keks
from strongroom.gateway.wraps import places_of
from strongroom.keys.generation import advance, state_id
from strongroom.keys.journal import Journal

COLUMN = "public.people.note"
ALARMS = ("state-rolled-back", "state-begun-anew")


def ready(house: House, database: str = "") -> Run:
    """A command that makes keys ready, as a start does, and finds nothing to do."""
    run = house("protect", "--json", "--database", database or house.database)
    assert run.status == 0, run.stderr
    return run


def keep(house: House, name: str = "copy") -> Path:
    """A copy of the state's folder."""
    shutil.copytree(house.folder / "state", house.folder / name)
    return house.folder / name


def put_back(house: House, copy: Path) -> None:
    """Copies it back over the state."""
    shutil.rmtree(house.folder / "state")
    shutil.copytree(copy, house.folder / "state")


def listed(house: House) -> list[dict[str, Any]]:
    """What ``keys list`` shows."""
    rows: list[dict[str, Any]] = json.loads(house("keys", "list", "--json").stdout)
    return rows


def test_a_state_copied_back_from_last_week(house: House) -> None:
    """Said, written down, and shown until seen to; keys rotated since are there, uses are taken as high."""
    copy = keep(house)
    assert house("keys", "rotate", COLUMN, "--no-wait").status == 0
    put_back(house, copy)
    run = ready(house)
    assert "state-rolled-back: the state was copied back" in run.stderr
    assert f"keyset {house.database}/{COLUMN} was taken over from the database" in run.stderr
    assert "state-rolled-back" not in ready(house).stderr  # it is another state now
    shown = house("keys", "rollbacks", "--json")
    assert shown.status == 1
    (found,) = json.loads(shown.stdout)
    assert found["acknowledged"] is None
    rows = {row["key"]: row for row in listed(house)}
    assert "copied back" in rows["the state"]["due"]
    assert all(row["uses"] >= 2**30 for name, row in rows.items() if "/" in name)
    assert house("keys", "rollbacks", "--acknowledge").status == 0
    assert "the state" not in {row["key"] for row in listed(house)}
    with house.opened_state() as state:
        assert "state rolled back" in [one.what for one in Journal(state.engine).events()]
    assert house.served() == EVERYONE


def test_what_was_signed_for_the_former_state(house: House, tmp_path: Path) -> None:
    """Used or not, nobody knows any more: it is refused, and asked for anew."""
    people = [Signer.make(tmp_path, name) for name in ("anna", "ben")]
    approvals = {"needed": 2, "by": {one.name: one.public for one in people}}
    house.configure(keys={"root": "file:keys/root.key", "approvals": approvals})
    request = house.safe / "request.json"
    words = ["keys", "export", COLUMN, "--tink", "--danger-key-material-in-the-clear"]
    words += ["--output", str(house.safe / "note.json"), "--approval", str(request)]
    assert "approval-needed" in house(*words).stderr
    for one in people:
        one.sign(request)
    copy = keep(house)
    assert house(*words).status == 0
    (house.safe / "note.json").unlink()
    ready(house)
    put_back(house, copy)
    ready(house)
    run = house(*words)
    assert run.status == 2
    assert "approval-mismatch" in run.stderr


def test_a_machine_that_was_cloned(house: House) -> None:
    """Two copies in use: whichever comes second says it, and becomes a state of its own."""
    copy = keep(house, "clone")
    ready(house)
    original = keep(house, "original")
    put_back(house, copy)
    assert "state-rolled-back" in ready(house).stderr
    put_back(house, original)
    assert "state-rolled-back" not in ready(house).stderr
    # Both come to the same number while the database is out of reach for one of them.
    twin = keep(house, "twin")
    with house.opened_state() as state:
        advance(state)
        ids = {state_id(state.engine)}
    original = keep(house, "further")
    put_back(house, twin)
    ready(house)
    put_back(house, original)
    assert "both copies are in use" in ready(house).stderr
    with house.opened_state() as state:
        assert state_id(state.engine) not in ids


def test_a_kill_between_the_two_writes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state is ahead of what stands beside the data, which says nothing."""

    class KilledError(BaseException):
        pass

    async def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as broken:
        broken.setattr(generations, "_write", killed)
        with pytest.raises(KilledError):
            ready(house)
    assert "state-rolled-back" not in ready(house).stderr


def test_a_database_that_was_out_of_reach_for_a_week(house: House) -> None:
    """The number beside its data is an old one of ours."""
    ready(house)
    with house.opened_state() as state:
        for _ in range(200):
            advance(state)
    assert "state-rolled-back" not in ready(house).stderr


def test_two_gateways_with_a_state_each(house: House) -> None:
    """Each has its own number."""
    for _ in range(2):
        ready(house)
    house.configure(state="sqlite:state/other.db")
    assert "state-rolled-back" not in ready(house).stderr
    house.configure(state="sqlite:state/state.db")
    assert "state-rolled-back" not in ready(house).stderr


def test_an_empty_state_that_starts(house: House) -> None:
    """It takes the keys over, and says that it knows no more; nothing is ended until somebody saw to it."""
    house.burn("state")
    first = ready(house)
    assert "state-begun-anew" in first.stderr
    assert "--acknowledge" in first.stderr
    assert "state-begun-anew" not in ready(house).stderr
    (found,) = json.loads(house("keys", "rollbacks", "--json").stdout)
    assert (found["former_id"], found["acknowledged"]) == (None, None)
    assert "took them over" in found["what"]
    assert house("keys", "list").status == 1
    assert json.loads(house("keys", "events", "--json").stdout)[0]["what"] == "state begun anew"
    assert house("keys", "rotate", COLUMN, "--reencrypt", "--no-wait").status == 0
    refused = house("keys", "destroy", COLUMN, "1")
    assert (refused.status, "rollbacks" in refused.stdout) == (1, True)
    assert house("keys", "rollbacks", "--acknowledge").status == 0
    assert house("keys", "destroy", COLUMN, "1").status == 0
    assert house("keys", "list").status == 0


def test_a_restore_and_a_recovery(house: House) -> None:
    """An empty state is a new one, whatever stands beside the data of the one that was lost."""
    file = house.backup()
    ready(house)
    house.burn("state")
    assert house.restore(file).status == 0
    assert not any(alarm in ready(house).stderr for alarm in ALARMS)
    house.burn("state")
    assert house("keys", "recover").status == 0
    assert not any(alarm in ready(house).stderr for alarm in ALARMS)


def test_several_databases(house: House) -> None:
    """Each has the number of when it was last written to; one that shows more than the state is enough."""
    other = house.server.create_database(f"db{secrets.token_hex(4)}")
    house.server.run(TABLE, other)
    entry = house.settings["databases"][house.database]
    second = {
        **entry,
        "upstream": house.server.uri(other, password=""),
        "listen": "127.0.0.1:6433",
        "columns": COLUMNS,
    }
    house.configure(databases={house.database: entry, other: second})
    assert house("protect", "--database", other, "--json").status == 0
    for name in (house.database, other, house.database):
        assert "state-rolled-back" not in ready(house, name).stderr
    copy = keep(house)
    ready(house, other)
    put_back(house, copy)
    assert "state-rolled-back" not in ready(house).stderr  # nothing was written there meanwhile
    assert "state-rolled-back" in ready(house, other).stderr


def test_somebody_who_has_the_database_alone(house: House) -> None:
    """Their number is known for what it is, said, and written over."""
    ready(house)
    house.server.run("UPDATE strongroom_keys.generations SET number = 1000000", house.database)
    run = ready(house)
    assert "somebody else changed" in run.stderr
    assert "state-rolled-back" not in run.stderr
    assert "somebody else" not in ready(house).stderr


def test_a_database_that_was_copied_back(house: House) -> None:
    """What the state has that is newer is put beside the data again, and said; values open."""
    for table in ("keks", "keysets"):
        house.server.run(f"CREATE TABLE old_{table} AS TABLE strongroom_keys.{table}", house.database)
    assert house("keys", "suspend", COLUMN, "--version", "1").status != 0  # it seals
    assert house("keys", "rotate", COLUMN, "--no-wait").status == 0
    assert house("keys", "rotate", "--kek", "--no-wait").status == 0
    newest = house.rows("SELECT name, revision FROM strongroom_keys.keysets ORDER BY name")
    for table in ("keysets", "keks"):
        house.server.run(
            f"UPDATE strongroom_keys.{table} t SET revision = o.revision FROM old_{table} o"
            " WHERE o.name = t.name",
            house.database,
        )
    house.server.run(
        "UPDATE strongroom_keys.keysets t SET wrapped = o.wrapped, key_ids = o.key_ids FROM old_keysets o"
        " WHERE o.name = t.name; UPDATE strongroom_keys.keks t SET wraps = o.wraps FROM old_keks o"
        " WHERE o.name = t.name",
        house.database,
    )
    run = ready(house)
    assert f"kek {house.database} was older beside the data" in run.stderr
    assert f"keyset {house.database}/{COLUMN} was older beside the data" in run.stderr
    assert "state-rolled-back" not in run.stderr
    assert house.rows("SELECT name, revision FROM strongroom_keys.keysets ORDER BY name") == newest
    assert "was older" not in ready(house).stderr
    assert house.served() == EVERYONE


def test_an_upstream_user_who_may_not_write_it(house: House) -> None:
    """It is said, and stops nothing."""
    role = f"reader_{secrets.token_hex(4)}"
    house.server.run(
        f"CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT SELECT, UPDATE ON people TO {role};"
        f" GRANT USAGE ON SCHEMA strongroom_keys TO {role};"
        f" GRANT SELECT ON ALL TABLES IN SCHEMA strongroom_keys TO {role}",
        house.database,
    )
    entry = house.settings["databases"][house.database]
    upstream = house.server.uri(house.database, role, password="")
    house.configure(databases={house.database: {**entry, "upstream": upstream, "upstream_password": "x"}})
    settings = load(house.folder / "strongroom.yaml")
    with house.opened_state() as state:
        places = places_of(settings, state).values()
        said = asyncio.run(look_again(state, places, open_keks(settings, state)))
    assert len(said) == 1
    assert "would not be noticed" in said[0]


def test_a_gateway_that_runs(house: House) -> None:
    """What it does every hour: writes the next number, and sees what another copy wrote."""
    settings = load(house.folder / "strongroom.yaml")
    ready(house)
    copy = keep(house)

    def look() -> list[str]:
        with house.opened_state() as state:
            places = places_of(settings, state).values()
            return asyncio.run(look_again(state, places, open_keks(settings, state)))

    before = house.rows("SELECT number FROM strongroom_keys.generations")
    assert look() == []
    assert house.rows("SELECT number FROM strongroom_keys.generations") == [(before[0][0] + 1,)]
    put_back(house, copy)
    (said,) = look()
    assert said.startswith("state-rolled-back")
    assert look() == []


def test_a_database_that_is_out_of_reach_now(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that runs says that nothing is watched, and goes on."""
    settings = load(house.folder / "strongroom.yaml")

    async def down(*_: object) -> None:
        raise UpstreamError("nobody answers")

    monkeypatch.setattr(generations, "ask", down)
    monkeypatch.setattr(generations, "publish_generation", down)
    with house.opened_state() as state:
        places = places_of(settings, state).values()
        (said,) = asyncio.run(look_again(state, places, open_keks(settings, state)))
    assert "nobody answers" in said
