"""What a sign-in gives: a credential that works as a password wherever PostgreSQL's do, for minutes.

Its password has 128 random bits; the state keeps a SCRAM verifier of it, and to whom, to which database, from
which address and until when it belongs. All of a person's verifiers have one salt, the one that the gateway
shows for this name whether or not there is such a person: so several may count at a time (a server says its
salt before it sees a proof), and nobody learns who exists. One salt for several passwords would help who
tries passwords offline; of 128 random bits there is nothing to try.

Called by ``strongroom login``.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from strongroom.audit.records.sessions import Refusal
from strongroom.deeds import accounts
from strongroom.errors import LoginRefused, TooManyCredentials
from strongroom.people import store
from strongroom.people.model import Credential, Verified
from strongroom.secret import Secret
from strongroom.state import State
from strongroom.wire.postgres.verifier import make_verifier, mock_verifier

PASSWORD_BYTES = 16
OPEN_AT_MOST = 32
"""So many of one person may open sessions at a time; half of those that a session looks at."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A credential and its password, which is nowhere else."""

    credential: Credential
    password: Secret


def issue(
    state: State,
    verified: Verified,
    *,
    database: str,
    source: str,
    credential_time: timedelta,
    session_time: timedelta,
    now: datetime,
) -> Issued:
    """Makes a credential for who has shown who they are, and keeps what the gateway needs of it.

    Raises ``LoginRefused`` where the person was disabled or renewed since they showed it.
    """
    password = Secret(secrets.token_urlsafe(PASSWORD_BYTES))
    salt = mock_verifier(verified.person, state.installation_secret).salt
    credential = Credential(
        id=secrets.token_hex(8),
        person=verified.person,
        database=database,
        source=source,
        verifier=make_verifier(password, salt),
        second_factor_at=verified.second_factor_at,
        expires=now + credential_time,
        session_until=now + session_time,
    )
    with state.engine.begin() as connection:
        refusal = _refusal(connection, verified, now)
        if refusal is None:
            store.add_credential(connection, credential, now)
            _note(connection, credential)
        else:
            accounts.turned_away(connection, verified.person, refusal, counted=False)
    if refusal is Refusal.LIMIT:
        raise TooManyCredentials(
            f"{verified.person} holds {OPEN_AT_MOST} credentials that count still",
            hint="Use one of them, or wait until they expire.",
        )
    if refusal is not None:
        raise LoginRefused("login refused", hint="Sign in again.")
    return Issued(credential, password)


def _refusal(connection: Connection, verified: Verified, now: datetime) -> Refusal | None:
    if store.has_changed(connection, verified.person, verified.second_factor_at):
        return Refusal.REVOKED
    return Refusal.LIMIT if store.open_credentials(connection, verified.person, now) >= OPEN_AT_MOST else None


def _note(connection: Connection, credential: Credential) -> None:
    accounts.signed_in(
        connection,
        credential.person,
        database=credential.database,
        address=credential.source,
        credential=credential.id,
        expires=credential.expires,
        session_until=credential.session_until,
    )
