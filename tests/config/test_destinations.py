"""config/destinations.py: where the audit log goes, and what cannot be such a place."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_core import PydanticCustomError

from strongroom.config import load
from strongroom.config.destinations import BucketAddress, parse_bucket_address
from strongroom.errors import InvalidConfiguration

BUCKET: dict[str, Any] = {"bucket": "example-audit", "retain_days": 400}


def loaded(folder: Path, to: object, **more: object) -> Any:
    """The ``audit:`` of a configuration."""
    database = {"upstream": "postgresql://a@localhost/a", "listen": "127.0.0.1:6432"}
    audit = {"log": "audit", "origin": "gateway.example/audit", "to": to, **more}
    found = {"state": "sqlite:state.db", "databases": {"shop": database}, "audit": audit}
    (folder / "strongroom.yaml").write_text(yaml.safe_dump(found))
    return load(folder / "strongroom.yaml", {}).audit


def test_a_bucket(tmp_path: Path) -> None:
    """Its prefix is the origin unless said; paths are relative to the file."""
    short = loaded(tmp_path, {"vault": {"s3": BUCKET}}).to["vault"].s3
    assert short.address("gateway.example/audit") == BucketAddress("example-audit", "gateway.example/audit")
    assert (short.contents, short.seconds) == (True, 60)
    more = {"prefix": "a/b", "region": "eu-central-1", "endpoint": "https://S3.example:9000", "ca": "ca.pem"}
    whole = loaded(tmp_path, {"vault": {"s3": BUCKET | more}}).to["vault"].s3.address("x")
    assert whole == BucketAddress(
        "example-audit", "a/b", "eu-central-1", "https://s3.example:9000", tmp_path / "ca.pem"
    )


def test_how_long_contents_are_kept(tmp_path: Path) -> None:
    """No shorter than a bucket locks them, unless it has none."""
    vault = {"vault": {"s3": BUCKET}}
    assert loaded(tmp_path, vault).keep is None
    assert loaded(tmp_path, vault, keep="400d").keep == timedelta(days=400)
    for keep, to in (("399d", vault), ("23h", {}), ("soon", {})):
        with pytest.raises(InvalidConfiguration, match="keep"):
            loaded(tmp_path, to, keep=keep)
    assert loaded(tmp_path, {"vault": {"s3": BUCKET | {"contents": False}}}, keep="30d").keep.days == 30


def test_a_file_of_lines(tmp_path: Path) -> None:
    """It is relative to the file; one name has one place."""
    lines = loaded(tmp_path, {"siem": {"lines": {"file": "audit.jsonl"}}}).to["siem"].lines
    assert (lines.file, lines.megabytes, lines.keep) == (tmp_path / "audit.jsonl", 100, 10)


def test_a_syslog_server(tmp_path: Path) -> None:
    """With TLS always; its certificate may come from an authority of ours."""
    given = {"server": "siem.example:6514", "ca": "ca.pem"}
    found = loaded(tmp_path, {"siem": {"syslog": given}}).to["siem"].syslog
    assert (str(found.server), found.ca) == ("siem.example:6514", tmp_path / "ca.pem")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"siem": {"syslog": {"server": "udp://siem.example:514"}}}, "speaks TLS"),
        ({"siem": {"syslog": {"server": "siem.example:6514", "certificate": "a.pem"}}}, "without its key"),
        ({"both": {"s3": BUCKET, "lines": {"file": "audit.jsonl"}}}, "one of"),
        ({"siem": {"lines": {"file": "audit.jsonl", "keep": 0}}}, "keep"),
        ({"Vault": {"s3": BUCKET}}, "small letters"),
        ({"vault": {}}, "s3"),
        ({"vault": {"s3": {"bucket": "example-audit"}}}, "retain_days"),
        ({"vault": {"s3": BUCKET | {"retain_days": 0}}}, "retain_days"),
        ({"vault": {"s3": BUCKET | {"bucket": "s3://example-audit"}}}, "name of a bucket"),
        ({"vault": {"s3": BUCKET | {"prefix": "/a"}}}, "prefix"),
        ({"vault": {"s3": BUCKET | {"prefix": "a//b"}}}, "prefix"),
        ({"vault": {"s3": BUCKET | {"region": "Frankfurt am Main"}}}, "region"),
        ({"vault": {"s3": BUCKET | {"endpoint": "http://s3.example"}}}, "records over plain http"),
        ({"vault": {"s3": BUCKET | {"endpoint": "https://s3.example/path"}}}, "a path"),
        ({"vault": {"s3": BUCKET | {"secret_key": "x"}}}, "secret_key"),
    ],
)
def test_what_is_none(tmp_path: Path, wrong: object, words: str) -> None:
    """It is refused, with the key that is wrong."""
    with pytest.raises(InvalidConfiguration, match=words):
        loaded(tmp_path, wrong)


def test_an_address_on_the_command_line(tmp_path: Path) -> None:
    """Bucket and prefix, and behind a question mark what leads there."""
    text = "s3://example-audit/a/b/?region=eu-central-1&endpoint=https://s3.example&ca=ca.pem"
    assert parse_bucket_address(text, tmp_path) == BucketAddress(
        "example-audit", "a/b", "eu-central-1", "https://s3.example", tmp_path / "ca.pem"
    )
    for wrong in ("s3://example-audit", "s3:///a", "s3://example-audit/a?secret=x"):
        with pytest.raises(PydanticCustomError):
            parse_bucket_address(wrong, tmp_path)
