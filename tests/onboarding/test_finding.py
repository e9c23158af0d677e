"""onboarding/finding.py: what `check` says of one thing."""

from strongroom.errors import RootKeyMissing
from strongroom.onboarding.finding import Finding, Verdict, failed


def test_an_error_is_a_finding() -> None:
    """An error of ours becomes a finding with its code, and its hint as the remedy."""
    error = RootKeyMissing("there is no root key", hint="restore it")
    assert failed("keys.root", error) == Finding(
        "keys.root", Verdict.FAILS, "there is no root key [root-key-missing]", "restore it"
    )
