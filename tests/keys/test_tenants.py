"""keys/tenants.py: from its copies, whether a tenant's key is here, away or destroyed."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.keys.state_of_keys import a_root, rotated

from strongroom.errors import RootUnreachable
from strongroom.keys.hierarchy import Roots, wrapped
from strongroom.keys.kek import WrappedKek, new_kek
from strongroom.keys.model import Keyset
from strongroom.keys.tenants import Standing, destroyed, is_genuine, stand

NAME = "kek shop@acme"
MADE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def kek() -> Keyset:
    """A tenant's key."""
    return new_kek("shop@acme", MADE)


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """What wraps it."""
    return Roots((a_root(tmp_path),))


def primary(standing: Standing) -> int | None:
    """Of the key that is here."""
    return None if standing.kek is None else standing.kek.primary


def test_any_place_is_enough(kek: Keyset, roots: Roots) -> None:
    """The state, another place, or both; nowhere it is nothing, and no error."""
    row = wrapped(kek, 3, roots)
    for state, others in ((row, []), (None, [row]), (row, [row])):
        standing = stand(NAME, state, others, roots)
        assert (primary(standing), standing.row) == (kek.primary, row)
    assert stand(NAME, None, [], roots) == Standing(NAME)


def test_the_newer_copy_counts(kek: Keyset, roots: Roots) -> None:
    """Wherever it is."""
    old, new = wrapped(kek, 1, roots), wrapped(rotated(kek), 2, roots)
    for state, other in ((old, new), (new, old)):
        assert stand(NAME, state, [other], roots).row == new


def test_a_root_that_is_away_is_a_reason_and_no_error(kek: Keyset, roots: Roots, tmp_path: Path) -> None:
    """As is another root, a changed wrap, and another tenant's key in its place."""
    row = wrapped(kek, 1, roots)
    assert isinstance(stand(NAME, row, [], Roots((), (RootUnreachable("down"),))).failure, RootUnreachable)
    another = tmp_path / "another"
    another.mkdir()
    ((root, wrap),) = row.wraps.items()
    swapped = replace(wrapped(new_kek("shop@globex", MADE), 1, roots), name=NAME)
    for wrong, by in (
        (row, Roots((a_root(another),))),
        (replace(row, wraps={root: wrap[:-1] + b"x"}), roots),
        (swapped, roots),
    ):
        standing = stand(NAME, wrong, [], by)
        assert (standing.kek, standing.row) == (None, None)
        assert standing.failure is not None


def test_what_the_key_itself_says_of_its_end_is_believed(kek: Keyset, roots: Roots) -> None:
    """By who has the key still; an older version of it may have said so."""
    row = wrapped(rotated(kek), 4, roots)
    for by in (kek, rotated(kek)):
        end = destroyed(row, by)
        assert end.is_destroyed
        assert is_genuine(end, by)
    standing = stand(NAME, row, [destroyed(row, kek)], roots)
    assert (standing.kek, standing.is_destroyed) == (None, True)


@pytest.mark.parametrize("mark", [b"", b"\x01", bytes(5), bytes(33), None])
def test_what_somebody_else_says_is_not(kek: Keyset, roots: Roots, mark: bytes | None) -> None:
    """An empty mark, an odd one, another key's: the key goes on, in a row that is newer."""
    row = wrapped(kek, 4, roots)
    forged = destroyed(row, new_kek("shop@acme", MADE) if mark is None else None)
    if mark is not None:
        forged = replace(forged, wraps={"destroyed": mark})
    standing = stand(NAME, row, [forged], roots)
    assert primary(standing) == kek.primary
    assert standing.forged
    assert standing.row is not None
    assert standing.row.revision > forged.revision


def test_another_tenants_end_is_not_its_own(kek: Keyset, roots: Roots) -> None:
    """The mark is bound to the name."""
    elsewhere = destroyed(WrappedKek("kek shop@globex", 9, {}), kek)
    assert not is_genuine(replace(elsewhere, name=NAME), kek)
    assert stand(NAME, wrapped(kek, 1, roots), [replace(elsewhere, name=NAME)], roots).forged


def test_without_the_key_its_end_counts(kek: Keyset, roots: Roots) -> None:
    """In this state or beside the data: no key of the name is made unseen."""
    end = destroyed(wrapped(kek, 4, roots), kek)
    for state, others in ((end, []), (None, [end]), (end, [wrapped(kek, 4, roots)])):
        standing = stand(NAME, state, others, roots)
        assert (standing.row, standing.kek) == (end, None)


def test_a_key_that_was_made_again(kek: Keyset, roots: Roots) -> None:
    """Newer than the end of the one before: by this gateway, or by another."""
    end = destroyed(wrapped(kek, 4, roots), kek)
    again = wrapped(new_kek("shop@acme", MADE), end.revision + 1, roots)
    for state, others in ((again, [end]), (end, [again, end]), (None, [end, again])):
        standing = stand(NAME, state, others, roots)
        assert standing.row == again
        assert primary(standing) != kek.primary
