"""``strongroom audit``: the log of who saw and changed what; a module for each kind of question."""

from strongroom.cli.lazily import group

COMMANDS = {
    "consistency": "strongroom.cli.audit.prove:consistency",
    "keys": "strongroom.cli.audit.keys:keys",
    "prove": "strongroom.cli.audit.prove:prove",
    "rotate-key": "strongroom.cli.audit.keys:rotate_key",
    "schema": "strongroom.cli.audit.schema:schema",
    "verify": "strongroom.cli.audit.verify:verify",
    "verify-proof": "strongroom.cli.audit.verify:verify_proof",
}

audit = group(
    COMMANDS,
    help="The audit log: verify it, prove what is in it, see and change its keys.",
    epilog="docs/spec/audit-records.md says what each record means.",
)
