"""The configuration, the state or the machine must be mended by the operator."""

from strongroom.errors.base import StrongroomError


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


class UnknownType(ConfigError):
    """A configured type that a protected column cannot have."""

    code = "type-unknown"


class InvalidMask(ConfigError):
    """A mask is not one of those that there are, or does not fit the type of its column."""

    code = "mask-invalid"
    remedy = "docs/spec/masks.md says which masks there are, and which type takes which."


class InvalidScheme(ConfigError):
    """The configuration of a column asks for what its type or key does not allow."""

    code = "scheme-invalid"


class InvalidPolicy(ConfigError):
    """A Cedar policy that was written by hand does not parse, or does not fit the schema."""

    code = "policy-invalid"


class PersonUnknown(ConfigError):
    """A command names a person who is not configured, or was never added."""

    code = "person-unknown"


class PersonRefused(ConfigError):
    """What a person was to be given does not do, such as a short password."""

    code = "person-refused"


class GrantRefused(ConfigError):
    """A role was to be given, agreed to, taken or taken back by somebody who may not, or not so."""

    code = "grant-refused"


class GrantUnknown(ConfigError):
    """A command names a grant or request by a number that none has."""

    code = "grant-unknown"
    remedy = "`strongroom grants --all` shows each with its number."


class TooManyCredentials(ConfigError):
    """A person holds so many credentials that count still that no other is given."""

    code = "too-many-credentials"


class TooManyFormerPasswords(ConfigError):
    """So many former passwords of an account count still that no other is kept."""

    code = "too-many-former-passwords"
