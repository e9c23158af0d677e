-- One JSON value: roles, who is a member of whom, who owns what, and who was granted what; PostgreSQL 15 to 18.
-- An ACL that is NULL is the built-in default (manual, "Privileges"; acldefault). Grantee 0 is PUBLIC.
-- What is PostgreSQL's own, temporary, or Strongroom's is left out.
WITH space AS (
  SELECT n.oid, n.nspname, n.nspowner, n.nspacl FROM pg_catalog.pg_namespace n
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'strongroom_keys')
    AND n.nspname !~ '^pg_(toast|temp)'
), granted AS (
  SELECT c.oid, x.grantee, x.privilege_type, x.grantor
  FROM pg_catalog.pg_class c JOIN space s ON s.oid = c.relnamespace
  CROSS JOIN LATERAL pg_catalog.aclexplode(COALESCE(c.relacl,
    pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))) AS x
  UNION  -- what is granted on a column is revoked with the same on its table (manual, "REVOKE")
  SELECT a.attrelid, x.grantee, x.privilege_type, x.grantor
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN space s ON s.oid = c.relnamespace
  CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS x
  WHERE a.attnum > 0 AND NOT a.attisdropped
), acl AS (
  SELECT g.oid, pg_catalog.json_agg(pg_catalog.json_build_array(
    g.grantee::pg_catalog.int8, g.privilege_type, g.grantor::pg_catalog.int8)) AS entries
  FROM granted g GROUP BY g.oid
)
SELECT pg_catalog.json_build_object(
  'version', pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
  'roles', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(r.oid::pg_catalog.int8, r.rolname, r.rolcanlogin,
      r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication, r.rolbypassrls) ORDER BY r.rolname)
    FROM pg_catalog.pg_roles r),
  'members', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(m.roleid::pg_catalog.int8,
      m.member::pg_catalog.int8, m.grantor::pg_catalog.int8) ORDER BY m.roleid, m.member), '[]')
    FROM pg_catalog.pg_auth_members m),
  'database', (SELECT pg_catalog.json_build_array(d.datname, d.datdba::pg_catalog.int8,
      (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(x.grantee::pg_catalog.int8, x.privilege_type, x.grantor::pg_catalog.int8))
        FROM pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) AS x))
    FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()),
  'schemas', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(s.nspname, s.nspowner::pg_catalog.int8,
      (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(x.grantee::pg_catalog.int8, x.privilege_type, x.grantor::pg_catalog.int8))
        FROM pg_catalog.aclexplode(COALESCE(s.nspacl, pg_catalog.acldefault('n', s.nspowner))) AS x)) ORDER BY s.nspname), '[]')
    FROM space s),
  'relations', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(s.nspname, c.relname, c.relkind,
      c.relowner::pg_catalog.int8, a.entries,
      (SELECT pg_catalog.json_build_array(ts.nspname, t.relname)  -- the table of a serial or identity column
        FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
        JOIN pg_catalog.pg_namespace ts ON ts.oid = t.relnamespace
        WHERE c.relkind = 'S' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
          AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i') LIMIT 1))
      ORDER BY s.nspname, c.relname), '[]')
    FROM pg_catalog.pg_class c JOIN space s ON s.oid = c.relnamespace LEFT JOIN acl a ON a.oid = c.oid
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')),
  'functions', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(s.nspname, p.proname,
      pg_catalog.pg_get_function_identity_arguments(p.oid), p.proowner::pg_catalog.int8,
      (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(x.grantee::pg_catalog.int8, x.privilege_type, x.grantor::pg_catalog.int8))
        FROM pg_catalog.aclexplode(COALESCE(p.proacl, pg_catalog.acldefault('f', p.proowner))) AS x),
      COALESCE(e.extname, '')) ORDER BY s.nspname, p.proname, 3), '[]')
    FROM pg_catalog.pg_proc p JOIN space s ON s.oid = p.pronamespace
    LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
      AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
    LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
    WHERE p.prorettype NOT IN ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
      AND ((p.prosecdef AND e.oid IS NULL) OR e.extname = 'dblink')),
  -- PostgreSQL's own that initdb took from everybody, with what was granted since (manual, "pg_init_privs").
  'reaching', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array('pg_catalog', p.proname,
      pg_catalog.pg_get_function_identity_arguments(p.oid), p.proowner::pg_catalog.int8, e.entries, 'pg_catalog')
      ORDER BY p.proname, 3), '[]')
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_init_privs i ON i.classoid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND i.objoid = p.oid
    CROSS JOIN LATERAL (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
        x.grantee::pg_catalog.int8, x.privilege_type, x.grantor::pg_catalog.int8)) AS entries
      FROM pg_catalog.aclexplode(p.proacl) AS x
      WHERE NOT EXISTS (SELECT FROM pg_catalog.aclexplode(i.initprivs) AS y WHERE y.grantee = x.grantee)) AS e
    WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND e.entries IS NOT NULL),
  'defaults', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(f.defaclrole::pg_catalog.int8, n.nspname,
      f.defaclobjtype, (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
        x.grantee::pg_catalog.int8, x.privilege_type, x.grantor::pg_catalog.int8)) FROM pg_catalog.aclexplode(f.defaclacl) AS x))
      ORDER BY f.oid), '[]')
    FROM pg_catalog.pg_default_acl f LEFT JOIN pg_catalog.pg_namespace n ON n.oid = f.defaclnamespace
    WHERE f.defaclobjtype IN ('r', 'S', 'f', 'n')),
  'servers', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(f.srvname, f.srvowner::pg_catalog.int8,
      (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(x.grantee::pg_catalog.int8, x.privilege_type, x.grantor::pg_catalog.int8))
        FROM pg_catalog.aclexplode(COALESCE(f.srvacl, pg_catalog.acldefault('S', f.srvowner))) AS x),
      ARRAY(SELECT u.umuser::pg_catalog.int8 FROM pg_catalog.pg_user_mappings u WHERE u.srvid = f.oid ORDER BY 1)) ORDER BY f.srvname), '[]')
    FROM pg_catalog.pg_foreign_server f),
  'slots', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(r.slot_name, r.slot_type) ORDER BY r.slot_name), '[]')
    FROM pg_catalog.pg_replication_slots r
    WHERE NOT r.temporary AND (r.database IS NULL OR r.database = pg_catalog.current_database()))
)
