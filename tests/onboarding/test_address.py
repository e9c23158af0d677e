"""onboarding/address.py: a connection string made fit for the file."""

from pathlib import Path

import pytest

from strongroom.gateway.upstream_address import parse_upstream
from strongroom.onboarding.address import password_variable, written_uri


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://u@db.example:5433/shop?sslmode=verify-full&connect_timeout=5",
        "postgresql://a%40b@[::1]:5432/my%2Fdb",
        "postgresql://u@/shop?host=/var/run/postgresql&port=5433",
        "host=db.example user=u dbname='my db' options='-c x=1'",
        "postgresql://u@db.example",
    ],
)
def test_it_means_the_same(uri: str) -> None:
    """The URI that is written leads to the same database in the same way."""
    base = Path.cwd()
    assert parse_upstream(written_uri(uri, base), base=base) == parse_upstream(uri, base=base)


def test_no_password() -> None:
    """A password is never written down."""
    assert "hunter2" not in written_uri("postgresql://u:hunter2@db.example/shop", Path.cwd())


def test_paths_are_seen_from_the_file(tmp_path: Path) -> None:
    """A relative path stays as it is beside the file, and becomes absolute for a file elsewhere."""
    uri = "postgresql://u@db.example/shop?sslrootcert=ca.pem"
    assert written_uri(uri, Path.cwd()).endswith("sslrootcert=ca.pem")
    assert written_uri(uri, tmp_path).endswith(f"sslrootcert={Path.cwd() / 'ca.pem'}")
    assert written_uri(uri.replace("ca.pem", "system"), tmp_path).endswith("sslrootcert=system")


@pytest.mark.parametrize(
    ("database", "variable"),
    [
        ("shop", "SHOP_DB_PASSWORD"),
        ("my-shop 2", "MY_SHOP_2_DB_PASSWORD"),
        ("42", "DB_42_DB_PASSWORD"),
        ("é", "DB_DB_PASSWORD"),
    ],
)
def test_the_variable(database: str, variable: str) -> None:
    """The variable is one that a shell can set."""
    assert password_variable(database) == variable
