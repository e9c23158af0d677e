"""What a credential is worth, here and now."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.people.conftest import NOW

from strongroom.people.model import CLOCKS_DIFFER, Credential, Verdict, judge
from strongroom.secret import Secret
from strongroom.wire.postgres.verifier import make_verifier

CREDENTIAL = Credential(
    id="1f",
    person="anna",
    database="shop",
    source="192.0.2.1",
    verifier=make_verifier(Secret("x"), b"salt"),
    second_factor_at=NOW,
    expires=NOW + timedelta(minutes=10),
    session_until=NOW + timedelta(hours=8),
)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Verdict.GOOD),
        ({"revoked": True}, Verdict.REVOKED),
        ({"expires": NOW}, Verdict.EXPIRED),
        ({"session_until": NOW}, Verdict.EXPIRED),
        ({"second_factor_at": NOW + CLOCKS_DIFFER}, Verdict.GOOD),
        ({"second_factor_at": NOW + CLOCKS_DIFFER + timedelta(seconds=1)}, Verdict.FROM_THE_FUTURE),
        ({"database": "other"}, Verdict.ANOTHER_DATABASE),
        ({"source": "192.0.2.2"}, Verdict.ANOTHER_ADDRESS),
    ],
)
def test_each_bond_holds(change: dict[str, object], verdict: Verdict) -> None:
    """To a time, a database, an address; and until it is taken back."""
    credential = replace(CREDENTIAL, **change)  # type: ignore[arg-type]  # each is a field's value
    assert judge(credential, database="shop", source="192.0.2.1", now=NOW) is verdict


def test_an_address_that_is_unknown_is_none_of_anybodys() -> None:
    """Not even of a credential that is bound to nothing."""
    unbound = replace(CREDENTIAL, source="")
    assert judge(unbound, database="shop", source="", now=NOW) is Verdict.ANOTHER_ADDRESS


def test_it_prints_without_its_verifier() -> None:
    """What SCRAM needs is in no log."""
    assert "verifier" not in repr(CREDENTIAL)
