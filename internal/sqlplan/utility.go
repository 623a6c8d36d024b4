package sqlplan

import (
	"slices"
	"strings"
)

// quiet are the utility statements that return no rows.
var quiet = map[string]bool{"BEGIN": true, "START": true, "COMMIT": true, "ROLLBACK": true, "SAVEPOINT": true, "RELEASE": true,
	"SET": true, "START TRANSACTION": true, "END": true, "ABORT": true, "RESET": true, "DISCARD": true, "LOCK": true, "USE": true,
	"TRUNCATE": true, "UNLOCK": true}

// utility analyses a statement that is neither a query nor a change of rows.
func (a *analysis) utility(u *Utility) {
	if !quiet[u.What] {
		a.opaque = true
	}
	a.excludes = a.excludes || u.Excludes
	if u.Kind == UtilityHarmless {
		a.defines = a.defines || u.What == "DROP"
		a.droppedIndexes(u)
		return
	}
	a.attaching = u.Attaches
	defer func() { a.attaching = nil }()
	var tables []*Table
	for _, r := range u.Relations {
		if u.Temporary {
			continue
		}
		if kind, t := a.relation(r); kind != relationPlain {
			tables = append(tables, t)
		}
	}
	if len(tables) > 0 && u.Refuse != "" {
		hint := ""
		if u.Refuse == RefuseRename {
			hint = "make the table under its name and copy the rows through the driver; or rename with the bare driver and change the policy with it"
		}
		a.refuse(u.Span, tables[0].Name, u.What+": "+u.Refuse, hint)
		return
	}
	switch u.Kind {
	case UtilityExplain:
		a.explained(u)
	case UtilityStore:
		a.stored(u)
	case UtilityPrepare:
		a.prepared(u)
	case UtilityCopy:
		a.copied(u, tables)
	case UtilityBody:
		a.body(u)
	case UtilityDefine:
		a.defined(u, tables)
	case UtilityGroup:
		for _, s := range u.Inner {
			a.nested++
			a.statement(s)
			a.nested--
		}
	default:
		a.unknown(u)
	}
}

// RefuseRename is why statements are refused that rename a protected table, or another to
// the name of one.
const RefuseRename = "renaming takes rows out of the policy's reach, or brings rows into it that were not sealed for it"

// unknown refuses a statement that the dialect does not know if it names a
// protected relation anywhere.
func (a *analysis) unknown(u *Utility) {
	named := a.reach.names.in(a.text[u.Start:min(max(u.End, u.Start), len(a.text))]) || a.d.Obscured(a.text)
	if named {
		a.touched = true
		a.refuse(u.Span, "", u.What+" in a form that is not known names a protected table", "put it more plainly, or run it with the bare driver")
	}
}

// explained plans EXPLAIN: values are sealed as they would be, and what it
// prints shows no protected column.
func (a *analysis) explained(u *Utility) {
	a.explain, a.executes = true, u.Executes
	for _, s := range u.Inner {
		results, returning := a.results, a.returning
		a.statement(s)
		a.results, a.returning = results, returning
	}
	a.explain, a.executes = false, false
}

// stored refuses to keep protected values in another relation.
func (a *analysis) stored(u *Utility) {
	a.writes = true
	for _, s := range u.Inner {
		q, ok := s.(*Query)
		if !ok {
			a.unknown(u)
			return
		}
		a.nested++
		before, shapes := len(a.matches), a.shapes
		out := a.query(q, nil)
		a.nested--
		if len(a.matches) > before && strings.Contains(u.What, "VIEW") {
			a.refuse(u.Span, "", u.What+" that compares a protected column: its equality terms change when keys do", "compare in the query that reads the view")
		}
		if a.shapes > shapes && strings.Contains(u.What, "VIEW") {
			a.refuse(u.Span, "", u.What+" that tests whether a protected column is empty: the forms of ciphertexts change with the policy", "test it in the query that reads the view")
		}
		a.noProtected(out, u.Span, u.What+" over a protected column", "leave the column out; a view belongs in the policy's views and is made with the bare driver")
	}
	a.checkAll(u.Exprs, nil, u.What)
}

// prepared refuses to hand to the server a statement that it runs later, out
// of the driver's sight.
func (a *analysis) prepared(u *Utility) {
	seals := len(a.seals)
	for _, s := range u.Inner {
		results, returning := a.results, a.returning
		before := len(results)
		a.nested++
		a.statement(s)
		a.nested--
		for _, set := range a.results[before:] {
			if set.Protected {
				a.refuse(u.Span, "", u.What+" reads a protected column where the driver does not see the result", "run the query itself")
			}
		}
		a.results, a.returning = results, returning
	}
	if len(a.seals) > seals {
		a.refuse(u.Span, a.sealed(seals).object(), u.What+" writes a protected column where the driver does not see the values", "use the driver's prepared statements")
	}
	if a.touched && a.writes {
		for _, s := range u.Inner {
			if _, ok := s.(*Query); !ok {
				a.refuse(u.Span, "", u.What+" of a statement that changes a protected table", "use the driver's prepared statements")
			}
		}
	}
}

// copied refuses to move protected columns in bulk.
func (a *analysis) copied(u *Utility, tables []*Table) {
	for _, t := range tables {
		if u.Columns == nil {
			a.refuse(u.Span, t.Name, u.What+" of a protected table", "list columns that the policy does not name, or use INSERT and SELECT")
		}
		for _, name := range u.Columns {
			if c := a.protectedColumn(t, name, u.Span); c != nil {
				a.refuse(u.Span, c.object(), u.What+" of a protected column", "use INSERT and SELECT")
			}
			if c := a.searched(t, name); c != nil {
				a.refuse(u.Span, c.object(), u.What+" of a protected column's equality terms", "leave the column out")
			}
		}
	}
	for _, s := range u.Inner {
		q, ok := s.(*Query)
		if !ok {
			a.unknown(u)
			return
		}
		a.noProtected(a.query(q, nil), u.Span, u.What+" of a protected column", "SELECT it instead")
	}
}

// body refuses program text that names a protected relation.
func (a *analysis) body(u *Utility) {
	for _, s := range u.Strings {
		if a.reach.names.in(s) || a.d.Obscured(s) {
			a.touched = true
			a.refuse(u.Span, "", u.What+" holds program text that names a protected table", "run its statements through the driver, or create it with the bare driver")
		}
	}
}

// definedColumn refuses DDL on a protected table that computes with a column which
// the table does not have.
func (a *analysis) definedColumn(u *Utility, t *Table, ref *ColumnRef) {
	rel := a.describe(t.Schema, t.Name)
	if rel == nil || rel.Incomplete || a.relationColumn(rel, ref.Name) != nil || a.d.SystemColumn(ref.Name) {
		return
	}
	same := func(name string) bool { return a.d.SameColumn(name, ref.Name) }
	if a.err != nil || len(ref.Qualifier) == 0 && slices.ContainsFunc(u.Relations, func(r *TableRef) bool { return same(r.Name) }) || slices.ContainsFunc(u.Defines, same) {
		return
	}
	a.refuseAbsent(ref.Span, t.Name)
}

// defined carries DDL over to ciphertexts, and refuses what makes the server compute
// with a protected column.
func (a *analysis) defined(u *Utility, tables []*Table) {
	a.defines = true
	for i, t := range tables {
		a.named(u, t, u.Columns)
		a.moved(u, t)
		if i == 0 && t == a.definedTable(u) {
			a.carry(u, t)
		} else {
			for _, d := range u.Definitions {
				if a.named(u, t, d.Names); d.Kind == DefineColumn && len(d.Keys) > 0 {
					a.named(u, t, []string{d.Column})
				}
			}
		}
		for _, e := range u.Exprs {
			a.computed(u, t, e)
		}
	}
	a.checkAll(u.Exprs, nil, u.What)
	for _, x := range u.Attaches {
		kind, t := a.relation(x.Parent)
		if kind == relationProtected {
			a.attached = append(a.attached, Attached{Relation: &Relation{Schema: x.Child.Schema, Name: x.Child.Name, ReadsProtected: t.Columns[0].object()}, Parent: x.Parent.Name})
		} else if child := a.policyTable(x.Child); child != nil {
			a.refuse(u.Span, child.Name, u.What+" makes the rows of a protected table those of another table, too", "name the other table in the policy as well")
		}
	}
	for _, s := range u.Inner {
		if q, ok := s.(*Query); ok {
			a.noProtected(a.query(q, nil), u.Span, u.What+" over a protected column", "leave the column out")
			continue
		}
		a.unknown(u)
	}
	a.alter(u)
}

// named refuses a statement that has the server work with one of the columns.
func (a *analysis) named(u *Utility, t *Table, names []string) {
	for _, name := range names {
		if c := a.protectedColumn(t, name, u.Span); c != nil {
			a.refuseWork(u, c, u.Span)
		}
	}
}

func (a *analysis) refuseWork(u *Utility, c *Column, at Span) {
	a.refuse(at, c.object(), u.What+" makes the server work with a protected column", "the server has ciphertexts only: check, compare and compute in the application; tests for NULL work")
}

// moved refuses to rename or drop a column that values are bound to.
func (a *analysis) moved(u *Utility, t *Table) {
	for _, name := range u.Moves {
		if i := a.sourceIndex(t, name); i >= 0 {
			a.refuse(u.Span, t.Name+"."+t.Sources[i], u.What+" renames or drops a column that protected values are bound to",
				"change the policy with it, as the run-book for moving values says (docs/OPERATIONS.md), and send the statement with the bare driver")
		}
	}
}

// computed refuses an expression of DDL that reads a protected column.
func (a *analysis) computed(u *Utility, t *Table, e Expr) {
	carried := a.editedSpans()
	a.worksWith(t, e, u.Span, func(ref *ColumnRef, c *Column) {
		if carried(ref.Span) {
			return
		}
		if c != nil {
			a.refuseWork(u, c, u.Span)
		}
		a.definedColumn(u, t, ref)
	})
}

// worksWith yields the columns that an expression of DDL reads, each with the protected column
// that it is, or nil. A test for NULL is the same on ciphertexts.
func (a *analysis) worksWith(t *Table, e Expr, at Span, yield func(ref *ColumnRef, c *Column)) {
	walk(e, func(x Expr) bool {
		if n, ok := x.(*IsNull); ok {
			if ref, ok := n.Expr.(*ColumnRef); ok && !ref.Star && a.protectedColumn(t, ref.Name, at) != nil {
				return false
			}
		}
		if ref, ok := x.(*ColumnRef); ok && !ref.Star {
			yield(ref, a.protectedColumn(t, ref.Name, at))
		}
		return true
	})
}
