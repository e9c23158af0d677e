"""A person signs in with password and code, and administrators add, renew and disable people.

Whatever is wrong, the words are the same and Argon2id is computed once: nothing tells an unknown name from a
wrong password or a wrong code. What was tried is counted when it is decided, in the transaction that uses up
the code: of many that try at once, no more count than one after the other, and a code counts once.

Called by ``strongroom login`` and ``strongroom people``.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from strongroom.audit.records.changes import AccountDeed
from strongroom.audit.records.sessions import Refusal
from strongroom.deeds import accounts
from strongroom.errors import LoginRefused, PersonUnknown
from strongroom.lending.deeds import withdraw
from strongroom.people import codes, passwords, store
from strongroom.people.model import Person, Verified
from strongroom.people.throttle import Rules
from strongroom.secret import Secret
from strongroom.state import State

NEVER = -1
"""The step before the first code."""
COMMAND = "command"
"""The source by which ``strongroom login`` counts: who can run it could choose any other at will."""


@dataclass(frozen=True, slots=True)
class PasswordAndCode:
    """What a person types."""

    person: str
    password: Secret
    code: str


@dataclass(frozen=True, slots=True)
class ByPasswordAndCode:
    """The way in that asks for both; a `people.model.Way`."""

    state: State
    rules: Rules

    def verify(self, claim: PasswordAndCode, *, source: str, now: datetime) -> Verified:
        """Who that is; raises ``LoginRefused``, the same for whatever was wrong."""
        with self.state.engine.begin() as connection:
            person = store.find_person(connection, claim.person)
        right = passwords.is_right(claim.password, None if person is None else person.password)
        with self.state.engine.begin() as connection:
            step = self._decide(connection, claim, person if right else None, source, now)
        if step is None:
            raise LoginRefused(
                "login refused",
                hint="Check name, password and code, and wait for a new code: each counts once. After several"
                " wrong tries nothing counts for a while.",
            )
        return Verified(claim.person, "password and totp", now)

    def _decide(
        self, connection: Connection, claim: PasswordAndCode, right: Person | None, source: str, now: datetime
    ) -> int | None:
        """The step of the code, now used up; None if the try is not good, which it is counted as."""
        tally = store.tally_of(connection, claim.person, source).at(now.timestamp(), self.rules)
        person = store.find_person(connection, claim.person)
        name = None if person is None else person.name
        if tally.is_locked(self.rules) or now.timestamp() < tally.free_at:
            accounts.turned_away(connection, name, Refusal.LOCKED, counted=False)
            return None
        step = None
        if person is not None and right is not None and _may_sign_in(person, right):
            step = codes.step_of(claim.code, person.totp, now, after=person.last_step)
        if step is None:
            tally = tally.failed(now.timestamp())
            store.keep_tally(connection, claim.person, source, tally)
            accounts.turned_away(connection, name, _why(person), counted=True)
            if person is not None and tally.is_locked(self.rules):
                accounts.locked(connection, person.name)
            return None
        store.use_step(connection, claim.person, step)
        store.drop_tally(connection, claim.person, source)
        return step


def add(state: State, name: str, password: Secret, now: datetime) -> Secret:
    """Gives a person a password and a second factor, in place of what there was; returns the latter's secret.

    What the person holds of before is taken back, roles for a time too, and wrong tries are forgotten. Raises
    ``PersonRefused``     for a password that is too short.
    """
    secret = codes.new_secret()
    person = Person(name, passwords.make(password), secret, NEVER, disabled=False, updated=now)
    with state.engine.begin() as connection:
        deed = AccountDeed.ADDED if store.find_person(connection, name) is None else AccountDeed.RESET
        store.store_person(connection, person)
        store.revoke(connection, name)
        withdraw(connection, name, now)
        store.drop_tallies(connection, name)
        accounts.account_changed(connection, deed, name)
    return secret


def disable(state: State, name: str, now: datetime) -> None:
    """A person can sign in no more, and sessions end within seconds; raises ``PersonUnknown``."""
    with state.engine.begin() as connection:
        if store.find_person(connection, name) is None:
            raise PersonUnknown(f"{name} was never added", hint="`strongroom people list` shows who was.")
        store.disable_person(connection, name, now)
        store.revoke(connection, name)
        withdraw(connection, name, now)
        accounts.account_changed(connection, AccountDeed.DISABLED, name)


def _why(person: Person | None) -> Refusal:
    """For the log alone: the person hears the same words whatever it was."""
    if person is None:
        return Refusal.UNKNOWN
    return Refusal.REVOKED if person.disabled else Refusal.PROOF


def _may_sign_in(person: Person, right: Person) -> bool:
    """Nobody renewed or disabled them since the password was found to be right."""
    return person.password == right.password and not person.disabled
