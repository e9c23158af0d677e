"""``audit.to:``: where the audit log goes beside its folder, each place under a name of its own.

A bucket gets the log's files, locked against everybody for a time; a file of JSON lines and a
syslog server get the contents of its records. A bucket's credentials are found as all of AWS's programs find
them.
``s3://BUCKET/PREFIX?region=&endpoint=&ca=`` is a bucket for the command line. Called by ``audit``.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from strongroom.config.parameters import parse_parameters, parse_server
from strongroom.config.values import Address, expect_text, invalid, parse_address, parse_path

PARAMETERS = {"region", "endpoint", "ca"}
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")  # S3 User Guide, "General purpose bucket naming"
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)*")
_REGION = re.compile(r"[a-z0-9-]{1,32}")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True)
class BucketAddress:
    """A place in a bucket, and where that answers."""

    bucket: str
    prefix: str
    region: str | None = None
    endpoint: str | None = None
    ca: Path | None = None

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


def parse_bucket_address(text: str, folder: Path) -> BucketAddress:
    """``s3://BUCKET/PREFIX?region=R&endpoint=https://HOST&ca=PATH``."""
    where, _, query = text.removeprefix("s3://").partition("?")
    bucket, _, prefix = where.partition("/")
    given = parse_parameters(query, PARAMETERS)
    return BucketAddress(
        _bucket(bucket),
        _prefix(prefix.rstrip("/")),
        _region(given["region"]) if "region" in given else None,
        _endpoint(given["endpoint"]) if "endpoint" in given else None,
        parse_path(given["ca"], folder) if "ca" in given else None,
    )


def _bucket(value: object) -> str:
    if not _BUCKET.fullmatch(text := expect_text(value, "a bucket's name")):
        raise invalid(
            "is not the name of a bucket", instead="write it as the console shows it, without s3://"
        )
    return text


def _prefix(value: object) -> str:
    text = expect_text(value, "a prefix")
    if not _PREFIX.fullmatch(text) or len(text) > 200:
        raise invalid(
            "is not a prefix of letters, digits, dots, hyphens and slashes",
            instead="write prefix: gateway-1, or leave it out: then it is the origin",
        )
    return text


def _region(value: object) -> str:
    if not _REGION.fullmatch(text := expect_text(value, "a region")):
        raise invalid("is not a region", instead="leave region out, or write one such as eu-central-1")
    return text


def _endpoint(value: object) -> str:
    text, instead = expect_text(value, "a server"), "write endpoint: https://HOST"
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise invalid("has an endpoint with a path", instead=instead)
    return parse_server(parts.scheme, parts.netloc, instead, what="records")


def _server(value: object) -> Address:
    try:
        return parse_address(value)
    except PydanticCustomError:
        raise invalid("is not a server that speaks TLS", instead="write server: siem.example:6514") from None


def _file(value: object, info: ValidationInfo) -> Path:
    return parse_path(value, cast(Path, info.context).parent)


FileName = Annotated[Path, PlainValidator(_file)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class S3(_Frozen):
    """A bucket with object lock."""

    bucket: Annotated[str, PlainValidator(_bucket)]
    retain_days: int = Field(ge=1, le=36_500)
    """Nobody can delete or change what was uploaded for so long: not the provider's root user either."""
    prefix: Annotated[str, PlainValidator(_prefix)] | None = None
    """The log's origin, unless said."""
    region: Annotated[str, PlainValidator(_region)] | None = None
    endpoint: Annotated[str, PlainValidator(_endpoint)] | None = None
    ca: FileName | None = None
    contents: bool = True
    """Else the log alone is uploaded: it proves, and tells nothing."""
    seconds: int = Field(default=60, ge=1, le=86_400)
    """Between two uploads: so much could be rewritten on the machine, and the bucket not know."""

    def address(self, origin: str) -> BucketAddress:
        """The place in the bucket."""
        return BucketAddress(self.bucket, self.prefix or origin, self.region, self.endpoint, self.ca)


class Lines(_Frozen):
    """A file with a record in each line."""

    file: FileName
    megabytes: int = Field(default=100, ge=1, le=100_000)
    """Before it becomes FILE.1, and that FILE.2."""
    keep: int = Field(default=10, ge=1, le=1000)
    """So many of these; who reads them must be faster."""


class Syslog(_Frozen):
    """A syslog server that speaks TLS (RFC 5425); there is no other way."""

    server: Annotated[Address, PlainValidator(_server)]
    ca: FileName | None = None
    """The authorities that its certificate may come from; the system's unless said."""
    certificate: FileName | None = None
    key: FileName | None = None
    """By which it knows us, where it asks."""

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise invalid(
                "has a certificate without its key, or a key alone", instead="write both, or neither"
            )
        return self


class Destination(_Frozen):
    """One place."""

    s3: S3 | None = None
    lines: Lines | None = None
    syslog: Syslog | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(one is not None for one in (self.s3, self.lines, self.syslog)) != 1:
            raise invalid("must be one of s3, lines and syslog", instead="give each a name of its own")
        return self


def parse_name(value: object) -> str:
    """What a destination is called: its position is kept under that."""
    text = expect_text(value, "a name")
    if not _NAME.fullmatch(text):
        raise invalid("is not a name of small letters, digits and hyphens", instead="write one such as vault")
    return text


DestinationName = Annotated[str, PlainValidator(parse_name)]
