"""onboarding/finding.py: what `check` says of one thing."""

from strongroom.errors import RootKeyMissing
from strongroom.onboarding.finding import Finding, Verdict, failed, some


def test_an_error_is_a_finding() -> None:
    """An error of ours becomes a finding with its code, and its hint as the remedy."""
    error = RootKeyMissing("there is no root key", hint="restore it")
    assert failed("keys.root", error) == Finding(
        "keys.root", Verdict.FAILS, "there is no root key [root-key-missing]", "restore it"
    )


def test_long_lists() -> None:
    """Of many names the first are shown, and how many more there are."""
    assert some(["b", "a"]) == "a, b"
    assert some([f"e{number}" for number in range(7)]) == "e0, e1, e2, e3, e4 and 2 more"
