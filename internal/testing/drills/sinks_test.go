package drills

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

const plaintextPolicy = `
version: 1
keyrings: {pii: {raw_aes: {namespace: drill, name: a, key_env: SEALSQL_DRILL_KEY}}}
tables: {accounts: {row_key: [id], columns: {ssn: {keyring: pii, type: string, plaintext_reads: allow}}}}
alerts: [log]
`

// TestSinks compares reads that raise an event for every row, with no sink and
// with sinks that do their worst.
func TestSinks(t *testing.T) {
	const rows = 250
	b := newBase(t, testdb.Postgres(t), "CREATE TABLE accounts (id bigint PRIMARY KEY, ssn BINARY)")
	rawPolicy(t)
	for id := range rows {
		if _, err := b.bare.Exec("INSERT INTO accounts VALUES ($1, $2)", id, []byte("in clear")); err != nil {
			t.Fatal(err)
		}
	}
	forever := make(chan struct{})
	t.Cleanup(func() { close(forever) })
	kinds := []struct {
		name string
		opts []driver.Option
	}{
		{"the log alone", nil},
		{"the same once more", nil},
		{"blocks for ever", []driver.Option{driver.WithSink(alert.SinkFunc(func(context.Context, alert.Event) error { <-forever; return nil }))}},
		{"panics", []driver.Option{driver.WithSink(alert.SinkFunc(func(context.Context, alert.Event) error { panic("a fault of the sink's own") }))}},
		{"returns errors", []driver.Option{driver.WithSink(alert.SinkFunc(func(context.Context, alert.Event) error { return errors.New("no") }))}},
	}
	dbs := make([]*sql.DB, len(kinds))
	for i, k := range kinds {
		dbs[i] = b.open(t, plaintextPolicy, append(k.opts, quiet(), driver.WithCloseTimeout(100*time.Millisecond))...)
	}
	rounds := sized(20, 1500)
	took := make([][]time.Duration, len(kinds))
	spent := make([]time.Duration, len(kinds))
	for round := range rounds + 5 {
		for i := range kinds {
			i := (i + round) % len(kinds) // nobody always goes first
			began := time.Now()
			readAll(t, dbs[i], rows)
			if d := time.Since(began); round >= 5 { // the first ones warm up
				took[i] = append(took[i], d)
				spent[i] += d
			}
		}
	}
	base := median(took[0])
	for i, k := range kinds {
		st, err := driver.Stats(dbs[i])
		if err != nil {
			t.Fatal(err)
		}
		ratio := float64(median(took[i])) / float64(base)
		t.Logf("%-20s query of %d rows %s, ratio %.3f; p99 %s; %.0f events raised a second, %d dropped, %d failures of the sink", k.name+":", rows,
			median(took[i]).Round(time.Microsecond), ratio, percentile(took[i], 0.99).Round(time.Microsecond),
			float64(len(took[i])*rows)/spent[i].Seconds(), st.EventsDropped, st.SinkFailures)
		if want := uint64((rounds + 5) * rows); st.Events[alert.PlaintextRead] != want {
			t.Errorf("%s: %d events raised, want %d", k.name, st.Events[alert.PlaintextRead], want)
		}
		if *whole && ratio > 1.1 {
			t.Errorf("%s: %.3f times as slow as without that sink", k.name, ratio)
		}
	}
	closing(t, dbs)
}

func readAll(t *testing.T, db *sql.DB, want int) {
	t.Helper()
	rows, err := db.Query("SELECT id, ssn FROM accounts")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		if err := rows.Scan(new(int), new(string)); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil || n != want {
		t.Fatalf("%d rows, %v", n, err)
	}
}

// closing closes the databases: none waits for its sink for longer than the
// close timeout.
func closing(t *testing.T, dbs []*sql.DB) {
	t.Helper()
	before := runtime.NumGoroutine()
	for i, db := range dbs {
		began := time.Now()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("closing database %d took %s", i, d)
		}
	}
	t.Logf("closed: %d goroutines before, %d after; the one of the sink that blocks for ever stays", before, runtime.NumGoroutine())
}
