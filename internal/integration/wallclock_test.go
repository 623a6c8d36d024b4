package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

const wallClockPolicy = `
version: 1
keyrings: {pii: {kms: {keys: ["${SEALSQL_TEST_KEY}"]}}}
tables:
  days: {row_key: [d], columns: {ssn: {keyring: pii, type: string}}}
  marks: {row_key: [at], columns: {ssn: {keyring: pii, type: string}}}
  visits: {row_key: [id], columns: {ssn: {keyring: pii, type: string, context: {id: id, at: at, d: d}}}}
`

var wallClockTables = []string{
	"CREATE TABLE days (d date PRIMARY KEY, n int NOT NULL DEFAULT 0, ssn blob)",
	"CREATE TABLE marks (at datetime(6) PRIMARY KEY, n int NOT NULL DEFAULT 0, ssn blob)",
	"CREATE TABLE visits (id int PRIMARY KEY, at datetime(6) NOT NULL, d date NOT NULL, ssn blob)",
}

// wallClockSettings are settings of go-sql-driver that change how dates and times
// are written or read.
func wallClockSettings() (list []string) {
	for _, zone := range []string{"UTC", "Europe%2FBerlin", "Asia%2FTokyo", "America%2FNew_York"} {
		for _, parse := range []bool{false, true} {
			list = append(list, fmt.Sprintf("sql_mode=%%27%%27&loc=%s&parseTime=%v", zone, parse))
		}
	}
	return append(list, "sql_mode=%27%27&loc=Europe%2FBerlin&timeTruncate=1s&interpolateParams=true",
		"sql_mode=%27%27&loc=Asia%2FTokyo&parseTime=true&interpolateParams=true&columnsWithAlias=true&time_zone=%27-05%3A00%27")
}

// wallClocks is a database that is reached through connections of many settings.
type wallClocks struct {
	*testing.T
	bare   *sql.DB
	sealed map[string]*sql.DB
	events eventLog
}

func newWallClocks(t *testing.T) *wallClocks {
	server := testdb.MySQL(t)
	name := server.NewDatabase(t)
	w := &wallClocks{T: t, bare: server.Open(t, name), sealed: map[string]*sql.DB{}}
	for _, ddl := range wallClockTables {
		if _, err := w.bare.Exec(ddl); err != nil {
			t.Fatal(err)
		}
	}
	k, arn := kms()
	t.Setenv("SEALSQL_TEST_KEY", arn)
	p, err := policy.Parse("test", []byte(wallClockPolicy))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range wallClockSettings() {
		bareName, dsn := server.DSN(server.Addr(), name)
		base, _, _ := strings.Cut(dsn, "?")
		w.sealed[s] = open(t, bareName, base+"?"+s, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")),
			driver.WithAlertFunc(w.events.add))
	}
	return w
}

func (w *wallClocks) exec(s, text string, args ...any) {
	w.Helper()
	if _, err := w.sealed[s].Exec(text, args...); err != nil {
		w.Fatalf("under %s: %s: %v", s, text, err)
	}
}

// reads checks that a query shows one value under every setting.
func (w *wallClocks) reads(wrote, text string, args ...any) {
	w.Helper()
	for _, s := range wallClockSettings() {
		var ssn string
		rest := make([]any, strings.Count(text[:strings.Index(text, " FROM")], ","))
		for i := range rest {
			rest[i] = new(any)
		}
		if err := w.sealed[s].QueryRow(text, args...).Scan(append([]any{&ssn}, rest...)...); err != nil || ssn != ssn1 {
			w.Errorf("written under %s, read under %s by %s: %q, %v", wrote, s, text, ssn, err)
		}
	}
}

// wallClockValues are dates and times that some setting changes.
var wallClockValues = []any{
	"2024-03-31 02:30:00", // does not exist in Berlin
	"2024-10-27 02:30:00", // is twice in Berlin
	"2024-03-10 02:30:00", // does not exist in New York
	"2024-02-29 23:59:59.999999",
	"0001-01-01 00:00:00",
	"0000-00-00 00:00:00",
	"2024-00-00 00:00:00",
	"2024-05-00 00:00:00",
	time.Time{},
	time.Date(2024, 3, 31, 0, 30, 0, 0, time.UTC),
	time.Date(2024, 10, 27, 1, 30, 0, 0, time.UTC),
	time.Date(2024, 1, 1, 23, 30, 0, 123456000, time.UTC),
	time.Date(2024, 1, 1, 23, 30, 0, 0, time.FixedZone("", -9*3600)),
}

// TestWhatOneConnectionWritesOpensUnderEveryOthersSettings, for dates and times in
// row keys and contexts: the canonical text is what the column holds.
func TestWhatOneConnectionWritesOpensUnderEveryOthersSettings(t *testing.T) {
	w := newWallClocks(t)
	cases := 0
	for _, s := range wallClockSettings() {
		for _, v := range wallClockValues {
			cases++
			for _, table := range []string{"days", "marks", "visits"} {
				if _, err := w.bare.Exec("DELETE FROM " + table); err != nil {
					t.Fatal(err)
				}
			}
			day := v
			if text, ok := v.(string); ok {
				day = text[:10]
			}
			w.exec(s, "INSERT INTO days (d, ssn) VALUES (?, ?)", day, ssn1)
			w.exec(s, "INSERT INTO marks (at, ssn) VALUES (?, ?)", v, ssn1)
			w.exec(s, "INSERT INTO visits (id, at, d, ssn) VALUES (1, ?, ?, ?)", v, day, ssn1)
			w.reads(s, "SELECT ssn FROM days")
			w.reads(s, "SELECT ssn, d FROM days")
			w.reads(s, "SELECT ssn FROM marks")
			w.reads(s, "SELECT ssn, at FROM marks GROUP BY at")
			w.reads(s, "SELECT ssn, at FROM visits")
			w.reads(s, "SELECT x.ssn FROM (SELECT * FROM marks) x UNION ALL SELECT ssn FROM marks WHERE n > 5")
			w.exec(s, "UPDATE days SET ssn = ? WHERE n = 0", ssn1)
			w.exec(s, "UPDATE marks SET ssn = ? WHERE n = 0", ssn1)
			w.exec(s, "UPDATE visits SET ssn = ? WHERE id = 1", ssn1)
			w.reads(s, "SELECT ssn FROM days")
			w.reads(s, "SELECT ssn FROM marks")
			w.reads(s, "SELECT ssn FROM visits")
			w.exec(s, "INSERT INTO visits (id, at, d, ssn) VALUES (1, ?, ?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)", v, day, ssn1)
			w.reads(s, "SELECT ssn FROM visits")
			if t.Failed() {
				t.Fatalf("value %v, written under %s", v, s)
			}
		}
	}
	if want := 10 * 13; cases != want {
		t.Fatalf("ran %d cases, want %d", cases, want)
	}
	if events := w.events.all(); len(events) > 0 {
		t.Errorf("honest rows were accused: %v", events)
	}
}

// TestAValueThatWasMovedBetweenDatesNeverOpens, whatever the settings of the
// connections that write and read.
func TestAValueThatWasMovedBetweenDatesNeverOpens(t *testing.T) {
	w := newWallClocks(t)
	pairs := [][2]string{
		{"2024-01-02", "2024-01-03"}, {"2024-01-02", "2024-01-01"}, {"0000-00-00", "0001-01-01"}, {"2024-00-00", "2023-11-30"}, {"2024-05-00", "2024-04-30"},
		{"2024-03-31 02:30:00", "2024-03-31 03:30:00"}, {"2024-03-31 02:30:00", "2024-03-31 01:30:00"}, {"2024-03-10 02:30:00", "2024-03-10 03:30:00"},
		{"0000-00-00 00:00:00", "0001-01-01 00:00:00"}, {"2024-10-27 02:30:00", "2024-10-27 01:30:00"},
	}
	cases := 0
	for _, s := range wallClockSettings() {
		for _, p := range pairs {
			table, key := "marks", "at"
			if len(p[0]) == 10 {
				table, key = "days", "d"
			}
			if _, err := w.bare.Exec("DELETE FROM " + table); err != nil {
				t.Fatal(err)
			}
			w.exec(s, "INSERT INTO "+table+" ("+key+", ssn) VALUES (?, ?)", p[0], ssn1)
			conn, err := w.bare.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{"SET sql_mode = ''", "UPDATE " + table + " SET " + key + " = '" + p[1] + "'"} {
				if _, err := conn.ExecContext(context.Background(), text); err != nil {
					t.Fatal(err)
				}
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			for _, r := range wallClockSettings() {
				for _, text := range []string{"SELECT ssn FROM " + table, "SELECT ssn, " + key + " FROM " + table} {
					cases++
					rows, err := w.sealed[r].Query(text)
					if err == nil {
						for rows.Next() {
						}
						err = rows.Err()
						_ = rows.Close()
					}
					if !errors.Is(err, driver.ErrMismatch) {
						t.Errorf("%s written under %s, moved to %s, read under %s by %s: %v", p[0], s, p[1], r, text, err)
					}
				}
			}
		}
	}
	if want := 10 * 10 * 10 * 2; cases != want {
		t.Fatalf("ran %d cases, want %d", cases, want)
	}
}
