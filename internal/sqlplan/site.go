package sqlplan

import "strings"

// site is where a statement writes rows of a table, and where it can be made to
// write one column more. Row keys that the server makes, values that are sealed
// anew and equality terms get into a statement here and nowhere else.
type site interface {
	// add has the statement write the column too; value is what row n of the
	// statement gets, and alone is true where the server cannot take the value's
	// type from the column. It refuses the statement and returns false if there
	// is no place for it.
	add(column string, value func(n int, alone bool) []part) bool
}

var (
	_ site = insertSite{}
	_ site = updateSite{}
	_ site = besideSite{}
	_ site = mergeSite{}
)

// insertSite is INSERT … VALUES, INSERT … SET or INSERT … SELECT of rows that
// are told apart.
type insertSite struct{ in *insertion }

func (s insertSite) add(column string, value func(n int, alone bool) []part) bool {
	in, a := s.in, s.in.a
	in.aliased(column)
	if in.s.SetForm {
		a.insertParts(in.s.Rows[0].End, append([]part{textPart(", " + a.d.Quote(column) + " = ")}, value(0, false)...)...)
		return true
	}
	in.more = append(in.more, column)
	for n, r := range in.s.Rows {
		between := ", "
		if in.s.DefaultValues && len(in.more) == 1 {
			between = ""
		}
		a.insertParts(r.End, append([]part{textPart(between)}, value(n, false)...)...)
	}
	for n, b := range in.branches {
		a.insertParts(b.TargetsEnd, append([]part{textPart(", ")}, value(n, true)...)...)
	}
	return true
}

// aliased gives a column that is added a name in the list of a row alias, which must
// name every column.
func (in *insertion) aliased(column string) {
	if len(in.s.RowColumns) == 0 {
		return
	}
	name := in.a.hiddenName()
	if in.t.aliases == nil {
		in.t.aliases = map[string]string{}
	}
	in.t.aliases[column] = name
	in.a.insertText(in.s.RowColumnsEnd, ", "+in.a.d.Quote(name))
}

// writeList puts the columns that the statement writes into its list, and adds the
// list where there is none.
func (in *insertion) writeList() {
	a, s := in.a, in.s
	switch {
	case s.SetForm || s.DefaultValues && len(in.more) == 0:
	case len(s.Columns) > 0:
		for _, name := range in.more {
			a.insertText(s.ColumnsEnd, ", "+a.d.Quote(name))
		}
	case len(in.names)+len(in.more) > 0:
		var list []string
		for _, name := range append(in.names[:len(in.names):len(in.names)], in.more...) {
			list = append(list, a.d.Quote(name))
		}
		a.insertText(s.TargetEnd, " ("+strings.Join(list, ", ")+")")
	}
	if s.DefaultValues && len(in.more) > 0 {
		a.replace(s.DefaultValuesSpan, textPart("VALUES ("))
		a.insertText(s.DefaultValuesSpan.End, ")")
	}
}

// updateSite is UPDATE's SET. Every row gets the one expression.
type updateSite struct{ u *updating }

func (s updateSite) add(column string, value func(n int, alone bool) []part) bool {
	u := s.u
	last := u.s.Set[len(u.s.Set)-1]
	// Nothing can stand after a part of a tuple.
	return besideSite{u.a, last, u.assigned(column), !last.Grouped}.add(column, value)
}

// besideSite is a SET clause, beside the assignment x. assigned is the left side as the
// statement writes it; after puts it after x, not before.
type besideSite struct {
	a        *analysis
	x        Assignment
	assigned string
	after    bool
}

func (s besideSite) add(_ string, value func(n int, alone bool) []part) bool {
	if s.after {
		s.a.insertParts(s.x.Last, append([]part{textPart(", " + s.assigned + " = ")}, value(0, false)...)...)
		return true
	}
	parts := append([]part{textPart(s.assigned + " = ")}, value(0, false)...)
	s.a.insertParts(s.x.First, append(parts, textPart(", "))...)
	return true
}

// mergeSite is the INSERT of a MERGE branch.
type mergeSite struct {
	a *analysis
	w MergeWhen
}

func (s mergeSite) add(column string, value func(n int, alone bool) []part) bool {
	s.a.insertText(s.w.ColumnsEnd, ", "+s.a.d.Quote(column))
	s.a.insertParts(s.w.Row.End, append([]part{textPart(", ")}, value(0, false)...)...)
	return true
}

// mirrorBeside writes a value's term beside the assignment of the value.
func (a *analysis) mirrorBeside(m *mirror, x Assignment, assigned string) {
	parts := m.parts()
	if a.err == nil {
		besideSite{a, x, assigned, m.after()}.add(m.term.Column, func(int, bool) []part { return parts })
	}
}

// assigned writes the column as the left side of an assignment.
func (u *updating) assigned(column string) string {
	if _, single := u.s.Targets[0].(*TableRef); single {
		return u.a.d.Quote(column)
	}
	return u.t.item.text(column)
}
