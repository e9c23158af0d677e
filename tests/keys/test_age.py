"""Encryption to people, held against the program ``age`` in both directions."""

import os
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest
from tests.keys.people import an_identity, program

from strongroom.errors import (
    BackupDamaged,
    BackupFormatUnknown,
    BackupKeyWrong,
    BackupPassphraseShort,
    DoubledShare,
    ForeignShare,
    ImpossibleShares,
    RecipientInvalid,
    SharesMissing,
    StrongroomError,
)
from strongroom.keys import age
from strongroom.keys.age import Identities, ToPassphrase, ToRecipients, ToShares
from strongroom.secret import Secret

PLAINTEXT = os.urandom(70_000)
"""More than one chunk of age's, which has 64 KiB."""
TERMINAL = Path(__file__).parent.parent / "kit" / "terminal.py"
PASSPHRASE = Secret("correct horse battery staple")


def test_age_opens_what_is_written_to_a_recipient(tmp_path: Path) -> None:
    """The program opens the file with the identity that it made."""
    identity, recipient = an_identity(tmp_path)
    made = age.encrypt(PLAINTEXT, ToRecipients((recipient,)))
    opened = subprocess.run(
        [program("age"), "-d", "-i", str(identity)], input=made.content, capture_output=True, check=True
    )
    assert opened.stdout == PLAINTEXT
    assert made.to == recipient
    assert not age.is_to_passphrase(made.content)


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_age_opens_what_is_written_to_a_key_of_openssh(kind: str, tmp_path: Path) -> None:
    """So does the holder of an SSH key, by age and by us."""
    file = tmp_path / "id"
    subprocess.run([program("ssh-keygen"), "-q", "-t", kind, "-N", "", "-f", str(file)], check=True)
    made = age.encrypt(PLAINTEXT, ToRecipients(age.recipients_of((tmp_path / "id.pub").read_bytes())))
    opened = subprocess.run(
        [program("age"), "-d", "-i", str(file)], input=made.content, capture_output=True, check=True
    )
    assert opened.stdout == PLAINTEXT
    assert age.decrypt(made.content, age.of_identity_file(file.read_bytes())) == PLAINTEXT


def test_what_age_writes_is_opened(tmp_path: Path) -> None:
    """An operator may encrypt the document anew, to others; so binary and armored files open."""
    identity, recipient = an_identity(tmp_path)
    for options in ([], ["-a"]):
        theirs = subprocess.run(
            [program("age"), *options, "-r", recipient], input=PLAINTEXT, capture_output=True, check=True
        ).stdout
        assert age.decrypt(theirs, age.of_identity_file(identity.read_bytes())) == PLAINTEXT


def test_a_passphrase_by_the_program(tmp_path: Path) -> None:
    """age asks for the passphrase at a terminal, opens ours, and ours opens age's."""
    ours = age.encrypt(PLAINTEXT, ToPassphrase(PASSPHRASE))
    assert age.is_to_passphrase(ours.content)
    assert ours.to == "a passphrase"
    (tmp_path / "ours").write_bytes(ours.content)
    (tmp_path / "plain").write_bytes(PLAINTEXT)
    at_a_terminal(tmp_path, "-d", "-o", "opened", "ours")
    assert (tmp_path / "opened").read_bytes() == PLAINTEXT
    at_a_terminal(tmp_path, "-p", "-o", "theirs", "plain")
    assert age.decrypt((tmp_path / "theirs").read_bytes(), PASSPHRASE) == PLAINTEXT


def at_a_terminal(folder: Path, *arguments: str) -> None:
    """Runs age at a terminal of its own, and types the passphrase as often as it asks."""
    command = [sys.executable, str(TERMINAL), PASSPHRASE.danger_reveal(), program("age"), *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)


def test_shares() -> None:
    """Any k of n open it; the identity exists nowhere but in the shares."""
    made = age.encrypt(PLAINTEXT, ToShares(3, 5))
    assert len(made.shares) == 5
    assert made.to == f"3 of 5 shares of set {made.shares[0].set_id:08x}"
    lines = [share.danger_text() for share in made.shares]
    for some in (lines[:3], lines[2:], [lines[0], lines[2], lines[4]]):
        assert age.decrypt(made.content, age.of_shares(some)) == PLAINTEXT


def test_the_secret_in_the_shares_is_an_identity_of_age(tmp_path: Path) -> None:
    """What the shares bring back, written as docs/spec/keys.md says, opens the file by the program."""
    made = age.encrypt(PLAINTEXT, ToShares(2, 3))
    (identity,) = age.of_shares(share.danger_text() for share in made.shares[:2]).identities
    (tmp_path / "identity").write_text(f"{identity}\n")
    opened = subprocess.run(
        [program("age"), "-d", "-i", str(tmp_path / "identity")],
        input=made.content,
        capture_output=True,
        check=True,
    )
    assert opened.stdout == PLAINTEXT


def test_too_few_shares_and_those_of_another_set() -> None:
    """Each is said for what it is; a whole other set gives an identity that opens nothing here."""
    one, other = (age.encrypt(b"x", ToShares(2, 3)) for _ in range(2))
    lines = [share.danger_text() for share in one.shares]
    strange = [share.danger_text() for share in other.shares]
    cases: list[tuple[list[str], type[StrongroomError]]] = [
        (lines[:1], SharesMissing),
        ([], SharesMissing),
        ([lines[0], strange[1]], ForeignShare),
        ([lines[0], lines[0]], DoubledShare),
    ]
    for given, error in cases:
        with pytest.raises(error):
            age.of_shares(given)
    with pytest.raises(BackupKeyWrong):
        age.decrypt(one.content, age.of_shares(strange))
    with pytest.raises(ImpossibleShares):
        age.encrypt(b"x", ToShares(4, 3))


def test_the_wrong_key() -> None:
    """Another passphrase, another identity, or one kind for the other."""
    to_passphrase = age.encrypt(b"x", ToPassphrase(PASSPHRASE))
    stranger = pyrage.x25519.Identity.generate()
    to_recipient = age.encrypt(b"x", ToRecipients((str(stranger.to_public()),)))
    another = Identities([pyrage.x25519.Identity.generate()])
    cases: list[tuple[bytes, age.Key]] = [
        (to_passphrase.content, Secret("another passphrase")),
        (to_passphrase.content, another),
        (to_recipient.content, another),
        (to_recipient.content, PASSPHRASE),
    ]
    for content, key in cases:
        with pytest.raises(BackupKeyWrong):
            age.decrypt(content, key)


def test_every_change_is_noticed() -> None:
    """Cut anywhere, or one bit changed anywhere, and nothing comes out."""
    made = age.encrypt(b"x" * 100, ToShares(2, 2))
    for at in range(len(made.content)):
        changed = made.content[:at] + bytes([made.content[at] ^ 1]) + made.content[at + 1 :]
        for bad in (changed, made.content[:at]):
            with pytest.raises((BackupDamaged, BackupKeyWrong, BackupFormatUnknown)):
                age.decrypt(bad, made.key)


def test_what_is_no_age_file(tmp_path: Path) -> None:
    """Another program's file is damaged, a later version of age is named as such."""
    key = Identities([pyrage.x25519.Identity.generate()])
    with pytest.raises(BackupDamaged):
        age.decrypt(b"PGDMP" + bytes(300), key)
    with pytest.raises(BackupFormatUnknown):
        age.decrypt(b"age-encryption.org/v2\n-> X25519 abc\n", key)


def test_a_file_to_recipients_was_read_back() -> None:
    """The passing identity opens it, and is nobody's: two files have two."""
    stranger = str(pyrage.x25519.Identity.generate().to_public())
    one, other = (age.encrypt(PLAINTEXT, ToRecipients((stranger,))) for _ in range(2))
    assert age.decrypt(one.content, one.key) == PLAINTEXT
    with pytest.raises(BackupKeyWrong):
        age.decrypt(one.content, other.key)


def test_lines_that_are_none() -> None:
    """Recipients and identities that were cut or mistyped are refused, and never shown."""
    good = str(pyrage.x25519.Identity.generate().to_public())
    for bad in ("age1xyz", good[:-1], "ssh-ed25519 AAAA", "me@example.org"):
        with pytest.raises(RecipientInvalid) as caught:
            age.encrypt(b"x", ToRecipients((good, bad)))
        assert bad not in caught.value.message
    for content in (b"", b"# only a comment\n", b"\xff\xfe", b"AGE-SECRET-KEY-1XYZ", b"-----BEGIN OPENSSH x"):
        with pytest.raises(RecipientInvalid):
            age.of_identity_file(content)
    assert age.recipients_of(f"# Ada\n{good}\n\n".encode()) == (good,)


def test_a_short_passphrase() -> None:
    """One that would be guessed is refused."""
    with pytest.raises(BackupPassphraseShort):
        age.encrypt(b"x", ToPassphrase(Secret("hunter2")))


def test_keys_do_not_print() -> None:
    """Neither identities nor shares stand in what Python prints of them."""
    made = age.encrypt(b"x", ToShares(2, 2))
    shown = repr(made) + repr(made.key) + repr(ToPassphrase(PASSPHRASE))
    assert "SECRET" not in shown
    assert "horse" not in shown
    assert made.shares[0].octets.hex()[:12] not in shown
