"""Records of people and accounts, each noted in the transaction in which it happens.

Called by ``people`` and by ``strongroom password``.
"""

from datetime import datetime

from sqlalchemy.engine import Connection

from strongroom.audit.records.changes import AccountChanged, AccountDeed
from strongroom.audit.records.sessions import UNKNOWN_USER, LoginFailed, Refusal, SignedIn, Way
from strongroom.audit.records.shared import Holder, Result
from strongroom.deeds.present import note
from strongroom.deeds.whose import GATEWAY


def account_changed(connection: Connection, deed: AccountDeed, user: str) -> None:
    """Somebody changed who may come in, or by what."""
    note(connection, lambda head, doer: AccountChanged(head, doer, deed, user, Result.SUCCESS))


def locked(connection: Connection, user: str) -> None:
    """Too many wrong tries: for a while nothing counts, and nobody did that but the gateway's rules."""
    deed = AccountDeed.LOCKED
    note(connection, lambda head, _: AccountChanged(head, GATEWAY, deed, user, Result.SUCCESS))


def signed_in(
    connection: Connection,
    person: str,
    *,
    database: str,
    address: str,
    credential: str,
    expires: datetime,
    session_until: datetime,
) -> None:
    """A person got a credential, of which the id is recorded."""
    ends, over = _milliseconds(expires), _milliseconds(session_until)
    way, kind = Way.PASSWORD_AND_CODE, Holder.PERSON
    note(
        connection,
        lambda head, _: SignedIn(head, person, kind, way, True, database, credential, ends, over, address),
    )


def turned_away(connection: Connection, person: str | None, refusal: Refusal, *, counted: bool) -> None:
    """A sign-in was refused; ``person`` is None where nobody has the name: passwords are typed there."""
    user, way = UNKNOWN_USER if person is None else person, Way.PASSWORD_AND_CODE
    note(connection, lambda head, _: LoginFailed(head, user, way, refusal, counted), minor=True)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
