"""What a certificate says to us: its pins, its channel binding data, and the name of a client.

Pure over DER bytes; used by ``tls`` and by the driver after a handshake.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import Enum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from strongroom.errors import InvalidTlsSettings


class PinKind(Enum):
    """What a pin is the SHA-256 of: the public key (survives a renewal), or the whole certificate."""

    PUBLIC_KEY = "spki-sha256"
    CERTIFICATE = "cert-sha256"


@dataclass(frozen=True, slots=True)
class Pin:
    """One ``spki-sha256:hex`` or ``cert-sha256:hex``."""

    kind: PinKind
    digest: bytes

    def matches(self, certificate: bytes) -> bool:
        """Whether the certificate (DER) is the pinned one, or has the pinned key."""
        subject = certificate if self.kind is PinKind.CERTIFICATE else _public_key(certificate)
        return hmac.compare_digest(hashlib.sha256(subject).digest(), self.digest)

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.digest.hex()}"


def parse_pin(text: str) -> Pin:
    """Read a pin; colons and capitals in the hexadecimal part, as openssl prints them, are accepted."""
    kind, _, digits = text.partition(":")
    digits = digits.replace(":", "").lower()
    if kind not in {k.value for k in PinKind} or not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise InvalidTlsSettings(
            "a pin is not spki-sha256: or cert-sha256: and 64 hexadecimal digits",
            hint="`openssl x509 -in server.crt -pubkey -noout | openssl pkey -pubin -outform D | sha256sum`",
        )
    return Pin(PinKind(kind), bytes.fromhex(digits))


def pins_of(certificate: bytes) -> tuple[Pin, Pin]:
    """Both pins of a certificate (DER), to be shown to an operator."""
    return (
        Pin(PinKind.PUBLIC_KEY, hashlib.sha256(_public_key(certificate)).digest()),
        Pin(PinKind.CERTIFICATE, hashlib.sha256(certificate).digest()),
    )


def tls_server_end_point(certificate: bytes) -> bytes | None:
    """The channel binding data of RFC 5929, section 4.1: the certificate's hash by its signature's digest.

    MD5 and SHA-1 are replaced by SHA-256. None where the signature has no single digest (Ed25519, Ed448):
    the RFC leaves that undefined, so channel binding is neither offered nor used.
    """
    try:
        algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return None
    if algorithm is None:
        return None
    if isinstance(algorithm, hashes.MD5 | hashes.SHA1):  # replaced, not used
        algorithm = hashes.SHA256()
    digest = hashes.Hash(algorithm)
    digest.update(certificate)
    return digest.finalize()


class ClientName(Enum):
    """Where the name of a client certificate's owner stands."""

    COMMON_NAME = "common-name"
    SAN_DNS = "san-dns"
    SAN_EMAIL = "san-email"
    SAN_URI = "san-uri"


def client_name(certificate: bytes, where: ClientName = ClientName.COMMON_NAME) -> str | None:
    """The one name of a verified client certificate (DER); None where it has none, or more than one.

    Two names are no name: which one is meant would be for the certificate's owner to choose.
    """
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        names = _names(parsed, where)
    except ValueError:
        return None
    if len(names) != 1 or "\0" in names[0] or not names[0]:
        return None
    return names[0]


def _names(certificate: x509.Certificate, where: ClientName) -> list[str]:
    if where is ClientName.COMMON_NAME:
        attributes = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return [value for a in attributes if isinstance(value := a.value, str)]
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    match where:
        case ClientName.SAN_DNS:
            return alternatives.get_values_for_type(x509.DNSName)
        case ClientName.SAN_EMAIL:
            return alternatives.get_values_for_type(x509.RFC822Name)
        case ClientName.SAN_URI:
            return alternatives.get_values_for_type(x509.UniformResourceIdentifier)


def _public_key(certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo (DER), which RFC 7469 pins too."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
