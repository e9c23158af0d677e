"""The fast way to a statement's octets, held against the slow one."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audit.records.world import PERMITTED

from strongroom.audit.records.encoding import GREATEST, encode
from strongroom.audit.records.lines import Line, Session, Shape, keyed_hashes
from strongroom.audit.records.statements import Ended, Intended, Permitted
from strongroom.errors import Bug


def line(record: Permitted) -> Line:
    origin = replace(record.head, time=0, sequence=0)
    shape = Shape(origin, record.plan, keyed=record.keyed is not None)
    return shape.line(Session(origin, record.client, record.database))


def quickly(record: Permitted) -> bytes:
    outcome = record.outcome
    return line(record).permitted(
        record.head.time,
        record.head.sequence,
        record.statement,
        outcome.duration,
        rows=outcome.rows,
        values=outcome.values,
        result=outcome.result,
        sqlstate=outcome.sqlstate,
        keyed=None if record.keyed is None else keyed_hashes(record.keyed),
    )


@settings(max_examples=100)
@given(PERMITTED)
def test_fast_is_slow(record: Permitted) -> None:
    """Whatever is in plan, session and outcome, the octets are the same."""
    record = replace(record, code=None)
    assert quickly(record) == encode(record)


@settings(max_examples=50)
@given(PERMITTED)
def test_an_intent_is_the_same(record: Permitted) -> None:
    """Before the statement goes upstream."""
    slow = Intended(record.head, record.client, record.plan, record.database, record.statement, record.keyed)
    keyed = None if record.keyed is None else keyed_hashes(record.keyed)
    fast = line(record).intended(record.head.time, record.head.sequence, record.statement, keyed=keyed)
    assert fast == encode(slow)


@settings(max_examples=50)
@given(PERMITTED)
def test_an_end_is_the_same(record: Permitted) -> None:
    """After it, which needs no plan."""
    outcome = record.outcome
    fast = Session(record.head, record.client, record.database).ended(
        record.head.time,
        record.head.sequence,
        record.statement,
        outcome.duration,
        rows=outcome.rows,
        values=outcome.values,
        result=outcome.result,
        sqlstate=outcome.sqlstate,
    )
    assert fast == encode(Ended(record.head, record.client, outcome, record.database, record.statement))


@settings(max_examples=20)
@given(PERMITTED, st.text(), st.text())
def test_a_percent_sign_stays_one(record: Permitted, before: str, after: str) -> None:
    """Names and texts may hold what looks like a hole."""
    text = f"{before}%d %b %% %(a)s{after}"[:64]
    record = replace(
        record,
        code=None,
        plan=replace(record.plan, text=text, tables=(text,)),
        client=replace(record.client, application=text),
    )
    assert quickly(record) == encode(record)


@pytest.mark.parametrize("rows", [-1, GREATEST + 1])
@settings(max_examples=5)
@given(record=PERMITTED)
def test_a_number_out_of_bounds_is_a_bug(rows: int, record: Permitted) -> None:
    """As it is on the slow way."""
    with pytest.raises(Bug):
        line(replace(record, keyed=None)).permitted(0, 1, 1, 0, rows=rows, values=0)


@settings(max_examples=5)
@given(PERMITTED)
def test_keyed_hashes_are_not_left_out(record: Permitted) -> None:
    """A plan whose records have them gives none without."""
    with pytest.raises(Bug):
        line(replace(record, keyed=())).permitted(0, 1, 1, 0, rows=0, values=0)
