package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// knowServers are the packages that may name a server: its own rooms, the packages
// that register it, and the planners. Tests and what only tests use may, too.
var knowServers = []string{
	"internal/server/postgres", "internal/server/mysql", "driver/postgres", "driver/mysql", "internal/sqlplan/postgres", "internal/sqlplan/mysql",
}

// commandLine is the only other file that may: it reads the flag --dialect and
// opens a DSN of either driver.
const commandLine = "cmd/sealsql/connect.go"

// serverNames are what a test for a server's name compares with.
var serverNames = []string{"postgres", "mysql", "mariadb"}

// namesServer lists the string literals of a file that are a server's name.
func namesServer(f *ast.File) (at []token.Pos) {
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil && slices.Contains(serverNames, strings.ToLower(s)) {
				at = append(at, lit.Pos())
			}
		}
		return true
	})
	return at
}

// TestNoOtherPackageNamesAServer: what depends on the server is a method of its room.
func TestNoOtherPackageNamesAServer(t *testing.T) {
	files := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel("../..", path)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel == "examples" || rel == "interop" || rel == "internal/testing" || slices.Contains(knowServers, rel) || strings.HasPrefix(d.Name(), ".") && rel != "." {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || rel == commandLine {
			return nil
		}
		files++
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		for _, at := range namesServer(f) {
			t.Errorf("%s:%d names a server; make it a method of internal/server", rel, set.Position(at).Line)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 {
		t.Errorf("read %d files", files)
	}
}

func TestAServersNameIsNoticed(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n\nvar ok = name == \"mysql\" || name == `postgres` || name == \"MariaDB\" || name == \"mysqldump\"\n", 0)
	if err != nil {
		t.Fatal(err)
	}
	if found := namesServer(f); len(found) != 3 {
		t.Errorf("found %d names, want 3", len(found))
	}
}
