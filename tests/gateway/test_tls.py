"""TLS on both sides, by real handshakes in memory: who is let in, who is trusted, what is refused."""

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from tests.gateway.certificates import make_certificate

from strongroom.errors import ClientError, InvalidTlsSettings, UpstreamUntrusted
from strongroom.gateway.certificate import ClientName, Pin, PinKind, pins_of, tls_server_end_point
from strongroom.gateway.tls import (
    ALPN,
    ServerTls,
    SslMode,
    UpstreamTls,
    check_client_alpn,
    checked_peer,
    client_peer,
    handshake_failure,
    server_binding,
    server_context,
    upstream_context,
)
from strongroom.session.login import Peer

NO_PIN = Pin(PinKind.PUBLIC_KEY, b"\0" * 32)


class Bench:
    """An authority, a server's and a client's certificate, written to a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = make_certificate("authority")
        self.server = make_certificate(
            "db.example", alternatives=(x509.DNSName("db.example"),), issuer=self.authority
        )
        self.client = make_certificate("app", issuer=self.authority)
        self.root, _ = self.authority.write(folder, "ca")
        self.certificate, self.key = self.server.write(folder, "server")
        self.client_certificate, self.client_key = self.client.write(folder, "client")
        self.serving = ServerTls(self.certificate, self.key)
        self.calling = UpstreamTls(root=self.root)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("tls"))


def shake_hands(
    client: ssl.SSLContext, server: ssl.SSLContext, name: str | None = "db.example"
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """A whole handshake over memory; the client's error, if it has one, comes first."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for end in (ours, theirs):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ours, theirs


def context_of(settings: UpstreamTls) -> ssl.SSLContext:
    context = upstream_context(settings)
    assert context is not None
    return context


# ------------------------------------------------------------------------- towards the database


@pytest.mark.parametrize("minimum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_verified_database_is_trusted(bench: Bench, minimum: ssl.TLSVersion) -> None:
    """verify-full passes for the right authority and name, and gives the binding of the certificate."""
    settings = replace(bench.calling, minimum=minimum)
    ours, _ = shake_hands(context_of(settings), server_context(bench.serving))
    peer = checked_peer(ours, settings)
    assert peer.verified
    assert peer.binding == tls_server_end_point(bench.server.der)


def test_another_name_is_refused_by_verify_full_alone(bench: Bench) -> None:
    """verify-ca takes any name of the authority; verify-full does not."""
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        shake_hands(context_of(bench.calling), server_context(bench.serving), "other.example")
    assert "ostname" in handshake_failure(caught.value).message
    by_authority = replace(bench.calling, mode=SslMode.VERIFY_CA)
    ours, _ = shake_hands(context_of(by_authority), server_context(bench.serving), "other.example")
    assert checked_peer(ours, by_authority).verified


@pytest.mark.parametrize("mode", [SslMode.VERIFY_CA, SslMode.VERIFY_FULL])
def test_another_authority_is_refused(bench: Bench, tmp_path: Path, mode: SslMode) -> None:
    """A certificate of an authority that is not ours fails, and so does the system's list."""
    root, _ = make_certificate("other").write(tmp_path, "other")
    for settings in (UpstreamTls(mode=mode, root=root), UpstreamTls(mode=mode)):
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(context_of(settings), server_context(bench.serving))


def test_require_encrypts_and_trusts_nobody(bench: Bench) -> None:
    """Any certificate will do, so the peer does not count as verified."""
    settings = UpstreamTls(mode=SslMode.REQUIRE)
    ours, _ = shake_hands(context_of(settings), server_context(bench.serving), "other.example")
    peer = checked_peer(ours, settings)
    assert not peer.verified
    assert peer.binding == tls_server_end_point(bench.server.der)


@pytest.mark.parametrize("which", [0, 1])
def test_a_pin_is_trust_enough(bench: Bench, which: int) -> None:
    """With sslmode=require, any one matching pin makes the peer verified."""
    settings = UpstreamTls(mode=SslMode.REQUIRE, pins=(NO_PIN, pins_of(bench.server.der)[which]))
    ours, _ = shake_hands(context_of(settings), server_context(bench.serving))
    assert checked_peer(ours, settings).verified


@pytest.mark.parametrize("mode", [SslMode.REQUIRE, SslMode.VERIFY_CA, SslMode.VERIFY_FULL])
def test_a_pin_that_does_not_match_is_refused(bench: Bench, mode: SslMode) -> None:
    """Whatever sslmode says: a pin holds beside it. The authority's own pin is not the server's."""
    for pins in ((NO_PIN,), pins_of(bench.authority.der)):
        settings = replace(bench.calling, mode=mode, pins=pins)
        ours, _ = shake_hands(context_of(settings), server_context(bench.serving))
        with pytest.raises(UpstreamUntrusted, match="no pin"):
            checked_peer(ours, settings)


def test_direct_tls_needs_alpn(bench: Bench) -> None:
    """A direct connection to something that does not say "postgresql" is refused; a negotiated one is not."""
    silent = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    silent.load_cert_chain(bench.certificate, bench.key)
    direct = replace(bench.calling, direct=True)
    ours, _ = shake_hands(context_of(direct), silent)
    with pytest.raises(UpstreamUntrusted, match="ALPN"):
        checked_peer(ours, direct)
    assert checked_peer(ours, bench.calling).verified
    ours, _ = shake_hands(context_of(direct), server_context(bench.serving))
    assert checked_peer(ours, direct).verified


def test_old_tls_is_refused(bench: Bench) -> None:
    """A peer that cannot do the minimum version gets no connection."""
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.load_cert_chain(bench.certificate, bench.key)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError) as caught:
        shake_hands(context_of(replace(bench.calling, minimum=ssl.TLSVersion.TLSv1_3)), old)
    assert "handshake" in handshake_failure(caught.value).message


def test_disable_has_no_context() -> None:
    """No TLS, no context; and nothing is verified."""
    assert upstream_context(UpstreamTls(mode=SslMode.DISABLE)) is None
    assert not UpstreamTls(mode=SslMode.DISABLE).verifies


@pytest.mark.parametrize(
    "settings",
    [
        UpstreamTls(mode=SslMode.DISABLE, pins=(NO_PIN,)),
        UpstreamTls(mode=SslMode.DISABLE, direct=True),
        UpstreamTls(mode=SslMode.DISABLE, root=Path("ca.pem")),
        UpstreamTls(certificate=Path("client.crt")),
        UpstreamTls(key=Path("client.key")),
        UpstreamTls(minimum=ssl.TLSVersion.TLSv1_1),
        UpstreamTls(root=Path("missing.pem")),
    ],
    ids=repr,
)
def test_settings_that_contradict_themselves_are_refused(settings: UpstreamTls) -> None:
    """No TLS beside what needs it, half a client certificate, old versions, and files that are not there."""
    with pytest.raises(InvalidTlsSettings):
        upstream_context(settings)


# ------------------------------------------------------------------------------- towards clients


def test_a_verified_client_is_named(bench: Bench) -> None:
    """A certificate that client_ca signed names its owner; the binding is our own certificate's."""
    serving = replace(bench.serving, client_ca=bench.root)
    calling = replace(bench.calling, certificate=bench.client_certificate, key=bench.client_key)
    binding = server_binding(serving)
    _, theirs = shake_hands(context_of(calling), server_context(serving))
    assert binding == tls_server_end_point(bench.server.der)
    assert client_peer(theirs, serving, binding) == Peer("app", binding)
    elsewhere = replace(serving, client_name=ClientName.SAN_DNS)
    assert client_peer(theirs, elsewhere, binding) == Peer(None, binding)


def test_a_client_without_a_certificate_is_nobody(bench: Bench) -> None:
    """Certificates are asked for, not demanded: SCRAM comes next."""
    serving = replace(bench.serving, client_ca=bench.root)
    _, theirs = shake_hands(context_of(bench.calling), server_context(serving))
    assert client_peer(theirs, serving, None) == Peer(None, None)


def test_a_client_certificate_of_another_authority_is_refused(bench: Bench, tmp_path: Path) -> None:
    """The handshake fails; the client is not merely unnamed."""
    certificate, key = make_certificate("app").write(tmp_path, "self-signed")
    calling = replace(bench.calling, certificate=certificate, key=key)
    serving = replace(bench.serving, client_ca=bench.root)
    with pytest.raises(ssl.SSLError):
        shake_hands(context_of(calling), server_context(serving))


def test_a_certificate_that_nobody_asked_for_names_nobody(bench: Bench) -> None:
    """Without client_ca nothing is verified, so nothing is believed."""
    calling = replace(bench.calling, certificate=bench.client_certificate, key=bench.client_key)
    _, theirs = shake_hands(context_of(calling), server_context(bench.serving))
    assert client_peer(theirs, bench.serving, None) == Peer(None, None)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_not_resumed(bench: Bench, version: ssl.TLSVersion) -> None:
    """No ticket is given, so every connection shows its certificate anew; a plain context would give one."""
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    plain.load_cert_chain(bench.certificate, bench.key)
    tickets = []
    for serving in (plain, server_context(bench.serving)):
        calling = context_of(bench.calling)
        calling.maximum_version = version
        ours, theirs = shake_hands(calling, serving)
        theirs.write(b"x")
        assert ours.read(1) == b"x"  # TLS 1.3 sends its tickets before the first data
        tickets.append(ours.session is not None and ours.session.has_ticket)
    assert tickets == [True, False]


def test_ed25519_serves_without_a_binding(tmp_path: Path) -> None:
    """Its certificate works for TLS; channel binding is just not offered."""
    made = make_certificate("db", key=ed25519.Ed25519PrivateKey.generate())
    settings = ServerTls(*made.write(tmp_path, "server"))
    assert server_binding(settings) is None
    shake_hands(context_of(UpstreamTls(mode=SslMode.REQUIRE)), server_context(settings))


def test_the_binding_is_that_of_the_first_certificate_in_the_file(bench: Bench, tmp_path: Path) -> None:
    """A chain has ours first; text before it is skipped, as OpenSSL does."""
    chain = tmp_path / "chain.pem"
    chain.write_bytes(b"subject=db\n" + bench.server.pem + bench.authority.pem)
    assert server_binding(ServerTls(chain, bench.key)) == tls_server_end_point(bench.server.der)


@pytest.mark.parametrize(
    ("selected", "direct", "accepted"),
    [(ALPN, True, True), (ALPN, False, True), (None, False, True),
     (None, True, False), ("h2", True, False), ("h2", False, False)],
)  # fmt: skip
def test_alpn_of_a_client(selected: str | None, *, direct: bool, accepted: bool) -> None:
    """Direct TLS must name our protocol; after SSLRequest silence is fine, another protocol is not."""
    if accepted:
        check_client_alpn(selected, direct=direct)
    else:
        with pytest.raises(ClientError):
            check_client_alpn(selected, direct=direct)


# ------------------------------------------------------------------------------------------ files


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o666])
def test_a_key_that_others_can_read_is_refused(bench: Bench, tmp_path: Path, mode: int) -> None:
    """PostgreSQL's rule: the owner alone, or root's group to read."""
    certificate, key = bench.server.write(tmp_path, "server")
    key.chmod(mode)
    if key.stat().st_uid == 0 and mode == 0o640:
        server_context(ServerTls(certificate, key))
        return
    with pytest.raises(InvalidTlsSettings, match="read by others"):
        server_context(ServerTls(certificate, key))


def refused(settings: ServerTls) -> InvalidTlsSettings:
    with pytest.raises(InvalidTlsSettings) as caught:
        server_context(settings)
    return caught.value


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(bench: Bench, tmp_path: Path) -> None:
    """OpenSSL would ask at the terminal, where nobody sits."""
    assert "passphrase" in refused(ServerTls(*bench.server.write(tmp_path, "server", b"secret"))).message


def test_files_that_cannot_be_used_are_named(bench: Bench, tmp_path: Path) -> None:
    """A missing file, a key of another certificate, and what is no PEM at all."""
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_bytes(b"rubbish")
    rubbish.chmod(0o600)
    for settings in (
        ServerTls(tmp_path / "missing.crt", bench.key),
        ServerTls(bench.certificate, tmp_path / "missing.key"),
        ServerTls(bench.certificate, bench.client_key),
        ServerTls(rubbish, bench.key),
        ServerTls(bench.certificate, rubbish),
        replace(bench.serving, client_ca=rubbish),
    ):
        assert str(tmp_path) in (message := refused(settings).message) or str(bench.folder) in message
    for file in (rubbish, tmp_path / "missing.crt"):
        with pytest.raises(InvalidTlsSettings):
            server_binding(ServerTls(file, bench.key))


def test_the_server_refuses_old_tls_too(bench: Bench) -> None:
    """A minimum below TLS 1.2 is not to be had."""
    refused(replace(bench.serving, minimum=ssl.TLSVersion.TLSv1))
