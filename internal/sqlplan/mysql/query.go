package mysql

import (
	"fmt"

	"github.com/sqlc-dev/marino/ast"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// afterTargets are the reserved words that can follow a select list.
var afterTargets = []string{"FROM", "INTO", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "FETCH", "FOR", "LOCK",
	"WINDOW", "UNION", "EXCEPT", "INTERSECT", "ON", "PROCEDURE"}

// query translates a query in any form.
func (p *translator) query(n ast.Node) *sqlplan.Query {
	p.read[n] = true
	switch n := n.(type) {
	case *ast.SelectStmt:
		return p.selectQuery(n)
	case *ast.SetOprStmt:
		q := p.setOperation(n.SelectList.Selects)
		q.With, q.Parens = p.with(n.With), q.Parens || n.IsInBraces
		q.OrderBy, q.Limits = p.orderBy(n.OrderBy), p.limits(n.Limit)
		return q
	case *ast.SetOprSelectList:
		if s, ok := n.Selects[0].(*ast.SelectStmt); ok && len(n.Selects) == 1 && s.With == n.With && n.OrderBy == nil && n.Limit == nil {
			q := p.selectQuery(s) // the parser lists the inner WITH at both nodes
			q.Parens = true
			return q
		}
		q := p.setOperation(n.Selects)
		q.With, q.Parens = p.with(n.With), true
		if len(q.OrderBy) == 0 && len(q.Limits) == 0 {
			q.OrderBy, q.Limits = p.orderBy(n.OrderBy), p.limits(n.Limit)
			return q
		}
		return &sqlplan.Query{Span: q.Span, Body: q, OrderBy: p.orderBy(n.OrderBy), Limits: p.limits(n.Limit), Parens: true}
	}
	fail("a query of an unknown kind")
	return nil
}

// setOperation translates a flat list of queries, each with the operator that
// stands before it. INTERSECT binds tighter than the others.
func (p *translator) setOperation(list []ast.Node) *sqlplan.Query {
	if len(list) == 0 {
		fail("a set operation without queries")
	}
	if len(list) == 1 {
		inner := p.query(list[0])
		return &sqlplan.Query{Span: inner.Span, Body: inner}
	}
	operands := []*sqlplan.Query{p.query(list[0])}
	var pending []sqlplan.SetOp // between operands, lowest precedence
	for _, n := range list[1:] {
		kind, all := operator(n)
		q := p.query(n)
		if kind == sqlplan.SetIntersect {
			last := operands[len(operands)-1]
			operands[len(operands)-1] = combine(sqlplan.SetOp{Kind: kind, All: all}, last, q)
			continue
		}
		pending = append(pending, sqlplan.SetOp{Kind: kind, All: all})
		operands = append(operands, q)
	}
	result := operands[0]
	for i, op := range pending {
		result = combine(op, result, operands[i+1])
	}
	return result
}

func combine(op sqlplan.SetOp, left, right *sqlplan.Query) *sqlplan.Query {
	op.Span, op.Left, op.Right = left.Span, left, right
	return &sqlplan.Query{Span: left.Span, Body: &op}
}

// operator returns the set operator before a query.
func operator(n ast.Node) (kind sqlplan.SetOpKind, all bool) {
	var op *ast.SetOprType
	switch n := n.(type) {
	case *ast.SelectStmt:
		op = n.AfterSetOperator
	case *ast.SetOprSelectList:
		op = n.AfterSetOperator
	}
	if op == nil {
		fail("a set operation without its operator")
	}
	switch *op {
	case ast.Union, ast.UnionAll:
		return sqlplan.SetUnion, *op == ast.UnionAll
	case ast.Intersect, ast.IntersectAll:
		return sqlplan.SetIntersect, *op == ast.IntersectAll
	case ast.Except, ast.ExceptAll:
		return sqlplan.SetExcept, *op == ast.ExceptAll
	}
	fail("an unknown set operator")
	return 0, false
}

// selectQuery translates one SELECT, TABLE or VALUES.
func (p *translator) selectQuery(n *ast.SelectStmt) *sqlplan.Query {
	q := &sqlplan.Query{
		With:    p.with(n.With),
		Limits:  p.limits(n.Limit),
		Limited: n.Limit != nil,
		Locking: n.LockInfo != nil,
		Parens:  n.IsInBraces,
	}
	p.pages(q)
	p.read[n] = true
	p.locks(n)
	switch {
	case p.listed(n):
		q.Body = p.rowList(n.Fields.Fields)
	case n.Kind == ast.SelectStmtKindValues:
		v := &sqlplan.Values{}
		for _, row := range n.Lists {
			v.Rows = append(v.Rows, p.constructorRow(row))
		}
		v.Span = v.Rows[0].Span
		q.Body = v
	default:
		q.Body = p.selectBody(n)
	}
	q.OrderBy = p.orderBy(n.OrderBy)
	q.Span = q.Body.At()
	if n.SelectIntoOpt != nil {
		s, ok := q.Body.(*sqlplan.Select)
		if !ok {
			fail("INTO after VALUES")
		}
		s.Into = true
	}
	return q
}

// locks passes over FOR UPDATE OF: the names are those of FROM.
func (p *translator) locks(n *ast.SelectStmt) {
	for _, l := range append(n.MoreLockInfos[:len(n.MoreLockInfos):len(n.MoreLockInfos)], n.LockInfo) {
		if l == nil {
			continue
		}
		for _, t := range l.Tables {
			p.read[t] = true
		}
	}
}

// constructorRow translates one ROW(…) of VALUES.
func (p *translator) constructorRow(n *ast.RowExpr) sqlplan.ValuesRow {
	values := p.exprs(n.Values)
	row := sqlplan.ValuesRow{Span: p.span(p.unit.start, p.unit.start+1), Values: values}
	if len(values) != len(n.Values) {
		fail("a value without a place")
	}
	if len(values) == 0 {
		return row
	}
	i := p.tokenAt(values[0].At().Start)
	if i < 2 || !p.op(i-1, "(") {
		fail("ROW is not where the parser saw it")
	}
	end := p.tokens[i-1].mate
	row.Span, row.End = p.span(i-1, end+1), p.tokens[end].start
	return row
}

// selectBody translates SELECT and TABLE.
func (p *translator) selectBody(n *ast.SelectStmt) *sqlplan.Select {
	s := &sqlplan.Select{
		Span:     p.span(p.unit.start, p.unit.start+1),
		Distinct: n.Distinct,
		Table:    n.Kind == ast.SelectStmtKindTable,
	}
	if s.Table {
		s.TargetsEnd = -1
		s.Targets = []sqlplan.Target{{Span: s.Span, Expr: &sqlplan.ColumnRef{Span: s.Span, Star: true}}}
	} else {
		first := p.tokenAt(n.Fields.Fields[0].Offset)
		start := first
		for start > p.unit.start && !p.word(start, "SELECT") && start != p.unit.returning {
			start--
		}
		s.Span = p.span(start, start+1)
		s.Targets, s.TargetsEnd = p.targets(n.Fields.Fields)
	}
	if n.From != nil {
		s.From = []sqlplan.TableExpr{p.tableExpr(n.From.TableRefs)}
	}
	s.Where = p.expr(n.Where)
	if n.GroupBy != nil {
		s.GroupBy = p.byItems(n.GroupBy.Items)
		if n.GroupBy.Rollup || p.rolledUp(n.GroupBy.Items) {
			s.Regrouped = s.GroupBy
		}
	}
	if n.Having != nil {
		s.Having = p.expr(n.Having.Expr)
	}
	for i := range n.WindowSpecs {
		partition, rest := p.windowSpec(&n.WindowSpecs[i])
		s.Windows = append(append(s.Windows, partition...), rest...)
	}
	return s
}

// targets translates a select list and returns the offset after it.
func (p *translator) targets(fields []*ast.SelectField) ([]sqlplan.Target, int) {
	first := p.tokenAt(fields[0].Offset)
	if first < p.unit.start || first >= p.unit.end {
		fail("a select list lies outside its statement")
	}
	out := make([]sqlplan.Target, len(fields))
	i := first
	for n, f := range fields {
		if p.tokenAt(f.Offset) != i {
			fail("a select list is not where the parser saw it")
		}
		end := p.targetEnd(i)
		out[n] = p.target(f, i, end)
		if n < len(fields)-1 {
			if !p.op(end, ",") {
				fail("a select list is shorter than the parser saw it")
			}
			i = end + 1
			continue
		}
		if p.op(end, ",") {
			fail("a select list is longer than the parser saw it")
		}
		i = end
	}
	return out, p.endOf(i)
}

// targetEnd returns the index after the target at token i.
func (p *translator) targetEnd(i int) int {
	return p.seek(i, p.unit.end, func(i int) bool {
		if p.op(i, ",") || p.op(i, ")") || p.op(i, ";") || i == p.unit.returning && i > 0 {
			return true
		}
		if p.tokens[i].kind != kindWord || p.anyWord(i, afterTargets...) == "" {
			return false
		}
		return !p.word(i, "FROM") || p.anyWord(i+1, "FIRST", "LAST") == "" || !p.word(i+2, "OVER")
	})
}

// target translates one entry of a select list: the tokens [i, end).
func (p *translator) target(f *ast.SelectField, i, end int) sqlplan.Target {
	t := sqlplan.Target{Span: p.span(i, end)}
	if w := f.WildCard; w != nil {
		ref := &sqlplan.ColumnRef{Span: t.Span, Star: true}
		if w.Table.O != "" {
			ref.Qualifier = qualifier(&ast.ColumnName{Schema: w.Schema, Table: w.Table})
		}
		t.Expr = ref
		return t
	}
	t.Expr = p.expr(f.Expr)
	t.Alias = p.alias(f.AsName.O, end-1)
	if t.Expr == nil {
		fail("a target without an expression")
	}
	return t
}

// alias returns an alias that ends at token i. The shadow may have masked it.
func (p *translator) alias(name string, i int) string {
	if p.tokens[i].kind == kindString && (name != "" || p.word(i-1, "AS")) {
		name = unquote(p.src[p.tokens[i].start:p.tokens[i].end], p.modes.noBackslashEscapes)
		if name == "" {
			fail("an empty alias")
		}
	}
	return name
}

// pages finds LIMIT at the end of a query that is a statement. The parser records no places.
func (p *translator) pages(q *sqlplan.Query) {
	end := p.unit.end
	i := p.seekWord(p.unit.start, end, "LIMIT")
	if !q.Limited || q.Locking || i >= end {
		return
	}
	at, offset := []int{i + 1}, -1
	switch {
	case i+4 == end && p.op(i+2, ","):
		at, offset = []int{i + 3}, i+1
	case i+4 == end && p.word(i+2, "OFFSET"):
		offset = i + 3
	case i+2 != end:
		return
	}
	if offset >= 0 {
		at = append(at, offset)
	}
	if len(at) != len(q.Limits) {
		return
	}
	for n, e := range q.Limits {
		if c, ok := e.(*sqlplan.Constant); ok && c.Value.Text == p.src[p.tokens[at[n]].start:p.tokens[at[n]].end] {
			c.Span = p.span(at[n], at[n]+1)
		}
		if e.At() != p.span(at[n], at[n]+1) {
			return
		}
	}
	if q.Pages, q.Count = true, q.Limits[0]; offset >= 0 {
		q.Offset = q.Limits[1]
	}
}

func (p *translator) limits(l *ast.Limit) []sqlplan.Expr {
	if l == nil {
		return nil
	}
	var out []sqlplan.Expr
	for _, n := range []ast.ExprNode{l.Count, l.Offset} {
		switch n := n.(type) {
		case nil:
		case *ast.ValueExprBase:
			p.read[n] = true
			out = append(out, p.unplaced(fmt.Sprint(n.GetValue())))
		default:
			out = append(out, p.expr(n))
		}
	}
	return out
}

// unplaced is a whole number whose place the parser does not record.
func (p *translator) unplaced(digits string) sqlplan.Expr {
	return &sqlplan.Constant{
		Span:  p.span(p.unit.start, p.unit.start+1),
		Value: sqlplan.Literal{Kind: sqlplan.LiteralInteger, Text: digits},
	}
}

func (p *translator) with(w *ast.WithClause) *sqlplan.With {
	if w == nil {
		return nil
	}
	out := &sqlplan.With{Recursive: w.IsRecursive}
	for _, c := range w.CTEs {
		p.read[c.Query] = true
		i := p.first(c.Query) // the parenthesis before the query
		cte := &sqlplan.CTE{Span: p.span(i, i+1), Name: c.Name.O, Body: p.query(c.Query.Query)}
		if len(c.ColNameList) > 0 {
			cte.Columns = names(c.ColNameList)
			if !p.word(i-1, "AS") || !p.op(i-2, ")") {
				fail("a CTE's column list is not where the parser saw it")
			}
			cte.ColumnsEnd = p.tokens[i-2].start
		}
		out.CTEs = append(out.CTEs, cte)
		if len(out.CTEs) == 1 {
			out.Span = p.withStart(i)
		}
		out.Span.End = p.tokens[p.tokens[i].mate].end
	}
	return out
}

// withStart finds the WITH before the CTE whose parenthesis is token i.
func (p *translator) withStart(i int) sqlplan.Span {
	for i--; i >= p.unit.start; i-- {
		if p.word(i, "WITH") {
			return p.span(i, i+1)
		}
	}
	fail("WITH is not where the parser saw it")
	return sqlplan.Span{}
}

func names(list []ast.CIStr) []string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = n.O
	}
	return out
}

// tableExpr translates a table reference.
func (p *translator) tableExpr(n ast.Node) sqlplan.TableExpr {
	switch n := n.(type) {
	case *ast.Join:
		return p.join(n)
	case *ast.TableSource:
		return p.tableSource(n)
	}
	fail("a table reference of an unknown kind")
	return nil
}

func (p *translator) join(n *ast.Join) sqlplan.TableExpr {
	left := p.tableExpr(n.Left)
	if n.Right == nil {
		return left
	}
	j := &sqlplan.Join{Span: left.At(), Kind: sqlplan.JoinInner, Left: left, Right: p.tableExpr(n.Right), Natural: n.NaturalJoin}
	switch n.Tp {
	case ast.LeftJoin:
		j.Kind = sqlplan.JoinLeft
	case ast.RightJoin:
		j.Kind = sqlplan.JoinRight
	}
	for _, c := range n.Using {
		p.read[c] = true
		j.Using = append(j.Using, c.Name.O)
	}
	if n.On != nil {
		j.On = p.expr(n.On.Expr)
	}
	return j
}

func (p *translator) tableSource(n *ast.TableSource) sqlplan.TableExpr {
	switch s := n.Source.(type) {
	case *ast.TableName:
		return p.tableRef(s, n.AsName.O)
	case *ast.SelectStmt, *ast.SetOprStmt:
		d := &sqlplan.Derived{Query: p.query(s), Alias: n.AsName.O, Lateral: n.Lateral}
		d.Span = d.Query.Span
		if len(n.ColumnNames) > 0 {
			d.ColumnAliases = names(n.ColumnNames)
			d.ColumnAliasesEnd = p.aliasListEnd(d.Span.Start, d.Alias)
		}
		return d
	case *ast.JSONTableExpr:
		u := p.unknown(s)
		return &sqlplan.TableFunction{Span: u.Span, Name: "json_table", Args: u.Children, Alias: n.AsName.O,
			Columns: jsonColumns(s.Columns), Lateral: true}
	case *ast.Join:
		return p.join(s)
	}
	fail("a table source of an unknown kind")
	return nil
}

// aliasListEnd returns the offset of the parenthesis that closes the column
// aliases of the derived table whose query starts at the offset.
func (p *translator) aliasListEnd(start int, alias string) int {
	for i := p.enclosing(p.tokenAt(start)); i >= 0; i = p.enclosing(i) {
		after := p.tokens[i].mate + 1
		if p.word(after, "AS") {
			after++
		}
		if sameName(p.tokens[after].text, alias) && p.op(after+1, "(") {
			return p.tokens[p.tokens[after+1].mate].start
		}
	}
	fail("a list of column aliases is not where the parser saw it")
	return 0
}

// enclosing returns the parenthesis around token i, or -1.
func (p *translator) enclosing(i int) int {
	for i--; i >= p.unit.start; i-- {
		if p.op(i, ")") {
			i = p.tokens[i].mate
		} else if p.op(i, "(") {
			return i
		}
	}
	return -1
}

// jsonColumns returns the names of the columns of JSON_TABLE.
func jsonColumns(list []*ast.JSONTableColumn) []string {
	var out []string
	for _, c := range list {
		if c.Nested {
			out = append(out, jsonColumns(c.NestedColumns)...)
			continue
		}
		out = append(out, c.Name.O)
	}
	return out
}

// tableRef translates a table's name. The parser records no offset for the
// name in TABLE name.
func (p *translator) tableRef(n *ast.TableName, alias string) *sqlplan.TableRef {
	p.read[n] = true
	r := &sqlplan.TableRef{Schema: n.Schema.O, Name: n.Name.O, Alias: alias}
	r.Span = p.span(p.unit.start, p.unit.start+1)
	if n.OriginTextPosition() > 0 {
		i := p.first(n)
		end := p.nameEnd(i)
		r.NameSpan = p.span(i, end)
		r.Span = p.span(i, p.aliasEnd(end, alias))
	}
	if n.AsOf != nil || n.TableSample != nil {
		r.Unsupported = "AS OF"
	}
	return r
}

// aliasEnd returns the index after the partitions and the alias that follow a
// table's name.
func (p *translator) aliasEnd(i int, alias string) int {
	if p.word(i, "PARTITION") && p.op(i+1, "(") {
		i = p.tokens[i+1].mate + 1
	}
	if alias == "" {
		return i
	}
	if p.word(i, "AS") {
		i++
	}
	return i + 1
}
