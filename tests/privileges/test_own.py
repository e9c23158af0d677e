"""privileges/own.py: users of the gateway's, where no server is needed; test_compare.py has the rest."""

from strongroom.onboarding.finding import Verdict
from strongroom.privileges.facts import Facts, Grant, Member, Role, Thing
from strongroom.privileges.own import Standing, needs, new_user, own_findings
from strongroom.privileges.wanted import NOTHING, User, Wanted

GATEWAY = Role(20, "gateway", login=True)
GROUP = Role(30, "group")
DATABASE = Thing("DATABASE", ("shop",), 10, (Grant(0, "CONNECT", 10),))
PUBLIC_SCHEMA = Thing("SCHEMA", ("public",), 10, (Grant(0, "USAGE", 10),))
ORDERS = Thing("TABLE", ("public", "orders"), 10, (Grant(30, "SELECT", 10),), relkind="r")
READS = Wanted({("public", "orders"): frozenset({"SELECT"})}, {}, frozenset(), frozenset())


def standing(*members: Member, wanted: Wanted = READS) -> Standing:
    roles = {one.oid: one for one in (Role(10, "postgres", superuser=True), GATEWAY, GROUP)}
    facts = Facts(180000, roles, members, DATABASE, (PUBLIC_SCHEMA,), (ORDERS,))
    user = User("gateway", "databases.shop.upstream", {"accounts.app": wanted}, wanted)
    return Standing(facts, user, GATEWAY, "shop_owner", policed=True)


def test_a_membership_that_gives_no_more_than_the_policy() -> None:
    """Remains, and what it gives need not be granted again."""
    (found,) = own_findings(standing(Member(30, 20, 10)))
    assert found.verdict is Verdict.HOLDS


def test_one_that_gives_more() -> None:
    """Ends, without anything in its place if nothing of it was wanted."""
    (found,) = own_findings(standing(Member(30, 20, 10), wanted=NOTHING))
    assert found.verdict is Verdict.FAILS
    assert found.sql == ('REVOKE "group" FROM "gateway" GRANTED BY "postgres";',)


def test_what_a_new_user_gets() -> None:
    """All of it by itself: what everybody has may be taken back tomorrow."""
    facts = standing().facts
    assert new_user(facts, "new", READS) == (
        'CREATE ROLE "new" LOGIN;',
        'GRANT CONNECT ON DATABASE "shop" TO "new";',
        'GRANT USAGE ON SCHEMA "public" TO "new";',
        'GRANT SELECT ON TABLE "public"."orders" TO "new";',
    )
    assert needs(facts, GATEWAY, READS) == ('GRANT SELECT ON TABLE "public"."orders" TO "gateway";',)
