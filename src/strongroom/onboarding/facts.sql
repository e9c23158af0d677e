-- One JSON value: what around the tables copies, logs or looks at what is in them; PostgreSQL 15 to 18.
-- Settings that the role may not read are missing.
SELECT pg_catalog.json_build_object(
  'settings', (SELECT COALESCE(pg_catalog.json_object_agg(s.name, s.setting), '{}') FROM pg_catalog.pg_settings s
    WHERE s.name IN ('log_statement', 'log_min_duration_statement', 'log_min_duration_sample', 'log_transaction_sample_rate',
      'log_parameter_max_length_on_error', 'shared_preload_libraries', 'session_preload_libraries')),
  'extensions', ARRAY(SELECT e.extname FROM pg_catalog.pg_extension e ORDER BY 1),
  'publications', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(p.pubname, p.schemaname, p.tablename)
      ORDER BY p.pubname, p.schemaname, p.tablename), '[]') FROM pg_catalog.pg_publication_tables p),
  'slots', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(r.slot_name, r.plugin) ORDER BY r.slot_name), '[]')
    FROM pg_catalog.pg_replication_slots r WHERE r.slot_type = 'logical' AND r.database = pg_catalog.current_database()),
  'event_triggers', ARRAY(SELECT t.evtname FROM pg_catalog.pg_event_trigger t WHERE t.evtenabled <> 'D' ORDER BY 1),
  'checks', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(
      n.nspname, c.relname, a.attname, k.conname, pg_catalog.pg_get_constraintdef(k.oid), k.convalidated)), '[]')
    FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
    WHERE k.contype = 'c' AND pg_catalog.starts_with(k.conname, 'strongroom_')
      AND NOT pg_catalog.starts_with(k.conname, 'strongroom_~'))
)
