"""How single values are held against each other: whether the later one protects no less than the earlier.

Each order is reflexive and transitive, so that no chain of changes, each of which weakens nothing, comes out
at something weaker than where it began; ``tests/stance/test_sections.py`` tries that. Called by `sections`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from strongroom.stance.model import Section, Weakening

Order = Callable[[Any, Any], bool]
"""(before, after): whether the latter protects no less."""

Fields = Mapping[str, tuple[Order, str]]
"""For each field its order, and what to say where the later value protects less."""

UNKNOWN = "this program does not know what the former one protected by `{}`"


def elsewhere(before: Any, after: Any) -> bool:
    """What is held against each other by itself, and not here."""
    del before, after
    return True


def same(before: Any, after: Any) -> bool:
    """Any change counts."""
    return bool(before == after)


def no_more(before: Any, after: Any) -> bool:
    """A larger number protects less; so does a yes."""
    return bool(after <= before)


def no_less(before: Any, after: Any) -> bool:
    """A smaller number protects less; so does a no."""
    return bool(after >= before)


def all_of(before: Any, after: Any) -> bool:
    """What goes from the list protects less."""
    return set(before) <= set(after)


def within(before: Any, after: Any) -> bool:
    """What comes on the list protects less."""
    return set(after) <= set(before)


def same_or(loosest: Any) -> Order:
    """From the loosest value anywhere, and from any other nowhere."""
    return lambda before, after: before in (loosest, after)


def same_or_to(strictest: Any) -> Order:
    """From anywhere to the strictest value, and to no other."""
    return lambda before, after: after in (strictest, before)


def pinned(before: Any, after: Any) -> bool:
    """One of several pins is enough, so more of them protect less, and none protect least."""
    return not before or (bool(after) and set(after) <= set(before))


def never(before: Any, after: Any) -> bool:
    """What nobody here can read."""
    del before, after
    return False


def ranked(*loosest_first: str) -> Order:
    """Words from the loosest to the strictest; one that is not known is the loosest."""
    ranks = {word: rank for rank, word in enumerate(loosest_first, start=1)}
    return lambda before, after: ranks.get(after, 0) >= ranks.get(before, 0)


def compared(place: str, fields: Fields, before: Section, after: Section) -> Iterator[Weakening]:
    """Field by field. One that the former program did not write down says nothing; one that is gone does.

    So does one that this program does not know, whatever it may have been for.
    """
    for name in sorted(before):
        order, words = fields.get(name, (never, UNKNOWN.format(name)))
        if name not in after or not order(before[name], after[name]):
            yield Weakening(place, words)
