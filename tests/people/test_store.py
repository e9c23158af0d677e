"""People and credentials in the state; the tests of what uses it have the rest."""

from datetime import timedelta

from tests.people.conftest import NOW

from strongroom.people import store
from strongroom.people.model import Credential, Person
from strongroom.people.throttle import Tally
from strongroom.secret import Secret
from strongroom.state import State
from strongroom.wire.postgres.verifier import make_verifier

VERIFIER = make_verifier(Secret("x"), b"salt")


def credential(number: int) -> Credential:
    """One that expires so many minutes from now."""
    expires = NOW + timedelta(minutes=number)
    return Credential(
        str(number), "anna", "shop", "192.0.2.1", VERIFIER, NOW, expires, NOW + timedelta(hours=8)
    )


def test_a_person_comes_back_as_kept(state: State) -> None:
    """And is replaced as a whole; times are in UTC."""
    first = Person("anna", Secret("verifier"), Secret("totp"), 7, False, NOW)
    second = Person("anna", Secret("another"), Secret("new"), -1, True, NOW + timedelta(days=1))
    with state.engine.begin() as connection:
        for person in (first, second):
            store.store_person(connection, person)
            assert store.find_person(connection, "anna") == person
        assert store.all_people(connection) == [second]
        assert store.find_person(connection, "Anna") is None


def test_of_many_credentials_the_newest_are_looked_at(state: State) -> None:
    """However many there are, a log-in computes so many proofs and no more."""
    with state.engine.begin() as connection:
        for number in range(store.KNOWN_AT_MOST + 5):
            store.add_credential(connection, credential(number), NOW)
        found = store.credentials_of(connection, "anna")
        assert [one.id for one in found] == [str(n) for n in range(store.KNOWN_AT_MOST + 4, 4, -1)]
        assert found[0] == credential(store.KNOWN_AT_MOST + 4)
        assert store.credentials_of(connection, "berta") == []


def test_what_opens_sessions_is_counted(state: State) -> None:
    """Neither what is over nor what was taken back."""
    with state.engine.begin() as connection:
        for number in (1, 2, 3):
            store.add_credential(connection, credential(number), NOW)
        assert store.open_credentials(connection, "anna", NOW) == 3
        assert store.open_credentials(connection, "anna", NOW + timedelta(minutes=2)) == 1
        store.revoke(connection, "anna")
        assert store.open_credentials(connection, "anna", NOW) == 0


def test_tallies_are_of_a_person_and_a_source(state: State) -> None:
    """All of a person's are forgotten together, or one."""
    tally = Tally(3, 100.0, 101.0)
    with state.engine.begin() as connection:
        for person, source in (("anna", "a"), ("anna", "b"), ("berta", "a")):
            store.keep_tally(connection, person, source, tally)
        store.drop_tally(connection, "berta", "b")
        assert store.tally_of(connection, "berta", "a") == tally
        store.drop_tallies(connection, "anna")
        assert store.tally_of(connection, "anna", "a") == store.tally_of(connection, "anna", "b") == Tally()
        assert store.tally_of(connection, "berta", "a") == tally
