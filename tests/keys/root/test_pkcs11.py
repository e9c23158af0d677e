"""keys/root/pkcs11.py: the root key in a token, against SoftHSM."""

import os
import shutil
from pathlib import Path

import pytest

from strongroom.config.pkcs11_uri import Pkcs11Address, parse_pkcs11
from strongroom.errors import (
    Bug,
    PinRefused,
    RootKeyMissing,
    RootKeyUnsafe,
    RootRefused,
    RootUnreachable,
    WrongRoot,
)
from strongroom.keys.root.pkcs11 import FORMAT, MAX_PLAINTEXT, Pkcs11Root
from strongroom.testing.softhsm import PIN, SoftHsm


def address(softhsm: SoftHsm, token: str = "strongroom", key: str = "root", pin: str = PIN) -> Pkcs11Address:
    return parse_pkcs11(softhsm.uri(token, key, pin), softhsm.folder)


def test_what_one_wraps_the_other_unwraps(softhsm: SoftHsm) -> None:
    """The key was made in the token, and stays the same over every opening."""
    made = Pkcs11Root.create(address(softhsm))
    opened = Pkcs11Root.open(address(softhsm))
    assert opened.unwrap(made.wrap(b"key", b"shop"), b"shop") == b"key"
    assert made.wrap(b"key", b"shop") != made.wrap(b"key", b"shop")
    assert opened.name == "pkcs11 token=strongroom object=root"
    assert repr(opened) == "<Pkcs11Root pkcs11 token=strongroom object=root>"


@pytest.mark.parametrize("size", [0, 1, MAX_PLAINTEXT])
def test_every_size(softhsm: SoftHsm, size: int) -> None:
    """From nothing to the most that a root wraps, with associated data of any length."""
    root = Pkcs11Root.create(address(softhsm))
    plaintext, associated_data = os.urandom(size), os.urandom(size)
    assert root.unwrap(root.wrap(plaintext, associated_data), associated_data) == plaintext


def test_more_is_not_wrapped(softhsm: SoftHsm) -> None:
    """Longer keys would be a defect of ours."""
    root = Pkcs11Root.create(address(softhsm))
    with pytest.raises(Bug):
        root.wrap(b"x" * (MAX_PLAINTEXT + 1), b"")


def test_what_was_changed_does_not_open(softhsm: SoftHsm) -> None:
    """Other associated data, any octet changed, cut at any length, another format."""
    root = Pkcs11Root.create(address(softhsm))
    wrapped = root.wrap(b"key", b"shop")
    changed = [wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1 :] for at in (0, 1, 13, -1)]
    for other in (*changed, wrapped[:-1], FORMAT, b"", wrapped + b"x"):
        with pytest.raises(WrongRoot):
            root.unwrap(other, b"shop")
    with pytest.raises(WrongRoot):
        root.unwrap(wrapped, b"stop")
    assert root.unwrap(wrapped, b"shop") == b"key"


def test_another_key_does_not_open_it(softhsm: SoftHsm) -> None:
    """Of the same token, or of the same name in another token."""
    softhsm.add_token("other")
    wrapped = Pkcs11Root.create(address(softhsm)).wrap(b"key", b"shop")
    for other in (address(softhsm, key="second"), address(softhsm, token="other")):
        with pytest.raises(WrongRoot):
            Pkcs11Root.create(other).unwrap(wrapped, b"shop")


def test_a_key_is_never_overwritten(softhsm: SoftHsm) -> None:
    """Nor is a second one of its name made."""
    wrapped = Pkcs11Root.create(address(softhsm)).wrap(b"key", b"shop")
    with pytest.raises(RootRefused):
        Pkcs11Root.create(address(softhsm))
    assert Pkcs11Root.open(address(softhsm)).unwrap(wrapped, b"shop") == b"key"


def test_a_missing_key_is_named(softhsm: SoftHsm) -> None:
    """With what was sought."""
    with pytest.raises(RootKeyMissing, match="object=root"):
        Pkcs11Root.open(address(softhsm))


def test_a_missing_token_is_named(softhsm: SoftHsm) -> None:
    """Never put in, taken out while a root was open, and put back."""
    with pytest.raises(RootUnreachable, match="token=absent"):
        Pkcs11Root.open(address(softhsm, token="absent"))
    token = softhsm.add_token("removable")
    root = Pkcs11Root.create(address(softhsm, token="removable"))
    wrapped = root.wrap(b"key", b"shop")
    shutil.move(token, softhsm.folder / "taken out")
    with pytest.raises(RootUnreachable, match="token=removable"):
        root.unwrap(wrapped, b"shop")
    shutil.move(softhsm.folder / "taken out", token)
    assert root.unwrap(wrapped, b"shop") == b"key"


def test_two_keys_of_a_name_are_told_apart_by_identifier(softhsm: SoftHsm) -> None:
    """The name alone is refused."""
    Pkcs11Root.create(parse_pkcs11(softhsm.uri("strongroom", "root").replace("?", ";id=%01?"), Path()))
    softhsm.add_key("strongroom", "root", "02")
    with pytest.raises(RootRefused) as caught:
        Pkcs11Root.open(address(softhsm))
    assert "id=" in caught.value.hint
    Pkcs11Root.open(parse_pkcs11(softhsm.uri("strongroom", "root").replace("?", ";id=%01?"), Path()))


def test_two_tokens_of_a_name_are_told_apart_by_serial(softhsm: SoftHsm) -> None:
    """The name alone is refused."""
    first = Pkcs11Root.create(address(softhsm)).wrap(b"key", b"")
    folder = softhsm.add_token("strongroom")
    with pytest.raises(RootRefused) as caught:
        Pkcs11Root.open(address(softhsm))
    assert "serial=" in caught.value.hint
    # SoftHSM names a token's folder by a UUID whose end is the serial number.
    serial = folder.name.replace("-", "")[-16:]
    second = Pkcs11Root.create(
        parse_pkcs11(softhsm.uri("strongroom", "root").replace("?", f";serial={serial}?"), Path())
    )
    with pytest.raises(WrongRoot):
        second.unwrap(first, b"")


@pytest.mark.parametrize(("extractable", "sensitive"), [(True, True), (True, False), (False, False)])
def test_a_key_that_can_leave_the_token_is_refused(
    softhsm: SoftHsm, extractable: bool, sensitive: bool
) -> None:
    """Whoever can log in could copy it."""
    softhsm.add_key("strongroom", "root", extractable=extractable, sensitive=sensitive)
    with pytest.raises(RootKeyUnsafe) as caught:
        Pkcs11Root.open(address(softhsm))
    assert "CKA_EXTRACTABLE" in caught.value.hint


def test_a_key_that_cannot_serve_is_refused(softhsm: SoftHsm) -> None:
    """Too short, or not for both ways."""
    softhsm.add_key("strongroom", "short", bits=128)
    softhsm.add_key("strongroom", "one way", may=["ENCRYPT"])
    with pytest.raises(RootRefused, match="256 bits"):
        Pkcs11Root.open(address(softhsm, key="short"))
    with pytest.raises(RootRefused, match="may not encrypt and decrypt"):
        Pkcs11Root.open(address(softhsm, key="one way"))


def test_a_wrong_pin_is_given_once(softhsm: SoftHsm) -> None:
    """Tokens count them; the next root of this process is refused without asking."""
    Pkcs11Root.create(address(softhsm))
    with pytest.raises(PinRefused, match="refuses the PIN"):
        Pkcs11Root.open(address(softhsm, pin="9999"))
    with pytest.raises(PinRefused, match="not asked again"):
        Pkcs11Root.open(address(softhsm, pin="9999"))
    Pkcs11Root.open(address(softhsm))


def test_the_pin_may_stand_in_a_file(softhsm: SoftHsm) -> None:
    """Read for each call, with or without a newline; a wrong one there can be mended while we run."""
    Pkcs11Root.create(address(softhsm))
    file = softhsm.folder / "pin"
    uri = softhsm.uri("strongroom", "root").replace("pin-value=1234", "pin-source=file:pin")
    root = Pkcs11Root(parse_pkcs11(uri, softhsm.folder))
    with pytest.raises(RootRefused, match="cannot be read"):
        root.wrap(b"", b"")
    for content in ("1234", "1234\n", "1234\r\n"):
        file.write_text(content)
        file.chmod(0o640)
        root.wrap(b"", b"")
    file.write_text("8888")
    with pytest.raises(PinRefused):
        root.wrap(b"", b"")
    file.write_text("1234")
    root.wrap(b"", b"")


@pytest.fixture
def by_file(softhsm: SoftHsm) -> Pkcs11Root:
    """A root whose PIN stands in the file ``pin``, which is not there yet."""
    uri = softhsm.uri("strongroom", "root").replace("pin-value=1234", "pin-source=file:pin")
    return Pkcs11Root(parse_pkcs11(uri, softhsm.folder))


def test_a_pin_that_others_can_read_is_refused(softhsm: SoftHsm, by_file: Pkcs11Root) -> None:
    """So is what is no file, and nobody waits for a FIFO."""
    file = softhsm.folder / "pin"
    file.write_text(PIN)
    file.chmod(0o644)
    with pytest.raises(RootKeyUnsafe) as caught:
        by_file.wrap(b"", b"")
    assert "chmod" in caught.value.hint
    file.unlink()
    os.mkfifo(file, 0o600)
    with pytest.raises(RootKeyUnsafe):
        by_file.wrap(b"", b"")


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff", b"12\n34\n", b"1" * 4097, b"12\x0034"])
def test_what_cannot_be_a_pin_is_not_given_to_the_token(
    softhsm: SoftHsm, by_file: Pkcs11Root, content: bytes
) -> None:
    """It would count as a wrong one."""
    file = softhsm.folder / "pin"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(RootRefused, match="there is no PIN in it"):
        by_file.wrap(b"", b"")


@pytest.mark.parametrize("module", ["absent.so", "/etc/passwd", os.__file__])
def test_what_is_no_module_is_named(softhsm: SoftHsm, module: str) -> None:
    """A path that leads nowhere, or to something else."""
    uri = f"token=strongroom;object=root?module-path={module}&pin-value=1234"
    with pytest.raises(RootUnreachable, match="cannot be used"):
        Pkcs11Root.open(parse_pkcs11(uri, softhsm.folder))
