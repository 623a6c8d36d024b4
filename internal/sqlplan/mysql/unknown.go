package mysql

import (
	"fmt"

	"github.com/sqlc-dev/marino/ast"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/treewalk"
)

// unknown lists the columns and queries in a node that this package does not
// know.
func (p *translator) unknown(n ast.Node) *sqlplan.Unknown {
	u := &sqlplan.Unknown{Span: p.near(n), What: fmt.Sprintf("%T", n)[len("*ast."):]}
	treewalk.Walk(n, func(x any) bool {
		e, stop := p.found(x)
		if e != nil {
			u.Children = append(u.Children, e)
		}
		return !stop
	})
	return u
}

// found translates what names a column or stands for a value. It reports
// whether all that is beneath the node is translated with it.
func (p *translator) found(x any) (e sqlplan.Expr, stop bool) {
	if p.read[x] {
		return nil, false
	}
	switch x := x.(type) {
	case *ast.ColumnNameExpr, *ast.SubqueryExpr, *ast.ParamMarkerExprBase:
		return p.expr(x.(ast.ExprNode)), true
	case *ast.ValueExprBase:
		e := p.expr(x)
		return e, e != nil // nil: made up by the parser
	case *ast.ColumnName:
		return p.columnRef(p.near(x), x), true
	case *ast.SelectStmt, *ast.SetOprStmt:
		q := p.query(x.(ast.Node))
		return &sqlplan.Sub{Span: q.Span, Kind: sqlplan.SubArray, Query: q}, false
	}
	return nil, false
}

// unread lists what the tree of a statement holds and its translation does not:
// a place of the grammar that this package forgets.
func (p *translator) unread(n ast.Node) {
	treewalk.Walk(n, func(x any) bool {
		if t, ok := x.(*ast.TableName); ok && !p.read[t] {
			p.unreadTables = append(p.unreadTables, p.tableRef(t, ""))
		}
		e, stop := p.found(x)
		if e != nil {
			p.unreadExprs = append(p.unreadExprs, e)
		}
		return !stop
	})
}
