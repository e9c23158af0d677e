"""The state: what Strongroom keeps for itself, in one SQLite file that only its own user can read.

Here live the password verifiers of accounts and the secret behind mock salts; other rooms add their tables
to ``metadata`` and reach them through ``State.engine`` (``keys`` keeps its wrapped keysets so). ``serve``,
``password`` and the key commands open it, several processes at a time: each transaction begins by taking
SQLite's write lock (BEGIN IMMEDIATE), so that what is read in it still holds when it commits, and is on the
disk after it.
"""

import os
import secrets
import sqlite3
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import (
    Column,
    DateTime,
    Dialect,
    Engine,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    create_engine,
    delete,
    event,
    func,
    select,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import URL, Connection
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from strongroom.config import StateAddress
from strongroom.errors import StateUnusable, TooManyFormerPasswords
from strongroom.secret import Secret

SCHEMA_VERSION = 2
BUSY_SECONDS = 10
"""How long a process waits for another one's write before it gives up."""

metadata = MetaData()
"""The tables of all rooms; a room that keeps something declares its tables on this."""


class Utc(TypeDecorator[datetime]):
    """A time in UTC; SQLite keeps none with its zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else value.replace(tzinfo=UTC)


_meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
_accounts = Table(
    "accounts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("verifier", Text, nullable=False),
    Column("updated", DateTime, nullable=False),
)


_former = Table(
    "former_passwords",
    metadata,
    Column("account", Text, nullable=False, index=True),
    Column("verifier", Text, nullable=False),
    Column("until", DateTime, nullable=False),
)

FORMER_AT_MOST = 4
"""So many former passwords of an account may count at a time."""


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account whose verifier is in the state; times are in UTC.

    ``former_until`` is when the last of its former passwords ceases to count; None where none does.
    """

    name: str
    updated: datetime
    former_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class State:
    """The open state."""

    engine: Engine
    installation_secret: bytes
    """32 random bytes, made once; unknown accounts get their mock salts from it."""

    def verifier(self, account: str) -> Secret | None:
        """The SCRAM verifier that ``strongroom password`` stored for the account."""
        with self.engine.begin() as connection:
            found = connection.scalar(select(_accounts.c.verifier).where(_accounts.c.name == account))
        return None if found is None else Secret(found)

    def verifiers(self, account: str, now: datetime) -> Sequence[Secret]:
        """The account's verifier, and behind it those of former passwords that count still."""
        mine = (_former.c.account == account) & (_former.c.until > _naive(now))
        with self.engine.begin() as connection:
            found = connection.scalar(select(_accounts.c.verifier).where(_accounts.c.name == account))
            former = connection.scalars(select(_former.c.verifier).where(mine)).all()
        return [] if found is None else [Secret(one) for one in (found, *former)]

    def store_verifier(
        self,
        account: str,
        verifier: Secret,
        *,
        keep_until: datetime | None = None,
        now: datetime | None = None,
        along: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        """Keeps the account's verifier, in place of the one before; that one counts on until ``keep_until``.

        Without it no former password counts any more. ``along`` is done in the same transaction. Raises
        ``TooManyFormerPasswords``.
        """
        present = _naive(datetime.now(UTC) if now is None else now)
        row = {"verifier": verifier.danger_reveal(), "updated": present}
        statement = insert(_accounts).values(name=account, **row)
        with self.engine.begin() as connection:
            _settle_former(connection, account, present, None if keep_until is None else _naive(keep_until))
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))
            along(connection)

    def accounts(self, now: datetime | None = None) -> Sequence[StoredAccount]:
        """The accounts with a stored verifier, by name."""
        present = _naive(datetime.now(UTC) if now is None else now)
        former = select(_former.c.account, func.max(_former.c.until)).where(_former.c.until > present)
        query = select(_accounts.c.name, _accounts.c.updated).order_by(_accounts.c.name)
        with self.engine.begin() as connection:
            rows = connection.execute(query).all()
            latest = connection.execute(former.group_by(_former.c.account)).all()
        until = {name: one.replace(tzinfo=UTC) for name, one in latest}
        return [StoredAccount(name, when.replace(tzinfo=UTC), until.get(name)) for name, when in rows]

    def wipe(self) -> bool:
        """Takes what was deleted or replaced out of the files; whether nobody was in the way of that.

        SQLite overwrites it in the database's pages (``secure_delete``); the write-ahead log has older copies
        of them until it is written back and cut to nothing (manual, "PRAGMA wal_checkpoint").
        """
        connection = self.engine.raw_connection()
        try:
            busy = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            connection.close()
        return not busy

    def close(self) -> None:
        """Closes the file."""
        self.engine.dispose()


def _naive(time: datetime) -> datetime:
    """SQLite keeps no zone: times stand in UTC."""
    return time.astimezone(UTC).replace(tzinfo=None)


def _settle_former(connection: Connection, account: str, now: datetime, keep_until: datetime | None) -> None:
    """Forgets former passwords, or keeps them and adds the present one."""
    mine = _former.c.account == account
    connection.execute(delete(_former).where(mine if keep_until is None else mine & (_former.c.until <= now)))
    present = connection.scalar(select(_accounts.c.verifier).where(_accounts.c.name == account))
    if keep_until is None or present is None:
        return
    if (connection.scalar(select(func.count()).select_from(_former).where(mine)) or 0) >= FORMER_AT_MOST:
        raise TooManyFormerPasswords(
            f"{FORMER_AT_MOST} former passwords of {account} count still",
            hint="Wait until one ceases to count, or leave out --keep-old, which ends them all.",
        )
    connection.execute(insert(_former).values(account=account, verifier=present, until=keep_until))


def open_state(address: StateAddress) -> State:
    """Opens the state, and makes it where there is none; raises ``StateUnusable``."""
    path = address.path
    _refuse_unsafe_place(path)
    try:
        _create_private(path)
        _refuse_shared_file(path)
        return _open(path)
    except OSError as error:
        raise StateUnusable(
            f"{path}: the state cannot be opened: {error.strerror}",
            hint="Let the user that runs strongroom read and write the file and its folder.",
        ) from None


def look_at_state(address: StateAddress) -> State:
    """Opens the state to look at it: where there is none yet, an empty one in memory stands in.

    For commands that change nothing; raises ``StateUnusable`` where ``open_state`` would.
    """
    if is_there(address):
        return open_state(address)
    _refuse_unsafe_place(address.path)
    return _opened(create_engine("sqlite://", poolclass=StaticPool, hide_parameters=True), address.path)


def is_there(address: StateAddress) -> bool:
    """Whether there is a state already."""
    return address.path.exists() and (not address.path.is_file() or address.path.stat().st_size > 0)


def _open(path: Path) -> State:
    url = URL.create("sqlite", database=str(path))
    return _opened(create_engine(url, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True), path)


def _opened(engine: Engine, path: Path) -> State:
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", partial(_explain, path))
    try:
        with engine.begin() as connection:
            return State(engine, _prepare(connection, path))
    except BaseException:
        engine.dispose()
        raise


def _refuse_unsafe_place(path: Path) -> None:
    """Who may rename files in the folder may put another state there."""
    folder = path.parent
    if not folder.is_dir():
        raise StateUnusable(
            f"{path}: the folder of the state does not exist",
            hint=f"Make it, for the user that runs strongroom alone: install -d -m 0700 {folder}",
        )
    mode = folder.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
        raise StateUnusable(
            f"{path}: others may write in the folder of the state", hint=f"Run: chmod go-w {folder}"
        )


def _create_private(path: Path) -> None:
    """SQLite would make the file readable for all; its journal files take the mode of this one."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return


def _refuse_shared_file(path: Path) -> None:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise StateUnusable(f"{path}: the state is not a file", hint="Name a file in state: sqlite:")
    if status.st_uid != os.geteuid():
        raise StateUnusable(
            f"{path}: the state belongs to another user", hint="Run strongroom as the user that made it."
        )
    if status.st_mode & 0o077:
        raise StateUnusable(f"{path}: others may read the state", hint=f"Run: chmod 0600 {path}")


def _explain(path: Path, context: ExceptionContext) -> None:
    """A file can be damaged beyond its first page, and a disk be full at any write, long after the start."""
    cause = context.original_exception
    if isinstance(cause, sqlite3.DatabaseError) and not isinstance(cause, sqlite3.IntegrityError):
        raise StateUnusable(
            f"{path}: the state cannot be used: {cause}",
            hint="See that the disk is not full, that strongroom's user may write the file and its folder,"
            " and that the file is Strongroom's; if it is damaged, restore it.",
        ) from None


def _set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """SQLite's manual, "PRAGMA Statements"; with FULL a commit is on the disk when it returns."""
    connection.isolation_level = None  # leaves BEGIN to _begin
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.cursor().execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare(connection: Connection, path: Path) -> bytes:
    """Makes what is missing, checks the version; returns the installation secret."""
    metadata.create_all(connection)
    for name, value in (("schema", b"%d" % SCHEMA_VERSION), ("installation-secret", secrets.token_bytes(32))):
        connection.execute(insert(_meta).values(name=name, value=value).on_conflict_do_nothing())
    known: dict[str, bytes] = {row.name: row.value for row in connection.execute(select(_meta))}
    if int(known["schema"]) != SCHEMA_VERSION:
        raise StateUnusable(
            f"{path}: the state has schema {int(known['schema'])}, this Strongroom knows {SCHEMA_VERSION}",
            hint="Run the version of Strongroom that wrote it, or a newer one.",
        )
    return known["installation-secret"]
