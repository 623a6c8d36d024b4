package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// TestProtectedTimestampsAndDatesAreThoseOfABareColumn under every setting of the
// driver: the same instant and the same Go type.
func TestProtectedTimestampsAndDatesAreThoseOfABareColumn(t *testing.T) {
	server := testdb.MySQL(t)
	name := server.NewDatabase(t)
	bare := server.Open(t, name)
	if _, err := bare.Exec("CREATE TABLE people (id int PRIMARY KEY, at blob, d blob, clear_at datetime(6), clear_d date)"); err != nil {
		t.Fatal(err)
	}
	k, arn := kms()
	t.Setenv("SEALSQL_TEST_KEY", arn)
	p, err := policy.Parse("test", []byte("version: 1\nkeyrings: {pii: {kms: {keys: [\"${SEALSQL_TEST_KEY}\"]}}}\ntables:\n"+
		"  people: {row_key: [id], columns: {at: {keyring: pii, type: timestamp}, d: {keyring: pii, type: date}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	bareName, dsn := server.DSN(server.Addr(), name)
	base, _, _ := strings.Cut(dsn, "?")
	cases := 0
	for _, s := range wallClockSettings() {
		db := open(t, bareName, base+"?"+s, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
		for _, v := range []any{
			"2026-01-02 10:00:00", "2026-07-02 23:30:00.123456", []byte("2026-01-02 00:30:00"),
			time.Date(2026, 1, 2, 23, 30, 0, 0, time.UTC), time.Date(2026, 7, 2, 0, 30, 0, 123456000, time.FixedZone("", 5*3600)),
		} {
			cases++
			day := v
			switch v := v.(type) {
			case string:
				day = v[:10]
			case []byte:
				day = v[:10]
			}
			if _, err := db.Exec("DELETE FROM people"); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec("INSERT INTO people (id, at, d, clear_at, clear_d) VALUES (1, ?, ?, ?, ?)", v, day, v, day); err != nil {
				t.Fatalf("%s: %v: %v", s, v, err)
			}
			var at, d, clearAt, clearDay any
			if err := db.QueryRow("SELECT at, d, clear_at, clear_d FROM people WHERE id = 1").Scan(&at, &d, &clearAt, &clearDay); err != nil {
				t.Fatal(err)
			}
			if shownMoment(at) != shownMoment(clearAt) || shownMoment(d) != shownMoment(clearDay) {
				t.Errorf("%s: %v: protected %s and %s, bare %s and %s", s, v, shownMoment(at), shownMoment(d), shownMoment(clearAt), shownMoment(clearDay))
			}
		}
	}
	if want := 10 * 5; cases != want {
		t.Fatalf("ran %d cases, want %d", cases, want)
	}
}

// shownMoment writes a value with its Go type; zeros at the end of a fraction do not
// count.
func shownMoment(v any) string {
	if b, ok := v.([]byte); ok {
		text := string(b)
		if strings.Contains(text, ".") {
			text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
		}
		return "text " + text
	}
	return fmt.Sprintf("%T %v", v, v)
}
