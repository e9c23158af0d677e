"""``vault:`` root: a key of the transit engine of a Vault or OpenBao server, which it never leaves.

What is wrapped is Vault's own text (``vault:v1:...``), and the associated data goes along: so the server's
command line opens it without us. The key must be of type aes256-gcm96 and not derived; convergent encryption
is never asked for. Rotating the key in the server leaves what older versions wrapped opening. What was
wrapped is opened again before anybody relies on it: one call more, where a wrap that does not open would be a
key that is lost. Opened by ``opening``.
"""

import base64
import binascii
import re
from http import HTTPStatus
from typing import Self

from strongroom.config.vault_address import VaultAddress
from strongroom.errors import RootRefused, RootUnreachable, WrongRoot
from strongroom.keys.root.vault_client import PATIENCE, Answer, Patience, VaultClient

KIND = "aes256-gcm96"
MAX_WRAPPED = 1 << 17
"""Octets: 64 KiB of plaintext in base64, and room to spare."""

_WRAPPED = re.compile(rb"vault:v[0-9]{1,9}:[A-Za-z0-9+/]{38,}={0,2}")


class VaultRoot:
    """A key in a server; prints as its name."""

    __slots__ = ("_address", "_client")

    def __init__(self, address: VaultAddress, client: VaultClient) -> None:
        self._address = address
        self._client = client

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @classmethod
    def open(cls, address: VaultAddress, patience: Patience = PATIENCE) -> Self:
        """The root, once the server has said that the key is there and fit; one call."""
        root = cls(address, VaultClient(address, patience))
        root._check()
        return root

    @property
    def name(self) -> str:
        """The engine's place, the key's name and the server."""
        return self._address.name

    def wrap(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """What the server made of it, once it has opened again; two calls."""
        answer = self._ask(
            "encrypt", plaintext=_encoded(plaintext), associated_data=_encoded(associated_data)
        )
        wrapped = str(answer.data.get("ciphertext")).encode() if answer.is_good else b""
        if not answer.is_good:
            raise RootRefused(f"{self.name} does not wrap", hint=_SEE_KEY)
        try:
            opened = self.unwrap(wrapped, associated_data)
        except WrongRoot:
            opened = None
        if opened != plaintext:
            raise RootRefused(
                f"{self.name} does not open what it wrapped a moment ago",
                hint="several servers with different keys answer at this address: write that of one of them",
            )
        return wrapped

    def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        """What the server opened; one call. Raises ``WrongRoot``, or another ``RootError``."""
        if len(wrapped) > MAX_WRAPPED or not _WRAPPED.fullmatch(wrapped):
            raise WrongRoot("a wrapped key was not wrapped in a Vault or OpenBao server", hint=_SEE_ROOT)
        answer = self._ask("decrypt", ciphertext=wrapped.decode(), associated_data=_encoded(associated_data))
        if not answer.is_good:
            raise self._not_opened(answer)
        try:
            return base64.b64decode(str(answer.data["plaintext"]), validate=True)
        except (KeyError, binascii.Error, ValueError):
            raise RootUnreachable(f"{self.name} answers without a plaintext", hint=_SEE_KEY) from None

    def _check(self) -> None:
        path = f"{self._address.mount}/keys/{self._address.key}"
        answer = self._client.read(path)
        if not answer.is_good:
            raise RootRefused(
                f"there is no {self.name}",
                hint=f"make it there: bao write -f {path}; or mend mount and name in keys: root:",
            )
        said = answer.data
        if said.get("name") != self._address.key:
            raise RootRefused(f"{self.name}: the server answers with another key", hint=_SEE_KEY)
        if said.get("type") != KIND or said.get("derived") or said.get("soft_deleted"):
            raise RootRefused(
                f"{self.name} cannot be a root: it is not of type {KIND}, is derived, or is deleted",
                hint=f"make another: bao write {self._address.mount}/keys/NAME type={KIND}",
            )

    def _ask(self, operation: str, **body: str) -> Answer:
        return self._client.write(f"{self._address.mount}/{operation}/{self._address.key}", body)

    def _not_opened(self, answer: Answer) -> RootRefused | WrongRoot:
        """The phrases are those of Vault's transit engine (sdk/helper/keysutil) and OpenBao's alike."""
        if "too old" in answer.errors:
            return RootRefused(
                f"{self.name} no longer opens what this version of it wrapped",
                hint=f"lower it there: bao write {self._address.mount}/keys/{self._address.key}/config"
                " min_decryption_version=1",
            )
        if answer.status == HTTPStatus.NOT_FOUND or "key not found" in answer.errors:
            return RootRefused(f"there is no {self.name} any more", hint="restore it there from a backup")
        if "too new" in answer.errors:
            return WrongRoot(
                f"a wrapped key was made by a newer version of {self.name} than the server has",
                hint="the server was restored from an older backup, or is another one: restore the newer",
            )
        return WrongRoot(f"a wrapped key does not open with {self.name}", hint=_SEE_ROOT)


_SEE_KEY = "look at the key there: bao read transit/keys/NAME; its log says more"
_SEE_ROOT = (
    "put back the root that was configured when it was wrapped, or restore the state or the tables of the "
    "schema strongroom_keys from a backup"
)


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
