package sqlplan

import (
	"slices"
	"strconv"
	"strings"
)

// query analyses a query; parent is the level around it.
func (a *analysis) query(q *Query, parent *scope) output {
	return a.queryOf(q, parent, nil)
}

// queryOf analyses a query that is the body of the CTE def, if any.
func (a *analysis) queryOf(q *Query, parent *scope, def *cteDef) output {
	sc := &scope{parent: parent, ctes: a.with(q.With, parent)}
	var out output
	switch body := q.Body.(type) {
	case *Select:
		return a.selectQuery(q, body, sc)
	case *SetOp:
		out = a.setOperation(body, sc, def)
	case *Values:
		out = a.values(body, sc)
	case *Query:
		out = a.queryOf(body, sc, def)
	default:
		a.refuse(q.Span, "", "a query of an unknown form", "")
		return &fixedOutput{}
	}
	a.order(q.OrderBy, out, sc)
	a.checkAll(q.Limits, sc, "LIMIT")
	return out
}

// maxColumns is the most columns that a query has on any server: MySQL's limit.
const maxColumns = 4096

// selectOutput is what a SELECT or a RETURNING clause returns.
type selectOutput struct {
	a       *analysis
	entries []entry
	end     int  // where a further target goes; negative: nowhere
	first   bool // there is no target yet
	grouped []value
	loose   bool // rows are merged as GROUP BY pleases: see Dialect.StrictGroups
	row     *row // of the constants in the select list
	nodes   []node
	found   []found
	direct  bool // the rows go to the application as they are
	merged  bool // rows are not rows of the nodes: nothing can be shown beside them
	stands  map[*row]*stand
}

// constants is the row that the constants of the select list share.
func (o *selectOutput) constants() *row {
	if o.row == nil {
		o.row = &row{}
	}
	return o.row
}

// entry is a column, or a star over nodes.
type entry struct {
	single  *column
	star    []node
	unknown bool
}

func (o *selectOutput) columns() ([]*column, bool) {
	known := true
	if o.a.err != nil {
		return nil, false // the statement is refused: its columns may be without number
	}
	list := make([]*column, 0, len(o.entries)+4)
	for _, e := range o.entries {
		if e.single != nil {
			list = append(list, e.single)
		}
		for _, n := range e.star {
			more, all := n.columns()
			list = append(list, more...)
			known = known && all
			if len(list) > maxColumns {
				o.a.refuse(n.position(), "", "a star that stands for more columns than a server returns", "list the columns")
				return list, false
			}
		}
		known = known && !e.unknown
	}
	return list, known
}

func (o *selectOutput) expose(r *row, source string, fresh bool) *column {
	if st := o.stands[r]; st != nil {
		return o.exposeStand(st, r, source)
	}
	if o.loose && !o.a.keyIn(r, o.grouped) {
		return nil
	}
	if !fresh {
		list, _ := o.columns()
		for _, c := range list {
			if c.value.kind == valueStored && c.value.row == r && o.a.d.SameColumn(c.value.name, source) {
				return c
			}
		}
	}
	if o.end < 0 {
		return nil
	}
	text := o.a.reachText(r, source)
	if text == "" {
		return nil
	}
	return o.add(o.a.exactText(r.table, source, text), value{kind: valueStored, row: r, table: r.table, name: source})
}

func (o *selectOutput) pad(columnType string) *column {
	if o.end < 0 {
		return nil
	}
	return o.add(o.a.d.TypedNull(columnType), value{kind: valueNull})
}

// add appends a hidden target.
func (o *selectOutput) add(text string, v value) *column {
	c := &column{name: o.a.hiddenName(), value: v, hidden: true}
	sep := ", "
	if o.first {
		sep, o.first = " ", false
	}
	o.a.insertText(o.end, sep+text+" AS "+o.a.d.Quote(c.name))
	o.entries = append(o.entries, entry{single: c})
	return c
}

// exactText is the SQL that reads a table's column, written as text, exactly.
func (a *analysis) exactText(t *Table, name, text string) string {
	before, after := a.d.ExactText(a.columnType(t, name))
	return before + text + after
}

// readsInexactly reports whether the base driver may read another value than the column
// holds.
func (a *analysis) readsInexactly(t *Table, name string) bool {
	before, _ := a.d.ExactText(a.columnType(t, name))
	return before != ""
}

// hiddenName makes a name that does not occur in the text.
func (a *analysis) hiddenName() string {
	const prefix = "sealsql_k"
	if a.hidden == 0 {
		a.prefixed = containsFold(a.text, prefix)
	}
	for {
		a.hidden++
		name := prefix + strconv.Itoa(a.hidden)
		if !a.prefixed || !containsFold(a.text, name) {
			return name
		}
	}
}

// keyIn reports whether the values take in the whole row key of the row.
func (a *analysis) keyIn(r *row, values []value) bool {
	if r == nil || r.table == nil || len(r.table.RowKey) == 0 {
		return false
	}
	for _, k := range r.table.RowKey {
		found := false
		for _, v := range values {
			if v.kind == valueStored && v.row == r && (a.d.SameColumn(v.name, k) || v.isKey(a.d, k)) {
				found = true
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// isKey reports whether the value's term stands for it in the row key.
func (v value) isKey(d Dialect, key string) bool {
	return v.protected() && v.column.Term != nil && d.SameColumn(v.column.Term.Column, key)
}

// selectQuery analyses one SELECT with its ORDER BY and LIMIT.
func (a *analysis) selectQuery(q *Query, s *Select, sc *scope) output {
	whole := false
	defer a.assume(sc, &whole, append(innerConditions(s.From), s.Where)...)()
	for _, t := range s.From {
		sc.nodes = append(sc.nodes, a.from(t, sc))
	}
	whole = true
	for _, t := range s.Targets {
		sc.aliases = append(sc.aliases, t.Alias, t.Name)
	}
	a.check(s.Where, sc, "a WHERE clause")
	a.check(s.Having, sc, "a HAVING clause")
	a.checkAll(s.Windows, sc, "a WINDOW clause")
	out := &selectOutput{a: a, end: s.TargetsEnd, first: len(s.Targets) == 0, nodes: sc.nodes, direct: s == a.top && a.nested == 0}
	if s.Table {
		out.end = -1
	}
	a.finds(q, s, out)
	a.targets(out, s.Targets, sc, out.direct || a.anyStar[s], a.termLists[s])
	a.group(s, out, sc)
	if s.Having != nil {
		seen := sc
		if !a.d.StrictGroups() {
			seen = out.groupScope(sc) // HAVING sees the select list first
		}
		a.byAlias(s.Having, out, seen, "HAVING on a protected column")
	}
	a.distinct(s, out, sc)
	a.order(q.OrderBy, out, sc)
	a.groupedNulls(q.OrderBy, out, sc)
	a.checkAll(q.Limits, sc, "LIMIT")
	if s.Into {
		a.into(s, out)
	}
	return out
}

// targets traces the entries of a select list. A shown one is the text's own: the
// driver strips what it must not show. Where leads are given, searchable columns
// are returned as their terms.
func (a *analysis) targets(out *selectOutput, targets []Target, sc *scope, shown bool, leads []*searching) {
	for j, t := range targets {
		if e, ok := a.starTarget(t, sc); ok {
			if shown || a.view || !showsTerm(e.star) {
				out.entries = append(out.entries, e)
				continue
			}
			list, _ := a.expandStar(t.Expr.At(), e.star)
			if out.end < 0 {
				a.refuse(t.Span, "", "TABLE, within a larger statement, of a table with equality terms", "write SELECT and list the columns")
			}
			out.entries = append(out.entries, list...)
			continue
		}
		c, edits := &column{name: t.Alias}, len(a.edits)
		var isTerm bool
		if j < len(leads) {
			c.value, isTerm = a.termTarget(t.Expr, sc, leads[j])
		}
		if !isTerm && !a.shownByDriver(out, c, t, sc) && !a.castToItself(c, t, sc) {
			c.value = a.trace(t.Expr, sc, out)
		}
		if c.name == "" {
			c.name = targetName(t)
		}
		if len(a.edits) > edits {
			c.shown = a.keepName(t)
		}
		out.entries = append(out.entries, entry{single: c})
	}
}

// shownByDriver plans an expression that the driver computes of the opened value. It
// reports false for every other expression.
func (a *analysis) shownByDriver(out *selectOutput, c *column, t Target, sc *scope) bool {
	return out.direct && (a.orElse(c, t, sc) || a.measured(c, t, sc))
}

// maxAlias is the longest alias that every server takes, in bytes.
const maxAlias = 200

// keepName gives a column whose expression was changed the name that it had, and returns
// it. The server is told none of its values, and go-sql-driver may show a name of its own:
// with columnsWithAlias, where the expression has become a column of a table.
func (a *analysis) keepName(t Target) (shown string) {
	if t.Alias != "" || t.Span.End-t.Span.Start > maxAlias {
		return ""
	}
	if _, named := t.Expr.(*ColumnRef); named || leaf(t.Expr) {
		return ""
	}
	text := a.text[t.Span.Start:t.Span.End]
	name, ok := a.d.NameByText(text)
	if !ok {
		return ""
	}
	a.insertText(t.Span.End, " AS "+a.d.Quote(name))
	return text
}

// starTarget returns what a star of a select list stands for.
func (a *analysis) starTarget(t Target, sc *scope) (entry, bool) {
	switch e := t.Expr.(type) {
	case *ColumnRef:
		if e.Star {
			return a.star(e, sc), true
		}
	case *Field:
		if e.Star {
			return a.fieldStar(e, sc), true
		}
	}
	return entry{}, false
}

func targetName(t Target) string {
	switch e := t.Expr.(type) {
	case *ColumnRef:
		return e.Name
	case *Field:
		return e.Name
	}
	return t.Name
}

// star expands * and t.*.
func (a *analysis) star(c *ColumnRef, sc *scope) entry {
	if len(c.Qualifier) == 0 {
		return entry{star: sc.nodes}
	}
	it := a.itemNamed(sc, c.Qualifier)
	if it == nil {
		if a.unresolved == nil {
			a.unresolved = c
		}
		return entry{unknown: true}
	}
	return entry{star: []node{it}}
}

// fieldStar expands (x).*.
func (a *analysis) fieldStar(f *Field, sc *scope) entry {
	if c, ok := f.Expr.(*ColumnRef); ok && !c.Star {
		if v := a.lookup(c, sc); v.kind == valueWhole {
			return entry{star: []node{v.item}}
		}
	}
	a.check(f.Expr, sc, "a composite value")
	return entry{unknown: true}
}

// group checks GROUP BY.
func (a *analysis) group(s *Select, out *selectOutput, sc *scope) {
	for _, e := range s.GroupBy {
		v, ok := a.groupTerm(e, s, out, sc)
		if !ok {
			v, ok = a.groupShown(e, s, out, sc)
		}
		if ok {
			out.grouped = append(out.grouped, v)
			a.havingNull(s.Having, e, sc)
			continue
		}
		if v, ok := a.orderTarget(e, out, sc, true); ok {
			a.refuseGroup(e, v)
			a.forbid(v, e.At(), "GROUP BY on a protected column")
			out.grouped = append(out.grouped, v)
			continue
		}
		if c, ok := e.(*ColumnRef); ok && !c.Star {
			v := a.lookup(c, sc)
			out.grouped = append(out.grouped, v)
			a.refuseGroup(e, v)
		}
		a.check(e, sc, "GROUP BY on a protected column")
		a.byAlias(e, out, nil, "GROUP BY on a protected column")
	}
	out.loose = !a.d.StrictGroups() && (len(s.GroupBy) > 0 || s.aggregates())
	if !out.loose {
		a.regroup(s, out, sc)
		return
	}
	if len(s.Regrouped) > 0 {
		out.grouped = nil // a total's row shows NULL for the key, and values of any row
	}
	list, _ := out.columns()
	for _, c := range list {
		if c.value.protected() && !a.keyIn(c.value.row, out.grouped) && !out.groupsBy(c.value) {
			c.value.kind = valueLoose
		}
	}
}

// regroup finds the protected values that are bound to a column which grouping
// sets make NULL in some rows. The server sees to it that the values are their row's own.
func (a *analysis) regroup(s *Select, out *selectOutput, sc *scope) {
	var nulled []value
	for _, e := range s.Regrouped {
		walk(e, func(x Expr) bool {
			if v, ok := a.orderTarget(x, out, sc, true); ok {
				nulled = append(nulled, v)
			} else if c, ok := x.(*ColumnRef); ok && !c.Star {
				nulled = append(nulled, a.lookup(c, sc))
			}
			return true
		})
	}
	shows := func(list []value, r *row, source string) bool {
		return slices.ContainsFunc(list, func(v value) bool {
			return v.kind == valueStored && v.row == r && a.d.SameColumn(v.name, source)
		})
	}
	list, _ := out.columns()
	for _, c := range list {
		if len(nulled) == 0 || c.value.kind != valueStored || !c.value.protected() {
			continue
		}
		for _, i := range c.value.column.Reads() {
			source := c.value.table.Sources[i]
			if shows(nulled, c.value.row, source) && !shows(out.grouped, c.value.row, source) {
				c.value.kind = valueLoose
			}
		}
	}
}

// aggregates reports whether the select list or HAVING has an aggregate.
func (s *Select) aggregates() bool {
	found := false
	exprs := []Expr{s.Having}
	for _, t := range s.Targets {
		exprs = append(exprs, t.Expr)
	}
	for _, e := range exprs {
		walk(e, func(e Expr) bool {
			if c, ok := e.(*Call); ok && !c.Windowed && (c.Star || aggregateNames[strings.ToLower(c.Name)]) {
				found = true
			}
			_, sub := e.(*Sub)
			return !sub
		})
	}
	return found
}

var aggregateNames = map[string]bool{"count": true, "sum": true, "min": true, "max": true, "avg": true,
	"group_concat": true, "json_arrayagg": true, "json_objectagg": true, "any_value": true, "bit_and": true,
	"bit_or": true, "bit_xor": true, "std": true, "stddev": true, "stddev_pop": true, "stddev_samp": true,
	"variance": true, "var_pop": true, "var_samp": true, "st_collect": true}

const distinctRows = "DISTINCT over a protected column"

// distinct checks DISTINCT: rows that have the row key in the list stay as
// distinct as the plaintext rows would be; others cannot be compared.
func (a *analysis) distinct(s *Select, out *selectOutput, sc *scope) {
	for _, e := range s.DistinctOn {
		if v, ok := a.orderTarget(e, out, sc, false); ok {
			a.forbid(v, e.At(), "DISTINCT ON a protected column")
			continue
		}
		a.check(e, sc, "DISTINCT ON a protected column")
	}
	if s.Distinct && len(s.DistinctOn) == 0 {
		a.standDistinct(s, out, sc)
		a.comparable(out, s.Span, distinctRows)
	}
}

// comparable refuses an output whose rows are compared with one another,
// unless each protected value stands beside its row key.
func (a *analysis) comparable(out output, at Span, what string) {
	list, _ := out.columns()
	var values []value
	for _, c := range list {
		values = append(values, c.value)
	}
	o, _ := out.(*selectOutput)
	for _, v := range values {
		switch {
		case v.kind == valueGiven:
			a.usePlainly(v, at)
		case o != nil && o.groupsBy(v):
		case v.kind == valueLoose, v.protected() && !a.keyIn(v.row, values):
			hint := "add the row key to the select list"
			if v.column.Term != nil && what == distinctRows {
				hint += ", or show the column by its name alone, in a plain SELECT from its table"
			}
			a.refuse(at, v.column.object(), what, hint)
		}
	}
}

// order checks ORDER BY.
func (a *analysis) order(exprs []Expr, out output, sc *scope) {
	for _, e := range exprs {
		if v, ok := a.orderTarget(e, out, sc, false); ok {
			a.forbid(v, e.At(), orderBy)
			continue
		}
		a.check(e, sc, orderBy)
		a.byAlias(e, out, sc, orderBy)
	}
}

// byAlias refuses an expression that names a column of the select list which
// shows a protected value: some servers look there first. A name that means the same
// column in the scope, if one is given, was checked there.
func (a *analysis) byAlias(e Expr, out output, sc *scope, what string) {
	list, _ := out.columns()
	walk(e, func(x Expr) bool {
		if _, ok := x.(*IsNull); ok {
			return false
		}
		if c, ok := x.(*ColumnRef); ok && !c.Star && len(c.Qualifier) == 0 {
			for _, o := range list {
				if o.value.protected() && a.d.SameColumn(o.name, c.Name) && !a.refersTo(c, sc, o.value) {
					a.forbid(o.value, c.Span, what)
				}
			}
		}
		return true
	})
}

// refersTo reports whether a reference is to a protected value in the scope, if one is given.
func (a *analysis) refersTo(c *ColumnRef, sc *scope, v value) bool {
	if sc == nil {
		return false
	}
	found := a.lookup(c, sc)
	return found.kind == valueStored && found.row == v.row && found.column == v.column
}

// orderTarget resolves an ordinal or a bare output name. With inputFirst, a
// name that is a column of FROM is not taken for an output name.
func (a *analysis) orderTarget(e Expr, out output, sc *scope, inputFirst bool) (value, bool) {
	switch e := e.(type) {
	case *Constant:
		n, err := strconv.Atoi(e.Value.Text)
		if e.Value.Kind != LiteralInteger || err != nil {
			return value{}, false
		}
		list, known := out.columns()
		if !known && (a.inReach(sc) || anyProtected(list)) {
			a.refuse(e.Span, "", "an ordinal next to a star over a table whose columns are not known", "name the column")
		}
		if n < 1 || n > len(list) {
			return value{}, true
		}
		for _, c := range list[:n] {
			if c.term() {
				a.refuse(e.Span, c.value.term.object(), "an ordinal that counts the columns of a star with equality terms", "name the column")
			}
		}
		return list[n-1].value, true
	case *ColumnRef:
		if e.Star || len(e.Qualifier) > 0 || inputFirst && len(sc.find(e.Name)) > 0 {
			return value{}, false
		}
		list, _ := out.columns()
		for _, c := range list {
			if a.d.SameColumn(c.name, e.Name) {
				return c.value, true
			}
		}
	}
	return value{}, false
}

func anyProtected(list []*column) bool {
	for _, c := range list {
		if c.value.protected() {
			return true
		}
	}
	return false
}

// into refuses to store a protected value elsewhere.
func (a *analysis) into(s *Select, out output) {
	a.writes = true
	if s.IntoName != nil {
		if kind, t := a.relation(s.IntoName); kind != relationPlain {
			a.refuse(s.Span, t.Name, "SELECT INTO a protected table", "create the table first and INSERT")
		}
	}
	a.noProtected(out, s.Span, "SELECT INTO stores a protected value out of its row", "select other columns")
}

// noProtected refuses an output that shows a protected value.
func (a *analysis) noProtected(out output, at Span, what, hint string) {
	if out == nil {
		return
	}
	list, known := out.columns()
	for _, c := range list {
		if c.value.protected() {
			a.refuse(at, c.value.column.object(), what, hint)
		}
		a.usePlainly(c.value, at)
	}
	if !known && a.touched {
		a.refuse(at, "", "a star over a table whose columns are not known", "list the columns")
	}
}
