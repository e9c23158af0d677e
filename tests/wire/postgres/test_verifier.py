"""The password verifier, in PostgreSQL's text form."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import InvalidVerifier
from strongroom.secret import Secret
from strongroom.wire.postgres.verifier import (
    MAX_ITERATIONS,
    MAX_SALT_BYTES,
    SALT_BYTES,
    Verifier,
    make_verifier,
    mock_verifier,
    parse_verifier,
)

# Made by PostgreSQL 15, CREATE ROLE ... PASSWORD, and read from pg_authid.
ASCII_PASSWORD = "correct horse"
FROM_ASCII = (
    "SCRAM-SHA-256$4096:4ycP8PM9dpPXp+T1Fkfi/g==$jml0CSMSX2rJDQMfCB68Aieu/1AiXMpiCgq8XqR4/sY="
    ":KEl/bPw8hS4ogWZfTSzIQBsByUE5B+sCGzBG2FGiYX0="
)

PROHIBITED_PASSWORD = "\u00aa\u00e4\x07"  # SASLprep refuses the control character
FROM_PROHIBITED = (
    "SCRAM-SHA-256$4096:irCfwRCKr0w5L9XURId+gg==$lBgOsYJT8ofKlVKc5UBE9AeeFjElVB46rwC7JQN7y0w="
    ":B7S5psTu53xLCJo6GJIyqvyq/VyoIDtb0UeKK7R5oWM="
)

KEY = "A" * 43 + "="
SALT = "AAAAAAAAAAAAAAAAAAAAAA=="

REFUSED = [
    ("empty", ""),
    ("clear text", "correct horse"),
    ("md5", "md5" + "0" * 32),
    ("another mechanism", f"SCRAM-SHA-1$4096:{SALT}${KEY}:{KEY}"),
    ("no iterations", f"SCRAM-SHA-256$:{SALT}${KEY}:{KEY}"),
    ("zero iterations", f"SCRAM-SHA-256$0:{SALT}${KEY}:{KEY}"),
    ("signed iterations", f"SCRAM-SHA-256$+4096:{SALT}${KEY}:{KEY}"),
    ("iterations over the limit", f"SCRAM-SHA-256${MAX_ITERATIONS + 1}:{SALT}${KEY}:{KEY}"),
    ("no salt", f"SCRAM-SHA-256$4096:${KEY}:{KEY}"),
    ("salt over the limit", f"SCRAM-SHA-256$4096:{'AAAA' * (MAX_SALT_BYTES // 3 + 1)}${KEY}:{KEY}"),
    ("salt not base64", f"SCRAM-SHA-256$4096:ä${KEY}:{KEY}"),
    ("short stored key", f"SCRAM-SHA-256$4096:{SALT}$AAAA:{KEY}"),
    ("short server key", f"SCRAM-SHA-256$4096:{SALT}${KEY}:AAAA"),
    ("padding missing", f"SCRAM-SHA-256$4096:{SALT}${KEY[:-1]}:{KEY}"),
    ("a part too many", f"SCRAM-SHA-256$4096:{SALT}${KEY}:{KEY}:{KEY}"),
    ("a line end behind", f"SCRAM-SHA-256$4096:{SALT}${KEY}:{KEY}\n"),
    ("a blank before", f" SCRAM-SHA-256$4096:{SALT}${KEY}:{KEY}"),
]


@pytest.mark.parametrize(
    ("password", "text"), [(ASCII_PASSWORD, FROM_ASCII), (PROHIBITED_PASSWORD, FROM_PROHIBITED)]
)
def test_a_verifier_is_what_postgresql_stores(password: str, text: str) -> None:
    """The same password, salt and iteration count give the text that PostgreSQL 15 made."""
    stored = parse_verifier(text)
    assert make_verifier(Secret(password), stored.salt, stored.iterations) == stored
    assert stored.text() == text


@given(st.integers(1, MAX_ITERATIONS), st.binary(min_size=1, max_size=MAX_SALT_BYTES))
def test_the_text_form_goes_there_and_back(iterations: int, salt: bytes) -> None:
    """Every verifier within the limits survives text() and parse_verifier()."""
    verifier = Verifier(iterations, salt, b"s" * 32, b"v" * 32)
    assert parse_verifier(verifier.text()) == verifier


@pytest.mark.parametrize(("why", "text"), REFUSED)
def test_another_form_is_refused(why: str, text: str) -> None:
    """What is not exactly PostgreSQL's form, or is out of limits, is refused without repeating it."""
    with pytest.raises(InvalidVerifier) as caught:
        parse_verifier(text)
    assert KEY not in caught.value.message + caught.value.hint, why


@given(st.text())
def test_any_text_is_a_verifier_or_refused(text: str) -> None:
    """No text makes anything else than a verifier or InvalidVerifier."""
    try:
        parse_verifier(text)
    except InvalidVerifier:
        return


@pytest.mark.parametrize("iterations", [0, -1, MAX_ITERATIONS + 1])
def test_iterations_out_of_limits_make_no_verifier(iterations: int) -> None:
    """A count of zero, below it, or over the limit is refused before any hashing."""
    with pytest.raises(InvalidVerifier):
        make_verifier(Secret("x"), b"salt", iterations)


def test_a_verifier_shows_no_key() -> None:
    """Printing a verifier shows neither StoredKey nor ServerKey."""
    assert "key" not in repr(make_verifier(Secret("x"), b"salt", 1))


def test_a_mock_is_stable_for_an_account_and_an_installation() -> None:
    """The mock verifier differs by account and by installation, and is the same at every try."""
    mock = mock_verifier("ghost", b"installation")
    assert mock == mock_verifier("ghost", b"installation")
    assert mock.salt != mock_verifier("other", b"installation").salt
    assert mock.salt != mock_verifier("ghost", b"another installation").salt


def test_a_mock_looks_like_a_real_verifier() -> None:
    """Its salt and iteration count, all that a client sees of it, are as those of a new verifier."""
    real = make_verifier(Secret("x"), b"s" * SALT_BYTES)
    mock = mock_verifier("ghost", b"installation")
    assert (mock.iterations, len(mock.salt)) == (real.iterations, len(real.salt))


def test_the_keys_are_those_of_the_rfc() -> None:
    """StoredKey = H(HMAC(SaltedPassword, "Client Key")), ServerKey = HMAC(SaltedPassword, "Server Key")."""
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", b"salt", 7)
    verifier = make_verifier(Secret("pencil"), b"salt", 7)
    assert verifier.stored_key == hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    assert verifier.server_key == hmac.digest(salted, b"Server Key", "sha256")
