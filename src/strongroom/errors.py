"""Every exception of Strongroom, sorted by who is to blame.

    StrongroomError
    ├── ClientError     the client broke the protocol, its credentials or a limit
    │   ├── MalformedMessage, UnsupportedMessage, UnsupportedProtocol, TlsRequired, ParameterCount
    │   ├── LoginMalformed, LoginRefused, DatabaseUnknown
    │   ├── MessageTooLarge, StartupPacketTooLarge, StatementLimitReached, LimitReached, TimeLimitReached
    │   ├── PinnedSettingChanged, Draining, MalformedCopy, CopyRowTooLong
    │   └── InvalidValue           a value is outside the declared type of its column
    │       ├── InvalidText, InvalidBinary, InvalidEncoding, InvalidUnicode
    │       ├── InvalidDatetime, DatetimeOverflow, IntervalOverflow, ZoneOverflow
    │       ├── ValueOutOfRange, ValueTooLong, InvalidHex
    │       └── InvalidArray, ArrayTooLarge, TypeMismatch
    ├── UpstreamError   the database, or the way to it, failed or spoke nonsense
    │   ├── UpstreamLoginMalformed, UpstreamLoginRefused, UpstreamUntrusted
    │   ├── UpstreamGone, UpstreamUnreachable, OriginMismatch, PlanOutdated, CatalogUnreadable, KeysUnread
    │   ├── UpstreamCopyMalformed
    │   ├── MalformedRow           not what its RowDescription describes
    │   └── InvalidCiphertext      a stored value does not open
    │       ├── TruncatedCiphertext, UnknownVersion, UnknownKey, WrongTag
    │       └── InvalidPlaintext   it opened, but holds no value of the column's type
    ├── ConfigError     the configuration, the state or the machine must be mended by the operator
    │   ├── ChangeoverRefused, ChangeoverLocked, ChangeoverBusy, ChangeoverMismatch
    │   ├── KernelUnavailable
    │   ├── ConfigurationExists, DatabaseProtectedAlready
    │   ├── UnreadableConfiguration, InvalidConfiguration, DuplicateKey, MissingVariable
    │   ├── InvalidTlsSettings, InvalidUpstreamAddress, InvalidVerifier
    │   ├── StateUnusable, CannotListen, WorkersFail, ServerFailed
    │   ├── UnknownType, InvalidScheme, ColumnMissing, ColumnUnknown, ColumnNotProtected, KeysetsNotKept
    │   ├── KeyImportRefused, KeyImportExpired
    │   ├── ApprovalError          what several people must sign was not, or not so
    │   │   ├── ApprovalNeeded, ApprovalIncomplete, ApprovalMismatch, ApprovalExpired, ApprovalUsed
    │   │   └── ApprovalRequestInvalid, ApprovalsWeakened, SignatureInvalid
    │   ├── RootError              the root key, or the way to it
    │   │   ├── RootKeyMissing, RootKeyUnsafe, RootKeyInvalid, WrongRoot
    │   │   ├── RootUnreachable, RootRefused, PassphraseNeeded, RootLibraryMissing, PinRefused
    │   │   └── RootRemovalRefused, RootNotApproved
    │   ├── ShareError             the shares of a split secret
    │   │   ├── InvalidShare, ForeignShare, DoubledShare
    │   │   └── SharesMissing, WrongShare, ImpossibleShares
    │   ├── BackupError            a backup of the keys, or the place that it is to go to or come from
    │   │   ├── BackupPlaceRefused, BackupNotWritten, BackupPassphraseShort, RecipientInvalid
    │   │   ├── BackupUnknown, BackupKeyWrong, BackupKeyNeeded, BackupDamaged, BackupFormatUnknown
    │   │   └── BackupOutdated, StateNotEmpty, DumpUnreadable, NothingToRecover
    │   ├── TenantError            the key of a tenant
    │   │   ├── TenantPlaceRefused, TenantNameRefused, TenantsTooMany
    │   │   └── TenantKeyAway, TenantDestroyed, TenantRemovalRefused
    │   └── KeysetError            keysets, columns and database do not agree
    │       ├── KeysetMissing, KeysetOrphaned, KeysetMismatch, InvalidKeyset, KekMissing, WrongKek
    │       └── IllegalTransition, KeyUsesSpent, KeysChanged, DestructionRefused, HoldUnknown
    ├── Denied          a statement or value was understood, or could not be, and may not pass
    │   ├── SyntaxNotUnderstood, StatementTooComplex, ConstructRefused
    │   ├── ComparisonRefused, OrderRefused, FunctionRefused
    │   ├── ValueMoves, ValueComputed, TypeRefused, ParameterTypeUnknown
    │   ├── UserCodeRefused, SettingPinned, DefinitionRefused, BarrierInBatch
    │   ├── UndefinedTable, UndefinedColumn, AmbiguousColumn, UndefinedStatement, UndefinedCursor
    │   ├── ArgumentCount, TransactionFailed, PreparedStatementOutdated, DumpRefused, FormLost
    │   ├── KeysRotated, TenantUnclear, TenantUnknown
    │   └── UnsupportedInput       an input form that PostgreSQL accepts and Strongroom does not
    └── Bug             an invariant of ours does not hold

Each has a stable ``code`` (its anchor in docs/errors.md), the SQLSTATE that a PostgreSQL client sees
(manual, appendix "PostgreSQL Error Codes"), and says what to do next in ``hint``: its own, or the ``remedy``
of its class. Only values outside their type have none, as in PostgreSQL. No message carries a
row value, a literal or a parameter (rule 6 of the design).
"""

from typing import ClassVar


class StrongroomError(Exception):
    """The root of the tree; never raised itself."""

    code: ClassVar[str] = "strongroom"
    sqlstate: str = "XX000"  # internal_error
    remedy: ClassVar[str] = ""
    """What to do next, where nothing better is said with the error."""

    def __init__(self, message: str, *, hint: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.remedy
        self.detail = detail


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


class UpstreamError(StrongroomError):
    """The database, or the way to it, failed or spoke nonsense."""

    code = "upstream"
    sqlstate = "08006"  # connection_failure
    remedy = "See the log of the database; a pooler or proxy between it and Strongroom is often the cause."


class UpstreamGone(UpstreamError):
    """The database closed the connection, or it broke."""

    code = "upstream-gone"
    remedy = "See the log of the database for why; connect again."


class UpstreamCopyMalformed(UpstreamError):
    """What the database sends for COPY TO is not in the format that the statement says."""

    code = "upstream-copy-malformed"
    sqlstate = "08P01"  # protocol_violation


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


class PlanOutdated(UpstreamError):
    """A statement was made for a former state of a column; the database's CHECK refused it."""

    code = "plan-outdated"
    sqlstate = "40001"  # serialization_failure: applications that retry anything retry this


class OriginMismatch(UpstreamError):
    """Analysis and RowDescription say different things of a result; nothing of it is shown."""

    code = "origin-mismatch"
    sqlstate = "XX000"  # internal_error


class UpstreamUnreachable(UpstreamError):
    """There is no connection to the database: address, network or TLS."""

    code = "upstream-unreachable"
    sqlstate = "08001"  # sqlclient_unable_to_establish_sqlconnection


class CatalogUnreadable(UpstreamError):
    """The database's answer to the catalog query is not what that query returns."""

    code = "catalog-unreadable"


class KeysUnread(UpstreamError):
    """The keysets beside the data could not be read again for so long that they count no more."""

    code = "keys-unread"
    remedy = (
        "See why the gateway cannot reach the database, or read strongroom_keys.keysets there: its log says "
        "`catalog not read`. Sessions may begin again as soon as it can."
    )


class ConfigError(StrongroomError):
    """The configuration, the state or the machine must be mended by the operator."""

    code = "config"
    sqlstate = "F0000"  # config_file_error
    remedy = "docs/errors.md says under this code what may have happened, and what to do."


class ColumnMissing(ConfigError):
    """A configured column is not in the database."""

    code = "column-missing"


class ColumnUnknown(ConfigError):
    """A command names a column or database that is not configured."""

    code = "column-unknown"


class ColumnNotProtected(ConfigError):
    """A configured column holds plaintext still."""

    code = "column-not-protected"


class KeysetsNotKept(ConfigError):
    """The wrapped keysets cannot be written beside the data."""

    code = "keysets-not-kept"


class ChangeoverRefused(ConfigError):
    """Something about a table stands in the way of `protect` or `unprotect`; each is named in the detail."""

    code = "changeover-refused"


class ChangeoverLocked(ConfigError):
    """Others hold a table so that no exclusive lock was to be had, however often it was tried."""

    code = "changeover-locked"
    sqlstate = "55P03"  # lock_not_available


class ChangeoverBusy(ConfigError):
    """Another `protect` or `unprotect` runs in the same database."""

    code = "changeover-busy"
    sqlstate = "55006"  # object_in_use


class ChangeoverMismatch(ConfigError):
    """A value did not come out of its new form as it went in; nothing was swapped."""

    code = "changeover-mismatch"


class ConfigurationExists(ConfigError):
    """A first configuration would be written over a file that is there."""

    code = "configuration-exists"


class DatabaseProtectedAlready(ConfigError):
    """A first configuration was asked for a database in which keysets are kept."""

    code = "database-protected-already"


class CannotListen(ConfigError):
    """An address in the configuration cannot be listened on."""

    code = "cannot-listen"


class WorkersFail(ConfigError):
    """Workers die as fast as they are started."""

    code = "workers-fail"


class InvalidTlsSettings(ConfigError):
    """A certificate, key, authority or pin cannot be used."""

    code = "invalid-tls-settings"


class KernelUnavailable(ConfigError):
    """STRONGROOM_KERNEL asks for a kernel that is not there."""

    code = "kernel-unavailable"


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
    remedy = "`strongroom explain` shows, without running it, how a statement is understood."


class SyntaxNotUnderstood(Denied):
    """The text could not be parsed, so what it touches is unknown."""

    code = "syntax-not-understood"
    sqlstate = "42601"  # syntax_error


class StatementTooComplex(Denied):
    """The text is longer or more deeply nested than analysis allows."""

    code = "statement-too-complex"
    sqlstate = "54001"  # statement_too_complex


class ConstructRefused(Denied):
    """A construct near a protected table that analysis does not treat."""

    code = "construct-refused"
    sqlstate = "0A000"  # feature_not_supported
    remedy = "write the statement without it; `strongroom explain` shows what is understood, and runs nothing"


class ComparisonRefused(Denied):
    """A comparison or operator that sealed values do not have."""

    code = "comparison-refused"
    sqlstate = "0A000"  # feature_not_supported


class OrderRefused(Denied):
    """Sealed values would be put in order."""

    code = "order-refused"
    sqlstate = "0A000"  # feature_not_supported


class FunctionRefused(Denied):
    """A function or expression would be given a sealed value."""

    code = "function-refused"
    sqlstate = "0A000"  # feature_not_supported


class ValueMoves(Denied):
    """A protected value would move where it is not protected, or not by the same key."""

    code = "value-moves"
    sqlstate = "0A000"  # feature_not_supported


class ValueComputed(Denied):
    """The database would compute a value for a protected column, and so see it."""

    code = "value-computed"
    sqlstate = "0A000"  # feature_not_supported


class TypeRefused(Denied):
    """A cast or declared type would change the value that is sealed."""

    code = "type-refused"
    sqlstate = "42804"  # datatype_mismatch


class ParameterTypeUnknown(Denied):
    """A parameter used both sealed and not has no certain type."""

    code = "parameter-type-unknown"
    sqlstate = "42P18"  # indeterminate_datatype


class UserCodeRefused(Denied):
    """Code that cannot be seen into might touch a protected table."""

    code = "user-code-refused"
    sqlstate = "42501"  # insufficient_privilege


class SettingPinned(Denied):
    """A setting on whose value the meaning of statements rests may not change."""

    code = "setting-pinned"
    sqlstate = "55P02"  # cant_change_runtime_param


class DefinitionRefused(Denied):
    """A change of definition that a protected column does not survive."""

    code = "definition-refused"
    sqlstate = "0A000"  # feature_not_supported


class BarrierInBatch(Denied):
    """A statement follows, in one text, another that may change what it means."""

    code = "barrier-in-batch"
    sqlstate = "0A000"  # feature_not_supported


class UndefinedTable(Denied):
    """A name that is no relation, beside a protected table."""

    code = "undefined-table"
    sqlstate = "42P01"  # undefined_table
    remedy = "Check the name, the search_path, and that the upstream user may see it."


class UndefinedColumn(Denied):
    """A name that is no column of the relations in sight."""

    code = "undefined-column"
    sqlstate = "42703"  # undefined_column
    remedy = "Check the name, and that the upstream user may see the table."


class AmbiguousColumn(Denied):
    """A name that more than one relation in sight has."""

    code = "ambiguous-column"
    sqlstate = "42702"  # ambiguous_column
    remedy = "Write the name of its table before it."


class UndefinedStatement(Denied):
    """No prepared statement has this name."""

    code = "undefined-statement"
    sqlstate = "26000"  # invalid_sql_statement_name


class ArgumentCount(Denied):
    """An EXECUTE has another number of arguments than its statement has parameters."""

    code = "argument-count"
    sqlstate = "42601"  # syntax_error


class UndefinedCursor(Denied):
    """No cursor has this name."""

    code = "undefined-cursor"
    sqlstate = "34000"  # invalid_cursor_name


class TransactionFailed(Denied):
    """A statement in a failed transaction, which PostgreSQL would ignore too."""

    code = "transaction-failed"
    sqlstate = "25P02"  # in_failed_sql_transaction


class PreparedStatementOutdated(Denied):
    """A statement of SQL's PREPARE means something else since a table or the search path changed."""

    code = "prepared-statement-outdated"
    sqlstate = "26000"  # invalid_sql_statement_name


class KeysRotated(Denied):
    """The key of a deterministic column is newer in the database than in this gateway."""

    code = "keys-rotated"
    sqlstate = "40001"  # serialization_failure: drivers and frameworks know to try again
    remedy = "Try again: the gateway reads the new key at once."


class TenantUnclear(Denied):
    """A value is to be sealed for a tenant, and the statement does not say for which."""

    code = "tenant-unclear"
    sqlstate = "0A000"  # feature_not_supported
    remedy = (
        "Name the tenant in the statement: in the row of an INSERT, or as WHERE tenant_id = ... of an UPDATE."
    )


class TenantUnknown(Denied):
    """A value is to be sealed for a tenant that has no key here, or none any more."""

    code = "tenant-unknown"
    sqlstate = "55000"  # object_not_in_prerequisite_state
    remedy = (
        "Make its key: strongroom keys tenants add; a tenant whose key was withdrawn or destroyed has none."
    )

    def __init__(self, message: str, *, hint: str = "", tenant: str = "") -> None:
        super().__init__(message, hint=hint)
        self.tenant = tenant
        """Whose key is missing; a client's value, and in no message."""


class FormLost(Denied):
    """A column that was sealed once has another type in the database now."""

    code = "form-lost"
    sqlstate = "55000"  # object_not_in_prerequisite_state


class DumpRefused(Denied):
    """pg_dump through the gateway."""

    code = "dump-refused"
    sqlstate = "0A000"  # feature_not_supported


class Bug(StrongroomError):
    """An invariant of ours does not hold; the session ends rather than guess."""

    code = "bug"
    sqlstate = "XX000"  # internal_error
    remedy = "This is a defect of Strongroom: report it with the line of the log."


# --- values: what a client sends for a protected column ---


class InvalidValue(ClientError):
    """A value is outside the declared type of its column; never raised itself."""

    code = "value-invalid"
    sqlstate = "22000"  # data_exception
    remedy = ""  # as in PostgreSQL


class InvalidText(InvalidValue):
    """Its text is not one that the type accepts."""

    code = "value-text"
    sqlstate = "22P02"  # invalid_text_representation


class InvalidBinary(InvalidValue):
    """Its binary form is malformed."""

    code = "value-binary"
    sqlstate = "22P03"  # invalid_binary_representation


class InvalidEncoding(InvalidValue):
    """It is not UTF-8, or holds a NUL."""

    code = "value-encoding"
    sqlstate = "22021"  # character_not_in_repertoire


class InvalidUnicode(InvalidValue):
    """A Unicode escape that jsonb cannot hold."""

    code = "value-unicode"
    sqlstate = "22P05"  # untranslatable_character


class InvalidDatetime(InvalidValue):
    """It is not a date, time or interval."""

    code = "value-datetime"
    sqlstate = "22007"  # invalid_datetime_format


class DatetimeOverflow(InvalidValue):
    """A date, time or interval outside the range of the type, or a field outside its own."""

    code = "value-datetime-range"
    sqlstate = "22008"  # datetime_field_overflow


class IntervalOverflow(InvalidValue):
    """An interval outside the range of the type, or a field outside its own."""

    code = "value-interval-range"
    sqlstate = "22015"  # interval_field_overflow


class ValueOutOfRange(InvalidValue):
    """A number outside the range of the type."""

    code = "value-range"
    sqlstate = "22003"  # numeric_value_out_of_range


class ZoneOverflow(InvalidValue):
    """A time zone further from UTC than PostgreSQL allows."""

    code = "value-zone-range"
    sqlstate = "22009"  # invalid_time_zone_displacement_value


class InvalidHex(InvalidValue):
    """The hexadecimal form of a bytea with an odd number of digits, or with something else among them."""

    code = "value-hex"
    sqlstate = "22023"  # invalid_parameter_value


class ValueTooLong(InvalidValue):
    """Longer than varchar(n) or char(n) allows."""

    code = "value-length"
    sqlstate = "22001"  # string_data_right_truncation


class InvalidArray(InvalidValue):
    """An array whose dimensions do not agree."""

    code = "value-array"
    sqlstate = "2202E"  # array_subscript_error


class ArrayTooLarge(InvalidValue):
    """An array of more dimensions or elements than PostgreSQL allows."""

    code = "value-array-limit"
    sqlstate = "54000"  # program_limit_exceeded


class TypeMismatch(InvalidValue):
    """It is of a type that PostgreSQL does not convert to the column's by assignment, or that we do not."""

    code = "value-type"
    sqlstate = "42804"  # datatype_mismatch


class UnsupportedInput(Denied):
    """An input form that PostgreSQL accepts and Strongroom does not; docs/spec/ciphertext.md lists ours."""

    code = "value-form"
    sqlstate = "0A000"  # feature_not_supported


# --- sealed values, as they come back from the database ---


class MalformedRow(UpstreamError):
    """A DataRow of the database that its RowDescription does not describe."""

    code = "row-malformed"
    sqlstate = "08P01"  # protocol_violation


class InvalidCiphertext(UpstreamError):
    """A stored value does not open; raised itself where no nearer class fits."""

    code = "ciphertext-invalid"
    sqlstate = "XX001"  # data_corrupted
    remedy = (
        "The stored value was changed, cut or moved: restore it from a backup; docs/errors.md "
        "says how it is found."
    )


class TruncatedCiphertext(InvalidCiphertext):
    """Shorter than any sealed value."""

    code = "ciphertext-truncated"


class UnknownVersion(InvalidCiphertext):
    """Its first byte is not that of a sealed value: plaintext, or another format."""

    code = "ciphertext-version"


class UnknownKey(InvalidCiphertext):
    """It names a key that the keyset of its column does not have, or may not use."""

    code = "ciphertext-key"
    remedy = (
        "Restore the keysets, of the state or of the table strongroom_keys.keysets, that the value was "
        "sealed under."
    )


class WrongTag(InvalidCiphertext):
    """It was changed, or sealed for another column."""

    code = "ciphertext-tag"


class InvalidPlaintext(InvalidCiphertext):
    """It opened, but does not hold a value of the column's declared type."""

    code = "plaintext-invalid"


# --- the configuration of columns, keys and their root ---


class UnknownType(ConfigError):
    """A configured type that a protected column cannot have."""

    code = "type-unknown"


class InvalidScheme(ConfigError):
    """The configuration of a column asks for what its type or key does not allow."""

    code = "scheme-invalid"


class RootError(ConfigError):
    """The root key cannot serve, or not be reached; never raised itself."""

    code = "root-key"
    remedy = "See docs/guides/keys.md, and the section on the root's provider."


class RootKeyMissing(RootError):
    """The file of the root key is not there, though keysets exist that it must unwrap."""

    code = "root-key-missing"


class RootKeyUnsafe(RootError):
    """The file of the root key can be read by others, or lies where what it protects is."""

    code = "root-key-unsafe"


class RootKeyInvalid(RootError):
    """The file of the root key does not hold one."""

    code = "root-key-invalid"


class WrongRoot(RootError):
    """A wrapped key does not open with this root key."""

    code = "root-key-wrong"


class RootUnreachable(RootError):
    """Nobody answers where the root key is kept, or not in time."""

    code = "root-unreachable"
    remedy = "Gateways that run go on; see that the key service can be reached from here, then try again."


class RootRefused(RootError):
    """The key service answers, and says no."""

    code = "root-refused"
    remedy = (
        "See that the key is there and in use, and that these credentials may encrypt and decrypt with it."
    )


class PassphraseNeeded(RootError):
    """The root is a passphrase, and there is neither one in the configuration nor a terminal to ask at."""

    code = "root-passphrase"
    remedy = "Write `root: passphrase:${NAME}` and set NAME in the environment, or start it at a terminal."


class PinRefused(RootError):
    """The token that keeps the root key refused the PIN; it counts such tries, so none is made again."""

    code = "root-pin-refused"
    remedy = "Log in with the right PIN by the token's own tool, set it right here too, and start again."


class RootLibraryMissing(RootError):
    """The package through which a provider of root keys is reached is not installed."""

    code = "root-library"


class RootRemovalRefused(RootError):
    """A root is to be taken off that is needed, or before its time."""

    code = "root-removal-refused"


class RootNotApproved(RootError):
    """A configured root has never wrapped anything here, and a change of root needs approval."""

    code = "root-not-approved"
    remedy = "Run `strongroom keys root rewrap`, which makes the request that people sign."


class ApprovalError(ConfigError):
    """What several people must sign was not signed, or not so; never raised itself."""

    code = "approval"


class ApprovalNeeded(ApprovalError):
    """The act was not done: a request was written, for people to sign."""

    code = "approval-needed"
    remedy = "Have it signed, and run the command again with --approval FILE."


class ApprovalIncomplete(ApprovalError):
    """Fewer people than needed have signed the request."""

    code = "approval-incomplete"
    remedy = "Have others sign it; `strongroom keys approvals show FILE` says who has."


class ApprovalMismatch(ApprovalError):
    """The request is for another act, or for another state."""

    code = "approval-mismatch"
    remedy = "Run the command without --approval: it writes a request for what is asked now."


class ApprovalExpired(ApprovalError):
    """The request holds no longer, or not yet."""

    code = "approval-expired"
    remedy = "Run the command without --approval for another request; it lasts a day."


class ApprovalUsed(ApprovalError):
    """What was signed has been done already: one request is for one act."""

    code = "approval-used"
    remedy = "Run the command without --approval for another request."


class ApprovalRequestInvalid(ApprovalError):
    """The file is no request, or was changed."""

    code = "approval-request"
    remedy = "Take the file as it was written: an editor that changes its lines makes it another."


class ApprovalsWeakened(ApprovalError):
    """The configuration asks for fewer approvals than this state has on record."""

    code = "approvals-weakened"
    remedy = "Put the lines back, or have the people on record sign: strongroom keys approvals change"


class SignatureInvalid(ApprovalError):
    """A signature or public key of SSH that is none, is damaged, or was made over something else."""

    code = "signature-invalid"
    remedy = "Sign the file as it is: ssh-keygen -Y sign -n strongroom-approval -f KEY FILE"


class KeyImportRefused(ConfigError):
    """What came is not key material that was wrapped for this import."""

    code = "key-import-refused"


class KeyImportExpired(ConfigError):
    """The time in which an import was to be done is over."""

    code = "key-import-expired"
    remedy = "Begin another import, and wrap the key material with its public key."


class ShareError(ConfigError):
    """The shares of a split secret do not bring it back; never raised itself."""

    code = "share"
    remedy = "Enter the shares again, each line whole; docs/guides/roots.md says what a line holds."


class InvalidShare(ShareError):
    """A line is mistyped, or no share."""

    code = "share-mistyped"
    remedy = "Compare the line with the one on paper, group by group, and enter it again."


class ForeignShare(ShareError):
    """Shares of two sets, which do not go together."""

    code = "share-foreign"
    remedy = "See which set is configured, and ask that set's keepers for their shares."


class DoubledShare(ShareError):
    """The same share was entered twice."""

    code = "share-doubled"
    remedy = "Enter each keeper's share once."


class SharesMissing(ShareError):
    """Fewer shares than the set needs."""

    code = "shares-missing"
    remedy = "Ask more keepers of the set for theirs."


class WrongShare(ShareError):
    """Shares that are well-formed and contradict each other."""

    code = "share-wrong"
    remedy = "Enter no more than the needed number, of other keepers in turn; find out who changed a line."


class ImpossibleShares(ShareError):
    """A number of shares, or of those needed, that cannot be."""

    code = "shares-impossible"
    remedy = "Take at least 2 needed, at most 255 in all, and no more needed than there are."


class BackupError(ConfigError):
    """A backup of the keys, or the place that it goes to or comes from; never raised itself."""

    code = "backup"


class BackupPlaceRefused(BackupError):
    """A backup must not be written there."""

    code = "backup-place"
    remedy = "Name a new file in a folder of its own, best on a disk that can be taken out."


class BackupNotWritten(BackupError):
    """The file could not be written whole, or did not open when it was read back; nothing is left of it."""

    code = "backup-not-written"
    remedy = "See that the disk is not full and the folder is writable, and run it again."


class BackupPassphraseShort(BackupError):
    """A passphrase that would be guessed."""

    code = "backup-passphrase"
    remedy = "Take five or six words that nobody would put together."


class RecipientInvalid(BackupError):
    """What should be a recipient or an identity of age is none."""

    code = "backup-recipient"
    remedy = "A recipient begins with age1, ssh-ed25519 or ssh-rsa; `age-keygen` makes an identity."


class BackupUnknown(BackupError):
    """No backup of this id is registered."""

    code = "backup-unknown"
    remedy = "`strongroom keys backups` lists those that are."


class BackupKeyWrong(BackupError):
    """The backup does not open with this passphrase, identity or set of shares."""

    code = "backup-key-wrong"
    remedy = "Try the one that it was made for: `strongroom keys backups` on a machine that runs names it."


class BackupKeyNeeded(BackupError):
    """Nothing was given that could open the backup."""

    code = "backup-key-needed"
    remedy = "Give --identity FILE or --shares; a backup to a passphrase asks for it at a terminal."


class BackupDamaged(BackupError):
    """The file was cut or changed, or never was a backup."""

    code = "backup-damaged"
    remedy = "Take another copy of it, or another backup."


class BackupFormatUnknown(BackupError):
    """The backup opens, and is in a format of another version."""

    code = "backup-format"
    remedy = "Restore it with the version of Strongroom that wrote it, or a newer one."


class BackupOutdated(BackupError):
    """The data was sealed, or its keys wrapped, by keys that are newer than the backup."""

    code = "backup-outdated"
    remedy = "Restore a newer backup, or bring back the root key that the database names."


class StateNotEmpty(BackupError):
    """Keys would be brought back into a state that has some already."""

    code = "state-not-empty"
    remedy = "Name another file in `state:`; a state with keys is never overwritten."


class DumpUnreadable(BackupError):
    """The file is no plain dump of a database with the schema strongroom_keys."""

    code = "dump-unreadable"
    remedy = "Make a plain one of any other: pg_restore --schema=strongroom_keys -f plain.sql DUMP"


class NothingToRecover(BackupError):
    """Neither the databases nor the dump hold keys."""

    code = "nothing-to-recover"
    remedy = "See that the configuration names the right database; a backup of the keys brings back the rest."


class TenantError(ConfigError):
    """The key of a tenant, or the place for it."""

    code = "tenant"
    remedy = "See docs/guides/tenants.md."


class TenantPlaceRefused(TenantError):
    """There is no place for the keys of tenants, or not a safe one."""

    code = "tenant-place-refused"
    remedy = (
        "Set keys.tenants.copies to a folder of its own (install -d -m 0700), apart from the state and from"
        " backups of the database; or name the tenant's own provider under keys.tenants.own."
    )


class TenantNameRefused(TenantError):
    """A name that no tenant can have."""

    code = "tenant-name-refused"
    remedy = "Name a tenant in letters, digits and . _ : + -, 100 at most, a letter or digit first."


class TenantsTooMany(TenantError):
    """As many tenants as `keys.tenants.limit` are there, or nobody may make one but by hand."""

    code = "tenants-too-many"
    remedy = "Raise keys.tenants.limit, or make it with `strongroom keys tenants add`."


class TenantKeyAway(TenantError):
    """The key of a tenant is not here: withdrawn, or out of reach."""

    code = "tenant-key-away"
    remedy = "`strongroom keys tenants list` says where each key is; let its provider give it again."


class TenantDestroyed(TenantError):
    """The key of a tenant of this name was destroyed."""

    code = "tenant-destroyed"
    remedy = "What it sealed is lost. For a new tenant of this name: strongroom keys tenants add --again"


class TenantRemovalRefused(TenantError):
    """The key of a tenant may not be destroyed, or not yet."""

    code = "tenant-removal-refused"
    remedy = "Announce it with `strongroom keys tenants destroy`, and run it again when it is due."


class KeysetError(ConfigError):
    """Keysets, configured columns and database do not agree; never raised itself."""

    code = "keyset"


class KeysetMissing(KeysetError):
    """A protected column whose keyset is in neither the state nor the database."""

    code = "keyset-missing"


class KeysetOrphaned(KeysetError):
    """A keyset for which no column is configured."""

    code = "keyset-orphaned"


class KeysetMismatch(KeysetError):
    """The keyset was made for another type, encryption or padding than configured, or its copies differ."""

    code = "keyset-mismatch"


class InvalidKeyset(KeysetError):
    """A stored or imported keyset is malformed."""

    code = "keyset-invalid"


class KekMissing(KeysetError):
    """A keyset is wrapped by a key-encryption key that is neither in the state nor beside the data."""

    code = "kek-missing"
    remedy = (
        "Restore the state, or the tables of the schema strongroom_keys, from a backup; a gateway that runs:"
        " reload it (SIGHUP)."
    )


class WrongKek(KeysetError):
    """A wrapped keyset does not open with its key-encryption key."""

    code = "kek-wrong"
    remedy = "Restore the state or the table strongroom_keys.keysets from a backup."


class IllegalTransition(KeysetError):
    """A key cannot go from its state to the one asked for."""

    code = "key-transition"


class KeyUsesSpent(KeysetError):
    """A key has sealed as many values as is safe for its algorithm."""

    code = "key-uses-spent"


class KeysChanged(KeysetError):
    """Another process changed the same keys at the same time, and came first."""

    code = "keys-changed"
    remedy = "Look with `strongroom keys list`, and run the command again if it is still to be done."


class DestructionRefused(KeysetError):
    """A key is to be destroyed that something needs, or before its time."""

    code = "destruction-refused"
    remedy = "Do what is said of each thing that stands in the way, then run it again."


class HoldUnknown(KeysetError):
    """No legal hold of this number is in force, or there is no key of the name that one is to have."""

    code = "hold-unknown"
    remedy = "`strongroom keys holds` shows those in force, `strongroom keys list` the keys."
