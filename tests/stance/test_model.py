"""A stance has one text, and what is not that text is none."""

import json

import pytest

from strongroom.errors import StanceUnreadable
from strongroom.stance.model import MAX_OCTETS, Stance

ONE = Stance({"protection": {"needed": 2, "by": {"ann\u00e9": ["A"]}}, "login": {"failures": 5}})


def test_it_comes_back_as_it_was() -> None:
    """Whatever the order of its sections, the octets are the same, and ASCII."""
    turned = Stance(dict(sorted(ONE.sections.items(), reverse=True)))
    assert turned.written() == ONE.written()
    assert turned.digest == ONE.digest
    assert ONE.written().isascii()
    assert Stance.read(ONE.written()) == ONE
    assert ONE.signers["needed"] == 2
    assert Stance({}).signers == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"format":"strongroom stance 1"}',
        ONE.written().replace("stance 1", "stance 2"),
        ONE.written() + " ",
        json.dumps(json.loads(ONE.written()), indent=1),
        '{"format":"strongroom stance 1","sections":[]}',
        '{"format":"strongroom stance 1","sections":{"login":1}}',
        "[" * 100_000,
        " " * (MAX_OCTETS + 1),
    ],
    ids=range(11),
)
def test_what_is_none_is_refused(text: str) -> None:
    """Another format, another spelling, nesting without end, too long."""
    with pytest.raises(StanceUnreadable):
        Stance.read(text)
