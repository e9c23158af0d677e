"""What protects less than before, and needs several people: refused, forgotten, or not kept."""

from strongroom.errors.setup import ConfigError


class ProtectionError(ConfigError):
    """What `protection:` keeps does not allow this; never raised itself."""

    code = "protection"


class ProtectionWeakened(ProtectionError):
    """The configuration protects less than the one that was accepted, and not enough people signed that."""

    code = "protection-weakened"
    remedy = (
        "Put the lines back, or have people sign: strongroom protection request NEW, then strongroom"
        " protection accept REQUEST"
    )


class ProtectionForgotten(ProtectionError):
    """What was accepted before is not to be had, though there was something."""

    code = "protection-forgotten"
    remedy = (
        "Put the state back, or the table strongroom_keys.protection of the database: what ran before stands"
        " there."
    )


class ProtectionNotKept(ProtectionError):
    """What was accepted cannot be written beside the data, so a lost state would forget it."""

    code = "protection-not-kept"
    remedy = "Set `owner` to a role that may create the schema strongroom_keys in this database."


class StanceUnreadable(ProtectionError):
    """What was kept of a configuration is not in its form."""

    code = "stance-unreadable"
    remedy = "Put the state back, or run the version of Strongroom that wrote it."
