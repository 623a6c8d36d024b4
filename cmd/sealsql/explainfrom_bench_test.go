package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// BenchmarkExplainFrom explains a log of 100,000 statements, none of which is the same as
// another, and one of a tenth of it: "MB" is the most memory that was in use, and must not
// grow with the log.
func BenchmarkExplainFrom(b *testing.B) {
	dir := b.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		return path
	}
	policy := write("policy.yaml", "version: 1\nkeyrings:\n  pii: {kms: {keys: [\""+mrkKey+"\"]}}\ntables:\n  accounts:\n    row_key: [account_number]\n    columns:\n      ssn: {keyring: pii, type: string}\n")
	schema := write("tables.yaml", "accounts:\n  - {name: account_number, type: varchar, unique: true}\n  - {name: tenant, type: bigint}\n  - {name: ssn, type: bytea}\n")
	for _, n := range []int{10_000, 100_000} {
		log := filepath.Join(dir, fmt.Sprint(n))
		f, err := os.Create(log)
		if err != nil {
			b.Fatal(err)
		}
		for i := range n {
			text := []string{"SELECT ssn, tenant FROM accounts WHERE account_number = '%d'", "SELECT a.tenant, o.id FROM accounts a JOIN orders o ON o.account = a.account_number WHERE o.id > %d",
				"INSERT INTO accounts (account_number, ssn) VALUES ('%d', '900-12-3456')", "SELECT tenant FROM accounts WHERE ssn = '%d' ORDER BY tenant", "UPDATE orders SET state = 3 WHERE id = %d"}[i%5]
			fmt.Fprintf(f, "%q\n", fmt.Sprintf(text, i))
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				stop, peak := make(chan struct{}), make(chan uint64)
				go func() {
					most := uint64(0)
					for tick := time.NewTicker(20 * time.Millisecond); ; {
						select {
						case <-stop:
							peak <- most
							return
						case <-tick.C:
							var m runtime.MemStats
							runtime.ReadMemStats(&m)
							most = max(most, m.HeapInuse)
						}
					}
				}()
				if code := run([]string{"explain", "--policy", policy, "--schema", schema, "--from", log}, nil, io.Discard, os.Stderr); code != exitFindings {
					b.Fatalf("exit code %d", code)
				}
				close(stop)
				b.ReportMetric(float64(<-peak)/1e6, "MB")
			}
		})
	}
}
