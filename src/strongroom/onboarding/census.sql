-- One JSON value: the columns that could be protected, and what in the database rests on each; PostgreSQL 15 to 18.
-- Partitions are left out (their parents are there), and so are tables of extensions and of Strongroom itself.
WITH candidate AS (
  SELECT c.oid, n.nspname, c.relname, c.relkind, c.reltuples
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'strongroom_keys') AND n.nspname !~ '^pg_'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND d.objid = c.oid AND d.deptype = 'e')
), dependent AS (  -- (table, column, kind, name) of what is built on a column
  SELECT d.refobjid AS relid, d.refobjsubid AS attnum,
    CASE w.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END AS kind, w.oid::pg_catalog.regclass::pg_catalog.text AS name
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
  JOIN pg_catalog.pg_class w ON w.oid = r.ev_class AND w.oid <> d.refobjid
  WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0
  UNION SELECT g.attrelid, d.refobjsubid, 'generated column', g.attname
  FROM pg_catalog.pg_attribute g
  JOIN pg_catalog.pg_attrdef a ON a.adrelid = g.attrelid AND a.adnum = g.attnum
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = g.attrelid
    AND d.refobjsubid > 0 AND d.refobjsubid <> g.attnum
    AND (d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = a.oid
      OR d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = g.attrelid AND d.objsubid = g.attnum)
  WHERE g.attgenerated <> ''
  UNION SELECT p.polrelid, d.refobjsubid, 'policy', p.polname
  FROM pg_catalog.pg_policy p
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = p.oid
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = p.polrelid AND d.refobjsubid > 0
  UNION SELECT k.conrelid, key.attnum, 'CHECK', k.conname
  FROM pg_catalog.pg_constraint k, LATERAL pg_catalog.unnest(k.conkey) AS key (attnum)
  WHERE k.contype = 'c' AND NOT pg_catalog.starts_with(k.conname, 'strongroom_')
  UNION SELECT i.indrelid, d.refobjsubid, 'index over an expression', x.relname
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indexrelid
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = i.indrelid AND d.refobjsubid > 0
  WHERE (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL) AND NOT d.refobjsubid::pg_catalog.int2 = ANY (i.indkey)
  UNION SELECT i.indrelid, key.attnum, pg_catalog.concat('index of method ', m.amname), x.relname
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = x.relam, LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) AS key (attnum)
  WHERE m.amname NOT IN ('btree', 'hash') AND key.attnum > 0
  UNION SELECT p.partrelid, key.attnum, 'partition key', p.partrelid::pg_catalog.regclass::pg_catalog.text
  FROM pg_catalog.pg_partitioned_table p, LATERAL pg_catalog.unnest(p.partattrs::pg_catalog.int2[]) AS key (attnum)
  UNION SELECT s.stxrelid, key.attnum, 'extended statistics', s.stxname
  FROM pg_catalog.pg_statistic_ext s, LATERAL pg_catalog.unnest(s.stxkeys::pg_catalog.int2[]) AS key (attnum)
), indexed AS (
  SELECT i.indrelid AS relid, key.attnum, pg_catalog.bool_or(i.indisunique) AS is_unique
  FROM pg_catalog.pg_index i, LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) AS key (attnum)
  WHERE key.attnum > 0 GROUP BY 1, 2
)
SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
    'schema', c.nspname, 'table', c.relname, 'column', a.attname,
    'relid', c.oid::pg_catalog.int8, 'attnum', a.attnum,
    'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
    'type_oid', a.atttypid::pg_catalog.int8, 'typmod', a.atttypmod,
    'has_default', a.atthasdef AND a.attgenerated = '', 'generated', a.attgenerated <> '' OR a.attidentity <> '',
    'folds', COALESCE(NOT l.collisdeterministic, false),
    'indexed', x.attnum IS NOT NULL, 'is_unique', COALESCE(x.is_unique, false),
    'references', (SELECT pg_catalog.json_build_array(fn.nspname, fc.relname, fa.attname)
      FROM pg_catalog.pg_constraint k
      JOIN pg_catalog.pg_class fc ON fc.oid = k.confrelid
      JOIN pg_catalog.pg_namespace fn ON fn.oid = fc.relnamespace
      JOIN pg_catalog.pg_attribute fa ON fa.attrelid = k.confrelid
        AND fa.attnum = k.confkey[pg_catalog.array_position(k.conkey, a.attnum)]
      WHERE k.contype = 'f' AND k.conrelid = c.oid AND a.attnum = ANY (k.conkey) ORDER BY k.oid LIMIT 1),
    'dependents', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(d.kind, d.name) ORDER BY d.kind, d.name), '[]')
      FROM dependent d WHERE d.relid = c.oid AND d.attnum = a.attnum)
  ) ORDER BY c.nspname, c.relname, a.attnum), '[]')
FROM candidate c
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
LEFT JOIN indexed x ON x.relid = c.oid AND x.attnum = a.attnum
