"""``kmip:`` addresses of a root key: the server, the unique identifier of the key, and our certificate there.

    kmip:kms.example:5696/6f1b...?ca=kmip-ca.pem&certificate=strongroom.crt&key=strongroom.key

Called by ``roots``; ``keys/root/kmip.py`` opens what it names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from strongroom.config.values import Address, invalid

DEFAULT_PORT = 5696  # KMIP's, as registered with IANA
FILES = ("ca", "certificate", "key")
EXAMPLE = "write kmip:HOST:5696/UNIQUE-IDENTIFIER?ca=ca.pem&certificate=client.crt&key=client.key"
_SERVER = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]/?#@\s]+))(?::([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class KmipAddress:
    """A key in a KMIP server, and the PEM files with which both sides prove who they are."""

    server: Address
    identifier: str
    ca: Path
    certificate: Path
    key: Path

    @property
    def name(self) -> str:
        """The server and the key, for people."""
        return f"kmip {self.server}/{self.identifier}"


def parse_kmip(rest: str, folder: Path) -> KmipAddress:
    """What stands behind ``kmip:``; relative paths are relative to ``folder``."""
    where, _, query = rest.partition("?")
    server, _, identifier = where.partition("/")
    if not identifier:
        raise invalid("does not say which key", instead=EXAMPLE)
    files = _files(query)
    return KmipAddress(
        server=_server(server),
        identifier=unquote(identifier),
        ca=folder / files["ca"],
        certificate=folder / files["certificate"],
        key=folder / files["key"],
    )


def _server(text: str) -> Address:
    found = _SERVER.fullmatch(text)
    port = int(found[3] or DEFAULT_PORT) if found else 0
    if not found or not 1 <= port <= 65535:
        raise invalid("does not name a KMIP server", instead=EXAMPLE)
    return Address(found[1] or found[2], port)


def _files(query: str) -> Mapping[str, str]:
    pairs = [part.partition("=") for part in query.split("&")]
    files = {name: unquote(value) for name, _, value in pairs}
    if sorted(name for name, _, _ in pairs) != sorted(FILES) or not all(files.values()):
        raise invalid("needs ca, certificate and key, each once and nothing else", instead=EXAMPLE)
    return files
