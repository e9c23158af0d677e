"""Where each field of a record stands in its event."""

from dataclasses import dataclass

import pytest
from tests.audit.records.world import KINDS

from strongroom.audit.records.codes import Record
from strongroom.audit.records.layout import Leaf, at, leaves, put, written


@dataclass(frozen=True, slots=True)
class Part:
    name: str = at("part.name")


@dataclass(frozen=True, slots=True)
class Whole:
    part: Part
    number: int | None = at("a.b", default=None)
    names: tuple[str, ...] = at("names", limit=3, default=())


def test_fields_of_parts_are_fields_too() -> None:
    """A part stands where its own fields say, and a field may be absent, or a list."""
    assert leaves(Whole) == (
        Leaf(("part", "name"), ("part", "name"), str, is_list=False, is_optional=False, limit=512),
        Leaf(("number",), ("a", "b"), int, is_list=False, is_optional=True, limit=512),
        Leaf(("names",), ("names",), str, is_list=True, is_optional=False, limit=3),
    )


def test_a_long_string_is_cut() -> None:
    """A string has at most the characters that its field says."""
    assert written(leaves(Whole)[2], ("abcd", "ab")) == ["abc", "ab"]


def test_a_string_is_valid_unicode() -> None:
    """A lone surrogate, which JSON could not carry to everybody, is replaced."""
    assert written(leaves(Whole)[0], "a\ud800") == "a?"


def test_what_stands_beneath_the_same_name_stays() -> None:
    """Two places may share a beginning."""
    event: dict[str, object] = {}
    put(event, ("a", "b"), 1)
    put(event, ("a", "c"), 2)
    assert event == {"a": {"b": 1, "c": 2}}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_place_is_taken_once(kind: type[Record]) -> None:
    """No two fields of a record stand at one place, or one within the other."""
    places = [one.place for one in leaves(kind)]
    assert len(set(places)) == len(places)
    assert not [(one, two) for one in places for two in places if one != two and two[: len(one)] == one]
