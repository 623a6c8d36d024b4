package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/policy"
)

// dependent is a thing in the database that hangs on a protected column.
type dependent struct{ kind, name, text string }

// live looks for triggers, generated columns, indexes and constraints over a
// protected column.
func (c *tableCheck) live(ctx context.Context, db *sql.DB, pc policy.Column) error {
	list, err := dependents(ctx, db, c.dialect, c.rel.Schema, c.rel.Name)
	if err != nil {
		return fmt.Errorf("the catalog cannot be read: %w", err)
	}
	object := c.name + "." + pc.Name
	for _, d := range list {
		named := mentions(d.text, pc.Name)
		switch {
		case d.kind == "trigger":
			// A trigger may read any column of the row: its body is a function's in Postgres.
			if named || c.dialect == "postgres" {
				c.add(lintWarning, pc.Line, "trigger", object, "the trigger "+d.name+" sees the column's ciphertext, and what it writes is not sealed", "make sure that it neither reads nor writes the column")
			}
		case !named:
		case d.kind == "generated":
			c.add(lintError, pc.Line, "generated-column", object, "the column "+d.name+" is computed from it, and would be computed from the ciphertext", "drop it; compute it in the application")
		case d.kind == "check" && strings.HasPrefix(d.name, server.GuardPrefix):
			// It is there for ciphertexts; guards looks for the right one.
		case d.kind == "check":
			c.add(lintError, pc.Line, "check-constraint", object, "the constraint "+d.name+" looks into the column, and would see the ciphertext", "drop it; check in the application")
		case d.kind == "index":
			c.add(lintWarning, pc.Line, "index-useless", object, "the index "+d.name+" holds the column: ciphertexts have no order, and no two are equal", "drop it, or index another column")
		}
	}
	return nil
}

// mentions reports whether a definition names the column.
func mentions(text, column string) bool {
	isWord := func(r byte) bool {
		return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80
	}
	text, column = strings.ToLower(text), strings.ToLower(column)
	for at := 0; ; {
		i := strings.Index(text[at:], column)
		if i < 0 {
			return false
		}
		i += at
		end := i + len(column)
		if (i == 0 || !isWord(text[i-1])) && (end == len(text) || !isWord(text[end])) {
			return true
		}
		at = i + 1
	}
}

const postgresDependents = `
WITH t AS (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2)
SELECT 'trigger', tgname::text, pg_get_triggerdef(pg_trigger.oid) FROM pg_trigger JOIN t ON t.oid = tgrelid WHERE NOT tgisinternal
UNION ALL
SELECT 'generated', attname::text, pg_get_expr(adbin, adrelid) FROM pg_attrdef d JOIN t ON t.oid = d.adrelid
  JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE a.attgenerated <> ''
UNION ALL
SELECT 'check', conname::text, pg_get_constraintdef(pg_constraint.oid) FROM pg_constraint JOIN t ON t.oid = conrelid WHERE contype = 'c'
UNION ALL
SELECT 'index', c.relname::text, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN t ON t.oid = i.indrelid JOIN pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisunique
ORDER BY 1, 2`

const mysqlDependents = `
SELECT 'trigger', TRIGGER_NAME, ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = ? AND EVENT_OBJECT_TABLE = ?
UNION ALL
SELECT 'generated', COLUMN_NAME, GENERATION_EXPRESSION FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND COALESCE(GENERATION_EXPRESSION, '') <> ''
UNION ALL
SELECT 'check', c.CONSTRAINT_NAME, c.CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS c JOIN information_schema.TABLE_CONSTRAINTS t
  ON t.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND t.CONSTRAINT_NAME = c.CONSTRAINT_NAME WHERE t.TABLE_SCHEMA = ? AND t.TABLE_NAME = ?
UNION ALL
SELECT DISTINCT 'index', INDEX_NAME, GROUP_CONCAT(COALESCE(COLUMN_NAME, '')) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND NON_UNIQUE = 1 GROUP BY INDEX_NAME
ORDER BY 1, 2`

func dependents(ctx context.Context, db *sql.DB, dialect, schema, table string) ([]dependent, error) {
	text, args := postgresDependents, []any{schema, table}
	if dialect == "mysql" {
		text, args = mysqlDependents, []any{schema, table, schema, table, schema, table, schema, table}
	}
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	var out []dependent
	for rows.Next() {
		var d dependent
		if err := rows.Scan(&d.kind, &d.name, &d.text); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, rows.Err()
}
