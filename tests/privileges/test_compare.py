"""check --grants on real servers: each gap is found, and the SQL that is printed closes it."""

import contextlib

import psycopg
import pytest
from tests.privileges.world import ACCOUNTS, DATABASE, ITEMS, ROLES, World, open_gaps, sql_of

from strongroom.onboarding.finding import Verdict

G = '"Gate""way"'
D = '"the ""Shop"" db"'
DEFINER = "LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"
GAPS = {
    "superuser": ([f"ALTER ROLE {G} SUPERUSER"], ["is a superuser: nothing in the database binds it"]),
    "attributes": (
        [f"ALTER ROLE {G} CREATEROLE CREATEDB REPLICATION BYPASSRLS"],
        ["has CREATEROLE, REPLICATION, BYPASSRLS, CREATEDB"],
    ),
    "owner of a table": (
        [f"ALTER TABLE {ITEMS} OWNER TO {G}"],
        ['owns My Shop.Order "Items", and may alter and drop it'],
    ),
    "owner of all kinds": (
        [
            "CREATE VIEW seen AS SELECT id FROM customers",
            "CREATE MATERIALIZED VIEW kept AS SELECT 1 AS a",
            'CREATE SEQUENCE "Numbers"',
            f"CREATE FUNCTION known(a int, text) RETURNS int {DEFINER}",
            f"ALTER VIEW seen OWNER TO {G}",
            f"ALTER MATERIALIZED VIEW kept OWNER TO {G}",
            f'ALTER SEQUENCE "Numbers" OWNER TO {G}',
            f"ALTER FUNCTION known OWNER TO {G}",
            f'ALTER SCHEMA "My Shop" OWNER TO {G}',
            f"ALTER DATABASE {D} OWNER TO {G}",
        ],
        [" and 1 more, and may alter and drop it"],
    ),
    "member of an owner": (
        ["CREATE ROLE own", f"ALTER TABLE {ITEMS} OWNER TO own", f"GRANT own TO {G}"],
        ['is a member of own, and so has what own owns (My Shop.Order "Items")'],
    ),
    "chain to all data": (
        ['CREATE ROLE "Mid dle"', 'GRANT pg_read_all_data TO "Mid dle"', f'GRANT "Mid dle" TO {G}'],
        ["is a member of Mid dle, and so has pg_read_all_data (reads every table)"],
    ),
    "member by another grantor": (
        [
            "CREATE ROLE boss",
            "CREATE ROLE files",
            "GRANT pg_read_server_files TO files",
            "GRANT files TO boss WITH ADMIN OPTION",
            "SET ROLE boss",
            f"GRANT files TO {G}",
            "RESET ROLE",
        ],
        ["pg_read_server_files (reads the server's files)"],
    ),
    "member who passed it on": (
        [
            "CREATE ROLE files",
            "CREATE ROLE other",
            "GRANT pg_read_server_files TO files",
            f"GRANT files TO {G} WITH ADMIN OPTION",
            f"SET ROLE {G}",
            "GRANT files TO other",
            "RESET ROLE",
        ],
        ["is a member of files"],
    ),
    "member with more on tables": (
        ["CREATE ROLE writers", f"GRANT SELECT, DELETE ON {ITEMS} TO writers", f"GRANT writers TO {G}"],
        ['and so has more than the policy gives on My Shop.Order "Items"'],
    ),
    "more on tables": (
        [f"GRANT DELETE, TRUNCATE, TRIGGER ON {ITEMS} TO {G}", f"GRANT UPDATE (name) ON customers TO {G}"],
        ["may DELETE, TRIGGER, TRUNCATE on", "may UPDATE on public.customers"],
    ),
    "more by another grantor": (
        [
            'CREATE ROLE "By stander"',
            'GRANT USAGE ON SCHEMA public TO "By stander"',
            'GRANT DELETE ON customers TO "By stander" WITH GRANT OPTION',
            'SET ROLE "By stander"',
            f"GRANT DELETE ON customers TO {G}",
            "RESET ROLE",
        ],
        ["may DELETE on public.customers"],
    ),
    "more that was passed on": (
        [
            "CREATE ROLE other",
            f"GRANT DELETE ON customers TO {G} WITH GRANT OPTION",
            f"SET ROLE {G}",
            "GRANT DELETE ON customers TO other",
            "RESET ROLE",
        ],
        ["may DELETE on public.customers"],
    ),
    "creates": (
        [f'GRANT CREATE ON SCHEMA "My Shop" TO {G}', f"GRANT CREATE ON DATABASE {D} TO {G}"],
        ["may CREATE in My Shop", 'may CREATE in the "Shop" db'],
    ),
    "calls with others' rights": (
        [
            f'CREATE FUNCTION "My Shop"."Do it"(customers) RETURNS int {DEFINER}',
            'REVOKE EXECUTE ON FUNCTION "My Shop"."Do it" FROM PUBLIC',
            f'GRANT EXECUTE ON FUNCTION "My Shop"."Do it" TO {G}',
        ],
        ["may call My Shop.Do it(public.customers), which do more than their caller may"],
    ),
    "calls of PostgreSQL's own": (
        [f"GRANT EXECUTE ON FUNCTION pg_read_file(text) TO {G}"],
        ["may call pg_catalog.pg_read_file(text), which do more than their caller may"],
    ),
    "PostgreSQL's own for everybody": (
        ["GRANT EXECUTE ON FUNCTION pg_ls_dir(text) TO PUBLIC"],
        ["pg_catalog.pg_ls_dir(text) reach what PostgreSQL keeps from everybody"],
    ),
    "more by default": (
        [f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT DELETE ON TABLES TO {G}"],
        ["will have DELETE on whatever postgres makes in public"],
    ),
    "everybody logs in": (
        ['CREATE ROLE "Meta base" LOGIN', f"GRANT CONNECT ON DATABASE {D} TO PUBLIC"],
        ['whoever may log in to the server may log in to the "Shop" db: Meta base'],
    ),
    "somebody logs in": (
        ['CREATE ROLE "Meta base" LOGIN', f'GRANT CONNECT ON DATABASE {D} TO "Meta base"'],
        ['Meta base may log in to the "Shop" db directly, by a right of Meta base'],
    ),
    "a group logs in": (
        [
            'CREATE ROLE "Meta base" LOGIN',
            "CREATE ROLE people",
            'GRANT people TO "Meta base"',
            f"GRANT CONNECT ON DATABASE {D} TO people",
        ],
        ['Meta base may log in to the "Shop" db directly, by a right of people'],
    ),
    "another superuser": (['CREATE ROLE "God" SUPERUSER'], ["God is a superuser, whom nothing binds"]),
    "attributes of others": (
        ['CREATE ROLE "Rep" REPLICATION LOGIN', "CREATE ROLE past BYPASSRLS CREATEROLE"],
        ["Rep has REPLICATION: it streams all changes", "past has CREATEROLE, BYPASSRLS"],
    ),
    "others' chains": (
        [
            'CREATE ROLE "Meta base" LOGIN',
            "CREATE ROLE people",
            'GRANT people TO "Meta base"',
            "GRANT pg_write_all_data TO people",
        ],
        ["Meta base, which may log in, is a member of people, and so has pg_write_all_data"],
    ),
    "a member of the gateway": (
        ['CREATE ROLE "Meta base" LOGIN', f'GRANT {G} TO "Meta base"'],
        ["and so has all that the gateway's own user Gate\"way may"],
    ),
    "an owner who logs in": (
        ['CREATE ROLE "Meta base" LOGIN', 'ALTER TABLE customers OWNER TO "Meta base"'],
        ["Meta base, which may log in, owns public.customers"],
    ),
    "what everybody may": (
        [
            f"GRANT SELECT ON {ITEMS} TO PUBLIC",
            "GRANT UPDATE (name) ON customers TO PUBLIC",
            "CREATE SEQUENCE numbers",
            "GRANT USAGE ON SEQUENCE numbers TO PUBLIC",
            "GRANT CREATE ON SCHEMA public TO PUBLIC",
        ],
        ["everybody may SELECT, UPDATE, USAGE on", "everybody may CREATE on public (PUBLIC)"],
    ),
    "functions for everybody": (
        [
            f"CREATE FUNCTION known(a int DEFAULT 1, VARIADIC b text[] DEFAULT '{{}}') RETURNS int {DEFINER}",
            f'CREATE FUNCTION "Un known"() RETURNS int {DEFINER}',
            "CREATE PROCEDURE done(a int) LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        ],
        ["run with their owner's rights, and everybody may call them"],
    ),
    "defaults of others": (
        [
            "CREATE ROLE maker",
            'CREATE ROLE "Meta base"',
            "ALTER DEFAULT PRIVILEGES FOR ROLE maker GRANT SELECT ON TABLES TO PUBLIC",
            'ALTER DEFAULT PRIVILEGES IN SCHEMA "My Shop" GRANT USAGE ON SEQUENCES TO "Meta base"',
        ],
        [
            "everybody will have SELECT on what maker makes in any schema",
            "Meta base will have USAGE on what postgres makes in My Shop",
        ],
    ),
    "foreign servers": (
        [
            "CREATE FOREIGN DATA WRAPPER far",
            'CREATE SERVER "Far away" FOREIGN DATA WRAPPER far',
            'GRANT USAGE ON FOREIGN SERVER "Far away" TO PUBLIC',
            'CREATE USER MAPPING FOR PUBLIC SERVER "Far away"',
            f'CREATE USER MAPPING FOR {G} SERVER "Far away"',
        ],
        ["the foreign server Far away leads to another database, for Gate\"way, PUBLIC"],
    ),
}  # fmt: skip


def works(world: World) -> None:
    """What the policy gives, the gateway's user may still do in the database."""
    assert world.may(f"SELECT * FROM {ITEMS}")
    assert world.may(f"INSERT INTO {ITEMS} (note) VALUES ('x')")
    assert world.may("SELECT * FROM customers")


def test_as_it_should_be(world: World) -> None:
    """Nothing is to be done."""
    found = world.found()
    assert {one.verdict for one in found} == {Verdict.HOLDS}, found
    assert [one.subject for one in found] == ["databases.shop.upstream", "databases.shop"]
    works(world)


@pytest.mark.parametrize("gap", GAPS)
def test_the_sql_closes_the_gap(world: World, gap: str) -> None:
    """It is found, and after what is printed was run it is gone, and the gateway works on."""
    made, expected = GAPS[gap]
    world.run(*made)
    found = world.found()
    for words in expected:
        assert any(words in remark for remark in open_gaps(found)), open_gaps(found)
    world.run(*sql_of(found))
    assert {one.verdict for one in world.found()} == {Verdict.HOLDS}
    works(world)


def test_everything_at_once(world: World) -> None:
    """Statements of one gap do not stand in the way of others, and all of it is one transaction."""
    made = [statement for gap, _ in GAPS.values() for statement in gap]
    for statement in dict.fromkeys(made):
        with contextlib.suppress(psycopg.errors.DuplicateObject, psycopg.errors.DuplicateFunction):
            world.run(statement)
    world.run("BEGIN", *sql_of(world.found()), "COMMIT")
    again = world.found()
    assert {one.verdict for one in again} == {Verdict.HOLDS}, again


@pytest.mark.parametrize("kind", ["physical", "logical"])
def test_replication_slots(world: World, kind: str) -> None:
    """Are named, with how to drop them; whether they are right only people know."""
    plugin = "" if kind == "physical" else ", 'pgoutput'"
    world.run(f"SELECT pg_create_{kind}_replication_slot('carry'{plugin})")
    (slot,) = (one for one in world.found() if "slot" in one.remark)
    assert slot.verdict is Verdict.MIND
    assert f"the {kind} replication slot carry" in slot.remark
    world.run(*slot.sql)
    assert not any("slot" in one.remark for one in world.found())


def test_dblink(world: World) -> None:
    """Everybody may connect from the server to anywhere, as it comes."""
    with world.server.connect(DATABASE) as connection:
        there = connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'dblink'").fetchone()
    if there is None:
        pytest.skip("this PostgreSQL has no dblink")
    try:
        world.run("CREATE EXTENSION dblink")
    except psycopg.errors.UndefinedFile:
        pytest.skip("the dblink of this PostgreSQL is of another libpq")
    found = world.found()
    (gap,) = open_gaps(found)
    assert "connect to databases from the server" in gap
    world.run(*sql_of(found))
    assert open_gaps(world.found()) == []
    assert not world.may("SELECT dblink_connect('')")


def test_a_foreign_server_of_the_gateway(world: World) -> None:
    """May be what foreign tables need: it is said, with how to end it."""
    world.run(
        "CREATE FOREIGN DATA WRAPPER far",
        "CREATE SERVER away FOREIGN DATA WRAPPER far",
        f"CREATE USER MAPPING FOR {G} SERVER away",
    )
    found = world.found()
    assert open_gaps(found) == []
    assert sql_of(found) == [f'DROP USER MAPPING FOR {G} SERVER "away";']


def test_what_the_gateway_lacks(world: World) -> None:
    """A right that the policy gives and the database does not is said, and given."""
    world.run(f"REVOKE INSERT ON {ITEMS} FROM {G}", f'REVOKE USAGE ON SCHEMA "My Shop" FROM {G}')
    found = world.found()
    assert open_gaps(found) == []
    assert any(one.verdict is Verdict.MIND and "has no right of its own" in one.remark for one in found)
    world.run(*sql_of(found))
    works(world)


def test_a_function_that_a_role_calls_remains(world: World) -> None:
    """PUBLIC loses it, and the gateway's user keeps it."""
    world.run(
        f"CREATE FUNCTION known() RETURNS int {DEFINER}", f"CREATE FUNCTION other() RETURNS int {DEFINER}"
    )
    world.run(*sql_of(world.found()))
    assert world.may("SELECT known()")
    assert not world.may("SELECT other()")


def test_what_the_policy_gives_is_no_gap(world: World) -> None:
    """Another policy, and the same grants are right."""
    world.run(f"GRANT DELETE, TRUNCATE ON {ITEMS} TO {G}", f'GRANT CREATE ON SCHEMA "My Shop" TO {G}')
    assert len(open_gaps(world.found())) == 2
    tables = {
        '"My Shop".*': ["select", "insert", "delete", "truncate", "ddl"],
        "public.customers": ["select"],
    }
    world.configure(
        roles={"application": ROLES["application"] | {"tables": tables}},
        accounts={"app": {"databases": ["shop"], "roles": ["application"]}},
    )
    assert open_gaps(world.found()) == []


def test_accounts_that_share_a_user(world: World) -> None:
    """Each that may do less than the others is named, with the SQL of a user of its own."""
    accounts = {**ACCOUNTS, "reports": {"databases": ["shop"], "roles": ["reader"]}}
    world.configure(roles=ROLES, accounts=accounts)
    (shared,) = (one for one in world.found() if one.subject == "accounts.reports")
    assert shared.verdict is Verdict.MIND
    assert 'which others share who may do more on My Shop.Order "Items"' in shared.remark
    world.run(*shared.sql)
    assert world.may("SELECT * FROM customers", "strongroom_reports")
    assert not world.may("DELETE FROM customers", "strongroom_reports")
    own = {"upstream_user": "strongroom_reports", "upstream_password": "${PASSWORD}"}
    world.configure(roles=ROLES, accounts={**accounts, "reports": accounts["reports"] | own})
    again = world.found()
    assert {one.verdict for one in again} == {Verdict.HOLDS}
    assert [one.subject for one in again][1] == "accounts.reports.upstream_user"


def test_the_superuser_of_the_cluster(world: World) -> None:
    """Cannot be made another: the gateway gets a user of its own."""
    world.configure(user="postgres", roles=ROLES, accounts=ACCOUNTS)
    found = world.found()
    (gap,) = (one for one in found if "the superuser of the whole cluster" in one.remark)
    world.run(*gap.sql)
    name = 'strongroom_the "Shop" db'
    assert world.may(f"INSERT INTO {ITEMS} (note) VALUES ('x')", name)
    assert not world.may(f"DELETE FROM {ITEMS}", name)


def test_without_a_policy(world: World) -> None:
    """There is nothing to compare with: what is on tables passes, what is beyond them does not."""
    world.configure(accounts={"app": {"databases": ["shop"]}})
    world.run(f"GRANT ALL ON {ITEMS} TO {G}")
    assert open_gaps(world.found()) == []
    world.run(f"ALTER TABLE {ITEMS} OWNER TO {G}")
    found = world.found()
    assert len(open_gaps(found)) == 1
    world.run(*sql_of(found))
    assert open_gaps(world.found()) == []
    assert world.may(f"DELETE FROM {ITEMS}")


def test_an_owner_that_is_configured(world: World) -> None:
    """Gets what the gateway must not own, and may log in: `protect` does."""
    world.run(
        'CREATE ROLE "Own er" LOGIN',
        f'GRANT CONNECT ON DATABASE {D} TO "Own er"',
        'ALTER TABLE customers OWNER TO "Own er"',
        f"ALTER TABLE {ITEMS} OWNER TO {G}",
    )
    world.configure(owner="Own er", roles=ROLES, accounts=ACCOUNTS)
    found = world.found()
    assert len(open_gaps(found)) == 1
    assert not any(statement.startswith("CREATE ROLE") for statement in sql_of(found))
    world.run(*sql_of(found))
    assert open_gaps(world.found()) == []
    assert world.may(f"ALTER TABLE {ITEMS} ADD more int", "Own er")


def test_administrators_are_no_gap(world: World) -> None:
    """Whoever is named as one, as the provider's own: it is said, and nothing is to be taken from it."""
    world.run('CREATE ROLE "Mas ter" LOGIN CREATEROLE', f'GRANT CONNECT ON DATABASE {D} TO "Mas ter"')
    assert len(open_gaps(world.found())) == 2
    found = world.found("Mas ter")
    assert sql_of(found) == []
    assert next(one.remark for one in found if one.verdict is Verdict.MIND).startswith(
        "Mas ter administers it"
    )


def test_a_user_that_is_not_there(world: World) -> None:
    """Nobody can log in as it."""
    own = {"upstream_user": "nobody here", "upstream_password": "${PASSWORD}"}
    world.configure(roles=ROLES, accounts={"app": ACCOUNTS["app"] | own})
    assert "there is no role nobody here in the database" in open_gaps(world.found())


def test_a_database_that_does_not_answer(world: World) -> None:
    """Is a finding."""
    world.run(f"ALTER ROLE {G} NOLOGIN")
    (failed,) = world.found()
    assert failed.verdict is Verdict.FAILS
    assert "upstream-login-refused" in failed.remark
