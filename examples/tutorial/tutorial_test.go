// Package tutorial runs docs/TUTORIAL.md, so that it stays true.
package tutorial

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/sealtest"
)

func TestMain(m *testing.M) { testdb.Main(m) }

var fence = regexp.MustCompile("(?ms)^```(\\w+) ?([\\w.]*)\n(.*?)^```$")

// TestTutorial does what the tutorial says: files are written, sql goes to the
// database, sh to a shell that lives on (sh fails must fail), and output must have been printed by the
// shell since the last one. Blocks of console, and yaml without a file's name, are
// for the reader. The second run has section 7's keyring in place of section 2's.
func TestTutorial(t *testing.T) {
	text, err := os.ReadFile("../../docs/TUTORIAL.md")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin, ".")
	build.Dir = "../../cmd/sealsql"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building sealsql: %v\n%s", err, out)
	}
	kms := sealtest.NewKMS()
	defer kms.Close()
	arn := kms.CreateKey("us-east-1")
	t.Run("raw key", func(t *testing.T) { run(t, string(text), bin) })
	t.Run("KMS", func(t *testing.T) {
		for name, value := range map[string]string{"AWS_ENDPOINT_URL_KMS": kms.URL(), "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
			"AWS_SECRET_ACCESS_KEY": "example", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull} {
			t.Setenv(name, value)
		}
		with := strings.Replace(string(text), "raw_aes: {key_env: SHOP_KEY}", "kms: {keys: ["+arn+"]}", 1)
		if with == string(text) {
			t.Fatal("section 2 has no keyring to replace")
		}
		run(t, with, bin)
	})
}

func run(t *testing.T, text, bin string) {
	s := testdb.Postgres(t)
	name := s.NewDatabase(t)
	_, dsn := s.DSN(s.Addr(), name)
	db := s.Open(t, name)
	sh := newShell(t, bin, dsn)
	counts := map[string]int{}
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		kind, file, body := m[1], m[2], m[3]
		counts[kind]++
		switch {
		case kind == "sh":
			sh.run(body, file == "fails")
		case file != "":
			if err := os.WriteFile(filepath.Join(sh.dir, file), []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
		case kind == "sql":
			execSQL(t, db, body)
		case kind == "output":
			sh.want(body)
		case kind != "console" && kind != "yaml":
			t.Errorf("a block of an unknown kind: %s", kind)
		}
	}
	var clear int
	if err := db.QueryRow("SELECT count(*) FROM accounts WHERE ssn LIKE '900-%' OR ssn NOT LIKE 'Ag%'").Scan(&clear); err != nil || clear != 0 {
		t.Errorf("%d values are left in clear: %v", clear, err)
	}
	if counts["sh"] < 6 || counts["sql"] < 3 || counts["output"] < 3 {
		t.Errorf("the tutorial shrank: %v", counts)
	}
}

func execSQL(t *testing.T, db *sql.DB, text string) {
	t.Helper()
	rows, err := db.Query(strings.TrimSpace(text), pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for rows.Next() {
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	_ = rows.Close() // Err has said what matters
}

// shell runs scripts one after the other; what one exports the next has.
type shell struct {
	t      *testing.T
	dir    string
	env    []string
	output string
}

func newShell(t *testing.T, bin, dsn string) *shell {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	s := &shell{t: t, dir: t.TempDir()}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	mod := fmt.Sprintf("module shop\n\ngo 1.26\n\nrequire github.com/sealsql/sealsql v0.0.0\n\nreplace github.com/sealsql/sealsql => %s\n", root)
	for name, text := range map[string][]byte{"go.mod": []byte(mod), "go.sum": sum} {
		if err := os.WriteFile(filepath.Join(s.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "DATABASE_URL="+dsn, "GOWORK=off", "GOFLAGS=-mod=mod")
	return s
}

// run fails the test if the script fails, or if it does not and should.
func (s *shell) run(script string, fails bool) {
	s.t.Helper()
	path := filepath.Join(s.dir, ".environment")
	cmd := exec.Command("bash", "-ec", "[ ! -e "+path+" ] || . "+path+"\n"+script+"\nexport -p >"+path)
	cmd.Dir, cmd.Env = s.dir, s.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	s.t.Logf("%s%s", script, out.String())
	if (err != nil) != fails {
		s.t.Fatalf("%s: %v\n%s", script, err, out.String())
	}
	for _, ssn := range []string{"900-12-3456", "900-65-4321", "900-11-2233"} {
		if strings.Contains(out.String(), ssn) {
			s.t.Errorf("the output of %s shows an SSN", script)
		}
	}
	s.output += out.String()
}

func (s *shell) want(lines string) {
	s.t.Helper()
	for line := range strings.Lines(lines) {
		if !strings.Contains(s.output, strings.TrimSpace(line)) {
			s.t.Errorf("the shell did not print %q but\n%s", line, s.output)
		}
	}
	s.output = ""
}
