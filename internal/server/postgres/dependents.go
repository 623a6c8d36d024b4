package postgres

import (
	"context"
	"database/sql"

	"github.com/sealsql/sealsql/internal/server"
)

const dependentsSQL = `
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

// Dependents implements [server.Server].
func (Server) Dependents(ctx context.Context, db *sql.DB, schema, table string) ([]server.Dependent, error) {
	rows, err := db.QueryContext(ctx, dependentsSQL, schema, table)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	var list []server.Dependent
	for rows.Next() {
		var dep server.Dependent
		if err := rows.Scan(&dep.Kind, &dep.Name, &dep.Text); err != nil {
			return nil, err
		}
		dep.Opaque = dep.Kind == server.Trigger // its body is a function's
		list = append(list, dep)
	}
	return list, rows.Err()
}
