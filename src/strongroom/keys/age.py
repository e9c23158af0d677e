"""Files of age (age-encryption.org/v1), which stock ``age`` and ``rage`` open: encrypted to a passphrase, to
recipients, or to a fresh identity whose secret is handed out in shares.

The format is rage's work, through pyrage; here is to whom, and with what. A file to recipients can only be
read back by who has their identities. So one more recipient is added whose identity is made here, used to
read the file back, and forgotten (docs/spec/keys.md, "Backups"). Called by ``backup.py``'s users.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

import bech32
import pyrage

from strongroom.errors import (
    BackupDamaged,
    BackupFormatUnknown,
    BackupKeyWrong,
    BackupPassphraseShort,
    RecipientInvalid,
    RootLibraryMissing,
)
from strongroom.keys.generate import new_key_id
from strongroom.secret import Secret

if TYPE_CHECKING:  # pyshamir may be missing
    from strongroom.keys.shares import Share

MIN_PASSPHRASE = 12  # characters, as for a root made of a passphrase: a file can be guessed at for ever
_SECRET_PREFIX = "age-secret-key-"  # noqa: S105  # the part of an identity that everybody knows
_TO_PASSPHRASE = b"\n-> scrypt "
# The only words of rage's for "another key" (age/src/error.rs); all else says that the file was changed.
_OTHER_KEY = {"No matching keys found", "Decryption failed"}
_OTHER_FORMAT = "Unknown age format"
_HEADER = b"age-encryption.org/v1\n"


@dataclass(frozen=True, slots=True)
class ToPassphrase:
    """To whoever knows the passphrase; scrypt makes each guess cost about a second."""

    passphrase: Secret

    def __str__(self) -> str:
        return "a passphrase"


@dataclass(frozen=True, slots=True)
class ToRecipients:
    """To age's own public keys, or OpenSSH's."""

    recipients: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(self.recipients)


@dataclass(frozen=True, slots=True)
class ToShares:
    """To any ``threshold`` of ``count`` people, each with a share."""

    threshold: int
    count: int

    def __str__(self) -> str:
        return f"{self.threshold} of {self.count} shares"


To = ToPassphrase | ToRecipients | ToShares


@dataclass(frozen=True, slots=True)
class Identities:
    """What opens a file: identities of age's or private keys of OpenSSH's."""

    identities: Sequence[Any] = field(repr=False)


Key = Secret | Identities
"""A passphrase, or identities."""


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A file's content, what opens it again, and the shares to be handed out."""

    content: bytes
    key: Key = field(repr=False)
    to: str
    """To whom, in words, for the register."""
    shares: "tuple[Share, ...]" = ()


def encrypt(plaintext: bytes, to: To) -> Encrypted:
    """The plaintext as an age file; raises ``RecipientInvalid``, ``ImpossibleShares``."""
    match to:
        case ToPassphrase(passphrase):
            _refuse_short(passphrase)
            content = pyrage.passphrase.encrypt(plaintext, passphrase.danger_reveal())
            return Encrypted(content, passphrase, str(to))
        case ToRecipients(recipients):
            passing = pyrage.x25519.Identity.generate()
            everybody = [*(_recipient(line) for line in recipients), passing.to_public()]
            return Encrypted(pyrage.encrypt(plaintext, everybody), Identities([passing]), str(to))
        case ToShares(threshold, count):
            identity, set_id = pyrage.x25519.Identity.generate(), new_key_id()
            shares = _shares().split(_secret_of(identity), set_id, count=count, threshold=threshold)
            content = pyrage.encrypt(plaintext, [identity.to_public()])
            # It is read back through shares, so that they are known to open it.
            back = of_shares(share.danger_text() for share in shares[-threshold:])
            return Encrypted(content, back, f"{to} of set {set_id:08x}", shares)


def decrypt(content: bytes, key: Key) -> bytes:
    """The plaintext again; raises ``BackupKeyWrong`` or ``BackupDamaged``."""
    try:
        if isinstance(key, Secret):
            return bytes(pyrage.passphrase.decrypt(content, key.danger_reveal()))
        return bytes(pyrage.decrypt(content, key.identities))
    except pyrage.DecryptError as error:
        said = str(error)
    if said in _OTHER_KEY:
        raise BackupKeyWrong("the file does not open: it was made for another key, or its head was changed")
    if said.startswith(_OTHER_FORMAT) and not content.startswith(_HEADER):
        raise BackupFormatUnknown("the file is in a format of age that is not known here")
    raise BackupDamaged("the file was cut or changed, or is not an age file")


def is_to_passphrase(content: bytes) -> bool:
    """Whether a passphrase opens the file (C2SP age.md, "scrypt recipient stanza": it stands alone)."""
    return content[:64].find(_TO_PASSPHRASE) >= 0


def of_shares(lines: Iterable[str]) -> Identities:
    """The identity of which these are shares; raises a ``ShareError``."""
    words = bech32.convertbits(_shares().combine(lines).secret, 8, 5) or ()
    return _identities(bech32.bech32_encode(_SECRET_PREFIX, words).upper())


def of_identity_file(content: bytes) -> Identities:
    """The identities in a file as age-keygen or ssh-keygen writes it; raises ``RecipientInvalid``."""
    if content.startswith(b"-----BEGIN OPENSSH"):
        try:
            return Identities([pyrage.ssh.Identity.from_buffer(content)])
        except pyrage.IdentityError:
            raise RecipientInvalid(
                "the private key of OpenSSH cannot be used",
                hint="it must be of Ed25519 or RSA, and not locked",
            ) from None
    return _identities(*_lines(content))


def recipients_of(content: bytes) -> tuple[str, ...]:
    """The lines of a file of recipients; raises ``RecipientInvalid``."""
    lines = _lines(content)
    for line in lines:
        _recipient(line)
    return tuple(lines)


def _shares() -> ModuleType:
    """What splits and combines; backups to recipients and passphrases do without."""
    try:
        from strongroom.keys import shares  # noqa: PLC0415  # pyshamir may be missing
    except ModuleNotFoundError as error:
        raise RootLibraryMissing(
            f"shares need the package {error.name}", hint="Run: pip install 'strongroom[shamir]'"
        ) from None
    return shares


def _lines(content: bytes) -> list[str]:
    try:
        lines = [line.strip() for line in content.decode().splitlines()]
    except UnicodeDecodeError:
        raise RecipientInvalid("the file is no text") from None
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise RecipientInvalid("the file is empty")
    return found


def _identities(*lines: str) -> Identities:
    try:
        return Identities([pyrage.x25519.Identity.from_str(line) for line in lines])
    except pyrage.IdentityError:
        raise RecipientInvalid(
            "a line of the file is no identity of age",
            hint="it begins with AGE-SECRET-KEY-1; an encrypted file of them is opened with `age -d` first",
        ) from None


def _recipient(line: str) -> Any:
    kind = pyrage.ssh.Recipient if line.startswith("ssh-") else pyrage.x25519.Recipient
    try:
        return kind.from_str(line)
    except pyrage.RecipientError:
        raise RecipientInvalid("a recipient is neither age's nor OpenSSH's") from None


def _secret_of(identity: Any) -> bytes:
    """The 32 octets of an identity (C2SP age.md, "X25519 recipient stanza"; BIP 173)."""
    _, words = bech32.bech32_decode(str(identity))
    return bytes(bech32.convertbits(words or (), 5, 8, False) or ())


def _refuse_short(passphrase: Secret) -> None:
    if len(passphrase.danger_reveal()) < MIN_PASSPHRASE:
        raise BackupPassphraseShort(f"the passphrase of a backup has at least {MIN_PASSPHRASE} characters")
