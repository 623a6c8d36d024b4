package conformance

import (
	"bytes"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

const boilerModule = "github.com/aarondl/sqlboiler/v4"

// sqlboiler generates its models, and the tests of each, from the schema that
// comes with it.
func sqlboiler(dialect string, tests, subtests int) suite {
	return suite{
		module:    boilerModule,
		imported:  "sqlboiler.example/models",
		generate:  func(t *testing.T, module, to string) { generateModels(t, dialect, module, to) },
		pkgs:      []string{"."},
		bareEdits: []edit{named("sql", "Open")},
		openers:   map[string]string{"a_open_test.go": "models"},
		args:      []string{"-test.config=$CONFIG"},
		env:       func(t *testing.T) []string { return boilerEnv(t, dialect) },
		tests:     tests, subtests: subtests,
	}
}

func boilerServer(t *testing.T, dialect string) *testdb.Server {
	if dialect == "psql" {
		return testdb.Postgres(t)
	}
	return testdb.MySQL(t)
}

// boilerSchema makes the tables of sqlboiler's schema in a database of their own.
func boilerSchema(t *testing.T, dialect, module string) string {
	t.Helper()
	schema, err := os.ReadFile(filepath.Join(module, "testdata", dialect+"_test_schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	server := boilerServer(t, dialect)
	name := server.NewDatabase(t)
	driver, dsn := server.DSN(server.Addr(), name)
	if dialect == "psql" {
		dsn += "&default_query_exec_mode=simple_protocol"
	} else {
		dsn += "&multiStatements=true"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec(string(schema)); err != nil {
		t.Fatal(err)
	}
	return name
}

// generateModels builds sqlboiler and has it write a package.
func generateModels(t *testing.T, dialect, module, to string) {
	t.Helper()
	tools := t.TempDir()
	build := exec.Command("go", "build", "-o", tools+"/", boilerModule, boilerModule+"/drivers/sqlboiler-"+dialect)
	build.Dir, build.Env = "orm", append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building sqlboiler: %v\n%s", err, out)
	}
	server, name := boilerServer(t, dialect), boilerSchema(t, dialect, module)
	gen := exec.Command(filepath.Join(tools, "sqlboiler"), dialect, "-o", to, "-p", "models", "-c", filepath.Join(tools, "sqlboiler.toml"))
	gen.Env = append(os.Environ(), "PATH="+tools+":"+os.Getenv("PATH"))
	if err := os.WriteFile(filepath.Join(tools, "sqlboiler.toml"), boilerConfig(t, server, dialect, name), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := gen.CombinedOutput(); err != nil {
		t.Fatalf("sqlboiler %s: %v\n%s", dialect, err, out)
	}
	if err := os.WriteFile(filepath.Join(to, "go.mod"), []byte("module sqlboiler.example/models\n\ngo 1.26\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// boilerEnv makes the tables without their foreign keys, as sqlboiler's own
// script does: its tests fill them at random.
func boilerEnv(t *testing.T, dialect string) []string {
	t.Helper()
	server := boilerServer(t, dialect)
	name := boilerSchema(t, dialect, moduleDir(t, suite{module: boilerModule, mod: "orm"}))
	db := server.Open(t, name)
	find := "SELECT table_name, constraint_name FROM information_schema.table_constraints WHERE constraint_type = 'FOREIGN KEY' AND table_schema = "
	drop := `ALTER TABLE "%s" DROP CONSTRAINT "%s"`
	if dialect == "mysql" {
		find, drop = find+"DATABASE()", "ALTER TABLE `%s` DROP FOREIGN KEY `%s`"
	} else {
		find += "'public'"
	}
	rows, err := db.Query(find)
	if err != nil {
		t.Fatal(err)
	}
	var drops []string
	for rows.Next() {
		var table, key string
		if err := rows.Scan(&table, &key); err != nil {
			t.Fatal(err)
		}
		drops = append(drops, fmt.Sprintf(drop, table, key))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, text := range drops {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(t.TempDir(), "sqlboiler.toml")
	text := fmt.Appendf(boilerConfig(t, server, dialect, name), "testdbname = %q\nskipsqlcmd = true\n", name)
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"CGO_ENABLED=0", "CONFIG=" + config}
}

func boilerConfig(t *testing.T, server *testdb.Server, dialect, database string) []byte {
	t.Helper()
	host, port, err := net.SplitHostPort(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	user, ssl, other := "test", "disable", "fun_arrays" // arrays in lib/pq's own form
	if dialect == "mysql" {
		user, ssl, other = "root", "false", "magicest" // JSON that MariaDB does not take
	}
	var b bytes.Buffer
	// Left out are tables with a key of bytes that others refer to, where sqlboiler's
	// code panics, and one more.
	fmt.Fprintf(&b, "[%s]\nblacklist = ['elephants', 'wolves', 'ants', 'worms', 'byte_jets', 'byte_pilot_languages', 'houses', '%s']\ndbname = %q\nhost = %q\nport = %s\nuser = %q\nsslmode = %q\n", dialect, other, database, host, port, user, ssl)
	return b.Bytes()
}
