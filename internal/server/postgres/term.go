package postgres

import (
	"fmt"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan/postgres"
)

// AddTerm implements server.Server. The index is built beside a working application.
func (Server) AddTerm(t server.TermColumn) []string {
	unique := ""
	if t.Unique {
		unique = "UNIQUE "
	}
	table, column := relationName(t.Schema, t.Table), identifier(t.Column)
	return []string{
		fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", table, column, postgres.TermType(t.Text)),
		fmt.Sprintf("CREATE %sINDEX CONCURRENTLY %s ON %s (%s)", unique, identifier(t.IndexName()), table, column),
	}
}

// ClearText implements server.Server.
func (Server) ClearText(def string) (string, bool) { return postgres.ClearText(def) }

// DropTerm implements server.Server. The index goes with the column.
func (Server) DropTerm(t server.TermColumn) string {
	return fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", relationName(t.Schema, t.Table), identifier(t.Column))
}
