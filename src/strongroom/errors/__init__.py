"""Every exception of Strongroom, sorted by who is to blame.

    StrongroomError
    ├── ClientError     the client broke the protocol, its credentials or a limit
    │   ├── MalformedMessage, UnsupportedMessage, UnsupportedProtocol, TlsRequired, ParameterCount
    │   ├── LoginMalformed, LoginRefused, DatabaseUnknown
    │   ├── MessageTooLarge, StartupPacketTooLarge, StatementLimitReached, LimitReached, TimeLimitReached
    │   ├── PinnedSettingChanged, Draining, MalformedCopy, CopyRowTooLong, SessionOver, AccessEnded
    │   ├── StatementNotRun
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
    │   ├── PersonUnknown, PersonRefused, TooManyCredentials, TooManyFormerPasswords
    │   ├── GrantRefused, GrantUnknown
    │   ├── UnknownType, InvalidMask, InvalidScheme, ColumnMissing, ColumnUnknown, ColumnNotProtected
    │   ├── KeysetsNotKept
    │   ├── KeyImportRefused, KeyImportExpired
    │   ├── InvalidPolicy
    │   ├── InvalidRecord
    │   ├── ApprovalError          what several people must sign was not, or not so
    │   │   ├── ApprovalNeeded, ApprovalIncomplete, ApprovalMismatch, ApprovalExpired, ApprovalUsed
    │   │   └── ApprovalRequestInvalid, ApprovalsWeakened, SignatureInvalid
    │   ├── ProtectionError        what protects less than before
    │   │   └── ProtectionWeakened, ProtectionForgotten, ProtectionNotKept, StanceUnreadable
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
    │   ├── AuditError             the audit log cannot go on, or not be believed
    │   │   ├── LogDamaged, CheckpointInvalid, ProofInvalid, LogKeyInvalid
    │   │   ├── LogUnwritable, LogUnusable, LogInUse, LogRolledBack, LogContradicted
    │   │   ├── NoAuditLog, AuditChanged, RecordUnknown, RecordsPruned, NotPrunable, IndexUnusable
    │   │   └── SinkError          the log does not go where it is to go
    │   │       └── SinkUnreachable, SinkRefused, SinkUntrue
    │   ├── TenantError            the key of a tenant
    │   │   ├── TenantPlaceRefused, TenantNameRefused, TenantsTooMany
    │   │   └── TenantKeyAway, TenantDestroyed, TenantRemovalRefused
    │   └── KeysetError            keysets, columns and database do not agree
    │       ├── KeysetMissing, KeysetOrphaned, KeysetMismatch, InvalidKeyset, KekMissing, WrongKek
    │       └── IllegalTransition, KeyUsesSpent, KeysChanged, DestructionRefused, HoldUnknown
    ├── Denied          a statement or value was understood, or could not be, and may not pass
    │   ├── AccessDenied, BudgetSpent, SyntaxNotUnderstood, StatementTooComplex, ConstructRefused
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

from strongroom.errors.approvals import *  # noqa: F403 - a whole branch of the tree
from strongroom.errors.audit import *  # noqa: F403 - a whole branch of the tree
from strongroom.errors.backups import *  # noqa: F403 - a whole branch of the tree
from strongroom.errors.base import *  # noqa: F403 - a whole branch of the tree
from strongroom.errors.client import *  # noqa: F403 - a whole branch of the tree
from strongroom.errors.denied import *  # noqa: F403 - a whole branch of the tree
from strongroom.errors.keysets import *  # noqa: F403 - a whole branch of the tree
from strongroom.errors.records import *  # noqa: F403 - a whole branch of the tree
from strongroom.errors.roots import *  # noqa: F403 - a whole branch of the tree
from strongroom.errors.setup import *  # noqa: F403 - a whole branch of the tree
from strongroom.errors.upstream import *  # noqa: F403 - a whole branch of the tree
from strongroom.errors.values import *  # noqa: F403 - a whole branch of the tree
from strongroom.errors.weakening import *  # noqa: F403 - a whole branch of the tree
