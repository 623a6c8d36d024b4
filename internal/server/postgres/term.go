package postgres

import (
	"fmt"
	"strings"

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

// TermText implements server.Server.
func (Server) TermText(t server.TermPath) string {
	text := identifier(t.Column)
	if t.Type != "" && t.Type != "json" && t.Type != "jsonb" {
		text = "(" + text + "::jsonb)"
	}
	for i, key := range t.Keys {
		if strings.ContainsAny(key, `'\`) {
			return ""
		}
		operator := "->"
		if i == len(t.Keys)-1 {
			operator = "->>"
		}
		text += operator + "'" + key + "'"
	}
	return text
}

// AddTermPath implements server.Server. The index is built beside a working application.
func (s Server) AddTermPath(t server.TermPath) []string {
	text := s.TermText(t)
	if text == "" {
		return nil
	}
	return []string{fmt.Sprintf("CREATE INDEX CONCURRENTLY %s ON %s ((%s))", identifier(t.IndexName()), relationName(t.Schema, t.Table), text)}
}

// DropTermPath implements server.Server.
func (Server) DropTermPath(t server.TermPath) string {
	return "DROP INDEX " + relationName(t.Schema, t.IndexName())
}
