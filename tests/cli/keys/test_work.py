"""cli/keys/work.py: key-encryption keys are rotated and versions destroyed, killed at any statement."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.cli.keys.conftest import EVERYONE, House
from tests.cli.keys.dying import OFTEN, address, cut_until_done, dying_work, opened

from strongroom.cli.keys.work import KeyWork, Said
from strongroom.cli.worksite import bar
from strongroom.config import StateAddress, load
from strongroom.gateway.protection import open_keks
from strongroom.keys.endings import Ending, Endings, of_version
from strongroom.keys.generate import new_keyset
from strongroom.keys.imported import ImportToken
from strongroom.keys.imports import Imports
from strongroom.keys.kek import kek_name
from strongroom.keys.model import Keyset, KeyState
from strongroom.keys.store import KeyStore, kept_retired
from strongroom.protect.scheme import Scheme
from strongroom.state import State, open_state

NOTE = "public.people.note"
PHONE = "public.people.phone"
NOW = datetime.now(UTC)


@dataclass
class Site:
    """A house with all that a key-encryption key wraps: keysets in use, one retired, an import for it."""

    house: House

    def __post_init__(self) -> None:
        self.note, self.phone = (f"{self.house.database}/{one}" for one in (NOTE, PHONE))
        with self.state() as state:
            keks = open_keks(load(self.file), state)
            scheme = Scheme.parse(self.house.database, PHONE, type="text", encryption="randomized")
            retired = keks.wrap(new_keyset(scheme, NOW))
            store = KeyStore(state.engine, keks)
            store.adopt([retired])
            store.retire([retired.name])
            Imports(state.engine, keks).begin(self.phone, ImportToken.make(NOW))
        with self.house.server.connect(self.house.database) as direct:
            direct.execute("CREATE TABLE strongroom_keys.retired_keysets (LIKE strongroom_keys.keysets)")
            direct.execute(
                "INSERT INTO strongroom_keys.retired_keysets VALUES (%s, %s, '{}', %s, now())",
                (retired.name, retired.revision, retired.wrapped),
            )

    @property
    def file(self) -> Path:
        """The configuration."""
        return self.house.folder / "strongroom.yaml"

    def state(self) -> AbstractContextManager[State]:
        """The state, as one more process opens it."""
        return opened(self.file)

    def work(self, steps: int, said: Said = bar) -> AbstractContextManager[KeyWork]:
        """A command that dies after so many steps."""
        return dying_work(self.file, address(self.house.server, self.house.database), steps, said)

    def killed_until(self, deed: Callable[[KeyWork], object], step: int = 1, offset: int = 0) -> int:
        """Does it, killed again and again, each time some steps later; returns how often it died."""
        to = address(self.house.server, self.house.database)
        return cut_until_done(self.file, to, deed, self.holds, range(offset, OFTEN, step))

    def holds(self) -> None:
        """What is needed opens, by what a start finds now: values, the keyset out of use, the import."""
        assert self.house.opened() == EVERYONE
        settings = load(self.file)
        with self.state() as state:
            keks = open_keks(settings, state)
            (retired,) = kept_retired(state.engine)
            assert keks.unwrap(retired).name == self.phone
            assert Imports(state.engine, keks).pending(self.phone)

    def keyset(self, name: str) -> Keyset:
        """A keyset or KEK as the state has it."""
        settings = load(self.file)
        with self.state() as state:
            keks = open_keks(settings, state)
            return keks.by_name.get(name) or KeyStore(state.engine, keks).load()[name]

    @property
    def wrapped_by(self) -> set[int]:
        """The versions of the KEK that wrap anything, here or beside the data."""
        rows = self.house.rows("SELECT wrapped FROM strongroom_keys.keysets")
        rows += self.house.rows("SELECT wrapped FROM strongroom_keys.retired_keysets")
        with self.state() as state, state.engine.begin() as connection:
            for table in ("keysets", "retired_keysets", "key_imports"):
                rows += connection.exec_driver_sql(f"SELECT wrapped FROM {table}").all()
        return {int.from_bytes(wrapped[1:5]) for (wrapped,) in rows}


@pytest.fixture
def site(house: House) -> Site:
    """See above."""
    return Site(house)


def test_a_rotation_of_the_kek_killed_at_any_statement(site: Site) -> None:
    """Everything opens at each moment; at the end the newest version wraps it all, in both places."""
    kek = kek_name(site.house.database)
    assert site.killed_until(KeyWork.rotate_kek, step=3) > 5
    site.holds()
    newest = site.keyset(kek)
    assert site.wrapped_by == {newest.primary}
    former = [version.state for version in newest.versions if version.key_id != newest.primary]
    assert set(former) == {KeyState.DEACTIVATED}


@pytest.mark.parametrize("offset", [0, *(pytest.param(n, marks=pytest.mark.full) for n in (1, 2))])
def test_a_destruction_killed_at_any_statement(site: Site, offset: int) -> None:
    """Run again it goes on; nothing that is needed is unreadable, and one new version of the KEK is made."""
    kek, ending = kek_name(site.house.database), _scheduled(site)
    first = site.keyset(site.note).versions[0].key_id

    def deed(work: KeyWork) -> None:
        work.destroy(work.keyset(site.note), first, ending)

    assert site.killed_until(deed, step=3, offset=offset) > 8
    site.holds()
    assert [version.dek is None for version in site.keyset(site.note).versions] == [True, False]
    states = [version.state for version in site.keyset(kek).versions]
    assert states == [KeyState.DESTROYED, KeyState.ACTIVE]
    assert site.wrapped_by == {site.keyset(kek).primary}


def _scheduled(site: Site) -> Ending:
    assert site.house("keys", "rotate", NOTE, "--reencrypt", "--no-wait").status == 0
    ending = of_version(site.note, 1, site.keyset(site.note).versions[0].key_id)
    with site.state() as state:
        Endings(state.engine).schedule(ending, NOW)
    return ending


def test_another_state_after_a_destruction(site: Site, tmp_path: Path) -> None:
    """Its keysets out of use were wrapped by what is gone; they come from beside the data at its start."""
    ending = _scheduled(site)
    first = site.keyset(site.note).versions[0].key_id
    folder = tmp_path / "other"
    shutil.copytree(site.house.folder / "state", folder)
    with site.work(OFTEN) as work:
        work.destroy(work.keyset(site.note), first, ending)
    assert site.house.opened(folder) == EVERYONE
    settings = load(site.house.folder / "strongroom.yaml")
    other = open_state(StateAddress(folder / "state.db"))
    (retired,) = kept_retired(other.engine)
    assert open_keks(settings, other).unwrap(retired).name == site.phone
    other.close()
