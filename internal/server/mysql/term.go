package mysql

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/sqlplan/mysql"
)

// AddTerm implements server.Server. Both servers build the index while the table is
// used.
func (Server) AddTerm(t server.TermColumn) []string {
	unique := ""
	if t.Unique {
		unique = "UNIQUE "
	}
	table, column := relationName(t.Schema, t.Table), identifier(t.Column)
	return []string{
		fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", table, column, mysql.TermType(t.Size, t.Text)),
		fmt.Sprintf("CREATE %sINDEX %s ON %s (%s)", unique, identifier(t.IndexName()), table, column),
	}
}

// ClearText implements server.Server.
func (Server) ClearText(def string) (string, bool) { return mysql.ClearText(def) }

// DropTerm implements server.Server. The index goes with the column.
func (Server) DropTerm(t server.TermColumn) string {
	return fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", relationName(t.Schema, t.Table), identifier(t.Column))
}

// TermText implements server.Server.
func (Server) TermText(t server.TermPath) string {
	path := "$"
	for _, key := range t.Keys {
		switch {
		case strings.ContainsAny(key, "'\"\\"):
			return ""
		case plainKey.MatchString(key):
			path += "." + key
		default:
			path += `."` + key + `"`
		}
	}
	return "JSON_UNQUOTE(JSON_EXTRACT(" + identifier(t.Column) + ", '" + path + "'))"
}

// plainKey is a key that needs no quotes in a path.
var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// AddTermPath implements server.Server. MariaDB has no indexes over expressions: both servers
// get a column that is computed when it is read, and that no star shows.
func (s Server) AddTermPath(t server.TermPath) []string {
	text := s.TermText(t)
	if text == "" {
		return nil
	}
	column := identifier(t.ColumnName())
	return []string{fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin GENERATED ALWAYS AS (%s) VIRTUAL INVISIBLE, ADD INDEX %s (%s)",
		relationName(t.Schema, t.Table), column, text, identifier(t.IndexName()), column)}
}

// DropTermPath implements server.Server. The index goes with the column.
func (Server) DropTermPath(t server.TermPath) string {
	return fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", relationName(t.Schema, t.Table), identifier(t.ColumnName()))
}
