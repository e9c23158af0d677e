"""What the figures should be, and whether they are: each goal is a ratio to another route, or a limit."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.stage import ROUTES

DIRECT, PGBOUNCER, OURS, _ = ROUTES


@dataclass(frozen=True, slots=True)
class Goal:
    """``figure`` is how its name begins, ``of`` the route that ours is divided by, or None."""

    figure: str
    limit: float
    of: str | None = None
    at_least: bool = False

    def verdict(self, medians: Mapping[str, float]) -> str:
        """The goal in words, and whether it is met."""
        found = medians[OURS] / (medians[self.of] if self.of else 1)
        met = found >= self.limit if self.at_least else found <= self.limit
        words = f"{'at least' if self.at_least else 'at most'} {self.limit:g}"
        return f"{words}{f' of {self.of}' if self.of else ''}: {'met' if met else '**not met**'}"


GOALS = (
    Goal("transactions a second", 0.65, PGBOUNCER, at_least=True),
    Goal("lookup in", 1.5, PGBOUNCER),
    Goal("longest lock", 1000),
    Goal("slow-down", 10),
    Goal("re-encryption in place, times", 0.5, at_least=True),
    Goal("pgbench under 2,000 rules", 0.95, at_least=True),
    Goal("psql reads 200,000 rows masked", 1.1),
    Goal("pgbench with the audit log", 0.95, at_least=True),
    Goal("audit log: records committed", 50_000, at_least=True),
    Goal("audit log: records verified", 50_000, at_least=True),
    Goal("memory for an idle session", 100),
    Goal("growth over", 16),
    Goal("calls of the root at a start", 2),
    Goal("calls of the root for", 0),
    Goal("psql reads", 1.5, DIRECT),
)


def verdict(figure: str, medians: Mapping[str, float]) -> str:
    """What to say of a figure; nothing where there is no goal, or it was not measured."""
    goal = next((one for one in GOALS if figure.startswith(one.figure)), None)
    if goal is None or OURS not in medians or "p99" in figure or (goal.of and goal.of not in medians):
        return ""
    return goal.verdict(medians)
