"""``strongroom audit verify`` and ``verify-proof``: what an auditor asks.

What verifies is ``audit/verify.py``, which an auditor can take to another machine by itself.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from strongroom.audit import verify as verifier
from strongroom.cli.audit.given import (
    KeyOption,
    LogOption,
    MinimumIndex,
    Quorum,
    Witness,
    log_and_keys,
    own_keys,
    pruned_before,
    source_of,
    trust_in,
)
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_done
from strongroom.config import DEFAULT_FILE, load


def verify(
    *,
    config: Config = DEFAULT_FILE,
    log: LogOption = None,
    key: KeyOption = None,
    witness: Witness = None,
    quorum: Quorum = None,
    since: Annotated[
        Path | None, typer.Option(metavar="CHECKPOINT", help="An older one that the log must go on from.")
    ] = None,
    minimum_index: MinimumIndex = None,
    complete: Annotated[bool, typer.Option("--complete", help="What was erased is wrong, too.")] = False,
    json: Json = False,
) -> None:
    """Verify checkpoint, tiles, entries and contents; the first that is wrong is named, and the status is 1.

    Examples: strongroom audit verify · strongroom audit verify --since yesterday.checkpoint · strongroom
    audit verify --log /mnt/copy --key gateway.example/audit+a87b+...
    """
    folder, keys = log_and_keys(config, log, key)
    try:
        report = verifier.verify_log(
            source_of(folder),
            trust_in(keys, witness, quorum),
            minimum=pruned_before(config, log, key) if minimum_index is None else minimum_index,
            since=None if since is None else since.read_bytes(),
            complete=complete,
        )
    except verifier.Fault as fault:
        print_done({"right": False, "place": fault.place, "why": fault.words}, as_json=json)
        print(f"wrong: {fault}", file=sys.stderr)
        raise typer.Exit(1) from None
    checkpoint = report.checkpoint
    done = {
        "right": True,
        "origin": checkpoint.origin,
        "records": checkpoint.size,
        "first": report.minimum,
        "contents": report.contents,
        "erased": report.erased,
        "cosigned_by": [name for name, _ in checkpoint.witnessed],
    }
    words = f"right: {checkpoint.size} records of {checkpoint.origin}, {report.contents} with their contents"
    words += f", {report.erased} erased" if report.erased else ""
    words += f"; from {report.minimum} on, what is before was pruned" if report.minimum else ""
    print_done(done, words, as_json=json)


def verify_proof(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `prove` wrote.")],
    *,
    config: Config = DEFAULT_FILE,
    key: KeyOption = None,
    witness: Witness = None,
    quorum: Quorum = None,
    json: Json = False,
) -> None:
    """Verify the proof of one record, without the log; prints the record.

    Example: strongroom audit verify-proof record-4711.proof --key gateway.example/audit+a87b+...
    """
    keys = key or [str(one.verifier) for one in own_keys(load(config))]
    try:
        proved = verifier.verify_proof(file.read_bytes(), trust_in(keys, witness, quorum), str(file))
    except verifier.Fault as fault:
        print_done({"right": False, "place": fault.place, "why": fault.words}, as_json=json)
        print(f"wrong: {fault}", file=sys.stderr)
        raise typer.Exit(1) from None
    content = None if proved.content is None else proved.content.decode(errors="backslashreplace")
    done = {"right": True, "origin": proved.checkpoint.origin, "record": proved.index, "content": content}
    words = f"right: record {proved.index} of {proved.checkpoint.origin}, which has {proved.checkpoint.size}"
    print_done(done, words, content or "its content was erased", as_json=json)
