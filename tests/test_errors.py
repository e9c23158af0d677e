"""The errors: each with a code, a SQLSTATE and a section in docs/errors.md; the drawn tree is true."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from strongroom import errors
from strongroom.errors import StrongroomError

DOCUMENT = (Path(__file__).parent.parent / "docs" / "errors.md").read_text(encoding="utf-8")


def descendants(error: type[StrongroomError]) -> Iterator[type[StrongroomError]]:
    for child in error.__subclasses__():
        if child.__module__.startswith(f"{errors.__name__}."):
            yield child
            yield from descendants(child)


ERRORS = sorted(descendants(StrongroomError), key=lambda error: error.__name__)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_each_is_well_formed(error: type[StrongroomError]) -> None:
    """A code is its class's own and in kebab case; a SQLSTATE is five characters."""
    assert "code" in vars(error)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", error.code)
    assert re.fullmatch(r"[0-9A-Z]{5}", error.sqlstate)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_each_says_what_to_do_next(error: type[StrongroomError]) -> None:
    """Its own hint or its class's; values outside their type have PostgreSQL's errors, which have none."""
    assert bool(error("something").hint) is not issubclass(error, errors.InvalidValue)
    assert error("something", hint="Look.").hint == "Look."


def test_codes_are_unique() -> None:
    """No two errors share a code."""
    codes = [error.code for error in ERRORS]
    assert len(set(codes)) == len(codes)


def test_each_is_documented() -> None:
    """docs/errors.md has one whole section for every code, with its SQLSTATE, and for nothing else."""
    sections = re.findall(r"^## (\S+)\n\n(.*?)(?=^#|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    parts = r"SQLSTATE (\w{5})\b.*\*\*What happened:\*\*.*\*\*Why:\*\*.*\*\*What to do:\*\*"
    states = [(code, found[1]) for code, text in sections if (found := re.match(parts, text, re.DOTALL))]
    assert sorted(states) == sorted((error.code, error.sqlstate) for error in ERRORS)


def test_the_tree_is_drawn() -> None:
    """The drawing at the top of errors/__init__.py has every class once, under its parent."""
    drawn: dict[str, str] = {}
    above = {0: "StrongroomError"}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([ │]*)[├└]── (\w+(?:, \w+)*)", line)
        if found:
            depth = len(found[1]) // 4 + 1
            for name in found[2].split(", "):
                assert name not in drawn, f"{name} is drawn twice"
                drawn[name] = above[depth - 1]
                above[depth] = name
    assert drawn == {error.__name__: error.__base__.__name__ for error in ERRORS if error.__base__}


def test_the_drawing_has_no_loose_branches() -> None:
    """Each branch of the drawing ends with its last line."""
    lines = [line[4:] for line in (errors.__doc__ or "").splitlines() if re.match(r"    [ │├└]", line)]
    for line, following in pairwise(lines):
        end = line.find("└")
        assert end < 0 or following[end : end + 1] not in {"├", "└", "│"}, line
