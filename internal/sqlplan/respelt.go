package sqlplan

import (
	"slices"
	"strings"
)

// Respelt returns the plan with space behind each of its texts. They mean the same, but a
// base driver that keeps what a server said of a text takes them for other texts. space
// is blanks and tabs.
func (p *Plan) Respelt(space string) *Plan {
	if space == "" || !p.Protected {
		return p
	}
	q := *p
	q.Main = p.Main.respelt(space)
	switch r := p.Route.(type) {
	case *RowByRow:
		q.Route = r.respelt(space)
	case *ServerKey:
		q.Route = r.respelt(space)
	case *KeyChecks:
		q.Route = r.respelt(space)
	}
	return &q
}

func (t Template) respelt(space string) Template {
	if t.Text != "" {
		t.Text += space
	}
	return t
}

func (r *RowByRow) respelt(space string) *RowByRow {
	q := *r
	q.Build = func(rows ...int) Template { return r.Build(rows...).respelt(space) }
	if g := r.Guarded; g != nil {
		q.Guarded = &Guarded{Given: g.Given, Read: func() Template { return g.Read().respelt(space) }, Build: func(rows int) Template { return g.Build(rows).respelt(space) }}
	}
	q.Tables = make([]*LockedTable, len(r.Tables))
	for i, t := range r.Tables {
		locked := *t
		locked.Lock = t.Lock.respelt(space)
		locked.Count = func(rows int) Template { return t.Count(rows).respelt(space) }
		q.Tables[i] = &locked
	}
	return &q
}

func (k *ServerKey) respelt(space string) *ServerKey {
	q := *k
	q.Evaluate, q.Reserve = k.Evaluate.respelt(space), k.Reserve.respelt(space)
	q.Update = respeltAll(k.Update, space)
	if k.Checks != nil {
		q.Checks = k.Checks.respelt(space)
	}
	if k.Filled != nil {
		q.Filled = k.Filled.respelt(space)
	}
	return &q
}

func respeltAll(list []Template, space string) []Template {
	out := make([]Template, len(list))
	for i, t := range list {
		out[i] = t.respelt(space)
	}
	return out
}

func (k *KeyChecks) respelt(space string) *KeyChecks {
	q := *k
	q.Guarded = k.Guarded.respelt(space)
	q.texts = slices.Clone(k.texts)
	for i := range q.texts {
		q.texts[i].text += space
	}
	return &q
}

func (f *Filled) respelt(space string) *Filled {
	q := *f
	q.Find = respeltAll(f.Find, space)
	q.From, q.ByKey = f.From.respelt(space), f.ByKey.respelt(space)
	q.Update = func(columns []int) Template { return f.Update(columns).respelt(space) }
	return &q
}

// TypesIn spells the types that the columns of a table have which the policy names. Where
// they differ, the server may take an argument as another value.
func (t *Table) TypesIn(r *Relation) string {
	var types strings.Builder
	for _, c := range r.Columns {
		named := slices.Contains(t.Sources, c.Name) || slices.ContainsFunc(t.Columns, func(p *Column) bool {
			return p.Name == c.Name || p.Term != nil && p.Term.Column == c.Name || p.Other != nil && p.Other.Column == c.Name
		})
		if named {
			for _, part := range []string{c.Name, c.Type, c.Full, c.Domain} {
				types.WriteString(part + "\x00")
			}
		}
	}
	return types.String()
}

// NamesColumn reports whether a protected column's name occurs in the text.
func (r *Rules) NamesColumn(text string) bool {
	text = strings.ToLower(text)
	for _, t := range r.Tables {
		for _, c := range t.Columns {
			if strings.Contains(text, strings.ToLower(c.Name)) {
				return true
			}
		}
	}
	return false
}

// ByUser orders what is known of a text's arguments by the user's n parameters. The zero
// value stands for those that the text does not take.
func ByUser[T any](t *Template, list []T, n int) []T {
	out := make([]T, n)
	for i, a := range t.Args {
		if a.Kind == ArgUser && i < len(list) && int(a.Index) < n {
			out[a.Index] = list[i]
		}
	}
	return out
}
