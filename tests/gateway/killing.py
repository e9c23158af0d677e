"""Dying at a question of a certain number to the database, or transaction in the state."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event
from tests.changeover.killing import Killed

from strongroom.gateway import kept
from strongroom.gateway.connector import Connector
from strongroom.gateway.inquiry import Row, ask


@contextmanager
def dying_after(statements: int) -> Iterator[None]:
    """Inside, whatever asks or begins once more often than this is ``Killed`` there."""
    left = statements

    def count(_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    async def counted(connector: Connector, query: str) -> list[Row]:
        count(query)
        return await ask(connector, query)

    event.listen(Engine, "begin", count)
    try:
        with pytest.MonkeyPatch.context() as mortal:
            mortal.setattr(kept, "ask", counted)
            yield
    finally:
        event.remove(Engine, "begin", count)
