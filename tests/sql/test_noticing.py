"""sql/noticing.py: what is noticed for a record changes nothing of what is sent, and refuses nothing."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sql.random_statements import random_statement
from tests.sql.test_access import POLICED
from tests.sql.test_normalized import CORPUS
from tests.sql.world import CONTEXT, SCHEMA

from strongroom.audit.records.statements import UNKNOWN
from strongroom.errors import StrongroomError
from strongroom.policy.model import Action
from strongroom.sql.access import EVERY, Access
from strongroom.sql.resolve import after, analyse
from strongroom.sql.statement import Analysis, Context, Kind, Noticed

KEYED = frozenset((oid, column.attnum) for oid, one in SCHEMA.relations.items() for column in one.columns)
RECORDED = replace(CONTEXT, recorded=True, keyed=KEYED)
TEXTS = [line[2:] for line in CORPUS.read_text(encoding="utf-8").splitlines() if line.startswith("> ")]


def outcome(text: str, context: Context) -> Analysis | str:
    """What is sent, or why not; but for what records alone have."""
    try:
        found = analyse(text, (), context)
    except StrongroomError as error:
        return f"{error.code}: {error.message}"
    return replace(found, statements=tuple(replace(one, normalized=None) for one in found.statements))


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:60])
def test_nothing_is_refused_that_was_not(text: str) -> None:
    """Whatever is recorded of it."""
    assert outcome(text, RECORDED) == outcome(text, CONTEXT)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 1 << 32))
def test_nothing_is_sent_otherwise(seed: int) -> None:
    """Nor refused with other words."""
    text, _ = random_statement(seed)
    assert outcome(text, RECORDED) == outcome(text, CONTEXT)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1 << 32))
def test_what_is_noticed_is_what_a_policy_would_be_asked(seed: int) -> None:
    """The same accesses, and the same columns that are output as they stand."""
    text, _ = random_statement(seed)
    try:
        (asked,), (beside,) = (analyse(text, (), one).statements for one in (POLICED, RECORDED))
    except StrongroomError:
        return
    assert beside.noticed is not None
    if not any(one.column == EVERY for one in beside.noticed.accesses):  # a policy then asks by name
        shown = frozenset(one.column for one in asked.outputs or () if one.column is not None)
        assert beside.noticed == Noticed(asked.accesses, shown, asked.relations)


def noticed(*texts: str) -> Noticed | None:
    """Of the last of several texts."""
    context = RECORDED
    for text in texts:
        (resolved,) = analyse(text, (), context).statements
        context = after(context, resolved)
    return resolved.noticed


SELECTED = Noticed(
    frozenset({Access(Action.SELECT, "public", "plain"), Access(Action.FILTER, "public", "plain", "txt")}),
    frozenset({(102, 1)}),
    frozenset({102}),
)
QUERY = "select id from plain where txt = $1"


@pytest.mark.parametrize(
    "texts",
    [
        (QUERY,),
        (f"prepare p as {QUERY}", "execute p('x')"),
        (f"declare c cursor for {QUERY}", "fetch c"),
    ],
)
def test_what_is_run_by_name(texts: tuple[str, ...]) -> None:
    """Does what it names."""
    assert noticed(*texts) == SELECTED


def test_a_prepared_statement_stays_what_it_is() -> None:
    """With a column more in its table `*` shows more: what is sent is the same."""
    (one,) = analyse("prepare p as select * from plain", (), RECORDED).statements
    other = replace(one, noticed=None, keyed=())
    assert one == other
    assert one.kind is Kind.PREPARE


def test_a_name_of_which_nothing_was_noticed() -> None:
    """Prepared before statements were recorded: it may do anything."""
    (made,) = analyse(f"prepare p as {QUERY}", (), CONTEXT).statements
    (run,) = analyse("execute p('x')", (), after(RECORDED, made)).statements
    assert run.noticed is not None
    assert Access(Action.REVEAL, column=EVERY) in run.noticed.accesses


def test_statements_that_are_not_recorded_are_not_followed() -> None:
    """It would cost time for nothing."""
    (one,) = analyse(QUERY, (), CONTEXT).statements
    assert one.noticed is None


@pytest.mark.parametrize("broken", [RuntimeError, AttributeError, ZeroDivisionError])
def test_what_breaks_was_not_followed(broken: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is: no record is worth a statement that would have run."""

    def breaks(*_: object) -> None:
        raise broken

    monkeypatch.setattr("strongroom.sql.noticing.followed", breaks)
    (one,) = analyse(QUERY, (), RECORDED).statements
    assert one.noticed is not None
    assert Access(Action.REVEAL, "public", "plain", EVERY) in one.noticed.accesses
    assert {value.instead for value in one.keyed} == {UNKNOWN}
