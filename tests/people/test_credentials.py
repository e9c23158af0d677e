"""What a sign-in gives, and what the state keeps of it."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.people.conftest import NOW

from strongroom.errors import LoginRefused, TooManyCredentials
from strongroom.people import store
from strongroom.people.credentials import OPEN_AT_MOST, Issued, issue
from strongroom.people.model import Credential, Person, Verified
from strongroom.secret import Secret
from strongroom.state import State
from strongroom.wire.postgres.verifier import make_verifier, mock_verifier


def given(state: State, person: str = "anna", now: datetime = NOW) -> Issued:
    """A credential for ten minutes, and sessions of eight hours."""
    return issue(
        state,
        Verified(person, "password and totp", now),
        database="shop",
        source="192.0.2.1",
        credential_time=timedelta(minutes=10),
        session_time=timedelta(hours=8),
        now=now,
    )


@pytest.fixture(autouse=True)
def people(state: State) -> None:
    """Two who were added long ago."""
    with state.engine.begin() as connection:
        for name in ("anna", "berta"):
            long_ago = NOW - timedelta(days=400)
            store.store_person(connection, Person(name, Secret("x"), Secret("x"), -1, False, long_ago))


def held(state: State, person: str = "anna") -> list[Credential]:
    """What the state keeps."""
    with state.engine.begin() as connection:
        return list(store.credentials_of(connection, person))


def test_the_state_keeps_a_verifier_and_the_bonds(state: State, tmp_path: Path) -> None:
    """To whom, to what, from where, until when; and the password nowhere."""
    made = given(state)
    assert held(state) == [made.credential]
    assert made.credential.expires == NOW + timedelta(minutes=10)
    assert made.credential.session_until == NOW + timedelta(hours=8)
    assert made.credential.second_factor_at == NOW
    assert make_verifier(made.password, made.credential.verifier.salt) == made.credential.verifier
    state.wipe()
    assert made.password.danger_reveal().encode() not in (tmp_path / "state.db").read_bytes()
    assert len(made.password.danger_reveal()) == 22


def test_the_salt_is_the_one_that_strangers_see(state: State) -> None:
    """A name with credentials and one that is nobody's look alike; and several count together."""
    first, second = given(state), given(state)
    mock = mock_verifier("anna", state.installation_secret)
    assert first.credential.verifier.is_beside(second.credential.verifier)
    assert first.credential.verifier.is_beside(mock)
    assert first.password != second.password
    assert first.credential.id != second.credential.id


def test_what_is_taken_back_is_told_until_its_sessions_would_be_over(state: State) -> None:
    """Of this person alone; who asks for one that is not there hears that it counts no more."""
    mine, others = given(state), given(state, "berta")
    with state.engine.begin() as connection:
        assert store.revoked(connection, NOW) == set()
        store.revoke(connection, "anna")
        assert store.revoked(connection, NOW) == {mine.credential.id}
        assert store.revoked(connection, NOW + timedelta(hours=8)) == set()
        assert store.is_revoked(connection, mine.credential.id)
        assert not store.is_revoked(connection, others.credential.id)
        assert store.is_revoked(connection, "0000")


def test_who_was_disabled_or_renewed_meanwhile_gets_nothing(state: State) -> None:
    """Though they showed who they are a moment before; nor does who is nobody."""
    with state.engine.begin() as connection:
        store.disable_person(connection, "anna", NOW)
        renewed = NOW + timedelta(seconds=1)
        store.store_person(connection, Person("berta", Secret("y"), Secret("y"), -1, False, renewed))
    for name in ("anna", "berta", "carl"):
        with pytest.raises(LoginRefused):
            given(state, name)
        assert held(state, name) == []
    assert given(state, "berta", now=renewed)


def test_a_person_holds_some_and_no_more(state: State) -> None:
    """Those that are over do not count, and are forgotten after a week."""
    for _ in range(OPEN_AT_MOST):
        given(state)
    with pytest.raises(TooManyCredentials):
        given(state)
    later = NOW + timedelta(minutes=10)
    given(state, now=later)
    assert len(held(state)) == OPEN_AT_MOST + 1
    given(state, "berta", now=NOW + store.REMEMBERED + timedelta(hours=8))
    assert len(held(state)) == 1
