package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/sealtest"
)

// update rewrites the scripts' goldens: SEALSQL_UPDATE=1 go test .
var update = os.Getenv("SEALSQL_UPDATE") != ""

// tests stops the database servers before the process ends.
type tests struct{ *testing.M }

func (t tests) Run() int {
	defer testdb.Stop()
	return t.M.Run()
}

func TestMain(m *testing.M) {
	for name, arn := range map[string]string{"OLD": oldKey, "MRK": mrkKey, "EU": euKey} {
		if err := os.Setenv(name, arn); err != nil { // for policies that are read in this process
			panic(err)
		}
	}
	testscript.Main(tests{m}, map[string]func(){"sealsql": main, "rolling-app": rollingProcess})
}

// keys of the fake KMS, the same in every script so that goldens can name them.
const (
	oldKey = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-4333-8444-555555555555"
	mrkKey = "arn:aws:kms:us-east-1:111122223333:key/mrk-aaaabbbbccccddddeeeeffff00001111"
	mrkEU  = "arn:aws:kms:eu-west-1:111122223333:key/mrk-aaaabbbbccccddddeeeeffff00001111"
	euKey  = "arn:aws:kms:eu-west-1:111122223333:key/99999999-8888-4777-8666-555555555555"
)

const scripts = 17

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) != scripts {
		t.Fatalf("there are %d scripts, want %d: %v", len(files), scripts, err)
	}
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			testscript.Run(t, testscript.Params{Dir: "testdata/script", UpdateScripts: update, RequireExplicitExec: true,
				Setup: func(e *testscript.Env) error { return setUp(t, server, e) },
				Cmds:  map[string]func(*testscript.TestScript, bool, []string){"sql": sqlCommand, "kms": kmsCommand, "seal": sealCommand, "same": sameCommand, "statements": statementsCommand},
				Condition: func(c string) (bool, error) {
					switch c {
					case "mariadb":
						return strings.HasPrefix(server.String(), "mariadb"), nil
					case "mysql-server":
						return strings.HasPrefix(server.String(), "mysql"), nil
					}
					return c == server.Name, nil
				}})
		})
	}
}

// setUp gives a script a database, a KMS, and the environment that names both.
func setUp(t *testing.T, server *testdb.Server, e *testscript.Env) error {
	name := server.NewDatabase(t)
	driverName, dsn := server.DSN(server.Addr(), name)
	db, err := sql.Open(driverName, dsn)
	if err != nil {
		return err
	}
	kms := sealtest.NewKMS()
	e.Defer(func() { _ = db.Close(); kms.Close() })
	if err := kms.AddKey(oldKey, mrkKey, mrkEU, euKey); err != nil {
		return err
	}
	e.Values["db"], e.Values["kms"], e.Values["mysql"] = db, kms, server.Name == "mysql"
	e.Setenv("SEALSQL_DSN", dsn)
	e.Setenv("SEALSQL_POLICY", "policy.yaml")
	e.Setenv("AWS_ENDPOINT_URL_KMS", kms.URL())
	e.Setenv("AWS_REGION", "us-east-1")
	e.Setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
	e.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	e.Setenv("DIALECT", server.Name)
	e.Setenv("OLD", oldKey)
	e.Setenv("MRK", mrkKey)
	e.Setenv("EU", euKey)
	return nil
}

func text(ts *testscript.TestScript, s string) string {
	if ts.Value("mysql").(bool) {
		return strings.NewReplacer("bytea", "blob", "bigserial", "bigint auto_increment").Replace(s)
	}
	return s
}

// statementsCommand is: statements FILE. It runs each line but comments.
func statementsCommand(ts *testscript.TestScript, neg bool, args []string) {
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if !strings.HasPrefix(line, "--") {
			sqlCommand(ts, neg, []string{strings.TrimSuffix(strings.TrimSpace(line), ";")})
		}
	}
}

// sqlCommand is: sql TEXT [WANT]. WANT is the rows' values, joined by | and newlines.
func sqlCommand(ts *testscript.TestScript, neg bool, args []string) {
	db := ts.Value("db").(*sql.DB)
	if len(args) < 2 {
		_, err := db.Exec(text(ts, args[0]))
		if (err != nil) != neg {
			ts.Fatalf("%s: %v", args[0], err)
		}
		return
	}
	rows, err := db.Query(text(ts, args[0]))
	if err != nil {
		ts.Fatalf("%v", err)
	}
	defer rows.Close()
	names, _ := rows.Columns()
	var got []string
	for rows.Next() {
		cells := make([]sql.NullString, len(names))
		into := make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			ts.Fatalf("%v", err)
		}
		var line []string
		for _, c := range cells {
			line = append(line, c.String)
		}
		got = append(got, strings.Join(line, "|"))
	}
	if s := strings.Join(got, " "); (s != args[1]) != neg {
		ts.Fatalf("%s: got %q, want %q", args[0], s, args[1])
	}
}

// kmsCommand is: kms disable|enable|deny|allow KEY, kms down|up REGION, kms blob KEY PLAINTEXT
// KEY=VALUE TABLE COLUMN ROWKEY, which stores a bare ciphertext.
func kmsCommand(ts *testscript.TestScript, _ bool, args []string) {
	k := ts.Value("kms").(*sealtest.KMS)
	switch args[0] {
	case "disable":
		k.DisableKey(args[1])
	case "enable":
		k.EnableKey(args[1])
	case "deny":
		k.Deny(args[1])
	case "allow":
		k.Allow(args[1])
	case "down":
		k.SetFault(args[1], sealtest.Fault{Reset: true})
	case "up":
		k.Heal()
	default:
		ts.Fatalf("kms %s is not known", args[0])
	}
}

// sealCommand is: seal POLICY TABLE COLUMN KEYCOLUMN FIRST LAST PREFIX. It stores PREFIX with
// the row key appended in each row, as an application with that policy would.
func sealCommand(ts *testscript.TestScript, _ bool, args []string) {
	db, k := ts.Value("db").(*sql.DB), ts.Value("kms").(*sealtest.KMS)
	if len(args) != 7 {
		ts.Fatalf("seal takes 7 arguments")
	}
	s, err := driver.NewSealer(db, driver.WithPolicyFile(ts.MkAbs(args[0])), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
	ts.Check(err)
	defer s.Close()
	first, err := strconv.Atoi(args[4])
	ts.Check(err)
	last, err := strconv.Atoi(args[5])
	ts.Check(err)
	update := fmt.Sprintf("UPDATE %s SET %s = $1 WHERE %s = $2", args[1], args[2], args[3])
	if ts.Value("mysql").(bool) {
		update = fmt.Sprintf("UPDATE %s SET %s = ? WHERE %s = ?", args[1], args[2], args[3])
	}
	for i := first; i <= last; i++ {
		v, err := s.Seal(context.Background(), args[1], args[2], driver.Row{args[3]: i}, fmt.Sprintf("%s%d", args[6], i))
		ts.Check(err)
		_, err = db.Exec(update, v, i)
		ts.Check(err)
	}
}

// sameCommand is: same FILE. It compares standard output with a golden file after taking
// out what differs between runs and servers.
func sameCommand(ts *testscript.TestScript, _ bool, args []string) {
	got := ts.ReadFile("stdout")
	for _, r := range unstable {
		got = r.pattern.ReplaceAllString(got, r.with)
	}
	golden := filepath.Join(goldens, args[0])
	if update {
		ts.Check(os.WriteFile(golden, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(golden)
	ts.Check(err)
	if got != string(want) {
		ts.Fatalf("standard output differs from %s (SEALSQL_UPDATE=1 rewrites it):\n%s", golden, got)
	}
}

var unstable = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`"elapsed_ns": \d+`), `"elapsed_ns": 0`},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "MESSAGE-ID"},
	{regexp.MustCompile(`\bint\(11\)`), "int"}, // as MariaDB shows it, and MySQL does not
}

var goldens = func() string {
	dir, err := filepath.Abs("testdata/golden")
	if err != nil {
		panic(err)
	}
	return dir
}()
