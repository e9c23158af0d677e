"""_kernel/series.py and its native twin: series of rounds, sealed, and their answers."""

from types import ModuleType

import pytest
from tests._kernel.chunks import ASSOCIATED, KEYS, bind, message, sealed

from strongroom._kernel import series

AFTER = message(b"D", b"P\0") + message(b"E", b"\0\0\0\0\0")
BEFORE, BEHIND = b"\0s\0\0\1\0\1", b"\0\0"
UPSTREAM = (b"\0s\0\0\0", b"\0\1\0\1")


def client(*values: bytes | None, after: bytes = AFTER) -> bytes:
    """The client's round: values in binary."""
    return message(b"B", bind(b"", b"s", [1], values)) + after


def upstream(*values: bytes | None) -> bytes:
    """The round as it goes upstream."""
    return message(b"B", bind(b"", b"s", [], values, [1])) + AFTER


def made(kernel: ModuleType) -> series.Series:
    """Of two values: the second sealed, the first as it is, the second by a callable."""
    seal = kernel.Sealer(
        "deterministic", KEYS["deterministic"][-1], ASSOCIATED, form="verbatim", is_text=True
    )

    def picky(value: bytes) -> bytes:
        if value == b"no":
            raise kernel.Refused("value")
        if value == b"key":
            raise KeyError("of its own")
        return value.upper()

    one: series.Series = kernel.Series(
        (BEFORE, BEHIND), UPSTREAM, after=AFTER, count=2, columns=[(1, seal), (0, None), (1, picky)]
    )
    return one


def expected(first: bytes | None, second: bytes | None) -> bytes:
    """What comes of a round of ``made``."""
    if second is None:
        return upstream(None, first, None)
    return upstream(sealed("deterministic", second), first, second.upper())


class TestSeries:
    """``Series``: the rounds of a pipeline."""

    def test_rounds_are_sealed(self, kernel: ModuleType) -> None:
        """Each value where it is wanted, NULLs as NULLs and not counted."""
        data = b"before" + (client(b"a", b"b") + client(None, None) + client(b"", b"")) * 500
        done = (expected(b"a", b"b") + expected(None, None) + expected(b"", b"")) * 500
        assert made(kernel).seal(data, 6) == (done, len(data), 1500, [1000, 1000])

    @pytest.mark.parametrize(
        "other",
        [
            b"B",
            message(b"S"),
            client(b"a", b"b")[:-1],
            client(b"a", b"b", after=message(b"E", b"\0\0\0\0\0")),
            client(b"a"),
            client(b"a", b"b", b"c"),
            client(b"a", b"no"),
            client(b"a", b"\xff"),
            message(b"B", bind(b"", b"t", [1], [b"a", b"b"])) + AFTER,
            message(b"B", bind(b"p", b"s", [1], [b"a", b"b"])) + AFTER,
            message(b"B", bind(b"", b"s", [0], [b"a", b"b"])) + AFTER,
            message(b"B", bind(b"", b"s", [1], [b"a", b"b"], [1])) + AFTER,
            message(b"B", BEFORE + b"\0\2\0\0\0\1a\xff\xff\xff\xfe" + BEHIND) + AFTER,
            message(b"B", BEFORE + b"\0\2\0\0\0\1a\0\0\0\2b" + BEHIND) + AFTER,
            message(b"B", BEFORE + b"\0\2\0\0\0\1a\0\0\0\1bx" + BEHIND) + AFTER,
            message(b"B", BEFORE + b"\0" + BEHIND) + AFTER,
            message(b"B", BEFORE) + AFTER,
            message(b"B", b"") + AFTER,
            b"B\0\0\0\0" + AFTER,
            b"B\xff\xff\xff\xff" + AFTER,
        ],
    )
    def test_it_ends_before_anything_else(self, kernel: ModuleType, other: bytes) -> None:
        """What is not of the series, is not whole, or holds a value that needs words."""
        assert made(kernel).seal(b"", 0) == (b"", 0, 0, [0, 0])
        one = client(b"a", b"b")
        for behind in (b"", one):
            found = made(kernel).seal(one + other + behind, 0)
            assert found == (expected(b"a", b"b"), len(one), 1, [1, 1])
            assert made(kernel).seal(other, 0) == (b"", 0, 0, [0, 0])

    def test_what_a_callable_raises_goes_to_the_caller(self, kernel: ModuleType) -> None:
        """With its own type."""
        with pytest.raises(KeyError, match="of its own"):
            made(kernel).seal(client(b"a", b"key"), 0)

    def test_a_series_that_cannot_be_is_not_made(self, kernel: ModuleType) -> None:
        """Its columns are of the client's values."""
        for columns in ([(1, None)], [(0, 7)]):
            with pytest.raises(ValueError, match="a column is"):
                kernel.Series((b"", b""), (b"", b""), after=b"", count=1, columns=columns)


BOUND, NO_DATA, DONE = message(b"2"), message(b"n"), message(b"C", b"INSERT 0 1\0")


class TestPlainAnswers:
    """``plain_answers``: what upstream says to a series."""

    def test_answers_are_counted(self, kernel: ModuleType) -> None:
        """Up to what was asked, and where they end."""
        described, bare = BOUND + NO_DATA + DONE, BOUND + DONE
        assert kernel.plain_answers(b"x" + described * 3, 1, True, 9) == (3, 1 + 3 * len(described))
        assert kernel.plain_answers(described * 3, 0, True, 2) == (2, 2 * len(described))
        assert kernel.plain_answers(bare * 3 + message(b"Z", b"I"), 0, False, 9) == (3, 3 * len(bare))
        assert kernel.plain_answers(b"", 0, False, 9) == (0, 0)

    @pytest.mark.parametrize(
        "other",
        [
            BOUND + DONE,
            BOUND + message(b"T", b"\0\0") + DONE,
            BOUND + NO_DATA + message(b"D", b"\0\0") + DONE,
            BOUND + NO_DATA + message(b"N", b"\0") + DONE,
            BOUND + NO_DATA + message(b"E", b"\0"),
            message(b"2", b"x") + NO_DATA + DONE,
            BOUND + message(b"n", b"x") + DONE,
            BOUND + NO_DATA + b"C\0\0\0\3",
            BOUND + NO_DATA + b"C",
            BOUND + NO_DATA + DONE[:-1],
        ],
    )
    def test_it_ends_before_anything_else(self, kernel: ModuleType, other: bytes) -> None:
        """Rows, errors, notices, and what is not whole."""
        one = BOUND + NO_DATA + DONE
        assert kernel.plain_answers(one + other, 0, True, 9) == (1, len(one))
