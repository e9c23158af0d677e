"""Work on keys that dies at a certain step: a statement in the database, or a transaction in the state.

In this process it is cut there; run as a program, with the address of the database in ``DYING_DATABASE``, it
is killed by SIGKILL, as by the system when memory is short. In both, the state is the real file.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import psycopg
from sqlalchemy import event
from tests.changeover.killing import Killed, Mortal

import strongroom
from strongroom.cli.keys.work import KeyWork, Said
from strongroom.cli.worksite import Worksite, bar
from strongroom.config import load
from strongroom.gateway.protection import schemes_of
from strongroom.gateway.restoring import places_of_keys
from strongroom.state import State, open_state
from strongroom.testing.servers import PostgresServer

OFTEN = 400
ADDRESS = "DYING_DATABASE"


class Killable(Mortal):
    """Dies without a word."""

    def die(self) -> NoReturn:
        """Nothing is closed, and nothing is cleared away."""
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def address(server: PostgresServer, database: str) -> str:
    """Where the owner's connection goes to."""
    return f"host={server.socket_folder} port={server.port} dbname={database} user=postgres"


@contextmanager
def dying_work(
    file: Path, to: str, steps: int, said: Said = bar, kind: type[Mortal] = Mortal
) -> Iterator[KeyWork]:
    """A command that dies after so many steps, counted once it has prepared; the state is opened for it."""
    settings = load(file)
    (place,) = places_of_keys(settings)
    with opened(file) as state, kind.connect(to, autocommit=True) as mortal:
        work = KeyWork(
            Worksite(settings, state, place, schemes_of(settings, place.name), mortal), wait=False, said=said
        )
        mortal.left = steps
        event.listen(state.engine, "begin", lambda _: mortal.step())
        yield work


@contextmanager
def opened(file: Path) -> Iterator[State]:
    """The state, as one more process opens it."""
    state = open_state(load(file).state)
    try:
        yield state
    finally:
        state.close()


def cut_until_done(
    file: Path, to: str, deed: Callable[[KeyWork], object], holds: Callable[[], object], steps: range
) -> int:
    """Does it, cut again and again, each time some steps later; returns how often it was.

    ``holds`` looks on after each, and is true where all had been done before the end came.
    """
    for times, left in enumerate(steps):
        try:
            with dying_work(file, to, left) as work:
                deed(work)
        except (Killed, psycopg.OperationalError):
            if holds():
                return times + 1
        else:
            return times
    raise AssertionError


def killed_until_done(
    file: Path, to: str, columns: list[str], holds: Callable[[], object], steps: range
) -> int:
    """Rotates columns and seals their values anew, in processes that are killed; returns how many were.

    ``holds`` as above.
    """
    source = Path(strongroom.__file__).parent.parent
    here = Path(__file__).parents[3]
    environment = {**os.environ, ADDRESS: to, "PYTHONPATH": f"{source}{os.pathsep}{here}"}
    for times, left in enumerate(steps):
        command = [sys.executable, "-m", "tests.cli.keys.dying", str(file), str(left), *columns]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if run.returncode == 0:
            return times
        assert run.returncode == -signal.SIGKILL, run.stderr
        if holds():
            return times + 1
    raise AssertionError


def main(file: str, steps: str, *columns: str) -> None:
    """What is killed."""
    with dying_work(Path(file), os.environ[ADDRESS], int(steps), kind=Killable) as work:
        for schemes in work.groups(columns):
            work.rotate(schemes, reencrypt=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
