"""``kmip:`` root: an AES key in a KMIP server, such as a key manager or HSM appliance, which it never leaves.

What is wrapped is one octet of format, a nonce, and AES-256-GCM ciphertext and tag, made by the server's
Encrypt with the caller's associated data. Both sides prove who they are by TLS certificates; the server's has
to name the host of the address. Each call opens a connection of its own, has so many seconds, and is not
tried again: a root is called at start, at reload and at rotation, and whoever does that can try again.

Opened by ``opening``.
"""

import contextlib
import secrets
import socket
import ssl
import time
from collections.abc import Iterator

from strongroom.config.kmip_address import KmipAddress
from strongroom.config.values import Address
from strongroom.errors import Bug, RootError, RootRefused, RootUnreachable, WrongRoot
from strongroom.keys.root import kmip_messages as messages
from strongroom.keys.root.ttlv import HEADER_SIZE, body_length

CALL_SECONDS = 15.0
"""How long one call may take in all, connection and TLS included; the server may be slow, but not forever."""

NONCE_SIZE = 12  # octets; NIST SP 800-38D, section 8.2.2: drawn at random, one for each wrapping
MAX_PLAINTEXT = 65_536  # octets; a wrapped key-encryption key has some 500
FORMAT = b"\x01"
_MIN_WRAPPED = len(FORMAT) + NONCE_SIZE + messages.TAG_SIZE


class KmipRoot:
    """A root key in a KMIP server."""

    __slots__ = ("_address", "_tls")

    def __init__(self, address: KmipAddress, tls: ssl.SSLContext) -> None:
        self._address = address
        self._tls = tls

    def __repr__(self) -> str:
        return f"<KmipRoot {self.name}>"

    @classmethod
    def open(cls, address: KmipAddress) -> "KmipRoot":
        """The root, once the server has said that the key is there and may serve; raises a ``RootError``."""
        root = cls(address, _tls(address))
        with root._connected() as server:
            answer = server.ask(messages.get_attributes(address.identifier))
        messages.read_attributes(answer, address.identifier).refuse_unfit()
        return root

    @property
    def name(self) -> str:
        """The server and the key in it."""
        return self._address.name

    def wrap(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """The plaintext, encrypted by the server; raises a ``RootError``.

        What the server could not open again is not given out.
        """
        if len(plaintext) > MAX_PLAINTEXT:
            raise Bug(f"a root key wraps at most {MAX_PLAINTEXT} octets")
        nonce = secrets.token_bytes(NONCE_SIZE)
        with self._connected() as server:
            sealed = self._encrypt(server, plaintext, nonce, associated_data)
            if self._decrypt(server, sealed, nonce, associated_data) != plaintext:
                raise RootRefused("the KMIP server does not open what it has just encrypted")
        return FORMAT + nonce + sealed

    def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        """The plaintext; raises ``WrongRoot`` where it does not open, or another ``RootError``."""
        if not wrapped.startswith(FORMAT) or len(wrapped) < _MIN_WRAPPED:
            raise WrongRoot(
                "a wrapped key is not in the form in which KMIP roots wrap",
                hint="name the root that was in use when it was made",
            )
        nonce, sealed = wrapped[1 : 1 + NONCE_SIZE], wrapped[1 + NONCE_SIZE :]
        with self._connected() as server:
            plaintext = self._decrypt(server, sealed, nonce, associated_data)
        if plaintext is not None:
            return plaintext
        self.wrap(b"probe", b"")  # a server that is ill fails here, too, and is then reported as such
        raise WrongRoot(
            "a wrapped key does not open under the key in the KMIP server: "
            "it was changed, or wrapped by another",
            hint="name the server and key that were in use, or restore what was wrapped from a backup",
        )

    def _encrypt(self, server: "_Server", plaintext: bytes, nonce: bytes, associated_data: bytes) -> bytes:
        identifier = self._address.identifier
        answer = server.ask(messages.encrypt(identifier, plaintext, nonce, associated_data))
        return messages.read_encrypted(answer, identifier)

    def _decrypt(
        self, server: "_Server", sealed: bytes, nonce: bytes, associated_data: bytes
    ) -> bytes | None:
        identifier = self._address.identifier
        answer = server.ask(messages.decrypt(identifier, sealed, nonce, associated_data))
        return messages.read_decrypted(answer, identifier)

    @contextlib.contextmanager
    def _connected(self) -> Iterator["_Server"]:
        """A connection, as long as the ``with`` lasts; what goes wrong with it raises a ``RootError``."""
        where, deadline = self._address.server, time.monotonic() + CALL_SECONDS
        try:
            with (
                socket.create_connection((where.host, where.port), CALL_SECONDS) as bare,
                _handshake(self._tls, bare, where.host, deadline) as protected,
            ):
                yield _Server(protected, deadline)
        except OSError as error:
            raise _told(error, where) from None


class _Server:
    """The server's end of a connection, until the deadline."""

    def __init__(self, protected: ssl.SSLSocket, deadline: float) -> None:
        self._protected = protected
        self._deadline = deadline

    def ask(self, request: bytes) -> bytes:
        """The one message that answers the request."""
        self._protected.settimeout(_left(self._deadline))
        with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
            # TLS 1.3 refuses a client's certificate after the handshake: then there is something to read.
            self._protected.sendall(request)
        header = self._read(HEADER_SIZE)
        return header + self._read(body_length(header))

    def _read(self, size: int) -> bytes:
        received = bytearray()
        while len(received) < size:
            self._protected.settimeout(_left(self._deadline))
            part = self._protected.recv(size - len(received))
            if not part:
                raise ConnectionResetError
            received += part
        return bytes(received)


def _left(deadline: float) -> float:
    """Seconds to the deadline; each wait gets what the others have left."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _handshake(tls: ssl.SSLContext, bare: socket.socket, host: str, deadline: float) -> ssl.SSLSocket:
    bare.settimeout(_left(deadline))
    return tls.wrap_socket(bare, server_hostname=host)


def _told(error: OSError, where: Address) -> RootError:
    """What went wrong with a connection, and whose turn it is."""
    match error:
        case ssl.SSLCertVerificationError():
            return RootUnreachable(
                f"what answers at {where} does not prove to be the KMIP server",
                hint="see that ca= names the authority of its certificate, and that this is for the host",
            )
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError() | ConnectionResetError():
            return RootUnreachable(
                f"what answers at {where} hangs up",
                hint="a KMIP server does so, too, when it does not know the certificate in certificate=",
            )
        case ssl.SSLError():
            return RootRefused(
                f"the KMIP server at {where} refuses the TLS connection ({error.reason or 'TLS'})",
                hint="see that it knows the certificate in certificate=, and that this has not expired",
            )
        case TimeoutError():
            return RootUnreachable(f"the KMIP server at {where} did not answer in {CALL_SECONDS:g} seconds")
    why = error.strerror or type(error).__name__
    return RootUnreachable(f"the KMIP server at {where} cannot be reached: {why}")


def _tls(address: KmipAddress) -> ssl.SSLContext:
    """Both certificates are read now, and once; TLS 1.2 or 1.3, and the server's name is checked."""
    try:
        tls = ssl.create_default_context(cafile=str(address.ca))
        tls.load_cert_chain(address.certificate, address.key, password=_no_password)
    except (OSError, ssl.SSLError) as error:
        named = ", ".join(str(path) for path in (address.ca, address.certificate, address.key))
        raise RootRefused(
            f"a certificate or key for the KMIP server cannot be used: {error.strerror or 'no PEM file'}",
            hint=f"see that these are PEM files, readable, and that the last two belong together: {named}",
        ) from None
    return tls


def _no_password() -> str:
    """OpenSSL would ask at the terminal for that of an encrypted key; such a key is refused instead."""
    return ""
