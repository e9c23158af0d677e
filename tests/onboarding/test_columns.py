"""onboarding/columns.py: whether configured columns are as configured."""

from dataclasses import replace

import pytest
from tests.protect.samples import keyset_for, scheme

from strongroom.config import ColumnName
from strongroom.onboarding.census import Dependent, LiveColumn
from strongroom.onboarding.columns import Live, column_findings
from strongroom.onboarding.facts import Facts, SealCheck
from strongroom.onboarding.finding import Finding, Verdict
from strongroom.wire.postgres import types

NAME = ColumnName("public", "t", "c")
SEALED = LiveColumn(NAME, 1, 1, "bytea", types.BYTEA, -1)
PLAIN = LiveColumn(NAME, 1, 1, "text", types.TEXT, -1)
SCHEME = scheme("text")
KEYSET = keyset_for(SCHEME)
NO_FACTS = Facts({}, (), (), (), (), {})
CHECKED = replace(NO_FACTS, checks={NAME: SealCheck("strongroom_c", frozenset({KEYSET.primary}), True)})


def examined(column: LiveColumn | None, facts: Facts = CHECKED, stale: bool = False) -> list[Finding]:
    """The findings for the one column of a database."""
    columns = {} if column is None else {NAME: column}
    live = Live(columns, facts, {KEYSET.name: KEYSET}, {NAME} if stale else ())
    return list(column_findings("c", NAME, SCHEME, live))


def test_a_sealed_column() -> None:
    """A bytea behind a CHECK that knows the keys holds."""
    (found,) = examined(SEALED)
    assert found.verdict is Verdict.HOLDS
    assert found.remark == "sealed, randomized text"


@pytest.mark.parametrize(
    ("column", "check", "remark"),
    [
        (None, None, "no such column"),
        (PLAIN, None, "plaintext still"),
        (replace(PLAIN, type="integer", type_oid=types.INT4), None, "of type integer"),
        (replace(PLAIN, type="inet", type_oid=869), None, "of type inet"),
        (SEALED, None, "no CHECK strongroom_c"),
        (SEALED, SealCheck("strongroom_c", frozenset({KEYSET.primary, 7}), True), "does not have: 00000007"),
        (SEALED, SealCheck("strongroom_c", frozenset(), True), "refuses what is sealed"),
    ],
)
def test_what_fails(column: LiveColumn | None, check: SealCheck | None, remark: str) -> None:
    """A column that is missing, plaintext, of another type, or behind no CHECK or another's, fails."""
    facts = NO_FACTS if check is None else replace(NO_FACTS, checks={NAME: check})
    (found,) = examined(column, facts)
    assert found.verdict is Verdict.FAILS
    assert remark in found.remark
    assert found.remedy


def test_a_collation_by_which_different_texts_are_equal() -> None:
    """It cannot be kept by deterministic sealing; randomized columns are compared with nothing."""
    column = replace(PLAIN, folds=True)
    deterministic = scheme("text", "deterministic")
    live = Live({NAME: column}, NO_FACTS, {}, ())
    (found,) = column_findings("c", NAME, deterministic, live)
    assert found.verdict is Verdict.FAILS
    assert "collation" in found.remark
    assert "plaintext still" in examined(column, NO_FACTS)[0].remark


def test_a_check_that_was_not_validated() -> None:
    """Rows from before a NOT VALID constraint are to be borne in mind."""
    check = replace(CHECKED.checks[NAME], validated=False)
    (found,) = examined(SEALED, replace(NO_FACTS, checks={NAME: check}))
    assert found.verdict is Verdict.MIND


@pytest.mark.parametrize("kind", ["view", "materialized view", "generated column", "CHECK", "policy"])
def test_what_is_built_on_it(kind: str) -> None:
    """Whatever is built on a sealed column is named, with what it means."""
    _, found = examined(replace(SEALED, dependents=(Dependent(kind, "x"),)))
    assert found.verdict is Verdict.MIND
    assert found.remark == f"{kind} x is built on it"
    assert found.remedy


def test_statistics() -> None:
    """Statistics with plaintext in them fail."""
    _, found = examined(SEALED, stale=True)
    assert found.verdict is Verdict.FAILS
    assert "ANALYZE public.t" in found.remedy
