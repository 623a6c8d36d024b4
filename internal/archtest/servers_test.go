package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// knowServers are the packages that may name a server: its own rooms, the packages
// that register it, and the planners. Tests and what only tests use may, too.
var knowServers = []string{
	"internal/server/postgres", "internal/server/mysql", "driver/postgres", "driver/mysql", "internal/sqlplan/postgres", "internal/sqlplan/mysql",
	"sealpgx",
}

// commandLine is the only other file that may: it reads the flag --dialect and
// opens a DSN of either driver.
const commandLine = "cmd/sealsql/connect.go"

var (
	// serverName is a string that names a server or one of its drivers, and nothing else,
	// or a DSN's scheme. A sentence for the user may contain a name.
	serverName = regexp.MustCompile(`(?i)^(postgres|postgresql|mysql|mariadb|pgx|sealsql-pgx|sealsql-mysql)(://.*)?$`)
	// serverSQL is SQL that one server alone understands: a sentence for the user may
	// name a view of a server's catalog.
	serverSQL = regexp.MustCompile(`(?s)^\s*(SELECT|WITH|SET|SHOW|CALL)\b.*(\bpg_[a-z]|@@[a-z]|information_schema|performance_schema)|^\s*SHOW [A-Z]`)
	// serverIdentifier is an identifier that says which server it is for.
	serverIdentifier = regexp.MustCompile(`(?i)postgres|mysql|mariadb|^pgx`)
)

// namesServer lists the string literals and the identifiers of a file that name a
// server. Comments and the paths of imports may.
func namesServer(f *ast.File) (at []token.Pos) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return n.Name != nil
		case *ast.BasicLit:
			if s, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING && (serverName.MatchString(s) || serverSQL.MatchString(s)) {
				at = append(at, n.Pos())
			}
		case *ast.Ident:
			if serverIdentifier.MatchString(n.Name) {
				at = append(at, n.Pos())
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
			if rel == "examples" || rel == "interop" || rel == "internal/testing" || rel == "internal/sqlplan/plantest" || slices.Contains(knowServers, rel) || strings.HasPrefix(d.Name(), ".") && rel != "." {
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
	cases := []struct {
		name, code string
		found      int
	}{
		{"a comparison with a name", `var ok = name == "mysql"`, 1},
		{"a name in other letters", `var ok = name == "MariaDB"`, 1},
		{"a raw string", "var ok = name == `postgres`", 1},
		{"a driver's name", `var ok = name == "sealsql-pgx"`, 1},
		{"a DSN's scheme", `var ok = strings.HasPrefix(dsn, "postgres://")`, 1},
		{"a question to the catalog of one server", `const q = "SELECT relname FROM pg_class"`, 1},
		{"a variable of one server", `const q = "SELECT @@sql_mode"`, 1},
		{"a statement of one server", `const q = "SHOW REPLICA STATUS"`, 1},
		{"a flag", `var isMySQL bool`, 1},
		{"a field and a type", `type x struct { forPostgres bool; dialect pgxDialect }`, 2},
		{"a method of a server's package", `var d = postgres.Dialect`, 1},
		{"a sentence for the user", `var s = "pass --dialect postgres or --dialect mysql"`, 0},
		{"a sentence about a view of the catalog", `var s = "the view pg_stat_statements is read"`, 0},
		{"a name that only begins alike", `var s = "mysqldump"`, 0},
		{"a comment", `// on MySQL`, 0},
		{"an import", `import _ "example.com/mysql"`, 0},
	}
	for _, c := range cases {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n\n"+c.code+"\n", 0)
		if err != nil {
			t.Fatal(err)
		}
		if found := namesServer(f); len(found) != c.found {
			t.Errorf("%s: found %d, want %d", c.name, len(found), c.found)
		}
	}
	if len(cases) != 16 {
		t.Errorf("%d cases", len(cases))
	}
}
