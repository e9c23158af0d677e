"""privileges/facts.py: what the catalog says, and who is a member of what through whom."""

import asyncio

import pytest
from tests.privileges.world import DATABASE, GATEWAY, PASSWORD, World

from strongroom.config import load
from strongroom.gateway.gate import upstream_of
from strongroom.privileges.facts import PUBLIC, Facts, Grant, Member, Role, Thing, facts_of, read_facts

NOTHING = Facts(180000, {}, (), Thing("DATABASE", ("shop",), 1))


def read(world: World) -> Facts:
    """As the gateway's user reads it, who has no power."""
    settings = load(world.file, {"PASSWORD": PASSWORD})
    return asyncio.run(read_facts(upstream_of("shop", settings)))


def test_what_an_ordinary_role_reads(world: World) -> None:
    """Owners, grants on tables and their columns, and nothing of PostgreSQL's or of ours."""
    world.run(
        "GRANT UPDATE (name) ON customers TO PUBLIC",
        "CREATE SCHEMA strongroom_keys",
        "CREATE TABLE strongroom_keys.keks (name text)",
    )
    facts = read(world)
    assert facts.database.name == (DATABASE,)
    assert {one.name for one in facts.tables} == {("My Shop", 'Order "Items"'), ("public", "customers")}
    customers = next(one for one in facts.tables if one.name[1] == "customers")
    found = {(facts.name_of(one.grantee), one.privilege) for one in customers.grants}
    assert {(GATEWAY, "SELECT"), ("PUBLIC", "UPDATE")} <= found
    (sequence,) = (one for one in facts.relations if one.kind == "SEQUENCE")
    assert sequence.table == ("My Shop", 'Order "Items"')


def test_nothing_is_written(world: World) -> None:
    """The question is asked in a transaction that may not."""
    world.run(f"ALTER DATABASE \"{DATABASE.replace(chr(34), chr(34) * 2)}\" SET log_statement = 'all'")
    read(world)
    log = world.server.log.read_text()
    assert "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY" in log


def test_memberships_are_followed() -> None:
    """Through others, in circles too, which old versions could have; the owner is pg_database_owner."""
    owner = Role(6171, "pg_database_owner")
    members = tuple(Member(of, member, 10) for of, member in ((2, 1), (3, 2), (1, 3), (9, 8)))
    facts = Facts(180000, {6171: owner}, members, Thing("DATABASE", ("shop",), 3))
    assert facts.reached(1) == {2, 3, 6171}
    assert facts.reached(8) == {9}
    assert facts.reached(9) == frozenset()


@pytest.mark.parametrize(("oid", "name"), [(PUBLIC, "PUBLIC"), (77, "77")])
def test_names(oid: int, name: str) -> None:
    """Of everybody, and of a role that was dropped while we read."""
    assert NOTHING.name_of(oid) == name


def test_an_empty_acl() -> None:
    """Everything was revoked, the owner's own too: nobody has anything."""
    answer = {
        "version": 180000,
        "roles": [[10, "postgres", True, True, True, True, True, True]],
        "members": [],
        "database": ["shop", 10, None],
        "schemas": [["public", 10, [[0, "USAGE", 10]]]],
        "relations": [["public", "t", "r", 10, None, None]],
        "functions": [],
        "reaching": [],
        "defaults": [],
        "servers": [],
        "slots": [],
    }
    facts = facts_of(answer)
    assert facts.database.grants == facts.tables[0].grants == ()
    assert facts.schemas[0].grants == (Grant(0, "USAGE", 10),)
    assert facts.roles[10].superuser
