package sqlplan

import (
	"slices"
	"strings"
)

// leafKind is what stands at a leaf of the expression that a protected column
// is set to.
type leafKind uint8

const (
	leafNull     leafKind = iota + 1
	leafGiven             // a parameter or literal
	leafCells             // a column of given values
	leafSame              // the same column of the same row
	leafExcluded          // the same column of the row that INSERT proposed
	leafEdited            // the same document of the same row, with parts changed
	leafPart              // a parameter or literal that is put into the document of leafEdited
)

// written is one leaf.
type written struct {
	kind   leafKind
	expr   Expr
	value  *value // leafCells
	guards pins   // what CASE conditions around the leaf pin
	direct bool   // the leaf is the whole value
	part   *Column
	set    docSet // of leafPart
}

// target is a protected table that a statement writes to.
type target struct {
	item  *item
	table *Table
	rel   *Relation // of the table, also where the statement names a view
	scope *scope    // for SET expressions and WHERE
	// proposed is EXCLUDED or a row alias; aliases are the names that a row alias gives to
	// columns that were added.
	proposed *item
	aliases  map[string]string
	// given is true where an expression may name what the row that is inserted gives.
	given bool
	// edits is true where protected parts of documents may be set by themselves.
	edits bool
}

// newTarget describes the written table.
func (a *analysis) newTarget(it *item, s *scope) *target {
	t := &target{item: it, table: it.table, rel: it.rel, scope: s}
	if it.rel != nil && it.rel.View {
		t.rel = a.describe(it.table.Schema, it.table.Name)
	}
	return t
}

// leaves takes apart the expression that column c is set to. It refuses
// whatever is neither a value, nor the same column of the same row. The mirrors that it
// returns are to be written too: none for a column that has no term.
func (a *analysis) leaves(t *target, c *Column, e Expr, yield func(written)) []*mirror {
	mirrors := a.newMirrors(t, c, e)
	typed := false // whether a leaf tells the server the expression's type
	var nulls []Expr
	a.leavesOf(t, c, e, nil, true, func(w written) {
		typed = typed || w.kind != leafNull || w.direct
		if w.kind == leafNull && isNull(w.expr) {
			nulls = append(nulls, w.expr)
		}
		if w.expr != nil && len(mirrors) > 0 {
			mirrors[0].leaves[w.expr] = w // they share it
		}
		yield(w)
	})
	a.typeNulls(c, nulls, !typed)
	return mirrors
}

// typeNulls gives NULLs in what a column is set to the type of its ciphertexts: those that
// have another type by a cast, and all of them if no other value tells the type.
func (a *analysis) typeNulls(c *Column, nulls []Expr, all bool) {
	before, after := a.d.SealCast(c)
	for _, e := range nulls {
		if _, cast := e.(*Cast); (cast || all) && before+after != "" {
			a.replace(e.At(), textPart(before+"NULL"+after))
		}
	}
}

func (a *analysis) leavesOf(t *target, c *Column, e Expr, guards pins, direct bool, yield func(written)) {
	if a.tick(); a.err != nil {
		return
	}
	if e == nil || isNull(e) {
		yield(written{kind: leafNull, expr: e, direct: direct})
		return
	}
	if leaf(e) {
		yield(written{kind: leafGiven, expr: e, guards: guards, direct: direct})
		return
	}
	part := func(own *Column, x docSet) {
		w := written{kind: leafPart, expr: x.value, guards: guards, part: own, set: x}
		if isReference(x.value) {
			w.kind = leafExcluded
		}
		yield(w)
	}
	if a.editsDocument(t, c, e, part) {
		yield(written{kind: leafEdited, expr: e, direct: direct})
		return
	}
	switch e := e.(type) {
	case *Default:
		if text, ok := a.constantDefault(t, c); ok && direct {
			e.Constant = &Literal{LiteralString, text}
			yield(written{kind: leafGiven, expr: e, direct: direct})
			return
		}
		if direct && a.defaultIsNull(t, c, e.Span, c.Name) {
			yield(written{kind: leafNull, expr: e, direct: direct})
		}
		return
	case *ColumnRef:
		if w, ok := a.columnLeaf(t, c, e); ok {
			w.guards, w.direct = guards, direct
			yield(w)
		}
		return
	case *ValuesRef:
		if a.d.SameColumn(e.Column, c.Name) {
			yield(written{kind: leafExcluded, expr: e, direct: direct})
			return
		}
	case *Call:
		if args := a.chosen(e); len(args) > 0 {
			for _, arg := range args {
				a.leavesOf(t, c, arg, guards, false, yield)
			}
			return
		}
	case *Case:
		a.caseLeaves(t, c, e, guards, yield)
		return
	}
	a.refuse(e.At(), c.object(), "a protected column is set to something that the server computes", "set it to a parameter, a literal or NULL")
}

// chosen are the arguments of COALESCE or NULLIF of which one is the value.
func (a *analysis) chosen(e *Call) []Expr {
	if args := coalesced(e); len(args) > 0 {
		return args
	}
	if value, ok := a.nullIf(e); ok {
		return []Expr{value}
	}
	return nil
}

// nullIf takes apart NULLIF of a given value and a literal: the value is compared before
// it is sealed, and the literal is taken out of the text.
func (a *analysis) nullIf(e *Call) (value Expr, ok bool) {
	if !isNullIf(e) || !leaf(e.Args[0]) {
		return nil, false
	}
	c, ok := e.Args[1].(*Constant)
	if !ok {
		return nil, false
	}
	if a.nullIfs == nil {
		a.nullIfs = map[Expr]*NullIf{}
	}
	if a.nullIfs[e.Args[0]] == nil {
		a.replace(c.Span, part{text: "NULL", added: true})
	}
	a.nullIfs[e.Args[0]] = &NullIf{Literal: c.Value, Loose: a.testUse() == TermTestLoose}
	return e.Args[0], true
}

// isNullIf reports whether a call is that of NULLIF.
func isNullIf(e *Call) bool {
	return strings.EqualFold(e.Name, "nullif") && e.Schema == "" && len(e.Args) == 2 && len(e.Rest) == 0
}

// caseLeaves takes apart CASE; a branch's condition may pin the row.
func (a *analysis) caseLeaves(t *target, c *Column, e *Case, guards pins, yield func(written)) {
	a.checkConditions(&Case{Span: e.Span, Arg: e.Arg, Whens: conditions(e)}, t.scope)
	for _, w := range e.Whens {
		cond := w.Cond
		if e.Arg != nil {
			cond = &Op{Span: w.Cond.At(), What: OpEqual, Operands: []Expr{e.Arg, w.Cond}}
		}
		a.leavesOf(t, c, w.Result, guards.with(a.pinsOf(t, cond)), false, yield)
	}
	a.leavesOf(t, c, e.Else, guards, false, yield)
}

// columnLeaf decides what a column that a protected column is set to may be.
func (a *analysis) columnLeaf(t *target, c *Column, e *ColumnRef) (written, bool) {
	v := value{}
	if !e.Star {
		v = a.lookup(e, t.scope)
	}
	if len(e.Qualifier) == 0 && t.proposed != nil && len(t.scope.find(e.Name)) > 1 {
		a.refuse(e.Span, c.object(), "a column that the row and the proposed row both have", "qualify it")
		return written{}, false
	}
	switch {
	case v.kind == valueGiven:
		return written{kind: leafCells, expr: e, value: &v}, true
	case v.kind == valueStored && v.column == c && v.row == t.item.row:
		return written{kind: leafSame, expr: e}, true
	case v.kind == valueStored && v.column == c && t.proposed != nil && v.row == t.proposed.row:
		return written{kind: leafExcluded, expr: e}, true
	case v.protected():
		a.refuse(e.Span, c.object(), "a protected column is set to a protected value of another row or column", "read it and write it as a parameter")
	default:
		a.refuse(e.Span, c.object(), "a protected column is set to a value that the server holds", "set it to a parameter, a literal or NULL")
	}
	return written{}, false
}

// defaultIsNull reports whether the live default of the protected column c, or of the
// column of its terms, is NULL. It refuses where it is not.
func (a *analysis) defaultIsNull(t *target, c *Column, at Span, name string) bool {
	rc := a.relationColumn(t.rel, name)
	switch {
	case rc == nil && t.rel != nil && !t.rel.View && !t.rel.Incomplete:
		return true // the column is not there yet: a migration adds it
	case rc == nil:
		a.refuse(at, c.object(), "a protected column's default is not known", "give the column a value, or NULL")
	case rc.Generated:
		a.refuse(at, c.object(), "a protected column is computed by the server", "make it an ordinary column")
	case rc.Default != "" || rc.Identity != "" || rc.AutoIncrement:
		a.refuse(at, c.object(), "a protected column has a default that is not NULL", "give the column a value, drop the default, or name it in the policy as the column's default")
	default:
		return true
	}
	return false
}

// constantDefault is the column's live default, if it is a constant that may stand in
// clear in the catalog. A row that is to have it gets it sealed.
func (a *analysis) constantDefault(t *target, c *Column) (text string, ok bool) {
	rc := a.relationColumn(t.rel, c.Name)
	if rc == nil || rc.Generated || rc.Default == "" {
		return "", false
	}
	text, ok = a.d.ClearText(rc.Default)
	return text, ok && c.clearDefault(text)
}

// pins are the context sources of a row that a condition or a list of values fixes, by
// index in Table.Sources. The zero value stands for what is not fixed. Nil fixes nothing.
type pins []value

func newPins(t *target) pins { return make(pins, len(t.table.Sources)) }

// get returns what a source is fixed to.
func (p pins) get(i int) (v value, ok bool) {
	if i >= len(p) {
		return value{}, false
	}
	return p[i], p[i].kind != 0
}

// with adds what more fixes, which comes first.
func (p pins) with(more pins) pins {
	fixes := func(v value) bool { return v.kind != 0 }
	switch {
	case !slices.ContainsFunc(more, fixes):
		return p
	case !slices.ContainsFunc(p, fixes):
		return more
	}
	all := slices.Clone(more)
	for i, v := range p {
		if all[i].kind == 0 {
			all[i] = v
		}
	}
	return all
}

// pinsOf lists what a condition fixes when it holds.
func (a *analysis) pinsOf(t *target, cond Expr) pins {
	p := newPins(t)
	a.collectPins(t, cond, p)
	return p
}

func (a *analysis) collectPins(t *target, cond Expr, p pins) {
	op, ok := cond.(*Op)
	if !ok {
		return
	}
	switch {
	case op.What == OpAnd:
		for _, x := range op.Operands {
			a.collectPins(t, x, p)
		}
	case (op.What == OpEqual || op.What == OpIn) && len(op.Operands) == 2:
		l, r := op.Operands[0], op.Operands[1]
		lr, lok := l.(*Row)
		rr, rok := r.(*Row)
		if lok && rok && len(lr.Items) == len(rr.Items) {
			for i := range lr.Items {
				a.pin(t, lr.Items[i], rr.Items[i], p)
			}
			return
		}
		a.pin(t, l, r, p)
	}
}

// pin notes a source column that is compared with a value.
func (a *analysis) pin(t *target, l, r Expr, p pins) {
	for _, pair := range [2][2]Expr{{l, r}, {r, l}} {
		c, ok := pair[0].(*ColumnRef)
		if !ok || c.Star {
			continue
		}
		v := a.lookup(c, t.scope)
		if v.kind != valueStored || v.row != t.item.row {
			continue
		}
		name := a.comparedAs(t.table, v.name)
		i := a.sourceIndex(t.table, name)
		rc := a.relationColumn(t.rel, name)
		if i < 0 || rc == nil || rc.Inexact && !a.inexact {
			continue
		}
		if given, ok := a.pinValue(t, pair[1], a.sourceType(t, i)); ok {
			p[i] = given
		}
	}
}

// pinValue resolves what a source column is compared with.
func (a *analysis) pinValue(t *target, e Expr, columnType string) (value, bool) {
	if leaf(e) {
		if o, ok := a.fitting(e, columnType); !ok || o.Kind == OperandNull {
			return value{}, false
		}
		return value{kind: valueGiven, cells: []Expr{e}}, true
	}
	if c, ok := e.(*Cast); ok && c.Plain && a.d.SameType(c.Type, columnType) {
		e = c.Expr
	}
	c, ok := e.(*ColumnRef)
	if !ok || c.Star {
		return value{}, false
	}
	v := a.lookup(c, t.scope)
	if v.kind != valueGiven {
		return value{}, false
	}
	for _, cell := range v.cells {
		if _, ok := a.fitting(cell, columnType); !ok {
			return value{}, false
		}
	}
	return v, true
}

// fitting is operand for a value that is compared with a column of the type; "" is the
// policy's own type of a protected column.
func (a *analysis) fitting(e Expr, columnType string) (Operand, bool) {
	o, ok := a.givenOperand(e, columnType)
	return o, ok && (columnType == "" || o.Kind != OperandLiteral || a.d.LiteralFits(o.Literal.Kind, columnType))
}

// source returns the operand of a given value for a row of it.
func (a *analysis) source(v value, cell int, columnType string) (Operand, bool) {
	if v.kind == valueNull {
		return Operand{Kind: OperandNull}, true
	}
	if v.kind != valueGiven || len(v.cells) == 0 {
		return Operand{}, false
	}
	if len(v.cells) == 1 {
		cell = 0
	}
	if cell >= len(v.cells) {
		return Operand{}, false
	}
	return a.operand(v.cells[cell], columnType)
}

// sourceOperand is source for a source of the target's row. A source that is a term is
// given by the value of its column.
func (a *analysis) sourceOperand(t *target, index int, v value, cell int) (Operand, bool) {
	o, ok := a.source(v, cell, a.sourceType(t, index))
	o.Of = t.table.termOf(t.table.Sources[index])
	return o, ok
}

// sourceType is the catalog's type of a source column, or "" if it is not known or the
// column holds terms, which are computed of a value of the policy's type.
func (a *analysis) sourceType(t *target, index int) string {
	if t.table.termOf(t.table.Sources[index]) != nil {
		return ""
	}
	if rc := a.relationColumn(t.rel, t.table.Sources[index]); rc != nil {
		return rc.Type
	}
	return ""
}
