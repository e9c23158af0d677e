"""Long statements are analysed in a process of their own, so that a worker's other sessions go on meanwhile.

Python does one thing at a time in a process, and the parser holds it for the whole of a text: a thread would
not do. Each worker has one analyst, started with its first long text and ended when it had nothing to do for
a while; it has the catalog and the texts, but no keys, state, configuration or connection. Literals come back
as they are and are sealed by the worker.

Both sides send pickled objects, each behind its length; an analysis comes in many small ones, so that to take
it in keeps nobody waiting either. Only a worker and the process that it started itself share the socket.

`Analyst` is used by `server`; the process is ``python -m strongroom.gateway.analyst``.
"""

import argparse
import asyncio
import contextlib
import gc
import io
import pickle
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NoReturn

import structlog

from strongroom.errors import Bug, StatementTooComplex, StrongroomError
from strongroom.keys.core_dumps import follow_parent
from strongroom.session.analyses import Question
from strongroom.session.snapshot import Snapshot
from strongroom.sql.resolve import analyse
from strongroom.sql.statement import Analysis, Context

ANALYSIS_SECONDS = 60.0
"""How long one text may take; the longest that is parsed at all takes some seconds."""

IDLE_SECONDS = 60.0
"""How long the process stays when nobody needs it; a large tree has left it large."""

AT_ONCE = 500
"""Pieces of a text in one object: to unpickle so many takes a millisecond or two."""

_log = structlog.get_logger("strongroom.analyst")

LENGTH = 4
"""Octets of the length before each object."""

Outcome = Analysis | StrongroomError | None


@dataclass(frozen=True, slots=True)
class _Request:
    text: str
    declared: tuple[int, ...]
    path: tuple[str, ...]
    policed: bool
    recorded: bool
    catalog: tuple[object, ...] | None
    """Schema, protections, functions, logins, keyed columns; where they are others than in the one before."""


class Analyst:
    """The worker's end: one text at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._processes: list[asyncio.subprocess.Process] = []  # the last one, and killed ones not ended yet
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._told: object = None  # the mark of the snapshot that the process knows
        self._idle: asyncio.TimerHandle | None = None

    async def analyse(self, question: Question) -> Outcome:
        """What the text touches, or why it may not pass; None where its own session must analyse it."""
        async with self._turn:
            if self._idle is not None:
                self._idle.cancel()
            try:
                async with asyncio.timeout(ANALYSIS_SECONDS):
                    return await self._ask(question)
            except (TimeoutError, OSError, EOFError) as error:  # IncompleteReadError is an EOFError
                _log.warning("analyst lost", error=type(error).__name__)
                self._kill()
                return StatementTooComplex(
                    "the statement could not be analysed in the time and memory that there are",
                    hint="send fewer rows at once, or use COPY",
                )
            except BaseException:
                self._kill()  # what it goes on to say answers nothing
                raise
            finally:
                self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._kill)

    async def end(self) -> None:
        """End the process."""
        if self._idle is not None:
            self._idle.cancel()
        self._kill()
        for process in self._processes:
            await process.wait()

    async def _ask(self, question: Question) -> Outcome:
        reader, writer = self._streams or await self._start()
        snapshot = question.snapshot
        assert isinstance(snapshot, Snapshot)
        keyed = frozenset(snapshot.hashed)  # and no key
        catalog = (snapshot.schema, snapshot.protections, dict(snapshot.functions), snapshot.logins, keyed)
        news = None if snapshot.analyses.mark is self._told else catalog
        request = _Request(
            question.text, question.declared, question.path, question.policed, question.recorded, news
        )
        # In a thread, since a large catalog takes some tenths of a second.
        octets = await asyncio.get_running_loop().run_in_executor(None, pickle.dumps, request)
        writer.write(_framed(octets))
        await writer.drain()
        self._told = snapshot.analyses.mark  # and not the snapshot, which holds keys
        buffer = io.BytesIO()
        answer = pickle.Unpickler(buffer)  # noqa: S301 - from the process that this one started
        while True:
            length = int.from_bytes(await reader.readexactly(LENGTH))
            _refill(buffer, await reader.readexactly(length))
            came = answer.load()
            if not isinstance(came, list):  # lists are parts, to which the end refers
                outcome: Outcome = came
                return outcome

    async def _start(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        mine, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "strongroom.gateway.analyst", f"--line={theirs.fileno()}"),
                pass_fds=[theirs.fileno()],
            )
        self._processes = [one for one in self._processes if one.returncode is None] + [process]
        self._streams = await asyncio.open_unix_connection(sock=mine)
        return self._streams

    def _kill(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        self._streams = self._told = None


def _framed(octets: bytes) -> bytes:
    return len(octets).to_bytes(LENGTH) + octets


def _refill(buffer: io.BytesIO, octets: bytes) -> None:
    buffer.seek(0)
    buffer.truncate()
    buffer.write(octets)
    buffer.seek(0)


# ------------------------------------------------------------------------------------------- the process


class _OfTheSession(Exception):
    """The text speaks of statements or cursors of its session, which only its session knows."""


class _Unknown(Mapping[str, NoReturn]):
    """Statements and cursors of a session, as seen from here."""

    def __getitem__(self, name: str) -> NoReturn:
        raise _OfTheSession

    def __iter__(self) -> Iterator[str]:
        raise _OfTheSession

    def __len__(self) -> int:
        raise _OfTheSession

    def __contains__(self, name: object) -> bool:
        raise _OfTheSession


def main() -> int:
    """Answer until the worker hangs up."""
    follow_parent()  # there are no keys here, but literals
    parser = argparse.ArgumentParser(description="Analyses long statements for a worker, which starts it.")
    parser.add_argument("--line", type=int, required=True, help="descriptor of the line to the worker")
    line = socket.socket(fileno=parser.parse_args().line)
    gc.freeze()  # what is there by now stays
    with line, line.makefile("rwb") as stream:
        _answer_all(stream)
    return 0


def _answer_all(stream: io.BufferedRWPair) -> None:
    context: Context | None = None
    while head := stream.read(LENGTH):
        request: _Request = pickle.loads(stream.read(int.from_bytes(head)))  # noqa: S301 - from the worker
        if request.catalog is not None:
            schema, protections, functions, logins, keyed = request.catalog
            context = Context(
                schema,  # type: ignore[arg-type]  # as `Analyst` put them in
                protections,  # type: ignore[arg-type]  # the same
                (),
                functions,  # type: ignore[arg-type]  # the same
                _Unknown(),
                _Unknown(),
                logins,  # type: ignore[arg-type]  # the same
                keyed=keyed,  # type: ignore[arg-type]  # the same
            )
        assert context is not None
        _answer(stream, request, context)


def _answer(stream: io.BufferedRWPair, request: _Request, context: Context) -> None:
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer)
    outcome = _outcome(request, context)
    parts: list[object] = []
    if isinstance(outcome, Analysis):
        pieces = outcome.pieces
        parts += [list(pieces[at : at + AT_ONCE]) for at in range(0, len(pieces), AT_ONCE)]
    for one in (*parts, outcome):
        buffer.seek(0)
        buffer.truncate()
        pickler.dump(one)
        stream.write(_framed(buffer.getvalue()))
    stream.flush()


def _outcome(request: _Request, context: Context) -> Outcome:
    here = replace(context, search_path=request.path, policed=request.policed, recorded=request.recorded)
    gc.disable()  # a tree of millions of nodes is no garbage while it is used
    try:
        return analyse(request.text, request.declared, here)
    except StrongroomError as error:
        return error.with_traceback(None)
    except _OfTheSession:
        return None
    except Exception as error:  # noqa: BLE001 - its words might quote the text: only its kind is told
        return Bug(f"the analysis of a long statement broke: {type(error).__name__}")
    finally:
        gc.enable()


if __name__ == "__main__":
    sys.exit(main())
