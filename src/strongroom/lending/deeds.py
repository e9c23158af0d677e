"""What people do with roles for a time: each deed is decided, kept and written down in one transaction.

Whoever acts has shown who they are (`people.model.Verified`) a moment ago; if they were disabled or renewed
since, nothing happens. Called by ``strongroom grant``, ``request``, ``approve``, ``deny``, ``revoke`` and
``break-glass``; `withdraw` by ``strongroom people``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from sqlalchemy.engine import Connection

from strongroom.errors import GrantUnknown, LoginRefused
from strongroom.lending import store
from strongroom.lending.model import Grant, Standing, Wanted, agreed, asked, denied, revoked
from strongroom.lending.store import RoleEvent
from strongroom.people.model import Verified
from strongroom.people.store import has_changed
from strongroom.policy.offers import Offer
from strongroom.policy.roles import Policy
from strongroom.state import State

ASKED = "a role was asked for"
GRANTED = "a role was granted"
AGREED = "a role was agreed to"
DENIED = "a role was denied"
REVOKED = "a role was revoked"
BROKE_GLASS = "the glass was broken"
ASSUMED = "a role was assumed"


def ask(state: State, policy: Policy, actor: Verified, wanted: Wanted) -> Grant:
    """A question by the person, a grant by another, or the glass broken; raises `GrantRefused`."""
    now, by = actor.second_factor_at, actor.person
    grant = Grant(
        0, wanted.role, wanted.person, wanted.length, wanted.reason, by, now, broke_glass=wanted.broke_glass
    )
    with _acting(state, actor) as connection:
        grant = store.add(connection, asked(_offer(policy, grant), grant))
        what = BROKE_GLASS if grant.broke_glass else ASKED if by == grant.person else _came(grant)
        _note(connection, what, grant, by, now)
    return grant


def approve(state: State, policy: Policy, actor: Verified, number: int) -> Grant:
    """Agrees to what was asked; raises `GrantRefused` and `GrantUnknown`."""
    now = actor.second_factor_at
    with _acting(state, actor) as connection:
        grant = _found(connection, number)
        grant = agreed(_offer(policy, grant), grant, actor.person, now)
        store.keep(connection, grant)
        _note(connection, _came(grant), grant, actor.person, now)
    return grant


def deny(state: State, policy: Policy, actor: Verified, number: int) -> Grant:
    """Answers a question with no; raises `GrantRefused` and `GrantUnknown`."""
    now = actor.second_factor_at
    with _acting(state, actor) as connection:
        grant = _found(connection, number)
        grant = denied(_offer(policy, grant), grant, actor.person, now)
        store.keep(connection, grant)
        _note(connection, DENIED, grant, actor.person, now)
    return grant


def revoke(state: State, policy: Policy, actor: Verified, number: int) -> Grant:
    """Takes back what is in force; raises `GrantRefused` and `GrantUnknown`."""
    now = actor.second_factor_at
    with _acting(state, actor) as connection:
        grant = _found(connection, number)
        role = policy.roles.get(grant.role)
        offers = () if role is None else (role.temporary, role.break_glass)
        grant = revoked(offers, grant, actor.person, now)
        store.keep(connection, grant)
        _note(connection, REVOKED, grant, actor.person, now)
    return grant


def withdraw(connection: Connection, person: str, now: datetime) -> None:
    """Ends what a person has or has asked for: whoever comes back under the name must ask anew.

    What they agreed to and is not in force yet is agreed to no more.
    """
    for grant in store.unended(connection):
        standing = grant.standing(now)
        if grant.person == person and standing in (Standing.WAITING, Standing.IN_FORCE):
            by = "strongroom people"
            store.keep(connection, replace(grant, ended_by=by, ended_at=now))
            _note(connection, REVOKED if standing is Standing.IN_FORCE else DENIED, grant, by, now)
        elif person in grant.agreed and standing is Standing.WAITING:
            store.keep(connection, replace(grant, agreed=grant.agreed - {person}))


@contextmanager
def _acting(state: State, actor: Verified) -> Iterator[Connection]:
    with state.engine.begin() as connection:
        if has_changed(connection, actor.person, actor.second_factor_at):
            raise LoginRefused("login refused", hint="Sign in again.")
        yield connection


def _offer(policy: Policy, grant: Grant) -> Offer | None:
    role = policy.roles.get(grant.role)
    if role is None:
        return None
    return role.break_glass if grant.broke_glass else role.temporary


def _came(grant: Grant) -> str:
    return AGREED if grant.begins is None else GRANTED


def _found(connection: Connection, number: int) -> Grant:
    grant = store.find(connection, number)
    if grant is None:
        raise GrantUnknown(f"there is no grant or request of number {number}")
    return grant


def _note(connection: Connection, what: str, grant: Grant, by: str, now: datetime) -> None:
    until = None if grant.until is None else grant.until.isoformat()
    details = {"grant": grant.id, "by": by, "reason": grant.reason, "until": until}
    store.note(connection, RoleEvent(0, now, what, grant.role, grant.person, details))
