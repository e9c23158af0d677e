"""gateway/wraps.py: wraps in the state and beside the data, changed together or not at all."""

import asyncio
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from strongroom.config import StateAddress
from strongroom.errors import KeysChanged, RootRemovalRefused, RootUnreachable
from strongroom.gateway import wraps
from strongroom.gateway.connector import Connector
from strongroom.gateway.kept import Place, kept_beside, publish_kek
from strongroom.gateway.upstream_address import parse_upstream
from strongroom.keys.copies import Copies
from strongroom.keys.hierarchy import Roots, rewrapped, wrapped
from strongroom.keys.kek import WrappedKek, new_kek
from strongroom.keys.root.file import FileRoot
from strongroom.keys.store import adopt_keks, kept_keks
from strongroom.secret import Secret
from strongroom.state import State, open_state
from strongroom.testing.servers import PostgresServer

FIRST, SECOND = (FileRoot(bytes([n]) * 32, n) for n in (1, 2))
KEK = new_kek("shop", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """A state with the KEK, under the first root."""
    state = open_state(StateAddress(path=tmp_path / "state.db"))
    adopt_keks(state.engine, [wrapped(KEK, 1, Roots((FIRST,)))])
    yield state
    state.close()


@pytest.fixture
def places(postgres: PostgresServer) -> Mapping[str, Place]:
    """A database that keeps nothing yet."""
    name = postgres.create_database(f"db{secrets.token_hex(4)}")
    address = parse_upstream(
        postgres.uri(name, password=""), base=Path("/"), password=Secret(postgres.password), pins=()
    )
    connector = Connector.to(address)
    return {KEK.name: Place(name, connector, connector)}


def beside(places: Mapping[str, Place]) -> WrappedKek | None:
    return asyncio.run(kept_beside(places[KEK.name].connector)).kek


def test_it_is_wrapped_in_both_places(state: State, places: Mapping[str, Place]) -> None:
    """Under the new roots, and under the former ones still."""
    [row] = asyncio.run(wraps.rewrap(state, places, Roots((FIRST,)), Roots((SECOND,))))
    assert row.wraps.keys() == {FIRST.name, SECOND.name}
    assert kept_keks(state.engine)[KEK.name] == row
    assert beside(places) == row


def test_a_kek_without_a_database_is_wrapped_in_the_state(state: State) -> None:
    """Its database may be configured again."""
    [row] = asyncio.run(wraps.rewrap(state, {}, Roots((FIRST,)), Roots((FIRST, SECOND))))
    assert kept_keks(state.engine)[KEK.name] == row


def test_all_roots_or_none(state: State, places: Mapping[str, Place]) -> None:
    """One that cannot be used stops it before anything is written."""
    before = kept_keks(state.engine)
    with pytest.raises(RootUnreachable):
        asyncio.run(wraps.rewrap(state, places, Roots((FIRST,)), Roots((FIRST,), (RootUnreachable("down"),))))
    assert kept_keks(state.engine) == before
    assert beside(places) is None


def test_what_is_left_without_a_root(state: State, places: Mapping[str, Place]) -> None:
    """It is written only when it is carried out."""
    asyncio.run(wraps.rewrap(state, places, Roots((FIRST,)), Roots((SECOND,))))
    removal = asyncio.run(wraps.without(state, places, Roots((SECOND,)), FIRST.name))
    assert removal.names == (KEK.name,)
    assert FIRST.name in kept_keks(state.engine)[KEK.name].wraps
    asyncio.run(wraps.carry_out(state, removal))
    assert kept_keks(state.engine)[KEK.name].wraps.keys() == {SECOND.name}
    with pytest.raises(RootRemovalRefused, match="wraps nothing"):
        asyncio.run(wraps.without(state, places, Roots((SECOND,)), FIRST.name))


def test_the_last_root_is_not_left_out(state: State, places: Mapping[str, Place]) -> None:
    """Its KEK is named."""
    with pytest.raises(RootRemovalRefused) as caught:
        asyncio.run(wraps.without(state, places, Roots((FIRST,)), FIRST.name))
    assert "'kek shop' would open no more" in caught.value.detail


def test_everything_that_needs_a_root_is_listed(state: State, places: Mapping[str, Place]) -> None:
    """Whether it is configured alone, or another is that has wrapped nothing yet."""
    other = new_kek("other", datetime(2026, 1, 1, tzinfo=UTC))
    adopt_keks(state.engine, [wrapped(other, 1, Roots((FIRST,)))])
    for configured in (FIRST, SECOND):
        with pytest.raises(RootRemovalRefused, match=f"2 keys need the root '{FIRST.name}'") as caught:
            asyncio.run(wraps.without(state, places, Roots((configured,)), FIRST.name))
        assert "'kek shop' would open no more" in caught.value.detail
        assert "'kek other' would open no more" in caught.value.detail


def test_somebody_else_came_first(state: State, places: Mapping[str, Place]) -> None:
    """What another command wrote meanwhile stays, and the state does not take ours."""
    asyncio.run(wraps.rewrap(state, places, Roots((FIRST,)), Roots((SECOND,))))
    removal = asyncio.run(wraps.without(state, places, Roots((SECOND,)), FIRST.name))
    [(_, ours)] = removal.changes
    theirs = wrapped(KEK, ours.revision, Roots((FIRST, SECOND)))
    asyncio.run(publish_kek(places[KEK.name], theirs))
    with pytest.raises(KeysChanged):
        asyncio.run(wraps.carry_out(state, removal))
    assert beside(places) == theirs
    assert FIRST.name in kept_keks(state.engine)[KEK.name].wraps


def test_a_copy_that_is_ahead_of_the_state(state: State, tmp_path: Path) -> None:
    """A rewrap that was killed wrote a tenant's copy alone: the root is taken off there, too."""
    kek = new_kek("shop@acme", datetime(2026, 1, 1, tzinfo=UTC))
    row = wrapped(kek, 1, Roots((FIRST, SECOND)))
    adopt_keks(state.engine, [row])
    folder = tmp_path / "copies"
    folder.mkdir(mode=0o700)
    copies = Copies(folder)
    places: Mapping[str, Place] = {}
    asyncio.run(wraps.rewrap(state, places, Roots((FIRST,)), Roots((SECOND,)), copies))
    copies.write(rewrapped(kept_keks(state.engine)[kek.name], kek, Roots((FIRST, SECOND))))
    removal = asyncio.run(wraps.without(state, places, Roots((SECOND,)), FIRST.name, copies))
    asyncio.run(wraps.carry_out(state, removal, copies))
    copy = copies.read(kek.name)
    assert copy is not None
    assert copy == kept_keks(state.engine)[kek.name]
    assert copy.wraps.keys() == {SECOND.name}


def test_a_state_that_is_behind(state: State, places: Mapping[str, Place]) -> None:
    """The root is off beside the data already: it is taken off here, and having begun is no refusal."""
    asyncio.run(wraps.rewrap(state, places, Roots((FIRST,)), Roots((SECOND,))))
    ((place, row),) = asyncio.run(wraps.without(state, places, Roots((SECOND,)), FIRST.name)).changes
    assert place is not None
    asyncio.run(publish_kek(place, row))
    removal = asyncio.run(wraps.without(state, places, Roots((SECOND,)), FIRST.name))
    assert removal.changes == ((place, row),)
    asyncio.run(wraps.carry_out(state, removal))
    assert kept_keks(state.engine)[KEK.name] == row
    with pytest.raises(RootRemovalRefused, match="wraps nothing here"):
        asyncio.run(wraps.without(state, places, Roots((SECOND,)), FIRST.name))
    again = asyncio.run(wraps.without(state, places, Roots((SECOND,)), FIRST.name, begun=[KEK.name]))
    assert (again.changes, again.names) == ((), (KEK.name,))
