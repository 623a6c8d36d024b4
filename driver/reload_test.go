package driver_test

import (
	"bytes"
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec/rawaes"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/internal/testing/memdriver"
	"github.com/sealsql/sealsql/policy"
)

const onlySSN = `
version: 1
keyrings:
  local: {raw_aes: {namespace: test, name: key, key_env: NOT_USED}}
tables:
  accounts:
    row_key: [account_number]
    columns:
      ssn: {keyring: local, type: string}
`

const ssnAndNote = onlySSN + `      note: {keyring: local, type: string}
`

const insert = "INSERT INTO accounts (account_number, ssn, note) VALUES ($1, $2, $3)"

// reloading is a sql.DB over a base in memory, whose policy stands in a file.
type reloading struct {
	t      *testing.T
	db     *sql.DB
	base   *memdriver.Base
	path   string
	events chan alert.Event
	// sealed reports of the last insert which of its values were sealed.
	ssn, note atomic.Bool
}

func newReloading(t *testing.T, opts ...driver.Option) *reloading {
	t.Helper()
	key := rawKey(t)
	r := &reloading{t: t, path: filepath.Join(t.TempDir(), "policy.yaml"), events: make(chan alert.Event, 1024)}
	r.write(onlySSN)
	r.base = &memdriver.Base{Columns: []string{"account_number", "ssn"}, Sent: func(text string, args []sqldriver.NamedValue) {
		if strings.HasPrefix(text, "INSERT") && len(args) == 3 {
			r.ssn.Store(isSealed(args[1].Value))
			r.note.Store(isSealed(args[2].Value))
		}
	}}
	opts = append(opts, driver.WithPolicyFile(r.path), driver.WithDialect(postgres.Dialect), driver.WithKeyring("local", key),
		driver.WithLogger(slog.New(slog.DiscardHandler)), driver.WithAlertFunc(func(e alert.Event) { r.events <- e }),
		driver.WithSchema(driver.Schema{"accounts": {{Name: "account_number", Type: "text", Unique: true}, {Name: "ssn", Type: "bytea"}, {Name: "note", Type: "bytea"}}}))
	c, err := driver.NewConnector(r.base, opts...)
	if err != nil {
		t.Fatal(err)
	}
	r.db = sql.OpenDB(c)
	t.Cleanup(func() { _ = r.db.Close() })
	return r
}

func rawKey(t testing.TB) *rawaes.Keyring {
	t.Helper()
	k, err := rawaes.New("test", "key", bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// isSealed reports whether a value is a message rather than the text given.
func isSealed(v any) bool {
	b, ok := v.([]byte)
	return ok && len(b) > 100 && b[0] == 2
}

func (r *reloading) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reloading) exec(x interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}, wantNote bool) {
	r.t.Helper()
	if _, err := x.ExecContext(r.t.Context(), insert, "1", "900-12-3456", "a note"); err != nil {
		r.t.Fatal(err)
	}
	r.check(wantNote)
}

func (r *reloading) check(wantNote bool) {
	r.t.Helper()
	if !r.ssn.Load() || r.note.Load() != wantNote {
		r.t.Fatalf("sealed: ssn %v, note %v; want true, %v", r.ssn.Load(), r.note.Load(), wantNote)
	}
}

func (r *reloading) reload(text string) {
	r.t.Helper()
	r.write(text)
	if err := driver.Reload(r.db); err != nil {
		r.t.Fatal(err)
	}
}

func TestReloadIsInForceForTheStatementsThatStartAfterIt(t *testing.T) {
	r := newReloading(t)
	r.exec(r.db, false)
	prepared, err := r.db.PrepareContext(t.Context(), insert)
	if err != nil {
		t.Fatal(err)
	}
	defer prepared.Close()
	tx, err := r.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	inTx, err := tx.PrepareContext(t.Context(), insert)
	if err != nil {
		t.Fatal(err)
	}
	r.reload(ssnAndNote)
	r.exec(r.db, true)
	if _, err := prepared.ExecContext(t.Context(), "1", "900-12-3456", "a note"); err != nil {
		t.Fatal(err)
	}
	r.check(true)
	// The transaction that was open keeps to the policy it began under.
	r.exec(tx, false)
	if _, err := inTx.ExecContext(t.Context(), "1", "900-12-3456", "a note"); err != nil {
		t.Fatal(err)
	}
	r.check(false)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if tx, err = r.db.BeginTx(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	r.exec(tx, true)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
}

func TestAStatementFollowsAReloadOnTheConnectionItWasPreparedOn(t *testing.T) {
	r := newReloading(t)
	r.db.SetMaxOpenConns(1)
	prepared, err := r.db.PrepareContext(t.Context(), insert)
	if err != nil {
		t.Fatal(err)
	}
	defer prepared.Close()
	for _, policy := range []struct {
		text string
		note bool
	}{{onlySSN, false}, {ssnAndNote, true}, {onlySSN, false}} {
		r.reload(policy.text)
		if _, err := prepared.ExecContext(t.Context(), "1", "900-12-3456", "a note"); err != nil {
			t.Fatal(err)
		}
		r.check(policy.note)
	}
}

func TestRowsBeingReadEndUnderTheOldPolicy(t *testing.T) {
	r := newReloading(t)
	for i := range 20 {
		r.base.Rows = append(r.base.Rows, []sqldriver.Value{fmt.Sprint(i), r.seal(fmt.Sprint(i), "900-12-3456")})
	}
	rows, err := r.db.QueryContext(t.Context(), "SELECT account_number, ssn FROM accounts")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var number, ssn string
		if err := rows.Scan(&number, &ssn); err != nil || ssn != "900-12-3456" {
			t.Fatal(number, ssn, err)
		}
		if n == 0 {
			r.reload(strings.Replace(onlySSN, "ssn:", "note:", 1))
		}
	}
	if err := rows.Err(); err != nil || n != 20 {
		t.Fatalf("%d rows, %v", n, err)
	}
	// Nothing of ssn is protected now: the ciphertext is the base's own.
	var number string
	var ssn []byte
	if err := r.db.QueryRowContext(t.Context(), "SELECT account_number, ssn FROM accounts").Scan(&number, &ssn); err != nil || !isSealed(ssn) {
		t.Fatal(err)
	}
}

func (r *reloading) seal(number, ssn string) any {
	r.t.Helper()
	s, err := driver.Sealer(r.db)
	if err != nil {
		r.t.Fatal(err)
	}
	v, err := s.Seal(r.t.Context(), "accounts", "ssn", driver.Row{"account_number": number}, ssn)
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

func TestABadPolicyLeavesTheOldOneInForceAndSaysWhy(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"a mistake", strings.Replace(onlySSN, "type: string", "type: strung", 1), "policy.yaml:9"},
		{"an empty file", "", "empty"},
		{"not YAML", "version: [", "policy.yaml"},
		{"a keyring that is not there", strings.Replace(onlySSN, "keyring: local", "keyring: other", 1), "other"},
		{"other alerts", onlySSN + "alerts: [log, otel]\n", "other alerts"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newReloading(t)
			before, err := driver.Of(r.db)
			if err != nil {
				t.Fatal(err)
			}
			old := before.Policy()
			r.write(c.text)
			err = driver.Reload(r.db)
			if !errors.Is(err, driver.ErrPolicy) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "old policy stays in force") {
				t.Fatalf("Reload returned %v", err)
			}
			if e := <-r.events; e.Kind != alert.PolicyRejected || e.Err != err.Error() {
				t.Fatalf("event %v: %s", e.Kind, e.Err)
			}
			if before.Policy() != old {
				t.Fatal("the policy in force is another one")
			}
			r.exec(r.db, false)
			r.reload(ssnAndNote) // it takes the next good one
			r.exec(r.db, true)
		})
	}
	if len(cases) != 5 {
		t.Error("the number of cases changed")
	}
}

func TestReloadOfADatabaseThatIsNotSealsqls(t *testing.T) {
	db := sql.OpenDB(&memdriver.Base{})
	defer db.Close()
	if err := driver.Reload(db); err == nil {
		t.Fatal("no error")
	}
}

func TestAPolicyGivenInCodeIsReplacedByAnother(t *testing.T) {
	r := newReloading(t)
	c, err := driver.Of(r.db)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("code", []byte(ssnAndNote))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Reload(p); err != nil {
		t.Fatal(err)
	}
	r.exec(r.db, true)
}

// 64 goroutines reload and use one sql.DB; run it with -race. Whatever policy a
// statement runs under, ssn is sealed in it.
func TestReloadAndStatementsAtTheSameTime(t *testing.T) {
	const workers, rounds = 64, 20
	r := newReloading(t)
	r.base.Rows = [][]sqldriver.Value{{"1", r.seal("1", "900-12-3456")}}
	var clear atomic.Int64
	sent := r.base.Sent
	r.base.Sent = func(text string, args []sqldriver.NamedValue) {
		sent(text, args)
		for _, a := range args {
			if a.Value == "900-12-3456" {
				clear.Add(1)
			}
		}
	}
	var policies [2]*policy.Policy
	for i, text := range []string{onlySSN, ssnAndNote} {
		var err error
		if policies[i], err = policy.Parse("test", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	prepared, err := r.db.PrepareContext(t.Context(), insert)
	if err != nil {
		t.Fatal(err)
	}
	defer prepared.Close()
	c, _ := driver.Of(r.db)
	var wg sync.WaitGroup
	var done atomic.Int64
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				if err := r.work(w, i, c, policies, prepared); err != nil {
					t.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if done.Load() != workers*rounds || clear.Load() != 0 {
		t.Fatalf("%d of %d rounds, %d values in clear", done.Load(), workers*rounds, clear.Load())
	}
}

func (r *reloading) work(w, i int, c *driver.Connector, policies [2]*policy.Policy, prepared *sql.Stmt) error {
	ctx := r.t.Context()
	switch w % 4 {
	case 0:
		return c.Reload(policies[i%2])
	case 1:
		_, err := prepared.ExecContext(ctx, "1", "900-12-3456", "a note")
		return err
	case 2:
		tx, err := r.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		for range 2 {
			if _, err := tx.ExecContext(ctx, insert, "1", "900-12-3456", "a note"); err != nil {
				return err
			}
		}
		return tx.Commit()
	}
	var number, ssn string
	if err := r.db.QueryRowContext(ctx, "SELECT account_number, ssn FROM accounts").Scan(&number, &ssn); err != nil || ssn != "900-12-3456" {
		return fmt.Errorf("read %d bytes: %w", len(ssn), err)
	}
	return nil
}

// A reload that comes while the first connections are made leaves none of them
// with a policy that never started.
func TestReloadWhileTheFirstConnectionsAreMade(t *testing.T) {
	for range 50 {
		r := newReloading(t)
		c, _ := driver.Of(r.db)
		p, err := policy.Parse("test", []byte(ssnAndNote))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := c.Reload(p); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				if _, err := r.db.ExecContext(t.Context(), insert, "1", "900-12-3456", "a note"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		_ = r.db.Close()
	}
}

// watching is a reloading whose file is looked at when the test says so.
type watching struct {
	*reloading
	tick   chan time.Time
	looked chan look
}

type look struct {
	reloaded bool
	err      error
}

func newWatching(t *testing.T) *watching {
	w := &watching{tick: make(chan time.Time), looked: make(chan look)}
	w.reloading = newReloading(t, driver.WithWatch(driver.Watch{Tick: w.tick, Checked: func(reloaded bool, err error) { w.looked <- look{reloaded, err} }}))
	return w
}

func (w *watching) check() (bool, error) {
	w.tick <- time.Time{}
	l := <-w.looked
	return l.reloaded, l.err
}

// looks looks twice, and expects the second look to be the one that acts.
func (w *watching) looks(wantReload bool, wantErr string) {
	w.t.Helper()
	if reloaded, err := w.check(); reloaded || err != nil {
		w.t.Fatalf("the first look: reloaded %v, %v", reloaded, err)
	}
	reloaded, err := w.check()
	if reloaded != wantReload || (err == nil) != (wantErr == "") || err != nil && !strings.Contains(err.Error(), wantErr) {
		w.t.Fatalf("the second look: reloaded %v, %v; want %v, %q", reloaded, err, wantReload, wantErr)
	}
}

func TestWatchTakesUpAFileThatIsAtRest(t *testing.T) {
	w := newWatching(t)
	w.looks(false, "") // nothing changed
	w.write(ssnAndNote)
	w.looks(true, "")
	w.exec(w.db, true)
	// The same length and any time: the content tells.
	info, err := os.Stat(w.path)
	if err != nil {
		t.Fatal(err)
	}
	w.write(strings.Replace(ssnAndNote, "      note:", "      notE:", 1))
	if err := os.Chtimes(w.path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	w.looks(true, "")
	// A file in the midst of being written is a valid policy that protects less.
	w.write(ssnAndNote)
	w.looks(true, "")
	w.write(onlySSN)
	if reloaded, err := w.check(); reloaded || err != nil {
		t.Fatal(reloaded, err)
	}
	w.write(ssnAndNote)
	w.looks(false, "")
	w.exec(w.db, true)
}

func TestWatchSeesRenamesAndSwitchedLinks(t *testing.T) {
	w := newWatching(t)
	next := w.path + ".new"
	if err := os.WriteFile(next, []byte(ssnAndNote), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, w.path); err != nil {
		t.Fatal(err)
	}
	w.looks(true, "")
	// Kubernetes: policy.yaml -> ..data/policy.yaml, ..data -> a folder.
	dir := filepath.Dir(w.path)
	for name, text := range map[string]string{"v1": onlySSN, "v2": ssnAndNote} {
		if err := errors.Join(os.Mkdir(filepath.Join(dir, name), 0o700), os.WriteFile(filepath.Join(dir, name, "policy.yaml"), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "..data")
	if err := errors.Join(os.Remove(w.path), os.Symlink("v1", data), os.Symlink("..data/policy.yaml", w.path)); err != nil {
		t.Fatal(err)
	}
	w.looks(true, "")
	w.exec(w.db, false)
	if err := errors.Join(os.Symlink("v2", data+"_tmp"), os.Rename(data+"_tmp", data)); err != nil {
		t.Fatal(err)
	}
	w.looks(true, "")
	w.exec(w.db, true)
}

func TestWatchRejectsABadFileOnce(t *testing.T) {
	w := newWatching(t)
	w.write("version: 2\n")
	w.looks(false, "version")
	if e := <-w.events; e.Kind != alert.PolicyRejected || !strings.Contains(e.Err, "version") || !strings.Contains(e.Err, "old policy stays in force") {
		t.Fatalf("event %v: %s", e.Kind, e.Err)
	}
	if _, err := w.check(); err == nil {
		t.Fatal("the file is still bad")
	}
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	w.looks(false, "cannot be opened")
	w.exec(w.db, false)
	w.write(ssnAndNote)
	w.looks(true, "")
	w.exec(w.db, true)
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	close(w.events)
	n := 0
	for e := range w.events {
		if n++; e.Kind != alert.PolicyRejected {
			t.Errorf("event %v", e.Kind)
		}
	}
	if n != 1 {
		t.Errorf("%d further events, want 1, for the missing file", n)
	}
}

func TestWatchNeedsAFileAndASaneInterval(t *testing.T) {
	p, err := policy.Parse("test", []byte(onlySSN))
	if err != nil {
		t.Fatal(err)
	}
	_, err = driver.NewConnector(&memdriver.Base{}, driver.WithPolicy(p), driver.WithDialect(postgres.Dialect), driver.WithKeyring("local", rawKey(t)), driver.WithWatch(driver.Watch{}))
	if !errors.Is(err, driver.ErrPolicy) {
		t.Fatalf("no file: %v", err)
	}
	path := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(path, []byte(onlySSN), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"x", "-1s", "1ms", "15"} {
		if _, err := sql.Open("sealsql-pgx", "postgres://localhost/x?sealsql_policy="+path+"&sealsql_policy_watch="+bad); err == nil || !strings.Contains(err.Error(), "sealsql_policy_watch") {
			t.Errorf("an interval of %s: %v", bad, err)
		}
		t.Setenv(driver.WatchEnv, bad)
		if _, err := driver.NewConnector(&memdriver.Base{}, driver.WithPolicyFile(path), driver.WithDialect(postgres.Dialect), driver.WithKeyring("local", rawKey(t))); err == nil || !strings.Contains(err.Error(), driver.WatchEnv) {
			t.Errorf("an interval of %s in the environment: %v", bad, err)
		}
	}
	if _, err := sql.Open("sealsql-pgx", "postgres://localhost/x?sealsql_polcy="+path); err == nil || !strings.Contains(err.Error(), "sealsql_polcy") {
		t.Errorf("a parameter with a typing error: %v", err)
	}
}
