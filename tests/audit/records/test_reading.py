"""Octets of the log, read back."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audit.records.world import ANY

from strongroom.audit.records.codes import Record
from strongroom.audit.records.encoding import canonical, encode, event
from strongroom.audit.records.reading import MAX_OCTETS, read
from strongroom.audit.records.running import ClockTurnedBack
from strongroom.audit.records.shared import Head
from strongroom.errors import InvalidRecord

RECORD = ClockTurnedBack(Head(1, 2, "worker 1", "shop", "0.1"), 3)


@settings(max_examples=150)
@given(ANY)
def test_what_was_written_is_read(record: Record) -> None:
    """Each record comes back as it was."""
    assert read(encode(record)) == record


@settings(max_examples=150)
@given(ANY, st.data())
def test_a_changed_octet_is_never_misread(record: Record, data: st.DataObject) -> None:
    """It is refused; or it is another record, of which these very octets are written."""
    octets = bytearray(encode(record))
    octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(octets))
    except InvalidRecord:
        return
    assert encode(found) == bytes(octets)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_anything_else_is_refused(octets: bytes) -> None:
    """With an error of ours, whatever it is."""
    with pytest.raises(InvalidRecord):
        read(octets)


def changed(place: str, value: object) -> bytes:
    found: dict[str, Any] = event(RECORD)
    inner = found
    *names, last = place.split(".")
    for name in names:
        inner = inner[name]
    inner[last] = value
    return canonical(found)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("severity_id", 1),
        ("type_uid", 100800),
        ("class_uid", 1007),
        ("metadata.log_version", "2"),
        ("metadata.version", "1.4.0"),
        ("metadata.event_code", "clock.turned_forward"),
        ("metadata.event_code", "session.opened"),
        ("metadata.event_code", 1),
        ("metadata", []),
        ("unmapped.former", "3"),
        ("unmapped.former", True),
        ("unmapped.former", 3.5),
        ("unmapped.former", -3),
        ("unmapped.former", 2**53),
        ("unmapped.former", None),
        ("unmapped.note", "x"),
        ("raw_data", "select 1"),
    ],
)
def test_what_is_not_of_the_schema_is_refused(place: str, value: object) -> None:
    """Another constant, version, kind or field."""
    with pytest.raises(InvalidRecord):
        read(changed(place, value))


def test_the_record_itself_is_read() -> None:
    """So the changes above are why they are refused."""
    assert read(canonical(event(RECORD))) == RECORD


def test_one_form_is_read() -> None:
    """Blanks, another order, escapes and doubled keys say the same to JSON, and not to us."""
    octets = encode(RECORD)
    others = [
        octets + b"\n",
        octets.replace(b'{"', b'{ "', 1),
        json.dumps(dict(reversed(event(RECORD).items())), separators=(",", ":")).encode(),
        octets.replace(b"worker", b"w\\u006frker"),
        octets[:-1] + b',"time":1}',
    ]
    for one in others:
        assert json.loads(one) == event(RECORD)
        with pytest.raises(InvalidRecord):
            read(one)


def test_a_record_has_a_limit() -> None:
    """Before it is parsed."""
    with pytest.raises(InvalidRecord, match="octets"):
        read(b"[" * (MAX_OCTETS + 1))
    with pytest.raises(InvalidRecord, match="JSON"):
        read(b"[" * MAX_OCTETS)
