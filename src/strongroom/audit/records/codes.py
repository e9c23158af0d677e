"""Which class and activity of OCSF each record is, and what stands in all of its kind.

A code (``metadata.event_code``) says which record an event is, and more finely than a class of OCSF does.
What it fixes is here and nowhere in a record, so that no record can contradict it. The classes are those of
OCSF 1.5; each later version that we know takes the same events (docs/adr/0100-records-are-ocsf-events.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from strongroom.audit.records import changes, running, sessions, statements
from strongroom.audit.records.layout import Path, leaves

OCSF_VERSION = "1.5.0"
"""The first in which all of it stands; https://schema.ocsf.io/1.5.0"""
FORMAT = "1"
"""The version of our own part: one that means something else, or leaves something out, has another."""

OTHER_ACTIVITY = 99
ALLOWED, DENIED = 1, 2
UNKNOWN, SUCCESS, FAILURE = 0, 1, 2
INFORMATIONAL, LOW, MEDIUM, HIGH = 1, 2, 3, 4

ACCOUNT_CHANGE = 3001
AUTHENTICATION = 3002
AUTHORIZE_SESSION = 3003
ENTITY_MANAGEMENT = 3004
USER_ACCESS_MANAGEMENT = 3005
EVENT_LOG_ACTIVITY = 1008
APPLICATION_LIFECYCLE = 6002
API_ACTIVITY = 6003
DATASTORE_ACTIVITY = 6005

CODE = ("metadata", "event_code")

Record = (
    sessions.SessionOpened
    | sessions.SessionClosed
    | sessions.LoginFailed
    | sessions.SignedIn
    | statements.Permitted
    | statements.Denied
    | statements.Intended
    | statements.Ended
    | changes.KeyChanged
    | changes.RoleChanged
    | changes.RoleAssumed
    | changes.AccountChanged
    | changes.ConfigurationChanged
    | running.ProcessTurned
    | running.JobTurned
    | running.CommandRun
    | running.Gap
    | running.Removed
    | running.ClockTurnedBack
)


@dataclass(frozen=True, slots=True)
class Code:
    """What a code fixes."""

    name: str
    record: type[Record]
    constants: Mapping[Path, Any]
    activity: int | None
    """None: the record says it."""

    @property
    def class_uid(self) -> int:
        """The class of OCSF."""
        return int(self.constants["class_uid",])


# Of each class: what OCSF requires that says the same in every event of ours.
_OF_CLASS: dict[int, dict[str, Any]] = {
    ACCOUNT_CHANGE: {},
    AUTHENTICATION: {"service.name": "strongroom"},
    AUTHORIZE_SESSION: {},
    ENTITY_MANAGEMENT: {"entity.type_id": 99},
    USER_ACCESS_MANAGEMENT: {},
    EVENT_LOG_ACTIVITY: {"log_provider": "strongroom", "log_type_id": 2},
    APPLICATION_LIFECYCLE: {"app.name": "Strongroom", "app.vendor_name": "Strongroom"},
    API_ACTIVITY: {"src_endpoint.name": "local"},
    DATASTORE_ACTIVITY: {"database.type_id": 1},
}


def _code(
    name: str,
    record: type[Record],
    class_uid: int,
    activity: int | None,
    severity: int = INFORMATIONAL,
    /,
    *,
    status: int | None = None,
    action: int | None = None,
    client: bool = False,
) -> Code:
    """``client``: the other end is a client's, not a command's on this machine."""
    constants: dict[str, Any] = {
        "category_uid": class_uid // 1000,
        "class_uid": class_uid,
        "severity_id": severity,
        "metadata.version": OCSF_VERSION,
        "metadata.log_version": FORMAT,
        "metadata.log_provider": "strongroom",
        "metadata.product.name": "Strongroom",
        "metadata.product.vendor_name": "Strongroom",
        **_OF_CLASS[class_uid],
    }
    if activity == OTHER_ACTIVITY:
        constants["activity_name"] = name.partition(".")[2].replace("_", " ")
    if status is not None:
        constants["status_id"] = status
    if action is not None:  # of the profile security_control
        constants["action_id"] = action
        constants["metadata.profiles"] = ["security_control"]
    if ("database", "name") in {one.place for one in leaves(record)}:
        constants["database.type_id"] = 1  # relational
    if client:
        constants["src_endpoint.name"] = "client"
    elif class_uid == DATASTORE_ACTIVITY:
        constants["src_endpoint.name"] = "local"
    places = {tuple(place.split(".")): value for place, value in constants.items()}
    return Code(name, record, MappingProxyType(places), activity)


def _statement(
    deed: str,
    record: type[Record],
    activity: int | None = None,
    *,
    severity: int = INFORMATIONAL,
    status: int | None = None,
    action: int | None = None,
) -> Code:
    """Of a statement; of most the record says what it does."""
    name, kind = f"statement.{deed}", DATASTORE_ACTIVITY
    return _code(name, record, kind, activity, severity, status=status, action=action, client=True)


def _deeds(record: type[Record], class_uid: int, deeds: Mapping[StrEnum, tuple[int, int]]) -> list[Code]:
    """Codes of one record: of each its activity and severity."""
    return [_code(deed.value, record, class_uid, *both) for deed, both in deeds.items()]


_K, _R, _A, _C = changes.KeyDeed, changes.RoleDeed, changes.AccountDeed, changes.ConfigurationDeed
_T, _J, _L = running.Turn, running.Job, running.Removal
_CREATE, _READ, _UPDATE, _DELETE = 1, 2, 3, 4  # of Entity Management
_ENABLE, _DISABLE, _ACTIVATE, _DEACTIVATE, _SUSPEND = 8, 9, 10, 11, 12
_ENCRYPT, _DECRYPT = 9, 10  # of Datastore Activity

CODES: Mapping[str, Code] = MappingProxyType({
    one.name: one
    for one in [
        _code("session.opened", sessions.SessionOpened, AUTHENTICATION, 1, status=SUCCESS, client=True),
        _code("session.closed", sessions.SessionClosed, AUTHENTICATION, 2, status=SUCCESS, client=True),
        _code("login.failed", sessions.LoginFailed, AUTHENTICATION, 1, LOW, status=FAILURE, client=True),
        _code("person.signed_in", sessions.SignedIn, AUTHENTICATION, 1, status=SUCCESS, client=True),
        _statement("permitted", statements.Permitted, action=ALLOWED),
        _statement("intended", statements.Intended, status=UNKNOWN, action=ALLOWED),
        _statement("ended", statements.Ended, OTHER_ACTIVITY),
        _statement("denied", statements.Denied, severity=LOW, status=FAILURE, action=DENIED),
        _code("role.assumed", changes.RoleAssumed, AUTHORIZE_SESSION, 1, MEDIUM, status=SUCCESS, client=True),
        _code("command.run", running.CommandRun, API_ACTIVITY, OTHER_ACTIVITY),
        _code("log.gap", running.Gap, EVENT_LOG_ACTIVITY, OTHER_ACTIVITY, HIGH, status=FAILURE),
        _code("clock.turned_back", running.ClockTurnedBack, EVENT_LOG_ACTIVITY, OTHER_ACTIVITY, MEDIUM),
        *_deeds(changes.KeyChanged, ENTITY_MANAGEMENT, {
            _K.CREATED: (_CREATE, INFORMATIONAL),
            _K.ROTATED: (_UPDATE, INFORMATIONAL),
            _K.ACTIVATED: (_ACTIVATE, INFORMATIONAL),
            _K.DEACTIVATED: (_DEACTIVATE, INFORMATIONAL),
            _K.SUSPENDED: (_SUSPEND, LOW),
            _K.COMPROMISED: (_UPDATE, HIGH),
            _K.FLOORS_SET: (_UPDATE, LOW),
            _K.DESTRUCTION_SCHEDULED: (_UPDATE, MEDIUM),
            _K.DESTRUCTION_CANCELLED: (_UPDATE, INFORMATIONAL),
            _K.DESTROYED: (_DELETE, MEDIUM),
            _K.EXPORTED: (_READ, HIGH),
            _K.IMPORTED: (_CREATE, MEDIUM),
            _K.BACKED_UP: (_READ, LOW),
            _K.RESTORED: (_CREATE, MEDIUM),
            _K.TENANT_ADDED: (_CREATE, INFORMATIONAL),
            _K.WITHDRAWN: (_DISABLE, MEDIUM),
            _K.RETURNED: (_ENABLE, INFORMATIONAL),
            _K.ROOT_ADDED: (_CREATE, MEDIUM),
            _K.ROOT_REMOVED: (_DELETE, MEDIUM),
            _K.HELD: (_UPDATE, INFORMATIONAL),
            _K.HOLD_LIFTED: (_UPDATE, LOW),
            _K.REHEARSED: (_READ, INFORMATIONAL),
            _K.ROLLED_BACK: (_UPDATE, HIGH),
            _K.OTHER: (OTHER_ACTIVITY, LOW),
        }),
        *_deeds(changes.ConfigurationChanged, ENTITY_MANAGEMENT, {
            _C.ACCEPTED: (_UPDATE, LOW),
            _C.WEAKENED: (_UPDATE, HIGH),
            _C.REFUSED: (_UPDATE, MEDIUM),
            _C.SIGNED: (_UPDATE, MEDIUM),
        }),
        *_deeds(changes.RoleChanged, USER_ACCESS_MANAGEMENT, {
            _R.ASKED: (OTHER_ACTIVITY, INFORMATIONAL),
            _R.AGREED: (OTHER_ACTIVITY, INFORMATIONAL),
            _R.GRANTED: (1, LOW),
            _R.DENIED: (OTHER_ACTIVITY, INFORMATIONAL),
            _R.REVOKED: (2, INFORMATIONAL),
            _R.BROKE_GLASS: (1, HIGH),
        }),
        *_deeds(changes.AccountChanged, ACCOUNT_CHANGE, {
            _A.ADDED: (1, LOW),
            _A.PASSWORD_CHANGED: (3, INFORMATIONAL),
            _A.RESET: (4, LOW),
            _A.DISABLED: (5, INFORMATIONAL),
            _A.LOCKED: (9, MEDIUM),
        }),
        *_deeds(running.ProcessTurned, APPLICATION_LIFECYCLE, {
            _T.STARTED: (3, INFORMATIONAL),
            _T.STOPPED: (4, LOW),
            _T.WORKER_STARTED: (3, INFORMATIONAL),
            _T.WORKER_DIED: (4, MEDIUM),
        }),
        *_deeds(running.Removed, EVENT_LOG_ACTIVITY, {
            _L.ERASED: (2, MEDIUM),
            _L.PRUNED: (2, MEDIUM),
        }),
        *_deeds(running.JobTurned, DATASTORE_ACTIVITY, {
            _J.PROTECT_BEGAN: (_ENCRYPT, LOW),
            _J.PROTECT_STOPPED: (_ENCRYPT, MEDIUM),
            _J.PROTECT_ENDED: (_ENCRYPT, LOW),
            _J.UNPROTECT_BEGAN: (_DECRYPT, HIGH),
            _J.UNPROTECT_STOPPED: (_DECRYPT, MEDIUM),
            _J.UNPROTECT_ENDED: (_DECRYPT, HIGH),
            _J.ROTATE_BEGAN: (_ENCRYPT, INFORMATIONAL),
            _J.ROTATE_STOPPED: (_ENCRYPT, MEDIUM),
            _J.ROTATE_ENDED: (_ENCRYPT, INFORMATIONAL),
        }),
    ]
})  # fmt: skip


def code_of(record: Record) -> Code:
    """The code of a record: its class's, or what it says was done."""
    for one in leaves(type(record)):
        if one.place == CODE:
            return CODES[getattr(record, one.name[0])]
    return _ONLY[type(record)]


_ONLY = {one.record: one for one in CODES.values()}
"""Of records that have one code."""


def type_uid(code: Code, activity: int) -> int:
    """OCSF's number of an event's type."""
    return code.class_uid * 100 + activity
