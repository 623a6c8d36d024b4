package integration

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// BenchmarkGuard prints what a guard costs: the time of bare inserts into a table with
// a guard over that of the same inserts into one without, in turns, a hundred rows to a
// transaction. The values are as long as an SSN under a branch key.
func BenchmarkGuard(b *testing.B) {
	b.Setenv("SEALSQL_TEST_KEY", "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab")
	for _, s := range testdb.Each(b) {
		b.Run(s.String(), func(b *testing.B) {
			db := s.Open(b, s.NewDatabase(b))
			guard(b, s.Name, db)
			var with, without []float64
			id := 0
			for b.Loop() {
				for range 10 {
					without = append(without, inserts(b, s.Name, db, "free", id))
					with = append(with, inserts(b, s.Name, db, "accounts", id))
					id += 100
				}
			}
			slices.Sort(with)
			slices.Sort(without)
			b.ReportMetric(with[len(with)/2]/without[len(without)/2], "x-unguarded")
		})
	}
}

func guard(b *testing.B, name string, db *sql.DB) {
	p, err := policy.Parse("bench", []byte(policyText))
	if err != nil {
		b.Fatal(err)
	}
	room, err := server.Named(name)
	if err != nil {
		b.Fatal(err)
	}
	kind := map[string]string{"postgres": "bytea", "mysql": "blob"}[name]
	statements := []string{"CREATE TABLE free (id bigint PRIMARY KEY, ssn " + kind + ")", "CREATE TABLE accounts (id bigint PRIMARY KEY, ssn " + kind + ")"}
	g, _ := server.NewGuard(p, p.Tables()[0], p.Tables()[0].Columns[0])
	for _, text := range append(statements, room.AddGuard(g)...) {
		if _, err := db.Exec(text); err != nil {
			b.Fatal(err)
		}
	}
}

// inserts returns the seconds that a hundred inserts take.
func inserts(b *testing.B, name string, db *sql.DB, table string, id int) float64 {
	values := "$1, $2"
	if name != "postgres" {
		values = "?, ?"
	}
	message := []byte("\x02\x04\x78" + strings.Repeat("m", 367))
	tx, err := db.Begin()
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	st, err := tx.Prepare(fmt.Sprintf("INSERT INTO %s VALUES (%s)", table, values))
	for i := 0; i < 100 && err == nil; i++ {
		_, err = st.Exec(id+i, message)
	}
	took := time.Since(begin).Seconds()
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		b.Fatal(err)
	}
	return took
}
