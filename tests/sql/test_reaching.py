"""sql/reaching.py: functions of PostgreSQL's own about which a policy is asked."""

import pytest

from strongroom.sql.reaching import reaches_out, tells


@pytest.mark.parametrize(
    "name",
    [
        "pg_read_file",
        "pg_ls_dir",
        "pg_stat_get_activity",
        "pg_stat_get_backend_activity",
        "pg_terminate_backend",
        "pg_logical_slot_peek_changes",
        "lo_import",
        "lo_get",
        "loread",
        "setval",
        "pg_something_new",
    ],
)
def test_what_reaches_out(name: str) -> None:
    """Files, other sessions, the WAL, large objects, sequences, and what is not known."""
    assert reaches_out(name)


@pytest.mark.parametrize(
    "name", ["pg_typeof", "pg_table_is_visible", "pg_get_viewdef", "pg_get_expr", "lower", "log", "nextval"]
)
def test_what_does_not(name: str) -> None:
    """Descriptions of the catalog, and all that is computed."""
    assert not reaches_out(name)


@pytest.mark.parametrize(
    "name",
    ["set_config", "setseed", "pg_notify", "pg_try_advisory_xact_lock", "pg_sleep"],
)
def test_what_tells_what_it_is_given(name: str) -> None:
    """In a setting, a message, a lock, or the time that it takes; calling it needs no right."""
    assert tells(name)
    assert not reaches_out(name)
    assert not tells("pg_column_size")
