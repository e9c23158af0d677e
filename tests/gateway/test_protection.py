"""State, keys, configuration and database: when they agree, what then starts, and what notices change."""

import contextlib
import secrets
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psycopg
import pytest
import yaml

from strongroom.config import StateAddress
from strongroom.errors import ServerFailed
from strongroom.gateway.kept import filled
from strongroom.keys.beside import ALONE
from strongroom.keys.hierarchy import Roots, open_kek
from strongroom.keys.kek import Keks
from strongroom.keys.root.file import FileRoot
from strongroom.keys.store import KeyStore, kept_keks
from strongroom.state import open_state
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

TABLE = "CREATE TABLE people (id int PRIMARY KEY, email bytea UNIQUE, note bytea, town text)"
COLUMNS = {
    "public.people.email": {"type": "text", "encryption": "deterministic"},
    "public.people.note": {"type": "text", "encryption": "randomized"},
}

Start = Callable[..., Gateway]


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """A new database with a table whose sensitive columns await sealed values."""
    name = postgres.create_database(f"db{secrets.token_hex(4)}")
    postgres.run(TABLE, name)
    return name


@pytest.fixture
def start(postgres: PostgresServer, database: str) -> Iterator[Start]:
    """Starts gateways in front of the database."""
    started: list[Gateway] = []

    def one(**options: object) -> Gateway:
        gateway = Gateway.start(postgres, database, more={"columns": COLUMNS}, **options)  # type: ignore[arg-type]  # passed on
        started.append(gateway)
        return gateway

    yield one
    for gateway in started:
        gateway.stop()


def session(gateway: Gateway) -> psycopg.Connection:
    return psycopg.connect(gateway.uri(), autocommit=True)


def refused(gateway: Gateway) -> str:
    """Start the gateway again, which must not succeed; what it says."""
    with pytest.raises(ServerFailed) as caught:
        gateway.launch()
    return caught.value.detail


def stopped(gateway: Gateway) -> None:
    gateway.signal(signal.SIGTERM)
    gateway.wait()


def test_workers_share_their_keys(start: Start, database: str, postgres: PostgresServer) -> None:
    """Whichever worker a session has, it opens what another sealed, and finds it by equality."""
    gateway = start(workers=3)
    for i in range(6):
        with session(gateway) as one:
            one.execute("INSERT INTO people VALUES (%s, %s, 'n', 't')", (i, f"p{i}@example.org"))
    with session(gateway) as one:
        found = one.execute("SELECT id FROM people WHERE email = 'p4@example.org'").fetchall()
        assert found == [(4,)]
    with postgres.connect(database) as direct:
        stored = direct.execute("SELECT email FROM people").fetchall()
    assert len(stored) == 6
    assert all(b"example" not in value[0] for value in stored)


def test_a_root_key_is_made_once_and_said(start: Start) -> None:
    """The first start makes the root key, privately, and says where."""
    gateway = start()
    root = gateway.folder / "keys" / "root.key"
    assert root.stat().st_mode & 0o777 == 0o600
    assert str(root) in gateway.log.read_text()


def test_a_lost_root_key_is_not_replaced(start: Start) -> None:
    """Where keysets were wrapped by a root, its absence stops the start."""
    gateway = start()
    stopped(gateway)
    (gateway.folder / "keys" / "root.key").unlink()
    assert "root-key-missing" in refused(gateway)
    assert not (gateway.folder / "keys" / "root.key").exists()


def test_another_root_key_is_refused(start: Start, tmp_path: Path) -> None:
    """A root that did not wrap the keysets opens none."""
    gateway = start()
    stopped(gateway)
    root = gateway.folder / "keys" / "root.key"
    root.unlink()
    FileRoot.create(root, tmp_path)
    assert "root-key-wrong" in refused(gateway)


def test_a_lost_state_is_taken_over_from_beside_the_data(start: Start) -> None:
    """A database and its root are enough: the keysets kept beside the data come back."""
    gateway = start()
    with session(gateway) as one:
        one.execute("INSERT INTO people VALUES (1, 'a@example.org', 'n', 't')")
    stopped(gateway)
    for file in (gateway.folder / "state").iterdir():
        file.unlink()
    gateway.launch()
    with session(gateway) as one:
        assert one.execute("SELECT email, note FROM people").fetchone() == ("a@example.org", "n")


@pytest.fixture
def two_at_once(database: str, postgres: PostgresServer) -> Iterator[Callable[..., list[Gateway | str]]]:
    """Starts two gateways with a state each, which both find no keyset and then go on at once."""
    started: list[Gateway] = []

    def one(first: Callable[[Gateway], None]) -> Gateway | str:
        try:
            gateway = Gateway.start(postgres, database, more={"columns": COLUMNS}, first=first)
        except ServerFailed as error:
            return error.detail
        started.append(gateway)
        return gateway

    def both(first: Callable[[Gateway], None]) -> list[Gateway | str]:
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event = 'advisory'"
        with ThreadPoolExecutor() as pool:
            with postgres.connect(database) as holder, holder.transaction():
                holder.execute(ALONE.encode())
                outcomes = [pool.submit(one, first) for _ in range(2)]
                with postgres.connect() as watcher:
                    found = partial(watcher.execute, waiting, [database])
                    wait_until(lambda: found().fetchone() == (2,), "both have found nothing and wait")
            return [outcome.result() for outcome in outcomes]

    yield both
    for gateway in started:
        gateway.stop()


def keysets_of(gateway: Gateway) -> set[int]:
    """The key ids in a gateway's state."""
    state = open_state(StateAddress(path=gateway.folder / "state" / "state.db"))
    try:
        roots = Roots((FileRoot.open(gateway.folder / "keys" / "root.key", None),))
        keks = Keks.of(open_kek(row, roots) for row in kept_keks(state.engine).values())
        store = KeyStore(state.engine, keks)
        return {key_id for keyset in store.load().values() for key_id in keyset.key_ids}
    finally:
        state.close()


def test_two_gateways_that_start_at_once_have_the_same_keys(
    two_at_once: Callable[..., list[Gateway | str]], tmp_path: Path
) -> None:
    """Each would have made keysets; both use those that came first, and find what the other sealed."""
    root = tmp_path / "root.key"
    FileRoot.create(root, None, accept_unsafe_place=True)
    one, other = two_at_once(lambda gateway: shutil.copy(root, gateway.folder / "keys" / "root.key"))
    assert isinstance(one, Gateway)
    assert isinstance(other, Gateway)
    assert keysets_of(one) == keysets_of(other)
    assert len(keysets_of(one)) == len(COLUMNS)
    with session(one) as here, session(other) as there:
        here.execute("INSERT INTO people VALUES (1, 'a@example.org', 'n', 't')")
        found = there.execute("SELECT id, note FROM people WHERE email = 'a@example.org'").fetchone()
        assert found == (1, "n")
    said = one.log.read_text() + other.log.read_text()
    assert said.count("was made") == said.count("was taken over from the database") == len(COLUMNS)


def test_of_two_gateways_with_a_root_each_one_starts(
    two_at_once: Callable[..., list[Gateway | str]],
) -> None:
    """Keysets that it cannot open are another's: the second makes none of its own beside them."""
    outcomes = two_at_once(lambda _: None)
    [running] = [one for one in outcomes if isinstance(one, Gateway)]
    [said] = [one for one in outcomes if isinstance(one, str)]
    assert "root-key-wrong" in said
    with session(running) as one:
        one.execute("INSERT INTO people VALUES (1, 'a@example.org', 'n', 't')")
        assert one.execute("SELECT email FROM people").fetchone() == ("a@example.org",)


def test_a_deleted_line_does_not_end_protection(start: Start) -> None:
    """A keyset without its line of configuration stops the start."""
    gateway = start()
    stopped(gateway)
    settings = yaml.safe_load(gateway.configuration.read_text())
    del settings["databases"][gateway.database]["columns"]["public.people.note"]
    gateway.configure(settings)
    assert "keyset-orphaned" in refused(gateway)


def test_a_column_in_plaintext_stops_the_start(start: Start, database: str, postgres: PostgresServer) -> None:
    """A configured column that still holds plaintext is named, with the way out."""
    gateway = start()
    stopped(gateway)
    settings = yaml.safe_load(gateway.configuration.read_text())
    settings["databases"][database]["columns"]["public.people.town"] = {
        "type": "text",
        "encryption": "randomized",
    }
    gateway.configure(settings)
    said = refused(gateway)
    assert "column-not-protected" in said
    assert "strongroom protect" in said


def test_a_renamed_table_stays_protected(start: Start) -> None:
    """DDL through one session is known to the others: a rename takes protection along."""
    gateway = start(workers=2)
    with session(gateway) as one, session(gateway) as other:
        one.execute("INSERT INTO people VALUES (1, 'a@example.org', 'n', 't')")
        assert other.execute("SELECT email FROM people").fetchone() == ("a@example.org",)
        one.execute("ALTER TABLE people RENAME TO persons")

        def seen() -> bool:
            try:
                return other.execute("SELECT email FROM persons").fetchone() == ("a@example.org",)
            except psycopg.Error:
                return False

        wait_until(seen, "the other session knows of the new name")


def test_ddl_is_seen_inside_its_transaction(start: Start) -> None:
    """Within the transaction the catalog is the transaction's own; after its rollback it is the old one."""
    gateway = start()
    with session(gateway) as one:
        one.execute("INSERT INTO people VALUES (1, 'a@example.org', 'n', 't')")
        with one.transaction(force_rollback=True):
            one.execute("ALTER TABLE people RENAME COLUMN email TO mail")
            assert one.execute("SELECT mail FROM people WHERE mail = 'a@example.org'").fetchone()
        assert one.execute("SELECT email FROM people WHERE email = 'a@example.org'").fetchone()


def test_what_was_otherwise_for_a_moment(start: Start, database: str, postgres: PostgresServer) -> None:
    """A session that looked just then is put right by the next reading, though nothing else changed."""
    gateway = start()
    query, renaming = "SELECT email FROM people", "ALTER TABLE people RENAME COLUMN {} TO {}"
    with session(gateway) as one, session(gateway) as other:
        one.execute(query)
        postgres.run(renaming.format("email", "mail"), database)
        one.execute("SELECT mail FROM people")
        with pytest.raises(psycopg.errors.UndefinedColumn):
            one.execute(query)
        postgres.run(renaming.format("mail", "email"), database)

        def is_right() -> bool:
            with contextlib.suppress(psycopg.errors.UndefinedColumn):
                one.execute(query)
                return True
            with other.transaction():  # makes the catalog be read, and leaves it as it was
                other.execute("CREATE TABLE passing (id int)")
                other.execute("DROP TABLE passing")
            return False

        wait_until(is_right, "the session sees the column again")


def test_a_table_of_the_same_name_is_another_table(start: Start) -> None:
    """A temporary table shadows the protected one, and search_path chooses another: neither is sealed."""
    gateway = start()
    with session(gateway) as one:
        one.execute("CREATE TEMP TABLE people (email text)")
        one.execute("INSERT INTO people VALUES ('plain')")
        assert one.execute("SELECT pg_typeof(email)::text, email FROM people").fetchone() == ("text", "plain")
        one.execute("DROP TABLE pg_temp.people")
        one.execute("CREATE SCHEMA other")
        one.execute("CREATE TABLE other.people (email text)")
        one.execute("SET search_path TO other, public")
        one.execute("INSERT INTO people VALUES ('plain')")
        assert one.execute("SELECT email || '!' FROM people").fetchone() == ("plain!",)
        one.execute("RESET search_path")
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            one.execute("SELECT email || '!' FROM people")


def test_a_value_moved_to_another_column_does_not_open(
    start: Start, database: str, postgres: PostgresServer
) -> None:
    """A sealed value is bound to its column: the session ends with an error rather than show it."""
    gateway = start()
    with session(gateway) as one:
        one.execute("INSERT INTO people VALUES (1, 'a@example.org', 'n', 't')")
    with postgres.connect(database) as direct:
        direct.execute("UPDATE people SET note = email")
        direct.commit()
    with session(gateway) as one, pytest.raises(psycopg.errors.DataCorrupted):
        one.execute("SELECT note FROM people")


def test_the_upstream_user_is_the_accounts_own(start: Start, postgres: PostgresServer) -> None:
    """With `upstream_user` an account reaches the database as itself: current_user keeps its meaning."""
    name = f"u{secrets.token_hex(4)}"
    postgres.create_user(name, "own-password")
    gateway = start()
    stopped(gateway)
    settings = yaml.safe_load(gateway.configuration.read_text())
    account = settings["accounts"][gateway.account.name]
    account |= {"upstream_user": name, "upstream_password": "own-password"}
    gateway.configure(settings)
    gateway.launch()
    with session(gateway) as one:
        assert one.execute("SELECT current_user::text, session_user::text").fetchone() == (name, name)


def test_the_gateway_s_own_password_stays(start: Start, postgres: PostgresServer) -> None:
    """psql's \\password, which changes the role that the database sees, locks nobody out, padded or not."""
    hers = f"hers{secrets.token_hex(4)}"
    postgres.create_user(hers, "secret")
    gateway = start(upstream=("postgres", postgres.password))
    with session(gateway) as db:
        for text in ("ALTER USER postgres PASSWORD 'x'", "ALTER USER postgres PASSWORD 'x'" + " " * 200_000):
            with pytest.raises(psycopg.Error, match="definition-refused"):
                db.execute(text.encode())
        db.execute(f"ALTER USER {hers} PASSWORD 'x'".encode())
    with session(gateway) as db:
        assert db.execute("SELECT 1").fetchone() == (1,)


def test_a_literal_that_looks_like_a_parameter(postgres: PostgresServer) -> None:
    """Octets of a wrapped keyset that spell $1 and $2 are stored as they are."""
    wrapped = b"\x01$1 and $2 and ' and \\ and \xff"
    with postgres.connect() as connection:
        statement = filled("SELECT $1::text, $2::int, $3::bytea", "a $3 b", 7, wrapped)
        assert connection.execute(statement.encode()).fetchone() == ("a $3 b", 7, wrapped)


def test_a_reload_can_protect_more(start: Start, database: str, postgres: PostgresServer) -> None:
    """A column that `columns:` gets while the gateway serves is opened by sessions that are open already."""
    gateway = start()
    postgres.run("ALTER TABLE people ADD COLUMN phone bytea", database)
    settings = yaml.safe_load(gateway.configuration.read_text())
    settings["databases"][database]["columns"]["public.people.phone"] = {
        "type": "text",
        "encryption": "randomized",
    }
    with session(gateway) as one:
        one.execute("SELECT 1")
        gateway.configure(settings)
        gateway.signal(signal.SIGHUP)

        def sealed() -> bool:
            try:
                one.execute("INSERT INTO people (id, phone) VALUES (7, '555-0100')")
            except psycopg.Error:
                return False
            return one.execute("SELECT phone FROM people WHERE id = 7").fetchone() == ("555-0100",)

        wait_until(lambda: "configuration reloaded" in gateway.log.read_text(), "the worker has reloaded")
        assert sealed()
    with postgres.connect(database) as direct:
        stored = direct.execute("SELECT phone FROM people").fetchone()
    assert stored is not None
    assert b"555" not in stored[0]


def test_a_reload_while_protect_works(postgres: PostgresServer) -> None:
    """A gateway that takes the configuration meanwhile seals and opens from the swap on, with no more ado."""
    database = postgres.create_database(f"db{secrets.token_hex(4)}")
    postgres.run(TABLE.replace("bytea", "text"), database)
    rows = "SELECT g, g || '@example.org', 'n', 't' FROM generate_series(1, 20000) g"
    postgres.run(f"INSERT INTO people {rows}", database)
    gateway = Gateway.start(postgres, database)
    with gateway, postgres.connect(database) as reader, ThreadPoolExecutor() as pool:
        settings = yaml.safe_load(gateway.configuration.read_text())
        settings["databases"][database]["columns"] = COLUMNS
        gateway.configure(settings)
        job = pool.submit(gateway.command, "protect")
        wait_until(lambda: _is_on_record(postgres, database), "protect has begun")
        with reader.transaction():  # the swap waits for it
            reader.execute("SELECT FROM people LIMIT 1")
            gateway.signal(signal.SIGHUP)
            wait_until(lambda: "configuration reloaded" in gateway.log.read_text(), "the reload")
            with session(gateway) as one:
                found = one.execute("SELECT id FROM people WHERE email = '7@example.org'").fetchall()
                assert found == [(7,)]
        assert "longest exclusive lock" in job.result()
        with session(gateway) as one:
            with contextlib.suppress(psycopg.errors.SerializationFailure):  # told to try again
                one.execute("INSERT INTO people VALUES (0, 'b@example.org', 'n', 't')")
            one.execute("INSERT INTO people VALUES (0, 'b@example.org', 'n', 't') ON CONFLICT DO NOTHING")
            emails = one.execute("SELECT email FROM people WHERE id < 2 ORDER BY id").fetchall()
    assert emails == [("b@example.org",), ("1@example.org",)]


def _is_on_record(postgres: PostgresServer, database: str) -> bool:
    with postgres.connect(database) as direct:
        if direct.execute("SELECT to_regclass('strongroom_keys.changeovers')").fetchone() == (None,):
            return False
        return bool(direct.execute("SELECT FROM strongroom_keys.changeovers").fetchall())


def test_a_reload_that_ends_protection_is_refused(start: Start, database: str) -> None:
    """Deleting a line and sending SIGHUP changes nothing: the old configuration stays."""
    gateway = start()
    settings = yaml.safe_load(gateway.configuration.read_text())
    del settings["databases"][database]["columns"]["public.people.note"]
    gateway.configure(settings)
    with session(gateway) as one:
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: "keyset-orphaned" in gateway.log.read_text(), "the reload is refused")
        one.execute("INSERT INTO people VALUES (1, 'a@example.org', 'n', 't')")
        assert one.execute("SELECT note FROM people").fetchone() == ("n",)


def test_a_column_that_loses_its_form_is_not_written_in_plaintext(
    start: Start, database: str, postgres: PostgresServer
) -> None:
    """Whoever alters the table back to text gets no plaintext: the gateway knows what was sealed."""
    gateway = start()
    with session(gateway) as one:
        one.execute("INSERT INTO people VALUES (1, 'a@example.org', 'n', 't')")
        postgres.run("ALTER TABLE people ALTER COLUMN note TYPE text USING 'x'", database)
        for i in (2, 3):  # under the old catalog, and when the change may be known
            with contextlib.suppress(psycopg.Error):
                one.execute("INSERT INTO people VALUES (%s, %s, 'secret-note', 't')", (i, f"b{i}@x.org"))
    with postgres.connect(database) as direct:
        assert direct.execute("SELECT count(*) FROM people WHERE note LIKE '%secret%'").fetchone() == (0,)
    stopped(gateway)
    assert "column-not-protected" in refused(gateway)


def test_an_upstream_user_that_owns_nothing(database: str, postgres: PostgresServer) -> None:
    """The owner makes the tables beside the data; the upstream user may read them, and needs no more."""
    name = f"u{secrets.token_hex(4)}"
    postgres.create_user(name, "own-password")
    postgres.run(f"GRANT SELECT, INSERT ON people TO {name}", database)
    more = {
        "columns": COLUMNS,
        "owner": postgres.uri(database, password=""),
        "owner_password": postgres.password,
    }
    with Gateway.start(postgres, database, upstream=(name, "own-password"), more=more) as gateway:
        with session(gateway) as one:
            one.execute("INSERT INTO people VALUES (1, 'a@example.org', 'n', 't')")
            assert one.execute("SELECT email FROM people").fetchone() == ("a@example.org",)
        stopped(gateway)
        gateway.launch()
        with session(gateway) as one:
            assert one.execute("SELECT email FROM people").fetchone() == ("a@example.org",)
