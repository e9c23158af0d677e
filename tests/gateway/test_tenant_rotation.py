"""gateway/tenant_rotation.py: a tenant's key-encryption key gets a new version, killed at any moment."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.changeover.killing import Killed
from tests.gateway.killing import dying_after
from tests.gateway.tenants import Shop

from strongroom.errors import KeysChanged, TenantKeyAway
from strongroom.gateway.newcomers import Site
from strongroom.gateway.protection import open_keks, opened_roots
from strongroom.gateway.tenant_rotation import rotate_kek_of_tenant
from strongroom.gateway.wraps import places_of, rewrap
from strongroom.keys.copies import Copies
from strongroom.keys.hierarchy import Roots
from strongroom.keys.kek import kek_name
from strongroom.keys.model import Keyset, KeyState
from strongroom.keys.root import RootKey
from strongroom.keys.store import KeyStore, kept_keks, kept_keysets
from strongroom.testing.servers import PostgresServer

MOST = 200


@pytest.fixture
def shop(tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Acme's keys are wrapped by our root, Globex holds its own."""
    monkeypatch.setenv("PASSWORD", postgres.password)
    made = Shop.make(tmp_path, postgres)
    made.hold("globex")
    made.add("acme", "globex")
    return made


def rotate(shop: Shop, tenant: str) -> tuple[str, int]:
    """As the command does it."""
    settings = shop.settings()
    with shop.state() as state:
        at = Site(settings, state, shop.place, opened_roots(settings, state))
        return asyncio.run(rotate_kek_of_tenant(at, tenant))


def in_state(shop: Shop) -> tuple[Keyset, ...]:
    """All keysets, and the KEKs, as the state alone opens them: no start came in between."""
    with shop.state() as state:
        keks = open_keks(shop.settings(), state)
        return (*keks.by_name.values(), *KeyStore(state.engine, keks).load().values())


def opened(shop: Shop, *, start: bool) -> dict[str, int]:
    """Every keyset of a tenant with the key that seals, by the state alone or after a start."""
    if start:
        shop.prepared()
    return {one.name: one.primary for one in in_state(shop) if "/" in one.name}


@pytest.mark.parametrize("start", [False, True], ids=["at-once", "after-a-start"])
@pytest.mark.parametrize("tenant", ["acme", "globex"])
def test_killed_at_any_moment(shop: Shop, tenant: str, start: bool) -> None:
    """Everyone's keysets open all the time; at the end the newest version wraps the tenant's everywhere."""
    before, name = opened(shop, start=True), kek_name(f"{shop.database}@{tenant}")
    assert len(before) == 4
    for died in range(MOST):
        try:
            with dying_after(died):
                rotated = rotate(shop, tenant)
        except Killed:
            assert opened(shop, start=start) == before
        else:
            break
    assert died > 8
    assert rotated == (name, 2)
    assert opened(shop, start=False) == before
    (kek,) = (one for one in in_state(shop) if one.name == name)
    assert kek.versions[-1].key_id == kek.primary
    assert {one.state for one in kek.versions[:-1]} == {KeyState.DEACTIVATED}
    with shop.state() as state:
        rows = [*kept_keysets(state.engine), *shop.beside().keysets]
    wrapped = {int.from_bytes(one.wrapped[1:5]) for one in rows if f"@{tenant}/" in one.name}
    assert wrapped == {kek.primary}
    shop.lose_state()
    assert opened(shop, start=True) == before  # the second place has what the state had


@dataclass
class Overtaken:
    """A root that something else comes before, whenever it wraps."""

    root: RootKey
    deed: Callable[[], object]

    @property
    def name(self) -> str:
        return self.root.name

    def wrap(self, plaintext: bytes, associated_data: bytes) -> bytes:
        self.deed()
        return self.root.wrap(plaintext, associated_data)

    def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        return self.root.unwrap(wrapped, associated_data)


def test_a_rewrap_in_between_is_told(shop: Shop) -> None:
    """Nothing is wrapped by a version that its second place has not; run again it is done."""
    before, settings = opened(shop, start=True), shop.settings()
    with shop.state() as state:
        roots = opened_roots(settings, state)

        def rewrap_first() -> None:
            asyncio.run(
                rewrap(state, places_of(settings, state), roots, roots, Copies(shop.folder / "copies"))
            )

        late = Roots(tuple(Overtaken(root, rewrap_first) for root in roots.usable))
        with pytest.raises(KeysChanged):
            asyncio.run(rotate_kek_of_tenant(Site(settings, state, shop.place, late), "acme"))
    assert opened(shop, start=False) == before
    shop.lose_state()
    assert opened(shop, start=True) == before
    assert rotate(shop, "acme")[1] == 2
    shop.lose_state()
    assert opened(shop, start=True) == before


def test_others_are_left_alone(shop: Shop) -> None:
    """Their KEK stays as it is, octet by octet."""
    with shop.state() as state:
        before = kept_keks(state.engine)
    name, _ = rotate(shop, "acme")
    with shop.state() as state:
        after = kept_keks(state.engine)
    assert {one for one in after if after[one] != before[one]} == {name}


def test_a_key_that_is_not_here(shop: Shop) -> None:
    """Of nobody, or withdrawn: none is made."""
    with pytest.raises(TenantKeyAway, match="there is none"):
        rotate(shop, "initech")
    (shop.folder / "key-of-globex" / "own.key").rename(shop.folder / "away")
    with pytest.raises(TenantKeyAway, match="is not here"):
        rotate(shop, "globex")
