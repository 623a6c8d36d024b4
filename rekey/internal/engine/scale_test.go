package engine

import (
	"encoding/base64"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/sealsql/sealsql/internal/testing/testdb"
)

const rawPolicy = `
keyrings:
  dev: {raw_aes: {key_env: SEALSQL_SCALE_KEY}}
tables:
  people:
    row_key: [id]
    columns:
      ssn: {keyring: dev, type: string, storage: base64}
`

// TestScale seals tables of two sizes and prints the cost of a row and the peak of
// the heap for both: neither grows with the table.
//
//	SEALSQL_SCALE_ROWS=1000000 go test ./internal/rekey -run TestScale -v -timeout 60m
func TestScale(t *testing.T) {
	t.Setenv("SEALSQL_SCALE_KEY", base64.StdEncoding.EncodeToString(make([]byte, 32)))
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			large := scale(t, "SEALSQL_SCALE_ROWS", 20_000)
			var cost [2]time.Duration
			var heap [2]uint64
			for i, rows := range []int{min(10_000, large/10), large} {
				s := newSite(t, server)
				s.exec("CREATE TABLE people (id bigint PRIMARY KEY, ssn text)")
				s.fillPlain(rows)
				c := s.config(Backfill, s.policy(rawPolicy))
				c.Checkpoint, c.Concurrency = NewTable(s.db, server.Name), 4
				pages := 0
				c.Progress = func(Report) {
					if pages++; pages%20 != 0 {
						return
					}
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					heap[i] = max(heap[i], m.HeapInuse)
				}
				r := s.run(c)
				s.want(r, int64(rows), int64(rows), 0, 0, 0)
				cost[i] = r.Elapsed / time.Duration(rows)
				t.Logf("%s: %9d rows in %v: %v a row, heap at most %d MiB", server.Name, rows, r.Elapsed.Round(time.Millisecond), cost[i], heap[i]>>20)
			}
			if heap[1] > 4*heap[0]+(64<<20) {
				t.Errorf("the heap grew from %d to %d bytes", heap[0], heap[1])
			}
		})
	}
}

func (s *site) fillPlain(rows int) {
	s.t.Helper()
	for from := 0; from < rows; from += 10_000 {
		n := min(rows, from+10_000) - from
		if s.postgres() {
			s.exec(fmt.Sprintf("INSERT INTO people SELECT i, '900-' || i FROM generate_series(%d, %d) AS i", from, from+n-1))
		} else if s.server.Product == "mysql" { // it has no sequence engine
			s.exec(fmt.Sprintf("INSERT INTO people WITH RECURSIVE s (seq) AS (SELECT %d UNION ALL SELECT seq + 1 FROM s WHERE seq < %d)"+
				" SELECT /*+ SET_VAR(cte_max_recursion_depth = 10000) */ seq, CONCAT('900-', seq) FROM s", from, from+n-1))
		} else {
			s.exec(fmt.Sprintf("INSERT INTO people SELECT seq, CONCAT('900-', seq) FROM seq_%d_to_%d", from, from+n-1))
		}
	}
	if s.postgres() {
		s.exec("ANALYZE people")
	}
}
