package mysql

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Readers lists every view whose definition names a protected table and one of
// its protected columns: neither server says which columns a view reads. A view on
// a view is followed by name. A view whose definition the account may not see, for want of
// SHOW VIEW, is among them.
func (Server) Readers(ctx context.Context, db *sql.DB, rules *sqlplan.Rules) ([]*sqlplan.Relation, error) {
	rows, err := db.QueryContext(ctx, `SELECT TABLE_SCHEMA, TABLE_NAME, COALESCE(VIEW_DEFINITION, '') FROM information_schema.VIEWS
WHERE TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err reports what matters
	var views []view
	for rows.Next() {
		var v view
		if err := rows.Scan(&v.schema, &v.name, &v.definition); err != nil {
			return nil, err
		}
		v.definition = strings.ToLower(v.definition)
		views = append(views, v)
	}
	return tainted(views, rules), rows.Err()
}

type view struct{ schema, name, definition string }

// tainted follows names until no view is added. The servers store definitions
// with every name between backticks, and every column that is read by name: * is
// written out, NATURAL and USING as ON.
func tainted(views []view, rules *sqlplan.Rules) []*sqlplan.Relation {
	type object struct {
		table   string
		columns []string // one of them must be named too; nil for any
	}
	objects := map[string]object{} // by name between backticks
	for _, t := range rules.Tables {
		o := object{table: t.Name, columns: objects[quoted(t.Name)].columns}
		for _, c := range t.Columns {
			o.columns = append(o.columns, quoted(c.Name))
		}
		objects[quoted(t.Name)] = o
	}
	found := map[int]*sqlplan.Relation{}
	for grew := true; grew; {
		grew = false
		for i, v := range views {
			if found[i] != nil {
				continue
			}
			if v.definition == "" {
				found[i] = &sqlplan.Relation{Schema: v.schema, Name: v.name, View: true, ReadsProtected: sqlplan.Unseen}
			}
			for name, o := range objects {
				named := func(c string) bool { return strings.Contains(v.definition, c) }
				if named(name) && (o.columns == nil || slices.ContainsFunc(o.columns, named)) {
					found[i] = &sqlplan.Relation{Schema: v.schema, Name: v.name, View: true, ReadsProtected: o.table}
					break
				}
			}
			if found[i] != nil {
				objects[quoted(v.name)] = object{table: found[i].ReadsProtected}
				grew = true
			}
		}
	}
	out := make([]*sqlplan.Relation, 0, len(found))
	for i := range views {
		if found[i] != nil {
			out = append(out, found[i])
		}
	}
	return out
}

func quoted(name string) string {
	return identifier(strings.ToLower(name))
}
