"""The messages of a login."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import MalformedMessage
from strongroom.wire.postgres.authentication import (
    MAX_MECHANISMS,
    Authentication,
    AuthenticationCode,
    SASLInitialResponse,
    authentication_sasl,
    password_message,
    sasl_response,
)
from strongroom.wire.postgres.codec import HEADER


def test_the_list_of_mechanisms_goes_there_and_back() -> None:
    """AuthenticationSASL carries the mechanisms in order, each a string, and an empty one at the end."""
    sent = authentication_sasl(("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"))
    assert sent == b"R\x00\x00\x00\x2a\x00\x00\x00\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"
    parsed = Authentication.parse(sent[HEADER:])
    assert parsed.code == AuthenticationCode.SASL
    assert parsed.mechanisms() == ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256")


@pytest.mark.parametrize(
    "data", [b"", b"SCRAM", b"SCRAM\0", b"SCRAM\0\0x", b"\xff\0\0", b"S\0" * (MAX_MECHANISMS + 1) + b"\0"]
)
def test_a_malformed_list_of_mechanisms_is_refused(data: bytes) -> None:
    """A list must end with an empty name, have nothing behind it, and be short."""
    with pytest.raises(MalformedMessage):
        Authentication(AuthenticationCode.SASL, data).mechanisms()


@pytest.mark.parametrize("data", [None, b"", b"n,,n=,r=abc"])
def test_an_initial_response_goes_there_and_back(data: bytes | None) -> None:
    """No data and empty data are told apart."""
    response = SASLInitialResponse("SCRAM-SHA-256", data)
    sent = response.serialise()
    assert sent[:1] == b"p"
    assert SASLInitialResponse.parse(sent[HEADER:]) == response


def test_a_torn_or_prolonged_initial_response_is_refused() -> None:
    """Every proper prefix of the body, and the body with an octet more, is malformed."""
    body = SASLInitialResponse("SCRAM-SHA-256", b"data").serialise()[HEADER:]
    for torn in [body[:end] for end in range(len(body))] + [body + b"x"]:
        with pytest.raises(MalformedMessage):
            SASLInitialResponse.parse(torn)


@given(st.binary())
def test_any_body_is_parsed_or_malformed(body: bytes) -> None:
    """No body makes anything else than a message or MalformedMessage."""
    for parse in (Authentication.parse, SASLInitialResponse.parse):
        try:
            parse(body)
        except MalformedMessage:
            continue


def test_answers_are_framed_as_the_manual_says() -> None:
    """PasswordMessage ends with a zero octet, SASLResponse does not."""
    assert password_message(b"secret") == b"p\x00\x00\x00\x0bsecret\0"
    assert sasl_response(b"abc") == b"p\x00\x00\x00\x07abc"


def test_a_password_with_a_zero_octet_cannot_be_sent() -> None:
    """It would be cut off at the zero, so it is refused."""
    with pytest.raises(MalformedMessage):
        password_message(b"a\0b")
