"""Which class and activity of OCSF each record is: held against OCSF itself."""

import re
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from ocsf_json_schema.embedded import OcsfJsonSchemaEmbedded
from ocsf_json_schema.loader import get_ocsf_schema, get_packaged_versions
from tests.audit.records.world import ANY, KINDS, PERMITTED, records

from strongroom.audit.records.codes import CODE, CODES, OCSF_VERSION, Record, code_of
from strongroom.audit.records.encoding import event
from strongroom.audit.records.layout import leaves

SPECIFICATION = (Path(__file__).parents[3] / "docs/spec/audit-records.md").read_text(encoding="utf-8")
SEVERITIES = {1: "informational", 2: "low", 3: "medium", 4: "high"}


def numbers(version: str) -> list[int]:
    return [int(one) for one in version.split(".")]


VERSIONS = sorted(
    (
        one
        for one in get_packaged_versions()
        if one[0] == "1" and "-" not in one and numbers(one) >= numbers(OCSF_VERSION)
    ),
    key=numbers,
)


class Ocsf:
    """One version of OCSF, as JSON Schema."""

    def __init__(self, version: str) -> None:
        self._schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version))
        self._validators: dict[tuple[int, tuple[str, ...]], Draft202012Validator] = {}
        self._version = version

    def errors(self, found: dict[str, Any]) -> list[str]:
        """What is wrong with an event."""
        key = found["class_uid"], tuple(found["metadata"].get("profiles", ()))
        if key not in self._validators:
            name = self._schema.lookup_class_name_from_uid(key[0])
            uri = f"https://schema.ocsf.io/schema/{self._version}/classes/{name}?profiles={','.join(key[1])}"
            self._validators[key] = Draft202012Validator(self._schema.get_schema_from_uri(uri))
        return [
            f"{list(one.absolute_path)}: {one.message}" for one in self._validators[key].iter_errors(found)
        ]


KNOWN = {version: Ocsf(version) for version in VERSIONS}


def test_some_versions_are_asked() -> None:
    """The version that events name is known here, and later ones are."""
    assert VERSIONS[0] == OCSF_VERSION
    assert len(VERSIONS) > 1


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_record_is_an_event_of_ocsf(kind: type[Record], version: str) -> None:
    """Of that version, whatever its fields hold: required ones there, no unknown ones, each of its type."""

    @settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
    @given(records(kind))
    def each(record: Record) -> None:
        assert KNOWN[version].errors(event(record)) == []

    each()


@pytest.mark.parametrize("place", ["severity_id", "src_endpoint", "actor", "time"])
@settings(max_examples=5)
@given(record=PERMITTED)
def test_the_validator_sees_what_is_missing(place: str, record: Record) -> None:
    """Or the tests above would show nothing."""
    found = event(record)
    assert not KNOWN[OCSF_VERSION].errors(found)
    assert KNOWN[OCSF_VERSION].errors({**found, "tables": []})
    del found[place]
    assert KNOWN[OCSF_VERSION].errors(found)


@settings(max_examples=30)
@given(ANY)
def test_a_record_has_a_code_of_its_own_kind(record: Record) -> None:
    """And no field of it stands where the code has a constant."""
    code = code_of(record)
    assert code.record is type(record)
    assert not {one.place for one in leaves(type(record))} & code.constants.keys()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_code_can_be_said(kind: type[Record]) -> None:
    """A record with several codes says which it is by one field, whose values they are."""
    codes = {name for name, code in CODES.items() if code.record is kind}
    said = [one.kind for one in leaves(kind) if one.place == CODE]
    if said:
        assert issubclass(said[0], Enum)
        assert codes == {one.value for one in said[0]}
    else:
        assert len(codes) == 1


def test_the_specification_has_each_code() -> None:
    """With its class, activity and severity, in a row each."""
    rows = re.findall(
        r"^\| `([a-z_.]+)` \| (\w+) \| (\d+) [\w ]+ \| ([\w ]+) \| (\w+) \|$", SPECIFICATION, re.MULTILINE
    )
    assert rows == [
        (
            name,
            code.record.__name__,
            str(code.class_uid),
            "what it does" if code.activity is None else str(code.activity),
            SEVERITIES[code.constants["severity_id",]],
        )
        for name, code in CODES.items()
    ]


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: code.name)
def test_an_activity_of_ours_has_a_name(code: Any) -> None:
    """OCSF asks for it where the activity is none of its own (99, Other)."""
    assert (("activity_name",) in code.constants) is (code.activity == 99)
