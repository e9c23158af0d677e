"""cli/keys/work.py: rotation and the sealing anew, killed at any step, with the real state and database."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.cli.keys.conftest import EVERYONE, House, opened_text
from tests.cli.keys.dying import address, cut_until_done, killed_until_done, opened
from tests.cli.keys.test_tenant_drill import store
from tests.gateway.tenants import Shop
from tests.protect.samples import Counted

from strongroom.cli.keys.work import KeyWork
from strongroom.keys.journal import Journal
from strongroom.keys.model import Keyset
from strongroom.keys.store import KeyStore, kept_keysets
from strongroom.protect.envelope import key_id_of
from strongroom.protect.plan import ColumnCodec
from strongroom.protect.scheme import Scheme
from strongroom.testing.servers import PostgresServer

COPIES = "SELECT name, revision, wrapped FROM strongroom_keys.keysets ORDER BY name"
UNDER_WAY = "SELECT keyset FROM strongroom_keys.rotations"
IBAN = "public.people.iban"


@dataclass
class Watched:
    """An installation of which one keyset is rotated, and what must hold of it at every moment."""

    file: Path
    server: PostgresServer
    database: str
    column: str
    keyset: str
    start: Callable[[], object]
    """A start makes the places agree, and says what opens."""
    everyone: object

    @property
    def address(self) -> str:
        """Of the database."""
        return address(self.server, self.database)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database says."""
        with psycopg.connect(self.address) as direct:
            return direct.execute(query.encode()).fetchall()

    def rotate(self, work: KeyWork) -> None:
        """The deed."""
        for schemes in work.groups([self.column]):
            work.rotate(schemes, reencrypt=True)

    def holds(self) -> bool:
        """Every value opens by what a start finds; the state and the copy agree after it, octet by octet.

        Returns whether the rotation has come to its end.
        """
        assert self.start() == self.everyone
        assert self.copies == self.rows(COPIES)
        uses, sealed = self.uses, self.sealed_by()
        assert all(uses[key_id] >= sealed.count(key_id) for key_id in set(sealed))
        return bool(self.events) and self.rows(UNDER_WAY) == []

    @property
    def copies(self) -> list[tuple[Any, ...]]:
        """The keysets as the state has them."""
        with opened(self.file) as state:
            return [(one.name, one.revision, one.wrapped) for one in kept_keysets(state.engine)]

    @property
    def uses(self) -> dict[int, int]:
        """Those that the state has counted, by key."""
        with opened(self.file) as state, state.engine.begin() as connection:
            query = "SELECT key_id, reserved FROM key_uses WHERE keyset = ?"
            return dict(map(tuple, connection.exec_driver_sql(query, (self.keyset,))))

    @property
    def events(self) -> list[object]:
        """The keys that were rotated to, as it was written down."""
        with opened(self.file) as state:
            found = Journal(state.engine).events()
        return [one.details["key_id"] for one in found if (one.what, one.subject) == ("rotated", self.keyset)]

    def sealed_by(self) -> list[int]:
        """The key of each value of the keyset."""
        _, table, column = self.column.partition("@")[0].split(".")
        values = self.rows(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL")
        ids = set(self.key_ids())
        return [one for (value,) in values if (one := key_id_of(value)) in ids]

    def key_ids(self) -> list[int]:
        """Of the versions that open, as they stand beside the data."""
        query = f"SELECT unnest(key_ids) FROM strongroom_keys.keysets WHERE name = '{self.keyset}'"
        return [one for (one,) in self.rows(query)]

    def came_to_its_end(self, before: list[int]) -> None:
        """One key was made, by the first run, and sealed everything; that is on record, nothing under way."""
        assert self.holds()
        (newest,) = set(self.key_ids()) - set(before)
        assert set(self.sealed_by()) == {newest}
        assert len(self.sealed_by()) > 2
        assert {f"{newest:08x}"} == set(self.events)


@pytest.fixture(params=["note", "email"])
def column(house: House, request: pytest.FixtureRequest) -> Watched:
    """A randomized column, sealed anew in place, and a deterministic one, which is swapped."""
    name = f"public.people.{request.param}"
    file, keyset = house.folder / "strongroom.yaml", f"{house.database}/{name}"
    return Watched(file, house.server, house.database, name, keyset, house.opened, EVERYONE)


@pytest.fixture
def tenants(tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """A column of two tenants, of whom one's key is rotated."""
    monkeypatch.setenv("PASSWORD", postgres.password)
    shop = Shop.make(tmp_path, postgres)
    shop.add("acme", "globex")
    for number, tenant in enumerate(["acme", "globex"] * 3):
        store(shop, number, tenant)
    keyset, file = f"{shop.database}@acme/{IBAN}", shop.folder / "strongroom.yaml"
    everyone = [(number, tenant) for number, tenant in enumerate(["acme", "globex"] * 3)]

    def start() -> object:
        keks = shop.prepared().keks
        with shop.state() as state:
            return list(_read(watched, KeyStore(state.engine, keks).load()))

    watched = Watched(file, postgres, shop.database, f"{IBAN}@acme", keyset, start, everyone)
    return watched


def _read(watched: Watched, keysets: dict[str, Keyset]) -> Any:
    """(id, value) of each row, opened by its tenant's keys."""
    of_all = Scheme.parse(watched.database, IBAN, type="text", encryption="randomized", tenant="tenant")
    for number, tenant, value in watched.rows("SELECT id, tenant, iban FROM people ORDER BY id"):
        scheme = of_all.of_tenant(tenant)
        yield number, opened_text(ColumnCodec(scheme, keysets[scheme.keyset], Counted()), value)


def cut(watched: Watched, steps: range) -> int:
    """In this process, at each of the steps."""
    before = watched.key_ids()
    times = cut_until_done(watched.file, watched.address, watched.rotate, watched.holds, steps)
    watched.came_to_its_end(before)
    return times


def killed(watched: Watched, steps: range) -> int:
    """Processes of their own, by SIGKILL."""
    before, columns = watched.key_ids(), [watched.column]
    times = killed_until_done(watched.file, watched.address, columns, watched.holds, steps)
    watched.came_to_its_end(before)
    return times


EVERY = [5, pytest.param(1, marks=[pytest.mark.full, pytest.mark.timeout(900)])]


@pytest.mark.parametrize("step", EVERY)
def test_a_rotation_cut_at_any_step(column: Watched, step: int) -> None:
    """Everything opens after each cut, the places agree after a start, and a run more comes to the end."""
    assert cut(column, range(0, 1000, step)) * step > 30


@pytest.mark.parametrize("step", EVERY)
def test_a_tenants_rotation_cut_at_any_step(tenants: Watched, step: int) -> None:
    """The other tenant's values open all the while, too."""
    assert cut(tenants, range(0, 1000, step)) * step > 30


@pytest.mark.parametrize("step", [20, pytest.param(3, marks=[pytest.mark.full, pytest.mark.timeout(900)])])
def test_a_process_killed_at_any_step(column: Watched, step: int) -> None:
    """The same, where nothing of the process has a chance to clear anything away."""
    assert killed(column, range(7, 1000, step)) > 1


def test_a_tenants_process_killed_at_any_step(tenants: Watched) -> None:
    """The same for a tenant's keyset."""
    assert killed(tenants, range(7, 1000, 15)) > 1
