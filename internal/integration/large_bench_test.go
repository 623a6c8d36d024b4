package integration

import (
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// localPolicy needs no key service, and lets a statement write as many rows as it can.
const localPolicy = `
version: 1
keyrings: {pii: {raw_aes: {namespace: large, name: key, key_env: SEALSQL_CORPUS_KEY}}}
tables:
  accounts:
    row_key: [account_number]
    max_rows_per_statement: 20000
    columns: {ssn: {keyring: pii, type: string}}
  people:
    row_key: [id]
    max_rows_per_statement: 20000
    columns: {ssn: {keyring: pii, type: string}}
`

// localSite is a database under localPolicy.
func localSite(tb testing.TB, server *testdb.Server) (sealed, bare *sql.DB) {
	tb.Helper()
	name := server.NewDatabase(tb)
	bare = server.Open(tb, name)
	for _, text := range schema[server.Name] {
		if _, err := bare.Exec(text); err != nil {
			tb.Fatal(err)
		}
	}
	tb.Setenv("SEALSQL_CORPUS_KEY", base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	p, err := policy.Parse("test", []byte(localPolicy))
	if err != nil {
		tb.Fatal(err)
	}
	base, dsn := server.DSN(server.Addr(), name)
	db, err := sql.Open(base, dsn)
	if err != nil {
		tb.Fatal(err)
	}
	beneath, err := db.Driver().(sqldriver.DriverContext).OpenConnector(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	_ = db.Close() // it was not used
	c, err := driver.NewConnector(beneath, driver.WithPolicy(p))
	if err != nil {
		tb.Fatal(err)
	}
	sealed = sql.OpenDB(c)
	tb.Cleanup(func() { _ = sealed.Close() })
	return sealed, bare
}

// numberedText writes ? as the server wants it, in linear time.
func numberedText(name, text string) string {
	if name != "postgres" {
		return text
	}
	var b strings.Builder
	n := 0
	for i := range len(text) {
		if text[i] == '?' {
			n++
			fmt.Fprintf(&b, "$%d", n)
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// repeated joins n copies of a row by a separator.
func repeated(row, sep string, n int) string {
	return strings.TrimSuffix(strings.Repeat(row+sep, n), sep)
}

// BenchmarkLargeStatements prints the time of large statements through sealsql over that of
// the same bare, which write values as long as the ciphertexts, in turns.
func BenchmarkLargeStatements(b *testing.B) {
	for _, server := range testdb.Each(b) {
		sealed, bare := localSite(b, server)
		for id := range 1000 {
			for _, text := range []string{"INSERT INTO people (id, name) VALUES (%d, 'p%[1]d')", "INSERT INTO accounts (account_number, name) VALUES ('k%d', 'n')"} {
				if _, err := bare.Exec(fmt.Sprintf(text, id+1)); err != nil {
					b.Fatal(err)
				}
			}
		}
		message := []byte("\x02\x04\x78" + strings.Repeat("m", 300))
		for _, c := range []struct {
			name, text string
			args       func(value any) []any
			only       string
		}{
			{"1000 rows by number", "UPDATE people SET ssn = ?", func(v any) []any { return []any{v} }, ""},
			{"1000 rows by text", "UPDATE accounts SET ssn = ?", func(v any) []any { return []any{v} }, ""},
			{"IN of 60000", "UPDATE accounts SET ssn = ? WHERE account_number IN (" + repeated("?", ", ", 60000) + ")", func(v any) []any {
				args := []any{v}
				for n := range 60000 {
					args = append(args, fmt.Sprint("k", n*20))
				}
				return args
			}, ""},
			{"VALUES of 4000", "UPDATE people p SET ssn = v.s FROM (VALUES " + repeated("(?::bigint, ?)", ", ", 4000) + ") v (k, s) WHERE p.id = v.k", func(v any) []any {
				var args []any
				for n := range 4000 {
					args = append(args, n, v)
				}
				return args
			}, "postgres"},
			{"UNION of 4000", repeated("SELECT name FROM people WHERE id = 0", " UNION ALL ", 3999) + " UNION ALL SELECT name FROM accounts WHERE account_number = ?", func(any) []any { return []any{"k1"} }, ""},
		} {
			if c.only != "" && c.only != server.Name {
				continue
			}
			text := numberedText(server.Name, c.text)
			bareText := strings.Replace(text, "(VALUES ($1::bigint, $2)", "(VALUES ($1::bigint, $2::bytea)", 1)
			b.Run(server.String()+"/"+c.name, func(b *testing.B) {
				var ours, theirs []float64
				for b.Loop() {
					for range 5 {
						for _, x := range []struct {
							db    *sql.DB
							text  string
							value any
							to    *[]float64
						}{{bare, bareText, message, &theirs}, {sealed, text, "900-12-3456", &ours}} {
							args := c.args(x.value)
							start := time.Now()
							if _, err := x.db.Exec(x.text, args...); err != nil {
								b.Fatal(err)
							}
							*x.to = append(*x.to, float64(time.Since(start).Microseconds())/1000)
						}
					}
				}
				slices.Sort(ours)
				slices.Sort(theirs)
				b.ReportMetric(ours[len(ours)/2], "ms-sealed")
				b.ReportMetric(theirs[len(theirs)/2], "ms-bare")
				b.ReportMetric(ours[len(ours)/2]/theirs[len(theirs)/2], "x-bare")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
