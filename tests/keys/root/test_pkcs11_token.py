"""keys/root/pkcs11_token.py: what SoftHSM never says of itself, and how a token's answers are told."""

import pickle
import subprocess
import sys

import pytest
from pkcs11 import TokenFlag
from pkcs11 import exceptions as pkcs11_exceptions

from strongroom.errors import PinRefused, RootError, RootRefused, RootUnreachable
from strongroom.keys.root.pkcs11_errand import Errand
from strongroom.keys.root.pkcs11_token import GONE, NOT_OPENED, refuse_pin_at_risk, told
from strongroom.secret import Secret
from strongroom.testing.softhsm import SoftHsm


@pytest.mark.parametrize("flag", [TokenFlag.USER_PIN_LOCKED, TokenFlag.USER_PIN_FINAL_TRY])
def test_no_pin_is_given_to_a_token_at_risk(flag: TokenFlag) -> None:
    """A locked one, or one with a last try, which is left to a person; others get it."""
    usual = TokenFlag.RNG | TokenFlag.LOGIN_REQUIRED | TokenFlag.USER_PIN_COUNT_LOW
    refuse_pin_at_risk(usual)
    with pytest.raises(RootRefused) as caught:
        refuse_pin_at_risk(usual | flag)
    assert caught.value.hint


def test_the_return_values_are_those_of_the_library() -> None:
    """A name that it does not have would never be met."""
    assert {name for name in GONE | NOT_OPENED if not hasattr(pkcs11_exceptions, name)} == set()


@pytest.mark.parametrize(
    ("name", "told_as"),
    [("DeviceRemoved", RootUnreachable), ("MechanismInvalid", RootRefused), ("PinLocked", RootRefused)],
)
def test_return_values_are_told_by_name(name: str, told_as: type[RootError]) -> None:
    """A token that is gone cannot be reached, any other answer is a refusal; the text is not repeated."""
    error = told(getattr(pkcs11_exceptions, name)("secret"))
    assert type(error) is told_as
    assert name in error.message
    assert "secret" not in error.message + error.hint + error.detail


def test_what_the_module_prints_is_no_answer(softhsm: SoftHsm) -> None:
    """The answer alone is on standard output; the error output has no PIN."""
    asked = Errand(
        "check", str(softhsm.module), (("token", "strongroom"),), "root", None, Secret("777777"), "here"
    )
    done = subprocess.run(
        [sys.executable, "-m", "strongroom.keys.root.pkcs11_token"],
        input=pickle.dumps(asked),
        capture_output=True,
        check=True,
    )
    assert isinstance(pickle.loads(done.stdout), PinRefused)  # noqa: S301  # from our own process
    assert done.stderr == b""
