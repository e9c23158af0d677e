"""keys/root/awskms.py: a root key in AWS KMS, of which moto has the shapes.

What moto cannot show: that policies and signatures are verified, that an older version of a rotated key
still opens, throttling, and what a real endpoint's TLS is like. For what it never answers there is a server
of ours.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kit.answering import Answering

from strongroom.config.awskms_address import AwsKmsAddress, parse_awskms
from strongroom.errors import InvalidTlsSettings, RootError, RootRefused, RootUnreachable, WrongRoot
from strongroom.keys.root.awskms import AwsKmsRoot
from strongroom.testing.certificates import Authority
from strongroom.testing.kms import CREDENTIALS, Kms
from strongroom.testing.processes import free_port

ARN = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
FIT = {"Arn": ARN, "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT", "KeyState": "Enabled"}
DATA_KEY = base64.b64encode(bytes(32)).decode()
BLOB = base64.b64encode(b"blob").decode()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the environment alone; and an endpoint in it, which must not be followed."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")


@pytest.fixture(scope="module")
def kms() -> Iterator[Kms]:
    """moto's KMS."""
    with Kms() as running:
        yield running


def address(arn: str, url: str) -> AwsKmsAddress:
    return parse_awskms(f"{arn}?endpoint={url}", Path("/"))


def test_what_was_wrapped_opens(kms: Kms) -> None:
    """By the same root and by another of the same key, far beyond the 4,096 octets of KMS."""
    arn = kms.make_key()
    root = AwsKmsRoot.open(address(arn, kms.url))
    for plaintext in (b"", b"keys", bytes(65536)):
        wrapped = root.wrap(plaintext, b"context")
        assert root.unwrap(wrapped, b"context") == plaintext
        assert AwsKmsRoot.open(address(arn, kms.url)).unwrap(wrapped, b"context") == plaintext
    assert root.name == f"awskms {arn}"
    assert repr(root) == f"<awskms {arn}>"


def test_kms_opens_the_data_key_without_us(kms: Kms) -> None:
    """What is kept begins with KMS's own blob, which its context opens."""
    wrapped = AwsKmsRoot(address(kms.make_key(), kms.url)).wrap(b"keys", b"context")
    blob = wrapped[4 : 4 + int.from_bytes(wrapped[:4])]
    context = {"strongroom": base64.b64encode(b"context").decode()}
    assert len(kms.do("decrypt", CiphertextBlob=blob, EncryptionContext=context)["Plaintext"]) == 32


def test_calls_are_few(kms: Kms) -> None:
    """One to open the root, two to wrap, one to unwrap."""
    arn = kms.make_key()
    kms.calls.clear()
    root = AwsKmsRoot.open(address(arn, kms.url))
    assert kms.calls == {"DescribeKey": 1}
    wrapped = root.wrap(b"keys", b"context")
    assert kms.calls == {"DescribeKey": 1, "GenerateDataKey": 1, "Decrypt": 1}
    root.unwrap(wrapped, b"context")
    assert kms.calls == {"DescribeKey": 1, "GenerateDataKey": 1, "Decrypt": 2}


def test_what_was_changed_or_moved_does_not_open(kms: Kms) -> None:
    """Each octet counts, and the associated data does; so does the key."""
    root = AwsKmsRoot.open(address(kms.make_key(), kms.url))
    wrapped = root.wrap(b"keys", b"context")
    changed = [
        wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1 :] for at in range(0, len(wrapped), 9)
    ]
    for text in (
        *changed,
        wrapped[:-1],
        wrapped[:40],
        wrapped[:3],
        b"",
        b"vault:v1:" + b"A" * 60,
        wrapped + b"x",
    ):
        with pytest.raises(RootError) as caught:
            root.unwrap(text, b"context")
        assert isinstance(caught.value, WrongRoot | RootRefused)  # moto reads the key's id from the blob
    with pytest.raises(WrongRoot):
        root.unwrap(wrapped, b"other")
    with pytest.raises(RootError):
        AwsKmsRoot.open(address(kms.make_key(), kms.url)).unwrap(wrapped, b"context")


def test_a_missing_key_is_refused_on_opening(kms: Kms) -> None:
    """With what to look at."""
    with pytest.raises(RootRefused, match="there is no") as caught:
        AwsKmsRoot.open(address(ARN, kms.url))
    assert "region" in caught.value.hint


def test_a_key_of_another_kind_is_refused(kms: Kms) -> None:
    """An RSA key, and one for signatures."""
    for properties in (
        {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
        {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
    ):
        with pytest.raises(RootRefused, match="cannot be a root"):
            AwsKmsRoot.open(address(kms.make_key(**properties), kms.url))


def test_a_disabled_key_is_refused_on_opening(kms: Kms) -> None:
    """Disabled, or waiting for its deletion."""
    disabled, deleted = kms.make_key(), kms.make_key()
    kms.do("disable_key", KeyId=disabled.rpartition("/")[2])
    kms.do("schedule_key_deletion", KeyId=deleted.rpartition("/")[2])
    for arn in (disabled, deleted):
        with pytest.raises(RootRefused, match="not enabled"):
            AwsKmsRoot.open(address(arn, kms.url))


def test_nobody_there() -> None:
    """A port on which nobody listens."""
    with pytest.raises(RootUnreachable, match="does not answer"):
        AwsKmsRoot.open(address(ARN, f"http://127.0.0.1:{free_port()}"))


def test_no_credentials(kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told before anything is asked."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    kms.calls.clear()
    with pytest.raises(RootRefused, match="no AWS credentials"):
        AwsKmsRoot.open(address(ARN, kms.url))
    assert not kms.calls


def test_a_profile_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS's own variables count, and their mistakes are ours to tell."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(RootRefused, match="ProfileNotFound"):
        AwsKmsRoot.open(address(ARN, "http://127.0.0.1:1"))


def test_a_certificate_of_somebody_else(authority: Authority, tmp_path: Path) -> None:
    """Certificates are verified, against the file that is named."""
    with Answering(authority) as server:
        server.answer = lambda _: (200, json.dumps({"KeyMetadata": FIT}).encode())
        text = f"{ARN}?endpoint={server.url}"
        assert AwsKmsRoot.open(parse_awskms(f"{text}&ca={authority.certificate}", Path("/")))
        asked = len(server.requests)
        other = Authority.make(tmp_path)
        for query in ("", f"&ca={other.certificate}"):
            with pytest.raises(RootUnreachable, match="not one to trust"):
                AwsKmsRoot.open(parse_awskms(text + query, Path("/")))
        assert len(server.requests) == asked
    with pytest.raises(InvalidTlsSettings):
        AwsKmsRoot.open(parse_awskms(f"{text}&ca={tmp_path}/none.pem", Path("/")))
    (tmp_path / "other.pem").write_text("no certificate")
    with pytest.raises(RootError):
        AwsKmsRoot.open(parse_awskms(f"{text}&ca={tmp_path}/other.pem", Path("/")))


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("AccessDeniedException", 400, RootRefused),
        ("ExpiredTokenException", 400, RootRefused),
        ("UnrecognizedClientException", 400, RootRefused),
        ("DisabledException", 400, RootRefused),
        ("KMSInvalidStateException", 400, RootRefused),
        ("NotFoundException", 400, RootRefused),
        ("InvalidCiphertextException", 400, WrongRoot),
        ("IncorrectKeyException", 400, WrongRoot),
        ("ThrottlingException", 400, RootUnreachable),
        ("KeyUnavailableException", 500, RootUnreachable),
        ("KMSInternalException", 500, RootUnreachable),
        ("Whatever", 503, RootUnreachable),
    ],
)
def test_each_no_is_told_for_what_it_is(code: str, status: int, error: type[RootError]) -> None:
    """Its own words are not repeated; what passes is tried three times, anything else once."""
    wrapped = (4).to_bytes(4) + b"blob" + bytes(40)
    with Answering(None) as server:
        server.answer = lambda _: (status, json.dumps({"__type": code, "message": "loud words"}).encode())
        with pytest.raises(error) as caught:
            AwsKmsRoot(address(ARN, server.url)).unwrap(wrapped, b"context")
        assert type(caught.value) is error
        assert "loud" not in caught.value.message + caught.value.hint
        assert len(server.requests) == (3 if error is RootUnreachable else 1)


@pytest.mark.parametrize(
    "content", [b"<html>", b"[]", b"null", b'{"KeyId": 7}', b'{"Plaintext": "x"}', b"\xff"]
)
def test_nonsense_is_told(content: bytes) -> None:
    """Another web server; whatever it says, nothing is taken for a key."""
    wrapped = (4).to_bytes(4) + b"blob" + bytes(40)
    with Answering(None) as server:
        server.answer = lambda _: (200, content)
        root = AwsKmsRoot(address(ARN, server.url))
        for act in (root._check, lambda: root.wrap(b"keys", b""), lambda: root.unwrap(wrapped, b"")):
            with pytest.raises(RootError):
                act()


@pytest.mark.parametrize(
    "answers",
    [
        {"GenerateDataKey": {"KeyId": ARN[:-1] + "c", "Plaintext": DATA_KEY, "CiphertextBlob": BLOB}},
        {"GenerateDataKey": {"KeyId": ARN, "Plaintext": BLOB, "CiphertextBlob": BLOB}},
        {"GenerateDataKey": {"KeyId": ARN, "Plaintext": DATA_KEY}},
        {
            "GenerateDataKey": {"KeyId": ARN, "Plaintext": DATA_KEY, "CiphertextBlob": BLOB},
            "Decrypt": {"KeyId": ARN[:-1] + "c", "Plaintext": DATA_KEY},
        },
        {
            "GenerateDataKey": {"KeyId": ARN, "Plaintext": DATA_KEY, "CiphertextBlob": BLOB},
            "Decrypt": {"KeyId": ARN, "Plaintext": BLOB},
        },
    ],
)
def test_another_key_in_an_answer_is_not_relied_on(answers: dict[str, dict[str, str]]) -> None:
    """Neither another key's answer, nor a data key that does not open again, wraps anything."""
    with Answering(None) as server:
        server.answer = lambda _: (200, json.dumps(answers[_target(server)]).encode())
        with pytest.raises(RootError):
            AwsKmsRoot(address(ARN, server.url)).wrap(b"keys", b"context")


@pytest.mark.parametrize(
    "found",
    [
        {},
        FIT | {"Arn": ARN[:-1] + "c"},
        FIT | {"KeyState": "PendingImport"},
        FIT | {"KeyUsage": "SIGN_VERIFY"},
    ],
)
def test_another_key_on_opening_is_refused(found: dict[str, str]) -> None:
    """What DescribeKey says is the key that was asked for."""
    with Answering(None) as server:
        server.answer = lambda _: (200, json.dumps({"KeyMetadata": found}).encode())
        with pytest.raises(RootRefused):
            AwsKmsRoot.open(address(ARN, server.url))


def _target(server: Answering) -> str:
    return str(server.requests[-1][1]["X-Amz-Target"]).partition(".")[2]
