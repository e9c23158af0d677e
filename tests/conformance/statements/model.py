"""What a line of the table is."""

from dataclasses import dataclass, field

from tests.conformance.asking import Parameter, Way

EVERY_WAY = tuple(Way)
PARAMETERS = tuple(way for way in Way if way is not Way.SIMPLE)
"""In the simple protocol parameters are literals, which are treated in more places."""
TEXT_ONLY = (Way.SIMPLE,)
"""For what the extended protocol does not carry, or carries no differently."""


@dataclass(frozen=True, slots=True)
class Step:
    """One statement and its parameters."""

    sql: str
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """Statements that both twins are asked one after the other, in a transaction that is rolled back.

    ``refused`` is the code of the error with which the gateway refuses one of them; without it all answers
    must be equal.
    """

    name: str
    steps: tuple[Step, ...]
    refused: str = ""
    ways: tuple[Way, ...] = field(default=EVERY_WAY)
    wrong: str = ""
    """What the gateway still does wrong; the test is expected to fail until it does not."""


def case(
    name: str,
    sql: str,
    *parameters: Parameter,
    refused: str = "",
    ways: tuple[Way, ...] = EVERY_WAY,
    wrong: str = "",
) -> Case:
    """One statement."""
    return Case(name, (Step(sql, parameters),), refused, ways, wrong)


def script(
    name: str,
    *steps: str | tuple[str, *tuple[Parameter, ...]],
    refused: str = "",
    ways: tuple[Way, ...] = EVERY_WAY,
    wrong: str = "",
) -> Case:
    """Several statements."""
    made = tuple(Step(step) if isinstance(step, str) else Step(step[0], step[1:]) for step in steps)
    return Case(name, made, refused, ways, wrong)
