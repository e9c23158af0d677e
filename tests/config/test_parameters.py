"""config/parameters.py: what stands behind the question mark of an address."""

import pytest
from pydantic_core import PydanticCustomError

from strongroom.config.parameters import parse_parameters, parse_server

KNOWN = {"token", "ca"}


def test_known_parameters_are_taken_once() -> None:
    """Percent signs are decoded, and there may be none at all."""
    assert parse_parameters("token=a%26b&ca=x/y.pem", KNOWN) == {"token": "a&b", "ca": "x/y.pem"}
    assert parse_parameters("", KNOWN) == {}


@pytest.mark.parametrize(
    "query",
    ["token", "tokn=hush", "hush", "token=hush&token=hush", "token=", "token=hush&", "&", "ca=x&hush=1"],
)
def test_others_are_refused_and_not_shown(query: str) -> None:
    """A misspelt name may stand before a secret, or be one."""
    with pytest.raises(PydanticCustomError) as caught:
        parse_parameters(query, KNOWN)
    assert "hush" not in f"{caught.value} {caught.value.context}"


@pytest.mark.parametrize(
    ("scheme", "netloc", "server"),
    [
        ("https", "Vault.example:8200", "https://vault.example:8200"),
        ("https", "[2001:DB8::1]", "https://[2001:db8::1]"),
        ("http", "localhost:1", "http://localhost:1"),
        ("http", "127.9.9.9:65535", "http://127.9.9.9:65535"),
    ],
)
def test_servers(scheme: str, netloc: str, server: str) -> None:
    """By name or address, with a port or without."""
    assert parse_server(scheme, netloc, "write so") == server


@pytest.mark.parametrize(
    "netloc", ["", "a b", "a:0", "a:65536", "a:b", "me@a", "a..:1:1", "-a", "kéy", "[::1", "a/b"]
)
def test_no_servers(netloc: str) -> None:
    """What a client of HTTP would stumble over later."""
    with pytest.raises(PydanticCustomError, match="does not name a server"):
        parse_server("https", netloc, "write so")


@pytest.mark.parametrize("scheme", ["ftp", "", "httpss", "HTTP"])
def test_no_schemes(scheme: str) -> None:
    """Only the one that is verified, or the plain one to this machine."""
    with pytest.raises(PydanticCustomError, match="does not name a server"):
        parse_server(scheme, "localhost", "write so")


@pytest.mark.parametrize("netloc", ["vault.example", "10.0.0.1:8200", "[2001:db8::1]", "127.0.0.1.example"])
def test_plain_http_elsewhere_is_refused(netloc: str) -> None:
    """Whoever is between would read along."""
    with pytest.raises(PydanticCustomError, match="plain http"):
        parse_server("http", netloc, "write so")
