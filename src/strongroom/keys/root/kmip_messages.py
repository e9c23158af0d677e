"""The messages of KMIP that a root key needs: Get Attributes, Encrypt and Decrypt; no input or output here.

Sections are those of OASIS, Key Management Interoperability Protocol Specification 1.4, the first version
whose Encrypt has associated data (section 4.29). A failure that the server reports becomes an error of ours,
by its result reason; the server's own text is not repeated, since it saw what is to be kept secret.

Used by ``kmip``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from strongroom.errors import RootError, RootKeyMissing, RootRefused, WrongRoot
from strongroom.keys.root.ttlv import (
    Item,
    decode,
    encode,
    enumeration,
    integer,
    malformed,
    octets,
    structure,
    text,
)

TAG_SIZE = 16  # octets, of GCM's authentication tag

# Tags (section 9.1.3.1).
ATTRIBUTE, ATTRIBUTE_NAME, ATTRIBUTE_VALUE = 0x420008, 0x42000A, 0x42000B
BATCH_COUNT, BATCH_ITEM = 0x42000D, 0x42000F
BLOCK_CIPHER_MODE, CRYPTOGRAPHIC_ALGORITHM, CRYPTOGRAPHIC_PARAMETERS = 0x420011, 0x420028, 0x42002B
IV_COUNTER_NONCE, OPERATION, DATA, TAG_LENGTH = 0x42003D, 0x42005C, 0x4200C2, 0x4200CE
PROTOCOL_VERSION, PROTOCOL_VERSION_MAJOR, PROTOCOL_VERSION_MINOR = 0x420069, 0x42006A, 0x42006B
REQUEST_HEADER, REQUEST_MESSAGE, REQUEST_PAYLOAD = 0x420077, 0x420078, 0x420079
RESPONSE_MESSAGE, RESPONSE_PAYLOAD = 0x42007B, 0x42007C
RESULT_REASON, RESULT_STATUS = 0x42007E, 0x42007F
UNIQUE_IDENTIFIER = 0x420094
ADDITIONAL_DATA, AUTHENTICATION_TAG = 0x4200FE, 0x4200FF

# Values of enumerations (section 9.1.3.2).
GET_ATTRIBUTES, ENCRYPT, DECRYPT = 0x0B, 0x1F, 0x20
AES, GCM, SUCCESS = 0x03, 0x09, 0x00
PRE_ACTIVE, DESTROYED, DESTROYED_COMPROMISED = 0x01, 0x05, 0x06
MAY_ENCRYPT_AND_DECRYPT = 0x04 | 0x08  # of the usage mask (section 9.1.3.3.1)

# Result reasons (section 9.1.3.2.28, and 11 of version 2.0 for those above 0x19), as they are told.
REASONS: Mapping[int, str] = MappingProxyType(
    {
        0x01: "Item Not Found",
        0x03: "Authentication Not Successful",
        0x04: "Invalid Message",
        0x05: "Operation Not Supported",
        0x07: "Invalid Field",
        0x08: "Feature Not Supported",
        0x0A: "Cryptographic Failure",
        0x0B: "Illegal Operation",
        0x0C: "Permission Denied",
        0x0D: "Object Archived",
        0x36: "Object Destroyed",
        0x37: "Object Not Found",
        0x39: "Not Authorised",
        0x43: "Wrong Key Lifecycle State",
        0x100: "General Failure",
    }
)
GONE = frozenset({0x01, 0x36, 0x37})
DENIED = frozenset({0x03, 0x0C, 0x0D, 0x39, 0x43})


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a server says of a key; None where it says nothing."""

    state: int | None
    algorithm: int | None
    length: int | None
    usage: int | None

    def refuse_unfit(self) -> None:
        """Raises ``RootRefused`` for a key that cannot serve.

        A deactivated or compromised key may still open what it wrapped (section 3.22), so it is not refused.
        """
        if self.state in {PRE_ACTIVE, DESTROYED, DESTROYED_COMPROMISED}:
            gone = self.state != PRE_ACTIVE
            raise RootRefused(
                "the key in the KMIP server is " + ("destroyed" if gone else "not active yet"),
                hint="restore it there from a backup" if gone else "activate it there, then try again",
            )
        if self.algorithm != AES or self.length != 256:
            raise RootRefused(
                "the key in the KMIP server is no AES key of 256 bits", hint="make one there, and name that"
            )
        if self.usage is not None and self.usage & MAY_ENCRYPT_AND_DECRYPT != MAY_ENCRYPT_AND_DECRYPT:
            raise RootRefused(
                "the key in the KMIP server may not encrypt and decrypt",
                hint="its cryptographic usage mask needs Encrypt and Decrypt",
            )


def get_attributes(identifier: str) -> bytes:
    """The request for what is to be known of a key (section 4.12)."""
    names = ("State", "Cryptographic Algorithm", "Cryptographic Length", "Cryptographic Usage Mask")
    return _request(
        GET_ATTRIBUTES,
        text(UNIQUE_IDENTIFIER, identifier),
        *(text(ATTRIBUTE_NAME, name) for name in names),
    )


def read_attributes(answer: bytes, identifier: str) -> Attributes:
    """The answer to ``get_attributes``; raises a ``RootError``."""
    payload = _payload(answer, identifier)
    found = {item[ATTRIBUTE_NAME].text: item[ATTRIBUTE_VALUE].number for item in payload.all(ATTRIBUTE)}
    return Attributes(
        state=found.get("State"),
        algorithm=found.get("Cryptographic Algorithm"),
        length=found.get("Cryptographic Length"),
        usage=found.get("Cryptographic Usage Mask"),
    )


def encrypt(identifier: str, plaintext: bytes, nonce: bytes, associated_data: bytes) -> bytes:
    """The request to encrypt with AES-GCM (section 4.29)."""
    return _request(ENCRYPT, *_sealing(identifier, plaintext, nonce, associated_data))


def read_encrypted(answer: bytes, identifier: str) -> bytes:
    """Ciphertext and tag from the answer to ``encrypt``; raises a ``RootError``."""
    payload = _payload(answer, identifier)
    tag = payload[AUTHENTICATION_TAG].octets
    if len(tag) != TAG_SIZE:
        raise malformed()
    return payload[DATA].octets + tag


def decrypt(identifier: str, sealed: bytes, nonce: bytes, associated_data: bytes) -> bytes:
    """The request to open ciphertext and tag (section 4.30)."""
    ciphertext, tag = sealed[:-TAG_SIZE], sealed[-TAG_SIZE:]
    items = _sealing(identifier, ciphertext, nonce, associated_data)
    return _request(DECRYPT, *items, octets(AUTHENTICATION_TAG, tag))


def read_decrypted(answer: bytes, identifier: str) -> bytes | None:
    """The plaintext from the answer to ``decrypt``, None where it did not open; raises a ``RootError``.

    Servers give many reasons for a tag that is wrong: General Failure, Cryptographic Failure, Invalid Field.
    So every failure counts as one, but those that say that any data would fail.
    """
    reason = _failure(answer)
    if reason is not None and reason not in GONE | DENIED:
        return None
    return _payload(answer, identifier)[DATA].octets


def _sealing(identifier: str, data: bytes, nonce: bytes, associated_data: bytes) -> tuple[Item, ...]:
    """What the payloads of Encrypt and Decrypt have in common; parameters as in section 3.6."""
    return (
        text(UNIQUE_IDENTIFIER, identifier),
        structure(
            CRYPTOGRAPHIC_PARAMETERS,
            enumeration(BLOCK_CIPHER_MODE, GCM),
            enumeration(CRYPTOGRAPHIC_ALGORITHM, AES),
            integer(TAG_LENGTH, TAG_SIZE),
        ),
        octets(DATA, data),
        octets(IV_COUNTER_NONCE, nonce),
        octets(ADDITIONAL_DATA, associated_data),
    )


def _request(operation: int, *payload: Item) -> bytes:
    """A message of one batch item (section 7.1)."""
    version = structure(
        PROTOCOL_VERSION, integer(PROTOCOL_VERSION_MAJOR, 1), integer(PROTOCOL_VERSION_MINOR, 4)
    )
    return encode(
        structure(
            REQUEST_MESSAGE,
            structure(REQUEST_HEADER, version, integer(BATCH_COUNT, 1)),
            structure(BATCH_ITEM, enumeration(OPERATION, operation), structure(REQUEST_PAYLOAD, *payload)),
        )
    )


def _payload(answer: bytes, identifier: str) -> Item:
    """What a successful answer brings, if it is about the key that was asked for (section 7.2)."""
    reason = _failure(answer)
    if reason is not None:
        raise _told(reason)
    payload = _item(answer)[RESPONSE_PAYLOAD]
    if payload[UNIQUE_IDENTIFIER].text != identifier:
        raise WrongRoot(
            "the KMIP server answers for another key than it was asked for",
            hint="use no other server until its operator has said why",
        )
    return payload


def _failure(answer: bytes) -> int | None:
    """The result reason of an answer that reports a failure."""
    item = _item(answer)
    return None if item[RESULT_STATUS].number == SUCCESS else item[RESULT_REASON].number


def _item(answer: bytes) -> Item:
    message = decode(answer)
    if message.tag != RESPONSE_MESSAGE:
        raise malformed()
    return message[BATCH_ITEM]


def _told(reason: int) -> RootError:
    name = REASONS.get(reason, f"result reason {reason:#x}")
    if reason in GONE:
        return RootKeyMissing(
            f"the KMIP server does not have the key ({name})",
            hint="see the unique identifier in the address, and that this certificate may use the key",
        )
    return RootRefused(f"the KMIP server refuses ({name})")
