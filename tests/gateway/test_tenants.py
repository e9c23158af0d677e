"""gateway/tenants.py: the keys of tenants are found in their places, opened, and kept in both."""

from pathlib import Path

import pytest
from tests.gateway.tenants import Shop

from strongroom.errors import KeysetOrphaned, TenantPlaceRefused
from strongroom.keys.kek import WrappedKek
from strongroom.keys.root.file import FileRoot
from strongroom.keys.store import kept_keks
from strongroom.keys.tenants import destroyed
from strongroom.testing.servers import PostgresServer


@pytest.fixture
def shop(tmp_path: Path, postgres: PostgresServer) -> Shop:
    """A shop of two tenants: acme holds its own key."""
    made = Shop.make(tmp_path, postgres)
    made.hold("acme")
    made.add("acme", "globex")
    return made


BOTH = ["acme iban", "acme phone", "globex iban", "globex phone"]


def test_a_lost_state_comes_back(shop: Shop) -> None:
    """From the copies with the root, and from beside the data with the tenant's provider."""
    shop.lose_state()
    assert shop.keysets(shop.prepared()) == BOTH
    with shop.state() as state:
        assert len(kept_keks(state.engine)) == 3


def test_lost_copies_are_made_again(shop: Shop) -> None:
    """From the state."""
    for copy in (shop.folder / "copies").iterdir():
        copy.unlink()
    shop.server.run("DELETE FROM strongroom_keys.keks WHERE name LIKE '%@%'", shop.database)
    shop.prepared()
    shop.lose_state()
    assert shop.keysets(shop.prepared()) == BOTH


def test_a_tenant_whose_provider_is_away_keeps_nobody_else(shop: Shop) -> None:
    """The start says so, and the others' keys are there; it comes back with its provider."""
    key = shop.folder / "key-of-acme" / "own.key"
    key.rename(key.with_suffix(".away"))
    prepared = shop.prepared()
    assert shop.keysets(prepared) == ["globex iban", "globex phone"]
    assert any("acme is not here" in line for line in prepared.said)
    key.with_suffix(".away").rename(key)
    assert shop.keysets(shop.prepared()) == BOTH


def test_our_root_does_not_open_what_a_tenant_holds(shop: Shop) -> None:
    """Without its line of configuration the key is not here, and is not wrapped by another."""
    del shop.own["acme"]
    prepared = shop.prepared()
    assert shop.keysets(prepared) == ["globex iban", "globex phone"]
    shop.lose_state()
    assert shop.keysets(shop.prepared()) == ["globex iban", "globex phone"]


def test_a_second_root_wraps_the_keys_of_tenants_too(shop: Shop) -> None:
    """Those that we hold, in the state and among the copies; not those that tenants hold."""
    (shop.folder / "second").mkdir(mode=0o700)
    FileRoot.create(shop.folder / "second" / "root.key", shop.folder / "state")
    shop.second_root = "file:second/root.key"
    shop.prepared()
    with shop.state() as state:
        kept = {name.rpartition("@")[2]: len(row.wraps) for name, row in kept_keks(state.engine).items()}
    assert (kept["globex"], kept["acme"]) == (2, 1)
    shop.lose_state()
    (shop.folder / "root" / "root.key").unlink()
    assert shop.keysets(shop.prepared()) == BOTH


def test_a_tenants_keyset_without_a_column_is_refused(shop: Shop) -> None:
    """Deleting a line of configuration does not end protection, of tenants as of others."""
    del shop.columns["public.people.phone"]
    with pytest.raises(KeysetOrphaned, match="phone"):
        shop.prepared()


def test_who_writes_to_the_database_destroys_no_key(shop: Shop) -> None:
    """A row that says so, and was not made by the key, is said and overruled."""
    name = f"kek {shop.database}@globex"
    forged = destroyed(WrappedKek(name, 40, {}), None)
    shop.server.run(
        f"INSERT INTO strongroom_keys.keks VALUES ('{name}', {forged.revision}, '{{\"destroyed\": \"\"}}')",
        shop.database,
    )
    prepared = shop.prepared()
    assert shop.keysets(prepared) == BOTH
    assert any("somebody wrote" in line for line in prepared.said)


@pytest.mark.parametrize("place", ["state/copies", "open", "missing"])
def test_places_where_copies_may_not_be(shop: Shop, place: str) -> None:
    """Beside the state, readable by others, or not there."""
    if place != "missing":
        (shop.folder / place).mkdir(mode=0o755 if place == "open" else 0o700)
    shop.more["copies"] = place
    with pytest.raises(TenantPlaceRefused):
        shop.prepared()
