package postgres

import (
	pg "github.com/sqlc-dev/oliphant/ast"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

func (p *translator) returning(r *pg.ReturningClause) *sqlplan.Returning {
	if r == nil || len(r.Exprs) == 0 {
		return nil
	}
	out := &sqlplan.Returning{Targets: p.targets(r.Exprs), TargetsEnd: p.targetsEnd(r.Exprs), Old: "old", New: "new"}
	for _, n := range r.Options {
		switch o := n.GetReturningOption(); o.GetOption() {
		case pg.ReturningOptionKind_RETURNING_OPTION_OLD:
			out.Old = o.Value
		case pg.ReturningOptionKind_RETURNING_OPTION_NEW:
			out.New = o.Value
		default:
			p.fail()
		}
	}
	return out
}

// subscripts are the expressions in a[1] as a target.
func (p *translator) subscripts(indirection []*pg.Node) (out []sqlplan.Expr) {
	for _, n := range indirection {
		out = append(out, p.childrenOf(n)...)
	}
	return out
}

func (p *translator) columns(list []*pg.Node) []sqlplan.InsertColumn {
	var out []sqlplan.InsertColumn
	for _, n := range list {
		r := n.GetResTarget()
		out = append(out, sqlplan.InsertColumn{Span: near(r.Location), Name: r.Name, Plain: len(r.Indirection) == 0, Subscripts: p.subscripts(r.Indirection)})
	}
	return out
}

func (p *translator) insert(s *pg.InsertStmt) *sqlplan.Insert {
	out := &sqlplan.Insert{With: p.with(s.WithClause), Target: p.ref(s.Relation), Columns: p.columns(s.Cols)}
	out.Span = sqlplan.Span{Start: out.Target.Start, End: out.Target.End}
	out.TargetEnd = out.Target.End
	i := p.tokenFrom(out.TargetEnd)
	if out.Columns != nil {
		if !p.op(i, "(") {
			p.fail()
		}
		out.ColumnsEnd = p.tokens[p.tokens[i].mate].start
		i = p.tokens[i].mate + 1
	}
	if p.word(i, "overriding") {
		out.OverridingSpan = p.span(i, i+3)
		out.Overriding = p.tokens[i+1].text
		i += 3
	}
	out.SourceStart = p.tokens[i].start
	p.source(out, s, i)
	out.Conflict = p.conflict(s.OnConflictClause)
	out.Returning = p.returning(s.ReturningClause)
	return out
}

// source translates VALUES, SELECT or DEFAULT VALUES at token i.
func (p *translator) source(out *sqlplan.Insert, s *pg.InsertStmt, i int) {
	q := s.SelectStmt.GetSelectStmt()
	switch {
	case q == nil:
		if !p.word(i, "default") || !p.word(i+1, "values") {
			p.fail()
		}
		out.DefaultValues, out.DefaultValuesSpan = true, p.span(i, i+2)
	case len(q.ValuesLists) > 0 && p.word(i, "values") && q.WithClause == nil && len(q.SortClause) == 0 && q.LimitCount == nil && q.LimitOffset == nil:
		p.read[q] = true
		for _, n := range q.ValuesLists {
			i++
			if !p.op(i, "(") {
				p.fail()
			}
			end := p.tokens[i].mate
			row := sqlplan.ValuesRow{Span: p.span(i, end+1), Values: p.exprs(n.GetList().GetItems()), End: p.tokens[end].start}
			if sqlplan.Computes(row.Values) {
				row.Cells = p.cells(i, end, len(row.Values))
			}
			out.Rows = append(out.Rows, row)
			i = end + 1
		}
	default:
		out.Query = p.query(q)
	}
}

// cells are the spans of the n values between the brackets open and end.
func (p *translator) cells(open, end, n int) []sqlplan.Span {
	list := make([]sqlplan.Span, 0, n)
	for i := open + 1; i < end; i++ {
		stop := p.seek(i, true)
		list = append(list, p.span(i, stop))
		i = stop
	}
	if len(list) != n {
		p.fail()
	}
	return list
}

func (p *translator) conflict(c *pg.OnConflictClause) *sqlplan.Conflict {
	if c == nil {
		return nil
	}
	out := &sqlplan.Conflict{Span: near(c.Location), Kind: sqlplan.ConflictDoNothing, Where: p.optional(c.WhereClause)}
	if c.Action == pg.OnConflictAction_ONCONFLICT_UPDATE {
		out.Kind = sqlplan.ConflictDoUpdate
	}
	if f := c.Infer; f != nil {
		out.Constraint = f.Conname
		at := p.tokenAt(c.Location) + 3 // after ON CONFLICT (
		for _, n := range f.IndexElems {
			e := n.GetIndexElem()
			end := p.seek(at, true)
			var expr sqlplan.Expr
			if e.GetExpr() != nil {
				expr = p.expr(e.Expr)
			}
			out.Columns, out.ColumnExprs = append(out.Columns, e.GetName()), append(out.ColumnExprs, expr)
			out.ColumnSpans = append(out.ColumnSpans, p.span(at, end))
			at = end + 1
		}
		if f.WhereClause != nil {
			out.Partial = true
			out.Exprs = append(out.Exprs, p.expr(f.WhereClause))
		}
	}
	out.Set = p.assignments(c.TargetList)
	return out
}

// assignments translates SET.
func (p *translator) assignments(list []*pg.Node) []sqlplan.Assignment {
	var out []sqlplan.Assignment
	for k := 0; k < len(list); k++ {
		r := list[k].GetResTarget()
		m := r.GetVal().GetMultiAssignRef()
		if m == nil {
			i := p.tokenAt(r.Location)
			end := p.seek(i, true, "from", "where", "returning", "when")
			a := sqlplan.Assignment{Span: p.span(i, end), Columns: []sqlplan.AssignTarget{p.assigned(r)}, Value: p.expr(r.Val)}
			a.First, a.Last = a.Start, a.End
			out = append(out, a)
			continue
		}
		n := int(m.Ncolumns)
		if k+n > len(list) {
			p.fail()
		}
		out = append(out, p.grouped(list[k:k+n], m)...)
		k += n - 1
	}
	return out
}

func (p *translator) assigned(r *pg.ResTarget) sqlplan.AssignTarget {
	return sqlplan.AssignTarget{Span: near(r.Location), Name: r.Name, Plain: len(r.Indirection) == 0, Subscripts: p.subscripts(r.Indirection)}
}

// grouped translates (a, b) = …, as single assignments where it can.
func (p *translator) grouped(list []*pg.Node, m *pg.MultiAssignRef) []sqlplan.Assignment {
	open := p.tokenAt(list[0].GetResTarget().Location) - 1
	if !p.op(open, "(") {
		p.fail()
	}
	first := p.tokens[open].start
	items := m.Source.GetRowExpr().GetArgs()
	if len(items) == len(list) {
		var out []sqlplan.Assignment
		for k, n := range list {
			r := n.GetResTarget()
			i := p.tokenAt(r.Location)
			out = append(out, sqlplan.Assignment{Span: p.span(i, i+1), Columns: []sqlplan.AssignTarget{p.assigned(r)}, Value: p.expr(items[k]), First: first, Grouped: true})
		}
		return out
	}
	a := sqlplan.Assignment{Value: p.expr(m.Source), First: first, Grouped: true}
	for _, n := range list {
		a.Columns = append(a.Columns, p.assigned(n.GetResTarget()))
	}
	a.Span = a.Columns[0].Span
	return []sqlplan.Assignment{a}
}

func (p *translator) update(s *pg.UpdateStmt) *sqlplan.Update {
	target := p.ref(s.Relation)
	out := &sqlplan.Update{With: p.with(s.WithClause), Targets: []sqlplan.TableExpr{target}}
	at := p.tokenAt(s.Relation.Location)
	verb := at - 1
	for verb >= 0 && !p.word(verb, "update") {
		verb--
	}
	from := at + 1
	for p.op(from, ".") {
		from += 2
	}
	if p.op(at-1, "(") && p.op(from, ")") { // ONLY (t)
		from++
	}
	set := p.seek(from, false, "set")
	if !p.word(set, "set") {
		p.fail()
	}
	out.TargetSpan = p.span(verb+1, set)
	next := p.seek(set+1, false, "from", "where", "returning")
	out.SetSpan = p.span(set+1, next)
	if p.word(next, "from") {
		from := next
		next = p.seek(from+1, false, "where", "returning")
		out.From, out.FromSpan = p.tables(s.FromClause), p.span(from+1, next)
	}
	out.WhereAt = p.tokens[next-1].end
	if p.word(next, "where") {
		where := next
		next = p.seek(where+1, false, "returning")
		out.WhereSpan = p.span(where+1, next)
		if s.WhereClause.GetCurrentOfExpr() != nil {
			out.CurrentOf = true
		} else {
			out.Where = p.expr(s.WhereClause)
		}
	}
	if (out.Where == nil && !out.CurrentOf) != (s.WhereClause == nil) || (out.From == nil) != (len(s.FromClause) == 0) {
		p.fail()
	}
	out.Set = p.assignments(s.TargetList)
	out.Returning = p.returning(s.ReturningClause)
	out.Span = sqlplan.Span{Start: p.tokens[verb].start, End: p.tokens[next-1].end}
	if out.With != nil {
		out.With.Span.End = p.tokens[verb-1].end // a CTE may be named like a verb
	}
	return out
}

func (p *translator) delete(s *pg.DeleteStmt) *sqlplan.Delete {
	target := p.ref(s.Relation)
	out := &sqlplan.Delete{Span: target.Span, With: p.with(s.WithClause), Targets: []*sqlplan.TableRef{target}, From: p.tables(s.UsingClause),
		Returning: p.returning(s.ReturningClause)}
	if s.WhereClause.GetCurrentOfExpr() != nil {
		out.CurrentOf = true
	} else {
		out.Where = p.optional(s.WhereClause)
	}
	return out
}

func (p *translator) merge(s *pg.MergeStmt) *sqlplan.Merge {
	out := &sqlplan.Merge{With: p.with(s.WithClause), Target: p.ref(s.Relation), Source: p.table(s.SourceRelation), On: p.optional(s.JoinCondition),
		Returning: p.returning(s.ReturningClause)}
	out.Span = out.Target.Span
	for _, n := range s.MergeWhenClauses {
		c := n.GetMergeWhenClause()
		w := sqlplan.MergeWhen{Matched: c.MatchKind == pg.MergeMatchKind_MERGE_WHEN_MATCHED,
			BySource: c.MatchKind == pg.MergeMatchKind_MERGE_WHEN_NOT_MATCHED_BY_SOURCE, Cond: p.optional(c.Condition), Action: sqlplan.MergeNothing}
		switch c.Override {
		case pg.OverridingKind_OVERRIDING_USER_VALUE:
			w.Overriding = "user"
		case pg.OverridingKind_OVERRIDING_SYSTEM_VALUE:
			w.Overriding = "system"
		}
		switch c.CommandType {
		case pg.CmdType_CMD_UPDATE:
			w.Action, w.Set = sqlplan.MergeUpdate, p.assignments(c.TargetList)
		case pg.CmdType_CMD_DELETE:
			w.Action = sqlplan.MergeDelete
		case pg.CmdType_CMD_INSERT:
			w.Action, w.Columns = sqlplan.MergeInsert, p.columns(c.TargetList)
			if len(c.Values) > 0 {
				w.Row = &sqlplan.ValuesRow{Values: p.exprs(c.Values), End: -1}
			}
			p.mergeEnds(&w)
		}
		out.Whens = append(out.Whens, w)
	}
	return out
}

// mergeEnds finds where a MERGE branch's column list and its row end.
func (p *translator) mergeEnds(w *sqlplan.MergeWhen) {
	if w.Row == nil || len(w.Columns) == 0 {
		return
	}
	open := p.tokenFrom(w.Columns[0].Start) - 1
	if !p.op(open, "(") {
		p.fail()
	}
	end := p.tokens[open].mate
	values := p.seek(end+1, false, "values")
	if !p.word(values, "values") || !p.op(values+1, "(") {
		p.fail()
	}
	w.ColumnsEnd, w.Row.End = p.tokens[end].start, p.tokens[p.tokens[values+1].mate].start
}
