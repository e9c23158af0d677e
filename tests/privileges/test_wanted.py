"""privileges/wanted.py: what each upstream user needs, by what the policy gives who logs in through it."""

from pathlib import Path

import pytest
import yaml

from strongroom.config import load
from strongroom.gateway.judging import authorizer_of
from strongroom.privileges.facts import OWN, Default, Facts, Grant, Thing
from strongroom.privileges.wanted import User, excess_by_default, users

FACTS = Facts(
    180000,
    {},
    (),
    Thing("DATABASE", ("shop",), 10),
    (Thing("SCHEMA", ("public",), 10), Thing("SCHEMA", ("audit",), 10)),
    (
        Thing("TABLE", ("public", "orders"), 10, relkind="r"),
        Thing("TABLE", ("audit", "log"), 10, relkind="r"),
        Thing("SEQUENCE", ("public", "orders_id_seq"), 10, table=("public", "orders")),
        Thing("SEQUENCE", ("audit", "numbers"), 10),
    ),
    (
        Thing("ROUTINE", ("public", "f"), 10),
        Thing("ROUTINE", ("public", "g"), 10),
        Thing("ROUTINE", ("pg_catalog", "pg_read_file"), 10, extension=OWN),
    ),
)
CONFIGURATION = {
    "state": "sqlite:state.db",
    "databases": {
        "shop": {"upstream": "postgresql://main@db.example/shop", "listen": "127.0.0.1:6432"},
        "far": {"upstream": "postgresql://main@db.example/far", "listen": "127.0.0.1:6433"},
    },
    "roles": {
        "writer": {
            "databases": ["shop"],
            "tables": {"public.*": ["select", "insert"], "audit.log": ["insert"]},
            "functions": ["public.f"],
            "when": {"hours": "Mon-Fri 08:00-18:00 Europe/Berlin"},
        },
        "owner": {"databases": ["shop"], "tables": {"audit.*": ["select", "ddl"]}},
        "elsewhere": {"databases": ["far"], "tables": {"*": ["delete"]}},
    },
    "accounts": {
        "app": {"databases": ["shop"], "roles": ["writer", "elsewhere"]},
        "own": {"databases": ["shop"], "roles": ["owner"], "upstream_user": "own"},
        "away": {"databases": ["far"], "roles": ["elsewhere"]},
    },
    "groups": {"people": ["owner"]},
    "people": {"anna": {"databases": ["shop"], "groups": ["people"]}},
}


def found(folder: Path, **more: object) -> dict[str, User]:
    """The upstream users by name."""
    file = folder / "strongroom.yaml"
    file.write_text(yaml.safe_dump({**CONFIGURATION, **more}))
    settings = load(file, {})
    return {one.name: one for one in users(settings, "shop", "main", FACTS, authorizer_of(settings))}


def test_who_logs_in_as_whom(tmp_path: Path) -> None:
    """Who has no user of their own shares the database's; others are not of this database."""
    main, own = found(tmp_path).values()
    assert (main.name, main.place, set(main.subjects)) == (
        "main",
        "databases.shop.upstream",
        {"accounts.app", "people.anna"},
    )
    assert (own.name, own.place, set(own.subjects)) == ("own", "accounts.own.upstream_user", {"accounts.own"})


def test_what_the_policy_gives(tmp_path: Path) -> None:
    """In this database, under whatever circumstances; together what any of them may."""
    main = found(tmp_path)["main"]
    assert main.subjects["accounts.app"].tables == {
        ("public", "orders"): {"SELECT", "INSERT"},
        ("audit", "log"): {"INSERT"},
    }
    of_owners = {"REFERENCES", "TRIGGER", "MAINTAIN"}
    assert main.subjects["people.anna"].tables[("audit", "log")] == {"SELECT"} | of_owners
    assert main.wanted.tables[("audit", "log")] == {"INSERT", "SELECT"} | of_owners
    assert main.wanted.calls == {("public", "f")}
    assert main.wanted.ddl == {"audit"}


def test_sequences(tmp_path: Path) -> None:
    """What fills a column is used by who inserts into its table, any other by who inserts beside it."""
    users_by_name = found(tmp_path)
    of_column, free = FACTS.relations[2:]
    assert users_by_name["main"].wanted.sequence(of_column) == {"USAGE"}
    assert users_by_name["main"].wanted.sequence(free) == {"USAGE"}
    assert users_by_name["own"].wanted.sequence(of_column) == frozenset()


@pytest.mark.parametrize(
    ("schema", "privilege", "excess"),
    [
        ("public", "SELECT", False),
        ("public", "DELETE", True),
        ("audit", "INSERT", True),
        (None, "SELECT", False),
    ],
)
def test_what_is_to_come(tmp_path: Path, schema: str | None, privilege: str, excess: bool) -> None:
    """On a table that nobody has made yet, patterns alone give anything."""
    default = Default(10, schema, "r", (Grant(20, privilege, 10),))
    assert excess_by_default(default, privilege, found(tmp_path)["main"].wanted) is excess


def test_without_a_policy(tmp_path: Path) -> None:
    """Tables are read and changed, and PostgreSQL's own functions are not called."""
    bare = {key: value for key, value in CONFIGURATION.items() if key in {"state", "databases"}}
    file = tmp_path / "strongroom.yaml"
    file.write_text(yaml.safe_dump({**bare, "accounts": {"app": {"databases": ["shop"]}}}))
    settings = load(file, {})
    assert authorizer_of(settings) is None
    (main,) = users(settings, "shop", "main", FACTS, None)
    assert main.wanted.tables[("audit", "log")] == {"SELECT", "INSERT", "UPDATE", "DELETE"}
    assert ("pg_catalog", "pg_read_file") not in main.wanted.calls


def test_policies_written_by_hand_may_name_one(tmp_path: Path) -> None:
    """Then accounts with the same roles are asked about each by itself."""
    (tmp_path / "extra.cedar").write_text(
        'permit (principal == Account::"second", action == Action::"delete", resource is Table);'
    )
    accounts = {name: {"databases": ["shop"], "roles": ["writer"]} for name in ("first", "second")}
    main = found(tmp_path, accounts=accounts, policies=["extra.cedar"])["main"]
    assert "DELETE" not in main.subjects["accounts.first"].tables[("public", "orders")]
    assert "DELETE" in main.subjects["accounts.second"].tables[("public", "orders")]
