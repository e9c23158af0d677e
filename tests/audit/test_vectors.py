"""The published vectors of docs/spec/audit-log.md, by what writes and by what verifies."""

import json
from base64 import b64decode
from typing import Any

import pytest
from tests.audit.making import opened
from tests.vectors.make_audit_log import FILE, vector

from strongroom.audit.leaf import entry_of
from strongroom.audit.verify import Fault, Key, Trust, verify_log, verify_proof

PUBLISHED: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
FILES = {path: b64decode(octets) for path, octets in PUBLISHED["files"].items()}
TRUST = Trust([Key.parse(PUBLISHED["log"]["key"])], [Key.parse(PUBLISHED["witness"]["key"])], 1)


def test_they_come_out_the_same() -> None:
    """What is made today is what was published: a change of the format would show."""
    assert vector() == PUBLISHED


def test_the_log() -> None:
    """It verifies, and is the one whose records stand beside it."""
    report = verify_log(opened(FILES), TRUST, complete=True)
    assert (report.contents, report.checkpoint.root.hex()) == (3, PUBLISHED["root"])
    for line, record in zip(FILES["content/000"].splitlines(), PUBLISHED["records"], strict=True):
        assert entry_of(line).hex() == record["entry"]


def test_the_proof() -> None:
    """It proves the record of its index."""
    proved = verify_proof(b64decode(PUBLISHED["proof"]["file"]), TRUST)
    assert (proved.index, proved.content) == (1, PUBLISHED["records"][1]["content"].encode())


@pytest.mark.parametrize("case", PUBLISHED["failures"], ids=lambda case: case["failure"])
def test_failures(case: dict[str, str]) -> None:
    """With that one file changed the log does not verify, and the file is named."""
    with pytest.raises(Fault) as raised:
        verify_log(opened(FILES | {case["place"]: b64decode(case["file"])}), TRUST)
    assert raised.value.place == case["place"]
