"""``strongroom audit``: the log of who saw and changed what; one module a command."""

from strongroom.cli.lazily import group

COMMANDS = {
    "schema": "strongroom.cli.audit.schema:schema",
}

audit = group(
    COMMANDS,
    help="The audit log: what stands in it.",
    epilog="docs/spec/audit-records.md says what each record means.",
)
