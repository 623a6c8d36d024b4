package sqlplan

import (
	"slices"
	"strings"
)

// walk calls visit for the expression and what it is made of, sub-selects
// aside, as long as visit returns true.
func walk(e Expr, visit func(Expr) bool) {
	if e == nil || !visit(e) {
		return
	}
	e.operands(func(c Expr) { walk(c, visit) })
}

// leaf reports whether the expression is a parameter, a literal or NULL,
// or a cast of one.
func leaf(e Expr) bool {
	switch e := e.(type) {
	case *Param, *Constant, *Null:
		return true
	case *Cast:
		return leaf(e.Expr)
	}
	return false
}

// isNull reports whether the expression is the constant NULL.
func isNull(e Expr) bool {
	switch e := e.(type) {
	case *Null:
		return true
	case *Cast:
		return isNull(e.Expr)
	}
	return false
}

const (
	hintCompute = "select the column itself and compute in the application"
	hintCompare = "add search: to the column in the policy, which makes =, <> and IN work, or compare in the application"
)

const (
	hintLength = "select the length alone in the select list of the statement itself, compare it with 0, or measure the value in the application: a ciphertext has another length"
	hintNull   = "write COALESCE of the column and one literal, alone in the select list of the statement itself, or replace NULL in the application"
	hintEmpty  = "compare the column itself with '', which works for strings and bytes whose keyring's suite does not sign, or add search: to the column in the policy"
)

// functionHints are hints for functions that are often called on a column.
var functionHints = map[string]string{"length": hintLength, "char_length": hintLength, "character_length": hintLength, "octet_length": hintLength,
	"bit_length": hintLength, "coalesce": hintNull, "ifnull": hintNull, "nvl": hintNull}

// comparesEmpty reports whether a comparison is with the empty string.
func comparesEmpty(op *Op) bool {
	return slices.ContainsFunc(op.Operands, func(e Expr) bool {
		c, ok := e.(*Constant)
		return ok && c.Value.Kind == LiteralString && c.Value.Text == ""
	})
}

// orderBy is a use that no equality term serves.
const orderBy = "ORDER BY on a protected column"

// use says how an expression's value is used, for messages.
type use struct{ what, hint string }

// hintFor is the hint for a use of the column.
func (u use) hintFor(c *Column) string {
	switch {
	case c.Paths != nil:
		return hintDocument
	case c.Of != nil:
		return hintPart
	case u.what == orderBy:
		return "sort in the application"
	case u.hint == hintCompare && c.Term != nil:
		return hintSearch
	}
	return u.hint
}

func (a *analysis) checkAll(list []Expr, s *scope, where string) {
	for _, e := range list {
		a.check(e, s, where)
	}
}

// check refuses an expression that uses a protected value in any way but a
// test for NULL or a count.
func (a *analysis) check(e Expr, s *scope, where string) {
	a.checkUse(e, s, use{where, hintCompare})
	a.settle()
}

func (a *analysis) checkUse(e Expr, s *scope, u use) {
	a.tick()
	if e == nil || a.err != nil {
		return
	}
	if a.usesPart(e, s) {
		return
	}
	switch e := e.(type) {
	case *ColumnRef:
		a.checkColumn(e, s, u)
		return
	case *IsNull:
		if a.testsPart(e, s) {
			return
		}
		if c, ok := e.Expr.(*ColumnRef); ok && !c.Star {
			a.lookup(c, s)
			return
		}
		a.tested(e)
	case *Op:
		if a.checkOp(e, s, u) {
			return
		}
	case *Case:
		a.checkCase(e, s)
		return
	case *Call:
		a.checkCall(e, s)
		return
	case *Field:
		a.useValue(a.field(e, s), e.Span, u)
		return
	case *Sub:
		a.useValue(a.sub(e, s), e.Span, u)
		return
	case *ValuesRef:
		a.useValue(a.lookup(&ColumnRef{Span: e.Span, Name: e.Column}, s), e.Span, u)
		return
	case *Unknown:
		if a.inReach(s) {
			a.refuse(e.Span, "", e.What+" next to a protected table", "leave it out, or put it in a statement of its own")
			return
		}
	}
	u = useOf(e, u)
	e.operands(func(c Expr) { a.checkUse(c, s, u) })
}

// checkOp checks the operators that the rules look into; it reports false if the operands
// are to be looked at.
func (a *analysis) checkOp(e *Op, s *scope, u use) bool {
	if a.compare(e, s) || a.emptiness(e, s) {
		return true
	}
	if c, ok := nullTested(e); ok {
		a.lookup(c, s)
		return true
	}
	switch {
	case e.What == OpAnd && a.p.searches:
		a.checkJoined(e, s, u)
		return true
	case e.What == OpOr && a.p.searches:
		a.alternatives(e, s, u)
		return true
	}
	a.compared(e, s)
	a.tested(e)
	return false
}

// nullTested returns the column of a comparison that is a test for NULL: IS [NOT]
// DISTINCT FROM NULL, <=> NULL.
func nullTested(e *Op) (*ColumnRef, bool) {
	if e.What != OpSame && e.What != OpDistinct || len(e.Operands) != 2 {
		return nil, false
	}
	for i, x := range e.Operands {
		if c, ok := x.(*ColumnRef); ok && !c.Star && isNull(e.Operands[1-i]) {
			return c, true
		}
	}
	return nil, false
}

// useOf says what a construct does with its operands.
func useOf(e Expr, u use) use {
	switch e := e.(type) {
	case *Cast:
		return use{"a cast of a protected column", hintCompute}
	case *Row:
		return use{"a row value that holds a protected column", hintCompute}
	case *Case:
		return use{"CASE over a protected column", hintCompute}
	case *Op:
		switch e.What {
		case OpAnd, OpOr, OpNot:
			return u
		case "||":
			return use{"concatenation with a protected column", hintCompute}
		}
		if comparesEmpty(e) {
			return use{"a comparison of a protected column, or an operator on it", hintEmpty}
		}
		return use{"a comparison of a protected column, or an operator on it", hintCompare}
	}
	return u
}

// checkJoined checks what AND joins: each holds where the others are looked at.
func (a *analysis) checkJoined(e *Op, s *scope, u use) {
	n := len(a.held)
	a.held = flatten(a.held, e, s, nil)
	conds := make([]Expr, 0, len(a.held)-n)
	for _, h := range a.held[n:] {
		conds = append(conds, h.cond)
	}
	for _, x := range conds {
		a.checkUse(x, s, u)
	}
	a.answerBeside(conds)
	a.held = a.held[:n]
}

// checkCase checks what CASE compares and what it returns.
func (a *analysis) checkCase(e *Case, s *scope) {
	u := useOf(e, use{})
	a.caseParts(e, s, u, func(result Expr) { a.checkUse(result, s, u) })
}

// caseParts checks what CASE compares, and has result check each of its results.
func (a *analysis) caseParts(e *Case, s *scope, u use, result func(Expr)) {
	compared := a.compare(e, s)
	if !compared {
		a.checkUse(e.Arg, s, u)
		a.tested(e)
	}
	for _, w := range e.Whens {
		if !compared {
			a.checkUse(w.Cond, s, u)
		}
		result(w.Result)
	}
	result(e.Else)
}

// checkColumn refuses a reference to a protected column or to a whole row.
func (a *analysis) checkColumn(c *ColumnRef, s *scope, u use) {
	if c.Star {
		nodes := s.nodes
		if len(c.Qualifier) > 0 {
			it := a.itemNamed(s, c.Qualifier)
			if it == nil {
				return
			}
			nodes = []node{it}
		}
		if a.inReach(&scope{nodes: nodes}) {
			a.refuse(c.Span, "", "a whole row of a protected table", "name the columns")
			return
		}
		for it := range (&scope{nodes: nodes}).items() {
			a.usePlainly(value{kind: valueWhole, item: it}, c.Span)
		}
		return
	}
	v := a.lookup(c, s)
	if v.kind == valuePlain {
		switch {
		case s == nil: // DDL: see definedColumn
		case !a.inReach(s):
			a.strays = append(a.strays, stray{c, s})
		case a.absent(c, s):
			a.refuseAbsent(c.Span, "")
			return
		}
		a.doubtful(c, s)
	}
	a.useValue(v, c.Span, u)
}

// useValue refuses a use of a protected value or of a whole protected row.
func (a *analysis) useValue(v value, at Span, u use) {
	switch {
	case v.kind == valueWhole && v.item.sensitive():
		a.refuse(at, v.item.name, "a whole row of a protected table", "name the columns")
	case v.protected():
		a.refuse(at, v.column.object(), u.what, u.hintFor(v.column))
	case v.term != nil && !a.view:
		a.refuse(at, v.term.object(), "an equality term is used otherwise than in a comparison", hintTerm)
	default:
		a.usePlainly(v, at)
	}
}

// forbid refuses a protected value where rows are sorted, grouped or joined.
func (a *analysis) forbid(v value, at Span, what string) {
	a.useValue(v, at, use{what, hintCompare})
}

// checkCall checks a function's arguments; count(column) is harmless.
func (a *analysis) checkCall(c *Call, s *scope) {
	a.checkRunsSQL(c.Name, c.Args, c.Span)
	a.partition(c, s)
	for _, e := range c.Rest {
		a.checkUse(e, s, use{"a clause of a function over a protected column", hintCompute})
	}
	if a.counted(c, s) {
		return
	}
	if strings.EqualFold(c.Name, "count") && !c.Distinct && len(c.Args) == 1 {
		switch arg := c.Args[0].(type) {
		case *ColumnRef:
			if !arg.Star {
				a.lookup(arg, s)
			}
			return
		}
	}
	what := "a function of a protected column"
	if aggregateNames[strings.ToLower(c.Name)] {
		what = "an aggregate over a protected column"
	}
	hint := hintCompute
	if h, ok := functionHints[strings.ToLower(c.Name)]; ok {
		hint = h
	}
	for _, e := range c.Args {
		a.checkUse(e, s, use{what, hint})
	}
}

// checkRunsSQL refuses a function that runs a SQL text given as a literal
// which names a protected table.
func (a *analysis) checkRunsSQL(name string, args []Expr, at Span) {
	if !a.d.RunsSQL(name) {
		return
	}
	for _, e := range args {
		walk(e, func(x Expr) bool {
			if c, ok := x.(*Constant); ok && a.reach.names.in(c.Value.Text) {
				a.touched = true
				a.refuse(at, "", "a function that runs a SQL text which names a protected table", "run that statement itself")
			}
			return true
		})
	}
}

// field resolves (x).name.
func (a *analysis) field(f *Field, s *scope) value {
	if c, ok := f.Expr.(*ColumnRef); ok && !c.Star {
		v := a.lookup(c, s)
		if v.kind == valueWhole {
			if f.Star {
				return v
			}
			return a.member(v.item, f.Name, f.Span)
		}
	}
	a.checkUse(f.Expr, s, use{"a field of a protected value", hintCompute})
	return value{}
}

// sub analyses a sub-select and returns the lineage of a scalar one.
func (a *analysis) sub(x *Sub, s *scope) value {
	a.nested++
	defer func() { a.nested-- }()
	if a.inQuery(x, s) {
		return value{}
	}
	if body, ok := x.Query.Body.(*Select); ok && x.Kind == SubExists {
		if a.anyStar == nil {
			a.anyStar = map[*Select]bool{}
		}
		a.anyStar[body] = true
	}
	if x.Test != nil {
		a.check(x.Test, s, "a comparison of a protected column with a sub-select")
	}
	out := a.query(x.Query, s)
	if x.Kind == SubExists {
		return value{}
	}
	list, known := out.columns()
	if x.Kind == SubScalar && len(list) == 1 && known {
		v := list[0].value
		if v.protected() {
			return value{kind: valueLoose, table: v.table, name: v.name, column: v.column}
		}
		a.usePlainly(v, x.Span)
		return value{}
	}
	what := "a sub-select that hands a protected column to a comparison"
	if x.Kind == SubArray {
		what = "an array of protected values"
	}
	a.noProtected(out, x.Span, what, hintCompare)
	return value{}
}

// trace returns the lineage of an expression in a select list, and checks it.
// The constants of a list share a row: owner keeps it.
func (a *analysis) trace(e Expr, s *scope, owner *selectOutput) value {
	if leaf(e) {
		if isNull(e) {
			return value{kind: valueNull, nulls: []Expr{e}}
		}
		return value{kind: valueGiven, row: owner.constants(), cells: []Expr{e}}
	}
	switch e := e.(type) {
	case *ColumnRef:
		return a.noWhole(a.lookup(e, s), e.Span)
	case *Field:
		return a.noWhole(a.field(e, s), e.Span)
	case *Sub:
		return a.sub(e, s)
	case *Case:
		return a.traceCase(e, s, owner)
	case *Call:
		if c, ok := orNull(e); ok {
			return a.trace(c, s, owner)
		}
		if each := a.unnested(e); each != nil {
			return value{kind: valueGiven, row: owner.constants(), cells: []Expr{each}}
		}
	}
	if v, ok := a.tracePart(e, s); ok {
		return v
	}
	a.check(e, s, "an expression over a protected column")
	return value{}
}

// orNull returns the column of COALESCE(column, NULL).
func orNull(e *Call) (*ColumnRef, bool) {
	var column *ColumnRef
	for _, arg := range coalesced(e) {
		c, ok := arg.(*ColumnRef)
		switch {
		case isNull(arg):
		case !ok || c.Star || column != nil:
			return nil, false
		default:
			column = c
		}
	}
	return column, column != nil
}

func (a *analysis) noWhole(v value, at Span) value {
	if v.kind != valueWhole {
		return v
	}
	a.useValue(v, at, use{})
	return value{}
}

// traceCase lets a CASE through whose branches are one column or NULL.
func (a *analysis) traceCase(e *Case, s *scope, owner *selectOutput) value {
	var same value
	for _, r := range caseResults(e, nil) {
		v := a.traced(r, s)
		if !v.protected() || same.protected() && (same.row != v.row || same.column != v.column) {
			same = value{}
			break
		}
		same = v
	}
	if !same.protected() || same.kind != valueStored {
		a.check(e, s, "CASE over a protected column")
		return value{}
	}
	a.checkConditions(e, s)
	return same
}

// caseResults lists what CASE may return other than NULL, through CASEs in it.
func caseResults(e Expr, into []Expr) []Expr {
	c, ok := e.(*Case)
	if !ok {
		if e == nil || isNull(e) {
			return into
		}
		return append(into, e)
	}
	for _, w := range c.Whens {
		into = caseResults(w.Result, into)
	}
	return caseResults(c.Else, into)
}

// checkConditions checks what CASE compares, through CASEs in it.
func (a *analysis) checkConditions(e Expr, s *scope) {
	c, ok := e.(*Case)
	if !ok {
		return
	}
	a.caseParts(c, s, use{"CASE over a protected column", hintCompare}, func(result Expr) { a.checkConditions(result, s) })
}

// checkNames checks expressions that may name only columns of an output.
func (a *analysis) checkNames(e Expr, out output, what string) {
	if out == nil {
		return
	}
	list, _ := out.columns()
	walk(e, func(x Expr) bool {
		if c, ok := x.(*ColumnRef); ok {
			for _, o := range list {
				if a.d.SameColumn(o.name, c.Name) {
					a.forbid(o.value, c.Span, what+" over a protected column")
				}
			}
		}
		return true
	})
}

// usePlainly notes that given values are used where they are not sealed.
func (a *analysis) usePlainly(v value, at Span) {
	if v.kind == valueWhole {
		for _, c := range v.item.known() {
			a.usePlainly(c.value, at)
		}
	}
	if v.kind != valueGiven {
		return
	}
	for _, e := range v.cells {
		a.plain = append(a.plain, plainUse{cell: e.At(), at: at})
	}
}
