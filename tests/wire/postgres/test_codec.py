"""Framing: where messages begin and end, whatever the chunks."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import MalformedMessage, MessageTooLarge
from strongroom.wire.postgres.codec import CONTINUATION, Framer, message

LIMIT = 1000


def pieces(framer: Framer, chunks: list[bytes]) -> list[tuple[int, bytes]]:
    found = []
    for chunk in chunks:
        data, spans = framer.feed(chunk)
        found += [(tag, data[start:end]) for tag, start, end in spans]
    return found


bodies = st.lists(st.tuples(st.sampled_from([b"Q", b"D", b"Z"]), st.binary(max_size=40)), max_size=8)


def test_whole_messages_of_one_chunk_are_found_without_a_copy() -> None:
    """A chunk of whole messages is handed back as the same object, with a span for each."""
    chunk = message(b"B", b"abc") + message(b"S", b"")
    data, spans = Framer(LIMIT).feed(chunk)
    assert data is chunk
    assert spans == [(ord("B"), 0, 8), (ord("S"), 8, 13)]


@given(bodies, st.lists(st.integers(0, 400), max_size=10))
def test_chunks_do_not_matter(sent: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    """However the octets are cut into chunks, the same messages are found."""
    octets = b"".join(message(tag, body) for tag, body in sent)
    edges = sorted({0, len(octets), *(min(cut, len(octets)) for cut in cuts)})
    chunks = [octets[a:b] for a, b in itertools.pairwise(edges)]
    assert pieces(Framer(LIMIT), chunks) == [(tag[0], message(tag, body)) for tag, body in sent]


@given(bodies)
def test_byte_by_byte(sent: list[tuple[bytes, bytes]]) -> None:
    """Octets that arrive one at a time give the same messages, and nothing stays behind."""
    octets = b"".join(message(tag, body) for tag, body in sent)
    framer = Framer(LIMIT)
    found = pieces(framer, [octets[i : i + 1] for i in range(len(octets))])
    assert found == [(tag[0], message(tag, body)) for tag, body in sent]
    assert framer.held == 0


@given(bodies)
def test_a_message_can_be_passed_in_parts(sent: list[tuple[bytes, bytes]]) -> None:
    """What has begun can be taken out; all octets then come out in order, and none are held."""
    octets = b"".join(message(tag, body) for tag, body in sent)
    framer = Framer(LIMIT)
    found = []
    for i in range(0, len(octets), 7):
        data, spans = framer.feed(octets[i : i + 7])
        found += [(tag, data[start:end]) for tag, start, end in spans]
        if begun := framer.begun:
            found.append((begun, framer.release()))
        assert framer.held < 5
    assert b"".join(part for _, part in found) == octets
    assert [tag for tag, _ in found if tag != CONTINUATION] == [tag[0] for tag, _ in sent]


def test_an_incomplete_message_is_held_and_counted() -> None:
    """What is not whole yet is kept back, and `held` says how much that is."""
    framer = Framer(LIMIT)
    _, spans = framer.feed(message(b"Q", b"abcdef")[:-2])
    assert spans == []
    assert framer.held == 9


def test_messages_in_a_row_are_one_span() -> None:
    """Messages of a type that comes in runs are found together, others one by one."""
    chunk = message(b"D", b"1") + message(b"D", b"2") + message(b"Z", b"") + message(b"Z", b"")
    assert Framer(LIMIT, b"D").feed(chunk)[1] == [(68, 0, 12), (90, 12, 17), (90, 17, 22)]


@pytest.mark.parametrize("length", [0, 3, 0xFFFFFFFF])
def test_a_length_that_cannot_be_is_refused(length: int) -> None:
    """A length shorter than itself, or over the limit, ends the reading."""
    with pytest.raises((MalformedMessage, MessageTooLarge)):
        Framer(LIMIT).feed(b"Q" + length.to_bytes(4) + b"xx")


def test_the_limit_is_inclusive() -> None:
    """A message of exactly the limit passes, one octet more does not."""
    framer = Framer(14)
    assert len(framer.feed(message(b"Q", b"x" * 10))[1]) == 1
    with pytest.raises(MessageTooLarge) as caught:
        framer.feed(message(b"Q", b"x" * 11))
    assert "limits.message_bytes" in caught.value.hint
