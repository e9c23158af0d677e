"""The root key, or the way to it; the shares of a split secret."""

from strongroom.errors.setup import ConfigError


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
