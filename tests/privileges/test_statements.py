"""privileges/statements.py: SQL in which names are quoted, and a privilege is taken back by who gave it."""

from strongroom.privileges.facts import PUBLIC, Default, Facts, Grant, Member, Role, Thing
from strongroom.privileges.statements import granted, handed_over, left, literal, quoted, revoked, undefaulted

ROLES = {one: Role(one, name) for one, name in ((10, "postgres"), (20, 'a"b'), (30, "c d"), (40, "e"))}
A = Thing("TABLE", ("s s", 't"1'), 10, (Grant(20, "SELECT", 10), Grant(30, "SELECT", 20)), relkind="r")
B = Thing("TABLE", ("public", "t2"), 10, (Grant(20, "SELECT", 10),), relkind="v")
PUBLIC_SCHEMA = Thing("SCHEMA", ("public",), 10, (Grant(PUBLIC, "USAGE", 10),))
CLOSED = Thing("SCHEMA", ("s s",), 10)


def facts(version: int = 180000, *members: Member) -> Facts:
    return Facts(version, ROLES, members, Thing("DATABASE", ("shop",), 10), (PUBLIC_SCHEMA, CLOSED), (A, B))


def test_names_are_quoted() -> None:
    """Whatever is in them."""
    assert quoted("Robert'); DROP", 'a"b') == '"Robert\'); DROP"."a""b"'
    assert literal("it's") == "'it''s'"


def test_revoke() -> None:
    """Things that lose the same go together; what was passed on goes with it."""
    taken = [(B, Grant(PUBLIC, "SELECT", 10)), (B, Grant(PUBLIC, "DELETE", 10))]
    assert revoked(facts(), taken) == ('REVOKE DELETE, SELECT ON TABLE "public"."t2" FROM PUBLIC;',)
    assert revoked(facts(), [(A, Grant(20, "SELECT", 10))]) == (
        'REVOKE SELECT ON TABLE "s s"."t""1" FROM "a""b" CASCADE;',
    )


def test_what_another_has_granted() -> None:
    """Is taken back as that role: PostgreSQL would leave it, and say nothing."""
    assert revoked(facts(), [(A, Grant(30, "SELECT", 20))]) == (
        'SET ROLE "a""b";',
        'REVOKE SELECT ON TABLE "s s"."t""1" FROM "c d";',
        "RESET ROLE;",
    )


def test_grant() -> None:
    """One statement for all that get the same, and none for what gets nothing."""
    wanted = [(A, {"SELECT"}), (B, {"SELECT"}), (PUBLIC_SCHEMA, {"USAGE"}), (CLOSED, set[str]())]
    assert granted(wanted, 'a"b') == (
        'GRANT USAGE ON SCHEMA "public" TO "a""b";',
        'GRANT SELECT ON TABLE "public"."t2", "s s"."t""1" TO "a""b";',
    )


def test_memberships() -> None:
    """From PostgreSQL 16 on one for each grantor, with what the member has passed on."""
    members = (Member(20, 30, 10), Member(20, 30, 40), Member(20, 40, 30))
    assert left(facts(150000, *members), 30, 20) == ('REVOKE "a""b" FROM "c d";',)
    assert left(facts(160000, *members), 30, 20) == (
        'REVOKE "a""b" FROM "c d" GRANTED BY "postgres" CASCADE;',
        'REVOKE "a""b" FROM "c d" GRANTED BY "e" CASCADE;',
    )


def test_new_owners() -> None:
    """Are made where they are not there, and get to where their tables are."""
    assert handed_over(facts(), [A, B], "new") == (
        'CREATE ROLE "new" NOLOGIN;',
        'ALTER TABLE "s s"."t""1" OWNER TO "new";',
        'ALTER VIEW "public"."t2" OWNER TO "new";',
        'GRANT USAGE ON SCHEMA "s s" TO "new";',
    )
    assert handed_over(facts(), [CLOSED, A], "e") == (
        'ALTER SCHEMA "s s" OWNER TO "e";',
        'ALTER TABLE "s s"."t""1" OWNER TO "e";',
    )


def test_functions_are_told_apart_by_their_arguments() -> None:
    """Which are SQL already, as PostgreSQL writes them."""
    one = Thing("ROUTINE", ("public", "f"), 10, (), arguments='a integer, "B" public.customers')
    assert granted([(one, {"EXECUTE"})], "e") == (
        'GRANT EXECUTE ON ROUTINE "public"."f"(a integer, "B" public.customers) TO "e";',
    )


def test_default_privileges() -> None:
    """In one schema, or in all."""
    grant = Grant(PUBLIC, "SELECT", 10)
    here, everywhere = Default(20, "s s", "r", (grant,)), Default(10, None, "S", (grant,))
    assert undefaulted(facts(), here, grant) == (
        'ALTER DEFAULT PRIVILEGES FOR ROLE "a""b" IN SCHEMA "s s" REVOKE SELECT ON TABLES FROM PUBLIC;'
    )
    assert undefaulted(facts(), everywhere, grant) == (
        'ALTER DEFAULT PRIVILEGES FOR ROLE "postgres" REVOKE SELECT ON SEQUENCES FROM PUBLIC;'
    )
