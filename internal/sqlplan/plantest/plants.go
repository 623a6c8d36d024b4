package plantest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// mark is the value that must not be sent.
const mark = "planted-900-12-3456"

// plants compare a protected column with the mark, wherever they stand: within as
// many sub-selects as their place says.
var plants = []string{
	"(SELECT 1 FROM accounts WHERE accounts.ssn = '" + mark + "')",
	"(EXISTS (SELECT 1 FROM other WHERE id IN (SELECT 1 FROM accounts a WHERE '" + mark + "' = a.ssn)))",
}

// Grammar is a dialect's parser, for [Plants].
type Grammar struct {
	// Spans are the tokens of a text that a plant is tried in the place of.
	Spans func(text string) ([]sqlplan.Span, error)
	// Parse returns a text's tree.
	Parse func(text string) (any, error)
	// Sub is the field that leads to a sub-select.
	Sub string
	// Package is the import path of the tree's types; Types are the types, as the
	// package writes them, of fields that can hold an expression.
	Package string
	Types   []string
}

// Plants puts a protected comparison in the place of every token of every seed
// where the parser takes it, and wants each text refused. The golden file lists the
// fields of the parser's tree that can hold an expression: those that one was put
// into, and the others. A field that a new version of the parser adds is seen there.
func Plants(t *testing.T, p Planner, g Grammar, seeds []string, golden string, update bool) {
	reached := map[string]bool{}
	tried := 0
	for _, seed := range seeds {
		spans, err := g.Spans(seed)
		if err != nil {
			continue
		}
		for _, s := range spans {
			for depth, plant := range plants {
				text := seed[:s.Start] + plant + seed[s.End:]
				tree, err := g.Parse(text)
				if err != nil {
					break // no place for an expression
				}
				tried++
				for _, f := range around(tree, g, depth) {
					reached[f] = true
				}
				plan, err := p.Plan(t.Context(), text)
				if _, refused := errors.AsType[*sqlplan.Refusal](err); !refused {
					t.Errorf("planned: %s\n%v %+v", text, err, plan)
				}
			}
		}
	}
	if tried < 1000 {
		t.Errorf("tried %d texts", tried)
	}
	got := g.report(t, reached)
	if update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s is not what the seeds reach; run the test with -update and look at the difference", golden)
	}
}

// report lists the fields of the parser's types.
func (g Grammar) report(t *testing.T, reached map[string]bool) string {
	var in, out []string
	for _, f := range g.fields(t) {
		if reached[f] {
			in = append(in, f)
		} else {
			out = append(out, f)
		}
	}
	return fmt.Sprintf("# %d fields in which a protected comparison was refused:\n%s\n\n# %d fields that hold other things, or that no seed reaches:\n%s\n",
		len(in), strings.Join(in, "\n"), len(out), strings.Join(out, "\n"))
}

// fields lists the fields, as Type.Field, of one of g.Types.
func (g Grammar) fields(t *testing.T) (list []string) {
	pkg, err := build.Import(g.Package, ".", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range pkg.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(pkg.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if st, ok := s.Type.(*ast.StructType); ok {
				for _, f := range st.Fields.List {
					for _, id := range f.Names {
						if slices.Contains(g.Types, types.ExprString(f.Type)) && id.IsExported() {
							list = append(list, s.Name.Name+"."+id.Name)
						}
					}
				}
			}
			return false
		})
	}
	slices.Sort(list)
	return list
}

// around lists the fields that lead to the plant, in which the mark is depth
// sub-selects further in.
func around(tree any, g Grammar, depth int) []string {
	path := find(reflect.ValueOf(tree), nil)
	for i := len(path) - 1; i > 0; i-- {
		if path[i] != g.Sub {
			continue
		}
		if depth--; depth < 0 {
			return path[:i]
		}
	}
	return path
}

// find returns the fields that lead to the mark.
func find(v reflect.Value, path []string) []string {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			return find(v.Elem(), path)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if strings.Contains(string(v.Bytes()), mark) {
				return path
			}
			return nil
		}
		for i := range v.Len() {
			if p := find(v.Index(i), path); p != nil {
				return p
			}
		}
	case reflect.String:
		if strings.Contains(v.String(), mark) {
			return path
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() && v.Type().Name() != "Datum" {
				continue
			}
			name := v.Type().Name() + "." + f.Name
			if p := find(v.Field(i), append(path[:len(path):len(path)], name)); p != nil {
				return p
			}
		}
	}
	return nil
}

// Statements reads statements that stand between lines of ";;".
func Statements(t testing.TB, paths ...string) (list []string) {
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for s := range strings.SplitSeq(string(data), "\n;;\n") {
			if s = strings.TrimSpace(s); s != "" {
				list = append(list, s)
			}
		}
	}
	return list
}
