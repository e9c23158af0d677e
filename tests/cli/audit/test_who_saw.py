"""cli/audit/who_saw.py: what it takes away, it looks through once."""

from collections.abc import Iterator

from strongroom.cli.audit.who_saw import _without


class _Read(list[int]):
    """Counts how often it is gone through."""

    times = 0

    def __iter__(self) -> Iterator[int]:
        self.times += 1
        return super().__iter__()


def test_numbers_that_are_known_are_gone_through_once() -> None:
    """However many others there are."""
    known = _Read([2, 3])
    assert _without(range(5), known) == [0, 1, 4]
    assert known.times == 1
