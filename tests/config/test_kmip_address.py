"""config/kmip_address.py: where a key in a KMIP server is."""

from pathlib import Path

import pytest
from pydantic_core import PydanticCustomError

from strongroom.config.kmip_address import KmipAddress, parse_kmip
from strongroom.config.values import Address

FOLDER = Path("/etc/strongroom")
FILES = "ca=ca.pem&certificate=/run/client.crt&key=client.key"


def test_a_server_a_key_and_certificates() -> None:
    """The form that the documents show."""
    address = parse_kmip(f"kms.example:5697/6f1b-2?{FILES}", FOLDER)
    assert address == KmipAddress(
        server=Address("kms.example", 5697),
        identifier="6f1b-2",
        ca=FOLDER / "ca.pem",
        certificate=Path("/run/client.crt"),
        key=FOLDER / "client.key",
    )
    assert address.name == "kmip kms.example:5697/6f1b-2"


@pytest.mark.parametrize(
    ("written", "server", "identifier"),
    [
        ("kms.example/1", Address("kms.example", 5696), "1"),
        ("10.0.0.1:1/1", Address("10.0.0.1", 1), "1"),
        ("[::1]:5696/1", Address("::1", 5696), "1"),
        ("[::1]/1", Address("::1", 5696), "1"),
        ("kms/a%2Fb%3Fc/d", Address("kms", 5696), "a/b?c/d"),
    ],
)
def test_servers_and_identifiers(written: str, server: Address, identifier: str) -> None:
    """The port has a default, an identifier may hold anything."""
    address = parse_kmip(f"{written}?{FILES}", FOLDER)
    assert (address.server, address.identifier) == (server, identifier)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "kms.example",
        f"kms.example:5696?{FILES}",
        f"kms.example:5696/?{FILES}",
        f"/1?{FILES}",
        f"kms:0/1?{FILES}",
        f"kms:65536/1?{FILES}",
        f"kms:port/1?{FILES}",
        f"user@kms/1?{FILES}",
        f"::1/1?{FILES}",
        "kms/1",
        "kms/1?ca=ca.pem",
        f"kms/1?{FILES}&ca=other.pem",
        f"kms/1?{FILES}&password=1",
        "kms/1?ca=&certificate=c&key=k",
    ],
)
def test_what_cannot_be_obeyed_is_refused(written: str) -> None:
    """Missing, doubled, unknown and malformed parts, each with what to write instead."""
    with pytest.raises(PydanticCustomError) as caught:
        parse_kmip(written, FOLDER)
    assert (caught.value.context or {})["instead"]
