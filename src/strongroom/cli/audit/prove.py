"""``strongroom audit prove`` and ``consistency``: evidence out of the log's folder."""

from pathlib import Path
from typing import Annotated

import typer

from strongroom.audit import verify as verifier
from strongroom.audit.checkpoint import verify as verify_checkpoint
from strongroom.audit.proving import head, prove_growth, prove_record
from strongroom.cli.audit.given import KeyOption, LogOption, log_and_keys, trust_in, verifiers
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_done
from strongroom.config import DEFAULT_FILE
from strongroom.errors import CheckpointInvalid, ProofInvalid
from strongroom.keys.new_file import write_new


def prove(
    number: Annotated[int, typer.Argument(metavar="N", help="The record's number; the first is 0.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="A new file.")],
    config: Config = DEFAULT_FILE,
    log: LogOption = None,
    key: KeyOption = None,
    json: Json = False,
) -> None:
    """Write one file that shows a record to be in the log: record, proof and signed checkpoint.

    Who has it and the log's key needs nothing else: `strongroom audit verify-proof`, or verify.py --proof.

    Example: strongroom audit prove 4711 -o record-4711.proof
    """
    folder, keys = log_and_keys(config, log, key)
    trust = trust_in(keys, None, None)
    proof = prove_record(Path(folder), verifiers(keys), number)
    write_new(output, proof, lambda written: _refuse_wrong(written, trust))
    print_done({"record": number, "proof": str(output)}, f"wrote {output}", as_json=json)


def _refuse_wrong(proof: bytes, trust: verifier.Trust) -> None:
    """What was written proves it, or is not left there."""
    try:
        verifier.verify_proof(proof, trust)
    except verifier.Fault as fault:
        raise ProofInvalid(f"the log's files do not prove the record: {fault}") from None


def consistency(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A checkpoint of another day.")],
    new: Annotated[Path | None, typer.Argument(metavar="[NEW]", help="Another; the log's own.")] = None,
    *,
    config: Config = DEFAULT_FILE,
    log: LogOption = None,
    key: KeyOption = None,
    json: Json = False,
) -> None:
    """Say whether the log of one day is the beginning of that of another: nothing was changed or cut off.

    Examples: strongroom audit consistency monday.checkpoint · strongroom audit consistency monday tuesday
    """
    folder, keys = log_and_keys(config, log, key)
    trusted = verifiers(keys)
    before = verify_checkpoint(old.read_bytes(), trusted).checkpoint
    after = head(Path(folder), trusted)[1]
    if new is not None:
        after = verify_checkpoint(new.read_bytes(), trusted).checkpoint
    if before.origin != after.origin:
        raise CheckpointInvalid(f"the checkpoints are of two logs, {before.origin} and {after.origin}")
    prove_growth(Path(folder), before, after)
    done = {"right": True, "old": before.size, "new": after.size}
    print_done(done, f"right: the first {before.size} of {after.size} records are the same", as_json=json)
