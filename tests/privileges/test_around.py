"""privileges/around.py: who is a gap and who is not; test_compare.py has each gap on a real server."""

from strongroom.onboarding.finding import Verdict
from strongroom.privileges.around import Surroundings, around_findings
from strongroom.privileges.facts import Facts, Grant, Role, Thing
from strongroom.privileges.wanted import NOTHING, User

OPEN = Thing("DATABASE", ("shop",), 10, (Grant(0, "CONNECT", 10),))
GATEWAY = User("gateway", "databases.shop.upstream", {}, NOTHING)


def around(*roles: Role, administrators: frozenset[str] = frozenset()) -> Surroundings:
    known = (Role(10, "postgres", login=True, superuser=True), Role(20, "gateway", login=True), *roles)
    facts = Facts(180000, {one.oid: one for one in known}, (), OPEN)
    return Surroundings("databases.shop", facts, (GATEWAY,), "owner", administrators)


def test_nobody_else() -> None:
    """That everybody may log in is no gap while there is nobody: groups, the owner and predefined roles."""
    inside = (Role(30, "group"), Role(31, "owner", login=True), Role(4200, "pg_monitor", bypassrls=True))
    (found,) = around_findings(around(*inside))
    assert found.verdict is Verdict.HOLDS


def test_whoever_may_log_in() -> None:
    """The gateway's users are let in by name before everybody is kept out."""
    (found,) = around_findings(around(Role(30, "metabase", login=True)))
    assert found.sql == (
        'GRANT CONNECT ON DATABASE "shop" TO "gateway";',
        'REVOKE CONNECT ON DATABASE "shop" FROM PUBLIC;',
    )


def test_administrators() -> None:
    """Are named, and let in."""
    master = Role(30, "master", login=True, createrole=True)
    found = list(around_findings(around(master, administrators=frozenset({"master"}))))
    assert [one.verdict for one in found] == [Verdict.HOLDS, Verdict.MIND]
    both = around(master, Role(31, "metabase", login=True), administrators=frozenset({"master"}))
    first, _ = around_findings(both)
    assert 'GRANT CONNECT ON DATABASE "shop" TO "master";' in first.sql
