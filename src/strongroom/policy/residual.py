"""What must be asked each time before a decision made earlier is used again: conditions and budgets.

A decision depends on which of the subject's roles count, and so on whether each of their conditions holds. As
long as each answers as it did, the decision is the same; `Residual.hold` asks them in microseconds, without
Cedar. Budgets are asked besides. Made by `authorizer`, asked by whoever keeps a decision.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom.policy.conditions import Conditions

if TYPE_CHECKING:
    from strongroom.policy.model import Circumstances


@dataclass(frozen=True, slots=True)
class Limits:
    """So much in any hour; None is without limit."""

    rows_per_hour: int | None = None
    reveals_per_hour: int | None = None

    @classmethod
    def least(cls, of: Iterable["Limits"]) -> "Limits":
        """The narrowest of each."""
        every = list(of)
        rows = [one.rows_per_hour for one in every if one.rows_per_hour is not None]
        reveals = [one.reveals_per_hour for one in every if one.reveals_per_hour is not None]
        return cls(min(rows, default=None), min(reveals, default=None))

    def narrowed(self, *, rows: bool, reveals: bool) -> "Limits":
        """Those that a statement uses up which gives rows, or reveals values."""
        return Limits(self.rows_per_hour if rows else None, self.reveals_per_hour if reveals else None)

    @property
    def each(self) -> tuple["Limits", "Limits"]:
        """That of rows, and that of revealed values, each by itself."""
        return self.narrowed(rows=True, reveals=False), self.narrowed(rows=False, reveals=True)

    def __str__(self) -> str:
        words = [(self.rows_per_hour, "rows"), (self.reveals_per_hour, "revealed values")]
        return ", ".join(f"{number} {what} an hour" for number, what in words if number is not None)

    def spent(self, circumstances: "Circumstances") -> bool:
        """Whether one of them is used up."""
        return not self.allow(circumstances.rows_this_hour + 1, circumstances.reveals_this_hour + 1)

    def allow(self, rows: int, reveals: int) -> bool:
        """Whether so many within an hour are no more than they say."""
        return (self.rows_per_hour is None or rows <= self.rows_per_hour) and (
            self.reveals_per_hour is None or reveals <= self.reveals_per_hour
        )


UNLIMITED = Limits()


@dataclass(frozen=True, slots=True)
class Residual:
    """What a decision was made on, and what is left of it for each time."""

    answers: tuple[tuple[Conditions, bool], ...] = ()
    """Each condition of the subject's roles, and whether it held."""
    limits: Limits = UNLIMITED
    """Those that this statement uses up; none where it shows nothing."""
    spent: bool = False
    """Whether one of them was used up already, and the statement denied for it."""

    def hold(self, circumstances: "Circumstances") -> bool:
        """Whether the decision stands under these circumstances; if not, it is to be made anew."""
        if self.limits.spent(circumstances) is not self.spent:
            return False
        return all(conditions.hold(circumstances) is answer for conditions, answer in self.answers)
