"""``strongroom keys root make``: makes what an address names, or says what to run where it is to be made."""

import getpass
import re
import sys
from typing import Annotated, assert_never

import typer
from pydantic_core import PydanticCustomError
from rich.console import Console

from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_done
from strongroom.config import DEFAULT_FILE, Settings, load, variable
from strongroom.config.awskms_address import AwsKmsAddress
from strongroom.config.kmip_address import KmipAddress
from strongroom.config.pkcs11_uri import Pkcs11Address
from strongroom.config.roots import FileAddress, PassphraseAddress, RootAddress, parse_root
from strongroom.config.shamir_address import ShamirAddress
from strongroom.config.vault_address import VaultAddress
from strongroom.errors import WrongShare
from strongroom.keys.root.entering import Entered, needed_package
from strongroom.keys.root.file import FileRoot
from strongroom.keys.root.pkcs11 import Pkcs11Root

Address = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="As it will stand behind root: in the configuration.")
]
Shares = Annotated[
    str | None,
    typer.Option("--shares", metavar="K/N", help="For shamir: alone: N shares, any K of which are enough."),
]

_SHARES = re.compile(r"(\d{1,3})/(\d{1,3})")


def make(
    address: Address, *, config: Config = DEFAULT_FILE, shares: Shares = None, json: Json = False
) -> None:
    """Make a root: a file, a key in a token, or shares; for a key service, say what to run there.

    The configuration is not changed: write the address there when the root is made.

    Examples: strongroom keys root make file:/etc/strongroom/new.key · strongroom keys root make shamir:
    --shares 3/5
    """
    settings = load(config)
    place = _parsed(address, settings)
    if isinstance(place, ShamirAddress) != (shares is not None) or (
        isinstance(place, ShamirAddress) and place.set_id is not None
    ):
        raise typer.BadParameter("write `make shamir: --shares 3/5`: the set is drawn, and its id is shown")
    made, words = _made(place, settings, shares or "")
    print_done({"root": made, **({} if made else {"next": "\n".join(words)})}, *words, as_json=json)


def _made(place: RootAddress, settings: Settings, shares: str) -> tuple[str | None, list[str]]:
    """The name of the root, None where it is not made here; and what to say of it."""
    match place:
        case FileAddress(path):
            name = FileRoot.create(path, settings.state.path.parent).name
            advice = "copy it to a safe place, apart from backups of the database"
            return name, [f"the root {name} was made in {path}", advice]
        case Pkcs11Address():
            name = Pkcs11Root.create(place).name
            return name, [f"the root {name} was made in the token, which it never leaves"]
        case ShamirAddress():
            return _handed_out(shares)
        case PassphraseAddress():
            return None, [
                "a passphrase is not made: write it as second_root: and run `strongroom keys root rewrap`,",
                "or, where one is in use, `strongroom keys root rewrap --new-passphrase`",
            ]
        case VaultAddress() | AwsKmsAddress() | KmipAddress():
            return None, ["it is made there, by whoever may:\n\n" + _there(place)]
        case _:
            assert_never(place)


def _parsed(address: str, settings: Settings) -> RootAddress:
    """The address, ``${NAME}`` filled in as in the configuration."""
    try:
        return parse_root(re.sub(r"\$\{(\w+)\}", _variable, address), settings.file.parent)
    except PydanticCustomError as error:
        raise typer.BadParameter(error.message()) from None


def _variable(found: re.Match[str]) -> str:
    value = variable(found[1])
    if value is None:
        raise typer.BadParameter(f"the environment variable {found[1]} is not set")
    return value.danger_reveal()


def _there(place: VaultAddress | AwsKmsAddress | KmipAddress) -> str:
    match place:
        case VaultAddress():
            return (
                f"    bao secrets enable -path={place.mount} transit\n"
                f"    bao write -f {place.mount}/keys/{place.key}\n\n"
                "docs/guides/roots.md has the policy of its token"
            )
        case AwsKmsAddress():
            return (
                f"    aws kms create-key --region {place.region} --description 'Strongroom root'\n\n"
                "the answer's Arn is the address; docs/guides/roots.md has the policy"
            )
        case KmipAddress():
            return (
                "an AES key of 256 bits, active, for Encrypt and Decrypt, and without Export; its unique\n"
                "identifier is the last part of the address; docs/guides/roots-hsm.md says more"
            )
        case _:
            assert_never(place)


def _handed_out(wanted: str) -> tuple[str, list[str]]:
    """Shows each keeper their share on a screen of its own; then enough of them are entered once."""
    numbers = _SHARES.fullmatch(wanted)
    if numbers is None:
        raise typer.BadParameter("write --shares 3/5 for five shares of which three are needed")
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise typer.BadParameter("shares are shown at a terminal, to one keeper after another")
    with needed_package("shamir"):
        from strongroom.keys.root.shamir import ShamirRoot  # noqa: PLC0415  # pyshamir may be missing
    made, shares = ShamirRoot.make(threshold=int(numbers[1]), count=int(numbers[2]))
    console = Console(markup=False, highlight=False, soft_wrap=True)
    for number, share in enumerate(shares, 1):
        console.clear()
        console.print(f"Share {number} of {len(shares)}; for its keeper alone, who writes it down:\n")
        console.print(share.danger_text() + "\n")
        getpass.getpass("Enter clears the screen: ")
        print("\x1b[3J", end="")  # what has scrolled away, too (xterm's control sequences, "ED")
        console.clear()
    console.print(f"Now {numbers[1]} keepers enter theirs once, to see that they are right.")
    place = ShamirAddress(shares[0].set_id)
    if Entered.ask([place]).root_of_shares(place).name != made.name:
        raise WrongShare("the shares give another root than was split")
    return made.name, [
        f"the root {made.name} is in {len(shares)} shares, of which {numbers[1]} are enough:",
        f"    second_root: shamir:{shares[0].set_id:08x}",
    ]
