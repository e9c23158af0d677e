"""People's passwords, held against argon2's own library."""

import argon2
import pytest

from strongroom.errors import PersonRefused
from strongroom.people import passwords
from strongroom.secret import Secret

WORDS = Secret("correct horse battery staple")


def test_the_right_one_alone_is_right() -> None:
    """The verifier says yes to its password, and the password is not in it."""
    verifier = passwords.make(WORDS)
    assert passwords.is_right(WORDS, verifier)
    assert not passwords.is_right(Secret("correct horse battery stable"), verifier)
    assert "correct" not in verifier.danger_reveal()
    assert passwords.make(WORDS) != verifier


def test_another_library_agrees() -> None:
    """What is kept is a PHC string of Argon2id with the parameters of RFC 9106."""
    verifier = passwords.make(WORDS).danger_reveal()
    assert verifier.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert argon2.PasswordHasher().verify(verifier, WORDS.danger_reveal())
    theirs = argon2.PasswordHasher(time_cost=1, memory_cost=256, parallelism=1).hash("their password")
    assert passwords.is_right(Secret("their password"), Secret(theirs))


def test_nobodys_password_is_never_right() -> None:
    """Whatever is tried where there is no verifier."""
    assert not passwords.is_right(WORDS, None)


def test_one_password_typed_on_two_keyboards() -> None:
    """Letters with accents are one or two characters, and mean the same."""
    verifier = passwords.make(Secret("schöne Grüße 1847"))
    assert passwords.is_right(Secret("scho\u0308ne Gru\u0308ße 1847"), verifier)


@pytest.mark.parametrize("text", ["eleven char", "x" * 257])
def test_short_and_endless_ones_are_refused(text: str) -> None:
    """With what would do; the password is not repeated."""
    with pytest.raises(PersonRefused, match="12 to 256 characters") as caught:
        passwords.make(Secret(text))
    assert text not in caught.value.message
