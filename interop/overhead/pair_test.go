package overhead

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"strconv"
	"strings"
	"testing"

	"github.com/XSAM/otelsql"
	"github.com/ngrok/sqlmw"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

const (
	points   = 1000    // rows of the tables that single rows are read from
	scanRows = 100_000 // rows of the tables that are scanned
	ssn      = "900-12-3456"
)

// pair is one database, bare and through sealsql. The table plain has binary values as
// wide as the ciphertexts in the table sealed.
type pair struct {
	postgres       bool
	bare, sealed   *sql.DB
	first          *sql.DB // keeps no content key: opens each value as if for the first time
	sqlmw, otelsql *sql.DB
	wide           []byte // a ciphertext
	least          int    // length of the shortest, in bytes
}

// on is the server of a benchmark.
type on func(testing.TB) *testdb.Server

func newPair(b *testing.B, server on, format string, rows int) *pair {
	b.Helper()
	s := server(b)
	name := s.NewDatabase(b)
	p := &pair{bare: s.Open(b, name)}
	driverName, dsn := s.DSN(s.Addr(), name)
	p.postgres = driverName == "pgx"
	base, err := p.bare.Driver().(sqldriver.DriverContext).OpenConnector(dsn)
	if err != nil {
		b.Fatal(err)
	}
	w := newWorld(b, format)
	p.sealed, p.first = w.sealed(b, base, 2*points), w.open(b, base, 0)
	p.otelsql = otelsql.OpenDB(base)
	sqlmwName := "sqlmw-" + driverName + name + format
	sql.Register(sqlmwName, sqlmw.Driver(p.bare.Driver(), new(sqlmw.NullInterceptor)))
	if p.sqlmw, err = sql.Open(sqlmwName, dsn); err != nil {
		b.Fatal(err)
	}
	binary := "varbinary(1000)"
	if p.postgres {
		binary = "bytea"
	}
	for _, t := range []string{"plain", "sealed"} {
		if _, err := p.bare.Exec("CREATE TABLE " + t + " (id bigint PRIMARY KEY, name varchar(100), ssn " + binary + ")"); err != nil {
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

// text numbers the placeholders of a text where the server wants numbers.
func (p *pair) text(text string) string {
	if !p.postgres {
		return text
	}
	parts := strings.Split(text, "?")
	var out strings.Builder
	for i, part := range parts {
		if i > 0 {
			out.WriteString("$" + strconv.Itoa(i))
		}
		out.WriteString(part)
	}
	return out.String()
}

// fill seals every row's own value and stores it, as bytes, in both tables.
func (p *pair) fill(b *testing.B, rows int) {
	b.Helper()
	sealer, err := driver.Sealer(p.sealed)
	if err != nil {
		b.Fatal(err)
	}
	const batch = 1000
	for from := 0; from < rows; from += batch {
		var args []any
		for i := from; i < min(rows, from+batch); i++ {
			m, err := sealer.Seal(context.Background(), "sealed", "ssn", driver.Row{"id": int64(i)}, ssn)
			if err != nil {
				b.Fatal(err)
			}
			p.wide = bytes.Clone(m.([]byte))
			p.least = min(cmp.Or(p.least, len(p.wide)), len(p.wide))
			args = append(args, int64(i), m)
		}
		values := strings.TrimSuffix(strings.Repeat("(?, 'a name', ?), ", len(args)/2), ", ")
		for _, t := range []string{"plain", "sealed"} {
			if _, err := p.bare.Exec(p.text("INSERT INTO "+t+" VALUES "+values), args...); err != nil {
				b.Fatal(err)
			}
		}
	}
	analyze := "ANALYZE TABLE "
	if p.postgres {
		analyze = "VACUUM ANALYZE "
	}
	for _, t := range []string{"plain", "sealed"} {
		if _, err := p.bare.Exec(analyze + t); err != nil {
			b.Fatal(err)
		}
	}
}
