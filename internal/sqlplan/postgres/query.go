package postgres

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant/ast"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

func (p *translator) with(w *pg.WithClause) *sqlplan.With {
	if w == nil {
		return nil
	}
	i := p.tokenAt(w.Location)
	end := p.seek(i+1, false, "select", "insert", "update", "delete", "merge", "values", "table")
	for j := i + 1; j < end; j++ { // WITH … (SELECT …): the verb is in brackets
		if p.op(j, "(") && p.op(j-1, ")") {
			end = j
		}
		if p.tokens[j].mate > j {
			j = p.tokens[j].mate
		}
	}
	out := &sqlplan.With{Span: p.span(i, end), Recursive: w.Recursive}
	for _, n := range w.Ctes {
		c := n.GetCommonTableExpr()
		if c == nil {
			p.fail()
		}
		cte := &sqlplan.CTE{Span: near(c.Location), Name: c.Ctename, Columns: names(c.Aliascolnames), Body: p.statement(c.Ctequery)}
		if s := c.SearchClause; s != nil {
			cte.ExtraColumns = append(cte.ExtraColumns, s.SearchSeqColumn)
			cte.Extra = append(cte.Extra, columnNames(s.SearchColList)...)
		}
		if s := c.CycleClause; s != nil {
			cte.ExtraColumns = append(cte.ExtraColumns, s.CycleMarkColumn, s.CyclePathColumn)
			cte.Extra = append(cte.Extra, columnNames(s.CycleColList)...)
			cte.Extra = append(cte.Extra, p.cycleMarks(s)...)
		}
		out.CTEs = append(out.CTEs, cte)
	}
	return out
}

// cycleMarks are the values that tell rows of a cycle, if the clause names them; the
// parser puts in true and false for those that it does not find.
func (p *translator) cycleMarks(c *pg.CTECycleClause) []sqlplan.Expr {
	if mark := c.CycleMarkValue.GetAConst(); mark != nil && mark.Location < 0 {
		p.read[mark], p.read[c.CycleMarkDefault.GetAConst()] = true, true
		return nil
	}
	return p.exprs(list(c.CycleMarkValue, c.CycleMarkDefault))
}

func columnNames(list []*pg.Node) (out []sqlplan.Expr) {
	for _, n := range list {
		out = append(out, &sqlplan.ColumnRef{Name: str(n)})
	}
	return out
}

// pages says what limits a query. FETCH FIRST ROW ONLY has no number in the text.
func (p *translator) pages(q *sqlplan.Query, s *pg.SelectStmt) {
	q.Limited = s.LimitCount != nil || s.LimitOffset != nil
	limits := q.Limits
	take := func(n *pg.Node) (e sqlplan.Expr) {
		if n != nil && len(limits) > 0 {
			e, limits = limits[0], limits[1:]
		}
		return e
	}
	q.Offset, q.Count = take(s.LimitOffset), take(s.LimitCount)
	q.Pages = q.Limited && s.LimitOption != pg.LimitOption_LIMIT_OPTION_WITH_TIES && (s.LimitCount == nil) == (q.Count == nil) && (s.LimitOffset == nil) == (q.Offset == nil)
}

// query translates a SELECT in any of its forms.
func (p *translator) query(s *pg.SelectStmt) *sqlplan.Query {
	p.read[s] = true
	for _, n := range s.LockingClause {
		for _, r := range n.GetLockingClause().GetLockedRels() { // names of FROM
			p.read[r.GetRangeVar()] = true
		}
	}
	q := &sqlplan.Query{With: p.with(s.WithClause), OrderBy: p.exprs(s.SortClause), Locking: len(s.LockingClause) > 0}
	for _, n := range []*pg.Node{s.LimitOffset, s.LimitCount} {
		if c := n.GetAConst(); c != nil && c.Location < 0 { // FETCH FIRST ROW ONLY
			p.read[c] = true
		} else if n != nil {
			q.Limits = append(q.Limits, p.expr(n))
		}
	}
	p.pages(q, s)
	switch {
	case s.Op == pg.SetOperation_SETOP_UNION || s.Op == pg.SetOperation_SETOP_INTERSECT || s.Op == pg.SetOperation_SETOP_EXCEPT:
		kind := map[pg.SetOperation]sqlplan.SetOpKind{pg.SetOperation_SETOP_UNION: sqlplan.SetUnion,
			pg.SetOperation_SETOP_INTERSECT: sqlplan.SetIntersect, pg.SetOperation_SETOP_EXCEPT: sqlplan.SetExcept}[s.Op]
		left, right := p.query(s.Larg), p.query(s.Rarg)
		q.Body = &sqlplan.SetOp{Span: left.Span, Kind: kind, All: s.All, Left: left, Right: right}
		q.Span = left.Span
	case len(s.ValuesLists) > 0:
		v := &sqlplan.Values{}
		for _, row := range s.ValuesLists {
			v.Rows = append(v.Rows, sqlplan.ValuesRow{Values: p.exprs(row.GetList().GetItems()), End: -1})
		}
		if first := v.Rows[0].Values; len(first) > 0 {
			v.Span = first[0].At()
		}
		p.rowEnds(v)
		q.Body, q.Span = v, v.Span
	default:
		body := p.selectBody(s)
		q.Body, q.Span = body, body.Span
	}
	return q
}

func (p *translator) selectBody(s *pg.SelectStmt) *sqlplan.Select {
	if len(s.TargetList) == 1 && len(s.FromClause) == 1 && s.TargetList[0].GetResTarget().GetVal().GetColumnRef() != nil && s.TargetList[0].GetResTarget().GetVal().GetColumnRef().Location < 0 {
		return p.tableBody(s) // TABLE name
	}
	body := &sqlplan.Select{TargetsEnd: p.targetsEnd(s.TargetList), Targets: p.targets(s.TargetList), From: p.tables(s.FromClause),
		GroupBy: p.exprs(s.GroupClause), Windows: p.exprs(s.WindowClause)}
	for i, n := range s.GroupClause {
		if n.GetGroupingSet() != nil {
			body.Regrouped = append(body.Regrouped, body.GroupBy[i])
		}
	}
	if len(body.Targets) > 0 {
		body.Span = body.Targets[0].Span
	}
	for _, n := range s.DistinctClause {
		if n.GetNode() != nil {
			body.DistinctOn = append(body.DistinctOn, p.expr(n))
		}
	}
	body.Distinct = len(s.DistinctClause) > 0 && len(body.DistinctOn) == 0
	body.Where, body.Having = p.optional(s.WhereClause), p.optional(s.HavingClause)
	if s.IntoClause != nil {
		body.Into, body.IntoName = true, p.bareRef(s.IntoClause.Rel)
	}
	return body
}

// tableBody translates TABLE name, whose star the parser made.
func (p *translator) tableBody(s *pg.SelectStmt) *sqlplan.Select {
	body := &sqlplan.Select{TargetsEnd: -1, Table: true, From: p.tables(s.FromClause)}
	body.Span = body.From[0].At()
	body.Targets = []sqlplan.Target{{Span: body.Span, Expr: &sqlplan.ColumnRef{Span: body.Span, Star: true}}}
	return body
}

func (p *translator) targets(list []*pg.Node) []sqlplan.Target {
	out := make([]sqlplan.Target, 0, len(list))
	for _, n := range list {
		r := n.GetResTarget()
		if r == nil {
			p.fail()
		}
		t := sqlplan.Target{Span: near(r.Location), Expr: p.expr(r.Val), Alias: r.Name}
		switch e := r.Val.GetNode().(type) {
		case *pg.Node_FuncCall:
			t.Name = last(names(e.FuncCall.Funcname))
		case *pg.Node_CoalesceExpr:
			t.Name = "coalesce"
		}
		out = append(out, t)
	}
	return out
}

func last(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

func (p *translator) tables(list []*pg.Node) []sqlplan.TableExpr {
	var out []sqlplan.TableExpr
	for _, n := range list {
		out = append(out, p.table(n))
	}
	return out
}

func (p *translator) table(n *pg.Node) sqlplan.TableExpr {
	switch x := n.GetNode().(type) {
	case *pg.Node_RangeVar:
		return p.ref(x.RangeVar)
	case *pg.Node_RangeTableSample:
		return p.sample(x.RangeTableSample)
	case *pg.Node_RangeSubselect:
		q := x.RangeSubselect.Subquery.GetSelectStmt()
		if q == nil {
			p.fail()
		}
		query := p.query(q)
		return &sqlplan.Derived{Span: query.Span, Query: query, Lateral: x.RangeSubselect.Lateral,
			Alias: x.RangeSubselect.Alias.GetAliasname(), ColumnAliases: names(x.RangeSubselect.Alias.GetColnames())}
	case *pg.Node_JoinExpr:
		return p.join(x.JoinExpr)
	case *pg.Node_RangeFunction:
		return p.function(x.RangeFunction)
	case *pg.Node_JsonTable:
		t := x.JsonTable
		return &sqlplan.TableFunction{Span: near(t.Location), Name: "json_table", Args: p.childrenOf(n), Alias: t.Alias.GetAliasname(),
			ColumnAliases: names(t.Alias.GetColnames()), Columns: jsonColumns(t.Columns), Lateral: true}
	case *pg.Node_RangeTableFunc:
		t := x.RangeTableFunc
		f := &sqlplan.TableFunction{Span: near(t.Location), Name: "xmltable", Args: p.childrenOf(n), Alias: t.Alias.GetAliasname(),
			ColumnAliases: names(t.Alias.GetColnames()), Lateral: true}
		for _, c := range t.Columns {
			f.Columns = append(f.Columns, c.GetRangeTableFuncCol().GetColname())
		}
		return f
	}
	return &sqlplan.TableFunction{Name: "a table expression", Args: p.childrenOf(n), Lateral: true}
}

// sample translates TABLESAMPLE: its arguments see no table.
func (p *translator) sample(s *pg.RangeTableSample) sqlplan.TableExpr {
	t := p.table(s.Relation)
	for _, n := range append(list(s.Repeatable), s.Args...) {
		if c := n.GetAConst(); c == nil || c.GetSval() != nil {
			continue // left unread, so that a protected table next to it is refused
		}
		p.expr(n)
	}
	return t
}

func (p *translator) join(j *pg.JoinExpr) sqlplan.TableExpr {
	kind := map[pg.JoinType]sqlplan.JoinKind{pg.JoinType_JOIN_INNER: sqlplan.JoinInner, pg.JoinType_JOIN_LEFT: sqlplan.JoinLeft,
		pg.JoinType_JOIN_RIGHT: sqlplan.JoinRight, pg.JoinType_JOIN_FULL: sqlplan.JoinFull}[j.Jointype]
	if kind == 0 {
		p.fail()
	}
	left := p.table(j.Larg)
	return &sqlplan.Join{Span: left.At(), Kind: kind, Left: left, Right: p.table(j.Rarg), Natural: j.IsNatural, Using: names(j.UsingClause),
		On: p.optional(j.Quals), Alias: j.Alias.GetAliasname(), ColumnAliases: names(j.Alias.GetColnames()), UsingAlias: j.JoinUsingAlias.GetAliasname()}
}

// jsonColumns are the columns of JSON_TABLE: those of a nested path come after the
// others of their level.
func jsonColumns(list []*pg.Node) (columns []string) {
	var nested []string
	for _, n := range list {
		c := n.GetJsonTableColumn()
		if c.GetColtype() == pg.JsonTableColumnType_JTC_NESTED {
			nested = append(nested, jsonColumns(c.GetColumns())...)
			continue
		}
		columns = append(columns, c.GetName())
	}
	return append(columns, nested...)
}

func (p *translator) function(f *pg.RangeFunction) sqlplan.TableExpr {
	t := &sqlplan.TableFunction{Alias: f.Alias.GetAliasname(), ColumnAliases: names(f.Alias.GetColnames()), Lateral: true}
	known := true
	for _, n := range f.Functions {
		items := n.GetList().GetItems()
		if len(items) == 0 {
			p.fail()
		}
		c := items[0].GetFuncCall()
		if c != nil && t.Name == "" {
			t.Name = last(names(c.Funcname))
		}
		defined := f.Coldeflist
		if len(items) > 1 && items[1].GetList() != nil { // within ROWS FROM
			defined = items[1].GetList().GetItems()
		}
		t.Args = append(t.Args, p.expr(items[0]))
		columns := functionColumns(c, defined, t.Alias, len(f.Functions) == 1)
		known = known && columns != nil
		t.Columns = append(t.Columns, columns...)
	}
	switch {
	case !known:
		t.Columns = nil
	case f.Ordinality:
		t.Columns = append(t.Columns, "ordinality")
	}
	p.unnested(t, f)
	return t
}

// unnested notes the arrays that functions in FROM make rows of, if every function is
// unnest.
func (p *translator) unnested(t *sqlplan.TableFunction, f *pg.RangeFunction) {
	var arrays []sqlplan.Expr
	end := 0
	for _, e := range t.Args {
		c, ok := e.(*sqlplan.Call)
		if !ok || c.Name != "unnest" || c.Schema != "" && c.Schema != "pg_catalog" || len(c.Rest) > 0 || c.ArgsEnd == 0 {
			return
		}
		arrays, end = append(arrays, c.Args...), c.ArgsEnd
	}
	i := p.tokenFrom(end)
	if f.IsRowsfrom {
		i++
	}
	if !p.op(i, ")") || len(f.Coldeflist) > 0 {
		return
	}
	t.Arrays, t.ArraysEnd = arrays, end
	if i++; f.Ordinality {
		i += 2 // WITH ORDINALITY
	}
	from := p.tokens[i-1].end
	if f.Alias != nil {
		if p.word(i, "as") {
			i++
		}
		if i++; len(f.Alias.Colnames) > 0 {
			if !p.op(i, "(") {
				p.fail()
			}
			i = p.tokens[i].mate + 1
		}
	}
	t.AliasSpan = sqlplan.Span{Start: from, End: p.tokens[i-1].end}
}

// built are functions that name their columns themselves.
var built = map[string][]string{
	"json_each": {"key", "value"}, "jsonb_each": {"key", "value"}, "json_each_text": {"key", "value"}, "jsonb_each_text": {"key", "value"},
	"json_array_elements": {"value"}, "jsonb_array_elements": {"value"}, "json_array_elements_text": {"value"}, "jsonb_array_elements_text": {"value"},
	"pg_options_to_table": {"option_name", "option_value"},
}

// scalars are functions that return one column, which has the alias's or the function's
// name.
var scalars = map[string]bool{"unnest": true, "generate_series": true, "generate_subscripts": true, "string_to_table": true, "regexp_split_to_table": true,
	"regexp_matches": true, "jsonb_object_keys": true, "json_object_keys": true, "jsonb_path_query": true, "jsonb_path_query_tz": true}

// functionColumns are the columns of a function in FROM, nil if they are not known: those
// of its column definition list, or those of a function that is listed. The alias names
// the column of a scalar function that stands alone.
func functionColumns(c *pg.FuncCall, defined []*pg.Node, alias string, alone bool) (columns []string) {
	for _, n := range defined {
		columns = append(columns, n.GetColumnDef().GetColname())
	}
	name := names(c.GetFuncname())
	if len(columns) > 0 || len(name) == 0 || len(name) > 1 && name[0] != "pg_catalog" {
		return columns
	}
	function := last(name)
	if !scalars[function] {
		return built[function]
	}
	columns = []string{function}
	if function == "unnest" {
		columns = slices.Repeat(columns, max(1, len(c.Args)))
	}
	if alone && alias != "" && len(columns) == 1 {
		columns[0] = alias
	}
	return columns
}

// bareRef describes a relation whose place in the text does not matter.
func (p *translator) bareRef(r *pg.RangeVar) *sqlplan.TableRef {
	if r == nil {
		return nil
	}
	p.read[r] = true
	return &sqlplan.TableRef{Span: near(r.Location), NameSpan: near(r.Location), Schema: r.Schemaname, Name: r.Relname,
		Alias: r.Alias.GetAliasname(), ColumnAliases: names(r.Alias.GetColnames())}
}

// ref describes a relation with exact spans.
func (p *translator) ref(r *pg.RangeVar) *sqlplan.TableRef {
	i := p.tokenAt(r.Location)
	j := i + 1
	for p.op(j, ".") {
		j += 2
	}
	t := p.bareRef(r)
	t.NameSpan = p.span(i, j)
	if p.op(j, "*") {
		j++
	}
	if r.Alias != nil {
		if p.word(j, "as") {
			j++
		}
		j++
		if len(r.Alias.Colnames) > 0 {
			if !p.op(j, "(") {
				p.fail()
			}
			j = p.tokens[j].mate + 1
		}
	}
	t.Span = p.span(i, j)
	return t
}

// rowEnds finds where the rows of a VALUES list end. It leaves them unknown if the rows
// are not where their values say.
func (p *translator) rowEnds(v *sqlplan.Values) {
	at := p.tokenFrom(v.Span.Start)
	for at >= 0 && !(p.word(at, "values") && p.op(at+1, "(")) {
		at--
	}
	ends := make([]int, len(v.Rows))
	for n, row := range v.Rows {
		open := at + 1
		if at < 0 || !p.op(open, "(") || n > 0 && !p.op(at, ",") {
			return
		}
		close := p.tokens[open].mate
		for _, e := range row.Values {
			if s := e.At(); s.Start < p.tokens[open].start || s.End > p.tokens[close].start {
				return
			}
		}
		ends[n] = p.tokens[close].start
		at = close + 1
	}
	for n := range v.Rows {
		v.Rows[n].End = ends[n]
	}
}
