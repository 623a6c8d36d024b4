package mysql

import (
	"github.com/sqlc-dev/marino/ast"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// insert translates INSERT and REPLACE, which start at token start.
func (p *translator) insert(n *ast.InsertStmt, start, end int) *sqlplan.Insert {
	src, ok := n.Table.TableRefs.Left.(*ast.TableSource)
	if !ok {
		fail("INSERT into something that is no table")
	}
	table, ok := src.Source.(*ast.TableName)
	if !ok {
		fail("INSERT into something that is no table")
	}
	ins := &sqlplan.Insert{
		Span:         p.span(start, end),
		Replace:      n.IsReplace,
		Ignore:       n.IgnoreErr,
		Target:       p.tableRef(table, ""),
		InsertSource: sqlplan.InsertSource{SetForm: n.Setlist},
	}
	i := p.aliasEnd(p.nameEnd(p.first(table)), "")
	ins.TargetEnd = p.endOf(i)
	if p.op(i, "(") && n.Columns != nil && !n.Setlist {
		i = p.insertColumns(ins, n.Columns, i)
	}
	ins.SourceStart = p.tokens[i].start
	switch {
	case n.Setlist:
		p.insertSet(ins, n, i)
	case n.Select != nil:
		ins.Query = p.query(n.Select)
	default:
		p.insertRows(ins, n.Lists, i)
	}
	p.rowAlias(ins, n)
	if n.OnDuplicate != nil {
		at := p.duplicateKey(end)
		ins.Conflict = &sqlplan.Conflict{
			Span: p.span(at, at+1),
			Kind: sqlplan.ConflictDuplicateKeyUpdate,
			Set:  p.assignments(n.OnDuplicate, at+4, p.beforeReturning(end)),
		}
	}
	ins.Returning = p.returning(end)
	return ins
}

// duplicateKey returns the index of ON in ON DUPLICATE KEY UPDATE. A query
// before it may have an ON of its own, so it is looked for from the back.
func (p *translator) duplicateKey(end int) int {
	for i := end - 4; i >= p.unit.start; i-- {
		if p.word(i, "ON") && p.word(i+1, "DUPLICATE") && p.word(i+2, "KEY") && p.word(i+3, "UPDATE") {
			return i
		}
	}
	fail("ON DUPLICATE KEY UPDATE is not where the parser saw it")
	return 0
}

// insertColumns translates the column list that the parenthesis i opens and
// returns the index after it.
func (p *translator) insertColumns(ins *sqlplan.Insert, list []*ast.ColumnName, i int) int {
	end := p.tokens[i].mate
	ins.Columns = make([]sqlplan.InsertColumn, 0, len(list))
	at := i + 1
	for _, c := range list {
		p.read[c] = true
		next := p.nameEnd(at)
		ins.Columns = append(ins.Columns, sqlplan.InsertColumn{Span: p.span(at, next), Name: c.Name.O, Plain: p.names(next-1, c.Name.O)})
		at = next + 1
	}
	if len(list) > 0 && at-1 != end {
		fail("a column list is not where the parser saw it")
	}
	ins.ColumnsEnd = p.tokens[end].start
	return end + 1
}

// names reports whether token i spells the name.
func (p *translator) names(i int, name string) bool {
	k := p.tokens[i].kind
	if k != kindWord && k != kindQuoted || p.tokens[i].text != name {
		fail("a name is not where the parser saw it")
	}
	return true
}

// insertRows translates VALUES (…), (…) at token i.
func (p *translator) insertRows(ins *sqlplan.Insert, lists [][]ast.ExprNode, i int) {
	if p.anyWord(i, "VALUES", "VALUE") == "" {
		fail("VALUES is not where the parser saw it")
	}
	start := i
	empty := true
	for n, list := range lists {
		i++
		if !p.op(i, "(") || n > 0 && !p.op(i-1, ",") {
			fail("a row is not where the parser saw it")
		}
		close := p.tokens[i].mate
		row := sqlplan.ValuesRow{Span: p.span(i, close+1), Values: p.exprs(list), End: p.tokens[close].start}
		if len(row.Values) != len(list) {
			fail("a value without a place")
		}
		if sqlplan.Computes(row.Values) {
			row.Cells = p.cells(i, close, len(list))
		}
		empty = empty && len(list) == 0
		ins.Rows = append(ins.Rows, row)
		i = close + 1
	}
	if empty && len(lists) == 1 && len(ins.Columns) == 0 {
		from := start
		if ins.Columns != nil {
			from -= 2 // ()
		}
		ins.DefaultValues, ins.DefaultValuesSpan = true, p.span(from, i)
		ins.SourceStart = ins.DefaultValuesSpan.Start
		ins.Columns, ins.Rows = nil, nil
	}
}

// cells are the spans of the n values between the parentheses open and close.
func (p *translator) cells(open, close, n int) []sqlplan.Span {
	list := make([]sqlplan.Span, 0, n)
	for i := open + 1; i < close; i++ {
		stop := p.seek(i, close, func(k int) bool { return p.op(k, ",") })
		list = append(list, p.span(i, stop))
		i = stop
	}
	if len(list) != n {
		fail("a row is not as long as the parser saw it")
	}
	return list
}

// insertSet translates SET a = 1, b = 2 at token i.
func (p *translator) insertSet(ins *sqlplan.Insert, n *ast.InsertStmt, i int) {
	if !p.word(i, "SET") {
		fail("SET is not where the parser saw it")
	}
	list := make([]*ast.Assignment, len(n.Columns))
	for k := range n.Columns {
		list[k] = &ast.Assignment{Column: n.Columns[k], Expr: n.Lists[0][k]}
	}
	row := sqlplan.ValuesRow{Span: p.span(i, i+1)}
	for _, a := range p.assignments(list, i+1, p.beforeReturning(p.unit.end)) {
		target := a.Columns[0]
		ins.Columns = append(ins.Columns, sqlplan.InsertColumn{Span: target.Span, Name: target.Name, Plain: true})
		row.Values = append(row.Values, a.Value)
		equals := p.from(target.End)
		row.Cells = append(row.Cells, sqlplan.Span{Start: p.tokens[equals+1].start, End: a.Last})
		row.End = a.Last
	}
	row.Span.End = row.End
	ins.Rows = []sqlplan.ValuesRow{row}
}

// rowAlias translates VALUES (…) AS new(a, b).
func (p *translator) rowAlias(ins *sqlplan.Insert, n *ast.InsertStmt) {
	if n.RowAlias == nil {
		return
	}
	ins.RowAlias = n.RowAlias.O
	for _, c := range n.ColumnAliases {
		ins.RowColumns = append(ins.RowColumns, c.O)
	}
	if len(ins.RowColumns) == 0 || len(ins.Rows) == 0 {
		return
	}
	// VALUES (…) AS new (a, b), or SET … AS new (a, b)
	i := p.from(ins.Rows[len(ins.Rows)-1].Span.End)
	if !p.word(i, "AS") || !p.op(i+2, "(") {
		fail("a row alias is not where the parser saw it")
	}
	ins.RowColumnsEnd = p.tokens[p.tokens[i+2].mate].start
}

// afterAssignments are the reserved words that can follow a list of assignments.
var afterAssignments = []string{"WHERE", "ORDER", "LIMIT", "ON", "AS"}

// assignments translates a list of assignments that starts at token i.
func (p *translator) assignments(list []*ast.Assignment, i, end int) []sqlplan.Assignment {
	out := make([]sqlplan.Assignment, len(list))
	for n, a := range list {
		eq := p.nameEnd(i)
		if !p.op(eq, "=") && !p.op(eq, ":=") {
			fail("an assignment is not where the parser saw it")
		}
		p.read[a.Column] = true
		p.names(eq-1, a.Column.Name.O)
		stop := p.seek(eq+1, end, func(k int) bool {
			return p.op(k, ",") || p.op(k, ")") || p.op(k, ";") || p.anyWord(k, afterAssignments...) != ""
		})
		if p.op(stop, ",") != (n < len(list)-1) && stop < end {
			fail("a list of assignments is not as long as the parser saw it")
		}
		value := p.expr(a.Expr)
		if value == nil || value.At().Start < p.tokens[eq+1].start || value.At().End > p.endOf(stop) {
			fail("an assigned value is not where the parser saw it")
		}
		out[n] = sqlplan.Assignment{
			Span: p.span(i, stop),
			Columns: []sqlplan.AssignTarget{{
				Span: p.span(i, eq), Qualifier: qualifier(a.Column), Name: a.Column.Name.O, Plain: true,
			}},
			Value: value,
			First: p.tokens[i].start,
			Last:  p.endOf(stop),
		}
		i = stop + 1
	}
	return out
}

// beforeReturning returns the end of a statement without its RETURNING.
func (p *translator) beforeReturning(end int) int {
	if p.unit.returning > 0 {
		return p.unit.returning
	}
	return end
}

// returning translates RETURNING, which the parser does not know: its list is
// read as that of a SELECT.
func (p *translator) returning(end int) *sqlplan.Returning {
	i := p.unit.returning
	if i == 0 {
		return nil
	}
	stmts, err := runParser(p.unit.returningText, p.modes)
	if err != nil || len(stmts) != 1 {
		fail("RETURNING cannot be read")
	}
	s, ok := stmts[0].(*ast.SelectStmt)
	if !ok || s.From != nil || s.Where != nil || s.GroupBy != nil || s.OrderBy != nil || s.Limit != nil ||
		s.Distinct || s.SelectIntoOpt != nil || s.LockInfo != nil || s.Having != nil || p.tokenAt(s.Fields.Fields[0].Offset) != i+1 {
		fail("RETURNING with more than a list")
	}
	r := &sqlplan.Returning{Span: p.span(i, end)}
	r.Targets, r.TargetsEnd = p.targets(s.Fields.Fields)
	return r
}
