"""``awskms:`` root: a symmetric key in AWS KMS, which it never leaves.

KMS encrypts 4,096 octets at most, so each wrap has a data key of its own (GenerateDataKey), under which the
plaintext is sealed here with AES-256-GCM. What is kept, as Tink's envelopes have it:

    length of the wrapped data key (4, big endian) ‖ wrapped data key ‖ nonce (12) ‖ ciphertext ‖ tag (16)

The associated data goes into both: into KMS's encryption context, in base64, where policies can ask for it
and CloudTrail shows it; and into AES-GCM. The key id of each answer is compared with the one asked for. A
data key is unwrapped again before anything is sealed under it. Opened by ``opening``.
"""

import base64
import os
import weakref
from collections.abc import Mapping
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    SSLError,
)
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.config.awskms_address import AwsKmsAddress
from strongroom.errors import InvalidTlsSettings, RootError, RootRefused, RootUnreachable, WrongRoot
from strongroom.protect.envelope import NONCE_SIZE

CONTEXT = "strongroom"
"""The name in the encryption context; policies may ask for it."""

DATA_KEY_SIZE = 32
MAX_DATA_KEY = 6144  # octets of a CiphertextBlob (KMS API reference, Decrypt)

CONNECT_SECONDS = 5
READ_SECONDS = 10
ATTEMPTS = 3
"""With the pauses of botocore's standard mode, a minute at the worst."""

_WRONG = {"InvalidCiphertextException", "IncorrectKeyException"}
_PASSING = {
    "DependencyTimeoutException",
    "KMSInternalException",
    "KeyUnavailableException",
    "LimitExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
}


class AwsKmsRoot:
    """A key in KMS; prints as its name."""

    __slots__ = ("__weakref__", "_arn", "_kms")

    def __init__(self, address: AwsKmsAddress) -> None:
        self._arn = address.arn
        self._kms = _client(address)
        weakref.finalize(self, self._kms.close)  # a root has no end of its own: it goes with its owner

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @classmethod
    def open(cls, address: AwsKmsAddress) -> Self:
        """The root, once KMS has said that the key is there and fit; one call."""
        root = cls(address)
        root._check()
        return root

    @property
    def name(self) -> str:
        """The provider and the key's ARN."""
        return f"awskms {self._arn}"

    def wrap(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """The plaintext under a data key of its own, once that has opened again; two calls."""
        answer = self._call(
            "generate_data_key", KeySpec="AES_256", EncryptionContext=_context(associated_data)
        )
        material, wrapped_key = _octets(answer, "Plaintext"), _octets(answer, "CiphertextBlob")
        if len(material) != DATA_KEY_SIZE or not 0 < len(wrapped_key) <= MAX_DATA_KEY:
            raise RootUnreachable(f"{self.name} answers with a data key that is none")
        if self._data_key(wrapped_key, associated_data) != material:
            raise RootRefused(f"{self.name} does not open a data key that it made a moment ago")
        nonce = os.urandom(NONCE_SIZE)
        sealed = AESGCM(material).encrypt(nonce, plaintext, associated_data)
        return len(wrapped_key).to_bytes(4) + wrapped_key + nonce + sealed

    def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        """The plaintext; one call. Raises ``WrongRoot``, or another ``RootError``."""
        wrapped_key, nonce, sealed = _parts(wrapped)
        try:
            return AESGCM(self._data_key(wrapped_key, associated_data)).decrypt(
                nonce, sealed, associated_data
            )
        except (InvalidTag, ValueError):  # ValueError: of a data key that has another size
            raise WrongRoot("a wrapped key does not open: it was changed", hint=_SEE_ROOT) from None

    def _check(self) -> None:
        """Its state and kind (KMS API reference, DescribeKey)."""
        found = self._call("describe_key").get("KeyMetadata", {})
        if found.get("Arn") != self._arn:
            raise RootRefused(f"{self.name}: KMS answers with another key", hint=_SEE_KEY)
        if (found.get("KeySpec"), found.get("KeyUsage")) != ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"):
            raise RootRefused(
                f"{self.name} cannot be a root: it is not symmetric, or not for encryption",
                hint="make another: aws kms create-key",
            )
        if found.get("KeyState") != "Enabled":
            raise RootRefused(
                f"{self.name} is not enabled",
                hint="aws kms enable-key; before it cancel-key-deletion, where it is to be deleted",
            )

    def _data_key(self, wrapped_key: bytes, associated_data: bytes) -> bytes:
        answer = self._call(
            "decrypt", CiphertextBlob=wrapped_key, EncryptionContext=_context(associated_data)
        )
        return _octets(answer, "Plaintext")

    def _call(self, operation: str, **parameters: object) -> Mapping[str, Any]:
        """One operation on our key; raises a ``RootError``."""
        try:
            answer: Mapping[str, Any] = getattr(self._kms, operation)(KeyId=self._arn, **parameters)
        except ClientError as error:
            raise self._refused(error, operation) from None
        except BotoCoreError as error:
            raise self._unreachable(error) from None
        except (AttributeError, LookupError, TypeError, ValueError):  # botocore expects a well-formed answer
            raise RootUnreachable(f"{self.name}: what answers is not KMS", hint=_SEE_KEY) from None
        if operation != "describe_key" and answer.get("KeyId") != self._arn:
            raise RootRefused(f"{self.name}: KMS answers with another key", hint=_SEE_KEY)
        return answer

    def _refused(self, error: ClientError, operation: str) -> RootError:
        """What KMS says no for; nothing of its text gets into ours."""
        code = str(error.response.get("Error", {}).get("Code"))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _WRONG:
            return WrongRoot(f"a wrapped key does not open with {self.name}", hint=_SEE_ROOT)
        if code in _PASSING or status >= 500:
            return RootUnreachable(f"{self.name}: KMS cannot answer now")
        if code == "NotFoundException":
            return RootRefused(f"there is no {self.name}", hint="see that ARN and region are right")
        if code in ("DisabledException", "KMSInvalidStateException"):
            return RootRefused(
                f"{self.name} is not enabled", hint="aws kms enable-key, or cancel-key-deletion"
            )
        return RootRefused(
            f"{self.name}: KMS refuses {operation}",
            hint="see that the credentials are valid and have the policy in docs/guides/roots.md",
        )

    def _unreachable(self, error: BotoCoreError) -> RootError:
        if isinstance(error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
            return RootRefused(
                f"{self.name}: there are no AWS credentials",
                hint="give the machine a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            )
        if isinstance(error, SSLError):
            return RootUnreachable(
                f"{self.name}: the certificate of the endpoint is not one to trust",
                hint="name the authority it comes from with ca=ca.pem",
            )
        return RootUnreachable(f"{self.name}: KMS does not answer")


def _client(address: AwsKmsAddress) -> Any:
    """A client of our own session, which no endpoint in the environment leads elsewhere."""
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        ignore_configured_endpoint_urls=True,
    )
    if address.ca is not None and not address.ca.is_file():
        raise InvalidTlsSettings(
            f"{address.ca}: there is no such file", hint="write ca= and the PEM file of the authority"
        )
    try:
        return boto3.session.Session().client(
            "kms",
            region_name=address.region,
            endpoint_url=address.endpoint,
            verify=True if address.ca is None else str(address.ca),
            config=config,
        )
    except (BotoCoreError, ValueError) as error:  # a profile that is not there, an endpoint that is none
        raise RootRefused(
            f"awskms {address.arn}: AWS's own configuration cannot be used ({type(error).__name__})",
            hint="look at AWS_PROFILE and the other AWS_ variables, and at ~/.aws/config",
        ) from None


def _context(associated_data: bytes) -> Mapping[str, str]:
    return {CONTEXT: base64.b64encode(associated_data).decode()}


def _octets(answer: Mapping[str, Any], name: str) -> bytes:
    value = answer.get(name)
    return value if isinstance(value, bytes) else b""


def _parts(wrapped: bytes) -> tuple[bytes, bytes, bytes]:
    """Wrapped data key, nonce, sealed plaintext; raises ``WrongRoot``."""
    size = int.from_bytes(wrapped[:4])
    nonce_at, sealed_at = 4 + size, 4 + size + NONCE_SIZE
    if not 0 < size <= MAX_DATA_KEY or len(wrapped) <= sealed_at:
        raise WrongRoot("a wrapped key was not wrapped in AWS KMS", hint=_SEE_ROOT)
    return wrapped[4:nonce_at], wrapped[nonce_at:sealed_at], wrapped[sealed_at:]


_SEE_KEY = "see what stands between here and KMS, and that the endpoint is the right one"
_SEE_ROOT = (
    "put back the root that was configured when it was wrapped, or restore the state or the tables of the "
    "schema strongroom_keys from a backup"
)
