"""Certificates for tests: a certificate authority of its own, made by trustme in a moment.

For servers with TLS and clients with certificates. Needs trustme (``pip install strongroom[dev]``).
"""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate chain and its key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority whose files live in ``folder``."""

    folder: Path
    _ca: trustme.CA

    @classmethod
    def make(cls, folder: Path) -> "Authority":
        """A new authority; ``folder`` is there already."""
        ca = trustme.CA()
        ca.cert_pem.write_to_path(folder / "ca.pem")
        return cls(folder, ca)

    @property
    def certificate(self) -> Path:
        """The authority's own certificate, for sslrootcert or client_ca."""
        return self.folder / "ca.pem"

    def server(self, *names: str) -> Certificate:
        """A certificate for a server of these host names or addresses."""
        return self._write(self._ca.issue_cert(*names), names[0])

    def client(self, name: str) -> Certificate:
        """A certificate whose common name is ``name``."""
        return self._write(self._ca.issue_cert(f"{name}@clients.invalid", common_name=name), name)

    def _write(self, leaf: trustme.LeafCert, name: str) -> Certificate:
        made = Certificate(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        made.certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        made.key.touch(mode=0o600)
        made.key.write_bytes(leaf.private_key_pem.bytes())
        return made
