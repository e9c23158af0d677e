"""keys/root/opening.py: which roots open, and when a root key is made."""

import io
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from strongroom.config.awskms_address import parse_awskms
from strongroom.config.kmip_address import parse_kmip
from strongroom.config.pkcs11_uri import parse_pkcs11
from strongroom.config.roots import FileAddress, PassphraseAddress, RootAddress
from strongroom.config.shamir_address import ShamirAddress
from strongroom.config.vault_address import parse_vault
from strongroom.errors import (
    PassphraseNeeded,
    PinRefused,
    RootError,
    RootKeyInvalid,
    RootKeyMissing,
    RootKeyUnsafe,
    RootLibraryMissing,
    RootRefused,
    RootUnreachable,
    WrongRoot,
)
from strongroom.keys.hierarchy import Roots, open_kek, wrapped
from strongroom.keys.kek import WrappedKek, new_kek
from strongroom.keys.root import RootKey
from strongroom.keys.root.entering import Entered
from strongroom.keys.root.file import FileRoot
from strongroom.keys.root.opening import make_missing, open_root, open_roots
from strongroom.keys.root.passphrase import PassphraseRoot
from strongroom.secret import Secret
from strongroom.testing.certificates import Authority
from strongroom.testing.processes import free_port
from strongroom.testing.softhsm import SoftHsm

WORDS = PassphraseAddress(Secret("correct horse battery staple"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The state's folder."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


def kept(root: FileRoot | PassphraseRoot) -> WrappedKek:
    return wrapped(new_kek("shop", datetime(2026, 1, 1, tzinfo=UTC)), 1, Roots((root,)))


def test_a_file_is_made_once(folder: Path, tmp_path: Path) -> None:
    """The first call makes it and says so, the second leaves it."""
    address = FileAddress(tmp_path / "root.key")
    [said] = make_missing([address, WORDS], folder)
    assert str(address.path) in said
    first = open_root(address, folder, ())
    assert make_missing([address], folder) == []
    assert open_root(address, folder, ()).name == first.name


def test_a_missing_root_is_passed_over_where_there_is_a_second(folder: Path, tmp_path: Path) -> None:
    """That is what the second is for; with none left, the first's error is raised."""
    lost, other = FileAddress(tmp_path / "lost.key"), FileAddress(tmp_path / "root.key")
    make_missing([other], folder)
    roots = open_roots([lost, other], folder, ())
    assert [root.name for root in roots.usable] == [open_root(other, folder, ()).name]
    assert [type(failure) for failure in roots.failures] == [RootKeyMissing]
    with pytest.raises(RootKeyMissing):
        open_roots([lost], folder, ())


def test_a_root_that_others_may_read_is_not_passed_over(folder: Path, tmp_path: Path) -> None:
    """A second root does not make up for a first that is exposed."""
    exposed, other = FileAddress(tmp_path / "exposed.key"), FileAddress(tmp_path / "root.key")
    make_missing([exposed, other], folder)
    exposed.path.chmod(0o644)
    with pytest.raises(RootKeyUnsafe):
        open_roots([exposed, other], folder, ())


def test_a_passphrase_is_found_again_by_what_it_wrapped(folder: Path) -> None:
    """Its salt stands there; a mistyped one does not pass for another root."""
    assert WORDS.passphrase is not None
    row = kept(PassphraseRoot.new(WORDS.passphrase))
    assert open_root(WORDS, folder, [row]).name in row.wraps
    with pytest.raises(WrongRoot):
        open_root(PassphraseAddress(Secret("correct horse battery stable")), folder, [row])


def test_a_start_without_the_keepers_goes_on_with_another_root(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shares are passed over as a key service that is down is."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    file = FileAddress(tmp_path / "root.key")
    make_missing([file], folder)
    roots = open_roots([file, ShamirAddress(None)], folder, ())
    assert [type(failure) for failure in roots.failures] == [RootUnreachable]


REFUSALS: dict[str, RootError] = {
    "passphrase": PassphraseNeeded("nobody is there"),
    "pin": PinRefused("wrong"),
    "refused": RootRefused("the token has expired"),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_what_a_second_root_makes_up_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: RootError
) -> None:
    """Whatever keeps the other from serving, so long as nothing is exposed, or opens the wrong thing."""
    file = FileAddress(tmp_path / "root.key")
    make_missing([file], folder)
    entered = Entered()
    monkeypatch.setattr(Entered, "root_of_shares", _raising(refusal))
    assert open_roots([ShamirAddress(None), file], folder, (), entered).failures == (refusal,)


@pytest.mark.parametrize("refusal", [RootKeyInvalid("none"), WrongRoot("other"), RootLibraryMissing("none")])
def test_what_a_second_root_does_not_make_up_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: RootError
) -> None:
    """Something is wrong here that would stay unseen."""
    file = FileAddress(tmp_path / "root.key")
    make_missing([file], folder)
    monkeypatch.setattr(Entered, "root_of_shares", _raising(refusal))
    with pytest.raises(type(refusal)):
        open_roots([file, ShamirAddress(None)], folder, (), Entered())


def _raising(error: RootError) -> Callable[..., RootKey]:
    def root(*_: object) -> RootKey:
        raise error

    return root


PROVIDERS: dict[str, tuple[str, RootAddress]] = {
    "pyshamir": ("shamir", ShamirAddress(None)),
    "httpx2": ("vault", parse_vault("https://127.0.0.1:1/transit/key?token=x", Path("/"))),
    "boto3": ("aws", parse_awskms(f"arn:aws:kms:eu-central-1:{'1' * 12}:key/x", Path("/"))),
}


@pytest.mark.parametrize("package", PROVIDERS)
def test_a_missing_package_is_told_with_how_to_get_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    """Each provider's is optional, and imported when that provider is opened."""
    extra, address = PROVIDERS[package]
    for module in [name for name in sys.modules if name.startswith("strongroom.keys.root.")]:
        if module.rpartition(".")[2] in ("shamir", "vault", "vault_client", "awskms"):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, "strongroom.keys.shares", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(RootLibraryMissing, match=package) as caught:
        open_root(address, folder, ())
    assert f"strongroom[{extra}]" in caught.value.hint


def test_a_root_in_other_hands_stands_beside_a_file(folder: Path, tmp_path: Path, softhsm: SoftHsm) -> None:
    """What one wrapped both have; a key service that is down is passed over."""
    file = FileAddress(tmp_path / "root.key")
    make_missing([file], folder)
    token = parse_pkcs11(softhsm.uri("strongroom", "root"), folder)
    with pytest.raises(RootKeyMissing):
        open_root(token, folder, ())
    softhsm.add_key("strongroom", "root")
    roots = open_roots([token, file], folder, ())
    kek = new_kek("shop", datetime(2026, 1, 1, tzinfo=UTC))
    row = wrapped(kek, 1, roots)
    for one in (token, file):
        assert open_kek(row, open_roots([one], folder, [row])).name == kek.name


def test_a_key_service_that_is_down_is_passed_over(
    folder: Path, tmp_path: Path, authority: Authority
) -> None:
    """A start needs one root that answers."""
    file = FileAddress(tmp_path / "root.key")
    make_missing([file], folder)
    client = authority.client("strongroom")
    files = f"ca={authority.certificate}&certificate={client.certificate}&key={client.key}"
    down = parse_kmip(f"127.0.0.1:{free_port()}/1?{files}", folder)
    assert [type(failure) for failure in open_roots([down, file], folder, ()).failures] == [RootUnreachable]
