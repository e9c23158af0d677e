"""keys/hierarchy.py: a KEK in two places, under one root or two."""

from datetime import UTC, datetime

import pytest

from strongroom.errors import KeysetMismatch, RootRefused, RootUnreachable, WrongRoot
from strongroom.keys.generate import new_version
from strongroom.keys.hierarchy import Roots, open_kek, settle, wrapped
from strongroom.keys.kek import WrappedKek, new_kek, wrap_kek
from strongroom.keys.model import Keyset, KeyState
from strongroom.keys.root.file import FileRoot

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIRST, SECOND, THIRD = (FileRoot(bytes([n]) * 32, n) for n in (1, 2, 3))
KEK = new_kek("shop", NOW)
DOWN = RootUnreachable("nobody answers")


def row(kek: Keyset, revision: int, *roots: FileRoot) -> WrappedKek:
    return WrappedKek(kek.name, revision, {root.name: wrap_kek(kek, root) for root in roots})


def rotated(kek: Keyset) -> Keyset:
    second = new_version(kek.algorithm, [kek.primary], KeyState.ACTIVE, NOW)
    return kek.with_key(second).with_primary(second.key_id)


def test_where_there_is_none() -> None:
    """Nothing is made here."""
    assert settle(Roots((FIRST,)), None, None) is None


def test_the_newer_copy_counts() -> None:
    """Whichever place has it."""
    old, new = row(KEK, 1, FIRST), row(rotated(KEK), 2, FIRST)
    for state, beside in ((old, new), (new, old), (new, None), (None, new), (new, new)):
        settled = settle(Roots((FIRST,)), state, beside)
        assert settled is not None
        assert (settled.row, settled.added) == (new, ())
        assert len(settled.kek.versions) == 2


def test_a_second_root_is_added() -> None:
    """What one root opens is wrapped by the other too, and then either is enough."""
    settled = settle(Roots((FIRST, SECOND)), row(KEK, 1, FIRST), None)
    assert settled is not None
    assert settled.added == (SECOND.name,)
    assert settled.row.revision == 2
    for root in (FIRST, SECOND):
        assert open_kek(settled.row, Roots((root,))).primary == KEK.primary


def test_one_of_two_roots_is_out_of_reach() -> None:
    """The other opens, and what the one wrapped is kept."""
    both = row(KEK, 1, FIRST, SECOND)
    settled = settle(Roots((SECOND,), (DOWN,)), both, both)
    assert settled is not None
    assert settled.row is both


def test_the_only_root_that_wrapped_it_is_out_of_reach() -> None:
    """Its error is said, not that another is wrong."""
    with pytest.raises(RootUnreachable):
        settle(Roots((SECOND,), (DOWN,)), row(KEK, 1, FIRST), None)


def test_a_root_that_never_wrapped_it() -> None:
    """The names of those that did are said."""
    with pytest.raises(WrongRoot, match="file 00000001, file 00000002; configured is file 00000003"):
        settle(Roots((THIRD,)), row(KEK, 1, FIRST, SECOND), None)


def test_one_damaged_wrap_of_two() -> None:
    """The second root opens what the first cannot any more."""
    damaged = WrappedKek(KEK.name, 1, {FIRST.name: b"?", SECOND.name: wrap_kek(KEK, SECOND)})
    settled = settle(Roots((FIRST, SECOND)), damaged, None)
    assert settled is not None
    assert settled.kek.primary == KEK.primary


def test_a_root_that_is_known_by_another_name_now() -> None:
    """What it wrapped under its former name is kept under both, without another call."""
    before = WrappedKek(
        KEK.name, 1, {"file of old": wrap_kek(KEK, FIRST), SECOND.name: wrap_kek(KEK, SECOND)}
    )
    settled = settle(Roots((FIRST,)), before, None)
    assert settled is not None
    assert settled.moved == (("file of old", FIRST.name),)
    assert dict(settled.row.wraps) == dict(before.wraps) | {FIRST.name: before.wraps["file of old"]}
    again = settle(Roots((FIRST,)), settled.row, settled.row)
    assert again is not None
    assert (again.row, again.moved) == (settled.row, ())


def test_what_another_provider_wrapped_is_not_tried() -> None:
    """A key service would be sent what it cannot know."""
    with pytest.raises(WrongRoot, match="configured is file"):
        open_kek(WrappedKek(KEK.name, 1, {"vault x": wrap_kek(KEK, FIRST)}), Roots((FIRST,)))


def test_a_second_root_that_opens_and_does_not_wrap() -> None:
    """The start goes on with the first, and why is said."""

    class Reading(FileRoot):
        def wrap(self, plaintext: bytes, associated_data: bytes) -> bytes:
            raise RootRefused("may not encrypt")

    before = row(KEK, 1, FIRST)
    settled = settle(Roots((FIRST, Reading(b"2" * 32, 2))), before, None)
    assert settled is not None
    assert settled.row is before
    assert [type(failure) for failure in settled.failures] == [RootRefused]


def test_another_key_of_this_name() -> None:
    """A state that belongs to another database is not mixed with this one's keys."""
    for revision in (1, 2):
        with pytest.raises(KeysetMismatch, match="two different keys"):
            settle(Roots((FIRST,)), row(KEK, 1, FIRST), row(new_kek("shop", NOW), revision, FIRST))


def test_an_old_key_under_a_new_number() -> None:
    """Who may write beside the data cannot take a rotation back."""
    with pytest.raises(KeysetMismatch, match="an older key than another copy"):
        settle(Roots((FIRST,)), row(rotated(KEK), 2, FIRST), row(KEK, 3, FIRST))


def test_a_copy_wrapped_by_former_roots_is_passed_over() -> None:
    """After a change of root, an old state's copy can no longer be compared."""
    new = row(KEK, 2, SECOND)
    settled = settle(Roots((SECOND,)), row(KEK, 1, FIRST), new)
    assert settled is not None
    assert settled.row is new


def test_a_new_version_needs_every_root() -> None:
    """A root that is left out would open old keys only."""
    assert set(wrapped(KEK, 1, Roots((FIRST, SECOND))).wraps) == {FIRST.name, SECOND.name}
    with pytest.raises(RootUnreachable):
        wrapped(KEK, 1, Roots((FIRST,), (DOWN,)))
