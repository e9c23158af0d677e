"""keys/root/kmip.py: the root key in a KMIP server: PyKMIP's, or a peer of ours for what that never does."""

import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from strongroom.config.kmip_address import KmipAddress, parse_kmip
from strongroom.errors import Bug, RootKeyMissing, RootRefused, RootUnreachable, WrongRoot
from strongroom.keys.root import kmip
from strongroom.keys.root.kmip import FORMAT, MAX_PLAINTEXT, KmipRoot
from strongroom.testing.certificates import Authority, Certificate
from strongroom.testing.kmip import KmipServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KmipServer]:
    """A KMIP server for all tests; those that end it start it again."""
    with KmipServer.start(Authority.make(tmp_path_factory.mktemp("kmip"))) as running:
        yield running


def address(
    server: KmipServer, identifier: str, client: Certificate | None = None, ca: Path | None = None
) -> KmipAddress:
    return parse_kmip(server.uri(identifier, client, ca), Path())


def test_what_one_wraps_the_other_unwraps(server: KmipServer) -> None:
    """Over every opening."""
    where = address(server, server.make_key())
    first, second = KmipRoot.open(where), KmipRoot.open(where)
    assert second.unwrap(first.wrap(b"key", b"shop"), b"shop") == b"key"
    assert first.wrap(b"key", b"shop") != first.wrap(b"key", b"shop")
    assert repr(first) == f"<KmipRoot kmip 127.0.0.1:{server.port}/{where.identifier}>"


@pytest.mark.parametrize("size", [1, 500, MAX_PLAINTEXT])
def test_every_size(server: KmipServer, size: int) -> None:
    """To the most that a root wraps, with associated data of any length."""
    root = KmipRoot.open(address(server, server.make_key()))
    plaintext = os.urandom(size)
    assert root.unwrap(root.wrap(plaintext, plaintext), plaintext) == plaintext


def test_more_is_not_wrapped(server: KmipServer) -> None:
    """Longer keys would be a defect of ours."""
    with pytest.raises(Bug):
        KmipRoot.open(address(server, server.make_key())).wrap(b"x" * (MAX_PLAINTEXT + 1), b"")


def test_what_was_changed_does_not_open(server: KmipServer) -> None:
    """Other associated data, any octet changed, cut at any length, another format, another key."""
    root = KmipRoot.open(address(server, server.make_key()))
    wrapped = root.wrap(b"key", b"shop")
    changed = [wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1 :] for at in range(len(wrapped))]
    for other in (*changed, wrapped[:-1], wrapped[:20], FORMAT, b"", wrapped + b"x"):
        with pytest.raises(WrongRoot):
            root.unwrap(other, b"shop")
    with pytest.raises(WrongRoot):
        root.unwrap(wrapped, b"stop")
    with pytest.raises(WrongRoot):
        KmipRoot.open(address(server, server.make_key())).unwrap(wrapped, b"shop")
    assert root.unwrap(wrapped, b"shop") == b"key"
    assert root.unwrap(root.wrap(b"key", b""), b"") == b"key"


def test_keys_that_cannot_serve_are_refused(server: KmipServer) -> None:
    """Not there, not active, too short, for one way only; each for its own reason."""
    with pytest.raises(RootKeyMissing, match="Item Not Found"):
        KmipRoot.open(address(server, "absent"))
    with pytest.raises(RootRefused, match="not active yet"):
        KmipRoot.open(address(server, server.make_key(active=False)))
    with pytest.raises(RootRefused, match="256 bits"):
        KmipRoot.open(address(server, server.make_key(bits=128)))
    with pytest.raises(RootRefused, match="may not encrypt and decrypt"):
        KmipRoot.open(address(server, server.make_key(may=["ENCRYPT"])))


def test_a_key_that_is_taken_away_is_told(server: KmipServer) -> None:
    """Deactivated, then destroyed, while the root is open."""
    identifier = server.make_key()
    root = KmipRoot.open(address(server, identifier))
    wrapped = root.wrap(b"key", b"shop")
    server.revoke(identifier)
    with pytest.raises(RootRefused, match="Permission Denied"):
        root.wrap(b"key", b"shop")
    with pytest.raises(RootRefused, match="Permission Denied"):
        root.unwrap(wrapped, b"shop")
    server.destroy(identifier)
    with pytest.raises(RootKeyMissing):
        root.unwrap(wrapped, b"shop")


def test_the_key_of_another_client_is_not_ours(server: KmipServer) -> None:
    """The server knows us by our certificate."""
    with pytest.raises(RootRefused, match="Permission Denied"):
        KmipRoot.open(address(server, server.make_key(), server.authority.client("other")))


def test_a_certificate_that_the_server_does_not_know_is_refused(server: KmipServer, tmp_path: Path) -> None:
    """It is of another authority."""
    stranger = Authority.make(tmp_path).client("strongroom")
    with pytest.raises(RootRefused, match="TLS") as caught:
        KmipRoot.open(address(server, "1", stranger))
    assert "certificate=" in caught.value.hint


def test_a_server_that_does_not_prove_itself_is_not_asked(server: KmipServer, tmp_path: Path) -> None:
    """Its certificate is of another authority, or for another host."""
    other = Authority.make(tmp_path)
    with pytest.raises(RootUnreachable, match="does not prove") as caught:
        KmipRoot.open(address(server, "1", ca=other.certificate))
    assert "ca=" in caught.value.hint
    elsewhere = server.uri("1").replace("127.0.0.1:", "localhost:")
    with pytest.raises(RootUnreachable, match="does not prove"):
        KmipRoot.open(parse_kmip(elsewhere, Path()))


@pytest.mark.parametrize("missing", ["ca", "certificate", "key"])
def test_files_that_cannot_be_used_are_named(server: KmipServer, tmp_path: Path, missing: str) -> None:
    """They are missing, hold something else, or do not belong together."""
    for content in (None, b"", b"text", server.client.certificate.read_bytes()):
        if content is not None:
            (tmp_path / "file").write_bytes(content)
        if content and b"CERTIFICATE" in content and missing != "key":
            continue
        files = {"ca": server.authority.certificate, "certificate": server.client.certificate}
        named = {**files, "key": server.client.key, missing: tmp_path / "file"}
        query = "&".join(f"{name}={path}" for name, path in named.items())
        with pytest.raises(RootRefused, match="cannot be used") as caught:
            KmipRoot.open(parse_kmip(f"127.0.0.1:{server.port}/1?{query}", tmp_path))
        assert str(tmp_path / "file") in caught.value.hint


def test_an_encrypted_key_asks_nobody(server: KmipServer, tmp_path: Path) -> None:
    """A password asked for at the terminal would keep the gateway waiting."""
    from cryptography.hazmat.primitives import serialization as pem  # noqa: PLC0415 - only this test needs it

    key = pem.load_pem_private_key(server.client.key.read_bytes(), None)
    encrypted = key.private_bytes(
        pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.BestAvailableEncryption(b"password")
    )
    (tmp_path / "key").write_bytes(encrypted)
    ours = Certificate(server.client.certificate, tmp_path / "key")
    with pytest.raises(RootRefused, match="cannot be used"):
        KmipRoot.open(address(server, "1", ours))


def test_a_server_that_is_down_is_found_again(server: KmipServer) -> None:
    """The root that was opened before goes on when it is back."""
    root = KmipRoot.open(address(server, server.make_key()))
    wrapped = root.wrap(b"key", b"shop")
    server.shut_down()
    try:
        with pytest.raises(RootUnreachable, match="cannot be reached"):
            root.unwrap(wrapped, b"shop")
        with pytest.raises(RootUnreachable, match="cannot be reached"):
            root.wrap(b"key", b"shop")
    finally:
        server.restart()
    assert root.unwrap(wrapped, b"shop") == b"key"


def test_a_host_without_an_address_is_named(server: KmipServer) -> None:
    """Its name does not resolve."""
    where = server.uri("1").replace("127.0.0.1:", "absent.invalid:")
    with pytest.raises(RootUnreachable, match=r"absent\.invalid"):
        KmipRoot.open(parse_kmip(where, Path()))


Answer = Callable[[ssl.SSLSocket], None]


@contextmanager
def peer(
    authority: Authority, answer: Answer, *, tls: bool = True, clients: Authority | None = None
) -> Iterator[KmipAddress]:
    """The address of a server that answers as it likes, to clients of another authority if that is given."""
    made, client = authority.server("127.0.0.1"), authority.client("strongroom")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if clients is not None:
        context.load_verify_locations(clients.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(made.certificate, made.key)

    def serve() -> None:
        with suppress(OSError), listener.accept()[0] as bare:
            if tls:
                with context.wrap_socket(bare, server_side=True) as protected:
                    answer(protected)
            else:
                bare.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        query = f"ca={authority.certificate}&certificate={client.certificate}&key={client.key}"
        yield parse_kmip(f"127.0.0.1:{listener.getsockname()[1]}/1?{query}", Path())
    thread.join(5)


def slowly(protected: ssl.SSLSocket) -> None:
    """An octet at a time, so that no single wait is long."""
    protected.recv(4096)
    for octet in b"\x42\x00\x7b\x01\x00\x01\x00\x00" + bytes(4096):
        protected.sendall(bytes([octet]))
        threading.Event().wait(0.05)


def silently(protected: ssl.SSLSocket) -> None:
    protected.recv(4096)
    protected.recv(4096)  # the end of the connection


@pytest.mark.parametrize("answer", [slowly, silently])
def test_a_slow_server_has_so_many_seconds(
    authority: Authority, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In all, not for each octet."""
    monkeypatch.setattr(kmip, "CALL_SECONDS", 0.5)
    with (
        peer(authority, answer) as where,
        pytest.raises(RootUnreachable, match=r"did not answer in 0\.5 seconds"),
    ):
        KmipRoot.open(where)


def test_a_server_that_never_accepts_has_so_many_seconds(
    server: KmipServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handshake counts, too."""
    monkeypatch.setattr(kmip, "CALL_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = server.uri("1").replace(f":{server.port}/", f":{listener.getsockname()[1]}/")
        with pytest.raises(RootUnreachable, match=r"did not answer in 0\.5 seconds"):
            KmipRoot.open(parse_kmip(where, Path()))


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x42\x00\x7b\x01\xff\xff\xff\xff",
        b"\x42\x00\x7b\x01\x00\x00\x00\x00",
        b"\x42\x00\x7b\x01\x00\x00\x00\x08\x42\x00\x0f\x01\x00\x00\x00\x00",
    ],
)
def test_nonsense_is_refused(authority: Authority, answer: bytes) -> None:
    """Another protocol, a length without measure, and structures with nothing in them."""

    def send(protected: ssl.SSLSocket) -> None:
        protected.recv(4096)
        protected.sendall(answer)
        protected.recv(4096)

    with peer(authority, send) as where, pytest.raises(RootRefused, match="does not speak KMIP"):
        KmipRoot.open(where)


@pytest.mark.parametrize("answer", [b"", b"\x42\x00\x7b", b"\x42\x00\x7b\x01\x00\x00\x00\x10\x42"])
def test_an_answer_that_breaks_off_is_told(authority: Authority, answer: bytes) -> None:
    """Before it, in its header, in its body."""

    def send(protected: ssl.SSLSocket) -> None:
        protected.recv(4096)
        protected.sendall(answer)

    with peer(authority, send) as where, pytest.raises(RootUnreachable):
        KmipRoot.open(where)


def test_what_has_no_tls_is_refused(authority: Authority) -> None:
    """Another service listens there."""
    with peer(authority, silently, tls=False) as where, pytest.raises(RootRefused, match="TLS"):
        KmipRoot.open(where)


def test_tls_13_refuses_our_certificate_later(authority: Authority, tmp_path: Path) -> None:
    """After the handshake; what the server said is read where it came through, and hinted at where not."""
    clients = Authority.make(tmp_path)
    with (
        peer(authority, silently, clients=clients) as where,
        pytest.raises((RootRefused, RootUnreachable)) as caught,
    ):
        KmipRoot.open(where)
    assert "certificate=" in caught.value.hint
