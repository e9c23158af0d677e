"""protect/masks.py: masks as a policy names them, and which type takes which."""

from decimal import Decimal

import pytest

from strongroom.errors import InvalidMask
from strongroom.protect.masks import Kind, Mask
from strongroom.wire.postgres import types
from strongroom.wire.postgres.types import parse_type

SETTINGS: dict[str, dict[str, object]] = {
    "fixed": {"text": "1"},
    "first": {"n": 2},
    "last": {"n": 4},
    "range": {"step": 10},
}
EVERYWHERE = {"constant", "null"}
# The table of docs/spec/masks.md, section 3; `fixed` with a text that each type takes.
TAKES: dict[str, tuple[str, set[str]]] = {
    "text": ("x", {"full", "first", "last", "email", "card", "hash"}),
    "varchar(40)": ("x", {"full", "first", "last", "email", "card", "hash"}),
    "varchar(16)": ("x", {"full", "first", "last", "email", "card", "hash"}),
    "char(12)": ("x", {"full", "first", "last", "email", "card"}),
    "varchar(11)": ("x", {"full", "first", "last", "email"}),
    "varchar(7)": ("x", {"full", "first", "email"}),
    "varchar(4)": ("x", {"full", "first"}),
    "char(1)": ("x", {"full"}),
    "bytea": ("\\x00", {"hash"}),
    "uuid": ("a0eebc999c0b4ef8bb6d6bb9bd380a11", {"hash"}),
    "bool": ("no", set()),
    "smallint": ("-1", {"range"}),
    "integer": ("-1", {"range"}),
    "bigint": ("-1", {"range", "hash"}),
    "numeric": ("1.5", {"range"}),
    "numeric(6,2)": ("1.5", {"range"}),
    "real": ("1.5", {"range"}),
    "double precision": ("NaN", {"range"}),
    "date": ("1900-01-01", {"month", "year"}),
    "timestamp": ("1900-01-01", {"month", "year"}),
    "timestamptz": ("1900-01-01", {"month", "year"}),
    "time": ("12:00", set()),
    "timetz": ("12:00+01", set()),
    "interval": ("1 day", set()),
    "json": ("[]", set()),
    "jsonb": ("[]", set()),
}


def made(kind: str, text: str) -> Mask:
    """A mask of this kind, with settings."""
    return Mask.parse(kind, **({"text": text} if kind == "fixed" else SETTINGS.get(kind, {})))


@pytest.mark.parametrize("suffix", ["", "[]"])
@pytest.mark.parametrize("type_", TAKES)
def test_each_type_takes_what_the_table_says(type_: str, suffix: str) -> None:
    """And no other mask, which is refused by its name and the type's; an array as its elements."""
    text, takes = TAKES[type_]
    declared = parse_type(type_ + suffix)
    for kind in Kind:
        mask = made(kind.value, text)
        if kind.value in takes | EVERYWHERE | {"fixed"}:
            mask.check(declared)
            continue
        with pytest.raises(InvalidMask, match=f"the mask {kind.value} does not fit the type ") as raised:
            mask.check(declared)
        assert str(declared) in raised.value.message


def test_the_table_is_whole() -> None:
    """Every type that can be protected stands in it."""
    assert {parse_type(type_).oid for type_ in TAKES} == set(types.BASE_TYPES)


def test_a_type_that_is_not_known_takes_what_looks_at_no_value() -> None:
    """An enumeration, or inet: NULL in its place."""
    for kind in Kind:
        mask = made(kind.value, "x")
        if kind.value in EVERYWHERE:
            mask.check(None)
        else:
            with pytest.raises(InvalidMask, match="does not know"):
                mask.check(None)


@pytest.mark.parametrize(
    ("type_", "text"),
    [("date", "n/a"), ("integer", "1.5"), ("varchar(2)", "abc"), ("text", "\0"), ("text", "\ud800"),
     ("numeric(3,2)", "10"), ("uuid", ""), ("int[]", "{1}"), ("json", "{")],
)  # fmt: skip
def test_a_fixed_text_is_a_value_of_the_type(type_: str, text: str) -> None:
    """Else it is refused, without saying it."""
    with pytest.raises(InvalidMask, match="must be a value of the column's type") as raised:
        Mask.parse("fixed", text=text).check(parse_type(type_))
    assert not text or text not in raised.value.message


@pytest.mark.parametrize(
    ("type_", "step"),
    [("integer", 1), ("integer", "1.5"), ("bigint", "0.5"), ("numeric(6,2)", "0.01"),
     ("numeric(6,2)", "0.005"), ("numeric(6,2)", "1.001"), ("numeric(3,-2)", 100), ("numeric(3,-2)", 150),
     ("numeric(5)", 1)],
)  # fmt: skip
def test_a_step_hides_something_and_fits(type_: str, step: object) -> None:
    """It is larger than the smallest unit of the column, and a multiple of it."""
    with pytest.raises(InvalidMask, match="multiple of"):
        Mask.parse("range", step=step).check(parse_type(type_))


@pytest.mark.parametrize(
    ("type_", "step"),
    [("smallint", 100_000), ("numeric(6,2)", "0.05"), ("numeric(6,2)", "1.10000"), ("numeric(3,-2)", 200),
     ("numeric", "1e-40"), ("numeric", "1e40"), ("real", 0.1), ("integer", 2),
     ("double precision", "0.0001")],
)  # fmt: skip
def test_steps_that_fit(type_: str, step: object) -> None:
    """Also one beyond the type's values: all are then in one or two ranges."""
    Mask.parse("range", step=step).check(parse_type(type_))


def test_masks_are_read() -> None:
    """With their setting and no other; YAML reads a bare null as None, and 0.1 as a float."""
    assert Mask.parse(None) == Mask.parse("null") == Mask(Kind.NULL)
    assert Mask.parse("first", n=3) == Mask(Kind.FIRST, n=3)
    assert Mask.parse("fixed", text="") == Mask(Kind.FIXED, text="")
    assert (
        Mask.parse("range", step=0.1)
        == Mask.parse("range", step="0.10")
        == Mask(Kind.RANGE, step=Decimal("0.1"))
    )
    assert Mask.parse("email") != Mask.parse("card")


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("", {}), ("E-mail", {}), ("FULL", {}), (1, {}), ([], {}), (False, {}),
        ("full", {"n": 1}), ("first", {}), ("first", {"n": 1, "text": "x"}), ("fixed", {}),
        ("range", {"n": 1}), ("first", {"n": 0}), ("last", {"n": -1}), ("last", {"n": 65}),
        ("first", {"n": "4"}), ("first", {"n": True}), ("first", {"n": 1.5}),
        ("first", {"n": None}), ("fixed", {"text": 1}), ("fixed", {"text": None}),
        ("fixed", {"text": "x" * 1001}), ("range", {"step": 0}), ("range", {"step": -1}),
        ("range", {"step": "x"}),
        ("range", {"step": True}), ("range", {"step": None}), ("range", {"step": float("nan")}),
        ("range", {"step": "Infinity"}), ("range", {"step": "1e41"}), ("range", {"step": "1e-41"}),
        ("range", {"step": 10**5000}), ("range", {"step": "sNaN"}),
        ("range", {"step": "1e999999999999999999"}),
    ],
)  # fmt: skip
def test_what_is_no_mask_is_refused(kind: object, settings: dict[str, object]) -> None:
    """With what there is, or what it takes, for a hint."""
    with pytest.raises(InvalidMask) as raised:
        Mask.parse(kind, **settings)
    assert raised.value.hint
