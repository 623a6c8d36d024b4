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

	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/driver"
	_ "github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/internal/testdb"
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
    data_key: {per: branch, store: "file:%s", ttl: 15m, branch_key: shop}
tables:
  sealed:
    row_key: [id]
    columns:
      ssn: {keyring: pii, type: string}
`

// sealed opens a database through sealsql whose column sealed.ssn has branch keys,
// under a KMS of its own, and makes the key.
func sealed(t testing.TB, base sqldriver.Connector, opts ...driver.Option) *sql.DB {
	t.Helper()
	k := sealtest.NewKMS()
	t.Cleanup(k.Close)
	text := fmt.Sprintf(branchPolicy, k.CreateKey("us-east-1"), filepath.Join(t.TempDir(), "keys.json"))
	p, err := policy.Parse("overhead", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c, err := driver.NewConnector(base, append(opts, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")))...)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() { _ = db.Close() })
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
// values as wide as the messages in the table sealed.
type pair struct {
	bare, sealed *sql.DB
	wide         []byte // a message
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
	p.sealed = sealed(b, base, opts...)
	for _, t := range []string{"plain", "sealed"} {
		if _, err := p.bare.Exec("CREATE TABLE " + t + " (id bigint PRIMARY KEY, name text, ssn bytea)"); err != nil {
			b.Fatal(err)
		}
	}
	p.fill(b, rows)
	for _, db := range []*sql.DB{p.bare, p.sealed} {
		db.SetMaxIdleConns(16)
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

// report prints how much of the first one's throughput each has.
func report(b *testing.B, title string, all []contender, got map[string]ratios) {
	for _, c := range all[1:] {
		share := make(ratios, 0, len(got[c.name]))
		for _, r := range got[c.name] {
			share = append(share, 1/r)
		}
		b.ReportMetric(share.quartile(0.5), c.name+"/"+all[0].name)
		b.Logf("%-34s throughput of %s: %v of %s", title, c.name, share, all[0].name)
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
	cases := []struct {
		name         string
		bare, sealed func(int) error
	}{
		{"unprotected read", read(p.bare, "plain", 200), read(p.sealed, "plain", 200)},
		{"unprotected write", other(p.bare), other(p.sealed)},
		{"protected read", read(p.bare, "plain", 200), read(p.sealed, "sealed", len(ssn))},
		{"protected write", write(p.bare, "plain", p.wide), write(p.sealed, "sealed", ssn)},
	}
	for _, c := range cases {
		for _, goroutines := range []int{1, 8} {
			title := fmt.Sprintf("%s, %d at a time", c.name, goroutines)
			b.Run(title, func(b *testing.B) {
				all := []contender{{"bare", together(goroutines, c.bare)}, {"sealsql", together(goroutines, c.sealed)}}
				for b.Loop() {
					report(b, title, all, compare(b, 61, max(1, 20/goroutines), all))
				}
			})
		}
	}
}
