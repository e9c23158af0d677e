"""gateway/logbook.py and records.py: what a supervisor records, and what commands leave for it."""

import asyncio
import signal
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.audit.test_log import contents
from tests.gateway.serving import configuration, logged
from tests.gateway.test_chronicle import gateway  # noqa: F401 - the fixture that is asked for below
from tests.gateway.test_recorder import stopped

from strongroom.audit import asked
from strongroom.audit.asked import Asked, What
from strongroom.audit.records.changes import (
    ConfigurationChanged,
    ConfigurationDeed,
    KeyChanged,
    KeyDeed,
    RoleChanged,
)
from strongroom.audit.records.codes import Record
from strongroom.audit.records.reading import read
from strongroom.audit.records.running import Gap, Loss, ProcessTurned, Removed, Turn
from strongroom.audit.records.shared import Holder
from strongroom.config import StateAddress
from strongroom.config.audit import Audit
from strongroom.errors import ServerFailed
from strongroom.gateway.logbook import Logbook
from strongroom.gateway.outbox import Outbox
from strongroom.keys.journal import Journal
from strongroom.lending import deeds, store
from strongroom.lending.store import RoleEvent
from strongroom.state import State, open_state
from strongroom.testing.gateway import Gateway
from strongroom.testing.waiting import wait_until


def found(gateway: Gateway, kind: type) -> list[Any]:  # noqa: F811 - as pytest wants it
    """All records of a kind in the log of a gateway that was stopped."""
    records = (read(one) for one in contents(gateway.folder / "audit"))
    return [one for one in records if isinstance(one, kind)]


def test_starts_configurations_and_stops(gateway: Gateway) -> None:  # noqa: F811 - as pytest wants it
    """Which file, by its hash, whether it was taken, and why not."""
    before = configuration(gateway)
    gateway.configure(before | {"login": {"failures": 7}})
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: logged(gateway, "configuration accepted"), "it is taken")
    gateway.configure(before | {"workers": 0})
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: logged(gateway, "configuration refused, the old one stays"), "it is refused")
    stopped(gateway)
    turns = found(gateway, ProcessTurned)
    assert [one.turn for one in turns] == [Turn.STARTED, Turn.STOPPED]
    assert turns[0].audit == "batch, block"
    taken, refused = found(gateway, ConfigurationChanged)
    assert (taken.deed, taken.code) == (ConfigurationDeed.ACCEPTED, None)
    assert (refused.deed, refused.code) == (ConfigurationDeed.REFUSED, "configuration-invalid")
    assert len({turns[0].sha256, taken.sha256, refused.sha256}) == 3


def test_what_was_done_to_keys(gateway: Gateway) -> None:  # noqa: F811 - as pytest wants it
    """While the gateway runs and while it does not; each once, though it is started again."""
    gateway.command("keys", "rotate", "public.people.note", "--no-wait")
    stopped(gateway)
    with pytest.raises(ServerFailed):
        gateway.command("keys", "rotate")
    gateway.command("keys", "rotate", "--kek")
    gateway.launch()
    wait_until(lambda: len(logged(gateway, "audit log open")) == 2, "it is open again")
    stopped(gateway)
    gateway.launch()
    stopped(gateway)
    changes = [one for one in found(gateway, KeyChanged) if one.deed is KeyDeed.ROTATED]
    assert [one.subject for one in changes] == ["audited/public.people.note", "kek audited"]


# --------------------------------------------------------------------------------- what others broke

LONG_AGO = datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC)


class Kept(Outbox):
    """What it is given is on the disk."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"), 0.0)
        self.records: list[Record] = []
        self.reached = defaultdict[int, asyncio.Event](asyncio.Event)

    def record(self, content: bytes, *, urgent: bool = False) -> int:
        del urgent
        self.records.append(read(content))
        self.reached[len(self.records)].set()
        return len(self.records)

    async def kept(self, number: int) -> None:
        del number


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """With what was done to a key and a role, long ago."""
    tmp_path.chmod(0o700)
    opened = open_state(StateAddress(path=tmp_path / "state.db"))
    journal = Journal(opened.engine)
    for subject in ("one", "two"):
        journal.add("rotated", subject)
    broken(opened, f"UPDATE key_events SET at = '{LONG_AGO:%Y-%m-%d %H:%M:%S}.000000'")
    with opened.engine.begin() as connection:
        for person in ("anna", "otto"):
            details = {"by": "eva", "grant": 1, "reason": "r"}
            store.note(connection, RoleEvent(0, LONG_AGO, deeds.GRANTED, "support", person, details))
    yield opened
    opened.close()


def broken(state: State, statement: str) -> None:
    with state.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def looked(state: State, log: Path, times: int = 2) -> list[Record]:
    """What is recorded, of so many looks."""
    book = logbook(state, log)
    for _ in range(times):
        asyncio.run(book.look())
    return records_of(book)


def logbook(state: State, log: Path) -> Logbook:
    log.mkdir(exist_ok=True)
    return Logbook(Kept(), Audit.model_construct(log=log, origin="gateway.example/test"), state)


def records_of(book: Logbook) -> list[Record]:
    assert isinstance(book.outbox, Kept)
    assert [one.head.sequence for one in book.outbox.records] == list(range(1, len(book.outbox.records) + 1))
    return book.outbox.records


def test_when_it_was_done(state: State, tmp_path: Path) -> None:
    """And not when it was taken up."""
    found = looked(state, tmp_path / "log")
    assert [type(one) for one in found] == [KeyChanged] * 2 + [RoleChanged] * 2
    assert {one.head.time for one in found} == {int(LONG_AGO.timestamp() * 1000)}


@pytest.mark.parametrize(
    ("column", "value", "deed"),
    [
        ("details", "'{'", None),
        ("details", "NULL", None),
        ("details", "'null'", KeyDeed.OTHER),
        ("details", """'{"version": -1}'""", KeyDeed.OTHER),
        ("at", "'yesterday'", None),
        ("at", "7", None),
        ("what", "x'00'", None),
        ("subject", "x'00'", None),
    ],
)
def test_a_broken_row_of_keys(
    state: State, tmp_path: Path, column: str, value: str, deed: KeyDeed | None
) -> None:
    """It is recorded as far as it can be, once, and what follows it as ever."""
    rebuilt(state, "key_events")
    broken(state, f"UPDATE key_events SET {column} = {value} WHERE number = 1")
    first, second, *roles = looked(state, tmp_path / "log")
    if deed is None:
        assert isinstance(first, Gap)
        assert (first.loss, first.lost) == (Loss.REMOVED, 1)
    else:
        assert isinstance(first, KeyChanged)
        assert (first.deed, first.subject, first.words) == (deed, "one", "rotated")
    assert isinstance(second, KeyChanged)
    assert (second.subject, second.deed) == ("two", KeyDeed.ROTATED)
    assert [type(one) for one in roles] == [RoleChanged] * 2


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("details", "'{'"),
        ("details", "'[]'"),
        ("details", """'{"grant": "x"}'"""),
        ("at", "'yesterday'"),
        ("what", "'a role was invented'"),
        ("person", "x'00'"),
    ],
)
def test_a_broken_row_of_roles(state: State, tmp_path: Path, column: str, value: str) -> None:
    """It counts as one that is missing, once, and what follows it is recorded as ever."""
    broken(state, f"UPDATE role_events SET {column} = {value} WHERE number = 1")
    *_, gap, second = looked(state, tmp_path / "log")
    assert isinstance(gap, Gap)
    assert (gap.loss, gap.lost) == (Loss.REMOVED, 1)
    assert isinstance(second, RoleChanged)
    assert second.person == "otto"


def rebuilt(state: State, table: str) -> None:
    """Without what SQLite itself refuses: who can write the file is not held by it."""
    broken(state, f"CREATE TABLE other AS SELECT * FROM {table}")
    broken(state, f"DROP TABLE {table}")
    broken(state, f"ALTER TABLE other RENAME TO {table}")


@pytest.mark.parametrize("table", ["key_events", "role_events", "deed_lists"])
def test_a_list_that_is_broken(state: State, tmp_path: Path, table: str) -> None:
    """It keeps none of the others, nor what was taken away from the log, from being recorded."""
    book = logbook(state, tmp_path / "log")
    removed(tmp_path / "log")
    asyncio.run(book._deeds_list())
    broken(state, f"DROP TABLE {table}")
    broken(state, f"CREATE TABLE {table} (number INTEGER)")
    asyncio.run(book.look())
    kinds = {KeyChanged: "key_events", RoleChanged: "role_events", Removed: "asked"}
    expected = {kind for kind, needed in kinds.items() if needed != table}
    assert {type(one) for one in records_of(book)} == expected


def removed(log: Path) -> str:
    """It was, and nobody recorded that yet."""
    return asked.put(log, Asked(What.ERASE, "eva", Holder.ADMINISTRATOR, 1, 5, done=True))


def test_what_cannot_be_dropped(state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is recorded once, and tried again; nothing else waits for it."""
    book = logbook(state, tmp_path / "log")
    name = removed(tmp_path / "log")

    def refuse(*_: object) -> None:
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(asked, "drop", refuse)
        for _ in range(3):
            asyncio.run(book.look())
    assert [type(one) for one in records_of(book)].count(Removed) == 1
    assert (tmp_path / "log" / "asked" / name).exists()
    asyncio.run(book.look())
    assert not list((tmp_path / "log" / "asked").iterdir())
    assert [type(one) for one in records_of(book)].count(Removed) == 1


def test_it_follows_whatever_fails(state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next look is made as ever."""
    book = logbook(state, tmp_path / "log")
    outbox = book.outbox
    assert isinstance(outbox, Kept)
    monkeypatch.setattr("strongroom.gateway.logbook.LOOK_SECONDS", 0.0)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(asked, "standing", refuse)

    async def until_later() -> None:
        following = asyncio.create_task(book.follow())
        await outbox.reached[4].wait()
        await asyncio.to_thread(Journal(state.engine).add, "exported", "three")
        await outbox.reached[5].wait()
        following.cancel()

    asyncio.run(asyncio.wait_for(until_later(), 60))
    assert len(records_of(book)) == 5
