"""Records read fast: the same as read one by one, and as strictly."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audit.recorded import head, later, permitted
from tests.audit.records.world import ANY, PERMITTED

from strongroom.audit.records import skimming
from strongroom.audit.records.codes import Record
from strongroom.audit.records.encoding import GREATEST, encode
from strongroom.audit.records.reading import read
from strongroom.audit.records.skimming import Skimmer
from strongroom.audit.records.statements import Permitted
from strongroom.audit.records.traits import traits_of
from strongroom.errors import InvalidRecord

NUMBERS = st.integers(0, 20) | st.integers(0, GREATEST)


def assert_skimmed(skimmer: Skimmer, record: Record) -> None:
    """Kind and numbers are the record's own."""
    found = skimmer.skim(encode(record))
    assert found.kind.traits == traits_of(record)
    assert (found.time, found.sequence) == (record.head.time, record.head.sequence)
    assert type(found.kind.like) is type(record)
    if isinstance(record, Permitted):
        numbers = found.session, found.statement, found.rows, found.values
        outcome = record.outcome
        assert numbers == (record.client.session, record.statement, outcome.rows, outcome.values)


@settings(max_examples=100)
@given(st.lists(ANY, max_size=4))
def test_what_was_written_is_skimmed(records: list[Record]) -> None:
    """Each record, and again when it is known."""
    skimmer = Skimmer()
    for record in [*records, *records]:
        assert_skimmed(skimmer, record)


@settings(max_examples=100)
@given(PERMITTED, st.lists(st.tuples(*[NUMBERS] * 6, st.integers(0, 2**64 - 1)), min_size=1, max_size=4))
def test_its_own_numbers(record: Permitted, drawn: list[tuple[int, ...]]) -> None:
    """Of many that are alike, be the numbers as great as they may be."""
    skimmer = Skimmer()
    for time, sequence, statement, duration, rows, values, session in drawn:
        one = replace(
            record,
            head=replace(record.head, time=time, sequence=sequence),
            client=replace(record.client, session=f"{session:016x}"),
            outcome=replace(record.outcome, duration=duration, rows=rows, values=values),
            statement=statement,
        )
        assert_skimmed(skimmer, one)
    assert len({id(skimmer.skim(encode(record)).kind) for _ in range(3)}) == 1


@settings(max_examples=300)
@given(st.data())
def test_it_refuses_what_reading_refuses(data: st.DataObject) -> None:
    """A changed octet of a record whose like is known already: refused by both, or the same to both."""
    skimmer = Skimmer()
    octets = bytearray(encode(permitted()))
    skimmer.skim(bytes(octets))
    place = data.draw(st.integers(0, len(octets) - 1))
    octets[place : place + data.draw(st.integers(0, 2))] = data.draw(
        st.binary(max_size=2) | st.text("0123456789.eE-", max_size=17).map(str.encode)
    )
    try:
        record = read(bytes(octets))
    except InvalidRecord:
        with pytest.raises(InvalidRecord):
            skimmer.skim(bytes(octets))
    else:
        assert_skimmed(skimmer, record)


@pytest.mark.parametrize("number", [b"01", b"1.5", b"1e3", b"-1", b"9007199254740992", b"100000000000000000"])
def test_a_number_in_another_form(number: bytes) -> None:
    """Is refused, though all else is known."""
    skimmer, octets = Skimmer(), encode(permitted(rows=7))
    skimmer.skim(octets)
    with pytest.raises(InvalidRecord):
        skimmer.skim(octets.replace(b'"rows":7', b'"rows":' + number))


def test_a_doubled_key_and_a_later_version() -> None:
    """Are refused as well."""
    skimmer, octets = Skimmer(), encode(permitted(rows=7))
    skimmer.skim(octets)
    for changed in (octets.replace(b'"rows":7', b'"rows":7,"rows":7'), later(permitted())):
        with pytest.raises(InvalidRecord):
            skimmer.skim(changed)


def test_it_remembers_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """And goes on reading what it forgot."""
    monkeypatch.setattr(skimming, "KINDS", 3)
    skimmer = Skimmer()
    records = [replace(permitted(), database=f"shop{one}", head=head(one)) for one in range(8)]
    for record in [*records, *records]:
        assert_skimmed(skimmer, record)
