"""audit/sinks/bucket.py: what a bucket says is not believed; a real one, and a way to it that lies."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.audit.sinks.lying import Answer, Lie, Lying

from strongroom.audit.sinks.bucket import Bucket
from strongroom.config.destinations import BucketAddress
from strongroom.errors import InvalidTlsSettings, SinkRefused, SinkUnreachable, SinkUntrue
from strongroom.testing.seaweedfs import SeaweedFs

UNTIL = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def lying(store: SeaweedFs) -> Iterator[Lying]:
    """A way to the real one."""
    with Lying(store.url) as way:
        yield way


@pytest.fixture
def bucket(lying: Lying, address: BucketAddress) -> Iterator[Bucket]:
    """Over that way."""
    with closing(Bucket(replace(address, endpoint=lying.url))) as made:
        yield made


def of(asked: str, answer: Lie) -> Lie:
    """Lies about requests of this method alone."""
    return lambda method, path, ask: answer(method, path, ask) if method == asked else ask()


def test_what_is_put_is_there(bucket: Bucket) -> None:
    """Once where that is asked for; and another version of it else."""
    assert bucket.read("a/b") is None
    assert bucket.keep("a/b", b"first", UNTIL, once=True)
    assert not bucket.keep("a/b", b"second", UNTIL, once=True)
    assert bucket.has("a/b", b"first")
    assert bucket.keep("a/b", b"second", UNTIL, once=False)
    assert bucket.read("a/b") == b"second"
    bucket.check_lock()


def test_what_comes_after(bucket: Bucket, store: SeaweedFs, address: BucketAddress) -> None:
    """By name; behind any number of delete markers; and nothing of another folder."""
    for name in ("a/1", "a/3", "b/9"):
        bucket.keep(name, name.encode(), UNTIL, once=True)
    for _ in range(3):
        store.client.delete_object(Bucket=address.bucket, Key=f"{address.prefix}/a/3")
    assert bucket.after("a/1") == ("a/3", b"a/3")
    assert bucket.after("a/3") is None


def swallow(method: str, path: str, ask: Callable[[], Answer]) -> Answer:
    """Says that it took it."""
    del method, path, ask
    return 200, {"ETag": '"00"', "x-amz-version-id": "1"}, b""


def test_a_put_that_is_swallowed(bucket: Bucket, lying: Lying) -> None:
    """It said 200 and has nothing."""
    lying.lie = of("PUT", swallow)
    with pytest.raises(SinkUntrue, match="has it not"):
        bucket.keep("a", b"octets", UNTIL, once=True)


@pytest.mark.parametrize(
    ("header", "value", "words"),
    [
        ("Content-Length", "5", "other octets"),
        ("x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", "other octets"),
        ("x-amz-object-lock-mode", "GOVERNANCE", "did not lock"),
        ("x-amz-object-lock-mode", "", "did not lock"),
        ("x-amz-object-lock-retain-until-date", "2026-01-01T00:00:00Z", "did not lock"),
    ],
)
def test_a_put_that_is_kept_otherwise(
    bucket: Bucket, lying: Lying, header: str, value: str, words: str
) -> None:
    """Of another length or other octets, or not locked as it was to be."""

    def answer(method: str, path: str, ask: Callable[[], Answer]) -> Answer:
        del method, path
        status, headers, content = ask()
        others = {name: one for name, one in headers.items() if name.lower() != header.lower()}
        return status, others | ({header: value} if value else {}), content

    lying.lie = of("HEAD", answer)
    with pytest.raises(SinkUntrue, match=words):
        bucket.keep("a", b"octets", UNTIL, once=True)


@pytest.mark.parametrize("tag", ['"0123"', '"' + "0" * 32 + '"'])
def test_storage_without_checksums(bucket: Bucket, lying: Lying, tag: str) -> None:
    """The octets are read back then: right ones count, and others do not."""

    def answer(method: str, path: str, ask: Callable[[], Answer]) -> Answer:
        del method, path
        status, headers, content = ask()
        kept = {name: one for name, one in headers.items() if "checksum" not in name.lower()}
        return (
            status,
            {name: one for name, one in kept.items() if name.lower() != "etag"} | {"ETag": tag},
            content,
        )

    lying.lie = of("HEAD", answer)
    assert bucket.keep("a", b"octets", UNTIL, once=True)
    honest = lying.lie

    def changed(method: str, path: str, ask: Callable[[], Answer]) -> Answer:
        if method == "GET":
            return 200, {}, b"others"
        return honest(method, path, ask)

    lying.lie = changed
    with pytest.raises(SinkUntrue, match="other octets"):
        bucket.keep("b", b"octets", UNTIL, once=True)


def test_a_bucket_without_versions(bucket: Bucket, lying: Lying) -> None:
    """Has no locks either."""
    lying.lie = of("PUT", lambda _method, _path, _ask: (200, {"ETag": '"00"'}, b""))
    with pytest.raises(SinkUntrue, match="no versions"):
        bucket.keep("a", b"octets", UNTIL, once=True)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((503, {}, b""), SinkUnreachable),
        ((200, {}, b"<html>welcome</html>"), SinkRefused),
        ((403, {}, b"<Error><Code>AccessDenied</Code></Error>"), SinkRefused),
        ((403, {}, b"<Error><Code>RequestTimeTooSkewed</Code></Error>"), SinkUnreachable),
        ((404, {}, b"<Error><Code>NoSuchBucket</Code></Error>"), SinkRefused),
        ((404, {}, b"<Error><Code>ObjectLockConfigurationNotFoundError</Code></Error>"), SinkRefused),
    ],
)
def test_what_is_no_answer(
    bucket: Bucket, lying: Lying, answer: Answer, error: type[SinkRefused | SinkUnreachable]
) -> None:
    """It is told apart whether it may be well in a moment; nothing of its text is repeated."""
    lying.lie = lambda _method, _path, _ask: answer
    with pytest.raises(error) as raised:
        bucket.check_lock()
    assert "welcome" not in raised.value.message


def test_no_way(address: BucketAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there; no credentials; an authority that is not there."""
    with (
        closing(Bucket(replace(address, endpoint="http://127.0.0.1:1"))) as away,
        pytest.raises(SinkUnreachable),
    ):
        away.read("a")
    with pytest.raises(InvalidTlsSettings):
        Bucket(replace(address, ca=Path("/absent/ca.pem")))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with closing(Bucket(address)) as nobody, pytest.raises(SinkRefused, match="no AWS credentials"):
        nobody.read("a")
