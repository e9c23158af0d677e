"""``strongroom audit report``: a month of the log on a page."""

from typing import Annotated

import typer

from strongroom.audit import verify as verifier
from strongroom.audit.report import Month, report_of
from strongroom.audit.report_page import page
from strongroom.cli.audit.given import (
    KeyOption,
    LogOption,
    MinimumIndex,
    log_and_keys,
    pruned_before,
    trust_in,
)
from strongroom.cli.audit.looking import log_folder
from strongroom.cli.options import Config
from strongroom.config import DEFAULT_FILE


def report(
    *,
    month: Annotated[str, typer.Option(metavar="YYYY-MM", help="In UTC.")],
    config: Config = DEFAULT_FILE,
    log: LogOption = None,
    key: KeyOption = None,
    minimum_index: MinimumIndex = None,
) -> None:
    """Verify the audit log and print a month of it as a page of Markdown; the status is 1 if it is wrong.

    Access by person and column, denials, log-ins, roles, keys, changes and gaps. It reads the whole log.

    Example: strongroom audit report --month 2026-11 > audit-2026-11.md
    """
    try:
        asked = Month.parse(month)
    except ValueError:
        raise typer.BadParameter(f"{month!r} is no month such as 2026-11") from None
    contents = log_folder(config, log, key)
    folder, keys = log_and_keys(config, str(contents.folder), key)
    minimum = pruned_before(config, log, key) if minimum_index is None else minimum_index
    right, said = _verified(folder, keys, minimum)
    print(page(report_of(contents.all(), asked), contents.checkpoint, said), end="")
    if not right:
        raise typer.Exit(1)


def _verified(folder: str, keys: list[str], minimum: int) -> tuple[bool, str]:
    try:
        source = verifier.source_of(folder)
        found = verifier.verify_log(source, trust_in(keys, None, None), minimum=minimum)
    except verifier.Fault as fault:
        return False, f"WRONG: {fault}"
    size, contents, erased = found.checkpoint.size, found.contents, found.erased
    pruned = f"; from {found.minimum} on, what is before was pruned" if found.minimum else ""
    return True, f"right: {size} records, {contents} with their contents, {erased} erased{pruned}"
