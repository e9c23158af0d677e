"""What a refused login to the database means, by its SQLSTATE, for the operator and for the client's driver.

The database's own words go no further: they name its users and addresses. Used by ``upstream_login``.
"""

import re

from strongroom.errors import UpstreamLoginRefused

_REASONS: dict[str, tuple[str, str]] = {
    "28P01": ("wrong password or unknown user", "check upstream_user and upstream_password"),
    "28000": ("its pg_hba.conf lets this user, address or TLS not in", "see its log for the line"),
    "3D000": ("no such database", "check the database's name in `upstream`"),
    "42501": ("the user lacks the CONNECT privilege", "grant it in the database"),
    "08P01": (
        "a pooler before it takes no start-up parameter bytea_output",  # pgbouncer, client.c
        "name the database itself in `upstream`, not a pooler",
    ),
    "42704": ("a start-up parameter is unknown", "remove it from the client's connection string"),
    "22023": ("a start-up parameter has an invalid value", "mend the client's connection string"),
    "53300": ("it has no connection left", "raise its max_connections or lower the gateway's limit"),
    "57P03": ("it is starting up or shutting down", "try again"),
}

# A driver may know what is temporary, so that it tries again, and what its own start-up parameters did.
_PASSES = re.compile(r"53...|57P..|42704|22023")


def login_refusal(sqlstate: str) -> UpstreamLoginRefused:
    """The error for an ErrorResponse during the login; ``sqlstate`` is its field C, not yet trusted."""
    reason = sqlstate if re.fullmatch(r"[0-9A-Z]{5}", sqlstate) else "?????"
    meaning, hint = _REASONS.get(reason, ("see its log", "look the SQLSTATE up in the manual, appendix A"))
    return UpstreamLoginRefused(
        f"the database refused the login of the gateway: {meaning} (SQLSTATE {reason})",
        upstream_sqlstate=reason,
        sqlstate=reason if _PASSES.fullmatch(reason) else UpstreamLoginRefused.sqlstate,
        hint=hint,
    )
