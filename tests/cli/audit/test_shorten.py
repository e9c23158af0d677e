"""``strongroom audit erase`` and ``prune``, as their users run them; with a gateway: tests/gateway."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from tests.audit.recorded import BASE, erased, permitted
from tests.cli.audit.test_search import House, house  # noqa: F401 - the fixture that is asked for below

from strongroom.audit.asked import standing


def erase(house: House, *words: str) -> int:  # noqa: F811 - as pytest wants it
    found = json.loads(house("erase", *words, "--yes", "--json").stdout)
    assert found["done"] == (found["records"] > 0)
    return int(found["records"])


def test_by_criteria(house: House) -> None:  # noqa: F811 - as pytest wants it
    """What a search would find, and no more; the index has them no longer, and who it was is noted."""
    assert house("erase", "--person", "anna", "--dry-run").stdout == "would erase the contents of 2 records\n"
    assert house.numbers("--person", "anna") == [2, 3]
    assert erase(house, "--person", "anna") == 2
    assert house.numbers() == [0, 1, 4, 5]
    assert erase(house, "--person", "anna") == 0
    assert b"anna" not in (house.folder / "audit-index.db").read_bytes()
    assert "2 erased" in house("verify").stdout
    ((_, noted),) = standing(house.log, print)
    assert (noted.records, noted.numbers, noted.done) == (2, (), True)
    assert "@" in noted.who


def test_by_number(house: House) -> None:  # noqa: F811 - as pytest wants it
    """Those that are erased already are not counted; numbers that there are not are said."""
    erased(house.log, 1)
    assert erase(house, "0-2", "5") == 3
    assert house.numbers() == [3, 4]
    assert "audit-record-unknown" in house("erase", "4-6", "--yes", status=2).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["erase", "--yes"], "say which"),
        (["erase", "1", "--person", "anna", "--yes"], "say which"),
        (["erase", "one", "--yes"], "no number"),
        (["erase", "1"], "--yes"),
        (["erase", "--table", "customers", "--key", "4711", "--yes"], "no secret behind keyed hashes"),
        (["prune", "--before", "tomorrow", "--yes"], "no time"),
    ],
)
def test_wrong_use(house: House, words: list[str], said: str) -> None:  # noqa: F811 - as pytest wants it
    """Nothing is erased by it."""
    assert said in " ".join(house(*words, status=2).stderr.split())
    assert len(house.numbers()) == 6


def test_a_beginning(house: House) -> None:  # noqa: F811 - as pytest wants it
    """By time as far as it may go, which keeping contents for a time allows; by number not further."""
    house.write(*[permitted(7)] * 600)
    assert json.loads(house("prune", "--before", "2026-11-30", "--yes", "--json").stdout)["records"] == 0
    assert "audit-not-prunable" in house("prune", "--before", "256", "--yes", status=2).stderr
    found = yaml.safe_load(house.file.read_text())
    found["audit"]["keep"] = "1d"
    house.file.write_text(yaml.safe_dump(found))
    assert BASE < 1_793_700_000_000  # the records are of a former day
    assert "would prune 512 records" in house("prune", "--before", "2026-11-30", "--dry-run").stdout
    assert house("prune", "--before", "300", "--yes").stdout.splitlines() == [
        "pruned 256 records, before number 256",
        "who verifies elsewhere says --minimum-index 256",
    ]
    assert "; from 256 on, what is before was pruned" in house("verify").stdout
    house("verify", "--minimum-index", "0", status=1)
    assert "from 256 on" in house("report", "--month", "2026-11").stdout
    assert house.numbers("--limit", "1000")[0] == 256
    elsewhere = str(Path(house.folder, "audit"))
    key = json.loads(house("keys", "--json").stdout)[-1]["key"]
    assert "pruned before" in house("verify", "--log", elsewhere, "--key", key, status=1).stderr


def test_what_cannot_be_asked_for_is_not_expected(house: House) -> None:  # noqa: F811 - as pytest wants it
    """Where the order to prune cannot be left there, nothing may be missing from the log afterwards."""
    house.write(*[permitted(7)] * 600)
    assert erase(house, "0-255") == 256
    folder = house.log / "asked"
    shutil.rmtree(folder)
    folder.write_bytes(b"")
    assert "audit-log-unwritable" in house("prune", "--before", "256", "--yes", status=2).stderr
    folder.unlink()
    assert "was pruned" not in house("verify").stdout
