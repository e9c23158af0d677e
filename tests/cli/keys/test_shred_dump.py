"""Crypto-shredding, shown on a dump: what pg_dump wrote before a tenant's key was destroyed opens no more.

The dump is restored into another database, and a gateway stands before that: with the state as it is now, and
on an empty machine with a backup of the keys from before.
"""

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pyrage
import pytest
import yaml
from tests.conftest import Servers
from tests.gateway.tenants import IBAN, TABLE

from strongroom.keys.root.file import FileRoot
from strongroom.testing.gateway import Gateway
from strongroom.testing.installations import EMBEDDED
from strongroom.testing.servers import PostgresServer

TENANTS = ("acme", "globex", "initech")
"""Initech holds its own key."""
COLUMNS = {
    "public.people.iban": IBAN,
    "public.notes.body": {"type": "text", "encryption": "randomized"},
}


MACHINE = ("state", "keys", "copies", "initech")
"""What a gateway's machine has; the last is initech's own."""


@dataclass
class Shredding:
    """A gateway before tenants' rows, of which two were destroyed; and what was put aside before."""

    gateway: Gateway
    server: PostgresServer
    aside: Path
    """The dump, the backups of the keys, and what opens these."""

    def move(self) -> None:
        """The dump is restored into another database, and the configuration leads there."""
        database = self.server.create_database(f"db{secrets.token_hex(4)}")
        psql = self.server.installation.program("psql")
        dump, uri = str(self.aside / "dump.sql"), self.server.uri(database)
        command = [str(psql), "-q", "-v", "ON_ERROR_STOP=1", "-f", dump, uri]
        subprocess.run(command, check=True, capture_output=True)
        written = yaml.safe_load(self.gateway.configuration.read_text())
        entry = written["databases"][self.gateway.database]
        entry["upstream"] = self.server.uri(database, password="")
        self.gateway.configure(written)

    def command(self, *words: str) -> str:
        """One that opens a backup."""
        return self.gateway.command("keys", *words, "--identity", str(self.aside / "identity"))

    def served(self, tenant: str) -> str | None:
        """The tenant's number, as an application reads it; None where an error comes in its place."""
        query = "SELECT iban FROM people WHERE tenant = %s"
        with psycopg.connect(self.gateway.uri(), autocommit=True) as application:
            try:
                found = application.execute(query, [tenant]).fetchone()
            except psycopg.Error:
                return None
        assert found is not None  # the row is there
        return str(found[0])

    @property
    def note(self) -> str:
        """What belongs to no tenant."""
        with psycopg.connect(self.gateway.uri(), autocommit=True) as application:
            ((body,),) = application.execute("SELECT body FROM notes").fetchall()
        return str(body)

    def lose_state(self) -> None:
        """The machine is a new one; root and folder of copies are there."""
        for file in (self.gateway.folder / "state").iterdir():
            file.unlink()


@pytest.fixture(scope="module")
def shredded(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shredding]:
    """The gateway is shut down, once acme's key and initech's are destroyed."""
    postgres = servers.server(EMBEDDED)
    name = postgres.create_database(f"db{secrets.token_hex(4)}")
    postgres.run(f"{TABLE}; CREATE TABLE notes (body bytea)", name)

    def first(gateway: Gateway) -> None:
        for folder in ("copies", "initech"):
            (gateway.folder / folder).mkdir(mode=0o700)
        FileRoot.create(gateway.folder / "initech" / "own.key", None)
        written = yaml.safe_load(gateway.configuration.read_text())
        own = {f"{name}@initech": "file:initech/own.key"}
        written["keys"]["tenants"] = {"copies": "copies", "destroy_delay_days": 0, "own": own}
        gateway.configure(written)
        gateway.command("keys", "tenants", "add", name, *TENANTS)

    with Gateway.start(postgres, name, more={"columns": COLUMNS}, first=first) as gateway:
        made = Shredding(gateway, postgres, tmp_path_factory.mktemp("aside"))
        with psycopg.connect(gateway.uri(), autocommit=True) as application:
            application.execute("INSERT INTO notes VALUES ('a note')")
            for number, tenant in enumerate(TENANTS):
                row = (number, tenant, f"number of {tenant}")
                application.execute("INSERT INTO people (id, tenant, iban) VALUES (%s, %s, %s)", row)
        assert [made.served(tenant) for tenant in TENANTS] == [f"number of {tenant}" for tenant in TENANTS]
        put_aside(made)
        gateway.shut_down()
        for tenant in ("acme", "initech"):
            for _ in range(2):
                said = gateway.command("keys", "tenants", "destroy", name, tenant)
            assert ("have it delete the key there" in said) == (tenant == "initech")
        for folder in MACHINE:
            shutil.copytree(gateway.folder / folder, made.aside / folder)
        yield made


@pytest.fixture
def shredding(shredded: Shredding) -> Iterator[Shredding]:
    """The same, on the dump's database and a machine as it was then."""
    for folder in MACHINE:
        shutil.rmtree(shredded.gateway.folder / folder)
        shutil.copytree(shredded.aside / folder, shredded.gateway.folder / folder)
    shredded.move()
    yield shredded
    shredded.gateway.shut_down()


def put_aside(made: Shredding) -> None:
    """What a thief, or a restore of last week, would have."""
    identity = pyrage.x25519.Identity.generate()
    (made.aside / "identity").write_text(f"{identity}\n")
    to = ("-r", str(identity.to_public()))
    made.gateway.command("keys", "backup", str(made.aside / "keys.age"), *to)
    (made.aside / "tenants").mkdir()
    made.gateway.command("keys", "tenants", "backup", made.gateway.database, str(made.aside / "tenants"), *to)
    program = made.server.installation.program("pg_dump")
    uri = made.server.uri(made.gateway.database)
    subprocess.run([program, "-f", made.aside / "dump.sql", uri], check=True)


def test_with_the_state_as_it_is_now(shredding: Shredding) -> None:
    """The dump has every row of the tenants; only the others' open, whoever wrapped the key."""
    shredding.gateway.launch()
    assert [shredding.served(tenant) for tenant in TENANTS] == [None, "number of globex", None]
    assert shredding.note == "a note"


def test_with_a_backup_of_the_keys_from_before(shredding: Shredding) -> None:
    """On an empty machine, with root and copies of now: it holds nothing of tenants, by design."""
    shredding.lose_state()
    (shredding.gateway.folder / "initech" / "own.key").unlink()  # as the command said that its provider must
    shredding.command("restore", str(shredding.aside / "keys.age"))
    shredding.gateway.launch()
    assert [shredding.served(tenant) for tenant in TENANTS] == [None, "number of globex", None]
    assert shredding.note == "a note"


def test_with_what_is_left_of_the_tenants_backups(shredding: Shredding) -> None:
    """Root and copies are lost as well: the others come back from their files, and acme has none any more."""
    shredding.lose_state()
    (shredding.gateway.folder / "initech" / "own.key").unlink()
    shutil.rmtree(shredding.gateway.folder / "copies")
    (shredding.gateway.folder / "copies").mkdir(mode=0o700)
    (shredding.gateway.folder / "keys" / "root.key").unlink()
    shredding.command("restore", str(shredding.aside / "keys.age"))
    shredding.command("tenants", "restore", shredding.gateway.database, str(shredding.aside / "tenants"))
    shredding.gateway.launch()
    assert [shredding.served(tenant) for tenant in TENANTS] == [None, "number of globex", None]
    assert shredding.note == "a note"


def test_a_provider_that_keeps_the_key(shredding: Shredding) -> None:
    """With an empty state, the dump and its own provider, who held its own key reads its own values still."""
    shredding.lose_state()
    shredding.command("restore", str(shredding.aside / "keys.age"))
    shredding.gateway.launch()
    assert [shredding.served(tenant) for tenant in TENANTS] == [None, "number of globex", "number of initech"]
