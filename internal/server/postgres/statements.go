package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/sealsql/sealsql/internal/server"
)

const statementsSQL = `SELECT query, queryid::text, calls FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) ORDER BY calls DESC`

// Statements implements [server.Server] with pg_stat_statements.
func (Server) Statements(ctx context.Context, db *sql.DB, yield func(server.CountedStatement) error) error {
	rows, err := db.QueryContext(ctx, statementsSQL)
	if err != nil {
		return fmt.Errorf("pg_stat_statements cannot be read: %w; create that extension and list it in shared_preload_libraries", err)
	}
	return server.EachStatement(rows, yield)
}

// Recount implements [server.Server]: Postgres has no such calls.
func (Server) Recount(text string, _ server.Session, _ int64) (string, []server.Call) {
	return text, nil
}
