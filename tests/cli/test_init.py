"""``strongroom init``, on a real database."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from strongroom.config import load
from strongroom.keys.root.file import FileRoot
from strongroom.testing.servers import PostgresServer

Init = Callable[..., Run]
SCHEMA = """
CREATE TABLE customers (id integer PRIMARY KEY, email text UNIQUE, iban text, city text, ordered date);
"""


@pytest.fixture
def shop(postgres: PostgresServer) -> str:
    """A database with two columns to protect and one to think about."""
    name = postgres.create_database("shop")
    postgres.run(SCHEMA, name)
    return name


@pytest.fixture
def init(
    postgres: PostgresServer,
    shop: str,
    tmp_path: Path,
    strongroom: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> Init:
    """Runs init on the database, with everything in a folder of the test's own."""
    monkeypatch.setenv("SHOP_DB_PASSWORD", postgres.password)

    def run(*more: str) -> Run:
        files = {"--output": "strongroom.yaml", "--state": "state/state.db", "--root-key": "root/root.key"}
        arguments = [word for option, name in files.items() for word in (option, str(tmp_path / name))]
        return strongroom("init", postgres.uri(shop, password=""), *arguments, *more)

    return run


def test_a_first_configuration(init: Init, tmp_path: Path) -> None:
    """The file is read back with what was chosen; root key and state are there, and private."""
    run = init("--account", "web", "--listen", "127.0.0.1:7000")
    assert run.status == 0, run.stderr
    settings = load(tmp_path / "strongroom.yaml", {"SHOP_DB_PASSWORD": "x"})
    columns = {str(name): one.encryption for name, one in settings.databases["shop"].columns.items()}
    assert columns == {
        "public.customers.email": "deterministic",
        "public.customers.iban": "randomized",
    }
    assert list(settings.accounts) == ["web"]
    assert str(settings.databases["shop"].listen) == "127.0.0.1:7000"
    root, state = tmp_path / "root/root.key", tmp_path / "state/state.db"
    assert FileRoot.open(root, state.parent).key_id
    for path in (root, state):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_what_it_says(init: Init, postgres: PostgresServer, tmp_path: Path) -> None:
    """It lists the columns with reasons, says what it made, and what comes next; never a password."""
    run = init()
    words = " ".join(run.stdout.split())
    assert "public.customers.city" in words
    assert "2 columns chosen, 1 left to you" in words
    assert "root.key was made" in words
    for command in ("password app", "check", "protect", "serve"):
        assert f"strongroom {command} --config" in words
    assert postgres.password not in run.stdout + (tmp_path / "strongroom.yaml").read_text()


def test_json(init: Init) -> None:
    """With --json the suggestions come as data."""
    rows = {row["column"]: row for row in json.loads(init("--json").stdout)}
    assert rows["public.customers.email"]["chosen"] is True
    assert rows["public.customers.city"]["chosen"] is False
    assert "sorted" in rows["public.customers.city"]["reason"]


def test_print_makes_nothing(init: Init, tmp_path: Path) -> None:
    """--print shows the file and leaves no trace."""
    run = init("--print")
    assert run.status == 0
    assert "public.customers.email: {type: text, encryption: deterministic}" in run.stdout
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(init: Init, tmp_path: Path) -> None:
    """A file that is there stays as it is, and nothing is made beside it."""
    file = tmp_path / "strongroom.yaml"
    file.write_text("mine")
    run = init()
    assert run.status == 2
    assert "configuration-exists" in run.stderr
    assert file.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_cannot_be_made(init: Init, tmp_path: Path) -> None:
    """Where the folder of the state cannot be made, the error says so, and no file is written."""
    (tmp_path / "state").write_text("a file")
    run = init()
    assert run.status == 2
    assert "state-unusable" in run.stderr
    assert not (tmp_path / "strongroom.yaml").exists()


def test_a_root_key_that_is_there_is_used(init: Init, tmp_path: Path) -> None:
    """A second database takes the first one's root key."""
    assert init().status == 0
    before = (tmp_path / "root/root.key").read_bytes()
    (tmp_path / "strongroom.yaml").unlink()
    run = init()
    assert run.status == 0
    assert "was there, and is used" in run.stdout
    assert (tmp_path / "root/root.key").read_bytes() == before


def test_a_database_with_keysets(init: Init, postgres: PostgresServer, shop: str, tmp_path: Path) -> None:
    """A database that is protected already gets no second configuration, and no new root key."""
    postgres.run(
        """CREATE SCHEMA strongroom_keys;
        CREATE TABLE strongroom_keys.keysets (name text, revision integer, wrapped bytea);
        INSERT INTO strongroom_keys.keysets VALUES ('shop/public.customers.email', 1, 'x')""",
        shop,
    )
    run = init()
    assert run.status == 2
    assert "database-protected-already" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_password_in_the_uri(
    init: Init, postgres: PostgresServer, shop: str, tmp_path: Path, strongroom: Callable[..., Run]
) -> None:
    """A password in the URI is used, and not written down."""
    del init
    run = strongroom("init", postgres.uri(shop), "--print")
    assert run.status == 0, run.stderr
    assert postgres.password not in run.stdout
    assert "upstream_password: ${SHOP_DB_PASSWORD}" in run.stdout


def test_no_password(postgres: PostgresServer, shop: str, strongroom: Callable[..., Run]) -> None:
    """Where one is wanted and nobody can be asked, the variable to set is named."""
    run = strongroom("init", postgres.uri(shop, password=""), "--print")
    assert run.status == 1
    assert "Set SHOP_DB_PASSWORD in the environment" in run.stderr


def test_a_database_that_asks_for_none(
    postgres: PostgresServer, shop: str, strongroom: Callable[..., Run]
) -> None:
    """Where the database trusts the socket, no password is configured."""
    uri = f"postgresql://postgres@/{shop}?host={postgres.socket_folder}&port={postgres.port}"
    run = strongroom("init", uri, "--print")
    assert run.status == 0, run.stderr
    assert "upstream_password" not in run.stdout


@pytest.mark.parametrize("postgres", ["15"], indirect=True)
def test_the_pin_is_shown(init: Init, tmp_path: Path) -> None:
    """Over TLS the public key that was seen is offered as a pin, which then holds."""
    assert init().status == 0
    file = tmp_path / "strongroom.yaml"
    offered = next(line for line in file.read_text().splitlines() if "# upstream_pin" in line)
    pin = offered.split("'")[1]
    file.unlink()
    assert init("--pin", pin).status == 0
    assert list(load(file, {"SHOP_DB_PASSWORD": "x"}).databases["shop"].upstream_pin) == [pin]
    file.unlink()
    wrong = init("--pin", "spki-sha256:" + "00" * 32)
    assert wrong.status == 1
    assert "upstream-untrusted" in wrong.stderr
