"""Where the former values of changed columns may remain, told at the end (design, rule 5).

What a rewrite of the table removes is offered as a statement; the rest is out of our reach and named.
Called by ``job.py``.
"""

from strongroom.changeover.database import Database
from strongroom.changeover.model import Direction, Plan
from strongroom.changeover.statements import GUARD

_SLOTS = "SELECT count(*) FROM pg_replication_slots"
_ARCHIVING = "SELECT current_setting('archive_mode') <> 'off'"
_REPLICAS = "SELECT count(*) FROM pg_stat_replication"

STATISTICS = ("pg_catalog.pg_statistic", "pg_catalog.pg_statistic_ext_data")
"""Where ANALYZE keeps samples of values; what it no longer needs stays as dead rows."""
OWNS_STATISTICS = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'pg_statistic'::regclass"


def of(database: Database, plan: Plan, *, rewritten: bool, statistics_cleared: bool) -> tuple[str, ...]:
    """Sentences for the operator; after `unprotect` there is nothing to remove."""
    if plan.direction is Direction.UNPROTECT:
        return (
            "The column stands last in its table now; clients that use * or INSERT without a list see that.",
            "The keyset is still needed for what backups hold.",
            f"CHECKs named {GUARD}... refuse what a running gateway still seals; reload it, then drop them.",
        )
    if plan.direction is Direction.REKEY:
        return ("Values of the old key stand in dead rows until the table is rewritten, and in old backups.",)
    found = []
    if not rewritten:
        tables = "; ".join(f"VACUUM (FULL, ANALYZE) {table.sql}" for table in plan.tables)
        found.append(
            "The table's files hold the plaintext in the dropped column and in dead rows until the"
            f" table is rewritten, as --rewrite would have done: `{tables}` (holds the table exclusively;"
            " pg_repack does the same beside writers)."
        )
    if not statistics_cleared:
        found.append(
            "The planner's statistics held samples of the values, which stay in dead rows until a superuser"
            f" runs {' and '.join(f'`VACUUM FULL {catalog}`' for catalog in STATISTICS)}."
        )
    found.append("The write-ahead log holds the plaintext until it is recycled" + _kept(database) + ".")
    if database.value(_REPLICAS):
        found.append("Physical replicas hold what this server holds: they follow a rewrite by themselves.")
    found.append(
        "Backups, snapshots and dumps made before now hold the plaintext: let them expire, or delete them."
    )
    found.append(
        "The database's own log may hold statements with values: see log_statement and its retention."
    )
    return tuple(found)


def _kept(database: Database) -> str:
    reasons = []
    if database.value(_SLOTS):
        reasons.append("replication slots keep it")
    if database.value(_ARCHIVING):
        reasons.append("it is archived")
    return f", and {' and '.join(reasons)}" if reasons else ""
