"""Roles before a real gateway as people write them: each condition, little rights, classes, groups, names."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import errors
from psycopg.rows import TupleRow
from tests.conftest import Servers
from tests.gateway.serving import configuration
from tests.gateway.signed_in import House

from strongroom.config import StateAddress
from strongroom.people import sign_in
from strongroom.secret import Secret
from strongroom.state import open_state
from strongroom.testing.certificates import Authority
from strongroom.testing.gateway import Account, Gateway
from strongroom.testing.servers import PostgresServer

PASSWORD = "correct horse battery"
TABLES = """
CREATE TABLE people
    (id int PRIMARY KEY, iban bytea, name varchar(20), born date, salary numeric(8,2), vip bool);
CREATE TABLE ledger (id int PRIMARY KEY, amount int);
CREATE TABLE "People" (id int);
CREATE TABLE "peоple" (id int); -- with a Cyrillic o
"""
COLUMNS = {"public.people.iban": {"type": "text", "encryption": "randomized"}}
LOOK: dict[str, Any] = {
    "tables": {"public.people": ["select"]},
    "columns": {"public.people.id": {"show": "reveal", "filter": True}},
}
TOKYO, NEW_YORK = ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")


def hours(zone: ZoneInfo, *, begin: int = -1, days: range = range(7)) -> str:
    """Two hours that began so many hours from now, by the clock in Tokyo; said as those of a zone."""
    there = datetime.now(UTC).astimezone(TOKYO)
    names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    meant = ",".join(names[(there.weekday() + day) % 7] for day in days)
    clock = (f"{(there + timedelta(hours=more)):%H:%M}" for more in (begin, begin + 2))
    return f"{meant} {'-'.join(clock)} {zone.key}"


WHEN: dict[str, tuple[dict[str, Any], bool]] = {
    "here": ({"address": ["10.0.0.0/8", "127.0.0.1"]}, True),
    "elsewhere": ({"address": "10.0.0.0/8"}, False),
    "desk": ({"application": "desk"}, True),
    "other_desk": ({"application": "Desk"}, False),
    "in_hours": ({"hours": hours(TOKYO)}, True),
    "after_hours": ({"hours": hours(TOKYO, begin=2)}, False),
    "hours_elsewhere": ({"hours": hours(NEW_YORK)}, False),
    "these_days": ({"hours": hours(TOKYO, days=range(-1, 2))}, True),
    "other_days": ({"hours": hours(TOKYO, days=range(2, 6))}, False),
    "fresh": ({"second_factor": "15m"}, False),
    "certified": ({"certificate": True}, False),
    "all_at_once": ({"address": "127.0.0.1", "application": "desk", "hours": hours(TOKYO)}, True),
    "not_all": ({"address": "127.0.0.1", "application": "desk", "certificate": True}, False),
}
"""A condition each, and whether it holds of a session of this test."""
ROLES: dict[str, dict[str, Any]] = {
    **{name: {**LOOK, "when": when} for name, (when, _) in WHEN.items()},
    "app": {
        "tables": {"public.*": ["select", "insert", "update", "delete"]},
        "columns": {"*": "reveal", "class:secret": "nothing"},
    },
    "of_acme": {**LOOK, "when": {"tenant": "acme"}},
    "reads": {"tables": {"public.ledger": ["select"]}, "columns": {"public.ledger.*": "reveal"}},
    "appends": {"tables": {"public.ledger": ["select", "insert"]}, "columns": {"public.ledger.*": "reveal"}},
    "sees_nothing_yet": {"tables": {"public.people": ["select"]}},
    "of_the_class": {
        "tables": {"public.people": ["select"]},
        "columns": {"public.people.id": "reveal", "class:confidential": {"show": {"mask": "first", "n": 1}}},
    },
}


@pytest.fixture(scope="module")
def house(shop: PostgresServer) -> Iterator[House]:
    """An account for each role, and gina, who is in a group."""
    shop.create_database("circumstances")
    shop.run(TABLES, "circumstances")
    houses = []

    def first(gateway: Gateway) -> None:
        classes = {"public.*.secret*": "secret", "public.people.name": "confidential"}
        gateway.give_roles(
            ROLES,
            {name: [name] for name in ROLES},
            PASSWORD,
            classes=classes,
            mask_by_default=True,
            groups={"desk": ["reads"]},
            people={"gina": {"databases": [gateway.database], "groups": ["desk"]}},
        )
        state = open_state(StateAddress(gateway.folder / "state" / "state.db"))
        sign_in.add(state, "gina", Secret(PASSWORD), datetime.now(UTC) - timedelta(days=1))
        houses.append(House(gateway, state, {}))

    account = Account("app", PASSWORD)
    with Gateway.start(
        shop, "circumstances", account=account, more={"columns": COLUMNS}, first=first
    ) as running:
        with session(running, "app") as app:
            row = "INSERT INTO people VALUES (1, 'DE00', 'Johanna', '1987-06-05', 4711.00, true)"
            app.execute(row)
            app.execute("INSERT INTO ledger VALUES (1, 100)")
        yield houses[0]
        houses[0].state.close()


@contextmanager
def session(gateway: Gateway, account: str) -> Iterator[psycopg.Connection[TupleRow]]:
    """Logged in as an account, by a program that calls itself desk."""
    uri = gateway.uri(account, PASSWORD, application_name="desk")
    with psycopg.connect(uri, autocommit=True) as one:
        yield one


def may_look(one: psycopg.Connection[TupleRow]) -> bool:
    """Whether the session may read."""
    try:
        return one.execute("SELECT id FROM people").fetchall() == [(1,)]
    except errors.InsufficientPrivilege:
        return False


@pytest.mark.parametrize(("account", "counts"), [(name, counts) for name, (_, counts) in WHEN.items()])
def test_a_condition_of_a_role(house: House, account: str, counts: bool) -> None:
    """What the role gives counts while all that it names holds."""
    with session(house.gateway, account) as one:
        assert may_look(one) is counts


def test_a_certificate_is_a_condition(servers: Servers, authority: Authority) -> None:
    """The same account with its password alone may do nothing."""
    server = servers.server("15")
    server.create_database("certified")
    server.run("CREATE TABLE people (id int); INSERT INTO people VALUES (1)", "certified")

    def first(gateway: Gateway) -> None:
        gateway.give_roles({"certified": ROLES["certified"]}, {"till": ["certified"]}, PASSWORD)
        read = configuration(gateway)
        read["accounts"]["till"]["certificate"] = "till-1"
        gateway.configure(read)

    till = authority.client("till-1")
    shown = {"sslcert": str(till.certificate), "sslkey": str(till.key)}
    with Gateway.start(server, "certified", authority=authority, first=first) as gateway:
        for more, counts in ((shown, True), ({}, False)):
            with psycopg.connect(gateway.uri("till", PASSWORD, **more), autocommit=True) as one:
                assert may_look(one) is counts


@pytest.mark.parametrize("local", ["", "LOCAL "])
def test_a_tenant_is_a_condition(house: House, local: str) -> None:
    """By whom no other role counts, too; in a transaction that a driver begins by itself."""
    with psycopg.connect(house.gateway.uri("of_acme", PASSWORD)) as one:
        with pytest.raises(errors.InsufficientPrivilege):
            one.execute("SELECT id FROM people")
        one.rollback()
        one.execute(f"SET {local}strongroom.tenant = 'acme'".encode())
        assert one.execute("SELECT id FROM people").fetchall() == [(1,)]
        one.commit()
        assert may_look(one) is (local == "")
        one.rollback()
        one.execute(f"SET {local}strongroom.tenant = 'globex'".encode())
        with pytest.raises(errors.InsufficientPrivilege):
            one.execute("SELECT id FROM people")
        one.rollback()


def test_a_tenant_and_what_follows_in_one_text(house: House) -> None:
    """It does not count yet, so all of it is refused."""
    with session(house.gateway, "of_acme") as one:
        with pytest.raises(errors.FeatureNotSupported, match="barrier-in-batch"):
            one.execute("SET strongroom.tenant = 'acme'; SELECT id FROM people")
        assert one.execute("SET strongroom.tenant = 'globex'").pgresult is not None
        assert not may_look(one)


def test_an_account_that_only_reads(house: House) -> None:
    """And one that only adds: neither changes or takes away what is there."""
    with session(house.gateway, "reads") as reads, session(house.gateway, "appends") as appends:
        appends.execute("INSERT INTO ledger VALUES (2, 200)")
        assert reads.execute("SELECT id FROM ledger WHERE amount > 100").fetchall() == [(2,)]
        changes = (
            "UPDATE ledger SET amount = 0 WHERE id = 1",
            "DELETE FROM ledger WHERE id = 1",
            "TRUNCATE ledger",
            "DROP TABLE ledger",
            "ALTER TABLE ledger DROP COLUMN amount",
            "INSERT INTO ledger VALUES (1, 0) ON CONFLICT (id) DO UPDATE SET amount = 0",
            "MERGE INTO ledger l USING (VALUES (1)) v(i) ON l.id = v.i WHEN MATCHED THEN DELETE",
            "WITH d AS (DELETE FROM ledger WHERE id = 1 RETURNING id) SELECT id FROM d",
            "COPY ledger FROM STDIN",
            "GRANT ALL ON ledger TO PUBLIC",
        )
        for one in (reads, appends):
            for change in changes:
                with pytest.raises(errors.InsufficientPrivilege):
                    one.execute(change.encode())
        with pytest.raises(errors.InsufficientPrivilege):
            reads.execute("INSERT INTO ledger VALUES (3, 300)")
        assert reads.execute("SELECT amount FROM ledger ORDER BY id").fetchall() == [(100,), (200,)]


@pytest.mark.parametrize("binary", [False, True])
def test_what_is_not_declared_comes_masked_by_default(house: House, binary: bool) -> None:
    """As a constant of the column's type, of protected and of ordinary columns; and is no filter."""
    with session(house.gateway, "sees_nothing_yet") as one:
        row = one.execute("SELECT id, iban, name, born, salary, vip FROM people", binary=binary).fetchone()
        assert row == (0, "***", "***", date(1970, 1, 1), 0, False)
        with pytest.raises(errors.InsufficientPrivilege):
            one.execute("SELECT 1 FROM people WHERE vip")


def test_a_column_of_a_class_is_covered_on_its_first_day(house: House, shop: PostgresServer) -> None:
    """One that is made around the gateway, with a name that a line of classes matches."""
    with session(house.gateway, "app") as app, session(house.gateway, "of_the_class") as other:
        assert other.execute("SELECT id, name FROM people").fetchone() == (1, "J****")
        shop.run("ALTER TABLE people ADD COLUMN secret_pin int DEFAULT 1234", "circumstances")
        with pytest.raises(errors.InsufficientPrivilege, match=r"show on public\.people\.secret_pin"):
            app.execute("SELECT secret_pin FROM people")
        assert other.execute("SELECT secret_pin FROM people").fetchone() == (0,)
        assert app.execute("SELECT name FROM people").fetchone() == ("Johanna",)


@pytest.mark.parametrize("name", ['"People"', '"peоple"', "peоple", '"PEOPLE"', 'public."People"'])
def test_names_that_look_alike(house: House, name: str) -> None:
    """A rule for one says nothing of the other."""
    with session(house.gateway, "here") as one:
        with pytest.raises(errors.InsufficientPrivilege):
            one.execute(f"SELECT id FROM {name}".encode())
        assert one.execute('SELECT id FROM PEOPLE UNION ALL SELECT id FROM "people"').fetchall() == [(1,)] * 2


def test_a_group(house: House) -> None:
    """Who is in it has its roles."""
    with house.session("gina") as gina:
        assert gina.execute("SELECT id FROM ledger WHERE id = 1").fetchall() == [(1,)]
        with pytest.raises(errors.InsufficientPrivilege):
            gina.execute("SELECT id FROM people")
