-- One JSON value: who the upstream user is, and what it owns; PostgreSQL 15 to 18.
SELECT pg_catalog.json_build_object(
  'version', pg_catalog.current_setting('server_version'),
  'number', pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
  'name', r.rolname,
  'superuser', r.rolsuper,
  'owns', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(n.nspname, c.relname)
      ORDER BY n.nspname, c.relname), '[]')
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
      AND pg_catalog.pg_has_role(r.oid, c.relowner, 'USAGE'))
)
FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER
