"""``strongroom keys drill``: a backup is proved beside the live state, which stays as it is."""

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.cli.keys.conftest import ROWS, House, Memory


def drill(house: House, file: Path) -> tuple[int, dict[str, Any]]:
    run = house("keys", "drill", str(file), "--json", "--identity", house.identity)
    return run.status, json.loads(run.stdout)


def lines(report: dict[str, Any], what: str) -> dict[str, tuple[bool, str]]:
    found = [line for line in report["lines"] if line["what"] == what]
    return {line["name"].rpartition("/")[2]: (line["holds"], line["remark"]) for line in found}


def test_a_backup_that_is_whole(house: House) -> None:
    """Every key is compared, values of every column opened, and the date noted."""
    status, report = drill(house, house.backup())
    assert status == 0
    assert report["whole"]
    assert lines(report, "values") == {
        "public.people.email": (True, f"{ROWS} values opened"),
        "public.people.note": (True, f"{ROWS} values opened"),
    }
    assert set(lines(report, "key")) == {f"kek {house.database}", "public.people.email", "public.people.note"}
    (entry,) = json.loads(house("keys", "backups", "--json").stdout)
    assert entry["drilled"] is not None
    shown = house("keys", "drill", str(house.safe / "keys.age"), "--identity", house.identity).stdout
    assert "would bring everything back" in shown


def test_keys_that_are_newer_than_the_backup(house: House) -> None:
    """Exit status 1, the key named, and no date noted."""
    file = house.backup()
    assert house("keys", "rotate", "public.people.note", "--no-wait", "--reencrypt").status == 0
    status, report = drill(house, file)
    assert status == 1
    holds, remark = lines(report, "key")["public.people.note"]
    assert not holds
    assert "not in the backup" in remark
    assert lines(report, "values")["public.people.note"] == (False, "a value does not open: ciphertext-key")
    assert lines(report, "key")["public.people.email"][0]
    (entry,) = json.loads(house("keys", "backups", "--json").stdout)
    assert entry["drilled"] is None
    assert "NO" in house("keys", "drill", str(file), "--identity", house.identity).stdout


def test_nothing_live_is_touched(house: House, memory: Memory) -> None:
    """Root and database stay as they are, and nothing of the temporary state is left."""
    file = house.backup()
    before = _everything(house)
    drill(house, file)
    assert _everything(house) == before
    assert memory.was_used_and_left_empty()


def _everything(house: House) -> tuple[object, ...]:
    root = hashlib.sha256((house.folder / "keys" / "root.key").read_bytes()).hexdigest()
    tables = [house.rows(f"SELECT * FROM strongroom_keys.{name} ORDER BY 1") for name in ("keks", "keysets")]
    listed = house("keys", "list", "--json").stdout
    return root, tables, listed


def test_a_backup_that_is_not_registered(house: House) -> None:
    """After a recovery the register is empty: a drill that holds enters the backup again."""
    file = house.backup()
    house.burn("state")
    assert house("keys", "recover").status == 0
    assert json.loads(house("keys", "backups", "--json").stdout) == []
    assert drill(house, file)[0] == 0
    (entry,) = json.loads(house("keys", "backups", "--json").stdout)
    assert entry["drilled"] is not None
    assert entry["place"] == str(file)


def test_a_drill_counts_as_a_test_of_custody(house: House) -> None:
    """Of every key that the backup holds and that somebody keeps."""
    assert house("keys", "custody", "public.people.note", "--keeper", "Ada", "--every", "90d").status == 0
    drill(house, house.backup())
    shown = json.loads(house("keys", "custody", "--json").stdout)
    assert [one["key"].endswith("note") for one in shown if one["tested"] is not None] == [True]
    events = [one["what"] for one in json.loads(house("keys", "events", "--json").stdout)]
    assert events[-3:] == ["custody noted", "backed up", "drilled"]
