"""``strongroom check``."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import Run

from strongroom.config import StateAddress
from strongroom.secret import Secret
from strongroom.state import open_state
from strongroom.testing.servers import PostgresServer

Check = Callable[[], tuple[int, dict[str, str]]]
CONFIGURATION = """
state: sqlite:state.db
databases:
  shop:
    upstream: postgresql://db.example/shop
    listen: 127.0.0.1:6432
    tls: {certificate: server.crt, key: server.key}
accounts:
  app: {databases: [shop]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration whose account and files are not there yet."""
    path = tmp_path / "strongroom.yaml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    return path


@pytest.fixture
def check(file: Path, strongroom: Callable[..., Run]) -> Check:
    """Checks the configuration; gives the exit status, and the verdicts."""

    def run() -> tuple[int, dict[str, str]]:
        result = strongroom("check", "--config", str(file), "--offline", "--json")
        return result.status, {one["subject"]: one["verdict"] for one in json.loads(result.stdout)}

    return run


def test_nothing_is_written(check: Check, file: Path) -> None:
    """To check a configuration makes no state."""
    check()
    assert list(file.parent.iterdir()) == [file]


def test_what_does_not_hold(check: Check) -> None:
    """What is missing is listed, and the exit status is 1."""
    status, verdicts = check()
    assert status == 1
    assert verdicts == {
        "configuration": "holds",
        "state": "mind",
        "accounts.app": "fails",
        "databases.shop.tls.certificate": "fails",
        "databases.shop.tls.key": "fails",
    }


def test_all_holds(file: Path, check: Check) -> None:
    """When all is there, the exit status is 0."""
    for name in ("server.crt", "server.key"):
        (file.parent / name).touch()
    state = open_state(StateAddress(file.parent / "state.db"))
    state.store_verifier("app", Secret("x"))
    state.close()
    status, verdicts = check()
    assert status == 0
    assert set(verdicts.values()) == {"holds"}


def test_an_unusable_state(file: Path, check: Check) -> None:
    """A state that cannot be opened is a finding, not the end of the check."""
    (file.parent / "state.db").mkdir()
    status, verdicts = check()
    assert status == 1
    assert verdicts == {"configuration": "holds", "state": "fails"}


def test_as_a_table(file: Path, strongroom: Callable[..., Run]) -> None:
    """Without --json there is a table for people."""
    result = strongroom("check", "--config", str(file), "--offline")
    assert "accounts.app" in result.stdout
    assert "strongroom password app" in " ".join(result.stdout.split())


def live(server: PostgresServer, database: str, folder: Path) -> Path:
    """A configuration of a running database with one column to protect."""
    file = folder / "strongroom.yaml"
    (folder / "state").mkdir(mode=0o700)
    shop = {
        "upstream": server.uri(database, password=""),
        "upstream_password": "${SHOP_DB_PASSWORD}",
        "listen": "127.0.0.1:6432",
        "columns": {"public.customers.email": {"type": "text", "encryption": "deterministic"}},
    }
    file.write_text(
        yaml.safe_dump(
            {"state": "sqlite:state/state.db", "keys": {"root": "file:root/key"}, "databases": {"shop": shop}}
        )
    )
    return file


@pytest.mark.parametrize("postgres", ["embedded", "15"], indirect=True)
def test_a_live_database(
    postgres: PostgresServer,
    tmp_path: Path,
    strongroom: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is still plaintext in the live database fails, with the command that mends it."""
    name = postgres.create_database("check")
    postgres.run("CREATE TABLE customers (id integer, email text)", name)
    monkeypatch.setenv("SHOP_DB_PASSWORD", postgres.password)
    result = strongroom("check", "--config", str(live(postgres, name, tmp_path)), "--json")
    assert result.status == 1, result.stderr
    found = {one["subject"]: one for one in json.loads(result.stdout)}
    email = found["databases.shop.columns.public.customers.email"]
    assert (email["verdict"], email["remark"]) == ("fails", "it holds plaintext still")
    assert "strongroom protect" in email["remedy"]
    assert found["keys.root"]["verdict"] == "mind"
    assert not (tmp_path / "root").exists()


def test_an_unreachable_database(
    postgres: PostgresServer,
    tmp_path: Path,
    strongroom: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A database that refuses the login is a finding with the error's code, not the end of the check."""
    monkeypatch.setenv("SHOP_DB_PASSWORD", "wrong")
    result = strongroom("check", "--config", str(live(postgres, "postgres", tmp_path)), "--json")
    assert result.status == 1
    found = {one["subject"]: one for one in json.loads(result.stdout)}
    assert "[upstream-login-refused]" in found["databases.shop"]["remark"]
    assert found["databases.shop"]["remedy"]


def with_roles(file: Path, roles: dict[str, object], **more: object) -> None:
    """Adds roles to a configuration."""
    written = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(written | {"roles": roles} | more))


def test_the_policy_is_checked(file: Path, check: Check) -> None:
    """Its files in Cedar are read and validated, and roles that nobody holds are named."""
    with_roles(file, {"reader": {"databases": ["shop"]}}, policies=["extra.cedar"])
    assert check()[1]["policy"] == "fails"
    cedar = file.parent / "extra.cedar"
    cedar.write_text("permit (principal, action, resource) when { resource.colour == 1 };")
    assert check()[1]["policy"] == "fails"
    cedar.write_text("permit (principal, action, resource);")
    verdicts = check()[1]
    assert (verdicts["policy"], verdicts["roles.reader"]) == ("holds", "mind")


def test_rules_that_disagree_have_their_line(file: Path, strongroom: Callable[..., Run]) -> None:
    """What the policy does not mean is found here, too."""
    tables = {"public.*": ["select"], "*.orders": ["update"]}
    with_roles(file, {"reader": {"databases": ["shop"], "tables": tables}})
    run = strongroom("check", "--config", str(file), "--offline", "--json")
    found = {one["subject"]: one for one in json.loads(run.stdout)}
    rule = found["roles.reader.tables.*.orders"]
    assert rule["verdict"] == "fails"
    lines = file.read_text().splitlines()
    number = 1 + next(index for index, line in enumerate(lines) if "*.orders" in line)
    assert rule["remark"].startswith(f"strongroom.yaml:{number}: disagrees with")


@pytest.mark.parametrize("command", [("check",), ("policy", "check", "--live")])
def test_a_policy_beside_the_live_database(
    postgres: PostgresServer,
    tmp_path: Path,
    strongroom: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    """Names that are not there and masks that types do not take fail, with their lines; protected columns
    have the type that clients see.
    """
    name = postgres.create_database("checked_policy")
    postgres.run(
        "CREATE TABLE customers (id integer, email bytea, born date);"
        " CREATE FUNCTION slug(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
        name,
    )
    monkeypatch.setenv("SHOP_DB_PASSWORD", postgres.password)
    file = live(postgres, name, tmp_path)
    masks = {
        "public.customers.email": {"show": {"mask": "email"}},
        "public.customers.born": {"show": {"mask": "last", "n": 4}},
        "public.customers.emial": "reveal",
    }
    role = {
        "databases": ["shop"],
        "tables": {"public.customers": ["select"], "public.custmers": ["select"]},
        "columns": masks,
        "functions": ["public.slug", "public.slugs"],
    }
    classes = {"public.customers.iban": "secret"}
    with_roles(file, {"reader": role}, classes=classes, accounts={"app": {"databases": ["shop"]}})
    run = strongroom(*command, "--config", str(file), "--json")
    assert run.status == 1, run.stderr
    failed = {one["subject"]: one["remark"] for one in json.loads(run.stdout) if one["verdict"] == "fails"}
    wrong = {
        "roles.reader.tables.public.custmers": "there is no such table in shop",
        "roles.reader.columns.public.customers.emial": "there is no such column in shop",
        "roles.reader.columns.public.customers.born": "does not fit the type date",
        "roles.reader.functions.public.slugs": "there is no such function in shop",
        "classes.public.customers.iban": "there is no such column in shop",
    }
    assert {one for one in failed if one.startswith(("roles.", "classes."))} == set(wrong)
    for subject, what in wrong.items():
        assert what in failed[subject]
        assert failed[subject].startswith("strongroom.yaml:")


def test_a_policy_beside_a_database_that_does_not_answer(
    postgres: PostgresServer,
    tmp_path: Path,
    strongroom: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Is said, and nothing is found wrong that nobody looked at."""
    monkeypatch.setenv("SHOP_DB_PASSWORD", "wrong")
    file = live(postgres, "postgres", tmp_path)
    with_roles(file, {"reader": {"databases": ["shop"], "tables": {"public.nothing": ["select"]}}})
    run = strongroom("policy", "check", "--live", "--config", str(file), "--json")
    assert run.status == 1
    failed = [one["subject"] for one in json.loads(run.stdout) if one["verdict"] == "fails"]
    assert failed == ["policy in shop"]


def test_grants(
    postgres: PostgresServer,
    tmp_path: Path,
    strongroom: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the database allows beyond the policy is listed with the SQL that closes it, and nothing else."""
    name = postgres.create_database("granted")
    postgres.run("CREATE TABLE customers (id integer); GRANT DELETE ON customers TO PUBLIC", name)
    monkeypatch.setenv("SHOP_DB_PASSWORD", postgres.password)
    file = live(postgres, name, tmp_path)
    arguments = ("check", "--grants", "--config", str(file))
    run = strongroom(*arguments, "--json")
    assert run.status == 1, run.stderr
    found = json.loads(run.stdout)
    assert {one["subject"] for one in found} == {"databases.shop.upstream", "databases.shop"}
    sql = [statement for one in found for statement in one["sql"]]
    assert 'REVOKE DELETE ON TABLE "public"."customers" FROM PUBLIC;' in sql
    assert 'CREATE ROLE "strongroom_granted" LOGIN;' in sql
    lines = strongroom(*arguments).stdout.splitlines()
    assert any(line.strip() == 'REVOKE DELETE ON TABLE "public"."customers" FROM PUBLIC;' for line in lines)
    assert not (tmp_path / "state" / "state.db").exists()


def test_grants_without_a_database(file: Path, strongroom: Callable[..., Run]) -> None:
    """Makes no sense."""
    assert strongroom("check", "--grants", "--offline", "--config", str(file)).status == 2
