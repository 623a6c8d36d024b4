package sqlplan

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"testing"
)

// nodes is one value of every type that embeds Span in ir.go.
var nodes = []any{&ColumnRef{}, &Param{}, &Constant{}, &Null{}, &Default{}, &Cast{}, &Each{}, &IsNull{}, &Call{}, &Case{}, &Row{}, &Field{}, &Sub{},
	&ValuesRef{}, &Op{}, &Unknown{}, &TableRef{}, &Derived{}, &Join{}, &TableFunction{}, &With{}, &CTE{}, &Query{}, &Select{}, &Target{},
	&SetOp{}, &Values{}, &ValuesRow{}, &Insert{}, &InsertColumn{}, &Conflict{}, &Assignment{}, &AssignTarget{}, &Returning{}, &Update{},
	&Delete{}, &Merge{}, &Utility{}}

// parts are the types that embed Span and stand in no syntax interface: they
// are reached through the fields of their owners.
var parts = []string{"With", "CTE", "Target", "ValuesRow", "InsertColumn", "Conflict", "Assignment", "AssignTarget", "Returning"}

// TestNodesAreListed holds the list above to the declarations.
func TestNodesAreListed(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "ir.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared, listed []string
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range g.Specs {
			if x, ok := s.(*ast.TypeSpec); ok && embedsSpan(x.Type) {
				declared = append(declared, x.Name.Name)
			}
		}
	}
	for _, n := range nodes {
		name := reflect.TypeOf(n).Elem().Name()
		listed = append(listed, name)
		_, isExpr := n.(Expr)
		_, isTable := n.(TableExpr)
		_, isStatement := n.(Statement)
		_, isBody := n.(QueryBody)
		if sealed := isExpr || isTable || isStatement || isBody; sealed == slices.Contains(parts, name) {
			t.Errorf("%s: in a syntax interface: %v", name, sealed)
		}
	}
	slices.Sort(declared)
	slices.Sort(listed)
	if !slices.Equal(declared, listed) || len(declared) != 38 {
		t.Errorf("ir.go declares %d nodes %v\nlisted are %v", len(declared), declared, listed)
	}
}

func embedsSpan(e ast.Expr) bool {
	s, ok := e.(*ast.StructType)
	if !ok {
		return false
	}
	return slices.ContainsFunc(s.Fields.List, func(f *ast.Field) bool {
		id, ok := f.Type.(*ast.Ident)
		return ok && len(f.Names) == 0 && id.Name == "Span"
	})
}

// TestEveryOperandIsListed puts a mark into every field of every expression that
// holds an expression, and finds it again.
func TestEveryOperandIsListed(t *testing.T) {
	tried := 0
	for _, n := range nodes {
		e, ok := n.(Expr)
		if !ok {
			continue
		}
		v := reflect.ValueOf(n).Elem()
		for i := range v.NumField() {
			mark := &Param{}
			if !plant(v.Field(i), mark) {
				continue
			}
			tried++
			found := false
			walk(e, func(x Expr) bool {
				found = found || x == Expr(mark)
				return true
			})
			if !found {
				t.Errorf("%s.%s is not among the operands", v.Type().Name(), v.Type().Field(i).Name)
			}
		}
	}
	if tried != 14 {
		t.Errorf("tried %d fields", tried)
	}
}

// plant puts the mark into a field; false if no expression fits there.
func plant(f reflect.Value, mark Expr) bool {
	exprType := reflect.TypeFor[Expr]()
	switch {
	case f.Type() == exprType:
		f.Set(reflect.ValueOf(mark))
	case f.Type() == reflect.SliceOf(exprType):
		f.Set(reflect.ValueOf([]Expr{mark}))
	case f.Type() == reflect.TypeFor[[]When]():
		f.Set(reflect.ValueOf([]When{{Cond: &Null{}, Result: mark}}))
	default:
		return false
	}
	return true
}
