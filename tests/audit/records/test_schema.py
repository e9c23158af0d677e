"""The JSON Schema of all records."""

from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from tests.audit.records.world import ANY

from strongroom.audit.records.codes import CODES, Record
from strongroom.audit.records.encoding import event
from strongroom.audit.records.schema import schema, written

VALIDATOR = Draft202012Validator(schema())


def test_the_file_in_the_package_is_this_one() -> None:
    """Run ``strongroom audit schema > src/strongroom/audit/records/records.schema.json`` where it is not."""
    file = files("strongroom.audit.records") / "records.schema.json"
    assert file.read_text(encoding="utf-8") == written()


def test_it_is_a_schema() -> None:
    """Of the draft that it names."""
    Draft202012Validator.check_schema(schema())


@settings(max_examples=100)
@given(ANY)
def test_each_record_is_valid(record: Record) -> None:
    """Whatever its fields hold."""
    assert VALIDATOR.is_valid(event(record))


@settings(max_examples=30)
@given(ANY)
def test_nothing_else_is(record: Record) -> None:
    """Not with a field more, at the top or within; nor without one of its constants; nor with another."""
    found = event(record)
    unmapped: dict[str, Any] = found.get("unmapped", {})
    for wrong in [
        {**found, "raw_data": "x"},
        {**found, "unmapped": {**unmapped, "values_seen": "x"}},
        {key: value for key, value in found.items() if key != "severity_id"},
        {**found, "class_uid": found["class_uid"] + 1},
        {**found, "type_uid": found["type_uid"] + 1},
        {**found, "metadata": {**found["metadata"], "event_code": "something.else"}},
        {**found, "time": "1"},
    ]:
        assert not VALIDATOR.is_valid(wrong)


@pytest.mark.parametrize("code", CODES, ids=str)
def test_each_code_is_in_it(code: str) -> None:
    """So a reader sees all there are."""
    assert f'"{code}"' in written()
