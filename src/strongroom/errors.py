"""Every exception of Strongroom, sorted by who is to blame.

    StrongroomError
    ├── ClientError     the client broke the protocol, its credentials or a limit
    │   ├── MalformedMessage, UnsupportedMessage, UnsupportedProtocol, TlsRequired
    │   ├── LoginMalformed, LoginRefused, DatabaseUnknown
    │   ├── MessageTooLarge, StartupPacketTooLarge, StatementLimitReached, LimitReached, TimeLimitReached
    │   ├── PinnedSettingChanged
    │   └── Draining
    ├── UpstreamError   the database, or the way to it, failed or spoke nonsense
    │   ├── UpstreamLoginMalformed
    │   ├── UpstreamLoginRefused
    │   ├── UpstreamUntrusted
    │   └── UpstreamGone, UpstreamUnreachable
    ├── ConfigError     the configuration, the state or the machine must be mended by the operator
    │   ├── CannotListen, WorkersFail
    │   ├── InvalidTlsSettings
    │   ├── InvalidUpstreamAddress
    │   ├── InvalidVerifier
    │   ├── UnreadableConfiguration, InvalidConfiguration, DuplicateKey, MissingVariable
    │   ├── StateUnusable
    │   └── ServerFailed
    ├── Denied          a statement or value was understood, or could not be, and may not pass
    └── Bug             an invariant of ours does not hold

Each has a stable ``code`` (its anchor in docs/errors.md), the SQLSTATE that a PostgreSQL client sees
(manual, appendix "PostgreSQL Error Codes"), and says what to do next in ``hint``. No message carries a
row value, a literal or a parameter (rule 6 of the design).
"""

from typing import ClassVar


class StrongroomError(Exception):
    """The root of the tree; never raised itself."""

    code: ClassVar[str] = "strongroom"
    sqlstate: str = "XX000"  # internal_error

    def __init__(self, message: str, *, hint: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail


class ClientError(StrongroomError):
    """The client broke the protocol, its credentials or a limit."""

    code = "client"
    sqlstate = "08P01"  # protocol_violation


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


class LoginMalformed(ClientError):
    """What the client sent while logging in is no message of the SASL exchange that it began."""

    code = "login-malformed"


class LoginRefused(ClientError):
    """Unknown account or wrong proof; never said which."""

    code = "login-refused"
    sqlstate = "28P01"  # invalid_password


class UpstreamError(StrongroomError):
    """The database, or the way to it, failed or spoke nonsense."""

    code = "upstream"
    sqlstate = "08006"  # connection_failure


class UpstreamGone(UpstreamError):
    """The database closed the connection, or it broke."""

    code = "upstream-gone"


class UpstreamLoginMalformed(UpstreamError):
    """What the database sent while we logged in breaks the protocol, or a limit of ours."""

    code = "upstream-login-malformed"


class UpstreamLoginRefused(UpstreamError):
    """The database refused our login; ``upstream_sqlstate`` is its reason, where it gave one."""

    code = "upstream-login-refused"
    sqlstate = "08004"  # sqlserver_rejected_establishment_of_sqlconnection

    def __init__(
        self, message: str, *, upstream_sqlstate: str = "", sqlstate: str = "08004", hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.upstream_sqlstate = upstream_sqlstate
        self.sqlstate = sqlstate


class UpstreamUntrusted(UpstreamError):
    """The peer did not prove to be our database, or asked for a proof that we do not give to it."""

    code = "upstream-untrusted"


class UpstreamUnreachable(UpstreamError):
    """There is no connection to the database: address, network or TLS."""

    code = "upstream-unreachable"
    sqlstate = "08001"  # sqlclient_unable_to_establish_sqlconnection


class ConfigError(StrongroomError):
    """The configuration, the state or the machine must be mended by the operator."""

    code = "config"
    sqlstate = "F0000"  # config_file_error


class CannotListen(ConfigError):
    """An address in the configuration cannot be listened on."""

    code = "cannot-listen"


class WorkersFail(ConfigError):
    """Workers die as fast as they are started."""

    code = "workers-fail"


class InvalidTlsSettings(ConfigError):
    """A certificate, key, authority or pin cannot be used."""

    code = "invalid-tls-settings"


class InvalidUpstreamAddress(ConfigError):
    """The connection string of a database cannot be used."""

    code = "invalid-upstream-address"


class InvalidVerifier(ConfigError):
    """A password verifier is not in PostgreSQL's form, or out of limits."""

    code = "invalid-verifier"


class UnreadableConfiguration(ConfigError):
    """The file is missing, not readable, or not YAML."""

    code = "configuration-unreadable"


class DuplicateKey(ConfigError):
    """A key stands twice in one mapping; YAML would silently keep the last."""

    code = "configuration-duplicate-key"


class MissingVariable(ConfigError):
    """``${NAME}`` names an environment variable that is not set."""

    code = "configuration-missing-variable"


class InvalidConfiguration(ConfigError):
    """A key or value is not one that Strongroom knows."""

    code = "configuration-invalid"


class StateUnusable(ConfigError):
    """The state database cannot be opened, or is not safe to open."""

    code = "state-unusable"


class ServerFailed(ConfigError):
    """A server that the demo or the test kit wanted did not start on this machine."""

    code = "server-failed"


class Denied(StrongroomError):
    """A statement or value was understood, or could not be, and may not pass."""

    code = "denied"
    sqlstate = "42501"  # insufficient_privilege


class Bug(StrongroomError):
    """An invariant of ours does not hold; the session ends rather than guess."""

    code = "bug"
    sqlstate = "XX000"  # internal_error
