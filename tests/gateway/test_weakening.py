"""A configuration that protects less before a real gateway: refused at reload and at start, and taken signed.

An administrator may edit the configuration, the files that it names and the environment, and restart; they
may not write the state, and here they may not write beside the data either.
"""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import errors
from tests.cli.conftest import Run
from tests.cli.conftest import strongroom as command_line  # noqa: F401 - the fixture that is asked for below
from tests.gateway.serving import configuration, logged, workers
from tests.keys.people import Signer

from strongroom.config import load
from strongroom.errors import ProtectionError, ProtectionForgotten, ProtectionWeakened, ServerFailed
from strongroom.gateway.gate import upstream_of
from strongroom.gateway.kept import Place
from strongroom.gateway.standing import stand
from strongroom.keys.root.file import FileRoot
from strongroom.state import open_state
from strongroom.testing.gateway import PASSWORD_VARIABLE, Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

COLUMN = {"type": "text", "encryption": "randomized"}
ROLES: dict[str, Any] = {
    "application": {
        "databases": ["shop"],
        "tables": {"public.people": ["select", "insert"]},
        "columns": {"public.people.*": "reveal", "public.people.phone": {"show": {"mask": "last", "n": 4}}},
    }
}
MASKED = "****4567"
FORBID = 'forbid (principal, action == Action::"mask", resource) when { resource.column == "secret" };\n'
TABLE = """
CREATE TABLE people (id int PRIMARY KEY, note bytea, phone text, secret text);
INSERT INTO people VALUES (1, NULL, '0301234567', 'x');
"""


class Guarded:
    """A gateway with ``protection:``, and its people."""

    def __init__(
        self, gateway: Gateway, server: PostgresServer, folder: Path, run: Callable[..., Run]
    ) -> None:
        self.gateway, self.server, self.folder, self.run = gateway, server, folder, run
        self.anna, self.ben, self.mallory = (Signer.make(folder, one) for one in ("anna", "ben", "mallory"))
        self.request = folder / "request.json"

    def set_up(self, gateway: Gateway) -> None:
        """Writes the first configuration."""
        (gateway.folder / "one.cedar").write_text(FORBID)
        people = {one.name: one.public for one in (self.anna, self.ben)}
        found = configuration(gateway)
        found["accounts"]["app"]["roles"] = ["application"]
        found |= {
            "roles": ROLES,
            "policies": ["one.cedar"],
            "protection": {"approvals": 2, "by": people},
        }
        gateway.configure(found)

    @property
    def configured(self) -> dict[str, Any]:
        """The configuration as it is now."""
        return configuration(self.gateway)

    def refused_at_reload(self) -> list[str]:
        """Reloads; what the gateway says is weaker, while it goes on with the old configuration."""
        before = len(logged(self.gateway, REFUSED))
        self.gateway.signal(signal.SIGHUP)
        wait_until(lambda: len(logged(self.gateway, REFUSED)) > before, "the reload is refused")
        line = logged(self.gateway, REFUSED)[-1]
        assert line["code"] == "protection-weakened", line
        weakens: list[str] = line["weakens"]
        return weakens

    def reloaded(self) -> None:
        before = len(logged(self.gateway, TAKEN))
        self.gateway.signal(signal.SIGHUP)
        wait_until(lambda: len(logged(self.gateway, TAKEN)) > before, "the reload is taken")

    def stopped(self) -> None:
        self.gateway.signal(signal.SIGTERM)
        assert self.gateway.wait() == 0

    def refused_at_start(self, **variables: str) -> str:
        """Starts; what it says before it ends."""
        environment = self.gateway.environment
        self.gateway.environment = {**environment, **variables}
        with pytest.raises(ServerFailed) as failed:
            self.gateway.command("serve")
        self.gateway.environment = environment
        return failed.value.detail

    def fresh_state(self) -> None:
        """The state is replaced by none, as by another `state:` in the configuration."""
        found = self.configured
        (self.gateway.folder / "fresh").mkdir(mode=0o700, exist_ok=True)
        self.gateway.configure(found | {"state": "sqlite:fresh/state.db"})

    def new(self, found: dict[str, Any]) -> str:
        """The configuration that is to come, in another file."""
        file = self.gateway.folder / "new.yaml"
        file.write_text(yaml.safe_dump(found, sort_keys=False))
        return str(file)

    def __call__(self, *words: str) -> Run:
        """Runs a command of `strongroom protection` in this process."""
        return self.run("protection", *words, "--config", str(self.gateway.configuration))

    def run_here(self, *words: str) -> str:
        """Runs other commands one after the other; what the last says, which fails."""
        group, *commands = words
        for command in commands:
            run = self.run(group, command, "--config", str(self.gateway.configuration))
        assert run.status == 2
        return run.stderr

    def asked(self, found: dict[str, Any]) -> str:
        """A request for it, without signatures."""
        for one in self.folder.glob("request.json*"):
            one.unlink()
        return self("request", self.new(found), "-o", str(self.request)).stdout

    def not_accepted(self) -> str:
        run = self("accept", str(self.request))
        assert run.status == 2
        return run.stderr

    def refused_here(self) -> ProtectionError:
        """Why a gateway that starts now would refuse; asked in this process, since a start takes its time."""
        settings = load(self.gateway.configuration, self.gateway.environment)
        state = open_state(settings.state)
        places = [
            Place(name, upstream_of(name, settings), upstream_of(name, settings))
            for name in settings.databases
        ]
        try:
            with pytest.raises(ProtectionError) as refused:
                asyncio.run(stand(settings, state, places))
        finally:
            state.close()
        return refused.value

    def shown(self) -> tuple[object, ...] | None:
        """What an application reads through the gateway."""
        with psycopg.connect(self.gateway.uri()) as client:
            return client.execute("SELECT note, phone FROM people").fetchone()


REFUSED, TAKEN = "configuration refused, the old one stays", "configuration accepted"


@pytest.fixture
def guarded(
    postgres: PostgresServer,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Guarded]:
    """A database of its own, in which one column is protected and another masked."""
    postgres.create_database("shop")
    postgres.run(TABLE, "shop")
    made: list[Guarded] = []
    monkeypatch.setenv(PASSWORD_VARIABLE, postgres.password)

    def first(gateway: Gateway) -> None:
        made.append(Guarded(gateway, postgres, tmp_path, request.getfixturevalue("command_line")))
        made[0].set_up(gateway)

    with Gateway.start(
        postgres, "shop", more={"columns": {"public.people.note": COLUMN}}, first=first
    ) as gateway:
        assert gateway
        yield made[0]
    postgres.run("DROP DATABASE shop WITH (FORCE)", "postgres")


def without(found: dict[str, Any], *keys: str) -> dict[str, Any]:
    """The same without these keys; without roles nobody holds any."""
    rest = {key: one for key, one in deepcopy(found).items() if key not in keys}
    if "roles" in keys:
        rest["accounts"]["app"].pop("roles")
    return rest


def weaker_role(found: dict[str, Any]) -> dict[str, Any]:
    """The same with the mask gone."""
    role = found["roles"]["application"]
    columns = {**role["columns"], "public.people.phone": "reveal"}
    return {**found, "roles": {"application": {**role, "columns": columns}}}


def test_refused_taken_signed_and_never_twice(guarded: Guarded) -> None:
    """A mask that is taken off: refused at reload and start, by too few people, and taken with two."""
    gateway, before = guarded.gateway, guarded.configured
    after = weaker_role(before)
    assert guarded.shown() == (None, MASKED)
    gateway.configure(after)
    (weakens,) = guarded.refused_at_reload()
    assert weakens.startswith("roles.application.columns: public.people.phone: gives reveal")
    assert guarded.shown() == (None, MASKED)
    guarded.stopped()
    said = guarded.refused_at_start()
    assert "protection-weakened" in said
    assert "gives reveal where it gave mask last" in said
    assert "strongroom protection request" in said

    gateway.configure(before)
    gateway.launch()
    assert "gives reveal" in guarded.asked(after)
    assert "those who did: nobody" in guarded.not_accepted()
    guarded.anna.sign(guarded.request)
    shutil.copy(f"{guarded.request}.anna.sig", f"{guarded.request}.again.sig")
    guarded.mallory.sign(guarded.request)
    assert "those who did: anna" in guarded.not_accepted()
    guarded.ben.sign(guarded.request)
    assert "anna, ben signed it" in guarded("accept", str(guarded.request)).stdout
    assert "approval-used" in guarded.not_accepted()
    # Another change than the one that was signed, however small, is not it.
    gateway.configure({**after, "login": {"failures": 50}})
    assert len(guarded.refused_at_reload()) == 2
    gateway.configure(after)
    guarded.reloaded()
    wait_until(lambda: guarded.shown() == (None, "0301234567"), "the workers took it, too")
    warned = [line["event"] for line in logged_warnings(gateway)]
    assert any(one.startswith("protects less from now on, as anna, ben signed: roles.") for one in warned)

    # Back is free, and then it must be signed anew.
    gateway.configure(before)
    guarded.reloaded()
    gateway.configure(after)
    assert guarded.refused_at_reload()
    assert "approval-used" in guarded.not_accepted()


def logged_warnings(gateway: Gateway) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in gateway.log.read_text().splitlines() if line.startswith("{"))
    return [line for line in lines if line["level"] == "warning"]


def test_a_fresh_state_forgets_nothing(guarded: Guarded) -> None:
    """Another `state:` takes over what stands beside the data, and refuses what is weaker than that."""
    gateway, before = guarded.gateway, guarded.configured
    guarded.stopped()
    bare = without(before, "roles", "policies", "protection")
    for weaker in (
        weaker_role(before),
        without(before, "protection"),
        bare,
        {**bare, "databases": {"shop": {**bare["databases"]["shop"], "columns": {}}}},
        {**bare, "databases": {"other": {**bare["databases"]["shop"], "columns": {}}}, "accounts": {}},
    ):
        gateway.configure(weaker)
        guarded.fresh_state()
        assert isinstance(guarded.refused_here(), ProtectionWeakened)
        shutil.rmtree(gateway.folder / "fresh")
    guarded.fresh_state()
    assert "protection-weakened" in guarded.refused_at_start()
    shutil.rmtree(gateway.folder / "fresh")
    gateway.configure(before)
    guarded.fresh_state()
    gateway.launch()
    assert guarded.shown() == (None, MASKED)


def test_without_keys_nothing_is_proven(guarded: Guarded) -> None:
    """A configuration without the root, or with another, cannot say what ran, and is refused."""
    gateway, before = guarded.gateway, guarded.configured
    guarded.stopped()
    bare = without(before, "keys", "protection")
    bare["databases"] = {"shop": {**before["databases"]["shop"], "columns": {}}}
    gateway.configure(bare)
    guarded.fresh_state()
    assert "there is no keys.root" in guarded.refused_here().message
    other = gateway.folder / "keys" / "other.key"
    FileRoot.create(other, None)
    gateway.configure({**bare, "keys": {"root": f"file:{other}"}})
    guarded.fresh_state()
    assert "was not written under a root that is configured" in guarded.refused_here().message
    assert "protection-forgotten" in guarded.refused_at_start()


def test_the_files_and_the_environment_count(guarded: Guarded) -> None:
    """A policy written by hand, another file of configuration, and the variable for core dumps."""
    gateway, before = guarded.gateway, guarded.configured
    cedar = gateway.folder / "one.cedar"
    cedar.write_text(FORBID.replace("secret", "nothing"))
    (weakens,) = guarded.refused_at_reload()
    assert weakens.startswith("policies: ")
    cedar.write_text(FORBID)
    guarded.reloaded()
    guarded.stopped()
    said = guarded.refused_at_start(STRONGROOM_CORE_DUMPS="allowed")
    assert "STRONGROOM_CORE_DUMPS" in said
    verifier = before["accounts"]["app"]["password"]
    gateway.configure({**before, "accounts": {"app": {**before["accounts"]["app"], "password": "${PW}"}}})
    assert "another password" in guarded.refused_at_start(PW=f"{verifier[:-2]}A=")
    other = replace(gateway, folder=gateway.folder / "elsewhere")
    other.folder.mkdir()
    other.configure({**weaker_role(before), "state": f"sqlite:{gateway.folder}/state/state.db"})
    shutil.copy(cedar, other.folder)
    with pytest.raises(ServerFailed) as failed:
        other.command("serve")
    assert "protection-weakened" in failed.value.detail


def test_a_worker_does_not_take_other_files(guarded: Guarded) -> None:
    """A policy that is changed behind the supervisor's back is not read by a worker that starts anew."""
    gateway = guarded.gateway
    (gateway.folder / "one.cedar").write_text(FORBID.replace("secret", "nothing"))
    (worker,) = workers(gateway)
    psycopg.connect(gateway.uri()).close()
    os.kill(worker, signal.SIGKILL)
    refusal = "others than when it was accepted"
    wait_until(lambda: refusal in gateway.log.read_text(), "the worker refuses")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(gateway.uri(), connect_timeout=2)


def test_what_is_stronger_is_taken_at_once(guarded: Guarded) -> None:
    """And from then on counts: what it added cannot be taken back alone."""
    gateway, before = guarded.gateway, guarded.configured
    gateway.configure({**before, "login": {"failures": 5}})
    guarded.reloaded()
    gateway.configure(before)
    assert guarded.refused_at_reload() == ["login: more wrong tries are allowed"]
    shown = json.loads(guarded("show", "--json").stdout)
    assert {one["what"]: one["value"] for one in shown}["number"] == 2


def test_who_may_not_read_the_record(guarded: Guarded) -> None:
    """An upstream user who may not read it starts nothing on a fresh state."""
    gateway = guarded.gateway
    guarded.stopped()
    guarded.server.run(
        "CREATE ROLE outsider LOGIN PASSWORD 'outsider'; GRANT SELECT ON people TO outsider", "shop"
    )
    found = guarded.configured
    database = {**found["databases"]["shop"], "columns": {}}
    database["upstream"] = guarded.server.uri("shop", "outsider", password="")
    database["upstream_password"] = "outsider"
    bare = without(found, "roles", "policies", "protection", "keys")
    gateway.configure({**bare, "databases": {"shop": database}})
    guarded.fresh_state()
    try:
        said = guarded.refused_here()
    finally:
        guarded.server.run("DROP OWNED BY outsider; DROP ROLE outsider", "shop")
    assert isinstance(said, ProtectionForgotten)
    assert "cannot be read" in said.message


def test_a_forged_record(guarded: Guarded) -> None:
    """Who writes to the database without the root writes nothing that counts."""
    gateway = guarded.gateway
    guarded.stopped()
    forged = (
        'UPDATE strongroom_keys.protection SET stance = \'{"format":"strongroom stance 1","sections":{}}\''
    )
    guarded.server.run(forged, "shop")
    gateway.configure(weaker_role(guarded.configured))
    assert isinstance(guarded.refused_here(), ProtectionWeakened)
    found = guarded.configured
    guarded.fresh_state()
    assert "was not written under a root" in guarded.refused_here().message
    gateway.configure(found)


def test_the_keys_remember(guarded: Guarded) -> None:
    """With the row deleted and the state emptied nothing starts, until those who signed then sign again."""
    gateway, before = guarded.gateway, guarded.configured
    guarded.stopped()
    guarded.server.run("DROP TABLE strongroom_keys.protection", "shop")
    after = weaker_role(before)
    for found in (after, without(before, "protection"), without(before, "protection", "roles", "policies")):
        gateway.configure(found)
        guarded.fresh_state()
        said = guarded.refused_at_start()
        assert "protection-forgotten" in said
        assert "the keys say that configuration 1 was accepted" in said
        shutil.rmtree(gateway.folder / "fresh")
    # Neither by the commands that open keys; and others do not sign in the place of those who did.
    gateway.configure(after)
    guarded.fresh_state()
    after = guarded.configured
    assert "protection-forgotten" in guarded.run_here("keys", "recover", "list")
    mallory = {"mallory": guarded.mallory.public}
    gateway.configure({**after, "protection": {"approvals": 1, "by": mallory}})
    guarded.asked(guarded.configured)
    guarded.mallory.sign(guarded.request)
    assert "mallory signed it" in guarded("accept", str(guarded.request)).stdout
    assert "protection-forgotten" in guarded.refused_at_start()
    gateway.configure(after)
    assert "what ran before is not known any more" in guarded.asked(after)
    guarded.anna.sign(guarded.request)
    assert "those who did: anna" in guarded.not_accepted()
    guarded.ben.sign(guarded.request)
    guarded("accept", str(guarded.request))
    gateway.launch()
    assert guarded.shown() == (None, "0301234567")
    assert json.loads(guarded("show", "--json").stdout)[0] == {"what": "number", "value": 2}


def test_the_protected_column_stays(guarded: Guarded) -> None:
    """Its line is not taken out without signatures, whatever else would refuse that."""
    found = guarded.configured
    guarded.gateway.configure({**found, "databases": {"shop": {**found["databases"]["shop"], "columns": {}}}})
    assert "databases.shop.columns.public.people.note: is no longer protected" in guarded.refused_at_reload()
    with psycopg.connect(guarded.gateway.uri()) as client, pytest.raises(errors.InsufficientPrivilege):
        client.execute("DELETE FROM people")
