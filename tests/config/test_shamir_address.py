"""config/shamir_address.py: a root in shares."""

from pathlib import Path

import pytest
from pydantic_core import PydanticCustomError

from strongroom.config.shamir_address import ShamirAddress, parse_shamir

FOLDER = Path("/etc/strongroom")


@pytest.mark.parametrize(("text", "set_id"), [("", None), ("5c9e21d4", 0x5C9E21D4), ("0000ABCD", 0xABCD)])
def test_a_set_may_be_named(text: str, set_id: int | None) -> None:
    """As it stands in each line."""
    assert parse_shamir(text, FOLDER) == ShamirAddress(set_id)


@pytest.mark.parametrize(
    "text", ["5c9e21d", "5c9e21d4f", "hush0000", " 5c9e21d4", "strongroom-share-1 5c9e21d4"]
)
def test_others_are_refused_and_not_shown(text: str) -> None:
    """Shares themselves never stand in a configuration."""
    with pytest.raises(PydanticCustomError) as caught:
        parse_shamir(text, FOLDER)
    assert text not in f"{caught.value} {caught.value.context}"
