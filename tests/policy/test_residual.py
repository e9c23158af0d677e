"""What must be asked each time."""

from datetime import UTC, datetime, timedelta

import pytest

from strongroom.policy.conditions import Conditions
from strongroom.policy.model import Circumstances
from strongroom.policy.residual import UNLIMITED, Limits, Residual

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
FRESH = Conditions(second_factor=timedelta(minutes=15))


def shown(minutes: int, **more: int) -> Circumstances:
    return Circumstances(NOW, second_factor_age=timedelta(minutes=minutes), **more)  # type: ignore[arg-type]  # numbers


@pytest.mark.parametrize("held", [True, False])
def test_an_answer_that_changes(held: bool) -> None:
    """A decision stands as long as each condition answers as it did, be that yes or no."""
    residual = Residual(((FRESH, held),))
    assert residual.hold(shown(5)) is held
    assert residual.hold(shown(20)) is not held


def test_limits() -> None:
    """At the limit a decision stands no more; what the statement does not use up does not matter."""
    limits = Limits(1000, 50)
    assert Residual(limits=limits).hold(shown(0, rows_this_hour=999, reveals_this_hour=49))
    assert not Residual(limits=limits).hold(shown(0, rows_this_hour=1000))
    assert not Residual(limits=limits).hold(shown(0, reveals_this_hour=50))
    assert Residual(limits=limits.narrowed(rows=False, reveals=False)).hold(shown(0, rows_this_hour=5000))
    assert not Residual(limits=Limits(0)).hold(shown(0))


def test_a_denial_at_the_limit() -> None:
    """Stands as long as the limit is used up, and no longer."""
    denied = Residual(limits=Limits(1000), spent=True)
    assert denied.hold(shown(0, rows_this_hour=1000))
    assert not denied.hold(shown(0, rows_this_hour=999))


def test_the_least_of_several() -> None:
    """Of each kind the smallest number that is given."""
    assert Limits.least([Limits(10), UNLIMITED, Limits(20, 5)]) == Limits(10, 5)
    assert Limits.least([]) == UNLIMITED
    assert str(Limits(10, 5)) == "10 rows an hour, 5 revealed values an hour"
