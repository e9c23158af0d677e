"""A record of the log in a line for people: when, who, what, and how it ended.

Used by commands and reports.
"""

from datetime import UTC, datetime

from strongroom.audit.records import changes, running, sessions, statements
from strongroom.audit.records.codes import Record, code_of
from strongroom.audit.records.shared import Result

COLUMNS = ["number", "time", "event", "who", "from", "what", "result"]


def row(number: int, record: Record) -> dict[str, object]:
    """For a table with those columns."""
    found = {
        "number": number,
        "time": time_words(record.head.time),
        "event": code_of(record).name,
        "who": who(record),
        "from": address(record),
        "what": what(record),
        "result": result(record),
    }
    return {name: _printable(value) if isinstance(value, str) else value for name, value in found.items()}


def _printable(text: str) -> str:
    """A terminal is told nothing by a name."""
    return "".join(one if one.isprintable() else "�" for one in text)


def time_words(milliseconds: int) -> str:
    """In UTC; a clock may have said anything."""
    try:
        return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%SZ}"
    except (OverflowError, ValueError):
        return f"{milliseconds} ms"


def who(record: Record) -> str:
    """Who did it, or who it happened to."""
    for part, name in (("client", "account"), ("doer", "name")):
        if hasattr(record, part):
            return str(getattr(getattr(record, part), name))
    return str(getattr(record, "user", ""))


def address(record: Record) -> str:
    """From where, where that is known."""
    whose = record.client if hasattr(record, "client") else record
    return getattr(whose, "address", None) or ""


def what(record: Record) -> str:
    """What was done to what."""
    match record:
        case statements.Permitted() | statements.Intended():
            return plan_words(record.plan)
        case statements.Denied():
            return f"asked: {plan_words(record.plan)}"
        case statements.Ended():
            return f"statement {record.statement} of session {record.client.session}"
        case changes.KeyChanged():
            return record.subject
        case changes.RoleChanged():
            return f"{record.person}: {', '.join(record.roles)} (grant {record.grant})"
        case changes.RoleAssumed():
            return ", ".join(record.roles)
        case changes.AccountChanged():
            return record.user
        case changes.ConfigurationChanged():
            return f"{record.file}, {record.sha256[:16]}"
        case running.JobTurned():
            return f"{record.database}: {record.column}"
        case running.CommandRun():
            return f"{record.command} {record.subject or ''}".rstrip() + _as(record.run_as, record.doer.name)
        case running.Removed() | running.Gap() | running.ClockTurnedBack():
            return log_words(record)
        case running.ProcessTurned():
            return f"{record.workers} workers"
        case _:
            return record.database or ""


def _as(user: str | None, doer: str) -> str:
    """Whose rights it had, where they were not one's own."""
    return "" if user in {None, doer} else f" (as {user})"


def log_words(record: running.Removed | running.Gap | running.ClockTurnedBack) -> str:
    """What the log has not, or not in order."""
    match record:
        case running.Gap():
            return f"{record.lost} records since {time_words(record.began)}: {record.loss.value}"
        case running.ClockTurnedBack():
            return f"it had said {time_words(record.former)}"
    said = f"{record.records} records"
    if record.minimum is not None:
        return f"{said} before number {record.minimum}"
    return said if record.before is None else f"{said} before {time_words(record.before)}"


def plan_words(plan: statements.Plan) -> str:
    """``reveals public.customers.iban; filters public.customers.id``, or at least the tables."""
    ways = {
        "reveals": plan.revealed,
        "masks": tuple(f"{one.column} ({one.mask})" for one in plan.masked),
        "filters": plan.filtered,
        "writes": plan.written,
    }
    said = [f"{way} {', '.join(columns)}" for way, columns in ways.items() if columns]
    return "; ".join(said) or ", ".join(plan.tables) or plan.text[:80]


def result(record: Record) -> str:
    """How it ended."""
    match record:
        case statements.Permitted() | statements.Ended():
            outcome = record.outcome
            said = f"{outcome.rows} rows, {outcome.values} values"
            return said if outcome.result is Result.SUCCESS else f"{said}, {outcome.sqlstate}"
        case statements.Denied():
            return record.code
        case sessions.LoginFailed():
            return record.refusal.value
        case running.CommandRun(result=Result.UNKNOWN):
            return "begins"
        case running.CommandRun():
            return " ".join(filter(None, [f"exit {record.exit}", record.code]))
        case running.JobTurned():
            return f"{record.rows} rows" + (f", {record.code}" if record.code else "")
        case sessions.SignedIn():
            return f"until {time_words(record.expires)}"
        case sessions.SessionClosed():
            return f"{record.ending.value}, {record.statements} statements, {record.rows} rows"
        case _:
            ended = getattr(record, "result", None)
            return ended.name.lower() if isinstance(ended, Result) else ""
