"""Where a root key lives, as ``keys.root`` names it: a word for the provider, and what that provider needs.

One frozen address and one parser for each provider; ``keys/root/opening.py`` opens what they name. What is
secret in an address (a passphrase, a token) comes from the environment by ``${NAME}`` and is a ``Secret``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from strongroom.config.awskms_address import AwsKmsAddress, parse_awskms
from strongroom.config.kmip_address import KmipAddress, parse_kmip
from strongroom.config.pkcs11_uri import Pkcs11Address, parse_pkcs11
from strongroom.config.shamir_address import ShamirAddress, parse_shamir
from strongroom.config.values import expect_text, invalid, parse_path
from strongroom.config.vault_address import VaultAddress, parse_vault
from strongroom.secret import Secret

DEFERRED = ("gcpkms", "azurekms")


@dataclass(frozen=True, slots=True)
class FileAddress:
    """``file:PATH``: a key in a file."""

    path: Path


@dataclass(frozen=True, slots=True)
class PassphraseAddress:
    """``passphrase:${NAME}``, or ``passphrase:`` alone, which asks at the terminal."""

    passphrase: Secret | None


RootAddress = (
    FileAddress
    | PassphraseAddress
    | ShamirAddress
    | VaultAddress
    | AwsKmsAddress
    | Pkcs11Address
    | KmipAddress
)


def parse_root(value: object, folder: Path) -> RootAddress:
    """The place of a root key; relative paths are relative to the configuration file."""
    kind, colon, rest = expect_text(value, "the root key's place").partition(":")
    parse = _PARSERS.get(kind)
    if colon and parse is not None:
        return parse(rest, folder)
    if kind in DEFERRED:
        raise invalid(f"a root key in {kind}: is not supported yet", instead="write file: and a path")
    raise invalid("is not a place for the root key", instead="write file: and a path")


def _file(rest: str, folder: Path) -> RootAddress:
    if not rest:
        raise invalid("is not a place for the root key", instead="write file: and a path")
    return FileAddress(parse_path(rest, folder))


def _passphrase(rest: str, folder: Path) -> RootAddress:
    del folder
    return PassphraseAddress(Secret(rest) if rest else None)


_PARSERS: Mapping[str, Callable[[str, Path], RootAddress]] = MappingProxyType(
    {
        "file": _file,
        "passphrase": _passphrase,
        "shamir": parse_shamir,
        "vault": parse_vault,
        "awskms": parse_awskms,
        "pkcs11": parse_pkcs11,
        "kmip": parse_kmip,
    }
)
