package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

const relationSQL = `
SELECT n.nspname, c.relname, c.relkind IN ('v', 'm'), c.oid::bigint,
       CASE WHEN c.relkind IN ('v', 'm') THEN COALESCE(pg_catalog.pg_get_viewdef(c.oid), '') ELSE '' END,
       c.relkind IN ('r', 'p'),
       CASE WHEN c.relkind = 'r' THEN COALESCE((SELECT min(i.inhrelid::regclass::text) FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid), '') ELSE '' END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND CASE WHEN $2::text = '' THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = $2::text END`

// Columns in the order of SELECT *. Collations that are not deterministic, and
// citext, compare values as equal that differ as text.
const columnsSQL = `
SELECT a.attname, CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, NULL) ELSE pg_catalog.format_type(a.atttypid, NULL) END,
       CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) ELSE pg_catalog.format_type(a.atttypid, a.atttypmod) END,
       a.attnotnull, COALESCE(CASE WHEN a.attgenerated = '' THEN COALESCE(pg_catalog.pg_get_expr(d.adbin, d.adrelid), pg_catalog.pg_get_expr(t.typdefaultbin, 0)) END, ''),
       CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' ELSE '' END,
       a.attgenerated <> '', COALESCE(CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END, ''),
       COALESCE(NOT co.collisdeterministic, false) OR 'citext' IN (t.typname, COALESCE(base.typname, '')),
       CASE WHEN t.typtype = 'd' THEN t.oid::regtype::text ELSE '' END,
       'e' IN (t.typtype, COALESCE(base.typtype, ' '))
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_type base ON t.typtype = 'd' AND base.oid = t.typbasetype
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
WHERE a.attrelid = $1::bigint::oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum`

const keysSQL = `
SELECT ic.relname, i.indisprimary, i.indpred IS NOT NULL, i.indisexclusion,
       array_to_json(ARRAY(SELECT COALESCE(a.attname::text, '') FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(num, pos)
             LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num AND k.num > 0
             WHERE k.pos <= i.indnkeyatts ORDER BY k.pos))::text
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
WHERE i.indrelid = $1::bigint::oid AND (i.indisunique OR i.indisexclusion) AND i.indisvalid
ORDER BY NOT i.indisprimary, ic.relname`

func (Server) Relation(ctx context.Context, db *sql.DB, schema, name string) (*sqlplan.Relation, error) {
	r := &sqlplan.Relation{}
	var oid int64
	err := db.QueryRowContext(ctx, relationSQL, name, schema).Scan(&r.Schema, &r.Name, &r.View, &oid, &r.Definition, &r.KeysKnown, &r.Children)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = scan(ctx, db, columnsSQL, oid, func(rows *sql.Rows) error {
		var c sqlplan.RelationColumn
		err := rows.Scan(&c.Name, &c.Type, &c.Full, &c.NotNull, &c.Default, &c.Identity, &c.Generated, &c.Expression, &c.Inexact, &c.Domain, &c.Enum)
		c.Folded = c.Inexact
		r.Columns = append(r.Columns, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, scan(ctx, db, keysSQL, oid, func(rows *sql.Rows) error {
		var k sqlplan.UniqueKey
		var columns string
		err := rows.Scan(&k.Name, &k.Primary, &k.Partial, &k.Exclusion, &columns)
		if err == nil {
			err = json.Unmarshal([]byte(columns), &k.Columns)
		}
		r.UniqueKeys = append(r.UniqueKeys, k)
		return err
	})
}

// SchemasOf implements [server.Server].
func (Server) SchemasOf(ctx context.Context, db *sql.DB, name string) ([]string, error) {
	var schemas []string
	err := scan(ctx, db, "SELECT table_schema FROM information_schema.tables WHERE table_name = $1 ORDER BY table_schema", name, func(rows *sql.Rows) error {
		var schema string
		err := rows.Scan(&schema)
		schemas = append(schemas, schema)
		return err
	})
	return schemas, err
}

func scan(ctx context.Context, db *sql.DB, text string, arg any, row func(*sql.Rows) error) error {
	rows, err := db.QueryContext(ctx, text, arg)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// readersSQL follows rewrite rules from views to what they read, through other
// views, and partitions to their tables, and names the first protected column
// that each shows.
const readersSQL = `
WITH RECURSIVE reads AS (
  SELECT DISTINCT r.ev_class AS view, d.refobjid AS rel, d.refobjsubid AS col
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
   AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> r.ev_class
), protected AS (
  SELECT c.oid AS rel, a.attnum::int AS col, c.relname || '.' || a.attname AS name
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
  JOIN unnest($1::text[], $2::text[], $3::text[]) AS p(schema, tab, col) ON c.relname = p.tab AND a.attname = p.col
   AND (p.schema = '' OR n.nspname = p.schema)
), tainted AS (
  SELECT reads.view, min(protected.name) AS name FROM reads JOIN protected ON reads.rel = protected.rel AND reads.col IN (0, protected.col) GROUP BY reads.view
  UNION
  SELECT reads.view, tainted.name FROM reads JOIN tainted ON reads.rel = tainted.view
), part AS (
  SELECT i.inhrelid AS rel, protected.name FROM pg_catalog.pg_inherits i JOIN protected ON protected.rel = i.inhparent
  UNION
  SELECT i.inhrelid, part.name FROM pg_catalog.pg_inherits i JOIN part ON part.rel = i.inhparent
), found AS (
  SELECT view AS rel, name, true AS view FROM tainted
  UNION ALL
  SELECT rel, name, false FROM part
)
SELECT n.nspname, c.relname, f.view, min(f.name)
FROM found f JOIN pg_catalog.pg_class c ON c.oid = f.rel JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT f.view OR c.relkind IN ('v', 'm')
GROUP BY 1, 2, 3`

func (Server) Readers(ctx context.Context, db *sql.DB, rules *sqlplan.Rules) ([]*sqlplan.Relation, error) {
	var schemas, tables, columns []string
	for _, t := range rules.Tables {
		for _, c := range t.Columns {
			schemas, tables, columns = append(schemas, t.Schema), append(tables, t.Name), append(columns, c.Name)
		}
	}
	rows, err := db.QueryContext(ctx, readersSQL, schemas, tables, columns)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	var out []*sqlplan.Relation
	for rows.Next() {
		r := &sqlplan.Relation{}
		if err := rows.Scan(&r.Schema, &r.Name, &r.View, &r.ReadsProtected); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}
