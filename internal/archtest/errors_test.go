package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sentinels lists the exported error variables of the packages that users import,
// as package.Name.
func sentinels(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel("../..", path)
		if d.IsDir() && (slices.Contains([]string{"examples", "interop", "cmd", "internal", "testdata"}, d.Name()) || strings.HasPrefix(d.Name(), ".") && rel != ".") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			g, ok := decl.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if strings.HasPrefix(name.Name, "Err") {
						names = append(names, f.Name.Name+"."+name.Name)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// TestEveryErrorIsDocumented holds docs/ERRORS.md to the code, both ways. Package
// driver exports package fault's errors under the same names.
func TestEveryErrorIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/ERRORS.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	row := regexp.MustCompile(`(?m)^\| ` + "`" + `(\w+\.Err\w+)` + "`" + ` \| ([^|\n]+) \| ([^|\n]+) \| ([^|\n]+) \|$`)
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, m[1])
	}
	if len(documented) != strings.Count(string(text), "\n| `") {
		t.Error("a row of docs/ERRORS.md does not have the four columns error, meaning, cause and what to do")
	}
	slices.Sort(documented)
	exported := sentinels(t)
	for i, name := range exported {
		if rest, ok := strings.CutPrefix(name, "fault."); ok {
			exported[i] = "driver." + rest
		}
	}
	slices.Sort(exported)
	exported = slices.Compact(exported)
	for _, name := range exported {
		if !slices.Contains(documented, name) {
			t.Errorf("%s is missing from docs/ERRORS.md", name)
		}
	}
	for i, name := range documented {
		if !slices.Contains(exported, name) {
			t.Errorf("docs/ERRORS.md documents %s, which no package exports", name)
		}
		if i > 0 && documented[i-1] == name {
			t.Errorf("docs/ERRORS.md has %s twice", name)
		}
	}
	if len(exported) < 40 {
		t.Errorf("%d errors were found", len(exported))
	}
}
