"""Every exception of Strongroom, sorted by who is to blame.

    StrongroomError
    ├── ClientError     the client broke the protocol, its credentials or a limit
    │   ├── MalformedMessage
    │   └── MessageTooLarge
    ├── UpstreamError   the database, or the way to it, failed or spoke nonsense
    │   └── CatalogUnreadable
    ├── ConfigError     the configuration, the state or the machine must be mended by the operator
    ├── Denied          a statement or value was understood, or could not be, and may not pass
    │   ├── SyntaxNotUnderstood, StatementTooComplex, ConstructRefused
    │   ├── ComparisonRefused, OrderRefused, FunctionRefused
    │   ├── ValueMoves, ValueComputed, TypeRefused, ParameterTypeUnknown
    │   ├── UserCodeRefused, SettingPinned, DefinitionRefused, BarrierInBatch
    │   └── UndefinedTable, UndefinedColumn, AmbiguousColumn, UndefinedStatement, UndefinedCursor
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


class UpstreamError(StrongroomError):
    """The database, or the way to it, failed or spoke nonsense."""

    code = "upstream"
    sqlstate = "08006"  # connection_failure


class CatalogUnreadable(UpstreamError):
    """The database's answer to the catalog query is not what that query returns."""

    code = "catalog-unreadable"


class ConfigError(StrongroomError):
    """The configuration, the state or the machine must be mended by the operator."""

    code = "config"
    sqlstate = "F0000"  # config_file_error


class Denied(StrongroomError):
    """A statement or value was understood, or could not be, and may not pass."""

    code = "denied"
    sqlstate = "42501"  # insufficient_privilege


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


class UndefinedColumn(Denied):
    """A name that is no column of the relations in sight."""

    code = "undefined-column"
    sqlstate = "42703"  # undefined_column


class AmbiguousColumn(Denied):
    """A name that more than one relation in sight has."""

    code = "ambiguous-column"
    sqlstate = "42702"  # ambiguous_column


class UndefinedStatement(Denied):
    """No prepared statement has this name."""

    code = "undefined-statement"
    sqlstate = "26000"  # invalid_sql_statement_name


class UndefinedCursor(Denied):
    """No cursor has this name."""

    code = "undefined-cursor"
    sqlstate = "34000"  # invalid_cursor_name


class Bug(StrongroomError):
    """An invariant of ours does not hold; the session ends rather than guess."""

    code = "bug"
    sqlstate = "XX000"  # internal_error
