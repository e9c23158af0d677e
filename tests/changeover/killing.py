"""Dying at a chosen moment: at a step that a job tells of, or at a statement of a certain number."""

from collections.abc import Callable
from typing import Any, NoReturn

import psycopg
from tests.changeover.shop import Shop

from strongroom.changeover.model import Progress


class Killed(BaseException):
    """What a test raises where a process would die."""


def killing(when: Callable[[Progress], bool]) -> Callable[[Progress], None]:
    """A callback that kills the run where the condition holds."""

    def tell(progress: Progress) -> None:
        if when(progress):
            raise Killed

    return tell


class Mortal(psycopg.Connection[Any]):
    """A connection that dies at a statement of a certain number, with all that was not committed."""

    left = 10_000

    def execute(self, *arguments: Any, **options: Any) -> Any:
        """Counts down."""
        self.step()
        return super().execute(*arguments, **options)

    def step(self) -> None:
        """One step more; the last one is not taken."""
        self.left -= 1
        if self.left < 0:
            self.die()

    def die(self) -> NoReturn:
        """As a process would, for all that the database sees of it."""
        self.close()
        raise Killed


def mortal_connection(shop: Shop, statements: int) -> Mortal:
    """A connection to the shop, in autocommit, that lives for so many statements."""
    server = shop.server
    mortal = Mortal.connect(
        host=str(server.socket_folder),
        port=server.port,
        dbname=shop.database,
        user="postgres",
        autocommit=True,
    )
    mortal.left = statements
    return mortal
