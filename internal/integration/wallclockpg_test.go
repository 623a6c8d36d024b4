package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// TestAWallClockOpensInEveryExecMode of pgx, some of which write a time.Time in UTC
// and some as its own wall clock.
func TestAWallClockOpensInEveryExecMode(t *testing.T) {
	server := testdb.Postgres(t)
	name := server.NewDatabase(t)
	bare := server.Open(t, name)
	for _, ddl := range []string{
		"CREATE TABLE days (d date PRIMARY KEY, n int NOT NULL DEFAULT 0, ssn bytea)",
		"CREATE TABLE marks (at timestamp PRIMARY KEY, n int NOT NULL DEFAULT 0, ssn bytea)",
		"CREATE TABLE visits (id int PRIMARY KEY, at timestamp NOT NULL, d date NOT NULL, ssn bytea)",
	} {
		if _, err := bare.Exec(ddl); err != nil {
			t.Fatal(err)
		}
	}
	k, arn := kms()
	t.Setenv("SEALSQL_TEST_KEY", arn)
	p, err := policy.Parse("test", []byte(wallClockPolicy))
	if err != nil {
		t.Fatal(err)
	}
	modes := []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"}
	zones := []string{"UTC", "Asia/Tokyo", "America/New_York"}
	var accused eventLog
	bareName, dsn := server.DSN(server.Addr(), name)
	tokyo := time.FixedZone("", 9*3600)
	written := []any{
		time.Date(2024, 1, 2, 3, 4, 5, 123456000, tokyo), time.Date(2024, 1, 2, 23, 30, 0, 0, time.FixedZone("", -5*3600)),
		time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), "2024-01-02 03:04:05", "2024-01-02 03:04:05+09", time.Date(2024, 1, 2, 3, 4, 5, 999, tokyo), time.Time{},
		time.Date(-43, 3, 15, 0, 0, 0, 0, time.UTC), time.Date(12024, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	cases := 0
	for _, mode := range modes {
		for _, zone := range zones {
			w := open(t, bareName, dsn+"&default_query_exec_mode="+mode+"&timezone="+zone, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")),
				driver.WithAlertFunc(accused.add))
			for _, v := range written {
				cases++
				for _, table := range []string{"days", "marks", "visits"} {
					if _, err := bare.Exec("DELETE FROM " + table); err != nil {
						t.Fatal(err)
					}
				}
				for _, s := range []struct {
					text string
					args []any
				}{
					{"INSERT INTO days (d, ssn) VALUES ($1, $2)", []any{v, ssn1}},
					{"INSERT INTO marks (at, ssn) VALUES ($1, $2)", []any{v, ssn1}},
					{"INSERT INTO visits (id, at, d, ssn) VALUES (1, $1, $2, $3)", []any{v, v, ssn1}},
					{"UPDATE days SET ssn = $1 WHERE n = 0", []any{ssn1}},
					{"UPDATE marks SET ssn = $1 WHERE n = 0", []any{ssn1}},
					{"UPDATE visits SET ssn = $1 WHERE id = 1", []any{ssn1}},
				} {
					if _, err := w.Exec(s.text, s.args...); err != nil {
						t.Fatalf("%s in %s: %s with %v: %v", mode, zone, s.text, v, err)
					}
				}
				for _, table := range []string{"days", "marks", "visits"} {
					for _, text := range []string{"SELECT ssn FROM " + table, "SELECT ssn, (SELECT 1) FROM " + table + " WHERE ssn IS NOT NULL"} {
						var ssn string
						var rest any
						into := []any{&ssn, &rest}
						if text == "SELECT ssn FROM "+table {
							into = into[:1]
						}
						if err := w.QueryRow(text).Scan(into...); err != nil || ssn != ssn1 {
							t.Errorf("%s in %s: %v, read by %s: %q, %v", mode, zone, v, text, ssn, err)
						}
					}
				}
			}
		}
	}
	if want := 5 * 3 * 9; cases != want {
		t.Fatalf("ran %d cases, want %d", cases, want)
	}
	if events := accused.all(); len(events) > 0 {
		t.Errorf("honest rows were accused: %s", fmt.Sprint(events))
	}
}
