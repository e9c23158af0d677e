"""The state: made private, kept safe, shared by processes."""

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, Table, insert, select

from strongroom.config import StateAddress
from strongroom.errors import StateUnusable, TooManyFormerPasswords
from strongroom.secret import Secret
from strongroom.state import FORMER_AT_MOST, look_at_state, metadata, open_state


@pytest.fixture
def address(tmp_path: Path) -> StateAddress:
    """A place for a state that is not there yet."""
    return StateAddress(tmp_path / "state.db")


def test_a_verifier_is_kept(address: StateAddress) -> None:
    """What was stored for an account is there after the state was opened anew."""
    state = open_state(address)
    state.store_verifier("app", Secret("first"))
    state.store_verifier("app", Secret("second"))
    state.close()
    again = open_state(address)
    assert again.verifier("app") == Secret("second")
    assert again.verifier("other") is None
    again.close()


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_former_verifier_counts_for_a_while(address: StateAddress) -> None:
    """Until its time, behind the one that counts; others' are not touched."""
    state = open_state(address)
    state.store_verifier("app", Secret("first"), now=NOW)
    state.store_verifier("report", Secret("report's"), now=NOW)
    until = NOW + timedelta(hours=24)
    state.store_verifier("app", Secret("second"), keep_until=until, now=NOW)
    assert state.verifiers("app", NOW) == [Secret("second"), Secret("first")]
    assert state.verifiers("app", until - timedelta(seconds=1)) == [Secret("second"), Secret("first")]
    assert state.verifiers("app", until) == [Secret("second")]
    assert state.verifiers("report", NOW) == [Secret("report's")]
    assert state.verifiers("nobody", NOW) == []
    assert [one.former_until for one in state.accounts(NOW)] == [until, None]
    assert [one.former_until for one in state.accounts(until)] == [None, None]
    state.close()


def test_without_a_time_no_former_verifier_counts(address: StateAddress) -> None:
    """Who changes a password that was lost wants the lost one to end, and those before it."""
    state = open_state(address)
    state.store_verifier("app", Secret("first"), now=NOW)
    state.store_verifier("app", Secret("second"), keep_until=NOW + timedelta(days=1), now=NOW)
    state.store_verifier("app", Secret("third"), now=NOW)
    assert state.verifiers("app", NOW) == [Secret("third")]
    state.close()


def test_former_verifiers_are_few(address: StateAddress) -> None:
    """A fifth is refused and changes nothing; those whose time is over make room."""
    state = open_state(address)
    until = NOW + timedelta(days=1)
    for number in range(FORMER_AT_MOST + 1):
        state.store_verifier("app", Secret(str(number)), keep_until=until, now=NOW)
    with pytest.raises(TooManyFormerPasswords):
        state.store_verifier("app", Secret("more"), keep_until=until, now=NOW)
    assert len(state.verifiers("app", NOW)) == FORMER_AT_MOST + 1
    assert state.verifier("app") == Secret(str(FORMER_AT_MOST))
    state.store_verifier("app", Secret("more"), keep_until=until + timedelta(days=1), now=until)
    assert state.verifiers("app", until) == [Secret("more"), Secret(str(FORMER_AT_MOST))]
    state.close()


def test_accounts_are_listed(address: StateAddress) -> None:
    """The accounts come by name, with the time of their last change."""
    state = open_state(address)
    for name in ("b", "a"):
        state.store_verifier(name, Secret("x"))
    stored = state.accounts()
    state.close()
    assert [one.name for one in stored] == ["a", "b"]
    assert all(timedelta() <= datetime.now(UTC) - one.updated < timedelta(minutes=1) for one in stored)


def test_looking_leaves_nothing_behind(address: StateAddress) -> None:
    """Where there is no state, an empty one stands in and no file is made; where there is one, it is read."""
    looked = look_at_state(address)
    assert looked.accounts() == []
    looked.close()
    assert list(address.path.parent.iterdir()) == []
    state = open_state(address)
    state.store_verifier("app", Secret("x"))
    state.close()
    again = look_at_state(address)
    assert again.verifier("app") == Secret("x")
    again.close()


def test_the_files_are_private(address: StateAddress) -> None:
    """The state and its journal can be read by their owner alone, whatever the umask."""
    before = os.umask(0)
    try:
        state = open_state(address)
        state.store_verifier("app", Secret("x"))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in address.path.parent.iterdir()}
        state.close()
    finally:
        os.umask(before)
    assert "state.db-wal" in modes
    assert set(modes.values()) == {0o600}


def test_the_installation_secret_is_made_once(address: StateAddress) -> None:
    """Every opening finds the same secret, also when many processes make the state together."""
    with ThreadPoolExecutor(4) as pool:
        states = list(pool.map(open_state, [address] * 8))
    found = {state.installation_secret for state in states}
    for state in states:
        state.close()
    assert len(found) == 1
    assert len(found.pop()) == 32


def test_rooms_add_tables(address: StateAddress) -> None:
    """A table that another room declares is there after opening."""
    open_state(address).close()
    table = Table("test_rooms_add_tables", metadata, Column("n", Integer))
    try:
        state = open_state(address)
        with state.engine.begin() as connection:
            connection.execute(insert(table).values(n=1))
            assert connection.scalars(select(table.c.n)).all() == [1]
        state.close()
    finally:
        metadata.remove(table)


def test_a_transaction_excludes_others(address: StateAddress) -> None:
    """What a transaction has read cannot be changed by another process before it commits."""
    state = open_state(address)
    program = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
    with state.engine.begin():
        run = subprocess.run([sys.executable, "-c", program, address.path], capture_output=True, check=False)
    state.close()
    assert b"database is locked" in run.stderr


def test_others_may_not_read(address: StateAddress) -> None:
    """A state that others can read is refused."""
    open_state(address).close()
    address.path.chmod(0o640)
    with pytest.raises(StateUnusable, match="others may read"):
        open_state(address)


def test_others_may_not_write_beside(address: StateAddress) -> None:
    """A folder in which others can write is refused, unless it is sticky as /tmp is."""
    address.path.parent.chmod(0o777)
    with pytest.raises(StateUnusable, match="others may write"):
        open_state(address)
    address.path.parent.chmod(0o1777)
    open_state(address).close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_anothers_file(address: StateAddress) -> None:
    """A state of another user is refused."""
    open_state(address).close()
    os.chown(address.path, 12345, -1)
    with pytest.raises(StateUnusable, match="another user"):
        open_state(address)


def test_no_folder(tmp_path: Path) -> None:
    """A folder that is not there is named with the command that makes it."""
    with pytest.raises(StateUnusable, match="does not exist") as caught:
        open_state(StateAddress(tmp_path / "no" / "state.db"))
    assert "install -d -m 0700" in caught.value.hint


def test_not_a_file(address: StateAddress) -> None:
    """A folder in place of the file is refused."""
    address.path.mkdir()
    with pytest.raises(StateUnusable, match="not a file"):
        open_state(address)


def test_not_a_state(address: StateAddress) -> None:
    """A file that is no database is refused, and left as it is."""
    address.path.write_bytes(b"something else" * 100)
    address.path.chmod(0o600)
    with pytest.raises(StateUnusable, match="cannot be used"):
        open_state(address)
    assert address.path.read_bytes() == b"something else" * 100


def test_damaged_further_on(address: StateAddress) -> None:
    """A file that is cut off behind its first pages says so when what is gone is read."""
    with contextlib.closing(open_state(address).engine.raw_connection()) as connection:
        connection.cursor().execute("PRAGMA journal_mode=DELETE")
    address.path.write_bytes(address.path.read_bytes()[:8192])
    with pytest.raises(StateUnusable, match=r"state\.db: the state cannot be used: .*malformed"):
        open_state(address).verifier("app")


def test_a_full_disk(address: StateAddress) -> None:
    """A write for which there is no room is a named error, and what was there before is kept."""
    state = open_state(address)
    state.store_verifier("app", Secret("first"))
    with contextlib.closing(state.engine.raw_connection()) as connection:
        connection.cursor().execute("PRAGMA max_page_count=1")
    with pytest.raises(StateUnusable, match="the state cannot be used: database or disk is full"):
        state.store_verifier("app", Secret("second" * 10_000))
    assert state.verifier("app") == Secret("first")
    state.close()


def test_a_newer_state(address: StateAddress) -> None:
    """A state that a newer version wrote is refused."""
    open_state(address).close()
    connection = sqlite3.connect(address.path)
    with connection:
        connection.execute("UPDATE meta SET value = CAST('1' AS BLOB) WHERE name = 'schema'")
    connection.close()
    with pytest.raises(StateUnusable, match="schema 1"):
        open_state(address)
