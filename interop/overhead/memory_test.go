package overhead

import (
	"bytes"
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
	"testing"

	"github.com/XSAM/otelsql"
	"github.com/ngrok/sqlmw"

	"github.com/sealsql/sealsql/codec/rawaes"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/internal/testing/memdriver"
	"github.com/sealsql/sealsql/policy"
)

const memoryPolicy = `
version: 1
keyrings:
  local: {raw_aes: {namespace: test, name: key, key_env: NOT_USED}}
tables:
  vault:
    row_key: [id]
    columns:
      secret: {keyring: local, type: string}
`

func rawKey(t testing.TB) *rawaes.Keyring {
	k, err := rawaes.New("test", "key", bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sealsql(t testing.TB, base sqldriver.Connector, text string, opts ...driver.Option) *sql.DB {
	t.Helper()
	p, err := policy.Parse("overhead", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c, err := driver.NewConnector(base, append(opts, driver.WithPolicy(p), driver.WithKeyring("local", rawKey(t)))...)
	if err != nil {
		t.Fatal(err)
	}
	return sql.OpenDB(c)
}

// inMemory is the same base in memory, bare and wrapped.
func inMemory(t testing.TB, rows int) map[string]*sql.DB {
	base := &memdriver.Base{Columns: []string{"id", "name", "amount"}}
	for i := range rows {
		base.Rows = append(base.Rows, []sqldriver.Value{int64(i), "a name", 1.5})
	}
	name := fmt.Sprintf("sqlmw-%p", base)
	sql.Register(name, sqlmw.Driver(base.Driver(), new(sqlmw.NullInterceptor)))
	mw, err := sql.Open(name, "")
	if err != nil {
		t.Fatal(err)
	}
	dbs := map[string]*sql.DB{
		"bare": sql.OpenDB(base), "sqlmw": mw, "otelsql": otelsql.OpenDB(base),
		"sealsql": sealsql(t, base, memoryPolicy, driver.WithDialect(postgres.Dialect),
			driver.WithSchema(driver.Schema{"vault": {{Name: "id", Type: "bigint", Unique: true}, {Name: "secret", Type: "bytea"}}})),
	}
	for _, db := range dbs {
		t.Cleanup(func() { _ = db.Close() })
	}
	return dbs
}

var wrappers = []string{"bare", "sealsql", "sqlmw", "otelsql"}

// memoryCase is one thing to do with a sql.DB.
type memoryCase struct {
	name string
	rows int
	// ratio and allocs are the most that sealsql may take: times bare, and
	// allocations more than bare. 0 ratios are not held to.
	ratio, allocs float64
	do            func(t testing.TB, db *sql.DB) func() error
}

var memoryCases = []memoryCase{
	{"prepared query", 1, 1.35, 3, func(t testing.TB, db *sql.DB) func() error {
		stmt, err := db.Prepare("SELECT id, name, amount FROM items WHERE id = $1")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = stmt.Close() })
		return func() error { return scan(stmt.QueryContext(context.Background(), int64(1))) }
	}},
	{"query", 1, 0, 3, func(_ testing.TB, db *sql.DB) func() error {
		return func() error {
			return scan(db.QueryContext(context.Background(), "SELECT id, name, amount FROM items WHERE id = $1", int64(1)))
		}
	}},
	{"exec", 0, 0, 1, func(_ testing.TB, db *sql.DB) func() error {
		return func() error {
			_, err := db.ExecContext(context.Background(), "UPDATE items SET name = $1 WHERE id = $2", "a name", int64(1))
			return err
		}
	}},
	{"scan of 1,000 rows", 1000, 1.03, 4, func(_ testing.TB, db *sql.DB) func() error {
		return func() error { return scan(db.QueryContext(context.Background(), "SELECT id, name, amount FROM items")) }
	}},
}

func scan(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			id     int64
			name   string
			amount float64
		)
		if err := rows.Scan(&id, &name, &amount); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (c memoryCase) contenders(t testing.TB) []contender {
	dbs := inMemory(t, c.rows)
	var all []contender
	for _, w := range wrappers {
		all = append(all, contender{w, c.do(t, dbs[w])})
	}
	return all
}

func TestAllocationsInMemory(t *testing.T) {
	for _, c := range memoryCases {
		counts := map[string]float64{}
		for _, one := range c.contenders(t) {
			counts[one.name] = allocations(t, one)
		}
		bare := counts["bare"]
		t.Logf("%-20s allocations: bare %.0f, sealsql +%.0f, sqlmw +%.0f, otelsql +%.0f", c.name, bare, counts["sealsql"]-bare, counts["sqlmw"]-bare, counts["otelsql"]-bare)
		if more := counts["sealsql"] - bare; more > c.allocs {
			t.Errorf("%s: %.0f allocations more than bare, want at most %.0f", c.name, more, c.allocs)
		}
	}
}

func BenchmarkInMemory(b *testing.B) {
	for _, c := range memoryCases {
		b.Run(c.name, func(b *testing.B) {
			all := c.contenders(b)
			n := max(20, 4000/(1+c.rows))
			for b.Loop() {
				got, _ := compare(b, 41, n, all)
				for _, w := range wrappers[1:] {
					b.ReportMetric(got[w].quartile(0.5), w+"/bare")
				}
				b.Logf("%-20s times bare: sealsql %v  sqlmw %v  otelsql %v", c.name, got["sealsql"], got["sqlmw"], got["otelsql"])
				if c.ratio > 0 && got["sealsql"].quartile(0.5) > c.ratio {
					b.Logf("MORE THAN THE %.2f ASKED FOR", c.ratio)
				}
			}
		})
	}
}
