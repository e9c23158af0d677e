"""A person signs in: what is right, what is wrong, and how often, by a clock that is an argument."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pyotp
import pytest
from tests.people.conftest import NOW

from strongroom.audit.records.changes import AccountChanged, AccountDeed
from strongroom.audit.records.reading import read
from strongroom.audit.records.sessions import LoginFailed, Refusal
from strongroom.audit.records.shared import Doer, Holder
from strongroom.deeds.listing import DeedList
from strongroom.deeds.present import Pen, acting
from strongroom.errors import LoginRefused, PersonRefused, PersonUnknown
from strongroom.people import passwords, sign_in, store
from strongroom.people.model import Verified, Way
from strongroom.people.sign_in import ByPasswordAndCode, PasswordAndCode
from strongroom.people.throttle import Rules
from strongroom.secret import Secret
from strongroom.state import State

WORDS = Secret("correct horse battery staple")
RULES = Rules(failures=5, lock_seconds=900)
HERE = "192.0.2.1"
ORIGIN = "gateway.example/test"
STEP = timedelta(seconds=30)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id with parameters that take no time."""
    monkeypatch.setattr(passwords, "MEMORY_KIB", 64)
    monkeypatch.setattr(passwords, "PASSES", 1)


@pytest.fixture
def anna(state: State) -> pyotp.TOTP:
    """Anna's authenticator."""
    return pyotp.TOTP(sign_in.add(state, "anna", WORDS, NOW).danger_reveal())


def attempt(
    state: State,
    code: str,
    now: datetime = NOW,
    *,
    password: Secret = WORDS,
    name: str = "anna",
    source: str = HERE,
) -> Verified:
    """Signs in, or raises."""
    way: Way[PasswordAndCode] = ByPasswordAndCode(state, RULES)
    return way.verify(PasswordAndCode(name, password, code), source=source, now=now)


def fails(
    state: State,
    code: str,
    now: datetime = NOW,
    *,
    password: Secret = WORDS,
    name: str = "anna",
    source: str = HERE,
) -> bool:
    """Whether it is refused; then in the same words as ever."""
    try:
        attempt(state, code, now, password=password, name=name, source=source)
    except LoginRefused as error:
        return error.message == "login refused"
    return False


def test_password_and_code_together_are_right(state: State, anna: pyotp.TOTP) -> None:
    """It is said who it is, how it was shown, and when."""
    assert attempt(state, anna.at(NOW)) == Verified("anna", "password and totp", NOW)


def test_whatever_is_wrong_the_words_are_the_same(state: State, anna: pyotp.TOTP) -> None:
    """Password, code, or name; and none of them uses up the code."""
    assert fails(state, anna.at(NOW), password=Secret("incorrect horse"))
    assert fails(state, anna.at(NOW + 5 * STEP))
    assert fails(state, anna.at(NOW), name="berta")
    assert attempt(state, anna.at(NOW))


def test_a_code_counts_once(state: State, anna: pyotp.TOTP) -> None:
    """Replayed it is refused, though the password is right; the next one counts."""
    attempt(state, anna.at(NOW))
    assert fails(state, anna.at(NOW))
    assert fails(state, anna.at(NOW), NOW + STEP)
    assert attempt(state, anna.at(NOW + STEP), NOW + STEP)


def test_of_two_that_use_a_code_at_once_one_signs_in(state: State, anna: pyotp.TOTP) -> None:
    """The code is used up where it is found to be right."""
    code = anna.at(NOW)
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(lambda _: fails(state, code), range(4))) == [False, True, True, True]


def test_too_many_wrong_tries_lock_and_the_lock_ends(state: State, anna: pyotp.TOTP) -> None:
    """For this person from there alone; a right try does not count until then."""
    for number in range(RULES.failures):
        assert fails(state, "000000", NOW + number * timedelta(minutes=1), password=Secret("wrong"))
    locked = NOW + (RULES.failures - 1) * timedelta(minutes=1)
    end = locked + timedelta(seconds=RULES.lock_seconds)
    with state.engine.begin() as connection:
        assert store.locked(connection, RULES, locked) == {("anna", HERE)}
        assert store.locked(connection, RULES, end) == set()
    for now in (locked, end - timedelta(seconds=1)):
        assert fails(state, anna.at(now), now)
    assert attempt(state, anna.at(locked), locked, source="192.0.2.2")
    assert attempt(state, anna.at(end), end)


def test_after_some_wrong_tries_the_next_one_counts_after_a_pause(state: State, anna: pyotp.TOTP) -> None:
    """A right one before that is not looked at."""
    for _ in range(4):
        assert fails(state, "000000")
    assert fails(state, anna.at(NOW), NOW)
    assert attempt(state, anna.at(NOW), NOW + timedelta(seconds=0.25))


def test_who_is_disabled_does_not_sign_in(state: State, anna: pyotp.TOTP) -> None:
    """Until they are given a new password and a new second factor; the old one is worth nothing then."""
    sign_in.disable(state, "anna", NOW)
    assert fails(state, anna.at(NOW))
    renewed = pyotp.TOTP(sign_in.add(state, "anna", WORDS, NOW).danger_reveal())
    assert fails(state, anna.at(NOW))
    assert attempt(state, renewed.at(NOW))


def test_who_is_renewed_is_locked_no_more(state: State, anna: pyotp.TOTP) -> None:
    """At the command, which is where somebody asks for it."""
    for number in range(RULES.failures):
        assert fails(state, "000000", NOW + number * timedelta(minutes=1), source=sign_in.COMMAND)
    now = NOW + RULES.failures * timedelta(minutes=1)
    assert fails(state, anna.at(now), now, source=sign_in.COMMAND)
    renewed = pyotp.TOTP(sign_in.add(state, "anna", WORDS, now).danger_reveal())
    assert attempt(state, renewed.at(now), now, source=sign_in.COMMAND)


def test_tries_of_anybody_are_counted_and_bounded(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of names that are nobody's, and no text's; the oldest go."""
    monkeypatch.setattr(store, "TALLIES_AT_MOST", 3)
    for number, name in enumerate(["x" * 10_000, "\udcff", "", "berta", "carl"]):
        assert fails(state, "000000", NOW + timedelta(seconds=number), name=name)
    with state.engine.begin() as connection:
        counted = store.locked(connection, Rules(failures=1), NOW)
    assert counted == {("", HERE), ("berta", HERE), ("carl", HERE)}


def test_nobody_else_is_disabled_by_mistake(state: State, anna: pyotp.TOTP) -> None:
    """A name that was never added is an error."""
    with pytest.raises(PersonUnknown):
        sign_in.disable(state, "Anna", NOW)
    assert attempt(state, anna.at(NOW))


def test_a_short_password_adds_nobody(state: State) -> None:
    """And takes nothing from who is there."""
    with pytest.raises(PersonRefused):
        sign_in.add(state, "berta", Secret("short"), NOW)
    with state.engine.begin() as connection:
        assert store.all_people(connection) == []


def test_what_the_state_keeps_of_a_password(state: State, anna: pyotp.TOTP) -> None:
    """A verifier."""
    with state.engine.begin() as connection:
        (person,) = store.all_people(connection)
    assert person.password.danger_reveal().startswith("$argon2id$")
    assert "correct" not in person.password.danger_reveal()
    assert repr(person).count("<Secret>") == 2
    assert anna.secret == person.totp.danger_reveal()


def test_what_is_recorded_of_tries(state: State, anna: pyotp.TOTP) -> None:
    """Each with its reason; the lock once, by nobody but the rules; what is not looked at is no guess."""
    with acting(Pen(Doer("root", Holder.ADMINISTRATOR), "strongroom login", ORIGIN)):
        now = NOW
        for _ in range(RULES.failures + 2):
            now += STEP * 4
            assert fails(state, anna.at(now), now, password=Secret("another password"))
        sign_in.disable(state, "anna", now)
        assert fails(state, anna.at(now), now, source="192.0.2.2")
    with state.engine.begin() as connection:
        found = [read(one) for one in DeedList(ORIGIN).untaken(connection).records]
    tries = [(one.refusal, one.counted) for one in found if isinstance(one, LoginFailed)]
    assert tries == [
        *[(Refusal.PROOF, True)] * RULES.failures,
        *[(Refusal.LOCKED, False)] * 2,
        (Refusal.REVOKED, True),
    ]
    locked, disabled = (one for one in found if isinstance(one, AccountChanged))
    assert (locked.deed, locked.user, locked.doer.kind) == (AccountDeed.LOCKED, "anna", Holder.GATEWAY)
    assert (disabled.deed, disabled.doer.name) == (AccountDeed.DISABLED, "root")
