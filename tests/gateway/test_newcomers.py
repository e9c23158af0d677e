"""gateway/newcomers.py: tenants are made, once, in both of their places."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.gateway.tenants import Shop

from strongroom.errors import KekMissing, KeysChanged, TenantNameRefused, TenantPlaceRefused
from strongroom.gateway import wraps
from strongroom.gateway.newcomers import Site, add
from strongroom.keys.hierarchy import Roots
from strongroom.keys.journal import Journal
from strongroom.keys.root.file import FileRoot
from strongroom.keys.store import kept_keks
from strongroom.testing.servers import PostgresServer


@pytest.fixture
def shop(tmp_path: Path, postgres: PostgresServer) -> Shop:
    """A shop without tenants yet."""
    return Shop.make(tmp_path, postgres)


def test_a_tenant_has_a_key_and_a_keyset_for_each_column(shop: Shop) -> None:
    """A key-encryption key of its own, and keysets under it, which a start finds again."""
    made = shop.add("acme")
    assert made.made == (f"{shop.database}@acme",)
    assert len(made.keysets) == len(shop.columns)
    assert shop.keysets(shop.prepared()) == ["acme iban", "acme phone"]
    with shop.state() as state:
        (event,) = Journal(state.engine).events()
    assert (event.what, event.subject) == ("tenant added", f"{shop.database}@acme")


def test_made_twice_nothing_changes(shop: Shop) -> None:
    """The second time what is there stays, and only new names get keys."""
    first = shop.add("acme")
    again = shop.add("acme", "globex")
    assert again.made == (f"{shop.database}@globex",)
    assert again.keks[0].primary == first.keks[0].primary


def test_keys_of_ours_are_never_beside_the_data(shop: Shop) -> None:
    """The KEK that our root wraps is in the state and in the folder of copies alone."""
    shop.add("acme")
    assert shop.beside().tenants == {}
    (copy,) = (shop.folder / "copies").iterdir()
    assert copy.stat().st_mode & 0o777 == 0o600
    assert json.loads(copy.read_text())["name"] == f"kek {shop.database}@acme"


def test_a_key_of_the_tenants_own_is_wrapped_by_its_provider_alone(shop: Shop) -> None:
    """It stands beside the data and in the state, and no root of ours wraps it."""
    shop.hold("acme")
    shop.add("acme")
    name = f"kek {shop.database}@acme"
    with shop.state() as state:
        ours, database = kept_keks(state.engine)[name], kept_keks(state.engine)[f"kek {shop.database}"]
    assert dict(shop.beside().tenants[name].wraps) == dict(ours.wraps)
    assert not set(ours.wraps) & set(database.wraps)
    assert list((shop.folder / "copies").iterdir()) == []


def test_the_keys_of_tenants_have_ids_of_their_own(shop: Shop) -> None:
    """Values of one column name their key by its id alone, so no two tenants share one."""
    names = [f"t{number}" for number in range(20)]
    shop.add(*names)
    kept = [one for one in shop.beside().keysets if one.name.endswith("iban")]
    ids = {id_ for one in shop.prepared().keks.unwrap_all(kept).values() for id_ in one.key_ids}
    assert len(ids) == len(names)


def test_a_root_that_was_taken_off_wraps_no_new_tenant(shop: Shop) -> None:
    """Who knows that root alone still, and not the one that took over, would make a key that is soon lost."""
    before, settings = shop.prepared(), shop.settings()
    root = FileRoot.create(shop.folder / "root" / "second.key", None)
    with shop.state() as state:
        [old] = before.roots.usable
        places = wraps.places_of(settings, state)
        asyncio.run(wraps.rewrap(state, places, before.roots, Roots((root,))))
        removal = asyncio.run(wraps.without(state, places, Roots((root,)), old.name))
        asyncio.run(wraps.carry_out(state, removal))
        with pytest.raises(KeysChanged, match="taken off"):
            asyncio.run(add(Site(settings, state, shop.place, before.roots), ["acme"]))
        assert list((shop.folder / "copies").iterdir()) == []
        asyncio.run(add(Site(settings, state, shop.place, Roots((old, root))), ["acme"]))
        assert list(kept_keks(state.engine)[f"kek {shop.database}@acme"].wraps) == [root.name]


def test_without_a_folder_of_copies_no_tenant_is_made(shop: Shop) -> None:
    """A key in the state alone would be lost with it."""
    shop.more["copies"] = None
    with pytest.raises(TenantPlaceRefused):
        shop.add("acme")
    assert [one.name for one in shop.beside().keysets] == []


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a b", "x" * 101, "@", "é"])
def test_names_that_no_tenant_can_have(shop: Shop, name: str) -> None:
    """They would be others' names, or paths."""
    with pytest.raises(TenantNameRefused):
        shop.add(name)


def test_a_database_without_tenants_columns_has_no_tenants(shop: Shop) -> None:
    """Their keys would protect nothing."""
    shop.columns = {"public.people.phone": {"type": "text", "encryption": "randomized"}}
    with pytest.raises(TenantNameRefused, match="no column with tenant:"):
        shop.add("acme")


def test_a_lost_key_is_not_made_anew(shop: Shop) -> None:
    """Where keysets of a tenant are there and its key is not, a new one would hide the loss."""
    shop.add("acme")
    shop.lose_state()
    for copy in (shop.folder / "copies").iterdir():
        copy.unlink()
    with pytest.raises(KekMissing):
        shop.add("acme")


def test_a_new_column_gets_keysets_of_those_that_are_there(shop: Shop) -> None:
    """At the next start, as any other column does."""
    phone = shop.columns.pop("public.people.phone")
    shop.add("acme")
    shop.columns["public.people.phone"] = phone
    assert shop.keysets(shop.prepared()) == ["acme iban", "acme phone"]
