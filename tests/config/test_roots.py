"""config/roots.py: where a root key lives."""

from pathlib import Path

import pytest
from pydantic_core import PydanticCustomError

from strongroom.config.awskms_address import AwsKmsAddress
from strongroom.config.kmip_address import parse_kmip
from strongroom.config.pkcs11_uri import parse_pkcs11
from strongroom.config.roots import DEFERRED, FileAddress, PassphraseAddress, parse_root
from strongroom.config.shamir_address import ShamirAddress
from strongroom.config.vault_address import VaultAddress
from strongroom.secret import Secret

FOLDER = Path("/etc/strongroom")


def test_places() -> None:
    """A file by its path, relative to the configuration; a passphrase of the environment, or asked for."""
    assert parse_root("file:/k", FOLDER) == FileAddress(Path("/k"))
    assert parse_root("file:root.key", FOLDER) == FileAddress(FOLDER / "root.key")
    assert parse_root("passphrase:six words", FOLDER) == PassphraseAddress(Secret("six words"))
    assert parse_root("passphrase:", FOLDER) == PassphraseAddress(None)


def test_each_provider_is_taken_by_its_own_parser() -> None:
    """Which are tested on their own."""
    arn = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    assert parse_root("shamir:", FOLDER) == ShamirAddress(None)
    assert isinstance(parse_root("vault:https://v.example/transit/key?token=x", FOLDER), VaultAddress)
    assert parse_root(f"awskms:{arn}", FOLDER) == AwsKmsAddress(arn, "eu-central-1")


def test_places_in_other_hands() -> None:
    """Each provider has an address of its own, whose parser has its own tests."""
    token = "token=t;object=o?module-path=m.so&pin-value=1"
    assert parse_root(f"pkcs11:{token}", FOLDER) == parse_pkcs11(token, FOLDER)
    server = "kms/1?ca=a&certificate=b&key=c"
    assert parse_root(f"kmip:{server}", FOLDER) == parse_kmip(server, FOLDER)


def test_what_comes_later_is_refused_by_name() -> None:
    """A provider that is planned is told from a misspelt one."""
    for kind in DEFERRED:
        with pytest.raises(PydanticCustomError, match=f"{kind}: is not supported yet"):
            parse_root(f"{kind}:x", FOLDER)


@pytest.mark.parametrize("value", ["/k", "file:", "file", "magic:x", "", 1])
def test_no_places(value: object) -> None:
    """Anything else is refused."""
    with pytest.raises(PydanticCustomError, match=r"not a place|must be"):
        parse_root(value, FOLDER)


def test_a_passphrase_does_not_print() -> None:
    """The address of a root goes into no log in the clear."""
    assert "words" not in repr(parse_root("passphrase:six words", FOLDER))
