"""The recorder process: the one of a gateway that writes its audit log.

Started by `supervisor` as ``python -m strongroom.gateway.recorder``, with the socket that workers connect to
as an inherited file descriptor, so that they find another where this one died. It ends when the line to the
supervisor breaks or says so, after the workers, whose last records it writes.
"""

import argparse
import asyncio
import socket
from datetime import UTC, datetime
from pathlib import Path

import structlog
import uvloop

from strongroom.audit.keys import LogKeys
from strongroom.audit.log import Log
from strongroom.config import Settings, load
from strongroom.config.audit import Audit
from strongroom.errors import AuditError, StrongroomError
from strongroom.gateway.control import Line
from strongroom.gateway.intake import HEAR_OUT_SECONDS, Intake, Pace
from strongroom.gateway.log import set_up_log
from strongroom.gateway.meters import TELL_SECONDS, Draft, told
from strongroom.gateway.shipping import Shipping
from strongroom.gateway.shortening import Shortening
from strongroom.gateway.ways import ways_of
from strongroom.state import open_state

_log = structlog.get_logger("strongroom.recorder")


def main() -> int:
    """Run until told to stop; 2 if the log cannot be written."""
    arguments = _arguments()
    set_up_log(recorder=True)
    with open(arguments.content, "rb") as content:  # noqa: PTH123 - a descriptor, no path
        settings = load(arguments.config, content=content.read().decode())
    return uvloop.run(_record(settings, arguments))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The recorder of `strongroom serve`, which starts it.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--content", type=int, required=True, help="descriptor of what the file held")
    parser.add_argument("--line", type=int, required=True, help="descriptor of the line to the supervisor")
    parser.add_argument("--listener", type=int, required=True, help="descriptor that workers connect to")
    parser.add_argument("--again", action="store_true", help="another died, and sessions wait for this one")
    return parser.parse_args()


async def _record(settings: Settings, arguments: argparse.Namespace) -> int:
    assert settings.audit is not None  # else there is no recorder
    line = await Line.over(socket.socket(fileno=arguments.line))
    state = open_state(settings.state)
    keys = LogKeys(state.engine, settings.audit.origin)
    stop = asyncio.ensure_future(_told_to_stop(line))
    try:
        log, shipping = await asyncio.to_thread(
            _opened, settings.audit, keys, _Contradiction(stop), again=arguments.again
        )
    except StrongroomError as error:
        line.tell("failed", code=error.code, message=error.message, hint=error.hint)
        await line.end()
        return 2
    intake = Intake(log, Pace(settings.audit.gathering_seconds), settled=keys.note_size)
    listener = socket.socket(fileno=arguments.listener)
    shipping.start()
    verifiers = [one.verifier for one in keys.all()]
    shortening = Shortening(log, verifiers, intake.settle_soon, settings.audit.keep)
    shortening.start()
    ready = asyncio.Event()  # the supervisor awaits this word before any other
    telling = asyncio.create_task(_keep_telling(ready, line, intake, shipping), name="metrics")

    def is_ready() -> None:
        line.tell("ready", size=log.size)
        ready.set()

    patience = _patience(stop, shortening, settings.limits.drain_seconds)
    await intake.serve(listener, is_ready, patience)
    telling.cancel()
    await asyncio.to_thread(shipping.finish)
    state.close()
    return 2 if stop.cancelled() else 0


async def _keep_telling(ready: asyncio.Event, line: Line, intake: Intake, shipping: Shipping) -> None:
    """Tell the supervisor what is counted here, and how the log does."""
    await ready.wait()
    while True:
        draft = Draft()
        intake.write(draft)
        shipping.write(draft)
        draft.processor("recorder")
        if line.is_clear:
            line.tell("metrics", report=told(draft.report))
        await asyncio.sleep(TELL_SECONDS)


class _Contradiction:
    """Called by a sink's thread where another history was found: nothing is written any more."""

    def __init__(self, stop: "asyncio.Task[bool]") -> None:
        self._stop = stop
        self._loop = asyncio.get_running_loop()

    def __call__(self, error: AuditError) -> None:
        _log.error("the audit log must not go on", code=error.code, why=error.message, do=error.hint)
        self._loop.call_soon_threadsafe(self._stop.cancel)


def _opened(
    audit: Audit, keys: LogKeys, contradicted: _Contradiction, *, again: bool
) -> tuple[Log, Shipping]:
    signing = keys.to_sign(datetime.now(UTC))
    verifiers = [one.verifier for one in keys.all()]
    log = Log.open(audit.log, [one.signer for one in signing], verifiers, known=keys.known_size())
    try:
        shipping = Shipping(ways_of(audit, verifiers), contradicted)
        shipping.begin(again=again)
    except BaseException:
        log.close()
        raise
    return log, shipping


async def _told_to_stop(line: Line) -> bool:
    """Returns when this is to end; whether the supervisor said so, and did not just die."""
    async for message in line.messages():
        if message["what"] == "stop":
            return True
    return False


async def _patience(stop: "asyncio.Task[bool]", shortening: Shortening, drain_seconds: float) -> float:
    """Waits until this is to end, and returns for how long workers may be heard.

    Nothing is erased any more then: the log is about to be closed.
    """
    await asyncio.wait([stop])
    await shortening.end()
    if stop.cancelled():
        return 0.0  # nothing more may be written
    # Where the supervisor was killed, its workers drain, and what they do meanwhile is recorded.
    return HEAR_OUT_SECONDS + (0.0 if stop.result() else drain_seconds)


if __name__ == "__main__":
    raise SystemExit(main())
