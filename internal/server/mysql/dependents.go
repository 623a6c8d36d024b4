package mysql

import (
	"context"
	"database/sql"

	"github.com/sealsql/sealsql/internal/server"
)

const dependentsSQL = `
SELECT 'trigger', TRIGGER_NAME, ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = ? AND EVENT_OBJECT_TABLE = ?
UNION ALL
SELECT 'generated', COLUMN_NAME, GENERATION_EXPRESSION FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND COALESCE(GENERATION_EXPRESSION, '') <> ''
UNION ALL
SELECT 'check', c.CONSTRAINT_NAME, c.CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS c JOIN information_schema.TABLE_CONSTRAINTS t
  ON t.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND t.CONSTRAINT_NAME = c.CONSTRAINT_NAME WHERE t.TABLE_SCHEMA = ? AND t.TABLE_NAME = ?
UNION ALL
SELECT DISTINCT 'index', INDEX_NAME, GROUP_CONCAT(COALESCE(COLUMN_NAME, '') ORDER BY SEQ_IN_INDEX) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND NON_UNIQUE = 1 GROUP BY INDEX_NAME
ORDER BY 1, 2`

// Dependents implements [server.Server].
func (Server) Dependents(ctx context.Context, db *sql.DB, schema, table string) ([]server.Dependent, error) {
	rows, err := db.QueryContext(ctx, dependentsSQL, schema, table, schema, table, schema, table, schema, table)
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
		list = append(list, dep)
	}
	return list, rows.Err()
}
