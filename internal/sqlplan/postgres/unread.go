package postgres

import (
	pg "github.com/sqlc-dev/oliphant/ast"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/treewalk"
)

// unread lists what the tree of a statement holds and its translation does not:
// a place of the grammar that this package forgets. Only what can name a column
// or a table, or stands for a value, counts.
func (p *translator) unread(script *sqlplan.Script, n *pg.Node, s sqlplan.Statement) {
	if u, ok := s.(*sqlplan.Utility); ok && u.Kind != sqlplan.UtilityExplain && u.Kind != sqlplan.UtilityStore &&
		u.Kind != sqlplan.UtilityPrepare && u.Kind != sqlplan.UtilityCopy {
		return // the rules look at the words of the text, or at every expression
	}
	treewalk.Walk(n, func(x any) bool {
		switch x := x.(type) {
		case *pg.TypeName:
			p.modifiers(x)
		case *pg.ColumnRef:
			if !p.read[x] && x.Location >= 0 { // else made by the parser
				script.Unread = append(script.Unread, p.column(x))
			}
		case *pg.ParamRef, *pg.A_Const:
			if !p.read[x] {
				script.Unread = append(script.Unread, p.expr(node(x)))
			}
		case *pg.RangeVar:
			if !p.read[x] {
				script.UnreadTables = append(script.UnreadTables, p.bareRef(x))
			}
		case *pg.SelectStmt:
			if !p.read[x] {
				q := p.query(x)
				script.Unread = append(script.Unread, &sqlplan.Sub{Span: q.Span, Kind: sqlplan.SubArray, Query: q})
			}
		case *pg.InsertStmt, *pg.UpdateStmt, *pg.DeleteStmt, *pg.MergeStmt:
			if !p.read[x] {
				p.fail()
			}
		}
		return true
	})
}

// modifiers notes the whole numbers of a type, as in varchar(20), which are not
// worth a look.
func (p *translator) modifiers(t *pg.TypeName) {
	for _, n := range t.Typmods {
		if c := n.GetAConst(); c != nil && c.GetIval() != nil {
			p.read[c] = true
		}
	}
}

// inner is the node that a [pg.Node] holds.
func inner(n *pg.Node) any {
	switch x := n.GetNode().(type) {
	case *pg.Node_ColumnRef:
		return x.ColumnRef
	case *pg.Node_ParamRef:
		return x.ParamRef
	case *pg.Node_AConst:
		return x.AConst
	case *pg.Node_SelectStmt:
		return x.SelectStmt
	case *pg.Node_InsertStmt:
		return x.InsertStmt
	case *pg.Node_UpdateStmt:
		return x.UpdateStmt
	case *pg.Node_DeleteStmt:
		return x.DeleteStmt
	case *pg.Node_MergeStmt:
		return x.MergeStmt
	}
	return nil
}

// node wraps a leaf.
func node(x any) *pg.Node {
	switch x := x.(type) {
	case *pg.ParamRef:
		return &pg.Node{Node: &pg.Node_ParamRef{ParamRef: x}}
	case *pg.A_Const:
		return &pg.Node{Node: &pg.Node_AConst{AConst: x}}
	}
	return nil
}
