"""The database, or the way to it, failed or spoke nonsense; a stored value does not open."""

from strongroom.errors.base import StrongroomError


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
