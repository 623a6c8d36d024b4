package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The sizes that keep a room readable in one sitting.
const (
	maxLines    = 3500 // of a package below driver and internal, the planners aside
	maxFields   = 15   // of a struct that is no configuration
	maxExported = 90   // of package driver, methods included
)

// source is a Go file of the library that is no test.
type source struct {
	pkg, path string
	text      []byte
	tree      *ast.File
}

func sources(t *testing.T) (all []source) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel("../..", path)
		if d.IsDir() && (rel == "examples" || rel == "interop" || rel == "cmd" || strings.HasPrefix(d.Name(), ".") && rel != ".") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		tree, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		if !ast.IsGenerated(tree) {
			all = append(all, source{filepath.ToSlash(filepath.Dir(rel)), rel, text, tree})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 150 {
		t.Fatalf("%d files were read", len(all))
	}
	return all
}

func TestPackagesAreReadableInOneSitting(t *testing.T) {
	lines := map[string]int{}
	for _, s := range sources(t) {
		lines[s.pkg] += bytes.Count(s.text, []byte("\n"))
	}
	for pkg, n := range lines {
		below := strings.HasPrefix(pkg, "driver") || strings.HasPrefix(pkg, "internal/")
		if below && !strings.HasPrefix(pkg, "internal/sqlplan") && n > maxLines {
			t.Errorf("%s has %d lines, more than %d: cut it along its trades", pkg, n, maxLines)
		}
	}
}

func TestStructsOwnFewFields(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.tree, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			body, ok := spec.Type.(*ast.StructType)
			name := s.pkg + "." + spec.Name.Name
			if !ok || strings.HasSuffix(spec.Name.Name, "Config") {
				return true
			}
			n2 := 0
			for _, f := range body.Fields.List {
				n2 += max(1, len(f.Names))
			}
			if n2 > maxFields {
				t.Errorf("%s has %d fields, more than %d: give parts a type of their own", name, n2, maxFields)
			}
			return true
		})
	}
}

func TestDriverExportsLittle(t *testing.T) {
	exported := map[string]bool{}
	for _, s := range sources(t) {
		if s.pkg != "driver" {
			continue
		}
		for _, d := range s.tree.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				exported[receiver(d)+d.Name.Name] = ast.IsExported(d.Name.Name) && (d.Recv == nil || ast.IsExported(receiver(d)))
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						exported[spec.Name.Name] = spec.Name.IsExported()
					case *ast.ValueSpec:
						for _, n := range spec.Names {
							exported[n.Name] = n.IsExported()
						}
					}
				}
			}
		}
	}
	n := 0
	for _, is := range exported {
		if is {
			n++
		}
	}
	if n > maxExported || n < maxExported/2 {
		t.Errorf("driver exports %d identifiers, methods included; at most %d are meant", n, maxExported)
	}
}

// receiver is the name of a method's type with a point, or empty.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name + "."
	}
	return ""
}
