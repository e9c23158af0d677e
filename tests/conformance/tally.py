"""The count of what the gateway gives beside the plaintext twin; kept by tests, added up at the end of a run.

A test hands each comparison to pytest's ``record_property`` under ``KEY``, which reaches the main process
from its workers, too. ``add_up`` makes a `Tally` of what reports carry; ``count.py`` writes it to a file.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

KEY = "conformance"
TABLE = "table: "
"""How the names of sections of the table of statements begin."""


class Outcome(Enum):
    """How one statement went."""

    SAME = "same"  # as the twin
    IMPOSSIBLE = "impossible"  # refused, because sealed values cannot do it (design, what is refused)
    REFUSED = "refused"  # for another reason, with a code and a way out
    WRONG = "wrong"  # anything else


INHERENT = frozenset(
    {
        "comparison-refused",
        "order-refused",
        "function-refused",
        "value-computed",
        "value-moves",
        "setting-pinned",
        "user-code-refused",
    }
)
"""Codes of what is refused for good: the database has no plaintext to compare, sort, compute with or copy."""


@dataclass(slots=True)
class Tally:
    """Statements by section and outcome."""

    sections: dict[str, Counter[Outcome]] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)

    def add(self, section: str, outcome: str, code: str = "") -> None:
        """Counts one."""
        kind = Outcome(outcome)
        if kind is Outcome.REFUSED and code in INHERENT:
            kind = Outcome.IMPOSSIBLE
        self.sections.setdefault(section, Counter())[kind] += 1
        if code:
            self.refusals[code] += 1

    @property
    def corpus(self) -> list[str]:
        """The sections of the corpus; the others are of the table."""
        return [section for section in self.sections if not section.startswith(TABLE)]

    def count(self, sections: Iterable[str] | None = None) -> Counter[Outcome]:
        """The outcomes of some sections together, or of all."""
        chosen = self.sections if sections is None else sections
        return sum((self.sections[one] for one in chosen), Counter[Outcome]())

    def lines(self) -> list[str]:
        """A table for people, in Markdown."""
        heads = ["section", "statements", "the twin's result", "refused: beyond sealed values"]
        heads += ["refused otherwise", "wrong", "of what can be done"]
        made = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
        made += [_line(section, counts) for section, counts in self.sections.items()]
        table = [section for section in self.sections if section.startswith(TABLE)]
        for name, sections in (("the table", table), ("the corpus", self.corpus), ("all", None)):
            made.append(_line(f"**{name}**", self.count(sections)))
        return made


def _line(section: str, counts: Counter[Outcome]) -> str:
    total = counts.total()
    shares = [f"{counts[one]} ({100 * counts[one] / total:.1f} %)" if total else "0" for one in Outcome]
    return f"| {section} | {total} | " + " | ".join(shares) + f" | {100 * share(counts):.1f} % |"


def share(counts: Counter[Outcome]) -> float:
    """Of the statements that sealed values can carry out, those that give the twin's result."""
    possible = counts.total() - counts[Outcome.IMPOSSIBLE]
    return counts[Outcome.SAME] / possible if possible else 1.0


def add_up(properties: Iterable[tuple[str, object]]) -> Tally:
    """The tally of all comparisons among the properties of reports."""
    tally = Tally()
    for key, value in properties:
        if key == KEY and isinstance(value, list | tuple):
            tally.add(*value)
    return tally
