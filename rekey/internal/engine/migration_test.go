package engine

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/sealtest"
)

// scale is how large a drill is: the short size in go test, or what the
// variable says in make drills.
func scale(t testing.TB, variable string, short int) int {
	t.Helper()
	s := os.Getenv(variable)
	if s == "" {
		return short
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s=%s is no number", variable, s)
	}
	return n
}

// The policy of the migration: messages under a multi-Region key are written;
// the bare ciphertexts that a script made under a single-Region key are read.
const migration = `
keyrings:
  pii: {kms: {keys: ["${MRK}"], read_keys: ["${OLD}"]}}
tables:
  people:
    row_key: [id]
    columns:
      ssn:
        keyring: pii
        type: string
        storage: base64
        legacy: {kind: kms_blob, context: {account: id, purpose: {value: pii}}}
`

// TestThePublishedMigration moves a table of bare base64 KMS ciphertexts under a
// single-Region key to messages under a multi-Region key, while an application reads and
// writes it through sealsql: no query fails, no update is lost, both Regions read
// everything, and the old key can be disabled.
func TestThePublishedMigration(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		rows := scale(t, "SEALSQL_MIGRATION_ROWS", 300)
		s.exec("CREATE TABLE people (id bigint PRIMARY KEY, ssn text)")
		for i := range rows {
			s.exec("INSERT INTO people VALUES (?, ?)", i, s.blob(s.keys["OLD"], "original", map[string]string{"account": fmt.Sprint(i), "purpose": "pii"}))
		}
		p := s.policy(migration)
		s.kms.SetFault("", sealtest.Fault{Latency: 5 * time.Millisecond})
		a := startApplication(t, s, s.sealed(p), rows)
		a.working.Wait() // every worker has written and read

		c := s.config(Reencrypt, p)
		c.Checkpoint, c.PageRows, c.Concurrency = NewTable(s.db, s.server.Name), 50, 32
		r := s.run(c)
		a.stop()
		if r.Failed != 0 || r.Changed == 0 {
			t.Errorf("%s: %+v", r.String(), r.Failures)
		}
		a.check(s.sealed(p))
		s.kms.SetFault("", sealtest.Fault{})
		survey, err := Take(t.Context(), c)
		if err != nil || survey.Right != survey.Values {
			t.Fatalf("after the migration: %+v, %v", survey, err)
		}
		if ok, why := survey.MayDisable(s.keys["OLD"]); !ok {
			t.Errorf("the old key is still needed: %v", why)
		}
		s.kms.DisableKey(s.keys["OLD"])
		for _, region := range []string{east, west} {
			v := s.config(Verify, p)
			v.Options = []driver.Option{driver.WithAWSConfig(s.kms.AWSConfig(region))}
			if r := s.run(v); r.Failed != 0 || r.Right != survey.Values {
				t.Errorf("verified in %s: %s", region, r.String())
			}
		}
		a.check(s.sealed(p))
		t.Logf("%s: %d rows in %v beside %d reads and %d writes of the application: %d failed queries, %d lost updates; the old key is disabled and everything reads",
			s.server.Name, rows, r.Elapsed.Round(time.Millisecond), a.reads.Load(), a.writes.Load(), a.failed.Load(), a.lost.Load())
	})
}

// application reads and writes the table through sealsql, as a team's program
// would. Each worker owns the rows whose number leaves its remainder, and so knows
// what each must hold.
type application struct {
	t       *testing.T
	site    *site
	db      *sql.DB
	working sync.WaitGroup
	ended   sync.WaitGroup
	quit    chan struct{}
	want    []sync.Map // by worker: row number to plaintext; absent: deleted

	reads, writes, failed, lost atomic.Int64
}

const workers = 4

func startApplication(t *testing.T, s *site, db *sql.DB, rows int) *application {
	a := &application{t: t, site: s, db: db, quit: make(chan struct{}), want: make([]sync.Map, workers)}
	for i := range rows {
		a.want[i%workers].Store(i, "original")
	}
	a.working.Add(workers)
	for w := range workers {
		a.ended.Go(func() { a.work(w, rows) })
	}
	return a
}

func (a *application) work(w, rows int) {
	for n := 0; ; n++ {
		select {
		case <-a.quit:
			return
		default:
		}
		if n == 3 {
			a.working.Done()
		}
		id := rand.N(rows/workers)*workers + w
		switch value := fmt.Sprintf("worker %d, write %d", w, n); {
		case n%10 == 9: // a row goes and comes back, sealed at once
			a.exec("DELETE FROM people WHERE id = ?", id)
			a.exec("INSERT INTO people (id, ssn) VALUES (?, ?)", id, value)
			a.want[w].Store(id, value)
		case n%2 == 0:
			a.exec("UPDATE people SET ssn = ? WHERE id = ?", value, id)
			a.want[w].Store(id, value)
		default:
			a.read(w, id)
		}
	}
}

func (a *application) exec(text string, args ...any) {
	a.writes.Add(1)
	if _, err := a.db.Exec(a.site.q(text), args...); err != nil {
		a.failed.Add(1)
		a.t.Errorf("%s: %v", text, err)
	}
}

func (a *application) read(w, id int) {
	a.reads.Add(1)
	var got string
	if err := a.db.QueryRow(a.site.q("SELECT ssn FROM people WHERE id = ?"), id).Scan(&got); err != nil {
		a.failed.Add(1)
		a.t.Errorf("row %d: %v", id, err)
		return
	}
	if want, _ := a.want[w].Load(id); got != want {
		a.lost.Add(1)
		a.t.Errorf("row %d holds %q, and %q was written last", id, got, want)
	}
}

func (a *application) stop() {
	close(a.quit)
	a.ended.Wait()
}

// check reads the whole table through sealsql.
func (a *application) check(db *sql.DB) {
	a.t.Helper()
	rows, err := db.Query("SELECT id, ssn FROM people")
	if err != nil {
		a.t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var id int
		var got string
		if err := rows.Scan(&id, &got); err != nil {
			a.failed.Add(1)
			a.t.Fatal(err)
		}
		if want, _ := a.want[id%workers].Load(id); got != want {
			a.lost.Add(1)
			a.t.Errorf("row %d holds %q, and %q was written last", id, got, want)
		}
	}
	if err := rows.Err(); err != nil {
		a.t.Fatal(err)
	}
	want := 0
	for w := range a.want {
		a.want[w].Range(func(any, any) bool { want++; return true })
	}
	if n != want {
		a.t.Errorf("the table has %d rows, want %d", n, want)
	}
}
