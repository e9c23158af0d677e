"""Who may come in at one worker, as whom, and until when.

Accounts come with their password, a former one that counts still, or a certificate; people with what
``strongroom login`` gave them. Who it is the session finds out, by SCRAM against what is looked up here; then
this judges what the proof was worth, has the supervisor count it (`door`), and keeps whose sessions are
people's, to end them when their sign-in is over or was taken back.

Made by `server`.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import structlog

from strongroom.audit.records.sessions import Refusal
from strongroom.config import Account, Person, Settings
from strongroom.errors import AccessEnded, SessionOver
from strongroom.gateway.control import Line, Questions
from strongroom.gateway.driver import Driver
from strongroom.people import store
from strongroom.people.model import Credential, Verdict, judge
from strongroom.policy.model import Subject
from strongroom.secret import Secret
from strongroom.session import effects as do
from strongroom.session.events import LOGIN
from strongroom.session.login import Credentials, Method
from strongroom.state import State
from strongroom.wire.postgres.verifier import mock_verifier, parse_verifier

_log = structlog.get_logger("strongroom.entrance")

T = TypeVar("T")


class Entrance:
    """The log-ins of one worker."""

    def __init__(self, settings: Settings, state: State, line: Line, questions: Questions) -> None:
        self._settings = settings
        self._state = state
        self._line = line
        self._questions = questions
        self._shown: dict[Driver, Sequence[Credential]] = {}  # what those who log in now are held against
        self._admitted: dict[Driver, str] = {}
        self._refused: dict[Driver, Refusal] = {}  # whose credential was not good, until that is recorded
        self._people: dict[Driver, Credential] = {}

    @property
    def admitted(self) -> int:
        """How many sessions have a place."""
        return len(self._admitted)

    def has(self, driver: Driver) -> bool:
        """Whether a session was admitted, and is here."""
        return driver in self._admitted

    def holder(self, account: str) -> Account | Person:
        """What the configuration says of an account or a person who was admitted."""
        return self._settings.accounts.get(account) or self._settings.people[account]

    # ---------------------------------------------------------------- coming in

    async def look_up(self, driver: Driver, account: str) -> Credentials | None:
        """How an account or a person may log in to the driver's database, or None."""
        person = self._settings.people.get(account)
        if person is not None and driver.database in person.databases:
            return await self._look_up_person(driver, account)
        configured = self._settings.accounts.get(account)
        secrets: Sequence[Secret]
        if configured is not None and configured.password is not None:
            secrets = [configured.password]
        else:  # an unknown account is looked for too, so that it takes as long
            secrets = await _elsewhere(partial(self._state.verifiers, account, datetime.now(UTC)))
        if configured is None or driver.database not in configured.databases:
            return None
        names = frozenset() if configured.certificate is None else frozenset([configured.certificate])
        if not secrets:
            return Credentials(None, names)
        first, *formers = (parse_verifier(secret.danger_reveal()) for secret in secrets)
        return Credentials(first, names, tuple(one for one in formers if one.is_beside(first)))

    async def _look_up_person(self, driver: Driver, person: str) -> Credentials | None:
        mock = mock_verifier(person, self._state.installation_secret)
        found = await _elsewhere(partial(_credentials, self._state, person))
        shown = [one for one in found if one.verifier.is_beside(mock)]
        if not shown or driver.client.lost:
            return None
        self._shown[driver] = shown
        return Credentials(shown[0].verifier, others=tuple(one.verifier for one in shown[1:]))

    async def admit(self, driver: Driver, asked: do.Admit) -> str | None:
        """Judge what a proof is worth, and ask the supervisor for a place; return why not, or None."""
        shown = self._shown.pop(driver, ())
        credential = shown[asked.met] if shown and asked.method is not None else None
        proved, counted = asked.method is not None, asked.method is not Method.CERTIFICATE
        if credential is not None and (why := _refusal(credential, driver)) is not None:
            proved = counted = False  # who holds one that is over, or not for here, guesses nothing
            self._refused[driver] = why
        fields = {"account": asked.account, "source": driver.source, "proved": proved, "counted": counted}
        refusal: str | None = await self._questions.ask("admit", **fields)
        if refusal is not None or not proved:
            return refusal or LOGIN
        self._admitted[driver] = asked.account
        if driver.client.lost:  # gone meanwhile
            self.left(driver)
        elif credential is not None:
            return await self._admit_person(driver, credential)
        elif asked.met:
            _log.warning("a former password was used", account=asked.account, source=driver.source)
        return None

    async def _admit_person(self, driver: Driver, credential: Credential) -> str | None:
        """Looks again, now that `revoked` would end the session: nothing is taken back in between."""
        self._people[driver] = credential
        if await _elsewhere(partial(_is_revoked, self._state, credential.id)):
            self.left(driver)
            self._refused[driver] = Refusal.REVOKED
            return LOGIN
        _log.info(
            "a person came in",
            session=driver.name,
            person=credential.person,
            source=driver.source,
            credential=credential.id,
        )
        return None

    def turned_away(self, driver: Driver, asked: do.Admit, refusal: str) -> tuple[str | None, Refusal]:
        """Who did not come in, None where nobody has the name, and why, for the record."""
        if (why := self._refused.pop(driver, None)) is not None:
            return asked.account, why
        is_known = asked.account in self._settings.accounts or asked.account in self._settings.people
        if refusal != LOGIN:
            return asked.account if is_known else None, Refusal.LIMIT
        if not is_known:
            return None, Refusal.UNKNOWN
        return asked.account, Refusal.PROOF if asked.method is None else Refusal.LOCKED

    def left(self, driver: Driver) -> None:
        """Give a connection's place back."""
        self._shown.pop(driver, None)
        self._refused.pop(driver, None)
        self._people.pop(driver, None)
        account = self._admitted.pop(driver, None)
        if account is not None:
            self._line.tell("release", account=account)

    def identity(self, driver: Driver) -> tuple[Subject, datetime | None]:
        """Who was admitted, with what the settings give them now, and when a second factor was shown."""
        name = self._admitted[driver]
        credential = self._people.get(driver)
        if credential is None:
            account = self._settings.accounts.get(name)
            return Subject(name, "account", frozenset(() if account is None else account.roles)), None
        person = self._settings.people.get(name)
        if person is None:
            return Subject(name, "person"), None
        roles, groups = frozenset(person.roles), frozenset(person.groups)
        return Subject(name, "person", roles, groups), credential.second_factor_at

    # ---------------------------------------------------------------- having to go

    def take(self, settings: Settings) -> None:
        """Go by other settings; people who may not be here by them go."""
        self._settings = settings
        for driver, credential in list(self._people.items()):
            person = settings.people.get(credential.person)
            if person is None or driver.database not in person.databases:
                _end(driver, credential)

    def revoked(self, credentials: Collection[str]) -> None:
        """End the sessions that were opened with these."""
        for driver, credential in list(self._people.items()):
            if credential.id in credentials:
                _end(driver, credential)

    def sweep(self) -> None:
        """End the sessions of people whose time is over; by the wall's clock, which a sleep does not stop."""
        now = datetime.now(UTC)
        for driver, credential in list(self._people.items()):
            if now >= credential.session_until:
                driver.expel(SessionOver("the time for which a sign-in counts is over"))


def _end(driver: Driver, credential: Credential) -> None:
    _log.warning("a person's session ends", session=driver.name, person=credential.person)
    driver.expel(AccessEnded("this person may not be here any more"))


_REFUSALS: Mapping[Verdict, Refusal] = {
    Verdict.EXPIRED: Refusal.EXPIRED,
    Verdict.FROM_THE_FUTURE: Refusal.EXPIRED,
    Verdict.REVOKED: Refusal.REVOKED,
    Verdict.ANOTHER_DATABASE: Refusal.ELSEWHERE,
    Verdict.ANOTHER_ADDRESS: Refusal.ELSEWHERE,
}


def _refusal(credential: Credential, driver: Driver) -> Refusal | None:
    """Why a credential opens nothing here and now; None where it is good."""
    verdict = judge(credential, database=driver.database, source=driver.source, now=datetime.now(UTC))
    if verdict is Verdict.GOOD:
        return None
    _log.warning(
        "a credential was refused",
        session=driver.name,
        person=credential.person,
        source=driver.source,
        credential=credential.id,
        why=verdict.value,
    )
    return _REFUSALS[verdict]


async def _elsewhere(work: Callable[[], T]) -> T:
    """In a thread: the state may be busy."""
    return await asyncio.get_running_loop().run_in_executor(None, work)


def _credentials(state: State, person: str) -> Sequence[Credential]:
    with state.engine.begin() as connection:
        return store.credentials_of(connection, person)


def _is_revoked(state: State, credential: str) -> bool:
    with state.engine.begin() as connection:
        return store.is_revoked(connection, credential)
