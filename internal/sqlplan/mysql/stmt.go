package mysql

import (
	"github.com/sqlc-dev/marino/ast"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// statement translates what the parser made of one statement.
func (p *translator) statement(n ast.StmtNode, start, end int) sqlplan.Statement {
	if p.unit.store != nil {
		p.unit.store.Inner = []sqlplan.Statement{p.wholeQuery(n, start, end)}
		return p.unit.store
	}
	switch n := n.(type) {
	case *ast.InsertStmt:
		return p.insert(n, start, end)
	case *ast.UpdateStmt:
		return p.update(n, start, end)
	case *ast.DeleteStmt:
		return p.delete(n, start, end)
	case *ast.ExplainStmt:
		return p.explain(n, start, end)
	}
	return p.wholeQuery(n, start, end)
}

// wholeQuery translates a query that is a statement.
func (p *translator) wholeQuery(n ast.StmtNode, start, end int) sqlplan.Statement {
	switch n.(type) {
	case *ast.SelectStmt, *ast.SetOprStmt:
		q := p.query(n)
		q.Span = p.span(start, end)
		return q
	}
	fail("a statement of an unknown kind")
	return nil
}

// explain translates EXPLAIN and MariaDB's ANALYZE of a statement; DESCRIBE of a
// table shows its definition only.
func (p *translator) explain(n *ast.ExplainStmt, start, end int) sqlplan.Statement {
	u := &sqlplan.Utility{Span: p.span(start, end), Kind: sqlplan.UtilityExplain, What: "EXPLAIN", Executes: n.Analyze || p.unit.executes}
	switch inner := n.Stmt.(type) {
	case *ast.ShowStmt:
		u.Kind, u.What = sqlplan.UtilityHarmless, "DESCRIBE"
	case *ast.SelectStmt, *ast.SetOprStmt, *ast.InsertStmt, *ast.UpdateStmt, *ast.DeleteStmt:
		at := p.seek(start+1, end, func(k int) bool {
			return p.op(k, "(") || p.anyWord(k, "SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH", "TABLE", "VALUES") != ""
		})
		u.Inner = []sqlplan.Statement{p.statement(inner, at, end)}
	default:
		u.Kind = sqlplan.UtilityUnknown
	}
	return u
}
