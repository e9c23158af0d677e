"""``check --grants``: the policy beside what the databases themselves allow, one database after the other.

Each is asked once, in one read-only transaction, and nothing is changed: the SQL is printed for whoever
administers the database. What cannot be reached is a finding. Called by ``strongroom check``.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from strongroom.config import Settings
from strongroom.errors import StrongroomError
from strongroom.gateway.gate import owner_of, upstream_of
from strongroom.onboarding.finding import Finding, failed, fails
from strongroom.policy.authorizer import Authorizer
from strongroom.privileges.around import Surroundings, around_findings
from strongroom.privileges.facts import Facts, read_facts
from strongroom.privileges.own import Standing, own_findings
from strongroom.privileges.wanted import User, users


async def compare(
    settings: Settings, authorizer: Authorizer | None, administrators: Collection[str] = ()
) -> list[Finding]:
    """All gaps, with the SQL that closes each; ``authorizer`` is None where there is no policy.

    ``administrators`` are roles that nobody wants to do without, such as a provider's own.
    """
    found: list[Finding] = []
    for name in settings.databases:
        try:
            found += await _compare(settings, name, authorizer, frozenset(administrators))
        except StrongroomError as error:
            found.append(failed(f"databases.{name}", error))
    return found


async def _compare(
    settings: Settings, name: str, authorizer: Authorizer | None, administrators: frozenset[str]
) -> list[Finding]:
    connector, owner = upstream_of(name, settings), owner_of(name, settings)
    facts = await read_facts(connector)
    main = connector.upstream.credentials.user
    ours = users(settings, name, main, facts, authorizer)
    owning = _owner(facts, ours, None if owner is None else owner.upstream.credentials.user)
    around = Surroundings(f"databases.{name}", facts, tuple(ours), owning, administrators)
    found = [finding for user in ours for finding in _own(user, facts, ours, owning, authorizer)]
    return list(_each_role_once([*found, *around_findings(around)]))


def _each_role_once(found: Iterable[Finding]) -> Iterator[Finding]:
    """Several gaps may be closed by one new owner, who is made by the first."""
    made: set[str] = set()
    for one in found:
        yield replace(one, sql=tuple(statement for statement in one.sql if statement not in made))
        made.update(statement for statement in one.sql if statement.startswith("CREATE ROLE"))


def _own(
    user: User, facts: Facts, ours: list[User], owner: str, authorizer: Authorizer | None
) -> Iterator[Finding]:
    role = facts.named(user.name)
    if role is None:
        yield fails(
            user.place, f"there is no role {user.name} in the database", "Make it, or correct the name."
        )
        return
    others = frozenset(one.name for one in ours if one is not user)
    yield from own_findings(Standing(facts, user, role, owner, authorizer is not None, others))


def _owner(facts: Facts, ours: list[User], configured: str | None) -> str:
    """Who is to own things: the configured owner, unless the gateway's sessions are it, or a new role."""
    taken = {one.name for one in ours}
    if configured is not None and configured not in taken:
        return configured
    name = f"{facts.database.name[0]}_owner".encode()[:63].decode(errors="ignore")
    return name if name not in taken else f"strongroom_{name}".encode()[:63].decode(errors="ignore")
