"""Where things end in the text, and that nothing unlisted passes."""

import pytest
from tests.sql.world import CONTEXT

from strongroom.errors import ConstructRefused
from strongroom.sql.ground import ground_of
from strongroom.sql.lexer import lex
from strongroom.sql.run import Run, only
from strongroom.sql.value import Literal


def run_of(text: str, *, stored: bool = False) -> Run:
    """An analysis of a text, of which nothing is known yet."""
    ground = ground_of(CONTEXT.schema, CONTEXT.protections)
    return Run(lex(text.encode()), ground, CONTEXT, CONTEXT.search_path, stored=stored)


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("customers", " where"), ("public.customers", ""), ('"pub""lic" . "c"', " c"),
        ("c", ".*"), ("public.c", " .*"), ("a/* x */./* y */b", ""), ("ünï.cödé", "=1"),
    ],
)  # fmt: skip
def test_a_name_ends_before_a_star(name: str, rest: str) -> None:
    """With its dots, however they are spaced; `*` is not a part of it."""
    assert run_of(name + rest).name_end(0) == len(name.encode())


@pytest.mark.parametrize(
    "literal",
    [
        "'a'",
        "'it''s'",
        "E'a\\'b'",
        "$$x$$",
        "$t$'$t$",
        "5",
        "-5",
        "- -5.5e3",
        "+1",
        "U&'\\00e9'",
        "'a'\n'b'",
        "$12",
    ],
)
def test_a_constant_ends_with_its_sign_and_continuation(literal: str) -> None:
    """The byte after it is what follows it."""
    assert run_of(f"{literal} = x").literal_end(0) == len(literal.encode())


@pytest.mark.parametrize(
    "name",
    [
        "text", "pg_catalog.text", "varchar(5)", "character varying (5)", "character varying",
        "double precision", "national character varying(3)", "numeric(10, 2)", "int[]", "int [3] [ ]",
        "text array", "text array[4]",
        "time with time zone", "timestamp (3) without time zone", "timestamp(3)[]", "timestamptz",
        '"my type"', "public . thing(1)[]",
    ],
)  # fmt: skip
@pytest.mark.parametrize("rest", ["", " as x", ")", ", 1", "::int"])
def test_a_type_ends_with_its_modifiers(name: str, rest: str) -> None:
    """Modifiers, time zones and array bounds belong to it, what follows does not."""
    assert run_of(name + rest).type_end(0) == len(name.encode())


def test_a_place_that_no_token_begins_at_is_refused() -> None:
    """A construct without a place in the text is never edited by guess."""
    run = run_of("select email")
    for place in (3, 12, 99):
        with pytest.raises(ConstructRefused):
            run.name_end(place)


def test_what_is_open_is_remembered() -> None:
    """With whether its text is one that the database stored."""
    for stored in (False, True):
        run, node = run_of("select 1", stored=stored), Literal(7, 8, type_oid=23)
        value = run.add(node)
        assert run.opens == [node]
        assert (value.undecided, value.type_oid, node.stored) == (True, 23, stored)


def test_only_what_is_listed_passes() -> None:
    """A field that nobody treats is named in the refusal."""
    only("a cast", {"arg": 1, "location": 0}, "arg", "typeName", "location")
    with pytest.raises(ConstructRefused, match="a cast with surprise"):
        only("a cast", {"arg": 1, "surprise": {}}, "arg", "typeName", "location")
