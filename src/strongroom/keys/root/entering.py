"""What people enter at the terminal for roots: passphrases, and shares of a split key.

Asked once, before anything else happens, and kept in memory for the life of the process: a reload asks
nobody. A passphrase is kept as it was entered, since its salt is found in what it wrapped; shares as the root
that they gave. Nothing of it prints. Called by ``opening.py``, and by the supervisor for its reloads.
"""

import contextlib
import getpass
import sys
from collections.abc import Iterable, Iterator

from strongroom.config.roots import PassphraseAddress, RootAddress
from strongroom.config.shamir_address import ShamirAddress
from strongroom.errors import PassphraseNeeded, RootError, RootLibraryMissing, RootUnreachable
from strongroom.keys.root import RootKey
from strongroom.secret import Secret


class Entered:
    """What was entered, by address; prints as nothing but its class."""

    __slots__ = ("_failures", "_passphrases", "_shares")

    def __init__(self) -> None:
        self._passphrases: dict[PassphraseAddress, Secret] = {}
        self._shares: dict[ShamirAddress, RootKey] = {}
        self._failures: dict[RootAddress, RootError] = {}

    def __repr__(self) -> str:
        return "<Entered>"

    @classmethod
    def ask(cls, addresses: Iterable[RootAddress]) -> "Entered":
        """Asks for what these addresses need; who cannot answer is told when the root is opened."""
        entered = cls()
        for address in addresses:
            try:
                entered._ask(address)
            except RootError as error:
                entered._failures[address] = error
        return entered

    def passphrase(self, address: PassphraseAddress) -> Secret:
        """The passphrase: of the address, or entered; raises ``PassphraseNeeded``."""
        if address.passphrase is not None:
            return address.passphrase
        if address in self._passphrases:
            return self._passphrases[address]
        raise self._failures.get(address) or PassphraseNeeded(
            "the passphrase of the root key was not entered at the start, and nobody is asked now",
            hint="start the gateway again at a terminal",
        )

    def root_of_shares(self, address: ShamirAddress) -> RootKey:
        """The root that the entered shares gave; raises the error that kept people from entering them."""
        if address in self._shares:
            return self._shares[address]
        raise self._failures.get(address) or RootUnreachable(
            "the shares of the root key were not entered at the start, and nobody is asked now",
            hint="start the gateway again at a terminal, with their keepers",
        )

    def _ask(self, address: RootAddress) -> None:
        match address:
            case PassphraseAddress(None):
                self._passphrases[address] = _asked_passphrase()
            case ShamirAddress(set_id):
                with needed_package("shamir"):
                    from strongroom.keys.root.shamir import ShamirRoot  # noqa: PLC0415  # pyshamir may be missing
                self._shares[address] = ShamirRoot.gather(_asked_share, _said, set_id)


def _asked_passphrase() -> Secret:
    if not sys.stdin.isatty():
        raise PassphraseNeeded("the passphrase of the root key is needed, and there is no terminal to ask at")
    try:
        return Secret(getpass.getpass("Passphrase of the root key: "))
    except EOFError:  # Ctrl-D
        raise PassphraseNeeded("the passphrase of the root key was not entered") from None


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
def needed_package(extra: str) -> Iterator[None]:
    """Says how to get what only one provider needs."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise RootLibraryMissing(
            f"the configured root key needs the package {error.name}",
            hint=f"Run: pip install 'strongroom[{extra}]'",
        ) from None
