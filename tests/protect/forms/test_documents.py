"""protect/forms/documents.py: json as it was sent, jsonb in its normal form."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import InvalidBinary, InvalidText, UnsupportedInput
from strongroom.protect.forms.documents import JSON, JSONB, MAX_DEPTH
from strongroom.protect.style import TextStyle

STYLE = TextStyle()
text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
)


@given(documents)
def test_the_normal_form_means_the_same(document: object) -> None:
    """And is its own normal form."""
    normal = JSONB.input(json.dumps(document).encode(), STYLE)
    assert json.loads(normal) == document
    assert JSONB.input(normal, STYLE) == normal
    assert JSONB.receive(JSONB.send(normal, -1)) == normal


@given(documents)
def test_json_is_kept_as_it_was_sent(document: object) -> None:
    """White space and all."""
    written = json.dumps(document, indent=3, ensure_ascii=False).encode()
    assert JSON.input(written, STYLE) == JSON.receive(written) == written


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_depth_is_bounded(opening: bytes) -> None:
    """Before Python's parser could run out of stack."""
    for form in (JSON, JSONB):
        with pytest.raises(UnsupportedInput):
            form.input(opening * (MAX_DEPTH + 1), STYLE)
    closed = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert JSONB.input(closed, STYLE) == closed
    with pytest.raises(UnsupportedInput):
        JSON.input(b"[" * 1_000_000, STYLE)
    assert JSON.input(b'"' + b"[" * 1000 + b'"', STYLE)


@given(st.text(alphabet='{}[]",:0123e+-.truefalsn\\ \n', max_size=25))
def test_any_text_is_read_as_json_or_refused(written: str) -> None:
    """Python's own reader, without the words that JSON has not, is the judge."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    try:
        expected = json.loads(written, parse_constant=refuse)
    except ValueError:
        with pytest.raises(InvalidText):
            JSON.input(written.encode(), STYLE)
        return
    assert JSON.input(written.encode(), STYLE) == written.encode()
    assert expected is None or expected == json.loads(written)


@pytest.mark.parametrize("value", [b"", b"{}", b"\2{}"])
def test_binary_jsonb_has_its_version(value: bytes) -> None:
    """A byte 1 before the text."""
    with pytest.raises(InvalidBinary):
        JSONB.receive(value)


def test_exponents_cannot_make_a_document_arbitrarily_long() -> None:
    """Eight bytes that stand for a hundred thousand are PostgreSQL's, too, but not any number of them."""
    assert len(JSONB.input(b"[1e131071]", STYLE)) == 131_074
    with pytest.raises(UnsupportedInput):
        JSONB.input(b"[" + b",".join([b"1e131071"] * 200) + b"]", STYLE)
