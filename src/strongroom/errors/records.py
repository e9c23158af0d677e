"""Records of the audit log that are none."""

from strongroom.errors.setup import ConfigError


class InvalidRecord(ConfigError):
    """What stands in the log is no record that this version of Strongroom could have written."""

    code = "record-invalid"
    remedy = "Verify the log; if it holds, read it with the version of Strongroom that wrote it."
