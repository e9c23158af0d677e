"""What a certificate says: pins, channel binding data, the name of a client."""

import hashlib
import subprocess
from base64 import b64decode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.certificates import make_certificate

from strongroom.errors import InvalidTlsSettings
from strongroom.gateway.certificate import (
    ClientName,
    Pin,
    PinKind,
    client_name,
    parse_pin,
    pins_of,
    tls_server_end_point,
)

DIGITS = "0123456789abcdef" * 4

# Self-signed: openssl req -x509 -sha1 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=old -outform DER
SHA1_SIGNED = b64decode(
    "MIIBbjCCARagAwIBAgIUdB8O1mfXrkInpilz5dmVc7u8wsMwCQYHKoZIzj0EATAOMQwwCgYDVQQDDANvbGQwHhcNMjYxMTIy"
    "MDQwNzA3WhcNMzYxMTE5MDQwNzA3WjAOMQwwCgYDVQQDDANvbGQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQsLRvt0Wis"
    "pETHXiA7rLHqHSw65Gsqdznc/wulXoKuoFRfdo4KD5HeMwRkCZNeskoPObRM1quE+x3HYZXSa23Wo1MwUTAdBgNVHQ4EFgQU"
    "pvQruSKN7OCYUXsQlRGn5E4fGlowHwYDVR0jBBgwFoAUpvQruSKN7OCYUXsQlRGn5E4fGlowDwYDVR0TAQH/BAUwAwEB/zAJ"
    "BgcqhkjOPQQBA0cAMEQCIHnIIqvVAwwKr79zYKMJMkWOpEO0KrctKGxxDMBWjC00AiA3Nkrz5g2Qyw6pl7P76sYnNFkNAs1b"
    "QAcHd6L/LR+PCg=="
)


# ------------------------------------------------------------------------------------------- pins


@pytest.mark.parametrize("kind", list(PinKind))
def test_a_pin_goes_there_and_back(kind: PinKind) -> None:
    """Its text is the one that configurations have."""
    text = f"{kind.value}:{DIGITS}"
    pin = parse_pin(text)
    assert (pin.kind, pin.digest.hex(), str(pin)) == (kind, DIGITS, text)


def test_a_fingerprint_as_openssl_prints_it_is_a_pin() -> None:
    """Capitals, and colons between octets, are accepted."""
    printed = ":".join(DIGITS[i : i + 2].upper() for i in range(0, 64, 2))
    assert parse_pin(f"cert-sha256:{printed}") == parse_pin(f"cert-sha256:{DIGITS}")


@pytest.mark.parametrize(
    "text",
    ["", DIGITS, f"sha256:{DIGITS}", "spki-sha256:", f"spki-sha256:{DIGITS[1:]}", f"spki-sha256:{DIGITS}0",
     f"spki-sha256:{DIGITS[1:]}g", f"SPKI-SHA256:{DIGITS}", f"spki-sha256:{DIGITS}\n"],
)  # fmt: skip
def test_another_text_is_no_pin(text: str) -> None:
    """The kind must be one of two, and the digest whole."""
    with pytest.raises(InvalidTlsSettings):
        parse_pin(text)


@given(st.text())
def test_any_text_is_a_pin_or_refused(text: str) -> None:
    """No text makes anything else than a pin or InvalidTlsSettings."""
    try:
        parse_pin(text)
    except InvalidTlsSettings:
        return


def test_pins_match_their_own_certificate_alone() -> None:
    """The pin of the key matches a renewal of the certificate too; that of the certificate does not."""
    old = make_certificate("db")
    renewed, other = make_certificate("db", key=old.key), make_certificate("db")
    by_key, by_certificate = pins_of(old.der)
    assert [by_key.matches(c.der) for c in (old, renewed, other)] == [True, True, False]
    assert [by_certificate.matches(c.der) for c in (old, renewed, other)] == [True, False, False]


def test_the_pin_of_a_key_is_what_openssl_computes() -> None:
    """The recipe in the documentation gives the same digest."""
    made = make_certificate("db")
    public = subprocess.run(
        ["openssl", "x509", "-pubkey", "-noout"], input=made.pem, capture_output=True, check=True
    ).stdout
    spki = subprocess.run(
        ["openssl", "pkey", "-pubin", "-outform", "DER"], input=public, capture_output=True, check=True
    ).stdout
    assert pins_of(made.der)[0] == Pin(PinKind.PUBLIC_KEY, hashlib.sha256(spki).digest())


# ------------------------------------------------------------------------------- channel binding


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [(hashes.SHA256(), "sha256"), (hashes.SHA384(), "sha384"), (hashes.SHA512(), "sha512")],
)
def test_the_binding_is_hashed_with_the_signatures_digest(
    algorithm: hashes.SHA256 | hashes.SHA384 | hashes.SHA512, name: str
) -> None:
    """RFC 5929, section 4.1: the certificate's hash by the digest that its signature uses."""
    made = make_certificate("db", digest=algorithm)
    assert tls_server_end_point(made.der) == hashlib.new(name, made.der).digest()


def test_sha1_is_replaced_by_sha256() -> None:
    """RFC 5929, section 4.1: MD5 and SHA-1 give way to SHA-256."""
    assert tls_server_end_point(SHA1_SIGNED) == hashlib.sha256(SHA1_SIGNED).digest()


def test_an_rsa_pss_signature_has_the_digest_of_its_parameters() -> None:
    """RSA-PSS names its digest in parameters, not in the algorithm."""
    key = rsa.generate_private_key(65537, 2048)
    made = make_certificate("db", key=key, digest=hashes.SHA512(), pss=True)
    assert tls_server_end_point(made.der) == hashlib.sha512(made.der).digest()


def test_ed25519_has_no_binding() -> None:
    """Its signature has no digest of its own, so there is nothing to bind with."""
    assert tls_server_end_point(make_certificate("db", key=ed25519.Ed25519PrivateKey.generate()).der) is None


def test_the_binding_follows_the_signer_not_the_key() -> None:
    """An RSA certificate signed by an Ed25519 authority has no digest either."""
    authority = make_certificate("ca", key=ed25519.Ed25519PrivateKey.generate())
    assert tls_server_end_point(make_certificate("db", issuer=authority).der) is None


@given(st.binary(max_size=100))
def test_what_is_no_certificate_has_no_binding_and_no_name(der: bytes) -> None:
    """Random octets give None, never an exception."""
    assert tls_server_end_point(der) is None
    assert client_name(der) is None


# ----------------------------------------------------------------------------------- client names


def test_a_client_is_named_by_its_common_name() -> None:
    """The default, as in PostgreSQL's cert method."""
    assert client_name(make_certificate("app").der) == "app"


@pytest.mark.parametrize("names", [(), ("app", "admin"), ("app\0admin",)])
def test_no_single_name_is_no_name(names: tuple[str, ...]) -> None:
    """None, two, or one with a zero octet: nobody."""
    assert client_name(make_certificate(*names).der) is None


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (ClientName.SAN_DNS, "app.example"),
        (ClientName.SAN_EMAIL, "app@example"),
        (ClientName.SAN_URI, "spiffe://example/app"),
    ],
)
def test_a_client_is_named_by_an_alternative_name(where: ClientName, name: str) -> None:
    """Where the listener says so, the name is that of one kind in subjectAltName."""
    alternatives = (
        x509.DNSName("app.example"),
        x509.RFC822Name("app@example"),
        x509.UniformResourceIdentifier("spiffe://example/app"),
    )
    assert client_name(make_certificate("cn", alternatives=alternatives).der, where) == name


@pytest.mark.parametrize("where", [w for w in ClientName if w is not ClientName.COMMON_NAME])
def test_a_certificate_without_alternative_names_names_nobody(where: ClientName) -> None:
    """The common name is not taken instead."""
    assert client_name(make_certificate("app").der, where) is None
    only_ip = make_certificate("app", alternatives=(x509.DNSName("a"), x509.DNSName("b")))
    assert client_name(only_ip.der, where) is None
