"""sql/describing.py: what describes a database and holds none of its values."""

import pytest
from tests.sql.test_access import POLICED, accesses
from tests.sql.world import SCHEMA

from strongroom.sql.describing import describes


@pytest.mark.parametrize(
    "name", ["pg_class", "pg_attribute", "pg_type", "pg_namespace", "pg_roles", "pg_settings"]
)
def test_catalogs_describe(name: str) -> None:
    """Drivers, psql and ORMs read them."""
    assert describes("pg_catalog", name)
    assert not describes("public", name)


@pytest.mark.parametrize(
    "name",
    [
        "pg_statistic", "pg_stats", "pg_stats_ext", "pg_stats_ext_exprs", "pg_statistic_ext_data",
        "pg_stat_activity", "pg_stat_statements", "pg_authid", "pg_shadow", "pg_user_mapping",
        "pg_user_mappings", "pg_largeobject", "pg_hba_file_rules", "pg_file_settings", "pg_subscription",
        "pg_replication_slots", "pg_prepared_statements", "pg_cursors", "pg_foreign_server", "pg_new_in_19",
    ],
)  # fmt: skip
def test_what_may_hold_values_does_not(name: str) -> None:
    """Samples of columns, texts of statements, passwords; and what nobody here knows."""
    assert not describes("pg_catalog", name)


def test_the_information_schema_describes() -> None:
    """But for what a foreign server is logged in to with."""
    assert describes("information_schema", "columns")
    assert not describes("information_schema", "user_mapping_options")


def test_what_describes_is_not_asked_about() -> None:
    """In queries that can be followed, and in others; to change it is another matter."""
    assert POLICED.schema is SCHEMA
    assert accesses("select relname from pg_class") == set()
    assert accesses("select * from pg_class") == set()
    assert accesses("with x as (select * from pg_class) select * from x") == set()
    assert accesses("select * from pg_class c, plain") >= {"select plain", "reveal plain.txt"}
    assert "update pg_catalog.pg_class" in accesses("update pg_class set relname = 'x'")
