"""Records as canonical octets."""

import dataclasses
import json

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audit.records.world import ANY, PERMITTED

from strongroom.audit.records.codes import Record
from strongroom.audit.records.encoding import GREATEST, canonical, encode, event
from strongroom.audit.records.statements import Permitted
from strongroom.errors import Bug


@settings(max_examples=60)
@given(ANY)
def test_octets_are_those_of_the_rfc(record: Record) -> None:
    """Another's implementation of RFC 8785 makes the same of the event."""
    assert encode(record) == rfc8785.dumps(event(record))


@given(st.text())
def test_strings_are_those_of_the_rfc(text: str) -> None:
    """Control characters, quotes, what is not ASCII: each is escaped as section 3.2.2.2 says, or stays."""
    assert canonical(text) == rfc8785.dumps(text)


def test_the_example_of_the_rfc() -> None:
    """The string of section 3.2.2, which has all that is escaped."""
    text = "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"\u002f"
    assert canonical({"string": text}).decode() == '{"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'


@settings(max_examples=60)
@given(ANY)
def test_a_record_is_one_line(record: Record) -> None:
    """Of UTF-8, with nothing that ends a line, and it is JSON."""
    octets = encode(record)
    assert b"\n" not in octets
    assert b"\r" not in octets
    assert json.loads(octets) == event(record)


@settings(max_examples=30)
@given(ANY)
def test_its_type_is_class_and_activity(record: Record) -> None:
    """OCSF's type_uid."""
    found = event(record)
    assert found["type_uid"] == found["class_uid"] * 100 + found["activity_id"]
    assert found["category_uid"] == found["class_uid"] // 1000


@pytest.mark.parametrize("rows", [-1, GREATEST + 1])
@settings(max_examples=5)
@given(record=PERMITTED)
def test_a_number_that_json_does_not_carry_is_a_bug(rows: int, record: Permitted) -> None:
    """Numbers of JSON are exact up to 2^53, and none of ours is negative."""
    outcome = dataclasses.replace(record.outcome, rows=rows)
    with pytest.raises(Bug):
        encode(dataclasses.replace(record, outcome=outcome))
