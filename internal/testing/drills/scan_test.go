package drills

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/sealtest"
)

const scanLatency = 20 * time.Millisecond

// TestScan: a SELECT of rows that each have a data key of their own, with a KMS
// that takes 20 ms for a call.
func TestScan(t *testing.T) {
	const rows = 1000
	onBoth(t, func(t *testing.T, server *testdb.Server) {
		b := newBase(t, server, "CREATE TABLE accounts (id bigint PRIMARY KEY, ssn BINARY)")
		k := sealtest.NewKMS()
		t.Cleanup(k.Close)
		db := b.open(t, onePolicy(k.CreateKey("us-east-1")), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
		began := time.Now()
		fill(t, db, b, rows)
		t.Logf("%s: one INSERT of 500 rows takes %s without latency", server.Name, time.Since(began)/2)
		k.SetFault("us-east-1", sealtest.Fault{Latency: scanLatency})
		k.ResetCalls()

		firstRow := make([]time.Duration, 9)
		for i := range firstRow {
			began := time.Now()
			if err := db.QueryRow(b.q("SELECT id, ssn FROM accounts WHERE id >= ? ORDER BY id"), i).Scan(new(int64), new(string)); err != nil {
				t.Fatal(err)
			}
			firstRow[i] = time.Since(began)
		}
		if n := k.Count(sealtest.CallKind{Operation: "Decrypt"}); n != len(firstRow) {
			t.Errorf("%d first rows cost %d calls of KMS", len(firstRow), n)
		}
		oneCall := median(oneDecrypt(t, k, db, b))
		took, peak := time.Hour, 0
		for range sized(1, 3) { // the best of three: others may use the machine
			k.ResetCalls()
			began = time.Now()
			if n := scan(t, db, "SELECT id, ssn FROM accounts ORDER BY id"); n != rows {
				t.Errorf("%d rows of %d", n, rows)
			}
			took = min(took, time.Since(began))
			if n := k.Count(sealtest.CallKind{Operation: "Decrypt"}); n != rows {
				t.Errorf("%d rows cost %d calls of KMS", rows, n)
			}
			peak = max(peak, k.PeakInFlight("us-east-1"))
		}
		t.Logf("%s: SELECT of %d rows, %s of KMS each: %s (at most 0.6 s; one after the other: %s), %d calls at a time",
			server.Name, rows, scanLatency, took.Round(time.Millisecond), rows*scanLatency, peak)
		t.Logf("%s: first row %s, one call of KMS %s: ratio %.2f (at most 1.3)", server.Name, median(firstRow), oneCall, float64(median(firstRow))/float64(oneCall))
		if peak < sized(8, 64) {
			t.Errorf("only %d calls at a time", peak)
		}
		if *whole && (took > 600*time.Millisecond || float64(median(firstRow)) > 1.3*float64(oneCall)) {
			t.Error("that is too slow")
		}
		k.ResetCalls()
		began = time.Now()
		fillFrom(t, db, b, rows, 500)
		t.Logf("%s: one INSERT of 500 rows: %s, %d calls at a time", server.Name, time.Since(began).Round(time.Millisecond), k.PeakInFlight("us-east-1"))
		if k.PeakInFlight("us-east-1") < sized(4, 32) {
			t.Error("the data keys of one INSERT were not made at the same time")
		}
		k.ResetCalls()
		began = time.Now()
		if _, err := db.Exec(b.q("UPDATE accounts SET ssn = ? WHERE id < 500"), "changed"); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: one row-by-row UPDATE of 500 rows: %s, %d calls at a time", server.Name, time.Since(began).Round(time.Millisecond), k.PeakInFlight("us-east-1"))
		if k.PeakInFlight("us-east-1") < sized(4, 32) {
			t.Error("the data keys of one UPDATE were not made at the same time")
		}
	})
}

func onePolicy(arn string) string {
	return fmt.Sprintf(`
version: 1
keyrings: {pii: {kms: {keys: [%q]}}}
tables: {accounts: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}}
alerts: [log]
`, arn)
}

func rawPolicy(t testing.TB) string {
	t.Setenv("SEALSQL_DRILL_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	return `
version: 1
keyrings: {pii: {raw_aes: {namespace: drill, name: a, key_env: SEALSQL_DRILL_KEY}}}
tables: {accounts: {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}}
`
}

func fill(t testing.TB, db *sql.DB, b *base, rows int) {
	t.Helper()
	for from := 0; from < rows; from += 500 {
		fillFrom(t, db, b, from, min(500, rows-from))
	}
}

func fillFrom(t testing.TB, db *sql.DB, b *base, from, n int) {
	t.Helper()
	args := make([]any, 0, 2*n)
	for i := range n {
		args = append(args, from+i, fmt.Sprintf("900-%08d", from+i))
	}
	text := "INSERT INTO accounts (id, ssn) VALUES " + strings.TrimSuffix(strings.Repeat("(?, ?), ", n), ", ")
	if _, err := db.Exec(b.q(text), args...); err != nil {
		t.Fatal(err)
	}
}

// scan reads a query whole and checks each value.
func scan(t testing.TB, db *sql.DB, text string) (n int) {
	t.Helper()
	rows, err := db.Query(text)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for ; rows.Next(); n++ {
		var id int
		var ssn string
		if err := rows.Scan(&id, &ssn); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("900-%08d", id); ssn != want {
			t.Fatalf("row %d has %q, want %q", id, ssn, want)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

// oneDecrypt times calls of KMS with the SDK's own client, by themselves.
func oneDecrypt(t testing.TB, k *sealtest.KMS, db *sql.DB, b *base) []time.Duration {
	t.Helper()
	var out []time.Duration
	client := k.Client("us-east-1")
	arn := k.CreateKey("us-east-1")
	blob := encrypt(t, client, arn)
	for range 9 {
		began := time.Now()
		decrypt(t, client, arn, blob)
		out = append(out, time.Since(began))
	}
	return out
}

// TestLongScanInConstantMemory compares the heap's peak with the bare driver's.
func TestLongScanInConstantMemory(t *testing.T) {
	rows := sized(5_000, 100_000)
	onBoth(t, func(t *testing.T, server *testdb.Server) {
		b := newBase(t, server, "CREATE TABLE accounts (id bigint PRIMARY KEY, ssn BINARY)")
		db := b.open(t, rawPolicy(t))
		fill(t, db, b, rows)
		read := func(db *sql.DB) func() {
			return func() {
				r, err := db.Query("SELECT id, ssn FROM accounts")
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				n := 0
				for ; r.Next(); n++ {
					var id int
					var ssn sql.RawBytes
					if err := r.Scan(&id, &ssn); err != nil {
						t.Fatal(err)
					}
				}
				if err := r.Err(); err != nil || n != rows {
					t.Fatalf("%d rows of %d, %v", n, rows, err)
				}
			}
		}
		read(db)() // plans and pools are there
		bare, sealed := peak(read(b.bare)), peak(read(db))
		t.Logf("%s: peak of the heap over %d rows: bare %.1f MiB, sealsql %.1f MiB (at most 32 MiB more)", server.Name, rows, mib(bare), mib(sealed))
		if sealed > bare+32<<20 {
			t.Error("that is too much")
		}
	})
}

func mib(n uint64) float64 { return float64(n) / (1 << 20) }
