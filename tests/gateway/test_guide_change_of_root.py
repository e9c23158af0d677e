"""docs/guides/keys.md, "From a file to a key service": each command of it, beside a gateway at work.

Commands, configurations and what they print are taken from the guide; only names of this machine are put in
their places. The gateway stands before a real PostgreSQL, and the key service is a real OpenBao.
"""

import os
import re
import secrets
import shlex
import signal
import subprocess
import textwrap
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import yaml
from sqlalchemy import text
from tests.conftest import missing
from tests.gateway.serving import configuration, logged

from strongroom.config import StateAddress
from strongroom.keys.store import kept_keks
from strongroom.state import open_state
from strongroom.testing.certificates import Authority
from strongroom.testing.gateway import Gateway
from strongroom.testing.installations import openbao as find_openbao
from strongroom.testing.openbao import ROOT_POLICY, OpenBao
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

pytestmark = pytest.mark.xdist_group("openbao")

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "keys.md"
COLUMNS = {"public.people.email": {"type": "text", "encryption": "deterministic"}}
WORKERS, SESSIONS = 2, 2
PACE_SECONDS = 0.05
"""Between two rounds of a session, so that the commands have a machine to run on."""

EVERY_COMMAND = ["list", "make", "rewrap", "remove", "list", "remove"]
WEEK, HOUR = timedelta(days=7), timedelta(hours=1)
DAY = re.compile(r"\b20\d\d-\d\d-\d\d \d\d:\d\dZ")


def section() -> list[str]:
    """The blocks of the section: commands with what they print, and configurations."""
    whole = GUIDE.read_text().partition("### From a file to a key service")[2].partition("\n### ")[0]
    return [
        textwrap.dedent(block)
        for block in re.findall(r"^ *```\n(.*?)^ *```$", whole, re.DOTALL | re.MULTILINE)
    ]


@dataclass
class Clients:
    """Sessions that stay connected, write and look up, until they are told that it is over."""

    gateway: Gateway
    over: threading.Event = field(default_factory=threading.Event)
    counts: list[int] = field(default_factory=lambda: [0] * SESSIONS)
    errors: list[psycopg.Error] = field(default_factory=list)

    def work(self, number: int) -> None:
        """One of them: each value that it wrote is found by it, and is what it was."""
        try:
            with psycopg.connect(self.gateway.uri(), autocommit=True) as session:
                while not self.over.is_set():
                    email = f"p{number}.{self.counts[number]}@example.org"
                    session.execute("INSERT INTO people (email) VALUES (%s)", [email])
                    found = session.execute("SELECT email FROM people WHERE email = %s", [email])
                    assert found.fetchall() == [(email,)]
                    self.counts[number] += 1
                    self.over.wait(PACE_SECONDS)
        except psycopg.Error as error:
            self.errors.append(error)

    @contextmanager
    def connected(self) -> Iterator[None]:
        """All of them."""
        threads = [threading.Thread(target=self.work, args=[number]) for number in range(SESSIONS)]
        for thread in threads:
            thread.start()
        try:
            self.go_on()
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join()

    def go_on(self) -> None:
        """Each of them has done more since."""
        before = list(self.counts)
        wait_until(
            lambda: self.errors or all(now > then for now, then in zip(self.counts, before, strict=True)),
            "every session works",
            60,
        )
        assert self.errors == []


@dataclass
class Walk:
    """Somebody who follows the guide."""

    gateway: Gateway
    bao: OpenBao
    names: Mapping[str, str]
    """What stands in the guide, and what it is called here."""
    reloads: int = 0

    def here(self, written: str) -> str:
        """A text of the guide with the names of this machine."""
        for theirs, ours in self.names.items():
            written = written.replace(theirs, ours)
        return written

    def run(self, block: str) -> list[str]:
        """Runs the commands of a block, each of which prints what the guide says; returns what they are."""
        commands = []
        for part in block.removeprefix("$ ").split("\n$ "):
            command, _, printed = part.partition("\n")
            words = shlex.split(self.address(self.here(command)))
            assert words[0] == "strongroom"
            if "--now-due" in words:
                self._a_week_later()
            said = self.gateway.command(*words[1:])
            assert alike(said) == alike(self.here(printed)), command
            for line in re.findall(r"^ +(bao .*)$", said, re.MULTILINE):
                self._there(line)
            commands.append(command)
        return commands

    def configure(self, block: str) -> None:
        """Takes over the keys of a block; where one root is left, the gateway is reloaded."""
        keys = yaml.safe_load(self.address(self.here(block)))["keys"]
        self.gateway.configure(configuration(self.gateway) | {"keys": keys})
        if "second_root" not in keys:
            self.gateway.signal(signal.SIGHUP)
            self.reloads += WORKERS
            wait_until(
                lambda: len(logged(self.gateway, "configuration reloaded")) == self.reloads, "the reload", 60
            )

    def address(self, written: str) -> str:
        """With the authority of the test's own OpenBao."""
        return written.replace("${VAULT_TOKEN}", f"${{VAULT_TOKEN}}&ca={self.bao.certificate_authority}")

    def _a_week_later(self) -> None:
        state = open_state(StateAddress(path=self.gateway.folder / "state" / "state.db"))
        try:
            with state.engine.begin() as connection:
                [(due,)] = connection.execute(text("SELECT due FROM key_endings"))
                assert abs(datetime.fromisoformat(due).replace(tzinfo=UTC) - datetime.now(UTC) - WEEK) < HOUR
                before = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
                connection.execute(text("UPDATE key_endings SET due = :due"), {"due": before})
        finally:
            state.close()

    def _there(self, command: str) -> None:
        """What the guide has run where the key service is."""
        program, *words = shlex.split(command)
        assert program == "bao"
        ours = {
            "BAO_ADDR": self.bao.url,
            "BAO_TOKEN": self.bao.root_token,
            "BAO_CACERT": str(self.bao.certificate_authority),
        }
        subprocess.run(
            [self.bao.program, *words], env={**os.environ, **ours}, check=True, stdout=subprocess.DEVNULL
        )


def alike(printed: str) -> str:
    """Without the widths of columns, and with one day for all."""
    return " ".join(DAY.sub("DAY", printed).split())


@pytest.mark.timeout(600)  # eleven steps, each of which waits until every session has worked
def test_from_a_file_to_a_key_service(postgres: PostgresServer, authority: Authority) -> None:
    """Every command does and prints what the guide says, no session that is connected notices any of it."""
    program = find_openbao()
    if program is None:
        missing("OpenBao")
    database = postgres.create_database(f"db{secrets.token_hex(4)}")
    postgres.run("CREATE TABLE people (id serial PRIMARY KEY, email bytea UNIQUE)", database)
    with OpenBao.start(program, authority) as bao:
        bao.call("PUT", "sys/policies/acl/strongroom", {"policy": ROOT_POLICY})
        variables = {"VAULT_TOKEN": bao.token("strongroom")}
        with Gateway.start(
            postgres, database, workers=WORKERS, more={"columns": COLUMNS}, variables=variables
        ) as gateway:
            clients, walk = Clients(gateway), Walk(gateway, bao, names(gateway, bao))
            with clients.connected():
                ran = []
                for block in section():
                    if block.startswith("$ "):
                        ran += walk.run(block)
                    else:
                        walk.configure(block)
                    clients.go_on()
                (gateway.folder / "keys" / "root.key").unlink()  # "Then the file may go"
                clients.go_on()
            assert clients.errors == []
            assert [command.split()[3] for command in ran] == EVERY_COMMAND
            gateway.shut_down()
            gateway.launch()
            with psycopg.connect(gateway.uri(), autocommit=True) as session:
                rows = {email for (email,) in session.execute("SELECT email FROM people")}
            written = enumerate(clients.counts)
            assert rows >= {f"p{number}.{n}@example.org" for number, count in written for n in range(count)}


def names(gateway: Gateway, bao: OpenBao) -> dict[str, str]:
    """Of the guide's machine, and of this one."""
    state = open_state(StateAddress(path=gateway.folder / "state" / "state.db"))
    try:
        [kek] = kept_keks(state.engine).values()
    finally:
        state.close()
    [root] = kek.wraps
    return {
        "file:/etc/strongroom/root.key": "file:keys/root.key",
        "file 159430f3": root,
        "https://bao.example:8200": bao.url,
        "kek shop": kek.name,
    }
