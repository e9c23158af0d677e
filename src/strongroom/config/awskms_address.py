"""The address of a root in AWS KMS: ``awskms:arn:aws:kms:REGION:ACCOUNT:key/ID``.

Behind a question mark may stand ``region=``, where it is not the ARN's; ``endpoint=https://...`` for a VPC
endpoint; and ``ca=PATH``, the authorities that the endpoint's certificate may come from. Credentials are
found as all of AWS's programs find them, the machine's or container's role included. An alias is not taken:
somebody could point it at another key. Called by ``roots``; ``keys.root.awskms`` opens what this names.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from strongroom.config.parameters import parse_parameters, parse_server
from strongroom.config.values import invalid, parse_path

EXAMPLE = "write awskms:arn:aws:kms:REGION:ACCOUNT:key/ID, as the console shows the key's ARN"
PARAMETERS = {"region", "endpoint", "ca"}
_ARN = re.compile(r"arn:aws[a-z-]*:kms:([a-z0-9-]+):[0-9]{12}:key/[A-Za-z0-9-]{1,64}")
_REGION = re.compile(r"[a-z0-9-]{1,32}")


@dataclass(frozen=True, slots=True)
class AwsKmsAddress:
    """A key in AWS KMS, and where that answers."""

    arn: str
    region: str
    endpoint: str | None = None
    ca: Path | None = None

    @property
    def name(self) -> str:
        """The provider and the key's ARN."""
        return f"awskms {self.arn}"


def parse_awskms(rest: str, folder: Path) -> AwsKmsAddress:
    """What follows ``awskms:``."""
    arn, _, query = rest.partition("?")
    found = _ARN.fullmatch(arn)
    if not found:
        raise invalid("is not the ARN of a key in AWS KMS", instead=EXAMPLE)
    given = parse_parameters(query, PARAMETERS)
    region = given.get("region", found[1])
    if not _REGION.fullmatch(region):
        raise invalid(
            "has a region that is none", instead="leave region= out, or write one such as eu-central-1"
        )
    return AwsKmsAddress(
        arn,
        region,
        _endpoint(given["endpoint"]) if "endpoint" in given else None,
        parse_path(given["ca"], folder) if "ca" in given else None,
    )


def _endpoint(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise invalid("has an endpoint with a path", instead="write endpoint=https://HOST")
    return parse_server(parts.scheme, parts.netloc, "write endpoint=https://HOST")
