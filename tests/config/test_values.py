"""The single values of the configuration."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from strongroom.config.values import (
    Address,
    ColumnName,
    StateAddress,
    parse_address,
    parse_column_name,
    parse_database_name,
    parse_path,
    parse_pin,
    parse_secret,
    parse_state,
    parse_upstream,
    parse_verifier,
)

FOLDER = Path("/etc/strongroom")
VERIFIER = "SCRAM-SHA-256$4096:" + "c2FsdHNhbHRzYWx0c2FsdA==" + "$" + "A" * 43 + "=:" + "B" * 43 + "="


@pytest.mark.parametrize(
    ("text", "address", "loopback"),
    [
        ("127.0.0.1:6432", Address("127.0.0.1", 6432), True),
        ("127.1.2.3:1", Address("127.1.2.3", 1), True),
        ("localhost:6432", Address("localhost", 6432), True),
        ("[::1]:6432", Address("::1", 6432), True),
        ("10.0.0.5:6432", Address("10.0.0.5", 6432), False),
        ("[::]:6432", Address("::", 6432), False),
        ("[fe80::1%eth0]:6432", Address("fe80::1%eth0", 6432), False),
        ("db.internal:65535", Address("db.internal", 65535), False),
    ],
)
def test_addresses(text: str, address: Address, loopback: bool) -> None:
    """An address is host and port, prints as it is written, and knows whether it stays on the machine."""
    assert parse_address(text) == address
    assert str(address) == text
    assert address.is_loopback is loopback


@pytest.mark.parametrize(
    "value", ["", "6432", ":6432", "a:0", "a:65536", "a:-1", "::1:6432", "a b:1", "a:1 ", 6432]
)
def test_no_addresses(value: object) -> None:
    """What is not host:port is refused."""
    with pytest.raises(PydanticCustomError):
        parse_address(value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("public.customers.email", ColumnName("public", "customers", "email")),
        ("Public.Customers.EMail", ColumnName("public", "customers", "email")),
        ('public."Customers"."E-Mail"', ColumnName("public", "Customers", "E-Mail")),
        ('a."b.c"."d""e"', ColumnName("a", "b.c", 'd"e')),
        ("a.b1.c$d", ColumnName("a", "b1", "c$d")),
        ("a.Éa.IÍ", ColumnName("a", "Éa", "iÍ")),
    ],
)
def test_column_names(text: str, name: ColumnName) -> None:
    """Names are folded, ASCII alone, or quoted, as in PostgreSQL."""
    assert parse_column_name(text) == name


names = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=15)


@given(st.lists(names, min_size=3, max_size=3))
def test_column_names_round_trip(parts: list[str]) -> None:
    """Every column name prints as text that parses back to it."""
    name = ColumnName(*parts)
    assert parse_column_name(str(name)) == name


@pytest.mark.parametrize(
    "value", ["", "email", "customers.email", "a.b.c.d", 'a.b."', "a..c", "a.b.1c", "a.b." + "c" * 64, 5]
)
def test_no_column_names(value: object) -> None:
    """A name without its schema, with too many parts or too long is refused."""
    with pytest.raises(PydanticCustomError):
        parse_column_name(value)


def test_paths() -> None:
    """A relative path is relative to the folder of the file, an absolute one stays."""
    assert parse_path("a/b", FOLDER) == FOLDER / "a/b"
    assert parse_path("/a/b", FOLDER) == Path("/a/b")
    for value in ("", "a\x00b", 3):
        with pytest.raises(PydanticCustomError):
            parse_path(value, FOLDER)


def test_state() -> None:
    """The state lives in an SQLite file; PostgreSQL is refused by name."""
    assert parse_state("sqlite:state.db", FOLDER) == StateAddress(FOLDER / "state.db")
    with pytest.raises(PydanticCustomError, match="not supported yet"):
        parse_state("postgresql://db/state", FOLDER)
    for value in ("state.db", "sqlite:", None):
        with pytest.raises(PydanticCustomError):
            parse_state(value, FOLDER)


def test_database_names() -> None:
    """Any but one with a slash, which ends the name in those of keysets."""
    assert parse_database_name("shop \u2615") == "shop \u2615"
    for name in ("", "a/b", 1):
        with pytest.raises(PydanticCustomError):
            parse_database_name(name)


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://strongroom@db.example:5432/shop?sslmode=verify-full",
        "postgres://db/shop",
        "postgresql:///shop?host=/run/postgresql",
        "postgresql://%2Frun%2Fpostgresql/shop",
    ],
)
def test_upstreams(uri: str) -> None:
    """A libpq URI is kept as it is."""
    assert parse_upstream(uri) == uri


@pytest.mark.parametrize("value", ["host=db dbname=shop", "mysql://db/shop", "postgresql://[::1", "", 1])
def test_no_upstreams(value: object) -> None:
    """Anything but a libpq URI is refused."""
    with pytest.raises(PydanticCustomError):
        parse_upstream(value)


@pytest.mark.parametrize("uri", ["postgresql://u:hunter2@db/shop", "postgresql://u@db/shop?password=hunter2"])
def test_a_password_in_a_uri(uri: str) -> None:
    """A password in the URI is refused, and not repeated."""
    with pytest.raises(PydanticCustomError, match="holds a password") as caught:
        parse_upstream(uri)
    assert "hunter2" not in caught.value.message()


def test_pins() -> None:
    """A pin names what is hashed and the SHA-256 digest."""
    assert parse_pin("SPKI-sha256:".lower() + "AB" * 32) == "spki-sha256:" + "ab" * 32
    assert parse_pin("cert-sha256:" + "01" * 32).startswith("cert-sha256:")
    for value in ("ab" * 32, "spki-sha256:ab", "spki-sha1:" + "ab" * 32, 7):
        with pytest.raises(PydanticCustomError):
            parse_pin(value)


def test_secrets() -> None:
    """A secret is any text but the empty one."""
    assert parse_secret("x").danger_reveal() == "x"
    for value in ("", 5, None):
        with pytest.raises(PydanticCustomError):
            parse_secret(value)


def test_verifiers() -> None:
    """A verifier is taken, a password is refused and not repeated."""
    assert parse_verifier(VERIFIER).danger_reveal() == VERIFIER
    for value in (
        "hunter2",
        VERIFIER.replace("4096", "0"),
        VERIFIER + "x",
        VERIFIER.replace("SHA-256", "SHA-1"),
    ):
        with pytest.raises(PydanticCustomError) as caught:
            parse_verifier(value)
        assert value not in caught.value.message()
