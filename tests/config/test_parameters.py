"""config/parameters.py: what stands behind the question mark of an address."""

import pytest
from pydantic_core import PydanticCustomError

from strongroom.config.parameters import parse_parameters

KNOWN = {"token", "ca"}


def test_known_parameters_are_taken_once() -> None:
    """Percent signs are decoded, and there may be none at all."""
    assert parse_parameters("token=a%26b&ca=x/y.pem", KNOWN) == {"token": "a&b", "ca": "x/y.pem"}
    assert parse_parameters("", KNOWN) == {}


@pytest.mark.parametrize(
    "query",
    ["token", "tokn=hush", "hush", "token=hush&token=hush", "token=", "token=hush&", "&", "ca=x&hush=1"],
)
def test_others_are_refused_and_not_shown(query: str) -> None:
    """A misspelt name may stand before a secret, or be one."""
    with pytest.raises(PydanticCustomError) as caught:
        parse_parameters(query, KNOWN)
    assert "hush" not in f"{caught.value} {caught.value.context}"
