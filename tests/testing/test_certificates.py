"""Certificates of the test kit: an authority's own, for servers and clients."""

import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from strongroom.testing.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A new one."""
    return Authority.make(tmp_path)


def read(path: Path) -> x509.Certificate:
    """The first certificate of a file."""
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_servers_bear_all_their_names(authority: Authority) -> None:
    """Host names and addresses, and the file is named for the first."""
    made = authority.server("db.example", "127.0.0.1")
    names = read(made.certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["db.example"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert made.certificate.name == "db.example.crt"


def test_clients_bear_their_common_name(authority: Authority) -> None:
    """By which an account is found."""
    (name,) = read(authority.client("report").certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == "report"


def test_a_key_is_private_and_belongs_to_its_certificate(authority: Authority) -> None:
    """Nobody else may read it, and TLS takes the pair."""
    made = authority.server("localhost")
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(made.certificate, made.key)


def test_two_authorities_do_not_know_each_other(authority: Authority, tmp_path: Path) -> None:
    """A leaf is issued by its own authority alone."""
    (tmp_path / "other").mkdir()
    other = Authority.make(tmp_path / "other")
    leaf = read(authority.server("localhost").certificate)
    leaf.verify_directly_issued_by(read(authority.certificate))
    with pytest.raises(ValueError, match="Issuer"):
        leaf.verify_directly_issued_by(read(other.certificate))
