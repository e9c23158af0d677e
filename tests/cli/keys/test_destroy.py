"""``strongroom keys destroy``: a version ends for ever, in two steps, and what wrapped it with it."""

import json
import secrets
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.cli.keys.conftest import COLUMNS, EVERYONE, House
from tests.keys.people import Signer

from strongroom.config import load
from strongroom.errors import KekMissing, WrongKek
from strongroom.keys.hierarchy import open_kek
from strongroom.keys.kek import Keks, WrappedKek, WrappedKeyset, wraps_of
from strongroom.keys.root.entering import Entered
from strongroom.keys.root.opening import open_roots
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

NOTE = "public.people.note"


def keys(house: House, *words: str, status: int = 0) -> Any:
    """What a key command prints for programs."""
    run = house("keys", *words, "--json")
    assert run.status == status, run.stderr
    return json.loads(run.stdout)


def pass_days(house: House) -> None:
    """The day has come on which what was scheduled may be done."""
    with closing(sqlite3.connect(house.folder / "state" / "state.db")) as state, state:
        state.execute("UPDATE key_endings SET due = '2026-01-01 00:00:00.000000'")


def rotated(house: House) -> None:
    """The note's first version is deactivated, and seals nothing that is there."""
    assert house("keys", "rotate", NOTE, "--reencrypt", "--no-wait").status == 0


def test_the_list_of_what_needs_it(house: House) -> None:
    """Its state, columns, backups and holds, each with what to do about it; nothing is scheduled."""
    file = house.backup()
    held = house("keys", "hold", NOTE, "1", "--reason", "case 17")
    assert held.status == 0
    refused = keys(house, "destroy", NOTE, "1", status=1)
    assert (refused["outcome"], refused["due"]) == ("refused", None)
    found = [one["what"] for one in refused["obstacles"]]
    assert len(found) == 4
    for what, part in zip(
        found,
        ["version 1 is the one that seals", f"{NOTE} allows values of it", str(file), "case 17"],
        strict=True,
    ):
        assert part in what
    assert "keys backups --forget" in refused["obstacles"][2]["remedy"]
    shown = house("keys", "destroy", NOTE, "1")
    assert shown.status == 1
    assert "strongroom keys rotate public.people.note --reencrypt" in shown.stdout


def test_a_version_ends_in_two_steps(house: House) -> None:
    """Scheduled, not due, then done: the values are served, its id stays, its material is nowhere."""
    rotated(house)
    assert keys(house, "destroy", NOTE, "1")["outcome"] == "scheduled"
    assert keys(house, "destroy", NOTE, "1", status=1)["outcome"] == "waiting"
    first, second = keys(house, "show", NOTE)
    assert (first["state"], second["destruction"]) == ("deactivated", None)
    assert first["destruction"]
    pass_days(house)
    said = house("keys", "destroy", NOTE, "1")
    assert said.status == 0, said.stderr
    (root,) = [row["root"] for row in keys(house, "root", "list")]
    assert root in said.stderr
    assert [row["state"] for row in keys(house, "show", NOTE)] == ["destroyed", "active"]
    kek = f"kek {house.database}"
    assert [row["state"] for row in keys(house, "show", kek)] == ["destroyed", "active"]
    assert house.opened() == EVERYONE
    assert house.served() == EVERYONE
    events = [one["what"] for one in keys(house, "events")]
    assert events[-3:] == ["destruction scheduled", "destruction begun", "destroyed"]
    assert keys(house, "destroy", NOTE, "1")["outcome"] == "destroyed"


def test_a_gateway_that_runs_goes_on(postgres: PostgresServer) -> None:
    """It fetches the new key-encryption key when it meets it; sessions read and write all the time."""
    name = postgres.create_database(f"db{secrets.token_hex(4)}")
    postgres.run("CREATE TABLE people (id int PRIMARY KEY, email bytea UNIQUE, note bytea)", name)
    with Gateway.start(postgres, name, more={"columns": COLUMNS}) as gateway:
        with psycopg.connect(gateway.uri(), autocommit=True) as session:
            session.execute("INSERT INTO people VALUES (1, 'a@example.org', 'first')")
        gateway.command("keys", "rotate", NOTE, "--reencrypt", "--no-wait")
        gateway.command("keys", "destroy", NOTE, "1")
        with closing(sqlite3.connect(gateway.folder / "state" / "state.db")) as state, state:
            state.execute("UPDATE key_endings SET due = '2026-01-01 00:00:00.000000'")
        gateway.command("keys", "destroy", NOTE, "1")
        with psycopg.connect(gateway.uri(), autocommit=True) as session:
            session.execute("CREATE TABLE other (id int)")  # has the catalog, and the keys, be read
        wait_until(lambda: "configuration accepted" in gateway.log.read_text(), "the new KEK is fetched")
        wait_until(lambda: _answers(gateway), "values of the new version open")
        gateway.signal(signal.SIGTERM)
        gateway.wait()
        gateway.launch()
        assert _answers(gateway)


def _answers(gateway: Gateway) -> bool:
    try:
        with psycopg.connect(gateway.uri(), autocommit=True) as session:
            session.execute("INSERT INTO people VALUES (2, 'b@example.org', 'x') ON CONFLICT DO NOTHING")
            found = session.execute("SELECT email, note FROM people WHERE id = 1").fetchone()
    except psycopg.Error:
        return False
    return found == ("a@example.org", "first")


def test_it_is_taken_back(house: House) -> None:
    """Until it has begun; then only its end is left."""
    rotated(house)
    keys(house, "destroy", NOTE, "1")
    assert keys(house, "destroy", NOTE, "1", "--cancel")["outcome"] == "cancelled"
    assert "was not scheduled" in house("keys", "destroy", NOTE, "1", "--cancel").stderr
    pass_days(house)
    assert keys(house, "destroy", NOTE, "1")["outcome"] == "scheduled"
    pass_days(house)
    keys(house, "destroy", NOTE, "1")
    assert "destroyed already" in house("keys", "destroy", NOTE, "1", "--cancel").stderr


def test_what_comes_in_between_is_seen_at_the_second_step(house: House) -> None:
    """A backup that was made, a hold that was laid: refused again, until they are gone."""
    rotated(house)
    keys(house, "destroy", NOTE, "1")
    pass_days(house)
    house.backup()
    house("keys", "hold", f"kek {house.database}", "--reason", "case 17")
    refused = keys(house, "destroy", NOTE, "1", status=1)
    assert len(refused["obstacles"]) == 2
    (backup,) = keys(house, "backups")
    (hold,) = keys(house, "holds")
    assert house("keys", "backups", "--forget", backup["id"]).status == 0
    assert house("keys", "release", hold["hold"], "--reason", "closed").status == 0
    assert keys(house, "destroy", NOTE, "1")["outcome"] == "destroyed"


def test_a_backup_of_what_wraps_it(house: House) -> None:
    """One from before the version was made opens a dump from after: it stands in the way."""
    house.backup()
    for _ in range(2):
        rotated(house)
    refused = keys(house, "destroy", NOTE, "2", status=1)
    assert [f"holds 'kek {house.database}'" in one["what"] for one in refused["obstacles"]] == [True]


def test_a_rotation_that_was_not_ended(house: House) -> None:
    """A row beside the data says so, whether or not it runs."""
    rotated(house)
    house.server.run(
        f"INSERT INTO strongroom_keys.rotations VALUES ('{house.database}/{NOTE}', 7)", house.database
    )
    refused = keys(house, "destroy", NOTE, "1", status=1)
    assert ["under way" in one["what"] for one in refused["obstacles"]] == [True]


def test_a_column_of_which_nothing_is_proved(house: House) -> None:
    """A CHECK that was not validated, and one that is gone."""
    rotated(house)
    (definition,) = house.rows(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'strongroom_note'"
    )[0]
    for statement, said in (
        (f"ADD CONSTRAINT strongroom_note {definition} NOT VALID", "not validated"),
        ("ALTER note DROP NOT NULL", "no CHECK"),
    ):
        house.server.run("ALTER TABLE people DROP CONSTRAINT IF EXISTS strongroom_note", house.database)
        house.server.run(f"ALTER TABLE people {statement}", house.database)
        refused = keys(house, "destroy", NOTE, "1", status=1)
        assert [said in one["what"] for one in refused["obstacles"]] == [True]


def test_another_command_at_work(house: House) -> None:
    """What runs holds the lock of the database: it is on the list."""
    rotated(house)
    with house.server.connect(house.database) as other:
        other.execute("SELECT pg_advisory_lock(%s, %s)", (0x5374726F, 0x6E67726D))
        refused = keys(house, "destroy", NOTE, "1", status=1)
    assert ["another changeover" in one["what"] for one in refused["obstacles"]] == [True]


def test_a_database_out_of_reach(house: House) -> None:
    """Nobody knows what it needs: refused."""
    rotated(house)
    keys(house, "destroy", NOTE, "1")
    pass_days(house)
    databases = dict(house.settings["databases"])
    databases[house.database] = {
        **databases[house.database],
        "upstream": "postgresql://postgres@127.0.0.1:9/nobody",
    }
    house.configure(databases=databases)
    run = house("keys", "destroy", NOTE, "1")
    assert run.status == 1
    assert "upstream-unreachable" in run.stderr


@pytest.fixture
def ended(house: House, tmp_path: Path) -> tuple[House, Path, list[Any]]:
    """The note's first version is destroyed; with a copy of the state and of the tables from before."""
    rotated(house)
    keys(house, "destroy", NOTE, "1")
    pass_days(house)
    before = tmp_path / "before"
    shutil.copytree(house.folder / "state", before)
    dump = [
        house.rows(f"SELECT name, revision, {last} FROM strongroom_keys.{table}")
        for table, last in (("keks", "wraps"), ("keysets", "wrapped"))
    ]
    assert keys(house, "destroy", NOTE, "1")["outcome"] == "destroyed"
    return house, before, dump


def test_what_was_wrapped_is_in_no_file_of_the_state(ended: tuple[House, Path, list[Any]]) -> None:
    """Neither in its pages nor in its log: the keyset as it was, and the KEK that wrapped it."""
    house, before, (keks, keysets) = ended
    old = [bytes(wrapped) for _, _, wrapped in keysets]
    old += [text.encode() for _, _, text in keks]
    files = {one: one.read_bytes() for one in before.iterdir()}
    assert all(any(wrapped in content for content in files.values()) for wrapped in old)
    for file in (house.folder / "state").iterdir():
        content = file.read_bytes()
        assert not any(wrapped in content for wrapped in old), file


def test_what_was_wrapped_is_in_no_file_of_the_tables(ended: tuple[House, Path, list[Any]]) -> None:
    """Dead rows are gone with the files that held them."""
    house, _, (_, keysets) = ended
    house.server.run("CHECKPOINT", house.database)
    paths = house.rows(
        "SELECT pg_relation_filepath(oid) FROM pg_class WHERE relnamespace = 'strongroom_keys'::regnamespace"
        " AND relkind = 'r'"
    )
    contents = [(house.server.data / path).read_bytes() for (path,) in paths]
    current = house.rows("SELECT wrapped FROM strongroom_keys.keysets")
    assert all(any(bytes(wrapped) in content for content in contents) for (wrapped,) in current)
    assert not any(bytes(wrapped) in content for _, _, wrapped in keysets for content in contents)


def test_a_copy_from_before_ends_with_its_root(ended: tuple[House, Path, list[Any]]) -> None:
    """With the old root it opens still, as was said; with the new one alone it does not, the rest does."""
    house, _, (keks, keysets) = ended
    row = WrappedKek(keks[0][0], keks[0][1], wraps_of(keks[0][2]))
    old = Keks.of([open_kek(row, _roots(house))])
    assert _open_all(old, keysets) == [True, True]
    house.configure(keys={"root": "file:keys/new.key", "second_root": "file:keys/root.key"})
    assert house("keys", "root", "make", "file:keys/new.key").status == 0
    assert house("keys", "root", "rewrap").status == 0
    house.configure(keys={"root": "file:keys/new.key"})
    removed = [one["root"] for one in keys(house, "root", "list") if not one["configured"]]
    assert house("keys", "root", "remove", *removed).status == 0
    pass_days(house)
    assert house("keys", "root", "remove", *removed, "--now-due").status == 0
    (house.folder / "keys" / "root.key").unlink()
    with pytest.raises(Exception, match="wrapped by"):
        open_kek(row, _roots(house))
    current = Keks.of([open_kek(_beside(house), _roots(house))])
    assert _open_all(current, keysets) == [False, False]
    assert house.opened() == EVERYONE


def _roots(house: House) -> Any:
    settings = load(house.folder / "strongroom.yaml")
    assert settings.keys is not None
    return open_roots(settings.keys.roots, settings.state.path.parent, [], Entered())


def _beside(house: House) -> WrappedKek:
    ((name, revision, wraps),) = house.rows("SELECT name, revision, wraps FROM strongroom_keys.keks")
    return WrappedKek(name, revision, wraps_of(wraps))


def _open_all(keks: Keks, rows: list[Any]) -> list[bool]:
    opened = []
    for row in rows:
        try:
            keks.unwrap(WrappedKeyset(row[0], row[1], bytes(row[2])))
        except (KekMissing, WrongKek):
            opened.append(False)
        else:
            opened.append(True)
    return opened


def test_a_gateway_with_a_state_of_its_own_starts(ended: tuple[House, Path, list[Any]]) -> None:
    """All that it has is wrapped by what was destroyed: it takes the newer rows from beside the data."""
    house, before, _ = ended
    assert house.opened(before) == EVERYONE


def test_a_database_that_was_set_back(ended: tuple[House, Path, list[Any]]) -> None:
    """To a dump from before: what stands in the state is newer, opens, and is put beside the data again."""
    house, _, (keks, keysets) = ended
    with house.server.connect(house.database) as direct:
        for table, last, rows in (("keks", "wraps", keks), ("keysets", "wrapped", keysets)):
            for name, revision, value in rows:
                direct.execute(
                    psycopg.sql.SQL(
                        "UPDATE strongroom_keys.{} SET revision = %s, {} = %s WHERE name = %s"
                    ).format(psycopg.sql.Identifier(table), psycopg.sql.Identifier(last)),
                    (revision, value, name),
                )
    assert house.opened() == EVERYONE
    assert _beside(house).revision > keks[0][1]


def test_exports_are_told(house: House) -> None:
    """A file with the key in the clear is no backup that anybody registered; the record names it."""
    file = house.safe / "iban.json"
    command = ["export", NOTE, "--tink", "--danger-key-material-in-the-clear", "--output", str(file)]
    assert house("keys", *command).status == 0
    rotated(house)
    keys(house, "destroy", NOTE, "1")
    pass_days(house)
    assert keys(house, "destroy", NOTE, "1")["exports"] == [str(file)]


def test_a_second_person(house: House, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Scheduled by one; done when two have signed for exactly this version."""
    anna, ben = (Signer.make(tmp_path_factory.mktemp(name), name) for name in ("anna", "ben"))
    by = {one.name: one.public for one in (anna, ben)}
    house.configure(keys={"root": "file:keys/root.key", "approvals": {"needed": 2, "by": by}})
    rotated(house)
    assert keys(house, "destroy", NOTE, "1")["outcome"] == "scheduled"
    pass_days(house)
    request = house.safe / "request.json"
    asked = house("keys", "destroy", NOTE, "1", "--approval", str(request))
    assert (asked.status, "approval-needed" in asked.stderr) == (2, True)
    assert [row["state"] for row in keys(house, "show", NOTE)] == ["deactivated", "active"]
    for one in (anna, ben):
        one.sign(request)
    assert keys(house, "destroy", NOTE, "1", "--approval", str(request))["outcome"] == "destroyed"
    assert house.opened() == EVERYONE
