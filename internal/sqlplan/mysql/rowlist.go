package mysql

import (
	"github.com/sqlc-dev/marino/ast"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// This file reads MariaDB's VALUES (…), (…) as a query. The parser knows MySQL's VALUES
// ROW(…), ROW(…) only. It is given SELECT (…), (…), whose columns are the rows.

// listsRows reports whether the word VALUES at token i begins such a query. It may also be
// that of INSERT, or the function VALUES(column).
func (p *translator) listsRows(u *unit, i int) bool {
	if !p.op(i+1, "(") || i > u.start && !p.op(i-1, "(") && p.anyWord(i-1, "UNION", "ALL", "DISTINCT", "EXCEPT", "INTERSECT") == "" {
		return false
	}
	for k := i; k > u.start; k-- {
		if p.word(k, "DUPLICATE") {
			return false
		}
	}
	k := p.tokens[i+1].mate + 1
	for p.op(k, ",") && p.op(k+1, "(") {
		k = p.tokens[k+1].mate + 1
	}
	return k == u.end || p.op(k, ")") || p.op(k, ";") || p.anyWord(k, "UNION", "EXCEPT", "INTERSECT", "ORDER", "LIMIT") != ""
}

// adaptRowList has the parser read the query as a SELECT.
func (p *translator) adaptRowList(i int) {
	p.shadow.put(i, "SELECT")
	if p.values == nil {
		p.values = map[int]bool{}
	}
	p.values[i] = true
}

// listed reports whether the parser's SELECT is such a query.
func (p *translator) listed(n *ast.SelectStmt) bool {
	if len(p.values) == 0 || n.Fields == nil || len(n.Fields.Fields) == 0 {
		return false
	}
	return p.values[p.tokenAt(n.Fields.Fields[0].Offset)-1]
}

// rowList translates the rows.
func (p *translator) rowList(fields []*ast.SelectField) *sqlplan.Values {
	v := &sqlplan.Values{Unnamed: true}
	for _, f := range fields {
		i := p.tokenAt(f.Offset)
		if !p.op(i, "(") {
			fail("a row is not where the parser saw it")
		}
		var values []ast.ExprNode
		switch e := f.Expr.(type) {
		case *ast.RowExpr:
			values = e.Values
		case *ast.ParenthesesExpr:
			values = []ast.ExprNode{e.Expr}
		default:
			fail("a row that is none")
		}
		end := p.tokens[i].mate
		row := sqlplan.ValuesRow{Span: p.span(i, end+1), Values: p.exprs(values), End: p.tokens[end].start}
		if len(row.Values) != len(values) {
			fail("a value without a place")
		}
		v.Rows = append(v.Rows, row)
	}
	v.Span = v.Rows[0].Span
	return v
}
