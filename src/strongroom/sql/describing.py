"""Which of PostgreSQL's own relations describe the database and hold none of its values.

Tools and drivers read them before anything else, so whoever may do anything may read them. Others of
PostgreSQL's own are asked about like tables: statistics hold samples of columns, activity views the texts of
others' statements, and what is new may hold anything. Source: manual, "System Catalogs", "System Views", "The
Information Schema". Called by `policed.py`.
"""

_CATALOGS = frozenset({
    "pg_aggregate", "pg_am", "pg_amop", "pg_amproc", "pg_attrdef", "pg_attribute", "pg_auth_members",
    "pg_available_extension_versions", "pg_available_extensions", "pg_cast", "pg_class", "pg_collation",
    "pg_constraint", "pg_conversion", "pg_database", "pg_default_acl", "pg_depend", "pg_description",
    "pg_enum", "pg_event_trigger", "pg_extension", "pg_foreign_data_wrapper", "pg_foreign_table", "pg_group",
    "pg_index", "pg_indexes", "pg_inherits", "pg_init_privs", "pg_language", "pg_matviews", "pg_namespace",
    "pg_opclass",
    "pg_operator", "pg_opfamily", "pg_partitioned_table", "pg_policies", "pg_policy", "pg_proc",
    "pg_publication", "pg_publication_namespace", "pg_publication_rel", "pg_publication_tables", "pg_range",
    "pg_rewrite", "pg_roles", "pg_rules", "pg_seclabel", "pg_seclabels", "pg_sequence", "pg_settings",
    "pg_shdepend", "pg_shdescription", "pg_shseclabel", "pg_statistic_ext", "pg_tables", "pg_tablespace",
    "pg_timezone_abbrevs", "pg_timezone_names", "pg_transform", "pg_trigger", "pg_ts_config",
    "pg_ts_config_map", "pg_ts_dict", "pg_ts_parser", "pg_ts_template", "pg_type", "pg_user", "pg_views",
})  # fmt: skip

_INFORMATION_OF_VALUES = frozenset(
    {"user_mapping_options", "foreign_server_options", "_pg_user_mappings", "_pg_foreign_servers"}
)
"""They hold what a foreign server is logged in to with."""


def describes(schema: str, name: str) -> bool:
    """Whether a relation of PostgreSQL's own holds no values."""
    if schema == "information_schema":
        return name not in _INFORMATION_OF_VALUES
    return schema == "pg_catalog" and name in _CATALOGS
