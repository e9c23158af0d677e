"""``strongroom keys recover``: the state is lost; database and root, or a dump and the root, are there."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.cli.keys.conftest import EVERYONE, House

NOTE = "public.people.note"


def dump(house: House) -> Path:
    """A plain dump of the whole database."""
    file = house.safe / "dump.sql"
    program = house.server.installation.program("pg_dump")
    subprocess.run([program, "-f", str(file), house.server.uri(house.database)], check=True)
    return file


def names(house: House) -> list[str]:
    return [f"kek {house.database}", *(f"{house.database}/public.people.{one}" for one in ("email", "note"))]


def test_from_the_database(house: House) -> None:
    """Every key comes back, its uses counted as many, and the gateway serves every row."""
    house.burn("state")
    run = house("keys", "recover", "--json")
    assert run.status == 0, run.stderr
    assert [one["key"] for one in json.loads(run.stdout)] == names(house)
    listed = {one["key"]: one for one in json.loads(house("keys", "list", "--json").stdout)}
    assert listed[f"{house.database}/public.people.note"]["due"]
    assert not listed[f"{house.database}/public.people.email"]["due"]
    assert house.served() == EVERYONE


def test_from_a_dump(house: House) -> None:
    """With the root and a dump alone, on an empty folder; the database need not be there."""
    file = dump(house)
    house.burn("state")
    elsewhere = dict(
        house.settings["databases"][house.database], upstream="postgresql://nobody@127.0.0.1:9/x"
    )
    house.configure(databases={house.database: elsewhere})
    run = house("keys", "recover", "--json", "--dump", str(file))
    assert run.status == 0, run.stderr
    assert [one["key"] for one in json.loads(run.stdout)] == names(house)
    listed = [one["key"] for one in json.loads(house("keys", "list", "--json").stdout)]
    assert listed == [*names(house), "the state"]


def test_a_database_made_of_the_dump(house: House) -> None:
    """What the dump's keys open is what stands in a database that is restored from it."""
    file = dump(house)
    house.burn("state")
    assert house("keys", "recover", "--dump", str(file)).status == 0
    house.server.run("DROP TABLE people CASCADE; DROP SCHEMA strongroom_keys CASCADE", house.database)
    psql = house.server.installation.program("psql")
    subprocess.run(
        [psql, "-q", "-f", str(file), house.server.uri(house.database)], check=True, capture_output=True
    )
    assert house.served() == EVERYONE


def test_what_is_not_brought_back(house: House) -> None:
    """A hold and a backup are not known any more: until somebody has seen to that, nothing ends."""
    assert house("keys", "hold", NOTE, "--reason", "case 17").status == 0
    house.backup()
    assert house("keys", "rotate", NOTE, "--reencrypt", "--no-wait").status == 0
    house.burn("state")
    recovered = house("keys", "recover")
    shown = house("keys", "rollbacks")
    assert shown.status == 1
    for said in (recovered.stderr, shown.stderr):
        assert all(one in said for one in ("legal holds", "register of backups", "custody", "approvals"))
        assert "keys rollbacks --acknowledge" in said
    for _ in range(2):
        run = house("keys", "destroy", NOTE, "1", "--json")
        (obstacle,) = json.loads(run.stdout)["obstacles"]
        assert (run.status, "the state was lost" in obstacle["what"]) == (1, True)
        assert "rollbacks --acknowledge" in obstacle["remedy"]
    assert house("keys", "hold", NOTE, "--reason", "case 17").status == 0
    assert house("keys", "rollbacks", "--acknowledge").status == 0
    held = json.loads(house("keys", "destroy", NOTE, "1", "--json").stdout)["obstacles"]
    assert ["case 17" in one["what"] for one in held] == [True]


def test_no_root_is_taken_off_after_it(house: House) -> None:
    """Not scheduled either, until the loss was seen to."""
    root = json.loads(house("keys", "root", "list", "--json").stdout)[0]["root"]
    assert house("keys", "root", "make", "file:keys/second.key").status == 0
    house.configure(keys={"root": "file:keys/second.key", "second_root": "file:keys/root.key"})
    assert house("keys", "root", "rewrap").status == 0
    house.burn("state")
    assert house("keys", "recover").status == 0
    house.configure(keys={"root": "file:keys/second.key"})
    run = house("keys", "root", "remove", root)
    assert (run.status, "the state was lost" in run.stderr) == (2, True)
    assert house("keys", "rollbacks", "--acknowledge").status == 0
    assert house("keys", "root", "remove", root).status == 0


def test_a_recovery_that_was_killed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noted before the first key is there, and once."""
    house.burn("state")
    with monkeypatch.context() as broken:

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        broken.setattr("strongroom.gateway.restoring.fill", die)
        assert house("keys", "recover").status != 0
    assert house("keys", "recover").status == 0
    (found,) = json.loads(house("keys", "rollbacks", "--json").stdout)
    assert (found["former_id"], found["acknowledged"]) == (None, None)


def test_retired_keys_come_back(house: House) -> None:
    """Keys of columns that were unprotected are kept beside the data too."""
    assert house("unprotect", "public.people.note").status == 0
    entry = house.settings["databases"][house.database]
    columns = {name: one for name, one in entry["columns"].items() if name != "public.people.note"}
    house.configure(databases={house.database: {**entry, "columns": columns}})
    file = dump(house)
    for words in ((), ("--dump", str(file))):
        house.burn("state")
        came = json.loads(house("keys", "recover", "--json", *words).stdout)
        assert came[-1]["key"].endswith("public.people.note")
        assert "out of use" in came[-1]["from"]


def test_the_root_must_be_the_one_in_use(house: House) -> None:
    """Without it nothing comes back, and no other root is made in its place."""
    house.burn("state", "keys")
    run = house("keys", "recover")
    assert run.status == 2
    assert "root-key-missing" in run.stderr
    assert list((house.folder / "keys").iterdir()) == []


def test_a_state_with_keys_is_refused(house: House) -> None:
    """It names what is there."""
    run = house("keys", "recover")
    assert run.status == 2
    assert "state-not-empty" in run.stderr


def test_nothing_to_recover(house: House) -> None:
    """A database without keys is said to be one."""
    house.burn("state")
    house.server.run("DROP SCHEMA strongroom_keys CASCADE", house.database)
    run = house("keys", "recover")
    assert run.status == 2
    assert "nothing-to-recover" in run.stderr
    run = house("keys", "recover", "--dump", str(dump(house)))
    assert run.status == 2
    assert "dump-unreadable" in run.stderr
