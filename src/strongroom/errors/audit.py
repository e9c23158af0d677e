"""The audit log: its files, its checkpoints and its keys."""

from strongroom.errors.setup import ConfigError


class AuditError(ConfigError):
    """The audit log cannot go on, or not be believed; never raised itself."""

    code = "audit"
    remedy = "Run verify.py on the log before anything else: it names the place."


class LogDamaged(AuditError):
    """The files of the log do not go together, or not with its checkpoint."""

    code = "audit-log-damaged"
    remedy = "Leave the files as they are, run verify.py on them, and compare with a copy elsewhere."


class CheckpointInvalid(AuditError):
    """A checkpoint has not the form of the standard, or is not signed by the log's keys."""

    code = "audit-checkpoint-invalid"
    remedy = "Compare with a copy elsewhere; if the log's key was changed, name the former one as well."


class ProofInvalid(AuditError):
    """A proof does not show what it is to show."""

    code = "audit-proof-invalid"
    remedy = "Ask the log for the proof anew; if it stays so, keep both checkpoints: they are the evidence."


class LogKeyInvalid(AuditError):
    """A key of the log or of a witness cannot be one."""

    code = "audit-key-invalid"
    remedy = "Give it as `NAME+HASH+BASE64`, as the log or the witness publishes it."


class LogUnwritable(AuditError):
    """A record cannot be kept, as on a full disk."""

    code = "audit-log-unwritable"
    remedy = "Make room on the disk, or see to its rights; what waits is written as soon as that can be."


class LogUnusable(AuditError):
    """The audit log cannot be opened, so nothing is served."""

    code = "audit-log-unusable"
    remedy = "Take away what the message names; or configure another folder, with another origin."


class AuditChanged(AuditError):
    """A reload would have other things recorded, or nothing."""

    code = "audit-changed"
    remedy = "Put `audit:` back and reload; or restart the gateway, which goes by what it is then."


class NoAuditLog(AuditError):
    """A command asks for an audit log, and none is configured."""

    code = "audit-log-missing"
    remedy = "Write audit: {log: audit, origin: gateway-1.example.com/audit} and start the gateway anew."


class RecordUnknown(AuditError):
    """The log has no record of this number."""

    code = "audit-record-unknown"
    remedy = "Records are numbered from 0; the newest ones are in the log a second after they were made."


class RecordsPruned(AuditError):
    """What is asked about was pruned: the log begins later."""

    code = "audit-records-pruned"
    remedy = "Ask a copy of the log from before, as one in a bucket; proofs that were made then still hold."


class NotPrunable(AuditError):
    """The log's beginning is to be pruned, and something in it must stay."""

    code = "audit-not-prunable"
    remedy = "Erase the contents first, or write `audit: keep:`; what was not sent elsewhere is waited for."


class LogInUse(AuditError):
    """Two processes would write one log."""

    code = "audit-log-in-use"
    remedy = "Stop the other gateway, or give each a log of its own: `audit: log:`."


class LogRolledBack(AuditError):
    """The log has fewer records than it had: an older copy was put in its place, or its end was cut off."""

    code = "audit-log-rolled-back"
    remedy = "Put the newest copy back. What was signed for is gone otherwise, and the next log must say so."


class IndexUnusable(AuditError):
    """The index of the audit log cannot be read or written; the log itself is not touched by that."""

    code = "audit-index-unusable"
    remedy = "Run `strongroom audit index --rebuild`; or name another file: `--index`."


class LogContradicted(AuditError):
    """Another history of this log stands elsewhere: two gateways have one origin, or it was written anew."""

    code = "audit-log-contradicted"
    remedy = (
        "Stop the other gateway of this origin; where there is none, keep both logs: they are the evidence."
    )


class SinkError(AuditError):
    """The audit log does not go where it is to go; never raised itself."""

    code = "audit-sink"
    remedy = "Nothing is lost meanwhile: it stays in the log's folder, and is sent once that can be."


class SinkUnreachable(SinkError):
    """What the log is sent to does not answer."""

    code = "audit-sink-unreachable"
    remedy = "See what stands between here and there; it is tried again, and nothing is lost meanwhile."


class SinkRefused(SinkError):
    """What the log is sent to does not take it."""

    code = "audit-sink-refused"
    remedy = "See to its rights, as docs/guides/audit-elsewhere.md has them; nothing is lost meanwhile."


class SinkUntrue(SinkError):
    """What the log is sent to said that it had it, and has not."""

    code = "audit-sink-untrue"
    remedy = "Do not rely on this storage. What is missing is sent again; verify what stands there."
