package mysql

import (
	"fmt"

	"github.com/sqlc-dev/marino/ast"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// unknown lists the columns and queries in a node that this package does not
// know.
func (p *translator) unknown(n ast.Node) *sqlplan.Unknown {
	v := &finder{p: p, root: n}
	n.Accept(v)
	return &sqlplan.Unknown{Span: p.near(n), What: fmt.Sprintf("%T", n)[len("*ast."):], Children: v.found}
}

// finder visits a node and collects the columns and queries in it.
type finder struct {
	p     *translator
	root  ast.Node
	found []sqlplan.Expr
}

// Enter implements [ast.Visitor].
func (v *finder) Enter(n ast.Node) (ast.Node, bool) {
	if n == v.root {
		return n, false
	}
	switch n := n.(type) {
	case *ast.ColumnNameExpr, *ast.SubqueryExpr, *ast.ParamMarkerExprBase:
		v.found = append(v.found, v.p.expr(n.(ast.ExprNode)))
		return n, true
	case *ast.ColumnName:
		v.found = append(v.found, columnRef(v.p.near(n), n))
		return n, true
	}
	return n, false
}

// Leave implements [ast.Visitor].
func (v *finder) Leave(n ast.Node) (ast.Node, bool) { return n, true }
