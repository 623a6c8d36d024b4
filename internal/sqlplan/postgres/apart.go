package postgres

import (
	pg "github.com/sqlc-dev/oliphant/ast"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// tellApart adds the i-th of n statements. It returns nil if the text begins or ends a
// transaction but by its first and its last statement: what the others mean would
// depend on whether the server has one transaction for them.
func tellApart(a *sqlplan.Apart, s *pg.Node, text string, i, n int) *sqlplan.Apart {
	if a == nil {
		return nil
	}
	t, ok := s.GetNode().(*pg.Node_TransactionStmt)
	if ok {
		switch k := t.TransactionStmt.Kind; {
		case i == 0 && (k == pg.TransactionStmtKind_TRANS_STMT_BEGIN || k == pg.TransactionStmtKind_TRANS_STMT_START):
			a.OneTransaction = false
		case i == n-1 && !a.OneTransaction && k == pg.TransactionStmtKind_TRANS_STMT_COMMIT && !t.TransactionStmt.Chain:
		default:
			return nil
		}
	} else if i == n-1 && !a.OneTransaction {
		return nil
	}
	a.Texts = append(a.Texts, text)
	return a
}
