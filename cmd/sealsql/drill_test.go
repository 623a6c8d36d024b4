package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/sealtest"
)

// drill is a table in clear, with a trigger that notes every update of every row.
type drill struct {
	t      *testing.T
	server *testdb.Server
	db     *sql.DB
	rows   int
	env    []string
}

const drillPolicy = `
version: 1
keyrings:
  pii: {kms: {keys: ["` + mrkKey + `"]}}
tables:
  people:
    row_key: [id]
    columns:
      ssn: {keyring: pii, type: string, storage: base64}
`

func scale(t *testing.T, variable string, short int) int {
	t.Helper()
	if s := os.Getenv(variable); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("%s=%s is no number", variable, s)
		}
		return n
	}
	return short
}

func newDrill(t *testing.T, server *testdb.Server, rows int) *drill {
	t.Helper()
	name := server.NewDatabase(t)
	_, dsn := server.DSN(server.Addr(), name)
	kms := sealtest.NewKMS()
	t.Cleanup(kms.Close)
	if err := kms.AddKey(mrkKey); err != nil {
		t.Fatal(err)
	}
	kms.SetFault("", sealtest.Fault{Latency: 5 * time.Millisecond})
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte(drillPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &drill{t: t, server: server, db: server.Open(t, name), rows: rows, env: append(os.Environ(), "SEALSQL_DSN="+dsn, "SEALSQL_POLICY="+policy,
		"AWS_ENDPOINT_URL_KMS="+kms.URL(), "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=test")}
	d.exec("CREATE TABLE people (id bigint PRIMARY KEY, ssn text)")
	d.exec("CREATE TABLE audit (id bigint)")
	if server.Name == "postgres" {
		d.exec("CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO audit VALUES (NEW.id); RETURN NULL; END'")
		d.exec("CREATE TRIGGER note AFTER UPDATE ON people FOR EACH ROW EXECUTE FUNCTION note()")
	} else {
		d.exec("CREATE TRIGGER note AFTER UPDATE ON people FOR EACH ROW INSERT INTO audit VALUES (NEW.id)")
	}
	d.fill()
	return d
}

func (d *drill) exec(text string) {
	d.t.Helper()
	if _, err := d.db.Exec(text); err != nil {
		d.t.Fatalf("%s: %v", text, err)
	}
}

// fill puts the table back into clear.
func (d *drill) fill() {
	d.t.Helper()
	d.exec("DELETE FROM people")
	d.exec("DELETE FROM audit")
	for from := 0; from < d.rows; from += 1000 {
		var values []string
		for i := from; i < min(d.rows, from+1000); i++ {
			values = append(values, fmt.Sprintf("(%d, 'value %d')", i*7, i))
		}
		d.exec("INSERT INTO people VALUES " + strings.Join(values, ", "))
	}
}

func (d *drill) command(args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	cmd := exec.Command("sealsql", args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = slices.Clone(d.env), &out, &errs
	return cmd, &out, &errs
}

// counts is what a report says.
type counts struct {
	Read, Changed, Failed int64
	Right                 int64            `json:"already_right"`
	Skipped               map[string]int64 `json:"skipped"`
	Done                  bool
}

func (d *drill) report(out *bytes.Buffer) counts {
	d.t.Helper()
	var r []counts
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || len(r) != 1 {
		d.t.Fatalf("the report %q cannot be read: %v", out.String(), err)
	}
	return r[0]
}

// once checks that every row was written exactly once, and opens.
func (d *drill) once() {
	d.t.Helper()
	var all, distinct int
	if err := d.db.QueryRow("SELECT count(*), count(DISTINCT id) FROM audit").Scan(&all, &distinct); err != nil {
		d.t.Fatal(err)
	}
	if all != d.rows || distinct != d.rows {
		d.t.Errorf("%d updates of %d rows; want each of %d rows once", all, distinct, d.rows)
	}
	cmd, out, errs := d.command("verify", "--output", "json")
	if err := cmd.Run(); err != nil {
		d.t.Fatalf("verify: %v\n%s", err, errs)
	}
	if r := d.report(out); r.Right != int64(d.rows) {
		d.t.Errorf("verified %d of %d rows", r.Right, d.rows)
	}
}

// TestKilledAtAnyMoment kills the command with SIGKILL at random moments and
// resumes it: nothing is lost, nothing is done twice, the counts add up.
//
//	SEALSQL_KILLS=50 SEALSQL_KILL_ROWS=3000 go test -run KilledAtAnyMoment -v .
func TestKilledAtAnyMoment(t *testing.T) {
	for _, server := range testdb.Each(t) {
		for _, where := range []string{"table", filepath.Join(t.TempDir(), server.Name+".json")} {
			kind := map[bool]string{true: "table", false: "file"}[where == "table"]
			t.Run(server.String()+"/"+kind, func(t *testing.T) {
				d := newDrill(t, server, scale(t, "SEALSQL_KILL_ROWS", 300))
				d.kill(scale(t, "SEALSQL_KILLS", 4), where)
			})
		}
	}
}

func (d *drill) kill(kills int, where string) {
	args := []string{"backfill", "--resume", "--checkpoint", where, "--page", "20", "--concurrency", "8", "--output", "json"}
	killed, finished := 0, 0
	for killed < kills || finished == 0 {
		cmd, out, errs := d.command(args...)
		if err := cmd.Start(); err != nil {
			d.t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		moment := time.NewTimer(50*time.Millisecond + rand.N(400*time.Millisecond))
		if killed >= kills {
			moment.Reset(time.Minute)
		}
		select {
		case err := <-ended:
			if err != nil {
				d.t.Fatalf("after %d kills: %v\n%s", killed, err, errs)
			}
			r := d.report(out)
			if !r.Done || r.Read != int64(d.rows) || r.Changed != int64(d.rows) || r.Right != 0 || r.Failed != 0 || len(r.Skipped) != 0 {
				d.t.Fatalf("after %d kills the report says %+v", killed, r)
			}
			d.once()
			if finished++; killed < kills {
				d.again(where)
			}
		case <-moment.C:
			_ = cmd.Process.Kill() // SIGKILL
			<-ended
			killed++
		}
		moment.Stop()
	}
	d.t.Logf("%d kills, %d times %d rows: every row written once, counts add up", killed, finished, d.rows)
}

// again puts everything back to the start.
func (d *drill) again(where string) {
	d.fill()
	if where != "table" {
		if err := os.Remove(where); err != nil {
			d.t.Fatal(err)
		}
		return
	}
	d.exec("DELETE FROM sealsql_jobs")
}

// TestShardsOfSeveralProcesses: five processes at the same time, told apart as
// Kubernetes does it, cover the table and never meet.
func TestShardsOfSeveralProcesses(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			const n = 5
			d := newDrill(t, server, scale(t, "SEALSQL_SHARD_ROWS", 400))
			var wg sync.WaitGroup
			outs, errs, fails := make([]*bytes.Buffer, n), make([]*bytes.Buffer, n), make([]error, n)
			for i := range n {
				var cmd *exec.Cmd
				cmd, outs[i], errs[i] = d.command("backfill", "--shard", fmt.Sprintf("auto/%d", n), "--resume", "--page", "10", "--concurrency", "4", "--output", "json")
				cmd.Env = append(cmd.Env, fmt.Sprintf("JOB_COMPLETION_INDEX=%d", i))
				wg.Go(func() { fails[i] = cmd.Run() })
			}
			wg.Wait()
			var changed int64
			for i := range n {
				if fails[i] != nil {
					t.Fatalf("shard %d: %v\n%s", i, fails[i], errs[i])
				}
				r := d.report(outs[i])
				if r.Read == 0 || r.Read != r.Changed {
					t.Errorf("shard %d: %+v", i, r)
				}
				changed += r.Changed
			}
			if changed != int64(d.rows) {
				t.Errorf("the shards changed %d of %d rows", changed, d.rows)
			}
			d.once()
		})
	}
}

// TestInterruptFinishesTheBatch: SIGINT ends the command with exit code 5 after
// the batch in hand, and what it prints goes on from there.
func TestInterruptFinishesTheBatch(t *testing.T) {
	server := testdb.Postgres(t)
	d := newDrill(t, server, 2000)
	cmd, out, errs := d.command("backfill", "--page", "20", "--concurrency", "4", "--output", "json")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := 0; n == 0; {
		<-tick.C
		if err := d.db.QueryRow("SELECT count(*) FROM audit").Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if cmd.ProcessState.ExitCode() != exitStopped || !strings.Contains(errs.String(), "to go on: sealsql backfill --page 20 --concurrency 4 --output json --resume") {
		t.Fatalf("interrupted: %v\n%s", err, errs)
	}
	if r := d.report(out); r.Done || r.Read == 0 || r.Read == int64(d.rows) || r.Read != r.Changed {
		t.Errorf("interrupted: %+v", r)
	}
	cmd, out, errs = d.command("backfill", "--resume", "--output", "json")
	if err := cmd.Run(); err != nil {
		t.Fatalf("resumed: %v\n%s", err, errs)
	}
	if r := d.report(out); r.Changed != int64(d.rows) {
		t.Errorf("resumed: %+v", r)
	}
	d.once()
}
