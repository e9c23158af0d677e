"""TLS on both sides: settings, the ssl contexts made of them, and the checks after a handshake.

``server_context`` and ``ServerIdentity`` serve the listener; ``upstream_context`` and ``checked_peer`` serve
the connector, for sessions and CancelRequests alike. ``checked_peer`` must be called before the first byte is
written. TLS 1.2 or later; no session tickets, renegotiation or compression, as in PostgreSQL
(src/backend/libpq/be-secure-openssl.c).
"""

import os
import ssl
import stat
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from strongroom.errors import InvalidTlsSettings, LoginMalformed, UpstreamUntrusted
from strongroom.gateway.certificate import ClientName, Pin, client_name, tls_server_end_point
from strongroom.session.login import Peer
from strongroom.session.upstream_login import UpstreamPeer

ALPN = "postgresql"
"""The protocol's name in direct TLS (manual, "SSL Session Encryption"; registered with IANA)."""


class SslMode(Enum):
    """libpq's ``sslmode`` without allow and prefer, which an attacker on the way can turn into disable."""

    DISABLE = "disable"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


@dataclass(frozen=True, slots=True)
class ServerTls:
    """TLS towards clients. ``client_ca``: who may sign their certificates; None: they are not asked for."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    client_name: ClientName = ClientName.COMMON_NAME
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2


@dataclass(frozen=True, slots=True)
class UpstreamTls:
    """TLS towards a database. ``root`` None: the system's authorities; ``direct``: no SSLRequest before.

    Each of ``pins`` suffices, beside what ``mode`` asks for.
    """

    mode: SslMode = SslMode.VERIFY_FULL
    root: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    direct: bool = False
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    pins: tuple[Pin, ...] = ()

    @property
    def verifies(self) -> bool:
        """Whether a peer that passes is known to be the database, so that it may be told a secret."""
        return self.mode in {SslMode.VERIFY_CA, SslMode.VERIFY_FULL} or bool(self.pins)


# --------------------------------------------------------------------------------- towards clients


def server_context(settings: ServerTls) -> ssl.SSLContext:
    """The context of a listener; raises ``InvalidTlsSettings``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context, settings.minimum)
    context.options |= ssl.OP_NO_TICKET | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0  # TLS 1.3 has its own; a resumed session would skip the client's certificate
    _load_own(context, settings.certificate, settings.key)
    if settings.client_ca is not None:
        _load_authorities(context, settings.client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def server_binding(settings: ServerTls) -> bytes | None:
    """The tls-server-end-point data of our own certificate; the file's first one is ours."""
    try:
        pem = settings.certificate.read_text("ascii", "replace")
        start = pem.index("-----BEGIN CERTIFICATE-----")
        end = pem.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----")
        return tls_server_end_point(ssl.PEM_cert_to_DER_cert(pem[start:end]))
    except (OSError, ValueError) as error:
        raise _unusable("certificate", settings.certificate) from error


def client_peer(
    connection: ssl.SSLObject | ssl.SSLSocket, settings: ServerTls, binding: bytes | None
) -> Peer:
    """What a finished handshake says of a client; OpenSSL has verified the certificate, if there is one."""
    certificate = connection.getpeercert(binary_form=True) if settings.client_ca is not None else None
    name = client_name(certificate, settings.client_name) if certificate else None
    return Peer(certificate_name=name, binding=binding)


def check_client_alpn(selected: str | None, *, direct: bool) -> None:
    """Raise unless the client speaks our protocol: direct TLS must say so (the ALPACA attack).

    After SSLRequest it may be silent, as clients before libpq 17 are.
    """
    if selected != ALPN and (direct or selected is not None):
        raise LoginMalformed(
            'direct TLS without the ALPN protocol "postgresql"',
            hint="use libpq 17 or later, or leave sslnegotiation=direct out",
        )


# ---------------------------------------------------------------------------- towards the database


def upstream_context(settings: UpstreamTls) -> ssl.SSLContext | None:
    """The context of a connector, None for no TLS; raises ``InvalidTlsSettings``."""
    if settings.mode is SslMode.DISABLE:
        _check_plaintext(settings)
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context, settings.minimum)
    context.check_hostname = settings.mode is SslMode.VERIFY_FULL
    if settings.mode is SslMode.REQUIRE:
        context.verify_mode = ssl.CERT_NONE  # as libpq; a pin still holds, in `checked_peer`
    elif settings.root is not None:
        _load_authorities(context, settings.root)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if settings.certificate is not None and settings.key is not None:
        _load_own(context, settings.certificate, settings.key)
    elif settings.certificate is not None or settings.key is not None:
        raise InvalidTlsSettings("of sslcert and sslkey only one is given", hint="give both or none")
    return context


def checked_peer(connection: ssl.SSLObject | ssl.SSLSocket, settings: UpstreamTls) -> UpstreamPeer:
    """What a finished handshake says of the database; raises ``UpstreamUntrusted``.

    INVARIANT: no byte is sent over the connection before this has returned.
    """
    selected = connection.selected_alpn_protocol()
    if selected != ALPN and (settings.direct or selected is not None):
        raise UpstreamUntrusted(
            'the peer did not agree to the ALPN protocol "postgresql"',
            hint="sslnegotiation=direct needs PostgreSQL 17 or later",
        )
    certificate = connection.getpeercert(binary_form=True)
    if not certificate:
        raise UpstreamUntrusted("the database showed no certificate", hint="check the address")
    if settings.pins and not any(pin.matches(certificate) for pin in settings.pins):
        raise UpstreamUntrusted(
            "the certificate of the database matches no pin",
            hint="if it was renewed on purpose, add the new pin to upstream_pin before removing the old one",
        )
    return UpstreamPeer(verified=settings.verifies, binding=tls_server_end_point(certificate))


def handshake_failure(error: ssl.SSLError | ssl.CertificateError) -> UpstreamUntrusted:
    """The error for a handshake with the database that failed; OpenSSL's reason names no secret."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return UpstreamUntrusted(
            f"the certificate of the database does not verify: {error.verify_message}",
            hint="check sslrootcert and the host name in `upstream`",
        )
    reason = getattr(error, "reason", None) or "unknown reason"
    return UpstreamUntrusted(
        f"the TLS handshake with the database failed: {reason}", hint="see the database's log"
    )


# ------------------------------------------------------------------------------------------- files


def _check_plaintext(settings: UpstreamTls) -> None:
    if settings.pins or settings.direct or settings.certificate or settings.root:
        raise InvalidTlsSettings(
            "sslmode=disable contradicts a pin, a certificate or direct TLS",
            hint="set sslmode=verify-full, or sslmode=require beside a pin",
        )


def _harden(context: ssl.SSLContext, minimum: ssl.TLSVersion) -> None:
    if minimum not in {ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3}:
        raise InvalidTlsSettings(
            "the minimum TLS version is neither 1.2 nor 1.3", hint="set TLSv1.2 or TLSv1.3"
        )
    context.minimum_version = minimum
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols([ALPN])


def _load_own(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    _check_private(key)
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except (OSError, ssl.SSLError) as error:  # SSLError is an OSError; both named for the reader
        raise _unusable("certificate or key", certificate) from error


def _load_authorities(context: ssl.SSLContext, file: Path) -> None:
    try:
        context.load_verify_locations(cafile=file)
    except (OSError, ssl.SSLError) as error:
        raise _unusable("file of authorities", file) from error


def _check_private(key: Path) -> None:
    """PostgreSQL's rule: 0600 or less, or 0640 where root owns it (manual, "Secure TCP/IP Connections")."""
    try:
        status = key.stat()
    except OSError as error:
        raise _unusable("key", key) from error
    allowed = 0o640 if status.st_uid == 0 else 0o600
    if not stat.S_ISREG(status.st_mode) or stat.S_IMODE(status.st_mode) & ~allowed & 0o077:
        raise InvalidTlsSettings(
            f"the private key {os.fspath(key)} may be read by others", hint=f"chmod {allowed:o} it"
        )


def _no_passphrase() -> str:
    """Called by OpenSSL for an encrypted key; without it, it would ask at the terminal."""
    raise InvalidTlsSettings(
        "the private key is encrypted with a passphrase", hint="decrypt it, and give it mode 0600"
    )


def _unusable(what: str, file: Path) -> InvalidTlsSettings:
    return InvalidTlsSettings(
        f"the {what} {os.fspath(file)} cannot be read or used",
        hint="it must be a readable PEM file, and the key must belong to the certificate",
    )
