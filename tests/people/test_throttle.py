"""How guessing is slowed and locked out, by a clock that is an argument."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.people.throttle import (
    CROWD,
    ENTRIES_AT_MOST,
    LONGEST_PAUSE,
    PATIENCE_SECONDS,
    Rules,
    Standing,
    Throttle,
    pause_after,
)

RULES = Rules(failures=10, lock_seconds=900)
HOME, ELSEWHERE = "192.0.2.1", "192.0.2.2"


def fail(throttle: Throttle, account: str, source: str, now: float, times: int = 1) -> Standing:
    """So many wrong tries, decided at this time."""
    standing = Standing.COUNTED
    for _ in range(times):
        standing = throttle.failed(account, source, now)
    return standing


def crowd(throttle: Throttle, account: str, now: float) -> None:
    """As many wrong tries of an account as make newcomers take turns, each from somewhere else."""
    for number in range(CROWD):
        throttle.failed(account, f"198.51.100.{number}", now)


def test_the_first_tries_are_free_and_then_pauses_double() -> None:
    """Up to a longest one."""
    assert [pause_after(failures) for failures in range(9)] == [0, 0, 0, 0, 0.25, 0.5, 1, 2, 4]
    assert pause_after(10_000) == LONGEST_PAUSE


def test_after_wrong_tries_each_counts_only_when_its_turn_is() -> None:
    """Of several that come at once, each waits for the one before it."""
    throttle = Throttle(RULES)
    assert fail(throttle, "app", HOME, 0, 3) is Standing.COUNTED
    assert throttle.take_turn("app", HOME, 0) == 0
    assert fail(throttle, "app", HOME, 0, 1) is Standing.SLOWED
    assert [throttle.take_turn("app", HOME, 0) for _ in range(3)] == [0.25, 0.5, 0.75]
    assert throttle.take_turn("app", HOME, 10) == 0


def test_after_too_many_nothing_counts_until_the_lock_ends_by_itself() -> None:
    """What is tried meanwhile does not make it longer, since it is not counted."""
    throttle = Throttle(RULES)
    assert fail(throttle, "app", HOME, 100, 10) is Standing.LOCKED
    assert throttle.is_locked("app", HOME, 100)
    assert throttle.take_turn("app", HOME, 999.9) is None
    assert throttle.take_turn("app", HOME, 1000) == 0
    assert not throttle.is_locked("app", HOME, 1000)
    assert fail(throttle, "app", HOME, 1000) is Standing.COUNTED


def test_a_lock_holds_for_its_account_and_source_alone() -> None:
    """Others there, and the account elsewhere, log in as before."""
    throttle = Throttle(RULES)
    fail(throttle, "app", HOME, 0, 10)
    assert throttle.take_turn("app", ELSEWHERE, 0) == 0
    assert throttle.take_turn("report", HOME, 0) == 0


def test_who_can_choose_among_addresses_does_not_escape() -> None:
    """The tries of one network of IPv6 count together."""
    throttle = Throttle(RULES)
    for number in range(10):
        fail(throttle, "app", f"2001:db8::{number}", 0)
    assert throttle.take_turn("app", "2001:db8::ffff", 0) is None


def test_a_log_in_that_is_good_forgets_the_wrong_ones() -> None:
    """So a person who mistypes now and then is never locked out."""
    throttle = Throttle(RULES)
    for _ in range(5):
        fail(throttle, "app", HOME, 0, 9)
        throttle.succeeded("app", HOME)
    assert throttle.take_turn("app", HOME, 0) == 0


def test_many_good_ones_at_once_wait_for_nothing() -> None:
    """A pool that opens its connections after a typing error or two is not slowed."""
    throttle = Throttle(RULES)
    fail(throttle, "app", HOME, 0, 3)
    assert {throttle.take_turn("app", HOME, 0) for _ in range(500)} == {0}


def test_guessing_from_many_places_makes_newcomers_take_turns() -> None:
    """It locks nobody out: who logged in well from where they are waits for nothing."""
    throttle = Throttle(RULES)
    throttle.succeeded("app", HOME)
    crowd(throttle, "app", 0)
    assert [throttle.take_turn("app", f"203.0.113.{n}", 0) for n in range(3)] == [0, 1, 2]
    assert [throttle.take_turn("app", HOME, 0) for _ in range(3)] == [0, 0, 0]
    assert throttle.take_turn("report", "203.0.113.9", 0) == 0


def test_guessing_at_many_accounts_makes_that_source_take_turns() -> None:
    """But for the accounts that logged in well from there."""
    throttle = Throttle(RULES)
    throttle.succeeded("app", HOME)
    for number in range(CROWD):
        fail(throttle, f"account{number}", HOME, 0)
    assert [throttle.take_turn(f"new{n}", HOME, 0) for n in range(3)] == [0, 1, 2]
    assert throttle.take_turn("app", HOME, 0) == 0
    assert throttle.take_turn("app", ELSEWHERE, 0) == 0


def test_nobody_waits_for_longer_than_anyone_has_patience() -> None:
    """Who would is refused; and takes no turn away from others."""
    throttle = Throttle(RULES)
    crowd(throttle, "app", 0)
    turns = [throttle.take_turn("app", f"203.0.113.{n}", 0) for n in range(30)]
    assert turns == [*range(int(PATIENCE_SECONDS) + 1), *[None] * 9]
    assert throttle.take_turn("app", "203.0.113.99", PATIENCE_SECONDS) == 1


def test_memory_is_bounded_and_a_flood_does_not_forget_who_is_good() -> None:
    """Only a good log-in makes somebody known as good; wrong ones push out each other."""
    throttle = Throttle(RULES)
    throttle.succeeded("app", HOME)
    for number in range(ENTRIES_AT_MOST + 50):
        throttle.failed("x" * 1000 + str(number), str(number), 0)
    assert throttle.entries <= 2 * ENTRIES_AT_MOST + 1
    crowd(throttle, "app", 0)
    assert throttle.take_turn("app", HOME, 0) == 0


TRIES = st.lists(
    st.tuples(
        st.sampled_from(["app", "report", "nobody"]),
        st.sampled_from([ELSEWHERE, "203.0.113.1", "203.0.113.2", "2001:db8::1"]),
        st.booleans(),
        st.floats(min_value=0, max_value=2000),
    ),
    max_size=60,
)


@given(TRIES, st.floats(min_value=0, max_value=5000))
def test_whatever_strangers_do_who_is_good_elsewhere_waits_for_nothing(
    tries: list[tuple[str, str, bool, float]], now: float
) -> None:
    """Right or wrong, at any account, in any number, from anywhere but there."""
    throttle = Throttle(RULES)
    throttle.succeeded("app", HOME)
    crowd(throttle, "app", 0)
    moment = 0.0
    for account, source, right, pause in tries:
        moment += pause
        if throttle.take_turn(account, source, moment) is not None:
            if right:
                throttle.succeeded(account, source)
            else:
                throttle.failed(account, source, moment)
    assert throttle.take_turn("app", HOME, moment + now) == 0
    assert not throttle.is_locked("app", HOME, moment + now)


@given(st.integers(min_value=0, max_value=50), st.floats(min_value=0, max_value=10))
def test_from_one_source_no_more_count_than_the_rules_say(more: int, pause: float) -> None:
    """However many are tried, and however they are spread over the time that is remembered."""
    throttle, counted = Throttle(RULES), 0
    for number in range(RULES.failures + more):
        now = number * pause
        if throttle.take_turn("app", HOME, now) is not None and not throttle.is_locked("app", HOME, now):
            throttle.failed("app", HOME, now)
            counted += 1
    assert counted <= RULES.failures


def test_wrong_tries_are_forgiven_and_who_is_good_is_not_forgotten() -> None:
    """By who looks after the gateway."""
    throttle = Throttle(RULES)
    throttle.succeeded("app", HOME)
    fail(throttle, "app", ELSEWHERE, 0, 10)
    crowd(throttle, "app", 0)
    throttle.forgive(RULES)
    assert [throttle.take_turn("app", ELSEWHERE, 0) for _ in range(3)] == [0, 0, 0]
    crowd(throttle, "app", 0)
    assert [throttle.take_turn("app", HOME, 0) for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("name", ["", "a\x00b", "ä" * 5000, "\udcff"])
def test_any_name_is_counted(name: str) -> None:
    """Also those that are no account's, and no text's."""
    throttle = Throttle(RULES)
    assert fail(throttle, name, HOME, 0, 10) is Standing.LOCKED
    assert throttle.take_turn(name, HOME, 0) is None
