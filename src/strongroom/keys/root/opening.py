"""Opening the configured roots at start, and making a file's where nothing was ever wrapped by another.

The only place where a root key comes into being (design, rule 7): a missing file is made while neither the
state nor a database holds a key; once one does, a missing root is a loss to be mended, and a new one would
hide it. Called by the shell: ``serve``, ``protect``, ``init``, ``check`` and the key commands.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from strongroom.config.awskms_address import AwsKmsAddress
from strongroom.config.kmip_address import KmipAddress
from strongroom.config.pkcs11_uri import Pkcs11Address
from strongroom.config.roots import FileAddress, PassphraseAddress, RootAddress
from strongroom.config.shamir_address import ShamirAddress
from strongroom.config.vault_address import VaultAddress
from strongroom.errors import RootError
from strongroom.keys.hierarchy import OUTSIDE, Roots
from strongroom.keys.kek import WrappedKek
from strongroom.keys.root import RootKey
from strongroom.keys.root.entering import Entered, needed_package
from strongroom.keys.root.file import FileRoot
from strongroom.keys.root.kmip import KmipRoot
from strongroom.keys.root.passphrase import PassphraseRoot
from strongroom.keys.root.pkcs11 import Pkcs11Root

PROVIDERS: Mapping[type, str] = MappingProxyType(
    {
        FileAddress: "file",
        PassphraseAddress: "passphrase",
        ShamirAddress: "shamir",
        VaultAddress: "vault",
        AwsKmsAddress: "awskms",
        Pkcs11Address: "pkcs11",
        KmipAddress: "kmip",
    }
)


def open_roots(
    addresses: Sequence[RootAddress],
    state_folder: Path,
    kept: Iterable[WrappedKek],
    entered: Entered | None = None,
) -> Roots:
    """The roots, of which one may be out of reach; raises its ``RootError`` where none can be used.

    ``kept`` is what roots wrapped before; ``entered`` what people entered, who are asked if it is left out.
    Only what a second root is for is passed over: the outside world. A file that others may read, or a root
    that opens nothing, stops the start, whatever else is configured.
    """
    kept = list(kept)
    entered = entered or Entered.ask(addresses)
    usable: list[RootKey] = []
    failures: list[RootError] = []
    for address in addresses:
        try:
            usable.append(open_root(address, state_folder, kept, entered))
        except OUTSIDE as error:
            failures.append(error)
    if not usable and failures:
        raise failures[0]
    return Roots(tuple(usable), tuple(failures))


def open_root(
    address: RootAddress, state_folder: Path, kept: Iterable[WrappedKek], entered: Entered | None = None
) -> RootKey:
    """One root; raises a ``RootError``."""
    entered = entered or Entered.ask([address])
    match address:
        case FileAddress(path):
            return FileRoot.open(path, state_folder)
        case PassphraseAddress():
            return PassphraseRoot.open(entered.passphrase(address), kept)
        case ShamirAddress():
            return entered.root_of_shares(address)
        case VaultAddress():
            with needed_package("vault"):
                from strongroom.keys.root.vault import VaultRoot  # noqa: PLC0415  # httpx2 may be missing
            return VaultRoot.open(address)
        case AwsKmsAddress():
            with needed_package("aws"):
                from strongroom.keys.root.awskms import AwsKmsRoot  # noqa: PLC0415  # boto3 may be missing
            return AwsKmsRoot.open(address)
        case Pkcs11Address():
            return Pkcs11Root.open(address)
        case KmipAddress():
            return KmipRoot.open(address)


def name_of(address: RootAddress) -> str | None:
    """The name of the root at this address, where it can be told without opening it."""
    return None if isinstance(address, FileAddress | PassphraseAddress) else address.name


def provider_of(address: RootAddress) -> str:
    """The word before the colon, which is the first of the root's name too."""
    return PROVIDERS[type(address)]


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
