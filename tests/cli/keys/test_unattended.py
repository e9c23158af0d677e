"""Keys that are due, looked after by a process of the gateway's own: what it rotates, and what it says."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from tests.cli.conftest import Run
from tests.cli.keys.conftest import EVERYONE, House
from tests.gateway.tenants import Shop

import strongroom as package
from strongroom.cli.keys import unattended
from strongroom.cli.keys.work import Due, KeyWork
from strongroom.cli.worksite import worksite
from strongroom.config import load
from strongroom.gateway.protection import open_keks
from strongroom.keys.kek import Keks, danger_written, new_kek
from strongroom.keys.model import Keyset
from strongroom.keys.store import KeyStore
from strongroom.state import open_state
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

NOTE, EMAIL = "public.people.note", "public.people.email"
IDS = "SELECT cardinality(key_ids) FROM strongroom_keys.keysets WHERE name LIKE '%note'"


class Look:
    """A process that looks at what is due, and our end of its line, which is the supervisor's."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        mine, theirs = socket.socketpair()
        file = folder / "strongroom.yaml"
        settings = load(file)
        state = open_state(settings.state)
        keks = danger_written(open_keks(settings, state))
        state.close()
        with theirs, tempfile.TemporaryFile() as content:
            content.write(file.read_bytes())
            content.seek(0)
            passed = [theirs.fileno(), content.fileno()]
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "strongroom.cli.keys.unattended", f"--config={file}"),
                    *(f"--line={passed[0]}", f"--content={passed[1]}", *arguments),
                ],
                pass_fds=passed,
            )
        mine.sendall(json.dumps({"what": "keys", "keks": keks}).encode() + b"\n")
        self._line = mine

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.close()
        self.process.kill()
        self.process.wait()

    def found(self) -> list[dict[str, Any]]:
        """What it has said by its end."""
        with self._line.makefile("rb") as lines:
            said = [json.loads(line) for line in lines]
        assert self.process.wait() == 0
        return said


@pytest.fixture(autouse=True)
def finds_strongroom(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that a test starts runs this very strongroom."""
    monkeypatch.setenv("PYTHONPATH", str(Path(package.__file__).parent.parent))


def look(place: House | Shop) -> list[dict[str, Any]]:
    """What one look finds, while no gateway runs."""
    with Look(place.folder, "--no-wait") as one:
        return one.found()


def due_by_use(house: House, share: float) -> None:
    house.configure(keys=house.settings["keys"] | {"rotate": {"share": share}})


def grow_old(house: House, column: str) -> None:
    """Its keyset becomes one that was made three years ago."""

    def older(keyset: Keyset) -> Keyset:
        versions = [replace(one, created=one.created - timedelta(days=1100)) for one in keyset.versions]
        return replace(keyset, versions=tuple(versions), revision=keyset.revision + 1)

    with worksite(load(house.folder / "strongroom.yaml"), None, "a test") as site:
        KeyWork(site).change(site.schemes[column].keyset, older)


def versions(house: House, column: str) -> list[str]:
    return [row["state"] for row in json.loads(house("keys", "show", column, "--json").stdout)]


def test_nothing_is_due(house: House) -> None:
    """Then nothing is done, nor said."""
    assert look(house) == []


def test_a_randomized_key_is_rotated_and_a_deterministic_one_named(house: House) -> None:
    """The one takes a new version, the other must be sealed anew; once, and on record."""
    due_by_use(house, 1e-12)
    due, rotated = sorted(look(house), key=lambda one: str(one["what"]))
    assert (rotated["what"], rotated["key"]) == ("rotated", f"{house.database}/{NOTE}")
    assert "uses of" in rotated["why"]
    assert (due["what"], due["key"]) == ("due", f"{house.database}/{EMAIL}")
    assert due["remedy"] == f"strongroom keys rotate {EMAIL} --reencrypt"
    assert (versions(house, NOTE), versions(house, EMAIL)) == (["active", "active"], ["active"])
    assert [one["what"] for one in look(house)] == ["due"]
    (event,) = json.loads(house("keys", "events", "--json").stdout)
    assert (event["what"], event["subject"]) == ("rotated", rotated["key"])
    assert event["details"]["by_itself"] == rotated["why"]
    assert house.served() == EVERYONE


def test_a_key_grows_old(house: House) -> None:
    """By its age alone."""
    grow_old(house, NOTE)
    (rotated,) = look(house)
    assert rotated["why"] == "1100 days old, the limit is 730"
    assert look(house) == []


def test_a_kek_that_is_due_is_named(house: House) -> None:
    """Its rotation needs the roots."""

    class Old(KeyWork):
        def __init__(self) -> None:
            pass

        def why_due(self, keyset: Keyset) -> str | None:
            return f"{keyset.name} is old"

    keks = Keks.of([new_kek("shop", datetime.now(UTC))])
    (due,) = unattended._kek(Old(), keks, "shop")
    assert (due["what"], due["key"], due["why"]) == ("due", "kek shop", "kek shop is old")
    assert due["remedy"] == "strongroom keys rotate --kek --database shop"


def test_rights_that_are_missing(house: House) -> None:
    """The database refuses, and it is said whose rights to mend."""
    due_by_use(house, 1e-8)
    with house.server.connect(house.database) as direct:
        direct.execute("DROP ROLE IF EXISTS meek; CREATE ROLE meek LOGIN PASSWORD 'meek'")
        direct.execute("GRANT USAGE ON SCHEMA strongroom_keys TO meek")
        direct.execute("GRANT SELECT ON ALL TABLES IN SCHEMA strongroom_keys TO meek")
        direct.execute("GRANT SELECT ON people TO meek")
        direct.commit()
    entry = house.settings["databases"][house.database]
    meek = {"upstream": house.server.uri(house.database, "meek", password=""), "upstream_password": "meek"}
    house.configure(databases={house.database: entry | meek})
    (failed,) = look(house)
    assert (failed["what"], failed["database"]) == ("failed", house.database)
    assert "42501" in failed["why"]
    with house.server.connect(house.database) as direct:
        direct.execute("DROP OWNED BY meek; DROP ROLE meek")
        direct.commit()


def test_a_database_that_is_gone(house: House) -> None:
    """It is said, and the process ends well: it will look again."""
    entry = house.settings["databases"][house.database]
    away = {"upstream": "postgresql://postgres@127.0.0.1:1/none"}
    house.configure(databases={house.database: entry | away})
    (failed,) = look(house)
    assert failed["code"] == "upstream-unreachable"


def test_killed_while_gateways_are_waited_for(house: House) -> None:
    """The next look goes on to the version that was begun."""
    grow_old(house, NOTE)
    with Look(house.folder) as one:
        wait_until(lambda: house.rows(IDS) == [(2,)], "the new version stands beside the data")
        one.process.send_signal(signal.SIGKILL)
        assert one.process.wait() == -signal.SIGKILL
    (rotated,) = look(house)
    assert rotated["what"] == "rotated"
    assert versions(house, NOTE) == ["active", "active"]
    assert house.rows(IDS) == [(2,)]
    assert house.served() == EVERYONE


@pytest.fixture
def second(house: House, tmp_path_factory: pytest.TempPathFactory, strongroom: Callable[..., Run]) -> House:
    """Another gateway's machine before the same database, with the same root and a state of its own."""
    folder = tmp_path_factory.mktemp("second")
    shutil.copytree(house.folder / "keys", folder / "keys")
    for name in ("state", "safe"):
        (folder / name).mkdir(mode=0o700)
    made = House(folder, house.server, house.database, strongroom)
    made.configure(**house.settings)
    assert made("keys", "rotate", "--due", "--no-wait").stdout.strip() == "nothing is due"
    return made


def test_two_gateways_at_once(house: House, second: House) -> None:
    """One rotates; the other finds it at work, or done, and nobody rotates twice."""
    grow_old(house, NOTE)
    with ExitStack() as stack:
        looks = [stack.enter_context(Look(one.folder, "--no-wait")) for one in (house, second)]
        found = [one for each in looks for one in each.found()]
    assert [one["what"] for one in found].count("rotated") == 1
    assert {one["code"] for one in found if one["what"] == "failed"} <= {"changeover-busy"}
    assert [look(one) for one in (house, second)] == [[], []]
    assert house.rows(IDS) == [(2,)]
    assert [versions(one, NOTE) for one in (house, second)] == [["active", "active"]] * 2


def test_rotated_by_another_between_the_look_and_the_lock(house: House, second: House) -> None:
    """What was due a moment ago is looked at again under the lock."""
    grow_old(house, NOTE)
    with worksite(load(house.folder / "strongroom.yaml"), None, "a test") as site:
        work = KeyWork(site, wait=False)
        (due,) = work.due()
        assert [one["what"] for one in look(second)] == ["rotated"]
        assert work.rotate_due(due) is None
    assert versions(house, NOTE) == ["active", "active"]
    assert house.rows(IDS) == [(2,)]


@pytest.fixture
def shop(tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Three tenants, of which each has a keyset for both columns, that were used a thousand times."""
    monkeypatch.setenv("PASSWORD", postgres.password)
    made = Shop.make(tmp_path, postgres)
    made.add("acme", "globex", "initech")
    with made.state() as state:
        store = KeyStore(state.engine, open_keks(made.settings(), state))
        for one in store.load().values():
            store.reserve(one.name, one.primary, 1000, one.algorithm.max_uses)
    monkeypatch.setattr(Shop, "configuration", property(due_at_once(made.configuration)))
    made.settings()
    return made


def due_at_once(configuration: dict[str, Any]) -> Callable[[Shop], dict[str, Any]]:
    keys = configuration["keys"] | {"rotate": {"share": 1e-8}}
    return lambda _: configuration | {"keys": keys}


def test_keys_of_tenants_some_at_a_time(shop: Shop) -> None:
    """Each takes the database's lock for a minute: others want it, too."""
    found = look(shop)
    assert [one["what"] for one in found] == ["rotated"] * 6
    assert {one["key"].partition("/")[0] for one in found} == {
        f"{shop.database}@{name}" for name in ("acme", "globex", "initech")
    }
    assert look(shop) == []
    left = [Due([], "old")] * 3
    (said,) = unattended._left(left, "shop")
    assert (said["what"], said["why"]) == ("due", "3 more are due, and are rotated with the next looks")
    assert list(unattended._left([], "shop")) == []
