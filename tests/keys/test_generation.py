"""keys/generation.py: a state that was copied back is told from every other thing that may have happened."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.keys.state_of_keys import some_keysets

from strongroom.config import StateAddress
from strongroom.keys import generation
from strongroom.keys.generation import Generation, Verdict, advance, judge
from strongroom.keys.journal import Journal
from strongroom.keys.kek import Keks
from strongroom.keys.model import MAX_USES_RANDOMIZED, Algorithm
from strongroom.keys.store import ASSUMED_USES, SPARED_USES, KeyStore
from strongroom.state import State, open_state

Open = Callable[[str], State]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens the state in a folder of this name, which is made."""
    states = []

    def open_it(name: str) -> State:
        (tmp_path / name).mkdir(mode=0o700, exist_ok=True)
        states.append(open_state(StateAddress(tmp_path / name / "state.db")))
        return states[-1]

    yield open_it
    for state in states:
        state.close()


def copied(opened: Open, folder: Path, name: str) -> State:
    """A copy of the state as it is now, as a backup of its folder would have it: the journal files too."""
    shutil.copytree(folder / "state", folder / name)
    return opened(name)


def test_an_id_for_life(opened: Open) -> None:
    """Drawn once; another state has another."""
    first = opened("state")
    assert generation.state_id(first.engine) == generation.state_id(opened("state").engine)
    assert generation.state_id(first.engine) != generation.state_id(opened("other").engine)


def test_numbers_go_up(opened: Open) -> None:
    """Whatever was written beside the data before, all or nothing of it, is fine."""
    state = opened("state")
    written = [advance(state) for _ in range(3)]
    assert [one.number for one in written] == [1, 2, 3]
    assert len({one.mark for one in written}) == 3
    for found in ([], *([one] for one in written), written):
        assert judge(state, found) is None


def test_a_copy_of_last_week(opened: Open, tmp_path: Path) -> None:
    """Beside the data stands a number that it has not come to; it becomes another state, and that is fine."""
    state = opened("state")
    advance(state)
    copy = copied(opened, tmp_path, "copy")
    beside = advance(state)
    found = judge(copy, [beside])
    assert found is not None
    assert found == (Verdict.BEHIND, beside)
    former = generation.state_id(copy.engine)
    now = generation.become_another(copy, former, "copied back", [])
    assert now == generation.state_id(copy.engine) != former
    assert judge(copy, [beside, advance(copy)]) is None
    assert judge(state, [beside]) is None


def test_two_copies_in_use(opened: Open, tmp_path: Path) -> None:
    """They come to the same number, with another mark each; whoever looks second finds the other's."""
    state = opened("state")
    advance(state)
    copy = copied(opened, tmp_path, "copy")
    ours, theirs = advance(state), advance(copy)
    assert ours.number == theirs.number
    assert judge(state, [theirs]) == (Verdict.FORKED, theirs)
    for _ in range(3):  # also when it has gone on meanwhile
        advance(copy)
    assert judge(copy, [ours]) == (Verdict.FORKED, ours)


def test_what_others_write(opened: Open) -> None:
    """Rows of other states are theirs; one of ours that we did not write is somebody's who has no secret."""
    state, other = opened("state"), opened("other")
    ours = advance(state)
    assert judge(state, [replace(advance(other), number=10**9)]) is None
    for forged in (
        replace(ours, number=10**9),
        replace(ours, mark="00"),
        replace(ours, proof=""),
        Generation(ours.state, 7, "x", advance(other).proof),
    ):
        assert judge(state, [forged]) == (Verdict.FORGED, forged)


def test_the_worst_comes_first(opened: Open, tmp_path: Path) -> None:
    """Of several databases, one that was out of reach hides nothing."""
    state = opened("state")
    old = advance(state)
    copy = copied(opened, tmp_path, "copy")
    beside = advance(state)
    for order in ([old, replace(old, proof=""), beside], [beside, old]):
        assert judge(copy, order) == (Verdict.BEHIND, beside)


def test_marks_do_not_pile_up(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many are kept; what is older beside the data says nothing."""
    monkeypatch.setattr(generation, "KEPT", 3)
    state = opened("state")
    written = [advance(state) for _ in range(10)]
    with state.engine.begin() as connection:
        kept = connection.exec_driver_sql("SELECT number FROM state_generations ORDER BY 1").scalars().all()
    assert kept == [8, 9, 10]
    assert judge(state, written) is None


def test_more_uses_are_assumed(opened: Open) -> None:
    """Of every key 2^30 more, as far as a rotation can still be made; never fewer than were counted."""
    state = opened("state")
    keysets = [one for one in some_keysets() if one.algorithm is Algorithm.AES256_GCM]
    (iban,) = keysets
    store = KeyStore(state.engine, Keks.of(()))

    def again() -> None:
        generation.become_another(state, generation.state_id(state.engine), "copied back", keysets)

    again()
    key = (iban.name, iban.primary)
    assert store.uses() == {key: ASSUMED_USES}
    for _ in range(2):
        again()
    assert store.uses() == {key: MAX_USES_RANDOMIZED - SPARED_USES}
    store.reserve(*key, SPARED_USES, MAX_USES_RANDOMIZED)
    again()
    assert store.uses() == {key: MAX_USES_RANDOMIZED}


def test_it_is_written_down_until_somebody_has_seen_to_it(opened: Open) -> None:
    """With the former id; acknowledged once."""
    state = opened("state")
    former = generation.state_id(state.engine)
    now = generation.become_another(state, former, "the state was copied back", [])
    assert generation.become_another(state, former, "found by another process, too", []) == now
    (found,) = generation.rollbacks(state.engine)
    assert (found.what, found.former, found.acknowledged) == ("the state was copied back", former, None)
    assert [generation.acknowledge(state.engine) for _ in range(2)] == [1, 0]
    assert generation.rollbacks(state.engine)[0].acknowledged is not None
    events = Journal(state.engine).events()
    assert [one.what for one in events] == ["state rolled back", "rollback acknowledged"]
    assert events[0].details["former"] == former


def test_a_loss_is_noted_once(opened: Open) -> None:
    """Until somebody has seen to it; after that another loss is another."""
    engine = opened("state").engine
    for _ in range(2):
        generation.note_loss(engine)
    (found,) = generation.unseen(engine)
    assert (found.what, found.is_loss) == (generation.RECOVERED, True)
    assert generation.acknowledge(engine) == 1
    assert generation.unseen(engine) == []
    generation.note_loss(engine)
    assert len(generation.unseen(engine)) == 1
    generation.become_another(opened("state"), generation.state_id(engine), "the state was copied back", [])
    assert [one.is_loss for one in generation.unseen(engine)] == [True, False]
