package leak

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// scoper writes statements whose difficulty is which column a name means: stars that
// stand twice, lists of names, joins with USING, sub-selects that see the columns around
// them, and names that plain and protected tables have in common.
type scoper struct {
	*rand.Rand
	mysql   bool
	aliases int
	seed    uint64
	script  *script
}

// scoped are the columns of a relation that a statement may see.
type scoped struct {
	text, alias string
	columns     []string
}

var (
	scopedTables = []scoped{
		{text: "accounts", columns: []string{"account_number", "tenant_id", "name", "ssn", "note", "balance"}},
		{text: "accounts", columns: []string{"account_number", "tenant_id", "name", "ssn", "note", "balance"}},
		{text: "people", columns: []string{"id", "name", "ssn"}},
		{text: "other", columns: []string{"id", "account_number", "text_column", "data"}},
		{text: "order_lines", columns: []string{"order_id", "line_no", "secret"}},
	}
	scopedNames = []string{"name", "ssn", "note", "secret", "a", "b", "text_column", "account_number"}
)

// scopes makes the script of a seed.
func (g *generator) scopes(seed uint64) *script {
	s := &scoper{Rand: g.Rand, mysql: g.mysql, seed: seed, script: &script{}}
	forms := []func() string{
		func() string {
			return "SELECT (SELECT count(*) FROM " + s.where(3) + ") FROM " + s.from(1).text
		},
		func() string {
			return "SELECT count(*) FROM " + s.from(1).text + " WHERE EXISTS (SELECT 1 FROM " + s.where(3) + ")"
		},
		func() string { return "SELECT count(*) FROM " + s.where(4) },
		func() string {
			q := s.query(3)
			return "WITH d (" + strings.Join(s.list(len(q.columns)), ", ") + ") AS (" + q.text + ") SELECT (SELECT count(*) FROM d WHERE " + s.compares(scopedNames) + ") FROM " + s.from(1).text
		},
		func() string { return s.query(4).text },
	}
	s.script.text = forms[s.IntN(len(forms))]()
	if len(s.script.markers) == 0 {
		s.script.text = "SELECT count(*) FROM (" + s.script.text + ") z WHERE " + s.compares(scopedNames)
	}
	return s.script
}

// compares is a comparison of one of the names with a marker.
func (s *scoper) compares(names []string) string {
	name := names[s.IntN(len(names))]
	if s.IntN(4) == 0 {
		name = scopedNames[s.IntN(len(scopedNames))]
	}
	if len(s.script.markers) > 0 {
		return "1 = 1"
	}
	form := []string{"%s = '%s'", "lower(%s) = '%s'", "%s LIKE '%s'", "%s IN ('%s')"}[s.IntN(4)]
	return fmt.Sprintf(form, name, s.script.next(s.seed))
}

// where is a relation with a condition.
func (s *scoper) where(depth int) string {
	from := s.from(depth)
	return from.text + " WHERE " + s.compares(from.columns)
}

func (s *scoper) alias() string {
	s.aliases++
	return fmt.Sprintf("q%d", s.aliases)
}

// list gives n columns names, of which some are those of other tables.
func (s *scoper) list(n int) []string {
	var names []string
	for i := range n {
		name := scopedNames[s.IntN(len(scopedNames))]
		if slices.Contains(names, name) || s.IntN(3) == 0 {
			name = fmt.Sprintf("c%d", i)
		}
		names = append(names, name)
	}
	return names
}

// from is what may stand in FROM, with the columns that it shows by name.
func (s *scoper) from(depth int) scoped {
	if depth <= 0 || s.IntN(4) == 0 {
		t := scopedTables[s.IntN(len(scopedTables))]
		if t.alias = t.text; s.IntN(2) == 0 {
			t.alias = s.alias()
			t.text += " " + t.alias
		}
		return t
	}
	switch s.IntN(3) {
	case 0:
		return s.join(depth)
	default:
		q := s.query(depth - 1)
		alias := s.alias()
		text := "(" + q.text + ") " + alias
		if s.IntN(2) == 0 || len(q.columns) > len(slices.Compact(slices.Sorted(slices.Values(q.columns)))) {
			q.columns = s.list(len(q.columns))
			text += " (" + strings.Join(q.columns, ", ") + ")"
		}
		return scoped{text: text, alias: alias, columns: q.columns}
	}
}

// join is two relations joined. Columns of USING and NATURAL come first, of RIGHT joins in
// the server's own order.
func (s *scoper) join(depth int) scoped {
	l, r := s.from(depth-1), s.from(depth-1)
	var common []string
	for _, c := range l.columns {
		if slices.Contains(r.columns, c) && !slices.Contains(common, c) {
			common = append(common, c)
		}
	}
	kind := []string{"JOIN", "LEFT JOIN", "RIGHT JOIN"}[s.IntN(3)]
	switch {
	case len(common) > 0 && s.IntN(2) == 0:
		on := common[s.IntN(len(common))]
		rest := slices.DeleteFunc(slices.Concat(l.columns, r.columns), func(c string) bool { return c == on })
		return scoped{text: l.text + " " + kind + " " + r.text + " USING (" + on + ")", columns: append([]string{on}, rest...)}
	case len(common) > 0 && s.IntN(3) == 0:
		rest := slices.DeleteFunc(slices.Concat(l.columns, r.columns), func(c string) bool { return slices.Contains(common, c) })
		return scoped{text: l.text + " NATURAL " + kind + " " + r.text, columns: slices.Concat(common, rest)}
	}
	return scoped{text: l.text + " " + kind + " " + r.text + " ON 1 = 1", columns: slices.Concat(l.columns, r.columns)}
}

// query is a SELECT, with the names of its columns.
func (s *scoper) query(depth int) scoped {
	if depth > 0 && s.IntN(6) == 0 {
		q := s.query(depth - 1)
		list := s.list(len(q.columns))
		with := s.alias()
		return scoped{text: "WITH " + with + " (" + strings.Join(list, ", ") + ") AS (" + q.text + ") SELECT * FROM " + with, columns: list}
	}
	from := s.from(depth)
	targets, columns := s.targets(from)
	text := "SELECT " + strings.Join(targets, ", ") + " FROM " + from.text
	if s.IntN(5) == 0 {
		text += " WHERE " + s.compares(from.columns)
	}
	if s.IntN(8) == 0 {
		nulls := strings.TrimSuffix(strings.Repeat("NULL, ", len(columns)), ", ")
		text += " UNION ALL SELECT " + nulls
	}
	return scoped{text: text, columns: columns}
}

// targets is a select list, and the names that it gives.
func (s *scoper) targets(from scoped) (texts, columns []string) {
	star := func() string {
		if from.alias == "" || s.IntN(2) == 0 && len(texts) == 0 {
			return "*"
		}
		return from.alias + ".*"
	}
	for range 1 + s.IntN(3) {
		switch s.IntN(3) {
		case 0:
			if from.alias == "" && len(texts) > 0 { // MySQL takes a bare star first only
				continue
			}
			texts, columns = append(texts, star()), append(columns, from.columns...)
		case 1:
			c := from.columns[s.IntN(len(from.columns))]
			texts, columns = append(texts, c), append(columns, c)
		default:
			c, as := from.columns[s.IntN(len(from.columns))], scopedNames[s.IntN(len(scopedNames))]
			texts, columns = append(texts, c+" AS "+as), append(columns, as)
		}
	}
	if len(texts) == 0 {
		return []string{"*"}, from.columns
	}
	return texts, columns
}
