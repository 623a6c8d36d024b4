package integration

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/testing/corpus"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// writtenDir holds the statements that write searchable columns.
const writtenDir = "../sqlplan/testdata/written"

// TestWritesOfTermsOnServers runs the statements that write searchable columns, through
// sealsql and bare on the twin. After each, every row is found by each of its values.
func TestWritesOfTermsOnServers(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, writtenDir)
			w.held = func(w *world, c *corpus.Case) { w.checkTerms(c, searchable) }
			w.runAll(corpus.Written[server.Name])
		})
	}
}

// termColumn is a searchable column, the column of its terms, one that names its rows, and
// the one that its terms depend on, if any.
type termColumn struct{ table, column, term, key, per string }

// searchable are the searchable columns of writtenDir's tables.
var searchable = []termColumn{
	{"contacts", "email", "email_eq", "id", ""},
	{"contacts", "phone", "phone_eq", "id", "tenant_id"},
	{"serials", "email", "email_eq", "id", ""},
	{"codes", "code", "code_eq", "name", ""},
	{"slots", "code", "code_eq", "name", ""},
}

// checkTerms checks that each row's stored term is the term of its value: the row is found
// by it, and a row without a value has no term.
func (w *world) checkTerms(c *corpus.Case, columns []termColumn) {
	db := w.pair("")[0]
	for _, s := range columns {
		var odd int
		if err := w.admin[0].QueryRow("SELECT count(*) FROM " + s.table + " WHERE (" + s.column + " IS NULL) <> (" + s.term + " IS NULL)").Scan(&odd); err != nil || odd != 0 {
			w.t.Errorf("%s: %d rows of %s have a value without a term or a term without a value (%v)", c.Text, odd, s.table, err)
		}
		where := ""
		if s.per != "" {
			where = s.per + " = %s AND "
		}
		rows, err := db.Query(fmt.Sprintf("SELECT %s, %s, %s FROM %s WHERE %[2]s IS NOT NULL", cmp.Or(s.per, "NULL"), s.column, "coalesce("+w.text(s.key)+", '')", s.table))
		if err != nil {
			w.t.Errorf("%s: %v", c.Text, err)
			continue
		}
		var a answer
		a.read(rows)
		_ = rows.Close() // a.err says what went wrong
		if a.err != nil {
			w.t.Errorf("%s: %v", c.Text, a.err)
		}
		for _, row := range a.rows {
			v := strings.Split(row, "|")
			text := "SELECT count(*) FROM " + s.table + " WHERE "
			args := []any{v[1]}
			if where != "" && v[0] == "<nil>" {
				continue // a statement cannot fix NULL
			}
			if where != "" {
				text += s.per + " = " + w.placeholder(2) + " AND "
				args = append(args, v[0])
				if w.server.Name == "mysql" {
					args[0], args[1] = args[1], args[0]
				}
			}
			text += s.column + " = " + w.placeholder(1)
			if v[2] != "" {
				text += " AND " + w.text(s.key) + " = '" + v[2] + "'"
			}
			var n int
			if err := db.QueryRow(text, args...).Scan(&n); err != nil || n < 1 {
				w.t.Errorf("%s: the row of %s with %s = %s is not found by its %s (%v)", c.Text, s.table, s.key, v[2], s.column, err)
			}
		}
	}
}

// text casts a column to text.
func (w *world) text(column string) string {
	if w.server.Name == "mysql" {
		return "cast(" + column + " AS char)"
	}
	return column + "::text"
}

func (w *world) placeholder(n int) string {
	if w.server.Name == "mysql" {
		return "?"
	}
	return fmt.Sprint("$", n)
}
