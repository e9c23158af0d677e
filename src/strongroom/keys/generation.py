"""Which state this is: an id that is drawn when it is made.

Called by ``approvals.py``, whose requests name the state that they are for.
"""

import secrets

from sqlalchemy import Column, Engine, Integer, Table, Text, select
from sqlalchemy.dialects.sqlite import insert

from strongroom.state import metadata

_identity = Table(
    "state_identity",
    metadata,
    Column("only", Integer, primary_key=True),
    Column("id", Text, nullable=False),
)


def state_id(engine: Engine) -> str:
    """The id of a state, drawn at the first call: 16 hexadecimal digits."""
    metadata.create_all(engine, tables=[_identity])
    drawn = insert(_identity).values(only=1, id=secrets.token_hex(8)).on_conflict_do_nothing()
    with engine.begin() as connection:
        connection.execute(drawn)
        return str(connection.scalar(select(_identity.c.id)))
