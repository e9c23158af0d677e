"""keys/known_roots.py: which of the configured roots wrapped something here before."""

from datetime import UTC, datetime
from pathlib import Path

from tests.keys.state_of_keys import a_root

from strongroom.errors import RootNotApproved, RootUnreachable
from strongroom.keys.hierarchy import Roots, wrapped
from strongroom.keys.kek import WrappedKek, new_kek
from strongroom.keys.known_roots import only_known

MADE = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_root_that_wrapped_nothing_is_set_aside(tmp_path: Path) -> None:
    """It is among the failures, with those that are there already; whichever stands first."""
    old, new = a_root(tmp_path, "old"), a_root(tmp_path, "new")
    row = wrapped(new_kek("shop", MADE), 1, Roots((old,)))
    down = RootUnreachable("nobody answers")
    for order in ((old, new), (new, old)):
        roots = only_known(Roots(order, (down,)), [row])
        assert roots.usable == (old,)
        assert roots.failures[0] is down
        assert isinstance(roots.failures[1], RootNotApproved)
        assert new.name in roots.failures[1].message


def test_roots_that_wrapped_something_stay(tmp_path: Path) -> None:
    """Each one KEK at least: of a database that came later, the other is not wrapped yet."""
    old, new = a_root(tmp_path, "old"), a_root(tmp_path, "new")
    both = wrapped(new_kek("shop", MADE), 1, Roots((old, new)))
    one = wrapped(new_kek("till", MADE), 1, Roots((old,)))
    for rows in ([both], [one, both]):
        assert only_known(Roots((old, new)), rows) == Roots((old, new))


def test_before_there_is_any_key(tmp_path: Path) -> None:
    """The first roots are those that are configured."""
    roots = Roots((a_root(tmp_path, "old"), a_root(tmp_path, "new")))
    assert only_known(roots, []) == roots


def test_where_none_opens_anything(tmp_path: Path) -> None:
    """They are left as they are: to open the KEK will say what is wrong."""
    row = wrapped(new_kek("shop", MADE), 1, Roots((a_root(tmp_path, "lost"),)))
    roots = Roots((a_root(tmp_path, "new"),))
    assert only_known(roots, [row]) == roots


def test_a_wrap_of_another_key_under_the_same_name(tmp_path: Path) -> None:
    """Somebody has put it beside the data, for their root to count as known: it does not."""
    old, theirs = a_root(tmp_path, "old"), a_root(tmp_path, "theirs")
    row = wrapped(new_kek("shop", MADE), 1, Roots((old,)))
    forged = wrapped(new_kek("shop", MADE), 1, Roots((theirs,)))
    mixed = WrappedKek(row.name, 2, {**row.wraps, **forged.wraps})
    assert only_known(Roots((old, theirs)), [mixed]).usable == (old,)
