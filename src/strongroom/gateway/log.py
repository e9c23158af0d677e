"""Sets up the log: one JSON object a line on standard error, for every process of the gateway.

Called by `supervisor` and `worker` once, at their start. What goes into a line is named at each call; no
value of a row, literal or parameter may be.
"""

import logging
import sys

import structlog


def set_up_log(**context: object) -> None:
    """Log to standard error; ``context`` stands in every line."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _exception_without_values,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(**context)


def _exception_without_values(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Say where an exception came from, not what it says: its text could quote what it choked on."""
    error = event.pop("exc_info", None)
    if isinstance(error, BaseException):
        frames = []
        traceback = error.__traceback__
        while traceback is not None:
            code = traceback.tb_frame.f_code
            frames.append(f"{code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno} {code.co_name}")
            traceback = traceback.tb_next
        event["at"] = frames
    return event
