package overhead

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"math"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/internal/testing/memdriver"
)

// protected is a base in memory whose rows hold values of a format, through sealsql and
// bare.
func protected(t testing.TB, format string, rows, contentKeys int) (db, bare *sql.DB) {
	base := &memdriver.Base{Columns: []string{"id", "ssn"}}
	db = sealed(t, format, base, contentKeys, driver.WithDialect(postgres.Dialect),
		driver.WithSchema(driver.Schema{"sealed": {{Name: "id", Type: "bigint", Unique: true}, {Name: "ssn", Type: "bytea"}}}))
	sealer, err := driver.Sealer(db)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		m, err := sealer.Seal(context.Background(), "sealed", "ssn", driver.Row{"id": int64(i)}, ssn)
		if err != nil {
			t.Fatal(err)
		}
		base.Rows = append(base.Rows, []sqldriver.Value{int64(i), m})
	}
	bare = sql.OpenDB(base)
	t.Cleanup(func() { _ = bare.Close() })
	return db, bare
}

// BenchmarkProtected is what the wrapper and the codec take, with no server. Its figures of
// the message format keep the names that they had before there was another.
func BenchmarkProtected(b *testing.B) {
	ctx := context.Background()
	for _, c := range []struct {
		name, format string
		contentKeys  int
	}{{"read", "message", 0}, {"read again", "message", 10}, {"compact read", "compact", 0}} {
		b.Run(c.name, func(b *testing.B) {
			db, _ := protected(b, c.format, 1, c.contentKeys)
			b.ReportAllocs()
			for b.Loop() {
				var v string
				var id int64
				if err := db.QueryRowContext(ctx, "SELECT id, ssn FROM sealed WHERE id = $1", int64(0)).Scan(&id, &v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for name, format := range map[string]string{"write": "message", "compact write": "compact"} {
		b.Run(name, func(b *testing.B) {
			db, _ := protected(b, format, 1, 0)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := db.ExecContext(ctx, "UPDATE sealed SET ssn = $1 WHERE id = $2", ssn, int64(0)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for name, format := range map[string]string{"scan of 1,000 rows": "message", "compact scan of 1,000 rows": "compact"} {
		b.Run(name, func(b *testing.B) {
			db, _ := protected(b, format, 1000, 0)
			b.ReportAllocs()
			for b.Loop() {
				scanThousand(b, db)
			}
		})
	}
}

// scanThousand reads 1,000 rows.
func scanThousand(t testing.TB, db *sql.DB) {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), "SELECT id, ssn FROM sealed")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		var id int64
		var v sql.RawBytes
		if err := rows.Scan(&id, &v); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if err := rows.Close(); err != nil || n != 1000 {
		t.Fatal(n, err)
	}
}

// TestScanAllocations holds a scan of compact values to two objects a row more than
// bare: the text and its place in an interface. The canonical texts of integers as row
// keys share allocations.
func TestScanAllocations(t *testing.T) {
	db, bare := protected(t, "compact", 1000, 0)
	least := func(db *sql.DB) float64 { // on a busy machine a scan may be read ahead
		n := math.Inf(1)
		for range 20 {
			n = min(n, testing.AllocsPerRun(1, func() { scanThousand(t, db) }))
		}
		return n
	}
	ours, theirs := least(db), least(bare)
	t.Logf("a row of a scan: sealsql %.2f objects, bare %.2f", ours/1000, theirs/1000)
	if more := (ours - theirs) / 1000; more > 2.05 {
		t.Errorf("a row takes %.2f objects more than bare, at most 2.05 are wanted", more)
	}
}
