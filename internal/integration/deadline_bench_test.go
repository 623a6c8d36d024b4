package integration

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// BenchmarkDeadlines sends large statements that were not planned before, with a deadline of 100 ms.
// It prints by how much they end after it: the median and the most, of sealsql and of bare.
func BenchmarkDeadlines(b *testing.B) {
	const deadline = 100 * time.Millisecond
	for _, server := range testdb.Each(b) {
		sealed, bare := localSite(b, server)
		rows := func(row string) string {
			return "INSERT INTO people (id, name, ssn) VALUES " + repeated(row, ", ", 20000)
		}
		many := func(values ...any) []any { return slices.Repeat(values, 20000) }
		keys := make([]any, 60000)
		for n := range keys {
			keys[n] = fmt.Sprint("k", n*20)
		}
		in := "account_number IN (" + repeated("?", ", ", len(keys)) + ")"
		for _, c := range []struct {
			name, text string
			args       func(turn int, value any) []any
		}{
			{"INSERT of 20000 rows of parameters", rows("(?, ?, ?)"), func(turn int, v any) []any {
				args := many(0, "n", v)
				for i := range 20000 {
					args[3*i] = 1_000_000*turn + i
				}
				return args
			}},
			{"INSERT of 20000 rows of literals", rows("(7, 'n', '900-12-3456')"), func(int, any) []any { return nil }},
			{"SELECT with IN of 60000", "SELECT ssn FROM accounts WHERE " + in, func(int, any) []any { return keys }},
			{"UPDATE with IN of 60000", "UPDATE accounts SET name = 'n' WHERE " + in, func(int, any) []any { return keys }},
			{"row by row with IN of 60000", "UPDATE accounts SET ssn = ? WHERE " + in, func(_ int, v any) []any { return append([]any{v}, keys...) }},
			{"UNION of 4000", repeated("SELECT name FROM people WHERE id = 0", " UNION ALL ", 3999) + " UNION ALL SELECT name FROM accounts WHERE account_number = ?", func(int, any) []any { return []any{"k1"} }},
		} {
			text := numberedText(server.Name, c.text)
			b.Run(server.String()+"/"+c.name, func(b *testing.B) {
				late := map[*sql.DB][]float64{}
				turn := 0
				for b.Loop() {
					for range 10 {
						turn++
						for _, db := range []*sql.DB{bare, sealed} {
							var value any = "900-12-3456"
							if db == bare {
								value = []byte(strings.Repeat("m", 300))
							}
							args := c.args(turn, value)
							// The blanks make it a text of its own, for every cache.
							fresh := text + strings.Repeat(" ", turn)
							ctx, cancel := context.WithTimeout(b.Context(), deadline)
							start := time.Now()
							_, _ = db.ExecContext(ctx, fresh, args...) // most end with their deadline
							late[db] = append(late[db], max(0, (time.Since(start)-deadline).Seconds()*1000))
							cancel()
						}
					}
				}
				for name, db := range map[string]*sql.DB{"sealed": sealed, "bare": bare} {
					slices.Sort(late[db])
					b.ReportMetric(late[db][len(late[db])/2], "ms-late-"+name)
					b.ReportMetric(late[db][len(late[db])-1], "ms-most-"+name)
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
