"""Names of statements and portals: ahead of upstream, and back when upstream says no."""

from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from strongroom.session.statements import Names, Statement


def statement(text: str) -> Statement:
    return Statement("s", text)


def test_a_parse_counts_before_it_is_answered() -> None:
    """What was sent is found at once, so that a Bind in the same pipeline finds its statement."""
    names: Names[Statement] = Names()
    first = statement("first")
    names.put("s", first, 0)
    assert names.find("s") is first
    assert len(names) == 1


def test_undo_gives_the_older_meaning_back() -> None:
    """A change that upstream did not carry out leaves what was there."""
    names: Names[Statement] = Names()
    first = statement("first")
    names.put("s", first, 0)
    names.confirm("s")
    undo = names.put("s", None, 1)
    assert names.find("s") is None
    undo()
    assert names.find("s") is first


def test_two_failed_changes_in_two_segments_leave_what_upstream_has() -> None:
    """The second of two refused Parses of one name does not bring the first one back."""
    names: Names[Statement] = Names()
    real = statement("real")
    names.put("s", real, 0)
    names.confirm("s")
    undo_first = names.put("s", statement("refused"), 1)
    undo_second = names.put("s", statement("refused too"), 2)
    undo_first()
    undo_second()
    assert names.find("s") is real


def test_a_newer_change_outlives_the_undo_of_an_older() -> None:
    """Taking back an older change does not touch the newer one."""
    names: Names[Statement] = Names()
    newer = statement("newer")
    undo = names.put("s", statement("older"), 0)
    names.put("s", newer, 1)
    undo()
    assert names.find("s") is newer


@pytest.mark.parametrize(
    ("confirmed", "changes", "segment", "settled"),
    [
        (None, [], 0, True),
        ("a", [], 3, True),
        ("a", [("b", 3)], 3, True),  # what fails takes along what follows in the segment
        ("a", [("b", 2)], 3, False),  # a or b
        (None, [("b", 2)], 3, True),  # b, or upstream says that there is none
        (None, [("a", 1), ("b", 2)], 3, False),
        ("a", [(None, 2)], 3, False),  # closed, or still there
        ("a", [("b", 1), ("c", 3)], 3, True),
    ],
)
def test_a_name_is_settled_when_it_can_mean_only_one_thing(
    confirmed: str | None, changes: list[tuple[str | None, int]], segment: int, settled: bool
) -> None:
    """Behind a Sync a name counts only if no older meaning is possible any more."""
    names: Names[Statement] = Names()
    if confirmed is not None:
        names.put("s", statement(confirmed), 0)
        names.confirm("s")
    for text, changed_in in changes:
        names.put("s", None if text is None else statement(text), changed_in)
    assert names.settled("s", segment) is settled


def test_forgetting_keeps_what_is_under_way() -> None:
    """The end of a transaction takes the portals that were there, not those already asked for behind it."""
    names: Names[Statement] = Names()
    newer = statement("newer")
    names.put("old", statement("old"), 0)
    names.confirm("old")
    names.put("new", newer, 1)
    names.forget_all()
    assert names.find("old") is None
    assert names.find("new") is newer
    names.confirm("new")
    assert names.find("new") is newer


def test_a_forgotten_meaning_does_not_come_back() -> None:
    """A change that fails after all was forgotten leaves nothing behind."""
    names: Names[Statement] = Names()
    names.put("s", statement("old"), 0)
    names.confirm("s")
    undo = names.put("s", statement("new"), 1)
    names.forget_all()
    undo()
    assert names.find("s") is None


class NamesAgainstUpstream(RuleBasedStateMachine):
    """Changes of two names in segments, which upstream carries out or fails in order.

    The model is upstream itself: it has a plain map, answers the oldest request first, and skips the rest of
    a segment in which something failed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: Names[Statement] = Names()
        self.upstream: dict[str, Statement | None] = {}
        self.sent: list[tuple[int, str, Statement | None, Callable[[], None]]] = []
        self.segment = 0

    @rule(name=st.sampled_from("ab"), closes=st.booleans())
    def change(self, name: str, closes: bool) -> None:
        thing = None if closes else statement(name)
        self.sent.append((self.segment, name, thing, self.names.put(name, thing, self.segment)))

    @rule()
    def sync(self) -> None:
        self.segment += 1

    @rule()
    def upstream_carries_out(self) -> None:
        if self.sent:
            _, name, thing, _ = self.sent.pop(0)
            self.upstream[name] = thing
            self.names.confirm(name)

    @rule()
    def upstream_fails(self) -> None:
        if not self.sent:
            return
        failed = self.sent[0][0]
        skipped = [change for change in self.sent if change[0] == failed]
        self.sent = [change for change in self.sent if change[0] != failed]
        for change in reversed(skipped):
            change[3]()
        if self.segment == failed:
            self.segment += 1  # upstream skips up to the next Sync, so the session notes nothing before it

    @invariant()
    def what_is_settled_is_what_upstream_will_have(self) -> None:
        for name in "ab":
            outcomes = {id(thing) for thing in self._possible(name)} - {id(None)}
            found = self.names.find(name)
            if self.names.settled(name, self.segment):
                assert outcomes <= {id(found)}
            if not self.sent:
                assert found is self.upstream.get(name)

    def _possible(self, name: str) -> list[Statement | None]:
        """What the name may mean to a message that is sent now and not skipped."""
        possible = [self.upstream.get(name)]
        for segment in sorted({change[0] for change in self.sent}):
            changes = [thing for s, n, thing, _ in self.sent if s == segment and n == name]
            if changes and segment == self.segment:
                possible = [changes[-1]]  # otherwise the message is skipped too
            else:
                possible += changes
        return possible


TestNamesAgainstUpstream = NamesAgainstUpstream.TestCase
