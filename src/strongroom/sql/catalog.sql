-- One JSON value that says all that analysis must know of a database; PostgreSQL 15 to 18.
-- Names in view definitions are as seen from "path" (pg_get_viewdef qualifies what is not visible there).
WITH relation AS (
  SELECT c.oid, n.nspname, c.relname, c.relkind, c.reltype, c.relpersistence
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
    AND (c.relpersistence <> 't' OR c.relnamespace = pg_catalog.pg_my_temp_schema())
), used AS (  -- what rules, defaults, checks, policies, expression indexes and triggers of a relation refer to
  SELECT r.ev_class AS relid, d.refclassid, d.refobjid
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
  UNION SELECT a.adrelid, d.refclassid, d.refobjid FROM pg_catalog.pg_attrdef a
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = a.oid
  UNION SELECT k.conrelid, d.refclassid, d.refobjid FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.objid = k.oid
  WHERE k.contype = 'c'
  UNION SELECT p.polrelid, d.refclassid, d.refobjid FROM pg_catalog.pg_policy p
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = p.oid
  UNION SELECT i.indrelid, d.refclassid, d.refobjid FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indexrelid
  WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  UNION SELECT t.tgrelid, 'pg_catalog.pg_proc'::pg_catalog.regclass, t.tgfoid
  FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal
), callable AS (  -- an aggregate or window function is what its transition and final functions are
  SELECT p.oid, n.nspname, p.proname, p.prokind, l.lanname,
    COALESCE(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc) AS source,
    ARRAY(SELECT x.oid FROM pg_catalog.pg_aggregate a, pg_catalog.pg_proc x
      WHERE a.aggfnoid = p.oid AND x.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggmtransfn, a.aggmfinalfn)
        AND x.oid >= 16384) AS parts
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  WHERE p.oid >= 16384 AND n.nspname NOT IN ('pg_catalog', 'information_schema')
)
SELECT pg_catalog.json_build_object(
  'version', pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
  'path', pg_catalog.current_schemas(true),
  'system', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(n.nspname, c.relname)), '[]')
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v')),
  'relations', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
      'oid', r.oid::pg_catalog.int8, 'schema', r.nspname, 'name', r.relname, 'kind', r.relkind,
      'temporary', r.relpersistence = 't',
      'columns', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(
          a.attnum, a.attname, a.atttypid::pg_catalog.int8, a.atttypmod,
          a.atthasdef AND a.attgenerated = '', a.attidentity, a.attgenerated) ORDER BY a.attnum), '[]')
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped),
      'parents', ARRAY(SELECT i.inhparent::pg_catalog.int8 FROM pg_catalog.pg_inherits i
        WHERE i.inhrelid = r.oid ORDER BY i.inhseqno),
      'triggers', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(
          t.tgname, t.tgfoid::pg_catalog.int8) ORDER BY t.tgname), '[]')
        FROM pg_catalog.pg_trigger t WHERE t.tgrelid = r.oid AND NOT t.tgisinternal),
      'rules', ARRAY(SELECT w.rulename FROM pg_catalog.pg_rewrite w
        WHERE w.ev_class = r.oid AND w.rulename <> '_RETURN' ORDER BY 1),
      'orders', ARRAY(SELECT d.description FROM pg_catalog.pg_constraint k
        JOIN pg_catalog.pg_description d ON d.objoid = k.oid
          AND d.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.objsubid = 0
        WHERE k.conrelid = r.oid AND k.contype = 'c' AND pg_catalog.starts_with(k.conname, 'strongroom_')
          AND pg_catalog.starts_with(d.description, 'strongroom column order: ') ORDER BY k.oid DESC),
      'checks', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(
          k.conkey[1], pg_catalog.pg_get_constraintdef(k.oid)) ORDER BY k.conkey[1]), '[]')
        FROM pg_catalog.pg_constraint k
        WHERE k.conrelid = r.oid AND k.contype = 'c' AND pg_catalog.starts_with(k.conname, 'strongroom_')
          AND NOT pg_catalog.starts_with(k.conname, 'strongroom_~')
          AND NOT pg_catalog.starts_with(k.conname, 'strongroom_not_null_')),
      'key', (SELECT k.conkey FROM pg_catalog.pg_constraint k WHERE k.conrelid = r.oid AND k.contype = 'p'
        AND NOT k.condeferrable),
      'unique', (SELECT COALESCE(pg_catalog.json_object_agg(k.conname, k.conkey), '{}')
        FROM pg_catalog.pg_constraint k WHERE k.conrelid = r.oid AND k.contype IN ('p', 'u', 'x')),
      'references', ARRAY(SELECT DISTINCT k.confrelid::pg_catalog.int8 FROM pg_catalog.pg_constraint k
        WHERE k.conrelid = r.oid AND k.contype = 'f'),
      'definition', CASE WHEN r.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(r.oid) END,
      'depends', ARRAY(SELECT DISTINCT u.refobjid::pg_catalog.int8 FROM used u
        WHERE u.relid = r.oid AND u.refobjid <> r.oid
          AND u.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass),
      'calls', ARRAY(SELECT DISTINCT u.refobjid::pg_catalog.int8 FROM used u
        WHERE u.relid = r.oid AND u.refobjid >= 16384
          AND u.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass))), '[]') FROM relation r),
  'types', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(
      t.oid::pg_catalog.int8, n.nspname, t.typname, t.typtype, t.typrelid::pg_catalog.int8)), '[]')
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE t.oid >= 16384 AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND t.typcategory <> 'A'
      AND n.nspname !~ '^pg_toast'),
  'functions', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(
      f.oid::pg_catalog.int8, f.nspname, f.proname, f.prokind, f.lanname, f.source, f.parts::pg_catalog.int8[])), '[]')
    FROM callable f),
  'operators', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(
      n.nspname, o.oprname, o.oprleft::pg_catalog.int8, o.oprright::pg_catalog.int8,
      o.oprcode::pg_catalog.oid::pg_catalog.int8)), '[]')
    FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace WHERE o.oid >= 16384),
  'casts', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(
      k.castsource::pg_catalog.int8, k.casttarget::pg_catalog.int8, k.castfunc::pg_catalog.int8)), '[]')
    FROM pg_catalog.pg_cast k WHERE k.oid >= 16384 AND k.castfunc <> 0)
)
