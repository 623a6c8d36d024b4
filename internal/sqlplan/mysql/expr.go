package mysql

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/sqlc-dev/marino/ast"
	marinomysql "github.com/sqlc-dev/marino/mysql"
	"github.com/sqlc-dev/marino/opcode"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// expr translates an expression; nil stays nil.
func (p *translator) expr(n ast.ExprNode) sqlplan.Expr {
	if n == nil || reflect.ValueOf(n).IsNil() {
		return nil
	}
	p.read[n] = true
	switch n := n.(type) {
	case *ast.ColumnNameExpr:
		return p.column(n)
	case *ast.ParamMarkerExprBase:
		return p.param(n)
	case *ast.ValueExprBase:
		return p.value(n)
	case *ast.ParenthesesExpr:
		return p.parens(n)
	case *ast.UnaryOperationExpr:
		return p.unary(n)
	case *ast.BinaryOperationExpr:
		return p.binary(n)
	case *ast.IsNullExpr:
		return &sqlplan.IsNull{Span: p.near(n), Expr: p.expr(n.Expr), Not: n.Not}
	case *ast.PatternInExpr:
		return p.in(n)
	case *ast.FuncCallExpr:
		return p.call(n)
	case *ast.FuncCastExpr:
		return p.cast(n)
	case *ast.AggregateFuncExpr:
		return p.aggregate(n)
	case *ast.WindowFuncExpr:
		return p.window(n)
	case *ast.CaseExpr:
		return p.caseExpr(n)
	case *ast.RowExpr:
		return &sqlplan.Row{Span: p.near(n), Items: p.exprs(n.Values)}
	case *ast.ValuesExpr:
		return p.valuesRef(p.near(n), n.Column)
	case *ast.DefaultExpr:
		return p.defaultExpr(n)
	default:
		return p.otherExpr(n)
	}
}

// otherExpr translates expressions in which only their parts matter.
func (p *translator) otherExpr(n ast.ExprNode) sqlplan.Expr {
	at := p.near(n)
	switch n := n.(type) {
	case *ast.SubqueryExpr:
		return &sqlplan.Sub{Span: at, Kind: sqlplan.SubScalar, Query: p.query(n.Query)}
	case *ast.ExistsSubqueryExpr:
		return &sqlplan.Sub{Span: at, Kind: sqlplan.SubExists, Query: p.query(p.subquery(n.Sel))}
	case *ast.CompareSubqueryExpr:
		return &sqlplan.Sub{Span: at, Kind: sqlplan.SubIn, Equal: n.Op == opcode.EQ || n.Op == opcode.NE, Found: n.Op == opcode.EQ && !n.All,
			Test: p.expr(n.L), Query: p.query(p.subquery(n.R))}
	case *ast.BetweenExpr:
		return p.op3(at, "BETWEEN", n.Expr, n.Left, n.Right)
	case *ast.PatternLikeOrIlikeExpr:
		return p.op3(at, "LIKE", n.Expr, n.Pattern)
	case *ast.PatternRegexpExpr:
		return p.op3(at, "REGEXP", n.Expr, n.Pattern)
	case *ast.IsTruthExpr:
		return p.op3(at, "IS TRUE", n.Expr)
	case *ast.SetCollationExpr:
		return p.op3(at, "COLLATE", n.Expr)
	case *ast.VariableExpr:
		if n.Value == nil {
			return &sqlplan.Op{Span: at, What: "a variable"}
		}
		return p.op3(at, "assignment to a variable", n.Value)
	case *ast.MatchAgainst:
		op := p.op3(at, "MATCH", n.Against)
		for _, c := range n.ColumnNames {
			op.Operands = append(op.Operands, p.columnRef(at, c))
		}
		return op
	case *ast.PositionExpr:
		return p.unplaced(strconv.Itoa(n.N)) // ORDER BY 2
	case *ast.TableNameExpr: // of a sequence
		p.read[n.Name] = true
		return &sqlplan.Op{Span: at, What: "a keyword"}
	case *ast.TimeUnitExpr, *ast.GetFormatSelectorExpr, *ast.TrimDirectionExpr, *ast.MaxValueExpr:
		return &sqlplan.Op{Span: at, What: "a keyword"}
	case *ast.JSONValueExpr:
		return p.jsonValue(at, n)
	default:
		return p.unknown(n)
	}
}

// exprs translates a list. What the parser made up (a default separator, a
// character set's name) is left out.
func (p *translator) exprs(list []ast.ExprNode) []sqlplan.Expr {
	out := make([]sqlplan.Expr, 0, len(list))
	for _, n := range list {
		if v, ok := n.(*ast.ValueExprBase); ok && v.OriginTextPosition() == 0 {
			continue
		}
		if e := p.expr(n); e != nil {
			out = append(out, e)
		}
	}
	return out
}

// op3 is an operator over the given operands.
func (p *translator) op3(at sqlplan.Span, what string, operands ...ast.ExprNode) *sqlplan.Op {
	return &sqlplan.Op{Span: at, What: what, Operands: p.exprs(operands)}
}

// near returns the span of the first token of a node.
func (p *translator) near(n ast.Node) sqlplan.Span {
	i := p.tokenAt(n.OriginTextPosition())
	if i < 0 {
		return p.span(p.unit.start, p.unit.start+1)
	}
	return p.span(i, i+1)
}

// first returns the index of a node's first token; the parser records it for
// every node for which this is called.
func (p *translator) first(n ast.Node) int {
	i := p.tokenAt(n.OriginTextPosition())
	if i < p.unit.start || i >= p.unit.end {
		fail("a node lies outside its statement")
	}
	return i
}

func (p *translator) column(n *ast.ColumnNameExpr) sqlplan.Expr {
	i := p.first(n)
	return p.columnRef(p.span(i, p.nameEnd(i)), n.Name)
}

func (p *translator) columnRef(at sqlplan.Span, c *ast.ColumnName) *sqlplan.ColumnRef {
	p.read[c] = true
	return &sqlplan.ColumnRef{Span: at, Qualifier: qualifier(c), Name: c.Name.O}
}

func qualifier(c *ast.ColumnName) []string {
	switch {
	case c.Table.O == "":
		return nil
	case c.Schema.O == "":
		return []string{c.Table.O}
	}
	return []string{c.Schema.O, c.Table.O}
}

func (p *translator) param(n *ast.ParamMarkerExprBase) sqlplan.Expr {
	i := p.tokenAt(n.Offset)
	if i < 0 || p.tokens[i].kind != kindParam {
		fail("a placeholder is not where the parser saw it")
	}
	return &sqlplan.Param{Span: p.span(i, i+1), Index: p.paramIndex(i)}
}

// value translates a literal by its tokens.
func (p *translator) value(n *ast.ValueExprBase) sqlplan.Expr {
	if n.OriginTextPosition() == 0 {
		return nil // made up by the parser
	}
	i := p.first(n)
	end := p.literalEnd(i)
	if p.word(i, "NULL") && end == i+1 {
		return &sqlplan.Null{Span: p.span(i, end)}
	}
	if lit, ok := p.literalAt(i, end); ok {
		return &sqlplan.Constant{Span: p.span(i, end), Value: lit}
	}
	return &sqlplan.Op{Span: p.span(i, end), What: "a literal in another character set"}
}

// literalEnd returns the index after the literal at token i.
func (p *translator) literalEnd(i int) int {
	if p.tokens[i].kind == kindWord {
		switch p.tokens[i+1].kind {
		case kindString, kindHex, kindBit:
			if p.anyWord(i, "TRUE", "FALSE", "NULL") == "" {
				i++
			}
		}
	}
	if p.tokens[i].kind == kindString {
		return p.stringRun(i)
	}
	return i + 1
}

// parens widens the span of what needs an exact one.
func (p *translator) parens(n *ast.ParenthesesExpr) sqlplan.Expr {
	i := p.first(n)
	if !p.op(i, "(") {
		fail("a parenthesis is not where the parser saw it")
	}
	return widen(p.expr(n.Expr), p.span(i, p.tokens[i].mate+1))
}

// widen sets the span of parameters, literals, NULL and their casts.
func widen(e sqlplan.Expr, at sqlplan.Span) sqlplan.Expr {
	switch e := e.(type) {
	case *sqlplan.Param:
		e.Span = at
	case *sqlplan.Constant:
		e.Span = at
	case *sqlplan.Null:
		e.Span = at
	case *sqlplan.Cast:
		e.Span = at
	}
	return e
}

func (p *translator) unary(n *ast.UnaryOperationExpr) sqlplan.Expr {
	i := p.first(n)
	switch n.Op {
	case opcode.Not, opcode.Not2:
		return p.op3(p.span(i, i+1), sqlplan.OpNot, n.V)
	case opcode.Minus, opcode.Plus:
		if v, ok := n.V.(*ast.ValueExprBase); ok && p.tokenAt(v.OriginTextPosition()) == i+1 && p.tokens[i+1].kind == kindNumber {
			p.read[v] = true
			lit, _ := p.literalAt(i, i+2)
			return &sqlplan.Constant{Span: p.span(i, i+2), Value: lit}
		}
	}
	return p.op3(p.span(i, i+1), n.Op.String(), n.V)
}

func (p *translator) binary(n *ast.BinaryOperationExpr) sqlplan.Expr {
	what := n.Op.String()
	switch n.Op {
	case opcode.LogicAnd:
		what = sqlplan.OpAnd
	case opcode.LogicOr:
		what = sqlplan.OpOr
	case opcode.NE:
		what = sqlplan.OpUnequal
	case opcode.NullEQ:
		what = sqlplan.OpSame
	case opcode.EQ:
		what = sqlplan.OpEqual
		if !p.isEquality(n) {
			what = "SOUNDS LIKE"
		}
	}
	return p.op3(p.near(n), what, n.L, n.R)
}

// isEquality is false where the parser makes an equality of something else.
func (p *translator) isEquality(n *ast.BinaryOperationExpr) bool {
	f, ok := n.L.(*ast.FuncCallExpr)
	return !ok || f.OriginTextPosition() != 0
}

func (p *translator) in(n *ast.PatternInExpr) sqlplan.Expr {
	at := p.near(n)
	if n.Sel != nil {
		return &sqlplan.Sub{Span: at, Kind: sqlplan.SubIn, Equal: true, Found: !n.Not, Test: p.expr(n.Expr), Query: p.query(p.subquery(n.Sel))}
	}
	op := &sqlplan.Op{Span: at, What: sqlplan.OpIn, Operands: append(p.exprs([]ast.ExprNode{n.Expr}), p.exprs(n.List)...)}
	if n.Not {
		return &sqlplan.Op{Span: at, What: sqlplan.OpNot, Operands: []sqlplan.Expr{op}}
	}
	return op
}

func (p *translator) subquery(n ast.ExprNode) ast.ResultSetNode {
	p.read[n] = true
	s, ok := n.(*ast.SubqueryExpr)
	if !ok {
		fail("a sub-select is none")
	}
	return s.Query
}

// call translates a function call. The name is the one in the text: the parser
// renames some.
func (p *translator) call(n *ast.FuncCallExpr) sqlplan.Expr {
	at := p.near(n)
	switch n.FnName.L {
	case ast.DateLiteral, ast.TimeLiteral, ast.TimestampLiteral:
		return p.dateLiteral(n)
	}
	i := p.tokenAt(n.OriginTextPosition())
	name := n.FnName.L
	if i >= 0 && p.tokens[i].kind == kindWord && p.op(i+1, "(") {
		name = strings.ToLower(p.tokens[i].text)
	}
	c := &sqlplan.Call{Span: at, Schema: n.Schema.O, Name: name, Args: p.exprs(n.Args)}
	if path := p.arrowPath(n); path != nil {
		c.Args = append(c.Args, path)
	}
	if ref, ok := firstColumn(n.Args); ok && name == "value" && n.FnName.L == "xvalu" {
		return p.valuesRef(at, ref)
	}
	var first sqlplan.Span
	if i >= 0 && p.op(i+1, "(") {
		end := p.tokens[i+1].mate
		c.ArgsEnd = p.tokens[end].start
		first = p.span(i+2, p.seek(i+2, end, func(k int) bool { return p.op(k, ",") }))
	}
	return sameAs(c, first)
}

// jsonValue translates JSON_VALUE. A call with clauses is no plain call.
func (p *translator) jsonValue(at sqlplan.Span, n *ast.JSONValueExpr) sqlplan.Expr {
	args := p.unknown(n).Children
	if len(args) == 2 && n.Returning == nil {
		c := &sqlplan.Call{Span: at, Name: "json_value", Args: args}
		if i := p.first(n); i >= 0 && p.word(i, "JSON_VALUE") && p.op(i+1, "(") {
			c.Span, c.ArgsEnd = p.span(i, i+1), p.tokens[p.tokens[i+1].mate].start
		}
		return c
	}
	return &sqlplan.Op{Span: at, What: "a function", Operands: args}
}

// arrowPath is the path of column->'$.path', for which the parser makes up a call of
// JSON_EXTRACT with a literal that has no place; else nil.
func (p *translator) arrowPath(n *ast.FuncCallExpr) sqlplan.Expr {
	if n.FnName.L != ast.JSONExtract || len(n.Args) != 2 || n.Args[1].OriginTextPosition() != 0 {
		return nil
	}
	ref, ok := n.Args[0].(*ast.ColumnNameExpr)
	if !ok {
		return nil
	}
	i := p.nameEnd(p.first(ref))
	if !p.op(i, "->") && !p.op(i, "->>") {
		return nil
	}
	end := p.literalEnd(i + 1)
	lit, ok := p.literalAt(i+1, end)
	if !ok {
		return nil
	}
	return &sqlplan.Constant{Span: p.span(i+1, end), Value: lit}
}

// sameAs writes the functions that are other spellings of CASE, COALESCE and IS NULL
// as those. first is the place of the first argument.
func sameAs(c *sqlplan.Call, first sqlplan.Span) sqlplan.Expr {
	switch {
	case c.Schema != "":
	case c.Name == "if" && len(c.Args) == 3:
		return &sqlplan.Case{Span: c.Span, Whens: []sqlplan.When{{Cond: c.Args[0], Result: c.Args[1], CondSpan: first}}, Else: c.Args[2]}
	case c.Name == "ifnull" && len(c.Args) == 2:
		c.Name = "coalesce"
	case c.Name == "isnull" && len(c.Args) == 1:
		return &sqlplan.IsNull{Span: c.Span, Expr: c.Args[0]}
	}
	return c
}

func (p *translator) valuesRef(at sqlplan.Span, n *ast.ColumnNameExpr) *sqlplan.ValuesRef {
	p.read[n], p.read[n.Name] = true, true
	if i := p.tokenAt(at.Start); i >= 0 && p.op(i+1, "(") {
		at.End = p.tokens[p.tokens[i+1].mate].end
	}
	return &sqlplan.ValuesRef{Span: at, Column: n.Name.Name.O}
}

func firstColumn(args []ast.ExprNode) (*ast.ColumnNameExpr, bool) {
	if len(args) != 1 {
		return nil, false
	}
	ref, ok := args[0].(*ast.ColumnNameExpr)
	return ref, ok
}

// dateLiteral translates DATE '2020-01-01'; the braces of ODBC are left alone.
func (p *translator) dateLiteral(n *ast.FuncCallExpr) sqlplan.Expr {
	for _, a := range n.Args {
		p.read[a] = true
	}
	i := p.tokenAt(n.OriginTextPosition())
	if i < 0 || p.anyWord(i, "DATE", "TIME", "TIMESTAMP") == "" || p.tokens[i+1].kind != kindString {
		return &sqlplan.Op{Span: p.near(n), What: "an ODBC literal"}
	}
	lit, ok := p.literalAt(i, i+2)
	if !ok {
		return &sqlplan.Op{Span: p.near(n), What: "a date literal"}
	}
	return &sqlplan.Constant{Span: p.span(i, i+2), Value: lit}
}

func (p *translator) cast(n *ast.FuncCastExpr) sqlplan.Expr {
	i := p.first(n)
	c := &sqlplan.Cast{Span: p.span(i, i+1), Expr: p.expr(n.Expr), Type: "unknown"}
	if p.op(i+1, "(") && !p.word(i, "BINARY") {
		c.Span = p.span(i, p.tokens[i+1].mate+1)
	} else {
		c.Span.End = c.Expr.At().End // BINARY x; exact for what needs it
	}
	if n.Tp.GetType() != marinomysql.TypeVarString && n.Tp.GetType() != marinomysql.TypeString || n.Tp.IsArray() {
		return c
	}
	bare := n.FunctionType == ast.CastBinaryOperator || p.bareType(i+1)
	switch {
	case n.Tp.GetCharset() == "binary":
		c.Type, c.Plain = "binary", bare
	case !n.ExplicitCharSet:
		c.Type, c.Plain = "varchar", bare
	}
	return c
}

// bareType is true if the type at the end of the parenthesis at token i is a
// single word.
func (p *translator) bareType(i int) bool {
	end := p.tokens[i].mate
	return p.anyWord(end-1, "CHAR", "BINARY", "VARCHAR", "NCHAR") != "" && (p.word(end-2, "AS") || p.op(end-2, ","))
}

func (p *translator) aggregate(n *ast.AggregateFuncExpr) sqlplan.Expr {
	i := p.first(n)
	c := &sqlplan.Call{
		Span: p.near(n), Name: strings.ToLower(p.tokens[i].text), Args: p.exprs(n.Args), Distinct: n.Distinct,
		Star: p.op(i+1, "(") && p.op(i+2, "*"),
	}
	if p.op(i+1, "(") {
		c.ArgsEnd = p.tokens[p.tokens[i+1].mate].start
	}
	c.Rest = p.orderBy(n.Order)
	return c
}

func (p *translator) window(n *ast.WindowFuncExpr) sqlplan.Expr {
	i := p.first(n)
	partition, rest := p.windowSpec(&n.Spec)
	return &sqlplan.Call{
		Span: p.near(n), Name: strings.ToLower(p.tokens[i].text), Args: p.exprs(n.Args), Distinct: n.Distinct,
		Star: p.op(i+2, "*"), Partition: partition, Rest: rest, Windowed: true,
	}
}

// windowSpec returns what a window is partitioned by, and what orders and frames it.
func (p *translator) windowSpec(w *ast.WindowSpec) (partition, rest []sqlplan.Expr) {
	if w.PartitionBy != nil {
		partition = p.byItems(w.PartitionBy.Items)
	}
	rest = p.orderBy(w.OrderBy)
	if w.Frame != nil {
		rest = append(rest, p.exprs([]ast.ExprNode{w.Frame.Extent.Start.Expr, w.Frame.Extent.End.Expr})...)
	}
	return partition, rest
}

func (p *translator) byItems(items []*ast.ByItem) []sqlplan.Expr {
	var out []sqlplan.Expr
	for _, item := range items {
		if e := p.expr(item.Expr); e != nil {
			out = append(out, e)
		}
	}
	return out
}

func (p *translator) orderBy(o *ast.OrderByClause) []sqlplan.Expr {
	if o == nil {
		return nil
	}
	return p.byItems(o.Items)
}

func (p *translator) caseExpr(n *ast.CaseExpr) sqlplan.Expr {
	c := &sqlplan.Case{Span: p.near(n), Arg: p.expr(n.Value), Else: p.expr(n.ElseClause)}
	at := p.first(n) + 1
	if !p.word(at-1, "CASE") {
		fail("CASE is not where the parser saw it")
	}
	when := p.caseWord(at, "WHEN")
	if c.Arg != nil {
		c.ArgSpan = p.span(at, when)
	}
	for _, w := range n.WhenClauses {
		then := p.caseWord(when+1, "THEN")
		c.Whens = append(c.Whens, sqlplan.When{Cond: p.expr(w.Expr), Result: p.expr(w.Result), CondSpan: p.span(when+1, then)})
		when = p.caseWord(then+1, "WHEN", "ELSE", "END")
	}
	return c
}

// caseWord returns the index of the first of the keywords from token i on that belongs
// to the CASE around it, not to one within.
func (p *translator) caseWord(i int, keywords ...string) int {
	depth := 0
	k := p.seek(i, p.unit.end, func(k int) bool {
		switch {
		case p.word(k, "CASE"):
			depth++
		case depth > 0 && p.word(k, "END"):
			depth--
		case depth == 0:
			return p.anyWord(k, keywords...) != ""
		}
		return false
	})
	if k == p.unit.end {
		fail("CASE is not where the parser saw it")
	}
	return k
}

// defaultExpr translates DEFAULT and DEFAULT(column).
func (p *translator) defaultExpr(n *ast.DefaultExpr) sqlplan.Expr {
	at := p.near(n)
	if n.Name == nil {
		return &sqlplan.Default{Span: at}
	}
	return &sqlplan.Op{Span: at, What: "DEFAULT()", Operands: []sqlplan.Expr{p.columnRef(at, n.Name)}}
}
