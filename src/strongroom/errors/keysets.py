"""Keysets, tenants, columns and database do not agree, or a key may not do what is asked of it."""

from strongroom.errors.setup import ConfigError


class KeyImportRefused(ConfigError):
    """What came is not key material that was wrapped for this import."""

    code = "key-import-refused"


class KeyImportExpired(ConfigError):
    """The time in which an import was to be done is over."""

    code = "key-import-expired"
    remedy = "Begin another import, and wrap the key material with its public key."


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
