"""config/pkcs11_uri.py: RFC 7512 URIs of root keys."""

from pathlib import Path

import pytest
from pydantic_core import PydanticCustomError

from strongroom.config.pkcs11_uri import Pkcs11Address, parse_pkcs11
from strongroom.secret import Secret

FOLDER = Path("/etc/strongroom")
MODULE = "module-path=/usr/lib/softhsm/libsofthsm2.so"


def test_a_token_a_key_a_module_and_a_pin() -> None:
    """The form that the documents show."""
    address = parse_pkcs11(f"token=strongroom;object=root?{MODULE}&pin-source=file:pin", FOLDER)
    assert address == Pkcs11Address(
        module=Path("/usr/lib/softhsm/libsofthsm2.so"),
        token=(("token", "strongroom"),),
        label="root",
        identifier=None,
        pin=FOLDER / "pin",
    )
    assert address.name == "pkcs11 token=strongroom object=root"


def test_a_key_by_serial_and_id() -> None:
    """An id is octets, and shown as such; the order in which attributes are written does not matter."""
    address = parse_pkcs11(f"id=%00%ff;serial=12;type=secret-key?pin-value=1234&{MODULE}", FOLDER)
    assert (address.token, address.label, address.identifier) == ((("serial", "12"),), None, b"\x00\xff")
    assert address.pin == Secret("1234")
    assert address.name == "pkcs11 serial=12 id=00ff"


def test_values_are_percent_encoded() -> None:
    """A label with a semicolon, a PIN with an ampersand; a plus is a plus."""
    address = parse_pkcs11(f"token=a%3bb;object=r%20+?{MODULE}&pin-value=%26%25", FOLDER)
    assert (address.token, address.label, address.pin) == ((("token", "a;b"),), "r +", Secret("&%"))


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/run/pin", "/run/pin"),
        ("file:/run/pin", "/run/pin"),
        ("file:///run/pin", "/run/pin"),
        ("pin", "/etc/strongroom/pin"),
        ("file:pin", "/etc/strongroom/pin"),
    ],
)
def test_the_places_of_a_pin(written: str, path: str) -> None:
    """A path or a file: URI; relative to the configuration."""
    assert parse_pkcs11(f"token=t;object=o?{MODULE}&pin-source={written}", FOLDER).pin == Path(path)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "token",
        "token=",
        f"token=t?{MODULE}&pin-value=1",
        f"object=o?{MODULE}&pin-value=1",
        f"model=m;object=o?{MODULE}&pin-value=1",
        "token=t;object=o?pin-value=1",
        f"token=t;object=o?{MODULE}",
        f"token=t;object=o?{MODULE}&pin-value=1&pin-source=file:pin",
        f"token=t;object=o?{MODULE}&pin-source=file:",
        f"token=t;object=o?{MODULE}&pin-source=|cat pin",
        f"token=t;object=o?{MODULE}&module-name=softhsm2&pin-value=1",
        f"token=t;token=u;object=o?{MODULE}&pin-value=1",
        f"token=t;object=o;type=private?{MODULE}&pin-value=1",
        f"token=t;object=o;slot-id=3?{MODULE}&pin-value=1",
        f"token=t;object=o;?{MODULE}&pin-value=1",
        f"token=t;object=%ff?{MODULE}&pin-value=1",
        f"token=t;object=o?{MODULE}&pin-value=%2",
    ],
)
def test_what_cannot_be_obeyed_is_refused(written: str) -> None:
    """Missing, doubled, unknown and malformed parts, each with what to write; no value is repeated."""
    with pytest.raises(PydanticCustomError) as caught:
        parse_pkcs11(written, FOLDER)
    assert (caught.value.context or {})["instead"]
    assert "1" not in caught.value.message().replace("pkcs11", "")
