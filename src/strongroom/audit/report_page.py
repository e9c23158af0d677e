"""A month's report as a page of Markdown: the same for the same log, octet by octet.

Names and reasons in it are what people and programs wrote: nothing of them is markup, or ends a line.
Called by ``strongroom audit report``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from strongroom.audit.checkpoint import Checkpoint
from strongroom.audit.records import changes
from strongroom.audit.records.codes import Record, code_of
from strongroom.audit.records.reading import read
from strongroom.audit.report import Listing, Part, Report, Times
from strongroom.audit.words import result, time_words, what, who

NAMED = 20
"""Numbers that are listed of what could not be read."""
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|&~!])")


def page(report: Report, checkpoint: Checkpoint, verification: str) -> str:
    """All of it; ``verification`` says what a verification of the whole log found."""
    return "\n".join(
        [
            f"# Audit report, {report.month.name}",
            "",
            *_head(report, checkpoint, verification),
            *_section("Who saw what", _SAW, _seen(report), _SEEN_NOTE),
            *_section("Denied", ["who", "error", "tables", "times", "first", "last"], _times(report.denials)),
            *_section("Sessions", _ENTRIES, _times(report.entries)),
            *_section("Failed log-ins", _FAILURES, _times(report.failures)),
            *(
                line
                for part in Part
                if part is not Part.GAPS
                for line in _listed(part, report.listings[part])
            ),
            *_gaps(report),
        ]
    )


_SAW = ["who", "kind", "database", "column", "how", "statements", "rows", "values", "first", "last"]
_SEEN_NOTE = (
    "Columns that came, or were computed with. Rows are those of the statements that showed the column;"
    " values are those of all columns that came with it."
)
_ENTRIES = ["who", "from", "by", "and", "times", "first", "last"]
_FAILURES = ["who", "from", "why", "times", "first", "last"]


def _head(report: Report, checkpoint: Checkpoint, verification: str) -> Iterator[str]:
    yield f"- Log: {plain(checkpoint.origin)}, {checkpoint.size} records, root `{checkpoint.root.hex()}`"
    yield f"- Verification: {plain(verification)}"
    yield f"- Records of this month: {report.records}"
    yield "- Times are UTC, by the clocks of the machines that recorded them."
    yield ""


def _seen(report: Report) -> Iterator[Sequence[object]]:
    for sight, seen in sorted(report.sights.items()):
        rows = f"{seen.rows} ({seen.unknown} unknown)" if seen.unknown else seen.rows
        whose = sight.who, sight.kind, sight.database, sight.column, sight.how
        yield *whose, seen.statements, rows, seen.values, time_words(seen.first), time_words(seen.last)


def _times(counted: Mapping[Any, Times]) -> Iterator[Sequence[object]]:
    for key, times in sorted(counted.items()):
        yield *key, times.count, time_words(times.first), time_words(times.last)


def _listed(part: Part, listing: Listing) -> Iterator[str]:
    rows = [_row(number, read(octets)) for number, octets in listing.octets]
    more = listing.count - len(rows)
    note = (
        f"The first {len(rows)} of {listing.count}; `strongroom audit search` finds the others."
        if more
        else ""
    )
    yield from _section(part.value, ["record", "time", "event", "who", "what", "result", "more"], rows, note)


def _row(number: int, record: Record) -> Sequence[object]:
    code = code_of(record).name
    return (
        number,
        time_words(record.head.time),
        code,
        who(record),
        what(record),
        result(record),
        _more(record),
    )


def _more(record: Record) -> str:
    """Why, who agreed, and until when."""
    signed = getattr(record, "signed_by", ()) or getattr(record, "approved_by", ())
    agreed = (*signed, *getattr(record, "agreed_by", ()))
    said = [f"by {', '.join(agreed)}"] if agreed else []
    if isinstance(record, changes.RoleChanged | changes.RoleAssumed):
        said += [f"until {time_words(record.until)}"] if record.until else []
        said += [f"“{record.reason}”"] if record.reason else []
    return ", ".join(said)


def _gaps(report: Report) -> Iterator[str]:
    yield from _listed(Part.GAPS, report.listings[Part.GAPS])
    missing = report.missing()
    yield f"- Records whose content was erased, in the whole log: {report.erased}"
    yield f"- Contents that are not what the log committed to: {_numbers(report.wrong)}"
    yield f"- Records of a later version, or that are none: {_numbers(report.unread)}"
    yield f"- Statements that were to run, and of which no end is recorded: {report.unended}"
    yield f"- Processes of this month whose numbers have holes: {len(missing)}"
    yield from (
        f"    - {plain(process)}: {count} not there, erased or not read" for process, count in missing.items()
    )
    yield ""


def _numbers(found: Sequence[int]) -> str:
    named = f" ({', '.join(map(str, found[:NAMED]))}{', ...' if len(found) > NAMED else ''})" if found else ""
    return f"{len(found)}{named}"


def _section(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], note: str = ""
) -> Iterator[str]:
    found = list(rows)
    yield f"## {title}"
    yield ""
    if found:
        yield _line(columns)
        yield _line(["---"] * len(columns))
        yield from (_line([plain(str(one)) for one in row]) for row in found)
    else:
        yield "None."
    yield from ["", note] if note and found else []
    yield ""


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def plain(text: str) -> str:
    """Text that Markdown takes for nothing but text, on one line."""
    printable = "".join(one if one.isprintable() else "�" for one in text)
    return _MARKUP.sub(r"\\\1", printable)
