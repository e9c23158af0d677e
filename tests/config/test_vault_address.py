"""config/vault_address.py: where a root in a Vault server is."""

from pathlib import Path

import pytest
from pydantic_core import PydanticCustomError

from strongroom.config.vault_address import AppRole, TokenFile, VaultAddress, parse_vault
from strongroom.secret import Secret

FOLDER = Path("/etc/strongroom")


def test_a_token() -> None:
    """The path is the engine's mount and the key's name."""
    found = parse_vault("https://vault.example:8200/transit/strongroom?token=s.hush", FOLDER)
    assert found == VaultAddress("https://vault.example:8200", "transit", "strongroom", Secret("s.hush"))
    assert "hush" not in repr(found)


def test_everything_else() -> None:
    """A deeper mount, a namespace, files relative to the configuration."""
    found = parse_vault("https://V.example/a/b.c/key-1?token_file=token&namespace=/team/a/&ca=ca.pem", FOLDER)
    login, ca = TokenFile(FOLDER / "token"), FOLDER / "ca.pem"
    assert found == VaultAddress("https://v.example", "a/b.c", "key-1", login, "team/a", ca)


def test_approle() -> None:
    """Its mount is the usual one, or another."""
    start = "https://[::1]:8200/transit/key?role_id=abc&secret_id_file=/run/secret"
    assert parse_vault(start, FOLDER).login == AppRole("abc", Path("/run/secret"))
    assert parse_vault(f"{start}&approle_mount=apps/", FOLDER).login == AppRole(
        "abc", Path("/run/secret"), "apps"
    )


@pytest.mark.parametrize("host", ["127.0.0.1:8200", "localhost", "[::1]:8200"])
def test_plain_http_to_this_machine(host: str) -> None:
    """An agent beside us may speak it."""
    assert parse_vault(f"http://{host}/transit/key?token=x", FOLDER).url == f"http://{host}"


def test_plain_http_elsewhere_is_refused() -> None:
    """The token and the keys would be there for anybody to read."""
    with pytest.raises(PydanticCustomError, match="plain http"):
        parse_vault("http://vault.example:8200/transit/key?token=x", FOLDER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vault.example/transit/key?token=hush",
        "ftp://vault.example/transit/key?token=hush",
        "https:///transit/key?token=hush",
        "https://vault.example?token=hush",
        "https://vault.example/key?token=hush",
        "https://vault.example//key?token=hush",
        "https://vault.example/transit/?token=hush",
        "https://vault.example/transit/../key?token=hush",
        "https://vault.example/transit/%2e%2e/key?token=hush",
        "https://vault.example/transit/k%0aey?token=hush",
        "https://vault.example/transit/kéy?token=hush",
        "https://vault.example/transit/key?token=hush#x",
        "https://me:hush@vault.example/transit/key?token=hush",
        "https://vault.example:port/transit/key?token=hush",
        "https://vault.example:99999/transit/key?token=hush",
        "https://[::1/transit/key?token=hush",
        "https://vault.example/transit/key",
        "https://vault.example/transit/key?token=",
        "https://vault.example/transit/key?token=hush%0aX: y",
        "https://vault.example/transit/key?token=hush+hush",
        "https://vault.example/transit/key?token=hush&token_file=x",
        "https://vault.example/transit/key?role_id=hush",
        "https://vault.example/transit/key?secret_id_file=hush",
        "https://vault.example/transit/key?token=hush&secret_id_file=x",
        "https://vault.example/transit/key?role_id=x&secret_id_file=y&approle_mount=../hush",
        "https://vault.example/transit/key?token=hush&namespace=a%20b",
        "https://vault.example/transit/key?token=hush&verify=no",
    ],
)
def test_others_are_refused_and_not_shown(text: str) -> None:
    """What is wrong is said without the token."""
    with pytest.raises(PydanticCustomError) as caught:
        parse_vault(text, FOLDER)
    assert "hush" not in f"{caught.value} {caught.value.context}"
