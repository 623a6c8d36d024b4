package sqlplan

import (
	"slices"
	"strings"
)

// This file carries DDL over to what the server stores. A protected column gets the type
// that its ciphertexts need, and a column for each of its terms; keys over it become
// keys over its term. A key that the server cannot keep over ciphertexts is left out if
// it only makes statements faster, and refused if statements rely on it.

// definedTable is the protected table that the statement makes or changes, or nil.
func (a *analysis) definedTable(u *Utility) *Table {
	if len(u.Definitions) == 0 || a.p.rules.DDL == DDLRefuse {
		return nil
	}
	if kind, t := a.relation(u.Relations[0]); kind == relationProtected {
		return t
	}
	return nil
}

// defining is the state of carrying one statement over.
type defining struct {
	a   *analysis
	u   *Utility
	t   *Table
	rel *Relation // as it is before the statement; nil for a new table
	out []bool    // by index in u.Definitions: left out
}

// carry carries the statement over, and judges by their names the parts that have nothing
// to do with protected columns.
func (a *analysis) carry(u *Utility, t *Table) {
	d := &defining{a: a, u: u, t: t, out: make([]bool, len(u.Definitions))}
	if u.Altered {
		d.rel = a.describe(u.Relations[0].Schema, u.Relations[0].Name)
	}
	for i, def := range u.Definitions {
		if a.err != nil {
			return
		}
		d.definition(i, def)
	}
	d.remove()
}

func (d *defining) definition(i int, def *Definition) {
	a := d.a
	var c *Column
	if def.Column != "" {
		c = a.protectedColumn(d.t, def.Column, def.Span)
	}
	switch {
	case def.Kind == DefineDropKey:
		d.out[i] = d.dropKey(def.Key)
	case def.Kind == DefineKey:
		d.out[i] = d.key(&def.Keys[0])
	case c == nil, def.Kind == DefineOther:
		a.named(d.u, d.t, def.Names)
	case def.Kind == DefineDrop:
		d.drop(c, def)
	default:
		d.column(c, def)
	}
}

// column carries a column's definition over.
func (d *defining) column(c *Column, def *Definition) {
	a := d.a
	if def.Unknown != "" {
		d.refuseClause(c, def)
		return
	}
	for _, k := range def.Keys {
		d.checkKeyColumn(c, &k)
	}
	if a.err != nil {
		return
	}
	if def.Kind != DefineDefault && a.p.rules.DDL == DDLRewrite {
		d.storage(c, def)
	}
	d.defaultValue(c, def)
	if a.p.rules.DDL != DDLRewrite {
		return
	}
	var added []string
	if def.Kind == DefineColumn {
		for term := range c.kept {
			if !d.has(term.Column) {
				added = append(added, def.Verb+a.d.Quote(term.Column)+" "+a.d.TermType(term))
			}
		}
	}
	for _, k := range def.Keys {
		a.replace(k.Span)
		if def.Kind == DefineColumn && a.relationColumn(d.rel, c.Name) != nil {
			continue // IF NOT EXISTS: the key is there as well
		}
		name := k.Name
		if name == "" && !k.Primary {
			name = a.d.KeyName(d.u.Relations[0].Name, []string{c.Name}, true)
		}
		verb := def.Verb
		if verb != "" {
			verb = "ADD "
		}
		added = append(added, verb+a.d.KeyClause(name, k.Primary, c.Term.Column))
	}
	for _, text := range added {
		a.insertText(def.End, ", "+text)
	}
}

// refuseClause refuses a definition with a clause that means nothing over ciphertexts.
func (d *defining) refuseClause(c *Column, def *Definition) {
	hint := "leave it out, or say ddl: send in the policy and write the column's type for ciphertexts"
	switch def.Unknown {
	case "GENERATED", "AS":
		hint = "compute the value in the application: the server has ciphertexts only"
	case "REFERENCES":
		hint = "refer to another column: a foreign key compares values, and each ciphertext is another"
	case "CHECK":
		hint = "check the value in the application; a CHECK that only tests for NULL works"
	case "AUTO_INCREMENT":
		hint = "make the value in the application"
	}
	d.a.refuse(def.Span, c.object(), d.u.What+" defines a protected column with "+def.Unknown, hint)
}

// has reports whether the table has the column, or the statement makes it.
func (d *defining) has(name string) bool {
	return d.a.relationColumn(d.rel, name) != nil || slices.ContainsFunc(d.u.Definitions, func(x *Definition) bool {
		return x.Kind == DefineColumn && d.a.d.SameColumn(x.Column, name)
	})
}

// storage gives the column the type that its ciphertexts need.
func (d *defining) storage(c *Column, def *Definition) {
	a := d.a
	if def.Kind == DefineChange && c.Paths == nil {
		if live := a.relationColumn(d.rel, c.Name); live != nil && !a.d.Converts(c, live.Type) {
			a.refuse(def.Span, c.object(), d.u.What+" changes a protected column that does not hold ciphertexts yet: its type is "+live.Type,
				"change the type as docs/OPERATIONS.md says for columns in clear, with the bare driver")
			return
		}
	}
	if c.Paths != nil || a.d.Stores(c, def.TypeName, def.Size) {
		return
	}
	a.replace(def.Type, textPart(a.d.StorageType(c)))
	for _, span := range def.OfType {
		a.replace(span)
	}
}

// defaultValue carries DEFAULT over. The constant stands in the server's catalog in
// clear, so that only the empty string and what the policy names is allowed.
func (d *defining) defaultValue(c *Column, def *Definition) {
	v := def.Default
	if v == nil || v.Null {
		return
	}
	if !v.Constant || !c.clearDefault(v.Literal.Text) {
		d.a.refuse(v.Span, c.object(), d.u.What+" gives a protected column a default in clear",
			"leave it out and give the value in INSERT; the empty string works, and a constant that the policy names as the column's default")
		return
	}
	if d.a.p.rules.DDL == DDLRewrite && c.Paths == nil {
		d.a.replace(v.Span, textPart(d.a.d.ClearDefault(c, v.Literal.Text, def.Kind == DefineDefault)))
	}
}

// clearDefault reports whether the text may stand in clear as the column's default.
func (c *Column) clearDefault(text string) bool {
	if c.harmless(text) {
		return true
	}
	if c.Default != nil && *c.Default == text {
		return true
	}
	return text == "" && (c.Type == "string" || c.Type == "bytes")
}

// drop drops the columns of a column's terms with it.
func (d *defining) drop(c *Column, def *Definition) {
	for term := range c.kept {
		dropped := slices.ContainsFunc(d.u.Definitions, func(x *Definition) bool {
			return x.Kind == DefineDrop && d.a.d.SameColumn(x.Column, term.Column)
		})
		if d.a.p.rules.DDL == DDLRewrite && !dropped && d.a.relationColumn(d.rel, term.Column) != nil {
			d.a.insertText(def.End, ", "+def.Verb+d.a.d.Quote(term.Column))
		}
	}
}

// dropKey reports whether the table has no index of the name: it was left out when it was
// to be made, and so is its end.
func (d *defining) dropKey(name string) (out bool) {
	rel := d.rel
	if d.a.p.rules.DDL != DDLRewrite || rel == nil || !rel.KeysKnown || rel.View {
		return false
	}
	same := func(other string) bool { return d.a.d.SameColumn(other, name) }
	if slices.ContainsFunc(rel.Indexes, same) || slices.ContainsFunc(rel.UniqueKeys, func(k UniqueKey) bool { return same(k.Name) }) {
		return false
	}
	d.a.leftOut = append(d.a.leftOut, LeftOut{d.t.Name, "the end of an index that the table does not have"})
	return true
}

// droppedIndexes has DROP INDEX pass over an index that may have been left out when it was
// to be made: its name holds that of a protected table or column.
func (a *analysis) droppedIndexes(u *Utility) {
	if a.p.rules.DDL == DDLRewrite && slices.ContainsFunc(u.Indexes, a.namedForProtected) {
		a.touched = true
		a.insertText(u.IfExistsAt, " IF EXISTS")
	}
}

// namedForProtected reports whether an index has a protected table's or column's name in its own.
func (a *analysis) namedForProtected(index string) bool {
	return slices.ContainsFunc(a.p.rules.Tables, func(t *Table) bool {
		return containsFold(index, strings.ToLower(t.Name)) ||
			slices.ContainsFunc(t.Columns, func(c *Column) bool { return containsFold(index, strings.ToLower(c.Name)) })
	})
}

// key carries an index or a constraint over. It reports whether it is left out.
func (d *defining) key(k *DefinedKey) (out bool) {
	a := d.a
	if a.p.rules.DDL == DDLSend {
		return d.sentKey(k)
	}
	var moved []int
	for i, part := range k.Parts {
		c := d.protectedIn(part)
		if c == nil {
			continue
		}
		if part.Column == "" || c.Term == nil || k.Special || part.Lowered && !c.Term.Folds {
			return d.unkept(k, c)
		}
		moved = append(moved, i)
	}
	for _, name := range k.Included {
		if c := a.protectedColumn(d.t, name, k.Span); c != nil {
			return d.unkept(k, c)
		}
	}
	if c := d.readByPredicate(k); c != nil && k.Alone && !d.predicate(k) && !k.Unique {
		return d.unkept(k, c)
	}
	if len(moved) > 0 && d.present(k) {
		return true
	}
	if len(moved) > 0 {
		d.moveKey(k, moved)
	}
	return false
}

// present reports whether the table has the constraint already, over the terms. A migrator
// that looks for it at the columns that its model names does not see it there, and adds it
// at each start.
func (d *defining) present(k *DefinedKey) bool {
	if d.rel == nil || k.Name == "" || !k.Unique || k.Alone {
		return false
	}
	return slices.ContainsFunc(d.rel.UniqueKeys, func(u UniqueKey) bool {
		return d.a.d.SameColumn(u.Name, k.Name) && slices.EqualFunc(u.Columns, k.Parts, func(name string, p KeyPart) bool {
			return d.a.d.SameColumn(name, d.a.comparedAs(d.t, p.Column))
		})
	})
}

// sentKey refuses a key of the mode DDLSend whose expressions read a protected column.
func (d *defining) sentKey(k *DefinedKey) bool {
	for _, part := range k.Parts {
		if c := d.protectedIn(part); c != nil && (part.Column == "" || part.Lowered) {
			d.a.refuseWork(d.u, c, d.u.Span)
		}
	}
	return false
}

// protectedIn returns a protected column that the part reads.
func (d *defining) protectedIn(part KeyPart) *Column {
	for _, name := range part.Reads {
		if c := d.a.protectedColumn(d.t, name, d.u.Span); c != nil {
			return c
		}
	}
	return nil
}

// unkept refuses a unique key that cannot be kept over ciphertexts, and leaves out any
// other.
func (d *defining) unkept(k *DefinedKey, c *Column) (out bool) {
	if k.Unique {
		d.refuseKey(k, c)
		return false
	}
	d.a.leftOut = append(d.a.leftOut, LeftOut{c.object(), "an index over ciphertexts"})
	return true
}

func (d *defining) refuseKey(k *DefinedKey, c *Column) {
	what, hint := "unique", "add search: to the column in the policy: its values are then unique by their equality terms"
	if k.Primary {
		what = "a primary key"
	}
	if c.Term != nil {
		hint = "list the column by its name in the key: its equality term takes its place there, and nowhere else"
	}
	d.a.refuse(d.u.Span, c.object(), d.u.What+" makes a protected column "+what, hint)
}

// checkKeyColumn refuses a unique key over a column whose terms do not tell values apart.
func (d *defining) checkKeyColumn(c *Column, k *DefinedKey) {
	switch {
	case d.a.p.rules.DDL == DDLSend:
	case c.Term == nil:
		d.refuseKey(k, c)
	case !k.Unique:
	case !c.Term.Exact:
		d.a.refuse(d.u.Span, c.object(), d.u.What+" makes a column unique whose short terms several values share", "give its search at least 128 bits")
	default:
		d.checkPer(c, k)
	}
}

// checkPer refuses a unique key over terms that depend on a column which the key lacks:
// equal values have different terms where that column differs.
func (d *defining) checkPer(c *Column, k *DefinedKey) {
	for _, i := range c.Term.Sources {
		source := c.Table.Sources[i]
		if !slices.ContainsFunc(k.Parts, func(p KeyPart) bool { return d.a.d.SameColumn(p.Column, source) }) {
			d.a.refuse(d.u.Span, c.object(), d.u.What+" makes a column unique whose terms depend on "+source, "add "+source+" to the key")
			return
		}
	}
}

// moveKey has the terms take the places of the columns.
func (d *defining) moveKey(k *DefinedKey, moved []int) {
	a := d.a
	names := make([]string, len(k.Parts))
	for i, part := range k.Parts {
		if names[i] = part.Column; part.Lowered {
			names[i] = "lower"
		}
	}
	for _, i := range moved {
		c := d.protectedIn(k.Parts[i])
		if d.checkKeyColumn(c, k); a.err != nil {
			return
		}
		a.replace(k.Parts[i].Span, textPart(a.d.Quote(c.Term.Column)))
	}
	if k.Name != "" || k.NameAt < 0 || slices.Contains(names, "") {
		return
	}
	if name := a.d.KeyName(d.u.Relations[0].Name, names, k.Unique && !k.Alone); name != "" {
		a.insertText(k.NameAt, a.d.NameKey(k, name))
	}
}

// remove takes the parts that are left out of the text.
func (d *defining) remove() {
	a, kept := d.a, -1
	if !slices.Contains(d.out, true) || a.err != nil {
		return
	}
	if !slices.Contains(d.out, false) {
		a.replace(d.u.Span, textPart(a.d.Nothing()))
		return
	}
	defs := d.u.Definitions
	for i, out := range d.out {
		switch {
		case !out:
			kept = i
		case kept >= 0:
			a.replace(Span{defs[i-1].End, defs[i].End})
		default:
			a.replace(Span{defs[i].Start, defs[i+1].Start})
		}
	}
}

// editedSpans returns a test of whether a span lies within a part that is replaced.
func (a *analysis) editedSpans() func(Span) bool {
	return func(s Span) bool {
		return slices.ContainsFunc(a.edits, func(e edit) bool { return e.span.Start <= s.Start && s.End <= e.span.End && e.span.Start < e.span.End })
	}
}
