package applications

import (
	"bytes"
	"encoding/base64"
	"slices"
	"sort"
	"strings"
)

var schemas = map[string][]string{
	"postgres": {
		"SELECT 'column', table_name, column_name, data_type, concat(is_nullable, ' ', column_default, ' ', character_maximum_length) FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 2, 3",
		"SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 2, 3",
		"SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = current_schema()::regnamespace ORDER BY 2, 3",
	},
	"mysql": {
		"SELECT 'column', table_name, column_name, column_type, concat(is_nullable, ' ', coalesce(column_default, 'none'), ' ', extra) FROM information_schema.columns WHERE table_schema = database() ORDER BY 2, 3",
		"SELECT 'index', table_name, index_name, column_name, concat(non_unique, ' ', seq_in_index) FROM information_schema.statistics WHERE table_schema = database() ORDER BY 2, 3, seq_in_index",
		"SELECT 'constraint', table_name, constraint_name, constraint_type FROM information_schema.table_constraints WHERE table_schema = database() ORDER BY 2, 3",
	},
}

// schema describes columns, indexes and constraints as the server knows them.
func (w *world) schema() string {
	w.t.Helper()
	b := new(strings.Builder)
	for _, text := range schemas[w.dialect()] {
		for _, line := range w.list(text) {
			b.WriteString(strings.Join(line, " ") + "\n")
		}
	}
	return b.String()
}

// list reads all rows of a statement with the bare driver.
func (w *world) list(text string, args ...any) [][]string {
	w.t.Helper()
	all, err := rows(w.t.Context(), w.bare, w.sql(text), args...)
	if err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
	return all[1:]
}

// tables are the names of the tables.
func (w *world) tables() []string {
	w.t.Helper()
	where := "database()"
	if w.postgres() {
		where = "current_schema()"
	}
	var names []string
	for _, line := range w.list("SELECT table_name FROM information_schema.tables WHERE table_schema = " + where + " ORDER BY 1") {
		names = append(names, text(line[0]))
	}
	return names
}

// columns are the columns of a table, in order.
func (w *world) columns(table string) []string {
	w.t.Helper()
	where := "database()"
	if w.postgres() {
		where = "current_schema()"
	}
	var names []string
	for _, line := range w.list("SELECT column_name FROM information_schema.columns WHERE table_schema = "+where+" AND table_name = ? ORDER BY ordinal_position", table) {
		names = append(names, text(line[0]))
	}
	return names
}

// text takes the type from a cell of rows.
func text(cell string) string {
	_, name, _ := strings.Cut(cell, " ")
	return strings.Trim(name, `"`)
}

// contents compares every row of every table of the policy, as sealsql shows it and as the
// twin has it.
func (p *pair) contents() {
	p.t.Helper()
	n := 0
	for _, table := range p.rules.Tables() {
		columns := strings.Join(p.twin.columns(table.Name), ", ")
		read := "SELECT " + columns + " FROM " + table.Name
		bare := p.twin.list(read)
		got, err := rows(p.t.Context(), p.sealed.db, read)
		if err != nil {
			p.t.Errorf("%s: %v", read, err)
			continue
		}
		if len(bare) == 0 {
			p.t.Errorf("the operations leave no row in %s", table.Name)
		}
		n += len(bare)
		left, right := lines(bare), lines(got[1:])
		if !slices.Equal(left, right) {
			p.t.Errorf("%s holds\n%s\nbare\n%s", table.Name, strings.Join(right, "\n"), strings.Join(left, "\n"))
		}
	}
	p.t.Logf("%d rows are equal", n)
}

func lines(cells [][]string) []string {
	all := make([]string, len(cells))
	for i, c := range cells {
		all[i] = strings.Join(c, " | ")
	}
	sort.Strings(all)
	return all
}

// nothingInClear looks for secrets, and for the twin's protected values, in every cell of
// the policy's tables.
func (p *pair) nothingInClear(secrets []string) {
	p.t.Helper()
	cells := 0
	for _, table := range p.rules.Tables() {
		for _, c := range table.Columns {
			if c.Paths != nil {
				continue // the values in it are, which the secrets below tell
			}
			for _, line := range p.sealed.list("SELECT " + c.Name + " FROM " + table.Name + " WHERE " + c.Name + " IS NOT NULL") {
				cells++
				if !ciphertext(line[0]) {
					p.t.Errorf("%s.%s holds a cell that is no ciphertext", table.Name, c.Name)
				}
			}
		}
	}
	if cells < 10 {
		p.t.Errorf("the protected columns hold %d values", cells)
	}
	for _, table := range p.sealed.tables() {
		for _, line := range p.sealed.list("SELECT * FROM " + table) {
			for _, cell := range line {
				for _, s := range secrets {
					if strings.Contains(cell, s) || strings.Contains(cell, base64.StdEncoding.EncodeToString([]byte(s))) {
						p.t.Errorf("%s holds a protected value in clear", table)
					}
				}
			}
		}
	}
	p.t.Logf("%d protected values are ciphertexts", cells)
}

// ciphertext reports whether a cell of rows holds a message, as it is or in base64.
func ciphertext(cell string) bool {
	head := []byte{2, 4, 0x78}
	_, value, _ := strings.Cut(cell, " ")
	return len(cell) > 100 && (strings.Contains(value, base64.StdEncoding.EncodeToString(head)) || strings.HasPrefix(value, `"\x02\x04x`) || bytes.Contains([]byte(cell), head))
}
