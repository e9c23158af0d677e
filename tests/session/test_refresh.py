"""The question about what analysis must know anew, and its answer."""

import json

import pytest
from tests.session.conversation import DONE, ERROR, split
from tests.session.guarding import data_row

from strongroom.errors import CatalogUnreadable, UpstreamError
from strongroom.session.refresh import OWN, answer, question
from strongroom.session.replies import Request
from strongroom.sql.schema import CATALOG_QUERY
from strongroom.sql.statement import Barrier
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import HEADER

STYLE = {"DateStyle": "ISO, MDY", "TimeZone": "UTC"}


def told(*values: object) -> bytes:
    """The body of a row of JSON values."""
    return data_row(*(None if one is None else json.dumps(one).encode() for one in values))[HEADER:]


@pytest.mark.parametrize(
    ("stale", "with_catalog"),
    [
        (Barrier.SEARCH_PATH, False), (Barrier.ROLE | Barrier.STYLE, False), (Barrier.CATALOG, True),
        (~Barrier.NONE, True),
    ],
)  # fmt: skip
def test_the_question_is_as_large_as_it_must_be(stale: Barrier, with_catalog: bool) -> None:
    """The catalog only where it may have changed; path and style always, they cost nothing."""
    messages, _ = question(stale)
    text = m.Parse.parse(split(messages)[0][1]).text
    assert (CATALOG_QUERY in text) is with_catalog
    assert "current_schemas" in text
    assert "extra_float_digits" in text


def test_the_question_touches_nothing_of_the_clients() -> None:
    """Statement and portal have a name of their own, are closed again, and there is no Sync."""
    messages, requests = question(Barrier.CATALOG)
    said = split(messages)
    assert "".join(tag for tag, _ in said) == "PBECC"
    assert len(requests) == len(said)
    assert requests[0] is Request.PARSE
    assert all(OWN.encode() in body for _, body in said)


def test_an_answer() -> None:
    """Path and style; the catalog where it was asked for. Other messages say nothing."""
    found = answer(ord("D"), told({"path": ["pg_catalog", "a"]}, STYLE))
    assert found is not None
    assert (found.path, found.style, found.schema) == (("pg_catalog", "a"), STYLE, None)
    for tag, body in split(DONE):
        assert answer(ord(tag), body) is None


@pytest.mark.parametrize(
    ("tag", "body"),
    [
        ("E",
        ERROR[HEADER:]), ("D", told({"path": []})), ("D", told({"path": []}, None)), ("D", told(None, STYLE)),
        ("D", told({"path": []}, STYLE, STYLE)),
    ],
)  # fmt: skip
def test_an_answer_that_says_too_little_ends_the_session(tag: str, body: bytes) -> None:
    """Nothing is analysed by guess."""
    with pytest.raises(UpstreamError):
        answer(ord(tag), body)


def test_an_error_is_told_by_its_sqlstate_alone() -> None:
    """Its words might quote."""
    with pytest.raises(UpstreamError, match="22012") as failed:
        answer(ord("E"), ERROR[HEADER:])
    assert "division" not in failed.value.message


def test_a_catalog_that_is_not_understood() -> None:
    """Is no catalog."""
    with pytest.raises(CatalogUnreadable):
        answer(ord("D"), told({"relations": [{"oid": 1}], "path": []}, STYLE))
