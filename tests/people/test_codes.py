"""Codes of authenticators: the vectors of RFC 6238, skew, and that each counts once."""

from base64 import b32encode
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from tests.people.conftest import NOW

from strongroom.people import codes
from strongroom.secret import Secret

SECRET = Secret(b32encode(b"12345678901234567890").decode())
NEVER = -1


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_rfc_6238(seconds: int, code: str) -> None:
    """Appendix B, for SHA-1, in six digits; spaces that people type do not matter."""
    now = datetime.fromtimestamp(seconds, UTC)
    assert codes.step_of(code, SECRET, now, after=NEVER) == seconds // 30
    assert codes.step_of(f" {code[:3]} {code[3:]} ", SECRET, now, after=NEVER) == seconds // 30


@pytest.mark.parametrize(("late", "counts"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_clocks_may_differ_by_a_step(late: int, counts: bool) -> None:
    """And by no more."""
    code = pyotp.TOTP(SECRET.danger_reveal()).at(NOW)
    found = codes.step_of(code, SECRET, NOW + timedelta(seconds=late), after=NEVER)
    assert (found is not None) is counts


def test_a_code_counts_once_and_none_before_it() -> None:
    """Replayed, or typed after a later one, it is wrong; the next one is right."""
    totp, step = pyotp.TOTP(SECRET.danger_reveal()), int(NOW.timestamp()) // 30
    assert codes.step_of(totp.at(NOW), SECRET, NOW, after=step - 1) == step
    assert codes.step_of(totp.at(NOW), SECRET, NOW, after=step) is None
    assert codes.step_of(totp.at(NOW - timedelta(seconds=30)), SECRET, NOW, after=step) is None
    assert codes.step_of(totp.at(NOW + timedelta(seconds=30)), SECRET, NOW, after=step) == step + 1


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "２８７０８２", "\udcff"])
def test_what_is_no_code(code: str) -> None:
    """Nothing but six digits of ASCII is one."""
    assert codes.step_of(code, SECRET, datetime.fromtimestamp(59, UTC), after=NEVER) is None


def test_what_an_authenticator_takes() -> None:
    """A fresh secret of 160 bits, and the address that names us and the person."""
    secret = codes.new_secret()
    assert secret != codes.new_secret()
    assert len(secret.danger_reveal()) == 32
    read = pyotp.parse_uri(codes.uri_of(secret, "anna@shop.example").danger_reveal())
    assert isinstance(read, pyotp.TOTP)
    assert (read.secret, read.name, read.issuer) == (
        secret.danger_reveal(),
        "anna@shop.example",
        "Strongroom",
    )
    assert (read.digits, read.interval) == (6, 30)
