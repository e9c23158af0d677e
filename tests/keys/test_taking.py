"""keys/taking.py: a KEK that was changed beside the data comes into the state, with all that it wraps."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.keys.state_of_keys import a_root, an_empty_state, rotated
from tests.protect.samples import scheme

from strongroom.errors import KekMissing, KeysChanged
from strongroom.keys.generate import new_keyset
from strongroom.keys.hierarchy import Roots, wrapped
from strongroom.keys.imported import ImportToken
from strongroom.keys.imports import Imports
from strongroom.keys.kek import Keks, WrappedKek, new_kek
from strongroom.keys.root.file import FileRoot
from strongroom.keys.rotation import ended
from strongroom.keys.store import KeyStore, adopt_keks, kept_keks, kept_retired
from strongroom.keys.taking import refuse_behind, take_over
from strongroom.state import State

NOW = datetime.now(UTC)
KEK = new_kek("shop", NOW)
IN_USE = new_keyset(scheme("text", "randomized", "public.t.iban"), NOW)
OUT_OF_USE = new_keyset(scheme("text", "randomized", "public.t.phone"), NOW)


@pytest.fixture
def root(tmp_path: Path) -> FileRoot:
    """What wraps the KEK."""
    return a_root(tmp_path)


@pytest.fixture
def state(tmp_path: Path, root: FileRoot) -> Iterator[State]:
    """With a keyset in use, one out of use, and an import that has begun."""
    state, keks = an_empty_state(tmp_path), Keks.of([KEK])
    adopt_keks(state.engine, [row(KEK, 1, root)])
    store = KeyStore(state.engine, keks)
    store.adopt([keks.wrap(one) for one in (IN_USE, OUT_OF_USE)])
    store.retire([OUT_OF_USE.name])
    Imports(state.engine, keks).begin(IN_USE.name, ImportToken.make(NOW))
    yield state
    state.close()


def row(kek: object, revision: int, root: FileRoot) -> WrappedKek:
    return wrapped(kek, revision, Roots((root,)))  # type: ignore[arg-type]  # a keyset


def test_everything_is_wrapped_by_the_newest_version(state: State, root: FileRoot) -> None:
    """So that the former ones may end: everything opens without them."""
    newer = rotated(KEK)
    anew = Keks.of([newer]).wrap(IN_USE.rewrapped())
    with pytest.raises(KeysChanged, match=r"public\.t\.iban, shop/public\.t\.phone"):
        refuse_behind(state.engine, newer)
    take_over(state.engine, row(newer, 2, root), newer, [anew])
    refuse_behind(state.engine, newer)
    last = Keks.of([ended(newer)])
    assert kept_keks(state.engine)["kek shop"].revision == 2
    assert set(KeyStore(state.engine, last).load()) == {IN_USE.name}
    assert [last.unwrap(one).name for one in kept_retired(state.engine)] == [OUT_OF_USE.name]
    assert Imports(state.engine, last).pending(IN_USE.name)


def test_to_do_it_again_changes_nothing(state: State, root: FileRoot) -> None:
    """After a kill the next run does."""
    newer = rotated(KEK)
    anew = Keks.of([newer]).wrap(IN_USE.rewrapped())
    for _ in range(2):
        take_over(state.engine, row(newer, 2, root), newer, [anew])
        kept = kept_retired(state.engine)
    assert kept == kept_retired(state.engine)


def test_what_is_out_of_use_and_was_left_behind(state: State) -> None:
    """By a version that another gateway ended: it is replaced by what stands beside the data, or named."""
    last = Keks.of([ended(rotated(KEK))])
    store = KeyStore(state.engine, last)
    [shut] = store.shut_retired()
    beside = [last.wrap(OUT_OF_USE.rewrapped()), Keks.of([KEK]).wrap(OUT_OF_USE)]
    assert store.replace_retired([shut], beside) == []
    assert kept_retired(state.engine) == beside[:1]
    assert store.shut_retired() == []
    assert store.replace_retired(beside[:1], []) == [OUT_OF_USE.name]


def test_a_keyset_that_is_newer_beside_the_data_need_not_open(state: State) -> None:
    """It is taken from there; without a newer one it is an error."""
    newer = rotated(new_kek("shop", NOW))
    store = KeyStore(state.engine, Keks.of([newer]))
    assert store.load([Keks.of([newer]).wrap(IN_USE.rewrapped())]) == {}
    with pytest.raises(KekMissing):
        store.load()
