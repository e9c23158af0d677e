"""Opening the configured roots at start, and making a file's where nothing was ever wrapped by another.

The only place where a root key comes into being (design, rule 7): a missing file is made while neither the
state nor a database holds a key; once one does, a missing root is a loss to be mended, and a new one would
hide it. Called by the shell: ``serve``, ``protect``, ``init``, ``check`` and the key commands.
"""

import contextlib
import getpass
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from strongroom.config.awskms_address import AwsKmsAddress
from strongroom.config.kmip_address import KmipAddress
from strongroom.config.pkcs11_uri import Pkcs11Address
from strongroom.config.roots import FileAddress, PassphraseAddress, RootAddress
from strongroom.config.shamir_address import ShamirAddress
from strongroom.config.vault_address import VaultAddress
from strongroom.errors import (
    PassphraseNeeded,
    RootError,
    RootKeyMissing,
    RootLibraryMissing,
    RootUnreachable,
)
from strongroom.keys.hierarchy import Roots
from strongroom.keys.kek import WrappedKek
from strongroom.keys.root import RootKey
from strongroom.keys.root.file import FileRoot
from strongroom.keys.root.kmip import KmipRoot
from strongroom.keys.root.passphrase import PassphraseRoot
from strongroom.keys.root.pkcs11 import Pkcs11Root
from strongroom.secret import Secret


def open_roots(addresses: Sequence[RootAddress], state_folder: Path, kept: Iterable[WrappedKek]) -> Roots:
    """The roots, of which one may be out of reach; raises its ``RootError`` where none can be used.

    ``kept`` is what roots wrapped before. Only what a second root is for is passed over: a root that is lost
    or does not answer. A file that others may read stops the start, whatever else is configured.
    """
    kept = list(kept)
    usable: list[RootKey] = []
    failures: list[RootError] = []
    for address in addresses:
        try:
            usable.append(open_root(address, state_folder, kept))
        except (RootKeyMissing, RootUnreachable) as error:
            failures.append(error)
    if not usable and failures:
        raise failures[0]
    return Roots(tuple(usable), tuple(failures))


def open_root(address: RootAddress, state_folder: Path, kept: Iterable[WrappedKek]) -> RootKey:
    """One root; raises a ``RootError``."""
    match address:
        case FileAddress(path):
            return FileRoot.open(path, state_folder)
        case PassphraseAddress(passphrase):
            return PassphraseRoot.open(passphrase or _asked(), kept)
        case ShamirAddress(set_id):
            with _library("shamir"):
                from strongroom.keys.root.shamir import ShamirRoot  # noqa: PLC0415  # pyshamir may be missing
            return ShamirRoot.gather(_asked_share, _said, set_id)
        case VaultAddress():
            with _library("vault"):
                from strongroom.keys.root.vault import VaultRoot  # noqa: PLC0415  # httpx2 may be missing
            return VaultRoot.open(address)
        case AwsKmsAddress():
            with _library("aws"):
                from strongroom.keys.root.awskms import AwsKmsRoot  # noqa: PLC0415  # boto3 may be missing
            return AwsKmsRoot.open(address)
        case Pkcs11Address():
            return Pkcs11Root.open(address)
        case KmipAddress():
            return KmipRoot.open(address)


def make_missing(addresses: Sequence[RootAddress], state_folder: Path) -> list[str]:
    """Makes the key files that are not there; returns what to tell the operator.

    Only for who knows that nothing was ever wrapped: neither the state nor any database holds a key.
    """
    made = []
    for address in addresses:
        if isinstance(address, FileAddress) and not address.path.exists():
            FileRoot.create(address.path, state_folder)
            made.append(
                f"root key {address.path} was made: copy it to a safe place, apart from backups of the"
                " database"
            )
    return made


def _asked() -> Secret:
    if not sys.stdin.isatty():
        raise PassphraseNeeded("the passphrase of the root key is needed, and there is no terminal to ask at")
    return Secret(getpass.getpass("Passphrase of the root key: "))


def _asked_share(prompt: str) -> str:
    if not sys.stdin.isatty():
        raise RootUnreachable(
            "the root key is in shares, and there is no terminal to enter them at",
            hint="start it at a terminal, with the keepers of the shares",
        )
    try:
        return getpass.getpass(prompt)
    except EOFError:  # Ctrl-D: the keepers are not there; a second root may be
        raise RootUnreachable(
            "the shares of the root key were not entered", hint="start it again with their keepers"
        ) from None


def _said(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _library(extra: str) -> Iterator[None]:
    """Says how to get what only one provider needs."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise RootLibraryMissing(
            f"the configured root key needs the package {error.name}",
            hint=f"Run: pip install 'strongroom[{extra}]'",
        ) from None
