"""The masks of a policy, made ready for the outputs of a statement."""

import pytest
from tests.sql.world import CONTEXT, EMAIL

from strongroom.errors import AccessDenied
from strongroom.policy.model import Mask
from strongroom.protect import masks
from strongroom.protect.masks import Kind
from strongroom.protect.pseudonyms import PseudonymKey
from strongroom.session.veils import misfit, understood, veils
from strongroom.sql.statement import Output
from strongroom.wire.postgres import types

KEY = PseudonymKey(bytes(32))


@pytest.mark.parametrize(
    ("mask", "meant"),
    [
        (Mask("full"), masks.Mask(Kind.FULL)),
        (Mask("null"), masks.Mask(Kind.NULL)),
        (Mask("constant"), masks.Mask(Kind.CONSTANT)),
        (Mask("email"), masks.Mask(Kind.EMAIL)),
        (Mask("card"), masks.Mask(Kind.CARD)),
        (Mask("hash"), masks.Mask(Kind.HASH)),
        (Mask("first", 2), masks.Mask(Kind.FIRST, n=2)),
        (Mask("last", 4), masks.Mask(Kind.LAST, n=4)),
        (Mask("fixed", "hidden"), masks.Mask(Kind.FIXED, text="hidden")),
        (Mask("date", "month"), masks.Mask(Kind.MONTH)),
        (Mask("date", "year"), masks.Mask(Kind.YEAR)),
        (Mask("number", 1000), masks.Mask.parse("range", step=1000)),
    ],
)
def test_every_mask_of_a_policy_is_one_of_ours(mask: Mask, meant: masks.Mask) -> None:
    """With its argument."""
    assert understood(mask) == meant


def test_nothing_is_masked() -> None:
    """Then there is nothing to do."""
    assert veils([Output("id", 102, 1, column=(102, 1))], CONTEXT.schema, KEY) == ()


def test_one_for_each_output() -> None:
    """Of the declared type where the column is protected, else of the type that the table has."""
    outputs = [
        Output("email", 100, 2, EMAIL, type_oid=25, column=(100, 2), mask=Mask("email")),
        Output("one"),
        Output("id", 102, 1, column=(102, 1), mask=Mask("number", 10)),
    ]
    first, none, last = veils(outputs, CONTEXT.schema, KEY)
    assert none is None
    assert first is not None
    assert last is not None
    assert (first.type, last.type) == (types.declared(types.TEXT), types.declared(types.INT4))


def test_a_mask_that_does_not_fit() -> None:
    """Is refused, since the column may not be shown otherwise."""
    output = Output("id", 102, 1, column=(102, 1), mask=Mask("card"))
    with pytest.raises(AccessDenied, match="the mask card does not fit the type"):
        veils([output], CONTEXT.schema, KEY)


@pytest.mark.parametrize(
    ("mask", "type_oid", "wrong"),
    [
        (Mask("email"), types.TEXT, ""),
        (Mask("hash"), types.TEXT, ""),
        (Mask("constant"), 999_999, ""),
        (Mask("email"), types.INT4, "does not fit the type integer"),
        (Mask("email"), 999_999, "does not fit a type that Strongroom does not know"),
        (Mask("fixed", "x"), types.DATE, "must be a value of the column's type"),
        (Mask("last", 1000), types.TEXT, "a number from 1 to 64"),
    ],
)
def test_which_masks_can_never_be_given(mask: Mask, type_oid: int, wrong: str) -> None:
    """Known from the type alone, without a key."""
    found = misfit(mask, type_oid, -1)
    assert bool(found) == bool(wrong)
    assert wrong in found
