"""The client broke the protocol, its credentials or a limit."""

from strongroom.errors.base import StrongroomError


class ClientError(StrongroomError):
    """The client broke the protocol, its credentials or a limit."""

    code = "client"
    sqlstate = "08P01"  # protocol_violation
    remedy = (
        "Check that what connects is a PostgreSQL client; if a common driver does this, report it "
        "with its version."
    )


class MalformedMessage(ClientError):
    """A message does not have the form that the manual gives it."""

    code = "malformed-message"


class MessageTooLarge(ClientError):
    """A message is longer than `limits.message_bytes`."""

    code = "message-too-large"
    sqlstate = "54000"  # program_limit_exceeded


class StartupPacketTooLarge(ClientError):
    """The first packet is longer than `limits.startup_packet_bytes`."""

    code = "startup-packet-too-large"


class UnsupportedMessage(ClientError):
    """A message that the gateway does not pass, whatever it holds."""

    code = "unsupported-message"
    sqlstate = "0A000"  # feature_not_supported
    remedy = "Use a driver of protocol 3.0 or 3.2; the client speaks another."


class UnsupportedProtocol(ClientError):
    """Another protocol version, or a replication connection."""

    code = "unsupported-protocol"
    sqlstate = "0A000"  # feature_not_supported


class TlsRequired(ClientError):
    """The listener takes connections over TLS only."""

    code = "tls-required"
    sqlstate = "28000"  # invalid_authorization_specification


class DatabaseUnknown(ClientError):
    """The listener stands before another database."""

    code = "database-unknown"
    sqlstate = "3D000"  # invalid_catalog_name


class ParameterCount(ClientError):
    """A Bind has another number of parameters than its statement."""

    code = "parameter-count"
    remedy = "Prepare the statement again, and send one value for each parameter."


class StatementLimitReached(ClientError):
    """The session holds `limits.statements_per_session` prepared statements."""

    code = "statement-limit-reached"
    sqlstate = "53400"  # configuration_limit_exceeded


class LimitReached(ClientError):
    """A limit on connections is reached."""

    code = "limit-reached"
    sqlstate = "53300"  # too_many_connections


class TimeLimitReached(ClientError):
    """The time to log in, or to be idle, is over."""

    code = "time-limit-reached"
    sqlstate = "57P05"  # idle_session_timeout


class PinnedSettingChanged(ClientError):
    """A setting under which statements are read was changed."""

    code = "pinned-setting-changed"
    sqlstate = "0A000"  # feature_not_supported


class Draining(ClientError):
    """The gateway is shutting down; nobody is to blame, the client should connect again."""

    code = "draining"
    sqlstate = "57P01"  # admin_shutdown


class MalformedCopy(ClientError):
    """What the client sends for COPY FROM is not in the format that the statement says."""

    code = "copy-malformed"
    sqlstate = "22P04"  # bad_copy_file_format


class CopyRowTooLong(ClientError):
    """A row of COPY is longer than what is held of one; the data may be the client's or the database's."""

    code = "copy-row-too-long"
    sqlstate = "54000"  # program_limit_exceeded


class LoginMalformed(ClientError):
    """What the client sent while logging in is no message of the SASL exchange that it began."""

    code = "login-malformed"
    remedy = (
        "Use a driver that knows SCRAM-SHA-256; what else connects here, such as a health check, "
        "has its own endpoint."
    )


class LoginRefused(ClientError):
    """Unknown account or wrong proof; never said which."""

    code = "login-refused"
    sqlstate = "28P01"  # invalid_password


class SessionOver(ClientError):
    """A person's session has lasted for as long as a sign-in counts."""

    code = "session-over"
    sqlstate = "57P01"  # admin_shutdown
    remedy = "Sign in again with `strongroom login`, and connect with what it gives."


class AccessEnded(ClientError):
    """A person was disabled, renewed or taken out of the configuration while a session of theirs was open."""

    code = "access-ended"
    sqlstate = "28000"  # invalid_authorization_specification
    remedy = "If it should not be so, ask who looks after Strongroom; else sign in again."


class StatementNotRun(ClientError):
    """A statement was recorded as intended, and was cancelled, skipped or left before it ran."""

    code = "statement-not-run"
    sqlstate = "57014"  # query_canceled
    remedy = "Send it again. If statements wait for long, look after the audit log: its disk may be full."
