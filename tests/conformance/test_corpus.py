"""What ORMs and drivers say to protected tables gives what it gives on the plaintext twin.

Each scenario is a list of steps; both twins are filled anew, the scenario runs on each, and every step is
compared. A refusal must be one that the scenario expects.
"""

from collections.abc import Callable

import pytest
from tests.conformance.corpus import sqlalchemy_shop
from tests.conformance.corpus.steps import Results
from tests.conformance.tally import KEY
from tests.conformance.twins import Twins

SERVERS = ("embedded", "15")
Scenario = Callable[[dict[str, str]], Results]
Record = Callable[[str, object], None]
pytestmark = pytest.mark.parametrize("twins", SERVERS, indirect=True)


def compare(
    twins: Twins, name: str, scenario: Scenario, refused: dict[str, str], record_property: Record
) -> None:
    """Runs a scenario on both twins and compares each step."""
    twins.fill()
    plain, protected = scenario(twins.plain.parameters), scenario(twins.protected.parameters)
    assert plain.keys() == protected.keys()
    problems = []
    for step, expected in plain.items():
        found = protected[step]
        code = str(found.get("refused", "")) if isinstance(found, dict) else ""
        wrong = found != expected if not code else refused.get(step) != code
        record_property(KEY, (name, "wrong" if wrong else "refused" if code else "same", code))
        if wrong or (step in refused and not code):
            problems.append(f"{step}\n  twin {expected}\n  here {found}")
    assert not problems, "\n".join(problems)


def test_sqlalchemy(twins: Twins, record_property: Record) -> None:
    """SQLAlchemy's ORM."""
    compare(twins, "SQLAlchemy ORM", sqlalchemy_shop.scenario, sqlalchemy_shop.REFUSED, record_property)


def test_no_plaintext_in_the_database(twins: Twins) -> None:
    """After all of them, neither log nor files of the protected database hold a marker."""
    leaks = twins.leaks()
    assert not leaks, f"{len(leaks)} leaks, the first ones: {leaks[:5]}"
