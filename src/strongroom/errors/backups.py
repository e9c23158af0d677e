"""A backup of the keys, or the place that it is to go to or come from."""

from strongroom.errors.setup import ConfigError


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
