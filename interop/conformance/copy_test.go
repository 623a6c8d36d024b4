package conformance

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// edit rewrites what it finds in a file's syntax tree. It returns byte ranges
// with what replaces them.
type edit func(f *ast.File, at func(token.Pos) int) []replacement

type replacement struct {
	from, to int
	text     string
}

// call replaces calls of pkg.name, or of name if pkg is empty, by calls of to.
func call(pkg, name, to string) edit {
	return func(f *ast.File, at func(token.Pos) int) (out []replacement) {
		ast.Inspect(f, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			switch fun := c.Fun.(type) {
			case *ast.Ident:
				ok = pkg == "" && fun.Name == name
			case *ast.SelectorExpr:
				x, isIdent := fun.X.(*ast.Ident)
				ok = isIdent && x.Name == pkg && fun.Sel.Name == name
			default:
				ok = false
			}
			if ok {
				out = append(out, replacement{at(c.Fun.Pos()), at(c.Fun.End()), to})
			}
			return true
		})
		return out
	}
}

// selector replaces pkg.name by to, in files that do not name except.
func selector(pkg, name, to, except string) edit {
	return func(f *ast.File, at func(token.Pos) int) (out []replacement) {
		left := false
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			left = left || s.Sel.Name == except
			if x, ok := s.X.(*ast.Ident); ok && x.Name == pkg && s.Sel.Name == name {
				out = append(out, replacement{at(s.Pos()), at(s.End()), to})
			}
			return true
		})
		if left {
			return nil
		}
		return out
	}
}

// connType replaces pgx.Conn by to, but where pgx itself passes a connection: to tracers
// and to rewriters of queries.
func connType(to string) edit {
	return func(f *ast.File, at func(token.Pos) int) (out []replacement) {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				return n.Name.Name != "RewriteQuery"
			case *ast.FuncType:
				return !slices.ContainsFunc(n.Params.List, func(p *ast.Field) bool {
					s, ok := p.Type.(*ast.SelectorExpr)
					return ok && strings.HasPrefix(s.Sel.Name, "Trace")
				})
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "pgx" && n.Sel.Name == "Conn" {
					out = append(out, replacement{at(n.Pos()), at(n.End()), to})
				}
			}
			return true
		})
		return out
	}
}

// uses keeps an import of a file from being one that nothing uses.
func uses(path, expression string) edit {
	return func(f *ast.File, at func(token.Pos) int) (out []replacement) {
		for _, i := range f.Imports {
			if p, _ := strconv.Unquote(i.Path.Value); p == path {
				end := at(f.End())
				out = append(out, replacement{end, end, "\nvar _ = " + expression + "\n"})
			}
		}
		return out
	}
}

// named has the first argument of pkg.name's calls pass through conformanceDriver.
func named(pkg, name string) edit {
	return func(f *ast.File, at func(token.Pos) int) (out []replacement) {
		ast.Inspect(f, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok || len(c.Args) == 0 {
				return true
			}
			fun, ok := c.Fun.(*ast.SelectorExpr)
			if !ok || fun.Sel.Name != name {
				return true
			}
			if x, ok := fun.X.(*ast.Ident); ok && x.Name == pkg {
				from, to := at(c.Args[0].Pos()), at(c.Args[0].End())
				out = append(out, replacement{from, from, "conformanceDriver("}, replacement{to, to, ")"})
			}
			return true
		})
		return out
	}
}

// assertion puts a call around what is asserted to be of a type.
func assertion(typ, wrap string) edit {
	return func(f *ast.File, at func(token.Pos) int) (out []replacement) {
		ast.Inspect(f, func(n ast.Node) bool {
			a, ok := n.(*ast.TypeAssertExpr)
			if !ok || a.Type == nil || "*"+name(a.Type) != typ {
				return true
			}
			from, to := at(a.X.Pos()), at(a.X.End())
			out = append(out, replacement{from, from, wrap + "("}, replacement{to, to, ")"})
			return true
		})
		return out
	}
}

// name writes a pointer type's element as pkg.Name or Name.
func name(e ast.Expr) string {
	star, ok := e.(*ast.StarExpr)
	if !ok {
		return ""
	}
	switch x := star.X.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		if p, ok := x.X.(*ast.Ident); ok {
			return p.Name + "." + x.Sel.Name
		}
	}
	return ""
}

// importPath replaces a blank import, or takes it out.
func importPath(path, by string) edit {
	return func(f *ast.File, at func(token.Pos) int) (out []replacement) {
		for _, i := range f.Imports {
			if p, _ := strconv.Unquote(i.Path.Value); p != path {
				continue
			}
			if by == "" {
				out = append(out, replacement{at(i.Pos()), at(i.End()), ""})
			} else {
				out = append(out, replacement{at(i.Path.Pos()), at(i.Path.End()), strconv.Quote(by)})
			}
		}
		return out
	}
}

// rewrite applies edits to a source text and reports how many places changed.
func rewrite(name string, src []byte, edits []edit) ([]byte, int, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, parser.ParseComments)
	if err != nil {
		return nil, 0, err
	}
	at := func(p token.Pos) int { return fset.Position(p).Offset }
	var all []replacement
	for _, e := range edits {
		all = append(all, e(f, at)...)
	}
	slices.SortStableFunc(all, func(a, b replacement) int { return cmp.Compare(a.from, b.from) })
	var out bytes.Buffer
	done := 0
	for _, r := range all {
		out.Write(src[done:r.from])
		out.WriteString(r.text)
		done = r.to
	}
	out.Write(src[done:])
	return out.Bytes(), len(all), nil
}

// folder is where the go.mod is that names the suite's version.
func (s suite) folder() string { return cmp.Or(s.mod, "..") }

// moduleDir is where the module cache has the suite's module.
func moduleDir(t *testing.T, s suite) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", s.module)
	cmd.Dir, cmd.Env = s.folder(), append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod download %s: %v\n%s", s.module, err, out)
	}
	var m struct{ Dir, Version string }
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s %s", s.module, m.Version)
	return m.Dir
}

// copySuite copies a module's sources and rewrites its tests.
func copySuite(t *testing.T, s suite, from, to string, sealed bool) {
	t.Helper()
	edits := s.bareEdits
	if sealed {
		edits = append(slices.Clone(edits), s.edits...)
	}
	places := 0
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, "_test.go") || slices.Contains(s.sources, filepath.ToSlash(rel)) {
			n := 0
			if src, n, err = rewrite(rel, src, edits); err != nil {
				return err
			}
			places += n
		}
		return os.WriteFile(target, src, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	files, opener := s.bareFiles, "orm_bare.go.txt"
	if sealed {
		opener = "orm.go.txt"
		if files = s.files; places == 0 {
			t.Fatal("nothing was rewritten: the suite would run bare")
		}
		t.Logf("rewritten in %d places", places)
	}
	for name, target := range files {
		src, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, target), src, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for target, pkg := range s.openers {
		src, err := os.ReadFile(filepath.Join("testdata", opener))
		if err != nil {
			t.Fatal(err)
		}
		src = bytes.Replace(src, []byte("package suite"), []byte("package "+pkg), 1)
		if err := os.WriteFile(filepath.Join(to, target), src, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// modfile writes a go.mod in which the suite's module is replaced by its copy.
func modfile(t *testing.T, s suite, dir, copied string) string {
	t.Helper()
	for _, f := range []string{"go.mod", "go.sum"} {
		src, err := os.ReadFile(filepath.Join(s.folder(), f))
		if err != nil {
			t.Fatal(err)
		}
		if f == "go.mod" {
			src = fmt.Appendf(src, "\nreplace %s => %s\n", s.module, copied)
			if s.generate != nil {
				src = fmt.Appendf(src, "\nrequire %s v0.0.0\n", s.module)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, f), src, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "go.mod")
}
