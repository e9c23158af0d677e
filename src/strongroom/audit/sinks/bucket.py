"""A bucket with object lock: files under a prefix, each locked when it is put and read back when it was.

What a PUT answers is not believed: each object is asked for afterwards, with its length, its checksum and
its lock. Locks are in compliance mode, which nobody may shorten: not we, nor the account's root user (Amazon
S3 User Guide, "Locking objects with Object Lock"). Credentials are found by boto3. Called by `s3` and, to
read, by ``strongroom audit verify``.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from hashlib import md5, sha256
from io import BytesIO
from typing import Any, BinaryIO

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    SSLError,
)
from botocore.response import StreamingBody
from urllib3.exceptions import HTTPError

from strongroom.audit.verify import MAX_LINE_BYTES, Source
from strongroom.config.destinations import BucketAddress
from strongroom.errors import InvalidTlsSettings, SinkError, SinkRefused, SinkUnreachable, SinkUntrue

CONNECT_SECONDS = 5
READ_SECONDS = 10
ATTEMPTS = 2
"""Of a request; who calls comes again."""
CONNECTIONS = 8
MAX_BYTES = 256 * MAX_LINE_BYTES
"""Of an object: 256 records of the largest."""
MAX_PAGES = 1000
"""Of versions that are gone through: a million of them."""

_PASSING = {
    "InternalError",
    "OperationAborted",
    "RequestTimeTooSkewed",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
}
_ABSENT = {"NoSuchKey", "404"}  # HEAD has no body, and so no other code


class Bucket:
    """A prefix of a bucket; prints as its address."""

    def __init__(self, address: BucketAddress) -> None:
        self._address = address
        self._s3 = _client(address)

    def __str__(self) -> str:
        return str(self._address)

    def close(self) -> None:
        """Hangs up."""
        self._s3.close()

    def check_lock(self) -> None:
        """Raises ``SinkRefused`` where objects cannot be locked."""
        try:
            found = self._call("get_object_lock_configuration")
        except SinkRefused as refused:
            if _code(refused.__cause__) != "ObjectLockConfigurationNotFoundError":
                raise
            found = {}
        if found.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") != "Enabled":
            raise SinkRefused(
                f"{self} has no object lock: what is there could be deleted",
                hint="turn on versioning and object lock for the bucket, or make another with them",
            )

    def read(self, path: str, version: str | None = None) -> bytes | None:
        """An object; None where there is none."""
        given = {} if version is None else {"VersionId": version}
        try:
            stream: StreamingBody = self._call("get_object", path, **given)["Body"]
        except SinkRefused as refused:
            if _code(refused.__cause__) in _ABSENT:
                return None
            raise
        try:
            with stream:
                octets: bytes = stream.read(MAX_BYTES + 1)
        except (BotoCoreError, OSError, HTTPError) as error:
            raise SinkUnreachable(f"{self} breaks off while {path} is read") from error
        if len(octets) > MAX_BYTES:
            raise SinkUntrue(f"{path} in {self} is longer than a file of a log can be")
        return octets

    def after(self, path: str) -> tuple[str, bytes] | None:
        """The first object in this one's folder that comes after it, deleted or not, and what was in it."""
        folder = self._key(path).rpartition("/")[0] + "/"
        marks = {"KeyMarker": self._key(path)}
        for _ in range(MAX_PAGES):
            page = self._call("list_object_versions", Prefix=folder, **marks)
            for one in page.get("Versions", ()):
                found = str(one["Key"]).removeprefix(f"{self._address.prefix}/")
                octets = self.read(found, str(one["VersionId"]))
                return None if octets is None else (found, octets)
            if not page.get("IsTruncated"):
                return None
            marks = {
                mark: page[f"Next{mark}"]
                for mark in ("KeyMarker", "VersionIdMarker")
                if f"Next{mark}" in page
            }
        raise SinkUntrue(f"{self} lists versions without end")

    def keep(self, path: str, octets: bytes, until: datetime, *, once: bool) -> bool:
        """Puts an object that stays until then, and sees that it is there.

        With ``once`` only where there is none of this path, and False where one was: of the same octets or
        of others. Storage that does not know conditions puts another version beside it.
        """
        until = until.replace(microsecond=0)  # locks are in seconds
        digest = b64encode(sha256(octets).digest()).decode()
        condition = {"IfNoneMatch": "*"} if once else {}
        try:
            put = self._call(
                "put_object",
                path,
                Body=octets,
                ChecksumSHA256=digest,
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=until,
                **condition,
            )
        except SinkRefused as refused:
            if once and _code(refused.__cause__) in ("PreconditionFailed", "ConditionalRequestConflict"):
                return False
            raise
        version = str(put.get("VersionId") or "")
        if not version:
            raise SinkUntrue(f"{self} keeps no versions, and so no locks")
        self._see(path, octets, version, until)
        return True

    def has(self, path: str, octets: bytes) -> bool:
        """Whether this is what a reader gets, octet for octet."""
        return self.read(path) == octets

    def _see(self, path: str, octets: bytes, version: str, until: datetime) -> None:
        """Raises ``SinkUntrue`` where that version is not what was put, or not locked."""
        try:
            head = self._call("head_object", path, VersionId=version, ChecksumMode="ENABLED")
        except SinkRefused as refused:
            if _code(refused.__cause__) not in _ABSENT:
                raise
            raise SinkUntrue(f"{self} said that it had {path}, and has it not") from None
        if not self._is(octets, head, path, version):
            raise SinkUntrue(f"{self} has other octets in {path} than were sent")
        locked = head.get("ObjectLockRetainUntilDate")
        if head.get("ObjectLockMode") != "COMPLIANCE" or locked is None or locked < until:
            raise SinkUntrue(f"{self} did not lock {path}, or for a shorter time than was asked for")

    def _is(self, octets: bytes, head: Mapping[str, Any], path: str, version: str) -> bool:
        """By checksum, or what some storage has in its place; else by the octets."""
        if head.get("ContentLength") != len(octets):
            return False
        if checksum := head.get("ChecksumSHA256"):
            return bool(checksum == b64encode(sha256(octets).digest()).decode())
        tag = str(head.get("ETag", "")).strip('"')
        if re.fullmatch("[0-9a-f]{32}", tag) and tag == md5(octets, usedforsecurity=False).hexdigest():
            return True
        return self.read(path, version) == octets

    def _key(self, path: str) -> str:
        return f"{self._address.prefix}/{path}"

    def _call(self, operation: str, path: str | None = None, **parameters: object) -> Mapping[str, Any]:
        """One operation; raises a ``SinkError`` that has nothing of the answer's text in it."""
        where = {} if path is None else {"Key": self._key(path)}
        try:
            answer: Mapping[str, Any] = getattr(self._s3, operation)(
                Bucket=self._address.bucket, **where, **parameters
            )
        except ClientError as error:
            raise self._refused(error, operation) from error
        except BotoCoreError as error:
            raise self._unreachable(error) from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:  # botocore expects S3
            raise SinkUnreachable(f"{self}: what answers is not S3") from error
        return answer

    def _refused(self, error: ClientError, operation: str) -> SinkError:
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if _code(error) in _PASSING or status >= 500:
            return SinkUnreachable(f"{self} cannot answer now")
        if _code(error) == "NoSuchBucket":
            return SinkRefused(f"there is no bucket of {self}", hint="see that bucket and region are right")
        return SinkRefused(f"{self} refuses {operation}")

    def _unreachable(self, error: BotoCoreError) -> SinkError:
        if isinstance(error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
            return SinkRefused(
                f"{self}: there are no AWS credentials",
                hint="give the machine a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            )
        if isinstance(error, SSLError):
            return SinkUnreachable(
                f"{self}: the certificate of the endpoint is not one to trust",
                hint="name the authority it comes from with ca: ca.pem",
            )
        return SinkUnreachable(f"{self} does not answer")


def source(bucket: Bucket) -> Source:
    """What ``audit/verify.py`` reads a log by."""

    def opened(path: str) -> BinaryIO | None:
        octets = bucket.read(path)
        return None if octets is None else BytesIO(octets)

    return opened


def _code(error: BaseException | None) -> str:
    """What S3 calls it."""
    return str(error.response.get("Error", {}).get("Code")) if isinstance(error, ClientError) else ""


def _client(address: BucketAddress) -> Any:
    """A client of our own session, which no endpoint in the environment leads elsewhere."""
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        max_pool_connections=CONNECTIONS,
        ignore_configured_endpoint_urls=True,
        # Other storage than Amazon's has no name in the DNS for each bucket.
        s3={"addressing_style": "auto" if address.endpoint is None else "path"},
    )
    if address.ca is not None and not address.ca.is_file():
        raise InvalidTlsSettings(
            f"{address.ca}: there is no such file", hint="write ca: and the PEM file of the authority"
        )
    region = address.region or (None if address.endpoint is None else "us-east-1")
    try:
        return boto3.session.Session().client(
            "s3",
            region_name=region,
            endpoint_url=address.endpoint,
            verify=True if address.ca is None else str(address.ca),
            config=config,
        )
    except NoRegionError:
        raise SinkRefused(f"{address} has no region", hint="write region: eu-central-1, say") from None
    except (BotoCoreError, ValueError) as error:  # a profile that is not there, an endpoint that is none
        raise SinkRefused(
            f"{address}: AWS's own configuration cannot be used ({type(error).__name__})",
            hint="look at AWS_PROFILE and the other AWS_ variables, and at ~/.aws/config",
        ) from None
