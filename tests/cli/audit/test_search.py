"""``strongroom audit search``, ``index``, ``who-saw``, ``tail`` and ``report``, as their users run them."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.audit.making import ORIGIN
from tests.audit.recorded import (
    IBAN,
    PHONE,
    client,
    denied,
    erased,
    later,
    opened,
    permitted,
    plan,
    turned_away,
)
from tests.cli.conftest import Run

from strongroom.audit.checkpoint import VerifierKey
from strongroom.audit.contents import Contents, Kept
from strongroom.audit.keys import LogKeys
from strongroom.audit.log import Log
from strongroom.audit.records.codes import Record
from strongroom.audit.records.encoding import encode
from strongroom.audit.records.keyed import KeyedColumn
from strongroom.cli.audit.looking import moment
from strongroom.cli.audit.tail import coming
from strongroom.config import StateAddress
from strongroom.state import open_state


class House:
    """A configuration, its state, and an audit log with records."""

    def __init__(self, folder: Path, run: Callable[..., Run]) -> None:
        self.folder, self.log, self._run = folder, folder / "audit", run
        (folder / "state").mkdir(mode=0o700)
        self.file = folder / "strongroom.yaml"
        database = {"upstream": "postgresql://a@localhost/a", "listen": "127.0.0.1:6432"}
        audit = {"log": "audit", "origin": ORIGIN}
        found = {"state": "sqlite:state/state.db", "databases": {"shop": database}, "audit": audit}
        self.file.write_text(yaml.safe_dump(found))

    def write(self, *records: Record | bytes) -> None:
        state = open_state(StateAddress(self.folder / "state" / "state.db"))
        log = Log.open(
            self.log, [one.signer for one in LogKeys(state.engine, ORIGIN).to_sign(datetime.now(UTC))]
        )
        log.append([one if isinstance(one, bytes) else encode(one) for one in records])
        log.close()
        state.close()

    def __call__(self, *words: str, status: int = 0) -> Run:
        run = self._run("audit", *words, "--config", str(self.file))
        assert run.status == status, run.stdout + run.stderr
        return run

    def numbers(self, *words: str, status: int = 0) -> list[int]:
        found: list[dict[str, Any]] = json.loads(self("search", *words, "--json", status=status).stdout)
        return [one["number"] for one in found]


ANNA = client("anna", "203.0.113.5")
RECORDS: Sequence[Record] = (
    opened(0),
    permitted(1, rows=3),
    permitted(2, ANNA, plan("public.orders.total", masked=[PHONE], table="public.orders"), rows=2),
    denied(3, ANNA),
    turned_away(4),
    permitted(5, rows=4),
)


@pytest.fixture
def house(tmp_path: Path, strongroom: Callable[..., Run]) -> House:
    """With six records."""
    found = House(tmp_path, strongroom)
    found.write(*RECORDS)
    return found


def test_a_search(house: House) -> None:
    """By person, column and time; the newest last, and each record whole for programs."""
    words = ["--person", "support-1", "--column", "customers.iban", "--since", "2026-11-02"]
    assert house.numbers(*words) == [1, 5]
    assert house.numbers(*words, "--until", "2026-11-02T12:05Z") == [1]
    assert house.numbers("--verdict", "denied") == [3, 4]
    assert house.numbers("--event", "session") == [0]
    assert house.numbers("--table", "orders") == [2]
    assert house.numbers("--address", "203.0.113.0/24") == [2, 3]
    assert house.numbers("--person", "nobody") == []
    (first, _) = json.loads(house("search", *words, "--json").stdout)
    assert first["record"] == json.loads(encode(RECORDS[1]))
    lines = house("search", *words).stdout.splitlines()
    assert lines[0].split() == ["number", "time", "event", "who", "from", "what", "result"]
    assert "3 rows" in lines[1]
    assert "4 rows" in lines[2]


def test_a_limit_is_said(house: House) -> None:
    """The newest are shown, and that there are more."""
    run = house("search", "--limit", "2", "--json")
    assert [one["number"] for one in json.loads(run.stdout)] == [4, 5]
    assert "more than these 2" in run.stderr
    assert house("search", "--limit", "6", "--json").stderr == ""


def test_what_cannot_be_read_is_named(house: House) -> None:
    """A later version is said; a content that was changed is said too, and the status is 1."""
    house.write(later(permitted(6)), permitted(7))
    run = house("search", "--person", "support-1", "--json")
    assert [one["number"] for one in json.loads(run.stdout)] == [0, 1, 4, 5, 7]
    assert "later version or no records at all: record 6" in run.stderr
    file = house.log / "content" / "000"
    file.write_bytes(file.read_bytes().replace(b"anna", b"otto", 1))
    run = house("search", "--person", "anna", "--json", status=1)
    assert [one["number"] for one in json.loads(run.stdout)] == [3]
    assert "committed to: record 2;" in run.stderr


def test_the_index(house: House) -> None:
    """Is beside the log and not in it, is made anew when asked for, and says how many it has."""
    file = house.folder / "audit-index.db"
    assert house("index").stdout == f"{file} has all 6 records\n"
    file.write_bytes(b"x" * 5000)
    assert "is damaged: it is made anew" in house("index").stderr
    erased(house.log, 3)
    run = house("index", "--rebuild", "--json")
    assert json.loads(run.stdout) == {"index": str(file), "records": 5, "of": 6}
    assert "the others were erased" in house("index").stdout
    assert not list(house.log.glob("*index*"))


def test_an_index_elsewhere(house: House) -> None:
    """For a copy of a log that nobody may write beside, with the key alone."""
    key = json.loads(house("keys", "--json").stdout)[-1]["key"]
    place = house.folder / "mine.db"
    words = ["--log", str(house.log), "--key", key, "--index", str(place)]
    assert house.numbers(*words, "--column", "iban") == [1, 3, 5]
    assert place.exists()
    assert not (house.folder / "audit-index.db").exists()


def test_who_saw(house: House) -> None:
    """By person and column; what was denied is not among them."""
    found = json.loads(house("who-saw", "--column", "customers.iban", "--json").stdout)
    assert found == [
        {
            "who": "support-1",
            "kind": "person",
            "database": "shop",
            "column": IBAN,
            "how": "revealed",
            "statements": 2,
            "rows": 7,
            "values": 7,
            "first": "2026-11-02 12:01:00Z",
            "last": "2026-11-02 12:05:00Z",
            "unknown": 0,
        }
    ]
    assert "masked (last)" in house("who-saw", "--column", "phone", "--since", "2026-11-01").stdout
    assert (
        json.loads(house("who-saw", "--table", "orders", "--json").stdout)[0]["column"]
        == "public.orders.total"
    )


def test_who_asked_for_a_row(house: House) -> None:
    """By the secret of the keyed hashes; where no record has any, an empty answer would be a lie."""
    file = house.folder / "secret"
    file.write_bytes(bytes(range(32)))
    words = ["who-saw", "--table", "customers", "--key", "4711"]
    assert "goes with --table" in house("who-saw", "--key", "4711", status=2).stderr
    assert "no secret behind" in house(*words, status=2).stderr
    assert "is not known" in house(*words, "--secret", str(file), status=2).stderr
    hashed = KeyedColumn(file.read_bytes(), "shop", "public", "customers", "id").of((4711).to_bytes(8))
    house.write(permitted(6, ANNA, keyed=(hashed,)), permitted(7))
    found = json.loads(house(*words, "--secret", str(file), "--json").stdout)
    assert [(one["who"], one["column"]) for one in found] == [("anna", IBAN)]
    file.write_bytes(b"short")
    assert "fewer than 32" in house(*words, "--secret", str(file), status=2).stderr


def test_the_newest(house: House) -> None:
    """A line each, the last one last; as JSON each whole."""
    lines = house("tail", "-n", "2").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["4", "5"]
    erased(house.log, 5)
    house.write(later(permitted(6)))
    assert house("tail", "-n", "2").stdout.splitlines() == [
        "5  erased",
        "6  not read: of a later version, or no record",
    ]
    found = [json.loads(line) for line in house("tail", "-n", "3", "--json").stdout.splitlines()]
    assert [(one["number"], one["state"]) for one in found] == [(4, "right"), (5, "erased"), (6, "right")]
    assert house("tail", "-n", "0").stdout == ""


def test_what_comes(house: House) -> None:
    """Each once, also where nothing came between two looks."""
    key = json.loads(house("keys", "--json").stdout)[-1]["key"]

    def again() -> Contents:
        return Contents.open(house.log, [VerifierKey.parse(key)])

    batches = iter([[permitted(6)], [], [permitted(7), permitted(8)]])

    def pause() -> None:
        records = next(batches)
        if records:
            house.write(*records)

    coming_now = coming(again(), again, pause)
    found: list[Kept] = [next(coming_now) for _ in range(3)]
    assert [one.number for one in found] == [6, 7, 8]


def test_a_report(house: House) -> None:
    """Of a month, with the result of a verification; the status is 1 where that fails."""
    text = house("report", "--month", "2026-11").stdout
    assert "Verification: right: 6 records, 6 with their contents, 0 erased" in text
    assert text == house("report", "--month", "2026-11").stdout
    file = house.log / "content" / "000"
    file.write_bytes(file.read_bytes().replace(b"anna", b"otto", 1))
    text = house("report", "--month", "2026-11", status=1).stdout
    assert "Verification: WRONG: content/000" in text
    assert "not what the log committed to: 1 (2)" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["search", "--since", "yesterday"], "no time"),
        (["search", "--event", "statements"], "no event"),
        (["search", "--address", "localhost"], "no address"),
        (["search", "--verdict", "maybe"], "maybe"),
        (["search", "--log", "https://logs.example/a"], "copy the log first"),
        (["report", "--month", "November"], "no month"),
    ],
)
def test_wrong_use(house: House, words: list[str], said: str) -> None:
    """Is said before anything is read."""
    assert said in " ".join(house(*words, status=2).stderr.split())


def test_times() -> None:
    """A date is of UTC unless it says otherwise; so long ago is counted from now."""
    assert moment(None) is None
    noon = 1_793_620_800_000
    assert moment("2026-11-02T12:00") == noon
    assert moment("2026-11-02T13:00+01:00") == noon
    ago = moment("2h")
    assert ago is not None
    assert abs(datetime.now(UTC).timestamp() - ago / 1000 - 7200) < 60
