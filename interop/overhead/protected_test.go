package overhead

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/internal/testing/memdriver"
)

// protected is a base in memory whose rows hold messages.
func protected(t testing.TB, rows, contentKeys int) *sql.DB {
	base := &memdriver.Base{Columns: []string{"id", "ssn"}}
	db := sealed(t, base, contentKeys, driver.WithDialect(postgres.Dialect),
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
	return db
}

// BenchmarkProtected is what the wrapper and the codec take, with no server.
func BenchmarkProtected(b *testing.B) {
	ctx := context.Background()
	for name, contentKeys := range map[string]int{"read": 0, "read again": 10} {
		b.Run(name, func(b *testing.B) {
			db := protected(b, 1, contentKeys)
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
	b.Run("write", func(b *testing.B) {
		db := protected(b, 1, 0)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := db.ExecContext(ctx, "UPDATE sealed SET ssn = $1 WHERE id = $2", ssn, int64(0)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("scan of 1,000 rows", func(b *testing.B) {
		db := protected(b, 1000, 0)
		b.ReportAllocs()
		for b.Loop() {
			rows, err := db.QueryContext(ctx, "SELECT id, ssn FROM sealed")
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for rows.Next() {
				var id int64
				var v sql.RawBytes
				if err := rows.Scan(&id, &v); err != nil {
					b.Fatal(err)
				}
				n++
			}
			if err := rows.Close(); err != nil || n != 1000 {
				b.Fatal(n, err)
			}
		}
	})
}
