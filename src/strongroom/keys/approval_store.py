"""What one state knows of approvals: what was required when they were last used, and which were used.

An approval is noted in the transaction in which its act is written down as begun, so that it serves once.
What is required is kept when it is new or stricter; less than that is refused until the people on record have
signed it. Called by ``cli/keys/approving.py`` and ``gateway/protection.py``.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Boolean, Column, Connection, DateTime, Engine, Table, Text, select
from sqlalchemy.dialects.sqlite import insert

from strongroom.errors import ApprovalUsed
from strongroom.keys.approvals import Request, Requirement, refuse_weaker
from strongroom.keys.journal import note
from strongroom.keys.sshsig import parse_public_key
from strongroom.state import metadata

_required = Table(
    "approvals_required",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("requirement", Text, nullable=False),
    Column("since", DateTime, nullable=False),
)
_used = Table(
    "approvals_used",
    metadata,
    Column("nonce", Text, primary_key=True),
    Column("at", DateTime, nullable=False),
    Column("done", Boolean, nullable=False),
)


class Approvals:
    """What one state knows of approvals; ``scope`` keeps apart what different rooms require."""

    def __init__(self, engine: Engine, scope: str = "keys") -> None:
        metadata.create_all(engine, tables=[_required, _used])
        self._engine = engine
        self._scope = scope

    def recorded(self) -> Requirement | None:
        """What was required when it was last used."""
        with self._engine.begin() as connection:
            return self._recorded(connection)

    def required(self, configured: Requirement | None) -> Requirement | None:
        """What holds now, written down where it is new or stricter; raises ``ApprovalsWeakened``."""
        with self._engine.begin() as connection:
            recorded = self._recorded(connection)
            refuse_weaker(configured, recorded)
            if configured is not None and configured != recorded:
                self._record(connection, configured)
        return configured

    def change(self, configured: Requirement | None, people: Sequence[str]) -> None:
        """Writes down what is required from now on, which ``people`` agreed to; None is nothing."""
        with self._engine.begin() as connection:
            self._record(connection, configured, signed_by=", ".join(people))

    def begin(self, request: Request, people: Sequence[str], *, resumable: bool) -> None:
        """Notes the act and who signed it, on the disk before it begins; raises ``ApprovalUsed``.

        One that a kill may interrupt, and that is then run again, is ``resumable``: until it is done, its
        approval holds.
        """
        row = {"nonce": request.nonce, "at": _now(), "done": not resumable}
        with self._engine.begin() as connection:
            done = connection.scalar(select(_used.c.done).where(_used.c.nonce == request.nonce))
            if done is True or (done is False and not resumable):
                raise ApprovalUsed("what was signed has been done already")
            connection.execute(insert(_used).values(row).on_conflict_do_nothing())
            details = {"by": ", ".join(people), "request": request.nonce, "asked_by": request.asked_by}
            note(connection, f"{request.act.kind} approved", request.act.words, **details)

    def done(self, request: Request) -> None:
        """The act is done: its approval holds no longer."""
        with self._engine.begin() as connection:
            connection.execute(_used.update().where(_used.c.nonce == request.nonce).values(done=True))

    def _recorded(self, connection: Connection) -> Requirement | None:
        found = connection.scalar(select(_required.c.requirement).where(_required.c.scope == self._scope))
        return None if found is None else _read(found)

    def _record(self, connection: Connection, requirement: Requirement | None, **details: object) -> None:
        where = _required.c.scope == self._scope
        connection.execute(_required.delete().where(where))
        if requirement is not None:
            row = {"scope": self._scope, "requirement": _written(requirement), "since": _now()}
            connection.execute(_required.insert().values(row))
        fields = {} if requirement is None else requirement.fields
        note(connection, "approvals recorded", self._scope, **details, **fields)


def _written(requirement: Requirement) -> str:
    return json.dumps(
        {
            "needed": requirement.needed,
            "by": {name: [str(key) for key in keys] for name, keys in requirement.by.items()},
            "for": sorted(requirement.acts),
        }
    )


def _read(text: str) -> Requirement:
    found = json.loads(text)
    by = {name: tuple(parse_public_key(key) for key in keys) for name, keys in found["by"].items()}
    return Requirement(found["needed"], by, frozenset(found["for"]))


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
