package mysql

import (
	"github.com/sqlc-dev/marino/ast"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// update translates UPDATE in both its forms.
func (p *translator) update(n *ast.UpdateStmt, start, end int) *sqlplan.Update {
	i := p.seekWord(start, end, "UPDATE") + 1
	for p.anyWord(i, "LOW_PRIORITY", "IGNORE") != "" {
		i++
	}
	set := p.seekWord(i, end, "SET")
	if set == end {
		fail("UPDATE without SET")
	}
	stop := p.seekWord(set, end, "WHERE", "ORDER", "LIMIT")
	u := &sqlplan.Update{
		Span:         p.span(start, end),
		With:         p.with(n.With),
		Targets:      []sqlplan.TableExpr{p.tableExpr(n.TableRefs.TableRefs)},
		Set:          p.assignments(n.List, set+1, end),
		Where:        p.expr(n.Where),
		OrderBy:      p.orderBy(n.Order),
		Limits:       p.limits(n.Limit),
		Ignore:       n.IgnoreErr,
		UpdatePlaces: sqlplan.UpdatePlaces{TargetSpan: p.span(i, set), SetSpan: p.span(set+1, stop), WhereAt: p.endOf(stop)},
	}
	at := stop
	if p.word(at, "WHERE") {
		stop = p.seekWord(at, end, "ORDER", "LIMIT")
		u.WhereSpan = p.span(at+1, stop)
		at = stop
	}
	if p.word(at, "ORDER") {
		stop = p.seekWord(at, end, "LIMIT")
		u.OrderSpan = p.span(at, stop)
		at = stop
	}
	if p.word(at, "LIMIT") {
		u.LimitSpan = p.span(at, end)
	}
	if (u.Where == nil) != (u.WhereSpan == sqlplan.Span{}) || (n.Order == nil) != (u.OrderSpan == sqlplan.Span{}) ||
		(n.Limit == nil) != (u.LimitSpan == sqlplan.Span{}) {
		fail("the clauses of UPDATE are not where the parser saw them")
	}
	return u
}

// delete translates DELETE in its three forms.
func (p *translator) delete(n *ast.DeleteStmt, start, end int) *sqlplan.Delete {
	d := &sqlplan.Delete{
		Span:      p.span(start, end),
		With:      p.with(n.With),
		Where:     p.expr(n.Where),
		OrderBy:   p.orderBy(n.Order),
		Limits:    p.limits(n.Limit),
		Returning: p.returning(end),
	}
	if !n.IsMultiTable {
		d.Targets = []*sqlplan.TableRef{p.deleteTarget(n, start, end)}
		return d
	}
	d.TargetsInFrom = true
	d.From = []sqlplan.TableExpr{p.tableExpr(n.TableRefs.TableRefs)}
	for _, name := range n.Tables.Tables {
		d.Targets = append(d.Targets, p.tableRef(name, ""))
	}
	return d
}

// deleteTarget translates the table of a single-table DELETE, whose offset the
// parser does not record.
func (p *translator) deleteTarget(n *ast.DeleteStmt, start, end int) *sqlplan.TableRef {
	src, ok := n.TableRefs.TableRefs.Left.(*ast.TableSource)
	if !ok {
		fail("DELETE from something that is no table")
	}
	name, ok := src.Source.(*ast.TableName)
	if !ok {
		fail("DELETE from something that is no table")
	}
	r := p.tableRef(name, src.AsName.O)
	i := p.seekWord(p.seekWord(start, end, "DELETE"), end, "FROM") + 1
	if i >= end {
		fail("DELETE without FROM")
	}
	stop := p.nameEnd(i)
	p.names(stop-1, name.Name.O)
	r.NameSpan = p.span(i, stop)
	r.Span = p.span(i, p.aliasEnd(stop, src.AsName.O))
	return r
}
