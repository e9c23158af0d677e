"""keys/root/vault_client.py: what a server can do to us that a good one does not."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kit.answering import Answering

from strongroom.config.vault_address import VaultAddress, parse_vault
from strongroom.errors import InvalidTlsSettings, RootKeyUnsafe, RootRefused, RootUnreachable
from strongroom.keys.root.vault_client import MAX_ANSWER, PATIENCE, Patience, VaultClient
from strongroom.testing.certificates import Authority

CALM = Patience(connect=10, step=10, answer=20, pauses=(0, 0))
HURRY = Patience(connect=1, step=0.3, answer=0.6, pauses=(0, 0))
ATTEMPTS = 3


@pytest.fixture
def server(authority: Authority) -> Iterator[Answering]:
    """A server over TLS that answers as the test says."""
    with Answering(authority) as answering:
        yield answering


def address(url: str, authority: Authority, more: str = "") -> VaultAddress:
    return parse_vault(f"{url}/transit/key?token=s.hush&ca={authority.certificate}{more}", Path("/"))


def test_a_good_answer(server: Answering, authority: Authority) -> None:
    """Its data; the token and the namespace went along, and one connection serves for more."""
    server.answer = lambda _: (200, b'{"data": {"x": 1}}')
    client = VaultClient(address(server.url, authority, "&namespace=team"), CALM)
    assert client.read("transit/keys/key").data == {"x": 1}
    assert client.write("transit/encrypt/key", {"plaintext": ""}).is_good
    path, headers = server.requests[0]
    assert path == "/v1/transit/keys/key"
    assert (headers["X-Vault-Token"], headers["X-Vault-Namespace"]) == ("s.hush", "team")


@pytest.mark.parametrize("status", [400, 404])
def test_a_no_that_the_caller_knows(server: Answering, authority: Authority, status: int) -> None:
    """Its errors; asked once."""
    server.answer = lambda _: (status, b'{"errors": ["no such key"]}')
    answer = VaultClient(address(server.url, authority), CALM).read("transit/keys/key")
    assert (answer.is_good, "no such key" in answer.errors, len(server.requests)) == (False, True, 1)


def test_forbidden_is_refused_at_once(server: Answering, authority: Authority) -> None:
    """Nothing of what the server said is in the message, nor is the token."""
    server.answer = lambda _: (403, b'{"errors": ["loud words"]}')
    with pytest.raises(RootRefused) as caught:
        VaultClient(address(server.url, authority), CALM).read("transit/keys/key")
    said = caught.value.message + caught.value.hint
    assert "loud" not in said
    assert "hush" not in said
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [412, 429, 472, 473, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(server: Answering, authority: Authority, status: int) -> None:
    """A server that elects its leader, or a load balancer without one, has two more attempts."""
    answers = iter([(status, b"<html>"), (status, b'{"errors": []}'), (200, b'{"data": {"x": 1}}')])
    server.answer = lambda _: next(answers)
    assert VaultClient(address(server.url, authority), CALM).read("x").data == {"x": 1}


@pytest.mark.parametrize("status", [412, 429, 472, 473, 500, 502, 503, 504])
def test_a_lasting_one_is_unreachable(server: Answering, authority: Authority, status: int) -> None:
    """After so many attempts and no more."""
    server.answer = lambda _: (status, b"{}")
    with pytest.raises(RootUnreachable, match=str(status)):
        VaultClient(address(server.url, authority), CALM).read("x")
    assert len(server.requests) == ATTEMPTS


def test_hanging_up_is_tried_again(server: Answering, authority: Authority) -> None:
    """As a server does that closed an idle connection just when it was used."""
    answers = iter([None, (200, b'{"data": {"x": 1}}')])
    server.answer = lambda _: next(answers)
    assert VaultClient(address(server.url, authority), CALM).read("x").is_good


def test_a_redirect_is_not_followed(server: Answering, authority: Authority) -> None:
    """The token goes nowhere but to the configured address."""
    server.answer = lambda _: (307, b"")
    with pytest.raises(RootRefused, match="elsewhere"):
        VaultClient(address(server.url, authority), CALM).read("x")
    assert [path for path, _ in server.requests] == ["/v1/x"]


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"[]", b'"x"', b"\xff\xfe", b"{}", b'{"data": []}', b'{"data": null}', b"[" * 99_999],
)
def test_nonsense_is_told(server: Answering, authority: Authority, content: bytes) -> None:
    """Another web server, or one that a proxy answers for."""
    server.answer = lambda _: (200, content)
    with pytest.raises(RootUnreachable, match="is not a Vault"):
        VaultClient(address(server.url, authority), CALM).read("x")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [401, 405, 413, 418])
def test_what_vault_never_says_is_told(server: Answering, authority: Authority, status: int) -> None:
    """Whatever form it has."""
    server.answer = lambda _: (status, b'{"errors": []}')
    with pytest.raises(RootUnreachable, match="is not a Vault"):
        VaultClient(address(server.url, authority), CALM).read("x")


def test_a_very_long_answer_is_not_read_to_its_end(server: Answering, authority: Authority) -> None:
    """What is read is bounded."""
    server.answer = lambda _: (200, b" " * (MAX_ANSWER + 1))
    with pytest.raises(RootUnreachable, match="is not a Vault"):
        VaultClient(address(server.url, authority), CALM).read("x")


def test_nobody_there(authority: Authority) -> None:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(RootUnreachable, match="does not answer"):
        VaultClient(address(f"https://127.0.0.1:{port}", authority), CALM).read("x")


def test_silence_is_not_waited_for_long(authority: Authority) -> None:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(RootUnreachable, match="in time"):
            VaultClient(address(url, authority), HURRY).read("x")
        assert time.monotonic() - began < ATTEMPTS * (HURRY.connect + HURRY.step) + 2


def test_octet_by_octet_is_not_waited_for_long(server: Answering, authority: Authority) -> None:
    """Each octet in time, and the answer never: the whole has a bound, too."""
    server.pause = 0.1
    server.answer = lambda _: (200, b" " * 1000)
    began = time.monotonic()
    with pytest.raises(RootUnreachable, match="in time"):
        VaultClient(address(server.url, authority), HURRY).read("x")
    assert time.monotonic() - began < ATTEMPTS * (HURRY.answer + HURRY.step) + 2


def test_the_usual_patience_is_about_a_minute() -> None:
    """What a start waits at most for a server that keeps it waiting at every step."""
    attempt = PATIENCE.connect + PATIENCE.step + PATIENCE.answer
    assert len(PATIENCE.pauses) + 1 == ATTEMPTS
    assert attempt * ATTEMPTS + sum(PATIENCE.pauses) < 120


def test_a_certificate_of_somebody_else(server: Answering, tmp_path: Path) -> None:
    """Another authority's; asked once, and nothing was sent."""
    other = Authority.make(tmp_path)
    with pytest.raises(RootUnreachable, match="not one to trust") as caught:
        VaultClient(address(server.url, other), CALM).read("x")
    assert "&ca=" in caught.value.hint
    assert server.requests == []


def test_a_certificate_for_another_host(authority: Authority) -> None:
    """The name counts as well as the authority."""
    with Answering(authority, "elsewhere.invalid") as server:
        with pytest.raises(RootUnreachable, match="not one to trust"):
            VaultClient(address(server.url, authority), CALM).read("x")
        assert server.requests == []


def test_the_system_does_not_trust_a_test(server: Answering) -> None:
    """Without ca= its authorities are asked, and verification is never off."""
    text = f"{server.url}/transit/key?token=s.hush"
    with pytest.raises(RootUnreachable, match="not one to trust"):
        VaultClient(parse_vault(text, Path("/")), CALM).read("x")


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_that_is_none_is_told(tmp_path: Path, content: str | None) -> None:
    """A file that is missing, or holds something else."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InvalidTlsSettings):
        VaultClient(parse_vault(f"https://127.0.0.1:1/transit/key?token=x&ca={path}", Path("/")))


def test_a_token_in_a_file_is_read_each_time(server: Answering, authority: Authority, tmp_path: Path) -> None:
    """An agent may renew it; a file that anybody may read is refused."""
    path = tmp_path / "token"
    path.touch(mode=0o640)
    text = f"{server.url}/transit/key?token_file={path}&ca={authority.certificate}"
    client = VaultClient(parse_vault(text, Path("/")), CALM)
    server.answer = lambda _: (200, b'{"data": {"x": 1}}')
    for token in ("first", "second"):
        path.write_text(f"{token}\n")
        client.read("x")
    assert [headers["X-Vault-Token"] for _, headers in server.requests] == ["first", "second"]
    path.chmod(0o644)
    with pytest.raises(RootKeyUnsafe):
        client.read("x")


@pytest.mark.parametrize("token", [b"null", b"7", b'"a\\nb"', b'""'])
def test_a_login_without_a_token_is_refused(
    server: Answering, authority: Authority, tmp_path: Path, token: bytes
) -> None:
    """What comes back must be one that can be sent on."""
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text("x")
    text = f"{server.url}/transit/key?role_id=x&secret_id_file={secret}&ca={authority.certificate}"
    server.answer = lambda _: (200, b'{"auth": {"client_token": %s}}' % token)
    with pytest.raises(RootRefused, match="AppRole"):
        VaultClient(parse_vault(text, Path("/")), CALM).read("x")
