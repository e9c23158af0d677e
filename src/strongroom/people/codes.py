"""The second factor: codes of six digits from an authenticator (TOTP, RFC 6238), by pyotp.

SHA-1 and 30 seconds, since that is what authenticators do whatever the address of the secret says. A step
before and one after the present count too, for clocks that differ (RFC 6238, section 5.2); a step that was
used, or an earlier one, never counts again. Called by `sign_in`; ``strongroom people`` shows a new secret.
"""

import hmac
import re
from datetime import datetime

import pyotp

from strongroom.secret import Secret

STEP_SECONDS = 30
SKEW = 1
"""Steps."""
ISSUER = "Strongroom"


def new_secret() -> Secret:
    """160 random bits, as RFC 4226, section 4, recommends, in base 32."""
    return Secret(pyotp.random_base32())


def uri_of(secret: Secret, person: str) -> Secret:
    """What an authenticator takes: ``otpauth://totp/...``."""
    return Secret(_totp(secret).provisioning_uri(name=person, issuer_name=ISSUER))


def step_of(code: str, secret: Secret, now: datetime, *, after: int) -> int | None:
    """The step whose code this is, if it counts now and is later than ``after``, the last that was used."""
    digits = re.sub(r"\s", "", code)
    totp, present = _totp(secret), int(now.timestamp()) // STEP_SECONDS
    steps = range(present - SKEW, present + SKEW + 1)
    given = digits.encode("utf-8", "replace")
    met = [step for step in steps if hmac.compare_digest(totp.generate_otp(step).encode(), given)]
    return next((step for step in met if step > after), None)


def _totp(secret: Secret) -> pyotp.TOTP:
    return pyotp.TOTP(secret.danger_reveal(), interval=STEP_SECONDS)
