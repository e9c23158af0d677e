"""What comes back, of a backup and of what stands beside the data."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.keys.state_of_keys import EMAIL, MADE, a_filled_state, a_root, rotated, some_keysets
from tests.protect.samples import scheme

from strongroom.errors import BackupOutdated, KekMissing, KeysetMismatch, RootError, WrongRoot
from strongroom.keys.backup import Contents, contents
from strongroom.keys.generate import new_keyset
from strongroom.keys.hierarchy import Roots, open_kek, wrapped
from strongroom.keys.kek import Keks, WrappedKek, new_kek
from strongroom.keys.model import Keyset
from strongroom.keys.restore import Beside, BroughtBack, bring_back, uses_of
from strongroom.keys.root.file import FileRoot
from strongroom.keys.store import ASSUMED_USES


class World:
    """A backup, and the database as it was when the backup was made."""

    def __init__(self, folder: Path) -> None:
        self.old, self.new = a_root(folder, "old"), a_root(folder, "new")
        state, keks = a_filled_state(folder, self.old)
        self.contents: Contents = contents(state.engine, keks, MADE)
        (self.kek,) = self.contents.keks
        self.row = wrapped(self.kek, 3, Roots((self.old,)))

    def beside(self, *keysets: Keyset, kek: Keyset | None = None, row: WrappedKek | None = None) -> Beside:
        """These keysets, under the backup's KEK or another."""
        keks = Keks.of([kek or self.kek])
        return Beside(
            row or self.row,
            tuple(keks.wrap(one) for one in keysets),
            (),
            {one.name: one.key_ids for one in keysets},
            {one.name.partition("/")[2]: one.name for one in keysets},
        )

    def keyset(self, name: str) -> Keyset:
        """Of the backup."""
        return next(one for one in self.contents.keysets if one.name == name)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """See above."""
    return World(tmp_path)


def back(world: World, beside: Beside, root: FileRoot) -> BroughtBack:
    found = bring_back("shop", world.contents, beside, Roots((root,)))
    assert found is not None
    return found


def test_a_lost_root(world: World) -> None:
    """The KEK is wrapped by the new root, as the next revision, and all keysets are the backup's."""
    found = back(world, world.beside(*world.contents.keysets), world.new)
    assert found.replaced
    assert found.row.revision == 4
    assert list(found.row.wraps) == [world.new.name]
    assert open_kek(found.row, Roots((world.new,))).primary == world.kek.primary
    assert [one.name for one in found.keysets] == [one.name for one in world.contents.keysets]
    assert [one.name for one in found.retired] == ["shop/public.t.phone"]
    assert (found.newer, found.rewrapped) == ((), ())
    assert [one.name for one in found.kept] == [one.name for one in found.keysets]


def test_a_root_that_is_there(world: World) -> None:
    """Nothing beside the data changes, and none of the root's wraps is lost."""
    found = back(world, world.beside(*world.contents.keysets), world.old)
    assert not found.replaced
    assert found.row == world.row


def test_a_second_root_is_added(world: World) -> None:
    """Where one of the roots opens, the other is added, as at a start."""
    both = Roots((world.new, world.old))
    found = bring_back("shop", world.contents, world.beside(), both)
    assert found is not None
    assert set(found.row.wraps) == {world.new.name, world.old.name}


def test_an_empty_database(world: World) -> None:
    """What stands nowhere else comes from the backup; what is in neither is not there."""
    assert not back(world, Beside(), world.new).replaced
    assert back(world, Beside(), world.new).row.revision == 1
    assert bring_back("other", world.contents, Beside(), Roots((world.new,))) is None


def test_newer_keysets_that_open(world: World) -> None:
    """What was rotated since, under the same KEK, is taken from beside the data."""
    newer = rotated(world.keyset(EMAIL))
    found = back(world, world.beside(newer), world.new)
    assert found.newer == (EMAIL,)
    assert next(one for one in found.keysets if one.name == EMAIL).primary == newer.primary


def test_a_keyset_that_the_backup_does_not_have(world: World) -> None:
    """A column that was protected since comes from beside the data too."""
    made = new_keyset(scheme("text", "randomized", "public.t.later"), MADE)
    found = back(world, world.beside(made), world.new)
    assert found.newer == (made.name,)
    assert found.keysets[-1].key_ids == made.key_ids


def test_a_newer_kek(world: World) -> None:
    """Opened by its root, it wraps all; lost with its root, the backup's KEK takes its place."""
    kek = rotated(world.kek)
    beside = world.beside(*world.contents.keysets, kek=kek, row=wrapped(kek, 5, Roots((world.old,))))
    assert back(world, beside, world.old).kek.primary == kek.primary
    found = back(world, beside, world.new)
    assert found.kek.primary == world.kek.primary
    assert found.row.revision == 6
    assert {one.name for one in found.rewrapped} == {one.name for one in world.contents.keysets}
    for one in found.rewrapped:
        assert one.key_ids == world.keyset(one.name).key_ids
        assert one.revision == world.keyset(one.name).revision + 1


def test_retired_keysets_beside_the_data(world: World) -> None:
    """They come too; those that nothing opens, and that the backup has not, are named."""
    made = new_keyset(scheme("text", "randomized", "public.t.once"), MADE)
    beside = replace(world.beside(), retired=(Keks.of([world.kek]).wrap(made),))
    found = back(world, beside, world.new)
    assert [one.name for one in found.retired] == ["shop/public.t.phone", made.name]
    (phone,) = world.contents.retired
    strange = Keks.of([new_kek("shop", MADE)])
    beside = replace(beside, retired=(strange.wrap(made), strange.wrap(phone)))
    found = back(world, beside, world.new)
    assert [one.name for one in found.retired] == ["shop/public.t.phone"]
    assert found.left == (made.name,)


def test_a_backup_older_than_the_data(world: World) -> None:
    """Each column is named whose keyset is newer and does not open; those that do open are not."""
    kek, newer = rotated(world.kek), rotated(world.keyset(EMAIL))
    row = wrapped(kek, 5, Roots((world.old,)))
    beside = world.beside(newer, some_keysets()[1], kek=kek, row=row)
    same = world.keyset("shop/public.t.iban")
    with pytest.raises(BackupOutdated) as caught:
        back(world, replace(beside, key_ids={**beside.key_ids, same.name: same.key_ids}), world.new)
    (line,) = caught.value.detail.splitlines()
    assert line.startswith(
        f"public.t.email: its keyset is at revision {newer.revision}, the backup has revision"
    )
    assert f"lacks key {newer.primary:08x}" in line
    assert world.old.name in caught.value.hint


def test_values_of_a_key_that_no_keyset_has(world: World) -> None:
    """The CHECK of a column names a key that neither the backup nor the keysets beside the data have."""
    beside = replace(world.beside(world.keyset(EMAIL)), seen={"public.t.email": frozenset({7})})
    with pytest.raises(BackupOutdated) as caught:
        back(world, beside, world.new)
    assert "public.t.email: values may be sealed by key 00000007" in caught.value.detail


def test_another_databases_backup(world: World, tmp_path: Path) -> None:
    """A KEK that opens and is another is a mistake, and so are keysets that are others of the same names."""
    other = new_kek("shop", MADE)
    with pytest.raises(KeysetMismatch):
        back(world, world.beside(kek=other, row=wrapped(other, 9, Roots((world.old,)))), world.old)
    beside = world.beside(*some_keysets(), kek=other, row=wrapped(other, 9, Roots((world.old,))))
    with pytest.raises(BackupOutdated):
        back(world, beside, world.new)


def test_without_a_backup(world: World) -> None:
    """The roots must open what stands beside the data; then that is what comes back."""
    beside = world.beside(*world.contents.keysets)
    found = bring_back("shop", None, beside, Roots((world.old,)))
    assert found is not None
    assert len(found.keysets) == 2
    assert found.newer == ()
    with pytest.raises(WrongRoot):
        bring_back("shop", None, beside, Roots((world.new,)))
    with pytest.raises(KekMissing):
        bring_back("shop", None, replace(beside, kek=None), Roots((world.old,)))
    assert bring_back("shop", None, Beside(), Roots((world.old,))) is None


def test_a_root_that_cannot_be_used_now(world: World) -> None:
    """A new wrap needs every configured root: one left out could never open it."""
    failed = Roots((world.new,), (RootError("down"),))
    with pytest.raises(RootError, match="down"):
        bring_back("shop", world.contents, Beside(), failed)


def test_counts_of_uses(world: World) -> None:
    """Known counts stay; a primary key whose count was lost is taken to have been used much."""
    email, iban = world.keyset(EMAIL), world.keyset("shop/public.t.iban")
    known = {(EMAIL, email.primary): 1024}
    assert uses_of([email, iban], known, ()) == known
    assert uses_of([email, iban], known, {EMAIL, iban.name}) == known | {
        (iban.name, iban.primary): ASSUMED_USES
    }
