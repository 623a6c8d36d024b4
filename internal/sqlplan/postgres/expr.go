package postgres

import (
	"encoding/hex"
	"math/big"
	"strconv"
	"strings"

	pg "github.com/sqlc-dev/oliphant/ast"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

func (p *translator) exprs(list []*pg.Node) []sqlplan.Expr {
	var out []sqlplan.Expr
	for _, n := range list {
		out = append(out, p.expr(n))
	}
	return out
}

func (p *translator) optional(n *pg.Node) sqlplan.Expr {
	if n == nil || n.GetNode() == nil {
		return nil
	}
	return p.expr(n)
}

func list(nodes ...*pg.Node) []*pg.Node {
	out := nodes[:0]
	for _, n := range nodes {
		if n != nil && n.GetNode() != nil {
			out = append(out, n)
		}
	}
	return out
}

// expr translates an expression.
func (p *translator) expr(n *pg.Node) sqlplan.Expr {
	p.read[inner(n)] = true
	switch x := n.GetNode().(type) {
	case *pg.Node_ColumnRef:
		return p.column(x.ColumnRef)
	case *pg.Node_ParamRef:
		i := p.tokenAt(x.ParamRef.Location)
		if p.tokens[i].kind != kindParam || p.tokens[i].text != strconv.Itoa(int(x.ParamRef.Number)) {
			p.fail()
		}
		return &sqlplan.Param{Span: p.span(i, i+1), Index: int(x.ParamRef.Number) - 1}
	case *pg.Node_AConst:
		return p.constant(x.AConst)
	case *pg.Node_TypeCast:
		return p.cast(x.TypeCast)
	case *pg.Node_AExpr:
		if x.AExpr.Kind == pg.A_Expr_Kind_AEXPR_NULLIF {
			return &sqlplan.Call{Span: near(x.AExpr.Location), Name: "nullif", Args: p.exprs(list(x.AExpr.Lexpr, x.AExpr.Rexpr))}
		}
		if c := p.positive(x.AExpr); c != nil {
			return c
		}
		return p.operator(x.AExpr)
	case *pg.Node_BoolExpr:
		what := map[pg.BoolExprType]string{pg.BoolExprType_AND_EXPR: sqlplan.OpAnd, pg.BoolExprType_OR_EXPR: sqlplan.OpOr, pg.BoolExprType_NOT_EXPR: sqlplan.OpNot}
		return &sqlplan.Op{Span: near(x.BoolExpr.Location), What: what[x.BoolExpr.Boolop], Operands: p.exprs(x.BoolExpr.Args)}
	case *pg.Node_NullTest:
		return &sqlplan.IsNull{Span: near(x.NullTest.Location), Expr: p.expr(x.NullTest.Arg), Not: x.NullTest.Nulltesttype == pg.NullTestType_IS_NOT_NULL}
	case *pg.Node_FuncCall:
		return p.call(x.FuncCall)
	case *pg.Node_CaseExpr:
		return p.caseOf(x.CaseExpr)
	case *pg.Node_CoalesceExpr:
		return &sqlplan.Call{Span: near(x.CoalesceExpr.Location), ArgsEnd: p.argsEnd(x.CoalesceExpr.Location), Name: "coalesce", Args: p.exprs(x.CoalesceExpr.Args)}
	case *pg.Node_MinMaxExpr:
		return &sqlplan.Call{Span: near(x.MinMaxExpr.Location), Name: "greatest", Args: p.exprs(x.MinMaxExpr.Args)}
	case *pg.Node_SubLink:
		return p.sub(x.SubLink)
	case *pg.Node_RowExpr:
		return &sqlplan.Row{Span: near(x.RowExpr.Location), Items: p.exprs(x.RowExpr.Args)}
	case *pg.Node_AIndirection:
		return p.indirection(x.AIndirection)
	case *pg.Node_SetToDefault:
		i := p.tokenAt(x.SetToDefault.Location)
		return &sqlplan.Default{Span: p.span(i, i+1)}
	}
	return p.other(n)
}

// other translates what computes from its operands without more ado.
func (p *translator) other(n *pg.Node) sqlplan.Expr {
	switch x := n.GetNode().(type) {
	case *pg.Node_List:
		return &sqlplan.Op{What: "list", Operands: p.exprs(x.List.Items)}
	case *pg.Node_SortBy:
		return p.expr(x.SortBy.Node)
	case *pg.Node_NamedArgExpr:
		return p.expr(x.NamedArgExpr.Arg)
	case *pg.Node_BooleanTest:
		return &sqlplan.Op{Span: near(x.BooleanTest.Location), What: "IS", Operands: []sqlplan.Expr{p.expr(x.BooleanTest.Arg)}}
	case *pg.Node_AArrayExpr:
		return &sqlplan.Op{Span: near(x.AArrayExpr.Location), What: sqlplan.OpArray, Operands: p.exprs(x.AArrayExpr.Elements)}
	case *pg.Node_CollateClause:
		return &sqlplan.Op{Span: near(x.CollateClause.Location), What: "COLLATE", Operands: p.exprs(list(x.CollateClause.Arg))}
	case *pg.Node_SqlvalueFunction:
		return &sqlplan.Op{Span: near(x.SqlvalueFunction.Location), What: "function"}
	case *pg.Node_WindowDef, *pg.Node_GroupingSet, *pg.Node_IndexElem:
		return &sqlplan.Op{What: "clause", Operands: p.childrenOf(n)}
	case *pg.Node_JsonFuncExpr:
		return p.jsonFunction(n, x.JsonFuncExpr)
	case *pg.Node_MergeSupportFunc, *pg.Node_GroupingFunc, *pg.Node_XmlExpr, *pg.Node_XmlSerialize, *pg.Node_JsonIsPredicate, *pg.Node_JsonObjectConstructor,
		*pg.Node_JsonArrayConstructor, *pg.Node_JsonObjectAgg, *pg.Node_JsonArrayAgg, *pg.Node_JsonParseExpr, *pg.Node_JsonScalarExpr, *pg.Node_JsonSerializeExpr:
		return &sqlplan.Op{What: "function", Operands: p.childrenOf(n)}
	}
	return &sqlplan.Unknown{What: "a construct that is not known", Children: p.childrenOf(n)}
}

// childrenOf finds every expression beneath a node, whatever the node is.
func (p *translator) childrenOf(n *pg.Node) []sqlplan.Expr {
	var out []sqlplan.Expr
	p.collect(n.ProtoReflect(), true, &out)
	return out
}

func (p *translator) collect(m protoreflect.Message, top bool, out *[]sqlplan.Expr) {
	if n, ok := m.Interface().(*pg.Node); ok && !top {
		switch x := n.GetNode().(type) {
		case nil, *pg.Node_String_, *pg.Node_Integer, *pg.Node_Float, *pg.Node_Boolean, *pg.Node_BitString, *pg.Node_AStar:
			return
		case *pg.Node_TypeName:
			p.modifiers(x.TypeName)
		case *pg.Node_SelectStmt:
			q := p.query(x.SelectStmt)
			*out = append(*out, &sqlplan.Sub{Span: q.Span, Kind: sqlplan.SubArray, Query: q})
			return
		case *pg.Node_ColumnRef, *pg.Node_ParamRef, *pg.Node_AConst, *pg.Node_TypeCast, *pg.Node_AExpr, *pg.Node_BoolExpr, *pg.Node_NullTest,
			*pg.Node_FuncCall, *pg.Node_CaseExpr, *pg.Node_CoalesceExpr, *pg.Node_MinMaxExpr, *pg.Node_SubLink, *pg.Node_RowExpr, *pg.Node_AIndirection:
			*out = append(*out, p.expr(n))
			return
		}
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Kind() != protoreflect.MessageKind:
		case f.IsList():
			for i := range v.List().Len() {
				p.collect(v.List().Get(i).Message(), false, out)
			}
		default:
			p.collect(v.Message(), false, out)
		}
		return true
	})
}

func (p *translator) column(c *pg.ColumnRef) sqlplan.Expr {
	i := p.tokenAt(c.Location)
	j := i + 1
	for range len(c.Fields) - 1 {
		if !p.op(j, ".") {
			p.fail()
		}
		j += 2
	}
	out := &sqlplan.ColumnRef{Span: p.span(i, j)}
	for k, n := range c.Fields {
		switch {
		case n.GetAStar() != nil:
			out.Star = true
		case k == len(c.Fields)-1:
			out.Name = str(n)
		default:
			out.Qualifier = append(out.Qualifier, str(n))
		}
	}
	return out
}

// constantEnd returns the token after a constant that begins at token i. The parser takes
// its signs, and parentheses behind a sign, into the constant.
func (p *translator) constantEnd(i int) int {
	first := i
	for p.op(i, "-") || p.op(i, "+") {
		i++
	}
	if i > first && p.op(i, "(") {
		return p.tokens[i].mate + 1
	}
	if p.tokens[i].kind == kindString && p.word(i+1, "uescape") {
		return i + 3
	}
	return i + 1
}

func (p *translator) constant(c *pg.A_Const) sqlplan.Expr {
	i := p.tokenAt(c.Location)
	span := p.span(i, p.constantEnd(i))
	value := func(kind sqlplan.LiteralKind, text string) sqlplan.Expr {
		return &sqlplan.Constant{Span: span, Value: sqlplan.Literal{Kind: kind, Text: text}}
	}
	if c.Isnull {
		return &sqlplan.Null{Span: span}
	}
	switch v := c.Val.(type) {
	case *pg.A_Const_Ival:
		return value(sqlplan.LiteralInteger, strconv.Itoa(int(v.Ival.Ival)))
	case *pg.A_Const_Fval:
		switch s := strings.ReplaceAll(v.Fval.Fval, "_", ""); {
		case strings.ContainsAny(s, "eE") && !strings.HasPrefix(lower(s), "0x"):
			return value(sqlplan.LiteralFloat, s)
		case strings.Contains(s, "."):
			return value(sqlplan.LiteralDecimal, s)
		default:
			n, ok := new(big.Int).SetString(s, 0)
			if !ok {
				return &sqlplan.Op{Span: span, What: "constant"}
			}
			return value(sqlplan.LiteralInteger, n.String())
		}
	case *pg.A_Const_Boolval:
		return value(sqlplan.LiteralBool, strconv.FormatBool(v.Boolval.Boolval))
	case *pg.A_Const_Sval:
		if p.tokens[i].kind != kindString {
			return &sqlplan.Op{Span: span, What: "constant"} // a typed literal's inner part
		}
		if p.tokens[i].national(p.src) {
			return value(sqlplan.LiteralString, strings.TrimRight(v.Sval.Sval, " ")) // as character does when it becomes text
		}
		return value(sqlplan.LiteralString, v.Sval.Sval)
	}
	return &sqlplan.Op{Span: span, What: "a bit string"}
}

// typeNames are the catalog's names of the types whose casts keep a value.
var typeNames = map[string]string{"text": "text", "varchar": "character varying", "bytea": "bytea", "uuid": "uuid", "int2": "smallint",
	"int4": "integer", "int8": "bigint", "numeric": "numeric", "bool": "boolean", "float8": "double precision", "json": "json"}

// typedNames are the types whose casts say which type a value has, and no more.
var typedNames = map[string]bool{"date": true, "timestamptz": true, "timestamp": true, "jsonb": true}

func (p *translator) cast(c *pg.TypeCast) sqlplan.Expr {
	name := last(names(c.TypeName.GetNames()))
	out := &sqlplan.Cast{Type: name, Span: near(c.Location)}
	if known, ok := typeNames[name]; ok {
		out.Type = known
		out.Plain = len(c.TypeName.Typmods) == 0 && len(c.TypeName.ArrayBounds) == 0 && !c.TypeName.Setof
	}
	if typedNames[name] {
		out.Typed = len(c.TypeName.Typmods) == 0 && len(c.TypeName.ArrayBounds) == 0 && !c.TypeName.Setof
	}
	if len(c.TypeName.ArrayBounds) == 1 && len(c.TypeName.Typmods) == 0 && !c.TypeName.Setof {
		_, out.Array = typeNames[name]
		out.Array = out.Array || typedNames[name]
	}
	out.Expr = p.expr(c.Arg)
	if !isLeaf(out.Expr) {
		if ends(out.Expr) {
			out.Span = p.castSpan(c, out.Expr)
		}
		return out
	}
	out.Span = p.castSpan(c, out.Expr)
	if k, ok := out.Expr.(*sqlplan.Constant); ok && out.Type == "bytea" && out.Plain {
		b, ok := byteaText(k.Value.Text)
		if ok && k.Value.Kind == sqlplan.LiteralString {
			return &sqlplan.Constant{Span: out.Span, Value: sqlplan.Literal{Kind: sqlplan.LiteralBytes, Text: b}}
		}
		out.Plain = false
	}
	return out
}

func isLeaf(e sqlplan.Expr) bool {
	switch e := e.(type) {
	case *sqlplan.Param, *sqlplan.Constant, *sqlplan.Null:
		return true
	case *sqlplan.Cast:
		return isLeaf(e.Expr)
	case *sqlplan.Op:
		return e.What == "constant"
	}
	return false
}

// ends reports whether the span of a cast of the expression is made exact.
func ends(e sqlplan.Expr) bool {
	switch e := e.(type) {
	case *sqlplan.ColumnRef:
		return !e.Star
	case *sqlplan.Op:
		return e.What == sqlplan.OpArray
	case *sqlplan.Call:
		return e.ArgsEnd > 0
	case *sqlplan.Cast:
		return ends(e.Expr)
	}
	return false
}

// byteaText decodes the text form of a bytea.
func byteaText(s string) (string, bool) {
	if strings.HasPrefix(s, `\x`) {
		b, err := hex.DecodeString(s[2:])
		return string(b), err == nil
	}
	return s, !strings.Contains(s, `\`)
}

func (p *translator) castSpan(c *pg.TypeCast, arg sqlplan.Expr) sqlplan.Span {
	if c.Location < 0 { // DATE '2024-01-01'
		return p.span(p.tokenAt(c.TypeName.GetLocation()), p.constantEnd(p.tokenFrom(arg.At().Start)))
	}
	i := p.tokenAt(c.Location)
	switch {
	case p.op(i, "::"):
		first := p.tokenFrom(arg.At().Start)
		if p.op(i-1, ")") {
			first = min(first, p.tokens[i-1].mate)
		}
		return p.span(first, p.typeEnd(i+1))
	case p.word(i, "cast") && p.op(i+1, "("):
		return p.span(i, p.tokens[i+1].mate+1)
	}
	end := i
	for end < p.end && p.tokens[end].kind != kindString {
		end++
	}
	if end >= p.end {
		return p.span(i, i+1)
	}
	return p.span(i, p.constantEnd(end))
}

// typeEnd returns the token after a type's name.
func (p *translator) typeEnd(i int) int {
	first := i
	if p.word(i, "setof") {
		i++
	}
	i++
	for p.op(i, ".") {
		i += 2
	}
	switch {
	case p.word(first, "double") && p.word(i, "precision"), p.word(first, "character", "char", "bit", "nchar") && p.word(i, "varying"):
		i++
	case p.word(first, "national") && p.word(i, "character", "char"):
		i++
		if p.word(i, "varying") {
			i++
		}
	}
	if p.op(i, "(") {
		i = p.tokens[i].mate + 1
	}
	if p.word(first, "timestamp", "time") && p.word(i, "with", "without") && p.word(i+1, "time") && p.word(i+2, "zone") {
		i += 3
	}
	if p.word(i, "array") {
		i++
	}
	for p.op(i, "[") {
		i = p.tokens[i].mate + 1
	}
	return i
}

func (p *translator) operator(e *pg.A_Expr) sqlplan.Expr {
	out := &sqlplan.Op{Span: near(e.Location), What: "operator " + last(names(e.Name))}
	plainEqual := len(e.Name) == 1 && str(e.Name[0]) == "="
	plainUnequal := len(e.Name) == 1 && str(e.Name[0]) == "<>"
	switch e.Kind {
	case pg.A_Expr_Kind_AEXPR_OP:
		if len(e.Name) == 1 {
			out.What = str(e.Name[0])
		}
		if plainEqual {
			out.What = sqlplan.OpEqual
		}
	case pg.A_Expr_Kind_AEXPR_IN:
		if e.Rexpr.GetList() != nil && (plainEqual || plainUnequal) {
			out.What = sqlplan.OpIn
			if plainUnequal {
				out.What = sqlplan.OpNotIn
			}
			out.Operands = append([]sqlplan.Expr{p.expr(e.Lexpr)}, p.exprs(e.Rexpr.GetList().Items)...)
			return out
		}
	case pg.A_Expr_Kind_AEXPR_DISTINCT:
		out.What = sqlplan.OpDistinct
	case pg.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		out.What = sqlplan.OpSame
	case pg.A_Expr_Kind_AEXPR_OP_ANY:
		if plainEqual {
			out.What = sqlplan.OpAny
		} else if plainUnequal {
			out.What = sqlplan.OpAll
		}
	case pg.A_Expr_Kind_AEXPR_OP_ALL:
		if plainEqual || plainUnequal {
			out.What = sqlplan.OpAll
		}
	}
	out.Operands = p.exprs(list(e.Lexpr, e.Rexpr))
	return out
}

// positive translates +5, which the parser takes for an operator and -5 for a constant; it
// returns nil for anything else.
func (p *translator) positive(e *pg.A_Expr) sqlplan.Expr {
	if e.Kind != pg.A_Expr_Kind_AEXPR_OP || e.Lexpr != nil || len(e.Name) != 1 || str(e.Name[0]) != "+" {
		return nil
	}
	i := p.tokenAt(e.Location)
	if e.Rexpr.GetAConst() == nil || int32(p.tokens[i+1].start) != e.Rexpr.GetAConst().Location || p.tokens[i+1].kind != kindNumber {
		return nil
	}
	c, ok := p.expr(e.Rexpr).(*sqlplan.Constant)
	if !ok {
		return nil
	}
	c.Start = p.tokens[i].start
	return c
}

func (p *translator) call(c *pg.FuncCall) sqlplan.Expr {
	parts := names(c.Funcname)
	out := &sqlplan.Call{Span: near(c.Location), ArgsEnd: p.argsEnd(c.Location), Name: last(parts), Args: p.exprs(c.Args), Distinct: c.AggDistinct, Star: c.AggStar, Windowed: c.Over != nil}
	if len(parts) > 1 {
		out.Schema = parts[len(parts)-2]
	}
	out.Rest = append(p.exprs(c.AggOrder), p.exprs(list(c.AggFilter))...)
	if c.Over != nil {
		out.Partition = p.exprs(c.Over.PartitionClause)
		rest := &pg.WindowDef{OrderClause: c.Over.OrderClause, StartOffset: c.Over.StartOffset, EndOffset: c.Over.EndOffset}
		p.collect(rest.ProtoReflect(), true, &out.Rest)
	}
	return out
}

// argsEnd is the offset of the parenthesis that closes a call's arguments, 0 for a call
// that is spelled without parentheses.
func (p *translator) argsEnd(location int32) int {
	i := p.tokenFrom(int(location)) + 1
	for p.op(i, ".") {
		i += 2
	}
	if location < 0 || !p.op(i, "(") {
		return 0
	}
	return p.tokens[p.tokens[i].mate].start
}

func (p *translator) caseOf(c *pg.CaseExpr) sqlplan.Expr {
	out := &sqlplan.Case{Span: near(c.Location), Arg: p.optional(c.Arg), Else: p.optional(c.Defresult)}
	at := p.tokenAt(c.Location) + 1
	when := p.seek(at, false, "when")
	if out.Arg != nil {
		out.ArgSpan = p.span(at, when)
	}
	for _, n := range c.Args {
		w := n.GetCaseWhen()
		then := p.seek(when+1, false, "then")
		if !p.word(when, "when") || !p.word(then, "then") {
			p.fail()
		}
		out.Whens = append(out.Whens, sqlplan.When{Cond: p.expr(w.Expr), Result: p.expr(w.Result), CondSpan: p.span(when+1, then)})
		when = p.seek(then+1, false, "when", "else", "end")
	}
	return out
}

func (p *translator) sub(s *pg.SubLink) sqlplan.Expr {
	q := s.Subselect.GetSelectStmt()
	if q == nil {
		p.fail()
	}
	out := &sqlplan.Sub{Span: near(s.Location), Query: p.query(q), Test: p.optional(s.Testexpr)}
	switch s.SubLinkType {
	case pg.SubLinkType_EXISTS_SUBLINK:
		out.Kind = sqlplan.SubExists
	case pg.SubLinkType_EXPR_SUBLINK:
		out.Kind = sqlplan.SubScalar
	case pg.SubLinkType_ARRAY_SUBLINK:
		out.Kind = sqlplan.SubArray
	default:
		out.Kind = sqlplan.SubIn
		name := ""
		if len(s.OperName) == 1 {
			name = str(s.OperName[0])
		}
		out.Found = s.SubLinkType == pg.SubLinkType_ANY_SUBLINK && (len(s.OperName) == 0 || name == "=")
		out.Equal = out.Found || name == "=" || name == "<>"
	}
	return out
}

// jsonFunction translates JSON_VALUE and JSON_QUERY. A call with clauses is no plain call.
func (p *translator) jsonFunction(n *pg.Node, x *pg.JsonFuncExpr) sqlplan.Expr {
	name := map[pg.JsonExprOp]string{pg.JsonExprOp_JSON_VALUE_OP: "json_value", pg.JsonExprOp_JSON_QUERY_OP: "json_query"}[x.Op]
	plain := x.Output == nil && x.OnEmpty == nil && x.OnError == nil && len(x.Passing) == 0 && x.Wrapper <= pg.JsonWrapper_JSW_NONE && x.Quotes <= pg.JsonQuotes_JS_QUOTES_UNSPEC
	if name == "" || !plain || x.ContextItem.GetRawExpr() == nil || x.ContextItem.GetFormat().GetFormatType() > pg.JsonFormatType_JS_FORMAT_DEFAULT {
		return &sqlplan.Op{What: "function", Operands: p.childrenOf(n)}
	}
	return &sqlplan.Call{Span: near(x.Location), Name: name, Args: []sqlplan.Expr{p.expr(x.ContextItem.GetRawExpr()), p.expr(x.Pathspec)}}
}

func (p *translator) indirection(x *pg.A_Indirection) sqlplan.Expr {
	e := p.expr(x.Arg)
	for _, n := range x.Indirection {
		switch {
		case n.GetString_() != nil:
			e = &sqlplan.Field{Span: e.At(), Expr: e, Name: str(n)}
		case n.GetAStar() != nil:
			e = &sqlplan.Field{Span: e.At(), Expr: e, Star: true}
		default:
			e = &sqlplan.Op{Span: e.At(), What: sqlplan.OpSubscript, Operands: append([]sqlplan.Expr{e}, p.childrenOf(n)...)}
		}
	}
	return e
}
