"""The settings: what is accepted, what is refused and how it is said."""

from pathlib import Path

import pytest

from strongroom.config import Address, ColumnName, Settings, load
from strongroom.config.roots import FileAddress
from strongroom.errors import InvalidConfiguration
from strongroom.secret import Secret

VERIFIER = "SCRAM-SHA-256$4096:" + "c2FsdHNhbHRzYWx0c2FsdA==" + "$" + "A" * 43 + "=:" + "B" * 43 + "="
WHOLE = """
state: sqlite:state.db
keys:
  root: file:/etc/strongroom/root.key
databases:
  shop:
    upstream: postgresql://strongroom@db.example:5432/shop?sslmode=verify-full&sslrootcert=ca.pem
    upstream_password: ${SHOP_DB_PASSWORD}
    upstream_pin: [spki-sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae]
    owner: postgresql://shop_owner@db.example/shop
    owner_password: ${OWNER_PASSWORD}
    listen: 10.0.0.5:6432
    tls: {certificate: server.crt, key: server.key, client_ca: clients.pem}
    columns:
      public.customers.email: {type: text, encryption: deterministic, accept_leakage: frequency}
      public.customers.iban:  {type: text, encryption: randomized, pad: 32}
      public.orders.email:    {type: text, encryption: deterministic, key: public.customers.email}
    functions: {public.slug: reads no table}
    limits: {idle_seconds: 5}
accounts:
  app: {databases: [shop], password: ${APP_VERIFIER}}
  report: {databases: [shop], certificate: report.example, upstream_user: report, upstream_password: x}
limits: {login_seconds: 10, idle_seconds: 7, connections: 50}
workers: 2
health: 127.0.0.1:9432
"""
SMALL = """
state: sqlite:state.db
databases:
  shop:
    upstream: postgresql://db.example/shop
    listen: 127.0.0.1:6432
"""
ENVIRONMENT = {"SHOP_DB_PASSWORD": "hunter2", "OWNER_PASSWORD": "hunter3", "APP_VERIFIER": VERIFIER}


def parse(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "strongroom.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, ENVIRONMENT)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(InvalidConfiguration) as caught:
        parse(tmp_path, text)
    return caught.value.message


def test_the_whole_configuration(tmp_path: Path) -> None:
    """Every key of the configuration arrives typed where it belongs."""
    settings = parse(tmp_path, WHOLE)
    shop = settings.databases["shop"]
    assert settings.state.path == tmp_path / "state.db"
    assert settings.keys is not None
    assert settings.keys.root == FileAddress(Path("/etc/strongroom/root.key"))
    assert shop.upstream_password == Secret("hunter2")
    assert shop.listen == Address("10.0.0.5", 6432)
    assert shop.tls is not None
    assert shop.tls.client_ca == tmp_path / "clients.pem"
    email = ColumnName("public", "customers", "email")
    assert shop.columns[email].encryption == "deterministic"
    assert shop.columns[ColumnName("public", "orders", "email")].key == email
    assert settings.accounts["app"].password == Secret(VERIFIER)
    assert settings.accounts["report"].certificate == "report.example"
    assert settings.workers == 2
    assert settings.health == Address("127.0.0.1", 9432)
    assert settings.file == tmp_path / "strongroom.yaml"


def test_defaults(tmp_path: Path) -> None:
    """A small configuration gets the documented limits."""
    limits = parse(tmp_path, SMALL).limits
    assert limits.model_dump() == {
        "startup_packet_bytes": 10_000,
        "message_bytes": 67_108_864,
        "login_seconds": 60,
        "idle_seconds": 0,
        "statements_per_session": 10_000,
        "buffer_bytes": 1_048_576,
        "connections": 1_000,
        "connections_per_account": 200,
        "drain_seconds": 30,
    }


def test_limits_are_inherited(tmp_path: Path) -> None:
    """A database takes the gateway's limits where it sets none of its own."""
    limits = parse(tmp_path, WHOLE).databases["shop"].limits
    assert (limits.idle_seconds, limits.login_seconds, limits.message_bytes) == (5, 10, 67_108_864)


def test_settings_are_frozen(tmp_path: Path) -> None:
    """Settings cannot be changed after they were parsed."""
    with pytest.raises(ValueError, match="frozen"):
        parse(tmp_path, SMALL).workers = 3


def test_no_secret_is_printed(tmp_path: Path) -> None:
    """Settings print without the secrets they hold."""
    settings = parse(tmp_path, WHOLE)
    for secret in ("hunter2", "hunter3", VERIFIER):
        assert secret not in repr(settings)
        assert secret not in str(settings)


def test_unknown_keys(tmp_path: Path) -> None:
    """An unknown key is refused at any depth, with file, line, path and the likely meaning."""
    message = refusal(tmp_path, WHOLE.replace("    listen:", "    listn:"))
    assert f"{tmp_path}/strongroom.yaml:12: databases.shop.listn: is not a key" in message
    assert "did you mean listen?" in message
    assert "did you mean pad?" in refusal(tmp_path, WHOLE.replace("pad: 32", "pads: 32"))
    assert "did you mean client_ca?" in refusal(tmp_path, WHOLE.replace("client_ca", "clients_ca"))
    assert "known here: accounts, audit, classes, databases" in refusal(tmp_path, SMALL + "\nzzz: 1")


def test_missing_keys(tmp_path: Path) -> None:
    """A missing key is named with the line of what should hold it."""
    message = refusal(tmp_path, SMALL.replace("    listen: 127.0.0.1:6432\n", ""))
    assert f"{tmp_path}/strongroom.yaml:4: databases.shop.listen: is missing" in message


def test_all_problems_at_once(tmp_path: Path) -> None:
    """Every problem is listed, and a wrong limit once although databases inherit it."""
    text = WHOLE.replace("login_seconds: 10", "login_seconds: soon").replace("workers: 2", "workers: 0")
    message = refusal(tmp_path, text)
    assert message.count("\n") == 1
    assert "limits.login_seconds: should be a valid number" in message
    assert "workers: should be greater than or equal to 1" in message


def test_no_value_is_repeated(tmp_path: Path) -> None:
    """A complaint does not hold the value, which may be a secret in the wrong place."""
    for key in ("listen: 10.0.0.5:6432", "type: text", "workers: 2", "certificate: report.example"):
        text = WHOLE.replace(key, key.partition(":")[0] + ": ${SHOP_DB_PASSWORD}")
        if key != "type: text" and "certificate" not in key:
            assert "hunter2" not in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("written", "instead", "complaint"),
    [
        ("    tls: {certificate: server.crt, key: server.key, client_ca: clients.pem}\n", "", "without TLS"),
        ("key: public.customers.email", "key: public.customers.name", "not a configured column"),
        ("key: public.customers.email", "key: public.customers.iban", "their encryption must be the same"),
        ("key: public.customers.email", "key: public.orders.email", "itself uses another column's key"),
        ("keys:\n  root: file:/etc/strongroom/root.key\n", "", "no keys.root"),
        ("app: {databases: [shop]", "app: {databases: [shed]", "names shed"),
        ("app: {databases: [shop]", "app: {databases: []", "at least 1 item"),
        (", client_ca: clients.pem", "", "no tls.client_ca"),
        ("health: 127.0.0.1:9432", "health: 10.0.0.5:6432", "is the address of health already"),
        ("reads no table", "' '", "say why"),
        ("encryption: randomized", "encryption: random", "'randomized' or 'deterministic'"),
        ("accept_leakage: frequency", "accept_leakage: all", "should be 'frequency'"),
        ("connections: 50", "connections: 0", "greater than or equal to 1"),
        ("login_seconds: 10", "login_seconds: .inf", "less than or equal to 600"),
    ],
)
def test_what_does_not_fit_together(tmp_path: Path, written: str, instead: str, complaint: str) -> None:
    """What is wrong by itself or beside another key is refused with the reason."""
    assert written in WHOLE
    assert complaint in refusal(tmp_path, WHOLE.replace(written, instead))


def test_a_column_stands_once(tmp_path: Path) -> None:
    """Two ways to write one name are one column; the last of them would hold in silence."""
    lines = "public.people.email: {type: text, encryption: %s}"
    text = SMALL + "    columns:\n      " + lines % "deterministic"
    text += "\n      Public.people." + '"email": {type: text, encryption: randomized}\n'
    said = refusal(tmp_path, text.replace("Public.people", "Public.People"))
    assert "has the column public.people.email twice" in said


def test_plaintext_accepted(tmp_path: Path) -> None:
    """A listener away from loopback may be in plaintext where that is written down."""
    text = SMALL.replace("127.0.0.1", "10.0.0.5")
    assert "without TLS" in refusal(tmp_path, text)
    assert parse(tmp_path, text + "    plaintext: accepted\n").databases["shop"].plaintext == "accepted"


@pytest.mark.parametrize("text", ["", "[]", "text", "databases: {}\nstate: sqlite:x"])
def test_not_a_configuration(tmp_path: Path, text: str) -> None:
    """An empty file, a list, a text and no database at all are refused."""
    assert refusal(tmp_path, text)


TENANTS = """
state: sqlite:state.db
keys:
  root: file:/etc/strongroom/root.key
  tenants: {%s}
databases:
  shop:
    upstream: postgresql://db.example/shop
    listen: 127.0.0.1:6432
    columns: {public.people.iban: {type: text, encryption: randomized, tenant: tenant_id}}
"""


def test_a_row_is_of_one_tenant(tmp_path: Path) -> None:
    """Two columns of a table that name tenants might name two; those of two tables may have other names."""
    more = "columns: {public.people.note: {type: text, encryption: randomized, tenant: owner_id}, "
    with pytest.raises(InvalidConfiguration, match="so that a row is of one tenant"):
        parse(tmp_path, (TENANTS % "").replace("columns: {", more))
    assert parse(tmp_path, (TENANTS % "").replace("columns: {", more.replace("people", "orders"))).databases


def test_tenants(tmp_path: Path) -> None:
    """Where their keys are, with defaults for all that is left out."""
    text = "copies: copies, own: {shop@acme: file:/acme/own.key}, cache_seconds: 60, destroy_delay_days: 0"
    keys = parse(tmp_path, TENANTS % text).keys
    assert keys is not None
    assert keys.tenants.copies == tmp_path / "copies"
    assert keys.tenants.own == {"shop@acme": FileAddress(Path("/acme/own.key"))}
    assert (keys.tenants.cache_seconds, keys.tenants.destroy_delay_days) == (60, 0)
    assert (keys.tenants.add, keys.tenants.limit) == ("by_hand", 10_000)


@pytest.mark.parametrize(
    "text",
    [
        "own: {acme: file:/own.key}",
        "own: {other@acme: file:/own.key}",
        "own: {shop@: file:/own.key}",
        "own: {'shop@a/b': file:/own.key}",
        "own: {shop@acme: 'passphrase:'}",
        "own: {shop@acme: 'shamir:'}",
        "add: perhaps",
        "limit: 0",
        "cache_seconds: 0",
    ],
)
def test_tenants_that_cannot_be(tmp_path: Path, text: str) -> None:
    """Of no database here, of no name; a provider that asks people; numbers that say nothing."""
    with pytest.raises(InvalidConfiguration):
        parse(tmp_path, TENANTS % text)


def test_a_database_has_no_at_sign(tmp_path: Path) -> None:
    """In the names of keys, a tenant follows it."""
    with pytest.raises(InvalidConfiguration):
        parse(tmp_path, SMALL.replace("shop:", "shop@acme:"))
