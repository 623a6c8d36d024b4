package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/sealsql/sealsql/internal/server"
)

// AddGuard adds the constraint in one statement, for which both servers read the whole
// table.
func (Server) AddGuard(g server.Guard) []string {
	return []string{fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s)", relationName(g.Schema, g.Table), identifier(g.Name()), guardCondition(g))}
}

// DropGuard implements server.Server.
func (Server) DropGuard(g server.Guard) string {
	return fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", relationName(g.Schema, g.Table), identifier(g.Name()))
}

// guardCondition compares the first bytes as hexadecimal digits, of characters in
// ASCII: they mean the same whatever the column's character set and collation.
func guardCondition(g server.Guard) string {
	column := identifier(g.Column)
	or := []string{column + " IS NULL"}
	for _, s := range g.Shapes {
		length, start := "LENGTH", fmt.Sprintf("LEFT(%s, %d)", column, len(s.Prefixes[0]))
		if g.Text {
			length, start = "CHAR_LENGTH", fmt.Sprintf("CONVERT(%s USING ascii)", start)
		}
		list := make([]string, len(s.Prefixes))
		for i, p := range s.Prefixes {
			list[i] = fmt.Sprintf("'%X'", p)
		}
		or = append(or, fmt.Sprintf("%s(%s) >= %d AND HEX(%s) IN (%s)", length, column, s.Least, start, strings.Join(list, ", ")))
	}
	return strings.Join(or, " OR ")
}

// MySQL says in a column of its own whether a constraint is enforced, MariaDB has no
// such column and enforces all.
const guardsSQL = `
SELECT CONSTRAINT_NAME, %s FROM information_schema.TABLE_CONSTRAINTS
WHERE CONSTRAINT_TYPE = 'CHECK' AND TABLE_SCHEMA = ? AND TABLE_NAME = ? AND LEFT(CONSTRAINT_NAME, CHAR_LENGTH(?)) = ?`

// Guards implements server.Server.
func (Server) Guards(ctx context.Context, db *sql.DB, schema, table string) (map[string]bool, error) {
	var maria bool
	if err := db.QueryRowContext(ctx, "SELECT VERSION() LIKE '%MariaDB%'").Scan(&maria); err != nil {
		return nil, err
	}
	enforced := "ENFORCED = 'YES'"
	if maria {
		enforced = "TRUE"
	}
	return server.GuardsOf(ctx, db, fmt.Sprintf(guardsSQL, enforced), schema, table, server.GuardPrefix, server.GuardPrefix)
}

func relationName(schema, name string) string {
	if schema == "" {
		return identifier(name)
	}
	return identifier(schema) + "." + identifier(name)
}

func identifier(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
