"""Names with ``*`` in them: which tables, columns and functions a rule is about.

A part of a pattern is a tuple of what stands between its stars: ``("id",)`` is the name id, ``("cust", "")``
is ``cust*``, ``("", "")`` is ``*``. So a star in a quoted name is a star, and a dot a dot. Comparison is
exact: folding was done where the name was written, and two spellings that look alike are two names. A thing
without a table, as a schema is, has the empty name there, which only ``*`` matches.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

Part = tuple[str, ...]
ANY: Part = ("", "")


@dataclass(frozen=True, slots=True, order=True)
class Pattern:
    """Two parts for tables and functions (schema and name), three for columns."""

    parts: tuple[Part, ...]

    @property
    def is_exact(self) -> bool:
        """Whether it is one name."""
        return all(len(part) == 1 for part in self.parts)

    @property
    def written_out(self) -> int:
        """How many of its parts have no star."""
        return sum(len(part) == 1 for part in self.parts)

    def matches(self, names: Sequence[str]) -> bool:
        """Whether these names, one for each part, are meant."""
        return all(part_matches(part, name) for part, name in zip(self.parts, names, strict=True))

    def meets(self, other: "Pattern") -> bool:
        """Whether some name may be meant by both; False is certain, True is not, where both have stars."""
        return all(_parts_meet(mine, theirs) for mine, theirs in zip(self.parts, other.parts, strict=True))

    def __str__(self) -> str:
        if all(part == ANY for part in self.parts):
            return "*"
        return ".".join("*".join(_quoted(part)) for part in self.parts)


def exact(*names: str) -> Pattern:
    """The pattern that means these names alone."""
    return Pattern(tuple((name,) for name in names))


def part_matches(part: Part, name: str) -> bool:
    """Whether the name begins, goes on and ends as the part says."""
    if len(part) == 1:
        return name == part[0]
    first, *middle, last = part
    if not (name.startswith(first) and name.endswith(last) and len(name) >= len(first) + len(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in middle:
        at = name.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def _parts_meet(mine: Part, theirs: Part) -> bool:
    if len(mine) == 1:
        return part_matches(theirs, mine[0])
    if len(theirs) == 1:
        return part_matches(mine, theirs[0])
    starts = mine[0].startswith(theirs[0]) or theirs[0].startswith(mine[0])
    ends = mine[-1].endswith(theirs[-1]) or theirs[-1].endswith(mine[-1])
    return starts and ends


def _quoted(part: Part) -> Part:
    """As it would be written; where a piece needs quotes, the whole part has them."""
    plain = all(re.fullmatch(r"[\w$]*", piece) and piece == piece.lower() for piece in part)
    if plain and not part[0][:1].isdigit():
        return part
    pieces = [piece.replace('"', '""') for piece in part]
    return ('"' + pieces[0], *pieces[1:-1], pieces[-1] + '"') if len(part) > 1 else (f'"{pieces[0]}"',)
