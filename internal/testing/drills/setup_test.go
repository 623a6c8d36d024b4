package drills

import (
	"database/sql"
	sqldriver "database/sql/driver"
	"flag"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	_ "github.com/sealsql/sealsql/driver/mysql"
	_ "github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// whole runs the drills at full length and checks timings.
var whole = flag.Bool("whole", false, "run the drills at full length, and check timings")

func TestMain(m *testing.M) { testdb.Main(m) }

// sized returns the size of a drill.
func sized[T any](short, full T) T {
	if *whole {
		return full
	}
	return short
}

// base is one database, opened bare.
type base struct {
	server *testdb.Server
	name   string
	bare   *sql.DB
}

func (b *base) postgres() bool { return b.server.Name == "postgres" }

// q writes ? as the server wants it.
func (b *base) q(text string) string {
	if !b.postgres() {
		return text
	}
	for n := 1; strings.Contains(text, "?"); n++ {
		text = strings.Replace(text, "?", fmt.Sprintf("$%d", n), 1)
	}
	return text
}

// binary is the server's type for ciphertexts.
func (b *base) binary() string {
	if b.postgres() {
		return "bytea"
	}
	return "blob"
}

func newBase(t testing.TB, server *testdb.Server, ddl ...string) *base {
	t.Helper()
	b := &base{server: server, name: server.NewDatabase(t)}
	b.bare = server.Open(t, b.name)
	for _, text := range ddl {
		if _, err := b.bare.Exec(strings.ReplaceAll(text, "BINARY", b.binary())); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// onBoth runs a drill on both servers.
func onBoth(t *testing.T, f func(t *testing.T, server *testdb.Server)) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) { f(t, server) })
	}
}

// open opens the database through sealsql.
func (b *base) open(t testing.TB, policyText string, opts ...driver.Option) *sql.DB {
	t.Helper()
	p, err := policy.Parse("drill", []byte(policyText))
	if err != nil {
		t.Fatal(err)
	}
	name, dsn := b.server.DSN(b.server.Addr(), b.name)
	plain, err := sql.Open(name, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	connector, err := plain.Driver().(sqldriver.DriverContext).OpenConnector(dsn)
	if err != nil {
		t.Fatal(err)
	}
	c, err := driver.NewConnector(connector, append([]driver.Option{driver.WithPolicy(p)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// quiet keeps the policy's log alerts out of the drill's output.
func quiet() driver.Option { return driver.WithLogger(slog.New(slog.DiscardHandler)) }

// peak runs f and returns by how much the heap in use grew at its highest.
func peak(f func()) uint64 {
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	highest := before.HeapInuse
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				runtime.ReadMemStats(&now)
				highest = max(highest, now.HeapInuse)
			case <-stop:
				return
			}
		}
	}()
	f()
	close(stop)
	<-done
	return highest - before.HeapInuse
}

// percentile returns the p-th percentile of durations, which it sorts.
func percentile(all []time.Duration, p float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)-1, int(p*float64(len(all))))]
}

func median(all []time.Duration) time.Duration { return percentile(all, 0.5) }
