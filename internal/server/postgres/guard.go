package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/sealsql/sealsql/internal/server"
)

// AddGuard adds the constraint in two statements. The first locks the table for a
// moment and holds for what is written from then on. The second reads the table while
// it is used, and fails if a stored value does not pass.
func (Server) AddGuard(g server.Guard) []string {
	table, name := relationName(g.Schema, g.Table), identifier(g.Name())
	return []string{
		fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s) NOT VALID", table, name, guardCondition(g)),
		fmt.Sprintf("ALTER TABLE %s VALIDATE CONSTRAINT %s", table, name),
	}
}

// DropGuard implements server.Server.
func (Server) DropGuard(g server.Guard) string {
	return fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", relationName(g.Schema, g.Table), identifier(g.Name()))
}

func guardCondition(g server.Guard) string {
	column := identifier(g.Column)
	or := []string{column + " IS NULL"}
	for _, s := range g.Shapes {
		list := make([]string, len(s.Prefixes))
		for i, p := range s.Prefixes {
			if list[i] = fmt.Sprintf(`'\x%x'::bytea`, p); g.Text {
				list[i] = "'" + string(p) + "'"
			}
		}
		or = append(or, fmt.Sprintf("octet_length(%[1]s) >= %[2]d AND substr(%[1]s, 1, %[3]d) IN (%[4]s)", column, s.Least, len(s.Prefixes[0]), strings.Join(list, ", ")))
	}
	return strings.Join(or, " OR ")
}

const guardsSQL = `
SELECT o.conname, o.convalidated
FROM pg_catalog.pg_constraint o JOIN pg_catalog.pg_class c ON c.oid = o.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE o.contype = 'c' AND n.nspname = $1 AND c.relname = $2 AND starts_with(o.conname, $3)`

// Guards implements server.Server.
func (Server) Guards(ctx context.Context, db *sql.DB, schema, table string) (map[string]bool, error) {
	return server.GuardsOf(ctx, db, guardsSQL, schema, table, server.GuardPrefix)
}

func relationName(schema, name string) string {
	if schema == "" {
		return identifier(name)
	}
	return identifier(schema) + "." + identifier(name)
}

func identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
