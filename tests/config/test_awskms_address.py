"""config/awskms_address.py: where a root in AWS KMS is."""

from pathlib import Path

import pytest
from pydantic_core import PydanticCustomError

from strongroom.config.awskms_address import AwsKmsAddress, parse_awskms

FOLDER = Path("/etc/strongroom")
ARN = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def test_an_arn() -> None:
    """It has the region in it."""
    assert parse_awskms(ARN, FOLDER) == AwsKmsAddress(ARN, "eu-central-1")


def test_everything_else() -> None:
    """A VPC endpoint with its own authority; another partition and a multi-Region key."""
    arn = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab"
    found = parse_awskms(f"{arn}?region=us-gov-east-1&endpoint=https://Vpce.example/&ca=ca.pem", FOLDER)
    assert found == AwsKmsAddress(arn, "us-gov-east-1", "https://vpce.example", FOLDER / "ca.pem")


def test_plain_http_to_this_machine() -> None:
    """As a stand-in for tests has it."""
    assert parse_awskms(f"{ARN}?endpoint=http://127.0.0.1:5000", FOLDER).endpoint == "http://127.0.0.1:5000"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        ARN.replace("key/", "alias/"),
        ARN.replace("kms", "s3"),
        ARN.replace("123456789012", "1"),
        f"{ARN}\n",
        f"{ARN}?region=",
        f"{ARN}?region=a.b",
        f"{ARN}?endpoint=http://kms.example",
        f"{ARN}?endpoint=kms.example",
        f"{ARN}?endpoint=https://",
        f"{ARN}?endpoint=https://[::1",
        f"{ARN}?endpoint=https://kms.example:port",
        f"{ARN}?endpoint=https://me:hush@kms.example",
        f"{ARN}?endpoint=https://kms.example/path",
        f"{ARN}?secret_access_key=hush",
    ],
)
def test_others_are_refused_and_not_shown(text: str) -> None:
    """An alias could be pointed at another key; credentials do not belong here."""
    with pytest.raises(PydanticCustomError) as caught:
        parse_awskms(text, FOLDER)
    assert "hush" not in f"{caught.value} {caught.value.context}"
