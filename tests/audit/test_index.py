"""The index: finds what is in the log, forgets what is not, and is made from the log at any time."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audit.making import signer
from tests.audit.recorded import (
    IBAN,
    MINUTE,
    PHONE,
    client,
    denied,
    erased,
    head,
    later,
    opened,
    permitted,
    plan,
    turned_away,
    written,
)

from strongroom.audit import index as indexing
from strongroom.audit.contents import Contents, Kept
from strongroom.audit.criteria import Criteria, Verdict
from strongroom.audit.index import UNREAD, WRONG, Index, hash_mark, index_of
from strongroom.audit.log import Log
from strongroom.audit.records.codes import Record
from strongroom.audit.records.encoding import encode
from strongroom.audit.records.statements import Keyed
from strongroom.audit.records.traits import Role
from strongroom.errors import IndexUnusable


class Followed:
    """A log, its index, and what the index said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "audit"
        self.file = index_of(self.folder)
        self.said: list[str] = []

    def write(self, *records: Record | bytes) -> Contents:
        return written(self.folder, records)

    @property
    def log(self) -> Contents:
        return Contents.open(self.folder, [signer().key])

    def open(self) -> Index:
        found = Index.open(self.file, self.log, self.said.append)
        found.follow(self.log)
        return found

    def find(self, **wanted: Any) -> list[int]:
        index = self.open()
        try:
            return list(index.find(Criteria(**wanted)))
        finally:
            index.close()


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    """Of an empty folder."""
    return Followed(tmp_path)


def test_each_trait_finds_its_records(followed: Followed) -> None:
    """The newest first, whatever kinds they are of."""
    anna = client("anna", "2001:db8::1")
    followed.write(
        opened(0),
        permitted(1),
        permitted(2, anna, plan("public.orders.total", masked=[PHONE], table="public.orders")),
        denied(3, anna),
        permitted(4, what=plan(filtered=[IBAN])),
        turned_away(5),
        permitted(6),
    )
    assert followed.find(person="support-1") == [6, 5, 4, 1, 0]
    assert followed.find(person="ANNA") == [3, 2]
    assert followed.find(column="customers.iban") == [6, 4, 3, 1]
    assert followed.find(column="customers.iban", seen=True) == [6, 3, 1]
    assert followed.find(column="Public.Customers.IBAN", person="anna") == [3]
    assert followed.find(column='customers."IBAN"') == []
    assert followed.find(column="phone") == [2]
    assert followed.find(table="orders") == [2]
    assert followed.find(table="customers.orders") == []
    assert followed.find(verdict=Verdict.DENIED) == [5, 3]
    assert followed.find(event="session") == [0]
    assert followed.find(event="statement.denied") == [3]
    assert followed.find(address="192.0.2.0/24") == [6, 4, 1, 0]
    assert followed.find(address="2001:db8::1") == [3, 2]
    assert followed.find(database="shop", event="login") == [5]
    assert followed.find() == [6, 5, 4, 3, 2, 1, 0]


def test_times_leave_files_out_and_no_record(followed: Followed) -> None:
    """Also where a clock goes back, so that times are in another order than numbers."""
    followed.write(*[permitted(minute) for minute in [*range(1000), *range(200, 300)]])
    noon = head().time
    found = followed.find(person="support-1", since=noon + 250 * MINUTE, until=noon + 260 * MINUTE)
    assert {*range(250, 260), *range(1050, 1060)} <= set(found)
    late = followed.find(person="support-1", since=noon + 900 * MINUTE)
    assert {*range(900, 1000)} <= set(late) <= {*range(768, 1100)}
    assert followed.find(since=noon + 1000 * MINUTE) == []


def test_it_follows_a_log_that_grows(followed: Followed) -> None:
    """And reads what grew, not what was there before."""
    followed.write(*[permitted(one) for one in range(300)])
    assert len(followed.find(person="support-1")) == 300
    followed.write(*[denied(one) for one in range(5)])
    index = Index.open(followed.file, followed.log, followed.said.append)
    assert index.follow(followed.log) == 1
    assert index.follow(followed.log) == 0
    assert list(index.find(Criteria(verdict=Verdict.DENIED))) == [304, 303, 302, 301, 300]
    assert followed.said == []


def test_what_was_erased_is_gone_from_its_file(followed: Followed) -> None:
    """Records, and the names that no other has: no octet of them is left."""
    secret = client("very-special-person", "203.0.113.77")
    followed.write(permitted(0), permitted(1, secret, plan("public.clinic.diagnosis")), permitted(2))
    assert followed.find(person="very-special-person") == [1]
    assert b"very-special-person" in followed.file.read_bytes()
    erased(followed.folder, 1)
    assert followed.find(person="very-special-person") == []
    assert followed.find() == [2, 0]
    octets = followed.file.read_bytes()
    assert not any(one in octets for one in (b"very-special-person", b"203.0.113.77", b"clinic"))


def test_a_whole_file_that_was_erased(followed: Followed) -> None:
    """Its records are forgotten as well."""
    followed.write(*[permitted(one) for one in range(600)])
    assert len(followed.find(column=IBAN)) == 600
    (followed.folder / "content" / "001").unlink()
    assert followed.find(column=IBAN) == [*reversed(range(512, 600)), *reversed(range(256))]


def damage(file: Path) -> None:
    file.write_bytes(b"SQLite format 3\0" + b"\xff" * 4000)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


def another_version(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 2")
    connection.close()


def another_program(file: Path) -> None:
    file.unlink()
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE heads (x)")
    connection.close()


def no_head(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.execute("DELETE FROM heads")
    connection.commit()
    connection.close()


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("change", [damage, cut, another_version, another_program, no_head, empty])
def test_what_is_no_index_is_made_anew(followed: Followed, change: Callable[[Path], None]) -> None:
    """And that is said."""
    followed.write(*[permitted(one) for one in range(300)])
    assert len(followed.find(column=IBAN)) == 300
    change(followed.file)
    assert len(followed.find(column=IBAN)) == 300
    assert len(followed.said) == 1
    assert "made anew" in followed.said[0]


def test_damage_that_shows_only_later_is_an_error(followed: Followed) -> None:
    """Pages in its midst that are no pages are an error when they are needed, and never taken for nothing."""
    followed.write(*[permitted(one, client(f"person-{one}")) for one in range(1500)])
    index = followed.open()
    assert index.is_sound
    index.close()
    octets = bytearray(followed.file.read_bytes())
    octets[8192:] = b"\x5a" * (len(octets) - 8192)
    followed.file.write_bytes(octets)
    with pytest.raises(IndexUnusable):
        followed.find(person="person-700")


def test_the_index_of_another_log_is_made_anew(followed: Followed, tmp_path: Path) -> None:
    """Be it of another origin, or of a log that began anew or was cut under the same one."""
    followed.write(*[permitted(one) for one in range(300)])
    followed.find()
    former = followed.file.read_bytes()
    other = Followed(tmp_path / "other")
    other.write(*[denied(one) for one in range(400)])
    other.file.write_bytes(former)
    assert other.find(verdict=Verdict.PERMITTED) == []
    assert len(other.find(verdict=Verdict.DENIED)) == 400
    assert "does not go on from" in other.said[0]
    short = Followed(tmp_path / "short")
    short.write(denied(0))
    short.file.write_bytes(former)
    assert short.find() == [0]
    assert len(short.said) == 1
    renamed = Followed(tmp_path / "renamed")
    key = signer("elsewhere.example/audit")
    log = Log.open(renamed.folder, [key])
    log.append([encode(denied(0))])
    log.close()
    contents = Contents.open(renamed.folder, [key.key])
    renamed.file.write_bytes(former)
    Index.open(renamed.file, contents, renamed.said.append).close()
    assert "another log, gateway.example/audit" in renamed.said[0]


def test_what_was_interrupted_is_gone_on_with(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was taken up before it died is not read again."""
    followed.write(*[permitted(one) for one in range(256 * 6)])
    monkeypatch.setattr(indexing, "BATCH", 2)
    log = followed.log

    class Dies(Contents):
        def bundle(self, bundle: int) -> list[Kept]:
            if bundle == 3:
                raise KeyboardInterrupt
            return super().bundle(bundle)

    index = Index.open(followed.file, log, followed.said.append)
    with pytest.raises(KeyboardInterrupt):
        index.follow(Dies(followed.folder, log.checkpoint))
    index.close()
    index = Index.open(followed.file, log, followed.said.append)
    assert index.follow(log) == 4
    assert index.records == 256 * 6
    assert followed.said == []


def test_many_at_once(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their order by kinds is made behind them, be it after an interruption; a few go into it one by one."""
    monkeypatch.setattr(indexing, "MANY", 2)
    followed.write(*[permitted(one) for one in range(700)])
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(indexing, "_BY_KIND", "SELECT broken")
        with pytest.raises(IndexUnusable):
            followed.open()
    assert ordered(followed) == []
    assert followed.find(person="support-1")[-1] == 0
    assert ordered(followed) == ["records_of_kinds"]
    followed.write(permitted(700))
    assert len(followed.find(person="support-1")) == 701
    assert followed.said == []


def ordered(followed: Followed) -> list[str]:
    connection = sqlite3.connect(followed.file)
    rows = connection.execute("SELECT name FROM sqlite_master WHERE name = 'records_of_kinds'").fetchall()
    connection.close()
    return [name for (name,) in rows]


def test_what_cannot_be_read_is_named(followed: Followed) -> None:
    """A record of a later version, something else, and a content that is not what was committed to."""
    followed.write(permitted(0), later(permitted(1)), b'{"number":2}', permitted(3))
    file = followed.folder / "content" / "000"
    file.write_bytes(file.read_bytes().replace(b"support-1", b"support-2", 1))
    index = followed.open()
    assert index.unreadable(UNREAD) == [1, 2]
    assert index.unreadable(WRONG) == [0]
    assert list(index.find(Criteria(person="support-1"))) == [3]
    assert list(index.find(Criteria(person="support-2"))) == []
    index.close()


def test_keyed_hashes_find_their_records(followed: Followed) -> None:
    """By column and hash."""
    one, other = Keyed("public.customers.id", "ab" * 16), Keyed("public.orders.id", "ab" * 16)
    followed.write(permitted(0, keyed=(one, other)), permitted(1), permitted(2, keyed=(one,)))
    index = followed.open()
    assert index.marked(hash_mark(one.column, one.hash)) == [2, 0]
    assert index.marked(hash_mark(other.column, other.hash)) == [0]
    assert index.names(Role.KEYED) == ["public.customers.id", "public.orders.id"]
    index.close()
    erased(followed.folder, 0)
    index = followed.open()
    assert index.marked(hash_mark(other.column, other.hash)) == []
    assert index.names(Role.KEYED) == ["public.customers.id"]
    index.close()


def test_others_do_not_read_it(followed: Followed) -> None:
    """It has names of people."""
    followed.write(permitted(0))
    followed.find()
    assert followed.file.stat().st_mode & 0o777 == 0o600


def test_a_place_that_cannot_be_written(followed: Followed, tmp_path: Path) -> None:
    """It is said, with a remedy."""
    log = followed.write(permitted(0))
    with pytest.raises(IndexUnusable):
        Index.open(tmp_path / "nowhere" / "index.db", log, followed.said.append)


def test_an_index_that_is_ahead_is_left_alone(followed: Followed) -> None:
    """Who opened the log before another process did follows no more."""
    before = followed.write(permitted(0))
    index = Index.open(followed.file, before, followed.said.append)
    followed.write(permitted(1))
    followed.find()
    with pytest.raises(IndexUnusable, match="another process"):
        index.follow(before)
    index.close()


def test_an_index_that_another_holds_is_left_alone(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not damaged, and is not thrown away."""
    followed.write(permitted(0))
    followed.find()
    monkeypatch.setattr(indexing, "LOCKED_SECONDS", 0.0)
    octets = followed.file.read_bytes()
    other = sqlite3.connect(followed.file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(IndexUnusable, match="locked"):
        followed.find()
    other.execute("ROLLBACK")
    other.close()
    assert followed.file.read_bytes() == octets
    assert followed.find() == [0]
    assert followed.said == []


def test_two_that_follow_at_once(followed: Followed) -> None:
    """Each goes on from what the other did, and remembers no kind that the other swept."""
    anna, bob = client("anna"), client("bob")
    followed.write(permitted(0, anna), permitted(1, bob))
    one, two = followed.open(), followed.open()
    erased(followed.folder, 0)
    assert two.follow(followed.log) == 1
    followed.write(permitted(2, anna), denied(3, client("carl")))
    assert two.follow(followed.log) == 1
    followed.write(permitted(4, anna))
    assert one.follow(followed.log) == 1
    for index in (one, two):
        assert list(index.find(Criteria(person="anna"))) == [4, 2]
        assert list(index.find(Criteria(person="carl"))) == [3]
        index.close()


def test_a_journal_of_a_former_index(followed: Followed) -> None:
    """Is not played back into the one that is made anew."""
    followed.write(*[permitted(one) for one in range(300)])
    followed.find()
    former = followed.file.read_bytes()
    indexing.remove(followed.file)
    followed.file.with_name(f"{followed.file.name}-journal").write_bytes(former)
    assert len(followed.find(column=IBAN)) == 300
    index = followed.open()
    assert index.is_sound
    index.close()


WHO = st.sampled_from(["anna", "bob", "carl"])
COLUMN = st.sampled_from([IBAN, PHONE, "public.orders.total"])


@settings(max_examples=25)
@given(
    st.lists(st.tuples(WHO, COLUMN, st.booleans(), st.integers(0, 500)), max_size=40), WHO, COLUMN, st.data()
)
def test_it_finds_what_a_look_at_each_record_finds(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[str, str, bool, int]],
    who: str,
    column: str,
    data: st.DataObject,
) -> None:
    """With some erased, whatever they are."""
    followed = Followed(tmp_path_factory.mktemp("log"))
    followed.write(
        *[
            permitted(at, client(name), plan(one)) if well else denied(at, client(name), plan(one))
            for name, one, well, at in drawn
        ]
    )
    followed.find()
    gone = data.draw(st.sets(st.integers(0, len(drawn) - 1), max_size=5)) if drawn else set()
    erased(followed.folder, *gone)
    expected = [
        number
        for number, (name, one, well, _) in enumerate(drawn)
        if (name, one, well) == (who, column, True) and number not in gone
    ]
    found = followed.find(person=who, column=column, verdict=Verdict.PERMITTED)
    assert found == expected[::-1]
