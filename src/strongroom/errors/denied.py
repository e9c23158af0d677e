"""A statement or value that was understood, or could not be, and may not pass."""

from strongroom.errors.base import StrongroomError


class Denied(StrongroomError):
    """A statement or value was understood, or could not be, and may not pass."""

    code = "denied"
    sqlstate = "42501"  # insufficient_privilege
    remedy = "`strongroom explain` shows, without running it, how a statement is understood."


class AccessDenied(Denied):
    """The policy does not permit what a statement does."""

    code = "access-denied"
    remedy = "`strongroom policy explain` shows by which rule; whoever keeps the configuration can change it."


class BudgetSpent(Denied):
    """A result would go beyond what its reader may be given in an hour."""

    code = "budget-spent"
    sqlstate = "53400"  # configuration_limit_exceeded
    remedy = "Ask for less at a time (LIMIT), or again when the hour is over."


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


class UnsupportedInput(Denied):
    """An input form that PostgreSQL accepts and Strongroom does not; docs/spec/ciphertext.md lists ours."""

    code = "value-form"
    sqlstate = "0A000"  # feature_not_supported


# --- sealed values, as they come back from the database ---
