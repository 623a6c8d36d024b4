package integration

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestUpdatesOfManyRows writes rows whose keys stand in lists, and one row fewer than those
// that a later statement finds.
func TestUpdatesOfManyRows(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			r := newRace(t, server)
			for _, rows := range []int{1, 63, 64, 65, 150} {
				r.set("DELETE FROM held")
				var values []string
				for n := range rows {
					values = append(values, fmt.Sprintf("('%cé%d', 't%d', 'ada', %d)", 'a'+n%3, n, n%2, n))
				}
				r.set("INSERT INTO held (k, tenant, name, n) VALUES "+strings.Join(values, ", "), "INSERT INTO held (k, tenant, name, n) VALUES ('other', 't1', 'bob', 0)")
				r.affected(int64(rows), "UPDATE held SET ssn = ? WHERE name = 'ada'", ssn1)
				if got := r.read("SELECT k, ssn FROM held WHERE ssn IS NOT NULL"); len(got) != rows || strings.Count(strings.Join(got, " "), ssn1) != rows {
					t.Errorf("%d rows: %d values open", rows, len(got))
				}
			}
		})
	}
}

// meanwhile is what another session does to rows that a statement waits for: the statement
// read them before, and writes them after. %s is the table.
type meanwhile struct {
	name    string
	changes []string
}

var meanwhiles = []meanwhile{
	{"writes the value", []string{"UPDATE %s SET ssn = NULL WHERE k = 'a'"}},
	{"gives a row another key", []string{"UPDATE %s SET k = 'z' WHERE k = 'a'"}},
	{"gives a row its key in another case", []string{"UPDATE %s SET k = 'A' WHERE k = 'a'"}},
	{"adds a blank to a key", []string{"UPDATE %s SET k = 'a ' WHERE k = 'a'"}},
	{"exchanges the keys of two rows", []string{"UPDATE %s SET k = 'q' WHERE k = 'a'", "UPDATE %s SET k = 'a' WHERE k = 'b'", "UPDATE %s SET k = 'b' WHERE k = 'q'"}},
	{"gives a row another source", []string{"UPDATE %s SET tenant = 't2' WHERE k = 'a'"}},
	{"gives a row a source in another case", []string{"UPDATE %s SET tenant = 'T1' WHERE k = 'b'"}},
	{"moves a row out of the condition", []string{"UPDATE %s SET name = 'eve' WHERE k = 'a'"}},
	{"moves a row into the condition", []string{"UPDATE %s SET name = 'ada' WHERE k = 'c'", "UPDATE %s SET n = n + 1 WHERE k = 'a'"}},
	{"inserts a row that the condition finds", []string{"INSERT INTO %s (k, tenant, name, n) VALUES ('d', 't1', 'ada', 1)", "UPDATE %s SET n = n + 1 WHERE k = 'a'"}},
	{"deletes a row", []string{"DELETE FROM %s WHERE k = 'a'"}},
	{"deletes a row and inserts it with another source", []string{"DELETE FROM %s WHERE k = 'a'", "INSERT INTO %s (k, tenant, name, n) VALUES ('a', 't9', 'ada', 1)"}},
	{"deletes all rows", []string{"DELETE FROM %s"}},
}

// guardedWrite is a statement that is sent while the rows change. %s is the table.
type guardedWrite struct {
	name, postgres, mysql string
	levels                []sql.IsolationLevel // -1 is outside a transaction
}

var guardedWrites = []guardedWrite{
	{"an UPDATE by no key", "UPDATE %s SET ssn = ?, n = n + 10 WHERE name = 'ada'", "UPDATE %s SET ssn = ?, n = n + 10 WHERE name = 'ada'",
		[]sql.IsolationLevel{-1, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable}},
	{"an UPDATE by a text key", "UPDATE %s SET ssn = ?, n = n + 10 WHERE k = 'a'", "UPDATE %s SET ssn = ?, n = n + 10 WHERE k = 'a'", []sql.IsolationLevel{-1, sql.LevelRepeatableRead}},
	{"an upsert of a row that is there", "INSERT INTO %s (k, tenant, name, n, ssn) VALUES ('a', 't1', 'new', 5, ?) ON CONFLICT (k) DO UPDATE SET ssn = EXCLUDED.ssn, n = EXCLUDED.n + 10",
		"INSERT INTO %s (k, tenant, name, n, ssn) VALUES ('a', 't1', 'new', 5, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), n = VALUES(n) + 10", []sql.IsolationLevel{-1, sql.LevelReadCommitted}},
	{"an upsert of two rows, by another spelling and another source", "INSERT INTO %s (k, tenant, name, n, ssn) VALUES ('A', 't1', 'new', 5, ?), ('b', 't3', 'new', 6, NULL) ON CONFLICT (k) DO UPDATE SET n = EXCLUDED.n + 10, ssn = EXCLUDED.ssn",
		"INSERT INTO %s (k, tenant, name, n, ssn) VALUES ('A', 't1', 'new', 5, ?), ('b', 't3', 'new', 6, NULL) ON DUPLICATE KEY UPDATE n = VALUES(n) + 10, ssn = VALUES(ssn)", []sql.IsolationLevel{-1, sql.LevelReadCommitted}},
	{"an upsert of a new row", "INSERT INTO %s (k, tenant, name, n, ssn) VALUES ('d', 't1', 'new', 5, ?) ON CONFLICT (k) DO UPDATE SET ssn = EXCLUDED.ssn, n = EXCLUDED.n + 10",
		"INSERT INTO %s (k, tenant, name, n, ssn) VALUES ('d', 't1', 'new', 5, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), n = VALUES(n) + 10", []sql.IsolationLevel{-1, sql.LevelReadCommitted}},
}

// TestGuardedWritesOfRowsThatChangeMeanwhile carries out each statement, outside and
// inside of transactions, through sealsql and on its twin bare, while another session
// changes the rows. The same rows are written, with the same counts and errors, and each
// value opens in its row.
func TestGuardedWritesOfRowsThatChangeMeanwhile(t *testing.T) {
	ran := 0
	servers := testdb.Each(t)
	for _, server := range servers {
		t.Run(server.String(), func(t *testing.T) {
			r := newRace(t, server)
			for _, w := range guardedWrites {
				for _, level := range w.levels {
					for _, m := range meanwhiles {
						r.compare(t, w, level, m)
						ran++
					}
				}
			}
			if n := len(r.proxy.Leaks()); n > 0 {
				t.Errorf("%d leaks", n)
			}
		})
	}
	if want := 12 * len(meanwhiles) * len(servers); ran != want {
		t.Errorf("%d cases ran, want %d", ran, want)
	}
}

// spelledKeys are row keys as rows hold them and as statements give them. Where the server
// takes one for the other, the value is sealed for the one that the row holds.
var spelledKeys = []struct {
	column     string
	held, give any
}{
	{"varchar(20) COLLATE utf8mb4_unicode_ci", "a1", "a1"},
	{"varchar(20) COLLATE utf8mb4_unicode_ci", "a1", "A1"},
	{"varchar(20) COLLATE utf8mb4_unicode_ci", "ä", "a"},
	{"varchar(20) COLLATE utf8mb4_unicode_ci", "ä", "ä"},
	{"varchar(20) COLLATE utf8mb4_unicode_ci", "a1", "a1 "},
	{"varchar(20) COLLATE utf8mb4_unicode_ci", "a1 ", "a1"},
	{"varchar(20) COLLATE utf8mb4_unicode_ci", "", " "},
	{"varchar(20) COLLATE utf8mb4_unicode_ci", "7", int64(7)},
	{"varchar(20) COLLATE utf8mb4_unicode_ci", "07", int64(7)},
	{"varchar(20) COLLATE utf8mb4_unicode_ci", "a1", []byte("A1")},
	{"varchar(20) COLLATE utf8mb4_unicode_ci", `a'\1`, `A'\1`},
	{"varchar(20) CHARACTER SET latin1", "ä", "Ä"},
	{"varchar(20) CHARACTER SET latin1", "ä", "ä"},
	{"varchar(20) CHARACTER SET utf16", "ä€", "Ä€"},
	{"varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "a1", "a1 "},
	{"char(6) CHARACTER SET utf8mb4", "a1", "a1   "},
	{"char(6) CHARACTER SET utf8mb4", "a1", "A1"},
	{"varbinary(20)", "a1", "a1"},
	{"enum('a1','b1')", "a1", "A1"},
	{"int", 7, "7"},
	{"int", 7, "07"},
	{"decimal(10,2)", "7.50", "7.5"},
	{"date", "2026-01-02", "2026-1-2"},
}

// TestKeysThatAreSpelledOtherwise updates and upserts rows by a key that the server takes
// for theirs, under settings that decide what is an error and how texts are sent.
func TestKeysThatAreSpelledOtherwise(t *testing.T) {
	server := testdb.MySQL(t)
	name := server.NewDatabase(t)
	s := &site{t: t, server: server, bare: server.Open(t, name)}
	tables := "version: 1\nkeyrings: {pii: {kms: {keys: [\"${SEALSQL_TEST_KEY}\"]}}}\ntables:\n"
	named := map[string]string{}
	for _, c := range spelledKeys {
		if named[c.column] != "" {
			continue
		}
		table := fmt.Sprint("spelled", len(named))
		named[c.column] = table
		s.set("CREATE TABLE " + table + " (k " + c.column + " PRIMARY KEY, ssn blob)")
		tables += "  " + table + ": {row_key: [k], columns: {ssn: {keyring: pii, type: string}}}\n"
	}
	k, arn := kms()
	t.Setenv("SEALSQL_TEST_KEY", arn)
	base, dsn := server.DSN(server.Addr(), name)
	settings := []string{"", "interpolateParams=true&sql_mode=''", "charset=latin1&clientFoundRows=true"}
	if server.AtLeast("mariadb", 10, 0) {
		settings[1] = "interpolateParams=true&sql_mode='PAD_CHAR_TO_FULL_LENGTH'"
	}
	ran := 0
	for _, parameters := range settings {
		sep := "?"
		if strings.Contains(dsn, "?") {
			sep = "&"
		}
		db := open(t, base, dsn+sep+parameters, driver.WithPolicy(s.parse(tables)), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
		for _, c := range spelledKeys {
			ran++
			table := named[c.column]
			s.set("DELETE FROM " + table)
			if _, err := s.bare.Exec("INSERT INTO "+table+" (k) VALUES (?)", c.held); err != nil {
				t.Fatal(err)
			}
			for m, text := range []string{"UPDATE " + table + " SET ssn = ? WHERE k = ?", "INSERT INTO " + table + " (ssn, k) VALUES (?, ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)"} {
				want := fmt.Sprintf("900-00-000%d", m)
				if _, err := db.Exec(text, want, c.give); err != nil {
					if m == 0 { // an INSERT of a key that the server would store otherwise is refused
						t.Errorf("%s: %s of %v, given %#v: %v", parameters, c.column, c.held, c.give, err)
					}
					continue
				}
				rows, err := db.Query("SELECT k, ssn FROM " + table + " WHERE ssn IS NOT NULL")
				if err != nil {
					t.Fatal(err)
				}
				var a answer
				a.read(rows)
				_ = rows.Close()
				if found := strings.Contains(strings.Join(a.rows, "\n"), want); a.err != nil || !found && len(a.rows) > m {
					t.Errorf("%s: %s of %v, given %#v, %s: %q, %v", parameters, c.column, c.held, c.give, text, a.rows, a.err)
				}
			}
		}
	}
	if want := len(settings) * len(spelledKeys); ran != want {
		t.Errorf("%d cases ran, want %d", ran, want)
	}
}

// race is a table and its twin.
type race struct{ *site }

func newRace(t *testing.T, server *testdb.Server) *race {
	s := newSite(t, server)
	for _, table := range []string{"held", "twin"} {
		s.set("CREATE TABLE " + table + " (k varchar(20) PRIMARY KEY, tenant varchar(20), name varchar(20), n int, ssn " + map[bool]string{true: "bytea", false: "blob"}[s.postgres()] + ")")
		s.set("CREATE INDEX " + table + "_name ON " + table + " (name)")
	}
	s.protect("  held: {row_key: [k], columns: {ssn: {keyring: pii, type: string, context: {k: k, tenant: tenant}}}}\n")
	if err := s.proxy.Watch(ssn1); err != nil {
		t.Fatal(err)
	}
	return &race{s}
}

// compare runs one case on the table and on its twin.
func (r *race) compare(t *testing.T, w guardedWrite, level sql.IsolationLevel, m meanwhile) {
	t.Helper()
	var got [2]string
	for i, side := range []struct {
		db    *sql.DB
		table string
		value any
	}{{r.sealed, "held", ssn1}, {r.bare, "twin", []byte(ssn1)}} {
		r.set("DELETE FROM "+side.table, "INSERT INTO "+side.table+" (k, tenant, name, n) VALUES ('a', 't1', 'ada', 1), ('b', 't1', 'ada', 1), ('c', 't1', 'bob', 1)")
		outcome := r.during(t, m, side.table, func() string {
			text := w.mysql
			if r.postgres() {
				text = w.postgres
			}
			n, err := updated(t.Context(), side.db, level, r.q(fmt.Sprintf(text, side.table)), side.value)
			return fmt.Sprint(n, " rows, ", class(err))
		})
		rows, err := side.db.Query("SELECT k, tenant, name, n, ssn FROM " + side.table + " ORDER BY k, tenant")
		if err != nil {
			t.Fatal(err)
		}
		var a answer
		a.read(rows)
		_ = rows.Close()
		got[i] = fmt.Sprintf("%s\n%s\n%s", outcome, strings.Join(a.rows, "\n"), class(a.err))
	}
	if got[0] != got[1] {
		t.Errorf("%s at level %d, while another session %s:\n got: %s\nbare: %s", w.name, level, m.name, got[0], got[1])
	}
}

// updated carries out the statement, in a transaction of the level unless that is -1.
func updated(ctx context.Context, db *sql.DB, level sql.IsolationLevel, text string, args ...any) (int64, error) {
	if level < 0 {
		res, err := db.ExecContext(ctx, text, args...)
		if err != nil {
			return 0, err
		}
		return res.RowsAffected()
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: level})
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	res, err := tx.ExecContext(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	if err := tx.Commit(); err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// during has another session change the table, starts the statement, and ends the other
// session's transaction once the statement waits for it, or is done.
func (r *race) during(t *testing.T, m meanwhile, table string, run func() string) string {
	t.Helper()
	tx, err := r.bare.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range m.changes {
		if _, err := tx.Exec(fmt.Sprintf(text, table)); err != nil {
			t.Fatalf("%s: %v", m.name, err)
		}
	}
	done := make(chan string, 1)
	go func() { done <- run() }()
	for {
		select {
		case outcome := <-done:
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			return outcome
		case <-time.After(time.Millisecond):
		}
		if r.waits(t) {
			break
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return <-done
}

// waits reports whether a session waits for a lock of a row.
func (r *race) waits(t *testing.T) bool {
	text := "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"
	if r.postgres() {
		text = "SELECT '', count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
	}
	var name string
	var waits int
	if err := r.bare.QueryRow(text).Scan(&name, &waits); err != nil {
		t.Fatal(err)
	}
	return waits > 0
}

// TestTheSessionAfterGuardedWrites asks what the last statement left in the session: it is
// the application's own.
func TestTheSessionAfterGuardedWrites(t *testing.T) {
	r := newRace(t, testdb.MySQL(t))
	for _, table := range []string{"held", "twin"} {
		r.set("INSERT INTO " + table + " (k, tenant, name, n) VALUES ('a', 't1', 'ada', 1), ('b', 't1', 'ada', 1)")
	}
	for _, text := range []string{"UPDATE %s SET ssn = ?, n = n + 1 WHERE name = 'ada'", "UPDATE %s SET ssn = ?, n = n + 1 WHERE k = 'b' AND tenant = 't1'", "UPDATE %s SET ssn = ? WHERE k = 'none' AND tenant = 't1'",
		"INSERT INTO %s (ssn, k, tenant) VALUES (?, 'a', 't1') ON DUPLICATE KEY UPDATE ssn = VALUES(ssn), n = n + 1", "INSERT INTO %s (ssn, k, tenant) VALUES (?, 'c', 't1') ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)"} {
		var counts [2]int64
		for i, db := range []*sql.DB{r.sealed, r.bare} {
			table, value := "held", any(ssn1)
			if i == 1 {
				table, value = "twin", []byte(text) // another value each time, as ciphertexts are
			}
			c, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.ExecContext(t.Context(), fmt.Sprintf(text, table), value); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if err := c.QueryRowContext(t.Context(), "SELECT ROW_COUNT()").Scan(&counts[i]); err != nil {
				t.Fatal(err)
			}
			_ = c.Close()
		}
		if counts[0] != counts[1] {
			t.Errorf("%s: ROW_COUNT() is %d, bare %d", text, counts[0], counts[1])
		}
	}
}
