"""keys/root/vault.py: a root key in the transit engine of a real OpenBao."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import missing
from tests.kit.answering import Answering

from strongroom.config.vault_address import VaultAddress, parse_vault
from strongroom.errors import RootRefused, RootUnreachable, WrongRoot
from strongroom.keys.kek import kek_name
from strongroom.keys.root import wrapping_context
from strongroom.keys.root.vault import VaultRoot
from strongroom.keys.root.vault_client import Patience
from strongroom.testing.certificates import Authority
from strongroom.testing.installations import openbao as find_openbao
from strongroom.testing.openbao import ROOT_POLICY, OpenBao

pytestmark = pytest.mark.xdist_group("openbao")

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "roots.md"
AT_ONCE = Patience(pauses=(0, 0))
RAW_KEY = b'{"data": {"name": "strongroom", "type": "aes256-gcm96"}}'


@pytest.fixture(scope="module")
def openbao(authority: Authority) -> Iterator[OpenBao]:
    """An OpenBao whose transit engine has a key ``strongroom``; its unseal key is in three shares of two."""
    program = find_openbao()
    if program is None:
        missing("OpenBao")
    with OpenBao.start(program, authority, shares=3, threshold=2) as bao:
        bao.make_root()
        yield bao


def opened(bao: OpenBao, key: str = "strongroom", token: str = "") -> VaultRoot:
    """The root of this key, with a token that may do only what a root needs."""
    login = token or bao.token("strongroom")
    text = f"{bao.url}/transit/{key}?token={login}&ca={bao.certificate_authority}"
    return VaultRoot.open(parse_vault(text, Path("/")), AT_ONCE)


def key_of_its_own(bao: OpenBao, name: str, **properties: object) -> str:
    bao.call("POST", f"transit/keys/{name}", properties)
    return name


def test_what_was_wrapped_opens(openbao: OpenBao) -> None:
    """By the same root and by another of the same key, up to 64 KiB, and with the policy that docs print."""
    root = opened(openbao)
    for plaintext in (b"", b"keys", bytes(65536)):
        wrapped = root.wrap(plaintext, b"context")
        assert root.unwrap(wrapped, b"context") == plaintext
        assert opened(openbao).unwrap(wrapped, b"context") == plaintext
    assert root.wrap(b"keys", b"") != root.wrap(b"keys", b"")


def test_the_guide_prints_the_policy() -> None:
    """The one that the tests use, which is all that a root needs."""
    assert f"```hcl\n{ROOT_POLICY}```" in GUIDE.read_text(encoding="utf-8")


def test_its_name_says_where_it_is(openbao: OpenBao) -> None:
    """Engine, key and server, and never the token."""
    root = opened(openbao)
    assert root.name == f"vault transit/strongroom at {openbao.url}"
    assert repr(root) == f"<{root.name}>"


def test_the_servers_own_program_opens_it(openbao: OpenBao) -> None:
    """By the two lines that the guide gives for the key-encryption key of a database ``shop``."""
    wrapped = opened(openbao).wrap(b"keys", wrapping_context(kek_name("shop"))).decode()
    (script,) = re.findall(
        r"^NAME=.*?base64 -d$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    environment = {
        "PATH": f"{openbao.program.parent}:{os.defpath}",
        "HOME": str(openbao.folder),
        "BAO_ADDR": openbao.url,
        "BAO_CACERT": str(openbao.certificate_authority),
        "BAO_TOKEN": openbao.token("strongroom"),
    }
    said = subprocess.run(
        ["sh", "-c", script.replace("vault:v1:...", wrapped)],
        env=environment,
        capture_output=True,
        check=True,
    )
    assert said.stdout == b"keys"


def test_calls_are_few(openbao: OpenBao) -> None:
    """One to open the root, two to wrap, one to unwrap."""
    before = openbao.requests("transit")
    root = opened(openbao)
    assert openbao.requests("transit") == before + 1
    wrapped = root.wrap(b"keys", b"context")
    assert openbao.requests("transit") == before + 3
    root.unwrap(wrapped, b"context")
    assert openbao.requests("transit") == before + 4


def test_what_was_changed_or_moved_does_not_open(openbao: OpenBao) -> None:
    """Other associated data, another text, a cut one, another key's, and what another root wrapped."""
    root = opened(openbao)
    wrapped = root.wrap(b"keys", b"context")
    flipped = wrapped[:20] + (b"A" if wrapped[20:21] != b"A" else b"B") + wrapped[21:]
    others = opened(openbao, key_of_its_own(openbao, "other"), openbao.root_token).wrap(b"keys", b"context")
    for text in (
        flipped,
        wrapped[:-4],
        wrapped[:12],
        others,
        wrapped + b"=",
        b"",
        b"\x01\x00",
        wrapped * 9999,
    ):
        with pytest.raises(WrongRoot):
            root.unwrap(text, b"context")
    with pytest.raises(WrongRoot):
        root.unwrap(wrapped, b"other")


def test_rotation_in_the_server_changes_nothing_for_us(openbao: OpenBao) -> None:
    """What an older version wrapped opens, until the server is told to open it no more."""
    root = opened(openbao, key_of_its_own(openbao, "rotated"), openbao.root_token)
    first = root.wrap(b"keys", b"context")
    openbao.call("POST", "transit/keys/rotated/rotate", {})
    second = root.wrap(b"keys", b"context")
    assert (first[:9], second[:9]) == (b"vault:v1:", b"vault:v2:")
    assert root.unwrap(first, b"context") == root.unwrap(second, b"context") == b"keys"
    openbao.call("POST", "transit/keys/rotated/config", {"min_decryption_version": 2})
    assert root.unwrap(second, b"context") == b"keys"
    with pytest.raises(RootRefused) as caught:
        root.unwrap(first, b"context")
    assert "min_decryption_version=1" in caught.value.hint


def test_a_server_set_back_is_told(openbao: OpenBao) -> None:
    """A version that it does not have yet."""
    root = opened(openbao)
    with pytest.raises(WrongRoot, match="newer version"):
        root.unwrap(root.wrap(b"keys", b"").replace(b"vault:v1:", b"vault:v99:"), b"")


def test_a_missing_key_is_refused_on_opening(openbao: OpenBao) -> None:
    """The hint makes one; the same for an engine that is not there."""
    with pytest.raises(RootRefused) as caught:
        opened(openbao, "nothing", openbao.root_token)
    assert "bao write -f transit/keys/nothing" in caught.value.hint


@pytest.mark.parametrize(
    "properties",
    [
        {"type": "aes128-gcm96"},
        {"type": "rsa-2048"},
        {"derived": True},
        {"derived": True, "convergent_encryption": True},
    ],
)
def test_a_key_that_is_no_root_is_refused(openbao: OpenBao, properties: dict[str, object]) -> None:
    """Another cipher, one without associated data, a derived and a convergent one."""
    name = key_of_its_own(openbao, "unfit-" + "-".join(str(one) for one in properties.values()), **properties)
    with pytest.raises(RootRefused, match="cannot be a root"):
        opened(openbao, name, openbao.root_token)


def test_a_key_that_was_deleted_is_told(openbao: OpenBao) -> None:
    """Nothing makes it anew in passing: the policy lets the token use a key, not create one."""
    openbao.call("PUT", "sys/policies/acl/gone", {"policy": _policy("gone")})
    root = opened(openbao, key_of_its_own(openbao, "gone"), openbao.token("gone"))
    wrapped = root.wrap(b"keys", b"context")
    openbao.call("POST", "transit/keys/gone/config", {"deletion_allowed": True})
    openbao.call("DELETE", "transit/keys/gone")
    with pytest.raises(RootRefused):
        root.wrap(b"keys", b"context")
    with pytest.raises(RootRefused, match="any more"):
        root.unwrap(wrapped, b"context")
    key_of_its_own(openbao, "gone")
    with pytest.raises(WrongRoot):
        root.unwrap(wrapped, b"context")


def test_an_engine_that_was_taken_away_is_told(openbao: OpenBao) -> None:
    """It is not for what was wrapped that it does not open."""
    openbao.call("POST", "sys/mounts/deep/engine", {"type": "transit"})
    openbao.call("POST", "deep/engine/keys/strongroom", {})
    text = (
        f"{openbao.url}/deep/engine/strongroom?token={openbao.root_token}&ca={openbao.certificate_authority}"
    )
    root = VaultRoot.open(parse_vault(text, Path("/")), AT_ONCE)
    wrapped = root.wrap(b"keys", b"context")
    openbao.call("DELETE", "sys/mounts/deep/engine")
    with pytest.raises(RootRefused, match="any more"):
        root.unwrap(wrapped, b"context")
    with pytest.raises(RootRefused):
        root.wrap(b"keys", b"context")


def test_a_token_that_may_not_is_told(openbao: OpenBao) -> None:
    """On opening, or later where it was taken back."""
    with pytest.raises(RootRefused, match="forbids GET"):
        opened(openbao, token="s.nobody")
    token = openbao.token("strongroom")
    root = opened(openbao, token=token)
    openbao.call("POST", "auth/token/revoke", {"token": token})
    with pytest.raises(RootRefused, match="forbids POST") as caught:
        root.wrap(b"keys", b"context")
    assert token not in caught.value.message + caught.value.hint


def test_a_sealed_server_is_told_and_forgotten(openbao: OpenBao) -> None:
    """A root that was open goes on once the server is unsealed."""
    root = opened(openbao)
    wrapped = root.wrap(b"keys", b"context")
    openbao.seal()
    try:
        with pytest.raises(RootUnreachable, match="sealed") as caught:
            root.unwrap(wrapped, b"context")
        assert "unseal" in caught.value.hint
    finally:
        assert openbao.unseal(openbao.shares[:2])
    assert root.unwrap(wrapped, b"context") == b"keys"


def test_a_server_that_was_started_again_serves(openbao: OpenBao) -> None:
    """Down is unreachable; the connection is made anew, and the key is the same."""
    root = opened(openbao)
    wrapped = root.wrap(b"keys", b"context")
    openbao.shut_down()
    try:
        with pytest.raises(RootUnreachable, match="does not answer"):
            root.unwrap(wrapped, b"context")
    finally:
        openbao.launch()
        assert openbao.unseal(openbao.shares[1:])
    assert root.unwrap(wrapped, b"context") == b"keys"


def test_a_login_by_approle(openbao: OpenBao, tmp_path: Path) -> None:
    """One login for many calls, and another when its token is no longer taken."""
    openbao.call("POST", "sys/auth/approle", {"type": "approle"})
    openbao.call("POST", "auth/approle/role/gateway", {"token_policies": ["strongroom"]})
    role_id = openbao.call("GET", "auth/approle/role/gateway/role-id")["data"]["role_id"]
    secret = tmp_path / "secret-id"
    secret.touch(mode=0o600)
    secret.write_text(
        openbao.call("POST", "auth/approle/role/gateway/secret-id", {})["data"]["secret_id"] + "\n"
    )
    query = f"role_id={role_id}&secret_id_file={secret}&ca={openbao.certificate_authority}"
    address = parse_vault(f"{openbao.url}/transit/strongroom?{query}", Path("/"))
    root = VaultRoot.open(address, AT_ONCE)
    wrapped = root.wrap(b"keys", b"context")
    assert openbao.requests("auth/approle/login") == 1
    for accessor in openbao.call("LIST", "auth/token/accessors")["data"]["keys"]:
        about = openbao.call("POST", "auth/token/lookup-accessor", {"accessor": accessor})["data"]
        if about["path"] == "auth/approle/login":
            openbao.call("POST", "auth/token/revoke-accessor", {"accessor": accessor})
    assert root.unwrap(wrapped, b"context") == b"keys"
    assert openbao.requests("auth/approle/login") == 2
    secret.write_text("another")
    with pytest.raises(RootRefused, match="AppRole"):
        VaultRoot.open(address, AT_ONCE)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b'{"data": {"name": "another", "type": "aes256-gcm96"}}', "another key"),
        (b'{"data": {"name": "strongroom", "type": "aes256-gcm96", "soft_deleted": true}}', "deleted"),
        (b'{"data": {"type": "aes256-gcm96"}}', "another key"),
    ],
)
def test_an_answer_about_another_key_is_refused(authority: Authority, answer: bytes, what: str) -> None:
    """No real server gives it; one behind a broken proxy might."""
    with Answering(authority) as server:
        server.answer = lambda _: (200, answer)
        with pytest.raises(RootRefused, match=what):
            VaultRoot.open(_address(server, authority), AT_ONCE)


@pytest.mark.parametrize(
    ("encrypted", "decrypted", "error"),
    [
        (
            b'{"data": {"ciphertext": "vault:v1:%s"}}' % (b"A" * 40),
            b'{"data": {"plaintext": "b3RoZXI="}}',
            RootRefused,
        ),
        (b'{"data": {"ciphertext": "keys"}}', b"", RootRefused),
        (b'{"data": {"ciphertext": null}}', b"", RootRefused),
        (b'{"data": {"other": 1}}', b"", RootRefused),
        (
            b'{"data": {"ciphertext": "vault:v1:%s"}}' % (b"A" * 40),
            b'{"data": {"plaintext": "-"}}',
            RootUnreachable,
        ),
        (
            b'{"data": {"ciphertext": "vault:v1:%s"}}' % (b"A" * 40),
            b'{"data": {"plaintext": 7}}',
            RootUnreachable,
        ),
        (b'{"data": {"ciphertext": "vault:v1:%s"}}' % (b"A" * 40), b'{"data": {"none": 7}}', RootUnreachable),
    ],
)
def test_what_does_not_open_again_is_not_relied_on(
    authority: Authority, encrypted: bytes, decrypted: bytes, error: type[Exception]
) -> None:
    """Two servers with different keys behind one address, or an answer that is none."""
    answers = {"keys": RAW_KEY, "encrypt": encrypted, "decrypt": decrypted}
    with Answering(authority) as server:
        server.answer = lambda path: (200, answers[path.split("/")[3]])
        root = VaultRoot.open(_address(server, authority), AT_ONCE)
        with pytest.raises(error):
            root.wrap(b"keys", b"context")


def _address(server: Answering, authority: Authority) -> VaultAddress:
    return parse_vault(f"{server.url}/transit/strongroom?token=s.x&ca={authority.certificate}", Path("/"))


def _policy(key: str) -> str:
    rights = {"keys": "read", "encrypt": "update", "decrypt": "update"}
    return "\n".join(
        f'path "transit/{path}/{key}" {{ capabilities = ["{right}"] }}' for path, right in rights.items()
    )
