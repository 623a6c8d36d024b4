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
	add(column string, value func(n int, alone bool) part) bool
}

var (
	_ site = insertSite{}
	_ site = updateSite{}
)

// insertSite is INSERT … VALUES, INSERT … SET or INSERT … SELECT of rows that
// are told apart.
type insertSite struct{ in *insertion }

func (s insertSite) add(column string, value func(n int, alone bool) part) bool {
	in, a := s.in, s.in.a
	if in.s.SetForm {
		a.insertParts(in.s.Rows[0].End, textPart(", "+a.d.Quote(column)+" = "), value(0, false))
		return true
	}
	in.more = append(in.more, column)
	for n, r := range in.s.Rows {
		a.insertParts(r.End, textPart(", "), value(n, false))
	}
	for n, b := range in.branches {
		a.insertParts(b.TargetsEnd, textPart(", "), value(n, true))
	}
	return true
}

// writeList puts the columns that the statement writes into its list, and adds the
// list where there is none.
func (in *insertion) writeList() {
	a, s := in.a, in.s
	switch {
	case s.SetForm || s.DefaultValues:
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
}

// updateSite is UPDATE's SET. Every row gets the one expression.
type updateSite struct{ u *updating }

func (s updateSite) add(column string, value func(n int, alone bool) part) bool {
	u := s.u
	last := u.s.Set[len(u.s.Set)-1]
	if last.Grouped {
		u.a.refuse(last.Span, u.t.table.Name+"."+column, "an UPDATE by a row assignment that must write a further column", "assign each column by itself")
		return false
	}
	u.a.insertParts(last.Last, textPart(", "+u.assigned(column)+" = "), value(0, false))
	return true
}

// assigned writes the column as the left side of an assignment.
func (u *updating) assigned(column string) string {
	if _, single := u.s.Targets[0].(*TableRef); single {
		return u.a.d.Quote(column)
	}
	return u.t.item.text(column)
}

// insertParts adds parts at an offset.
func (a *analysis) insertParts(at int, parts ...part) {
	a.edits = append(a.edits, edit{span: Span{at, at}, parts: parts})
}
