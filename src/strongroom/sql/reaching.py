"""Which of PostgreSQL's own functions reach beyond the statement that calls them.

They read or write files, large objects, sequences, the WAL, other sessions or their texts; to a database all
accounts may be one user, so that only a policy can tell who may. Of those whose names begin with `pg_` or
`lo` what is harmless is listed, so that what is new is asked about. Called by `caution.py`.

Some of the harmless ones tell what they are given, wherever they stand (`tells`): called by `functions.py`.
"""

import re

_REACHING = frozenset({"setval", "currtid2", "ts_stat"})

_HARMLESS = frozenset({
    "pg_advisory_lock", "pg_advisory_lock_shared", "pg_advisory_unlock", "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared", "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared", "pg_backend_pid",
    "pg_blocking_pids", "pg_char_to_encoding", "pg_client_encoding", "pg_collation_actual_version",
    "pg_collation_for", "pg_column_compression", "pg_column_size", "pg_conf_load_time",
    "pg_current_snapshot", "pg_current_wal_lsn", "pg_current_xact_id", "pg_current_xact_id_if_assigned",
    "pg_database_size", "pg_describe_object", "pg_encoding_to_char", "pg_function_is_visible", "pg_has_role",
    "pg_identify_object", "pg_identify_object_as_address", "pg_index_column_has_property",
    "pg_index_has_property", "pg_indexam_has_property", "pg_indexes_size", "pg_input_is_valid",
    "pg_is_in_recovery", "pg_is_other_temp_schema", "pg_jit_available", "pg_lsn", "pg_my_temp_schema",
    "pg_notify", "pg_options_to_table", "pg_partition_ancestors", "pg_partition_root", "pg_partition_tree",
    "pg_postmaster_start_time", "pg_relation_filenode", "pg_relation_is_publishable",
    "pg_relation_is_updatable", "pg_relation_size", "pg_sequence_parameters", "pg_size_bytes",
    "pg_size_pretty", "pg_sleep", "pg_sleep_for", "pg_sleep_until", "pg_snapshot_xip", "pg_snapshot_xmax",
    "pg_snapshot_xmin", "pg_table_size", "pg_tablespace_location", "pg_tablespace_size",
    "pg_timezone_abbrevs", "pg_timezone_names", "pg_total_relation_size", "pg_trigger_depth",
    "pg_try_advisory_lock", "pg_try_advisory_lock_shared", "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared", "pg_typeof", "pg_visible_in_snapshot", "pg_xact_commit_timestamp",
    "pg_xact_status", "pg_encoding_max_length", "pg_get_keywords",
})  # fmt: skip

_DESCRIBES = re.compile(
    r"pg_get_(?:catalog_foreign_keys|constraintdef|expr|function(?:def|_.*)|indexdef|partkeydef"
    r"|partition_.*|ruledef|serial_sequence|statisticsobjdef.*|triggerdef|userbyid|viewdef)"
    r"|pg_[a-z_]+_is_visible"
)
"""Functions that describe what the catalog has."""

_LARGE_OBJECTS = re.compile(r"lo_.*|lo(?:read|write|creat)")


def reaches_out(name: str) -> bool:
    """Whether a function of this name is asked about even if it is PostgreSQL's own."""
    if name in _REACHING or _LARGE_OBJECTS.fullmatch(name):
        return True
    return name.startswith("pg_") and name not in _HARMLESS and not _DESCRIBES.fullmatch(name)


_TELLS = re.compile(r"set_config|setseed|pg_notify|pg_(?:try_)?advisory_.*|pg_sleep.*")


def tells(name: str) -> bool:
    """Whether a function keeps or sends what it is given, so that a condition with it gives the value away.

    In a setting, which SHOW reads, a notification, the state of random(), a lock, or the time that it takes.
    """
    return _TELLS.fullmatch(name) is not None
