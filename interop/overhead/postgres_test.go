package overhead

import (
	"bytes"
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/XSAM/otelsql"
	"github.com/ngrok/sqlmw"

	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/driver"
	_ "github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// branchPolicy names the KMS key and the file that the branch key lies in.
const branchPolicy = `
version: 1
keyrings:
  pii:
    kms: {keys: ["%s"]}
    data_key: {per: branch, store: "file:%s", ttl: 15m, branch_key: shop, content_keys: %d}
tables:
  sealed:
    row_key: [id]
    columns:
      ssn: {keyring: pii, type: string}
`

// world is a KMS, a branch key under it, and the file that it lies in.
type world struct {
	kms   *sealtest.KMS
	arn   string
	store string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{kms: sealtest.NewKMS(), store: filepath.Join(t.TempDir(), "keys.json")}
	t.Cleanup(w.kms.Close)
	w.arn = w.kms.CreateKey("us-east-1")
	return w
}

// open opens a database through sealsql whose column sealed.ssn has branch keys,
// which keeps so many content keys.
func (w *world) open(t testing.TB, base sqldriver.Connector, contentKeys int, opts ...driver.Option) *sql.DB {
	t.Helper()
	p, err := policy.Parse("overhead", fmt.Appendf(nil, branchPolicy, w.arn, w.store, contentKeys))
	if err != nil {
		t.Fatal(err)
	}
	c, err := driver.NewConnector(base, append(opts, driver.WithPolicy(p), driver.WithAWSConfig(w.kms.AWSConfig("us-east-1")))...)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// sealed is newWorld and open, and makes the branch key.
func sealed(t testing.TB, base sqldriver.Connector, contentKeys int, opts ...driver.Option) *sql.DB {
	t.Helper()
	return newWorld(t).sealed(t, base, contentKeys, opts...)
}

func (w *world) sealed(t testing.TB, base sqldriver.Connector, contentKeys int, opts ...driver.Option) *sql.DB {
	t.Helper()
	db := w.open(t, base, contentKeys, opts...)
	if _, err := branchKeys(t, db).Create(context.Background(), "shop", nil); err != nil {
		t.Fatal(err)
	}
	return db
}

func branchKeys(t testing.TB, db *sql.DB) *branchkey.Keys {
	t.Helper()
	keys, err := driver.BranchKeys(db, "pii")
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

const (
	points   = 1000    // rows of the tables that single rows are read from
	scanRows = 100_000 // rows of the tables that are scanned
	ssn      = "900-12-3456"
)

// pair is one database, bare and through sealsql. The table plain has bytea
// values as wide as the messages in the table sealed. A value that is opened through
// first is always opened as if for the first time: no content key is kept.
type pair struct {
	bare, sealed, first *sql.DB
	sqlmw, otelsql      *sql.DB
	wide                []byte // a message
}

func newPair(b *testing.B, rows int, opts ...driver.Option) *pair {
	b.Helper()
	server := testdb.Postgres(b)
	name := server.NewDatabase(b)
	p := &pair{bare: server.Open(b, name)}
	_, dsn := server.DSN(server.Addr(), name)
	base, err := p.bare.Driver().(sqldriver.DriverContext).OpenConnector(dsn)
	if err != nil {
		b.Fatal(err)
	}
	w := newWorld(b)
	p.sealed, p.first = w.sealed(b, base, 2*points, opts...), w.open(b, base, 0, opts...)
	p.otelsql = otelsql.OpenDB(base)
	sqlmwName := "sqlmw-" + name
	sql.Register(sqlmwName, sqlmw.Driver(p.bare.Driver(), new(sqlmw.NullInterceptor)))
	if p.sqlmw, err = sql.Open(sqlmwName, dsn); err != nil {
		b.Fatal(err)
	}
	for _, t := range []string{"plain", "sealed"} {
		if _, err := p.bare.Exec("CREATE TABLE " + t + " (id bigint PRIMARY KEY, name text, ssn bytea)"); err != nil {
			b.Fatal(err)
		}
	}
	p.fill(b, rows)
	for _, db := range []*sql.DB{p.bare, p.sealed, p.first, p.sqlmw, p.otelsql} {
		db.SetMaxIdleConns(16)
		b.Cleanup(func() { _ = db.Close() })
	}
	return p
}

// fill seals every row's own value, several at a time, and stores them as
// bytes in both tables.
func (p *pair) fill(b *testing.B, rows int) {
	b.Helper()
	sealer, err := driver.Sealer(p.sealed)
	if err != nil {
		b.Fatal(err)
	}
	const batch = 1000
	for from := 0; from < rows; from += batch {
		ids, messages := make([]int64, 0, batch), make([][]byte, 0, batch)
		for i := from; i < min(rows, from+batch); i++ {
			m, err := sealer.Seal(context.Background(), "sealed", "ssn", driver.Row{"id": int64(i)}, ssn)
			if err != nil {
				b.Fatal(err)
			}
			ids, messages = append(ids, int64(i)), append(messages, m.([]byte))
		}
		p.wide = bytes.Clone(messages[0])
		for _, t := range []string{"plain", "sealed"} {
			if _, err := p.bare.Exec("INSERT INTO "+t+" SELECT u.id, 'a name', u.ssn FROM unnest($1::bigint[], $2::bytea[]) AS u(id, ssn)", ids, messages); err != nil {
				b.Fatal(err)
			}
		}
	}
	for _, t := range []string{"plain", "sealed"} {
		if _, err := p.bare.Exec("VACUUM ANALYZE " + t); err != nil {
			b.Fatal(err)
		}
	}
}

// together runs a call in several goroutines at once, as a program under load does.
func together(goroutines int, do func(i int) error) func() error {
	return func() error {
		var (
			wg   sync.WaitGroup
			errs = make([]error, goroutines)
		)
		for g := range goroutines {
			wg.Go(func() {
				for i := range 8 {
					if err := do(g*8 + i); err != nil {
						errs[g] = err
						return
					}
				}
			})
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// report prints how much of the first one's throughput each has, and how much
// more processor time of this process it takes.
func report(b *testing.B, title string, all []contender, clock, used map[string]ratios) {
	for _, c := range all[1:] {
		share := make(ratios, 0, len(clock[c.name]))
		for _, r := range clock[c.name] {
			share = append(share, 1/r)
		}
		b.ReportMetric(share.quartile(0.5), c.name+"/"+all[0].name)
		b.Logf("%-34s throughput of %-18s %v of bare; processor time %v times bare", title, c.name, share, used[c.name])
	}
}

func BenchmarkPostgresPoints(b *testing.B) {
	p := newPair(b, points)
	ctx := context.Background()
	read := func(db *sql.DB, table string, want int) func(int) error {
		text := "SELECT ssn FROM " + table + " WHERE id = $1"
		return func(i int) error {
			var v sql.RawBytes
			rows, err := db.QueryContext(ctx, text, int64(i*7%points))
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				if err := rows.Scan(&v); err != nil {
					return err
				}
				if len(v) < want {
					return fmt.Errorf("a value of %d bytes, want %d", len(v), want)
				}
			}
			return rows.Err()
		}
	}
	write := func(db *sql.DB, table string, value any) func(int) error {
		text := "UPDATE " + table + " SET ssn = $1 WHERE id = $2"
		return func(i int) error {
			_, err := db.ExecContext(ctx, text, value, int64(i*7%points))
			return err
		}
	}
	other := func(db *sql.DB) func(int) error {
		return func(i int) error {
			_, err := db.ExecContext(ctx, "UPDATE plain SET name = $1 WHERE id = $2", "another name", int64(i*7%points))
			return err
		}
	}
	unprotected := func(do func(*sql.DB) func(int) error) []point {
		return []point{{"bare", do(p.bare)}, {"sealsql", do(p.sealed)}, {"sqlmw", do(p.sqlmw)}, {"otelsql", do(p.otelsql)}}
	}
	plainRead := func(db *sql.DB) func(int) error { return read(db, "plain", 200) }
	plainWrite := func(db *sql.DB) func(int) error { return write(db, "plain", p.wide) }
	cases := []struct {
		name string
		all  []point
	}{
		{"unprotected read", unprotected(plainRead)},
		{"unprotected write", unprotected(other)},
		{"protected read", append(unprotected(plainRead), point{"sealsql-again", read(p.sealed, "sealed", len(ssn))}, point{"sealsql-first", read(p.first, "sealed", len(ssn))})},
		{"protected write", append(unprotected(plainWrite), point{"sealsql-protected", write(p.sealed, "sealed", ssn)})},
	}
	for _, c := range cases {
		for _, goroutines := range []int{1, 8} {
			title := fmt.Sprintf("%s, %d at a time", c.name, goroutines)
			b.Run(title, func(b *testing.B) {
				var all []contender
				for _, p := range c.all {
					all = append(all, contender{p.name, together(goroutines, p.do)})
				}
				for b.Loop() {
					clock, used := compare(b, 41, 60/(1+goroutines/4), all)
					report(b, title, all, clock, used)
				}
			})
		}
	}
}

// point is one way to read or write the i-th row.
type point struct {
	name string
	do   func(i int) error
}
