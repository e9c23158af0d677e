"""``strongroom audit``: the log of who saw and changed what; a module for each kind of question."""

from strongroom.cli.lazily import group

COMMANDS = {
    "consistency": "strongroom.cli.audit.prove:consistency",
    "erase": "strongroom.cli.audit.shorten:erase",
    "export-hash-secret": "strongroom.cli.audit.hash_secrets:export_hash_secret",
    "hash-secrets": "strongroom.cli.audit.hash_secrets:hash_secrets",
    "index": "strongroom.cli.audit.search:index",
    "keys": "strongroom.cli.audit.keys:keys",
    "prove": "strongroom.cli.audit.prove:prove",
    "prune": "strongroom.cli.audit.shorten:prune",
    "report": "strongroom.cli.audit.report:report",
    "rotate-hash-secret": "strongroom.cli.audit.hash_secrets:rotate_hash_secret",
    "rotate-key": "strongroom.cli.audit.keys:rotate_key",
    "schema": "strongroom.cli.audit.schema:schema",
    "search": "strongroom.cli.audit.search:search",
    "tail": "strongroom.cli.audit.tail:tail",
    "verify": "strongroom.cli.audit.verify:verify",
    "verify-proof": "strongroom.cli.audit.verify:verify_proof",
    "who-saw": "strongroom.cli.audit.who_saw:who_saw",
}

audit = group(
    COMMANDS,
    help="The audit log: search it, verify it, prove what is in it, see and change its keys.",
    epilog="docs/spec/audit-records.md says what each record means.",
)
