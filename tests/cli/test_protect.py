"""``strongroom protect`` and ``unprotect``, on a real PostgreSQL."""

import json
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import Run

from strongroom.testing.servers import PostgresServer

ROWS = 300
TABLE = f"""
CREATE TABLE people (id int PRIMARY KEY, email text NOT NULL UNIQUE, note varchar(40));
INSERT INTO people SELECT g, 'person' || g || '@example.org', 'note ' || g FROM generate_series(1, {ROWS}) g;
"""

Command = Callable[..., Run]


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """A database with a table in plaintext."""
    name = postgres.create_database(f"db{secrets.token_hex(4)}")
    postgres.run(TABLE, name)
    return name


@pytest.fixture
def command(
    strongroom: Callable[..., Run],
    postgres: PostgresServer,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    """Runs a command with a configuration for the database."""
    for folder in ("state", "keys"):
        (tmp_path / folder).mkdir(mode=0o700)
    settings = {
        "state": "sqlite:state/state.db",
        "keys": {"root": "file:keys/root.key"},
        "databases": {
            database: {
                "upstream": postgres.uri(database, password=""),
                "upstream_password": "${PROTECT_TEST_PASSWORD}",
                "listen": "127.0.0.1:6432",
                "columns": {
                    "public.people.email": {"type": "text", "encryption": "deterministic"},
                    "public.people.note": {"type": "varchar(40)", "encryption": "randomized"},
                },
            }
        },
    }
    monkeypatch.setenv("PROTECT_TEST_PASSWORD", postgres.password)
    file = tmp_path / "strongroom.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return lambda *words: strongroom(*words, "--config", str(file))


def stored(postgres: PostgresServer, database: str) -> list[object]:
    with postgres.connect(database) as direct:
        return [row[0] for row in direct.execute("SELECT email FROM people ORDER BY id").fetchall()]


def _check_nothing_was_made(folder: Path, postgres: PostgresServer, database: str) -> None:
    """No state, no root key, no keyset: a keyset would hold its column in the configuration."""
    assert [path for path in folder.rglob("*") if path.is_file()] == [folder / "strongroom.yaml"]
    with postgres.connect(database) as direct:
        assert direct.execute("SELECT to_regnamespace('strongroom_keys')").fetchone() == (None,)


def test_a_dry_run_changes_nothing(
    command: Command, postgres: PostgresServer, database: str, tmp_path: Path
) -> None:
    """It names table and columns, and the values stay what they are."""
    run = command("protect", "--dry-run", "--json")
    assert run.status == 0
    assert json.loads(run.stdout)["columns"] == ["public.people.email", "public.people.note"]
    assert stored(postgres, database)[0] == "person1@example.org"
    _check_nothing_was_made(tmp_path, postgres, database)


def test_there_and_back(command: Command, postgres: PostgresServer, database: str) -> None:
    """What `protect` sealed, `unprotect` opens again, every value as it was."""
    before = stored(postgres, database)
    protected = command("protect", "--json")
    assert "SIGHUP" in protected.stderr
    report = json.loads(protected.stdout)
    assert report["verified"] >= 2 * ROWS
    assert report["longest_lock"] < 5
    sealed = stored(postgres, database)
    assert all(isinstance(value, bytes) and value[0] == 1 for value in sealed)
    assert len(set(sealed)) == ROWS
    assert command("unprotect", "--all", "--json").status == 0
    assert stored(postgres, database) == before


def test_a_second_run_finds_nothing_to_do(command: Command, postgres: PostgresServer, database: str) -> None:
    """Run again, it says so and leaves every value alone."""
    command("protect", "--json")
    sealed = stored(postgres, database)
    assert command("protect", "--json").status == 0
    assert stored(postgres, database) == sealed


def test_what_ends_all_protection_is_asked_for_by_name(
    command: Command, postgres: PostgresServer, database: str
) -> None:
    """`unprotect` alone changes nothing, and says how to name what is meant."""
    command("protect", "--json")
    sealed = stored(postgres, database)
    for words in ((), ("public.people.email", "--all")):
        run = command("unprotect", *words, "--json")
        assert run.status == 2
        assert "--all" in run.stderr
    assert stored(postgres, database) == sealed


TYPES = (
    "SELECT typname::text FROM pg_type WHERE typnamespace = 'strongroom_keys'::regnamespace AND typtype = 'd'"
)


def test_the_types_of_look_ups_go_with_their_key(
    command: Command, postgres: PostgresServer, database: str
) -> None:
    """When its last column is plaintext; one that a definition of the user's names keeps its type."""
    assert command("protect", "--json").status == 0
    assert command("keys", "rotate", "public.people.email", "--reencrypt", "--no-wait").status == 0
    with postgres.connect(database) as direct:
        [(name,)] = direct.execute(TYPES).fetchall()
        direct.execute(f"CREATE VIEW keeps AS SELECT NULL::strongroom_keys.{name} AS it".encode())
        direct.commit()
        assert command("unprotect", "--all", "--json").status == 0
        assert direct.execute(TYPES).fetchall() == [(name,)]
        direct.execute("DROP VIEW keeps")
        direct.commit()
    assert command("protect", "--json").status == 0
    assert command("unprotect", "--all", "--json").status == 0
    with postgres.connect(database) as direct:
        assert direct.execute(TYPES).fetchall() == [(name,)]


def test_the_keys_of_an_unprotected_column_are_kept_aside(
    command: Command, postgres: PostgresServer, database: str
) -> None:
    """Backups from before still need them; they are in use no more."""
    command("protect", "--json")
    command("unprotect", "--all", "--json")
    with postgres.connect(database) as direct:
        assert direct.execute("SELECT count(*) FROM strongroom_keys.keysets").fetchone() == (0,)
        assert direct.execute("SELECT count(*) FROM strongroom_keys.retired_keysets").fetchone() == (2,)


def test_what_stands_in_the_way_is_named(command: Command, postgres: PostgresServer, database: str) -> None:
    """A view over a column is named, with exit status 1 from the dry run and 2 from the run."""
    postgres.run("CREATE VIEW addresses AS SELECT email FROM people", database)
    dry = command("protect", "--dry-run", "--json")
    assert dry.status == 1
    assert "addresses" in " ".join(json.loads(dry.stdout)["refusals"])
    assert command("protect").status == 2
    assert stored(postgres, database)[0] == "person1@example.org"
    with postgres.connect(database) as direct:
        assert direct.execute("SELECT to_regnamespace('strongroom_keys')").fetchone() == (None,)


def test_a_column_that_is_not_configured(command: Command) -> None:
    """A misspelt name is refused, and the configured ones are listed."""
    run = command("protect", "public.people.emial")
    assert run.status == 2
    assert "public.people.email" in run.stderr


def test_nothing_to_abandon(command: Command) -> None:
    """Without a run under way there is nothing to take back."""
    assert json.loads(command("protect", "--abandon", "--json").stdout) == {"abandoned": []}
