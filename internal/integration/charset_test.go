package integration

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// TestKeysInSessionsOfOtherCharacterSets: keys that the session's character set has, keys
// that it has in other bytes, and keys that it lacks. A statement does what it does in UTF-8
// or fails with an error: no alert is raised for an honest row, and no value is lost.
func TestKeysInSessionsOfOtherCharacterSets(t *testing.T) {
	keys := []string{"a1", "é1", "ключ", "what?", "a\U0001F511"}
	sets := map[string][]string{
		"mysql": {"SET NAMES latin1", "SET NAMES cp1251", "SET NAMES ascii", "SET NAMES utf8mb3", "SET character_set_results = latin1", "SET character_set_results = ascii",
			"SET character_set_results = NULL", "SET character_set_results = utf8mb3", "CALL other_results()"},
		"postgres": {"SET client_encoding = 'LATIN1'", "SET NAMES 'WIN1251'", "SELECT set_config('client_encoding', 'LATIN1', false)", "SET client_encoding = 'SQL_ASCII'", "CALL other_results()"},
	}
	onBoth(t, func(t *testing.T, s *site) {
		if s.postgres() {
			s.set("CREATE PROCEDURE other_results() LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('client_encoding', 'LATIN1', false); END $$")
		} else {
			s.set("CREATE PROCEDURE other_results() SET character_set_results = latin1")
		}
		for _, key := range keys {
			s.exec("INSERT INTO accounts (account_number, tenant_id, ssn) VALUES (?, 1, ?)", key, ssn1)
		}
		done, failed := 0, 0
		for _, set := range sets[s.server.Name] {
			s.onConn(func(c *sql.Conn) {
				s.on(c, set)
				for _, key := range keys {
					s.set("UPDATE accounts SET tenant_id = 1")
					s.bareExec(s.q("UPDATE accounts SET tenant_id = 2 WHERE account_number = ?"), key)
					for _, read := range []string{"SELECT ssn FROM accounts WHERE tenant_id = 2", "SELECT account_number, ssn FROM accounts WHERE tenant_id = 2", "SELECT a.*, a.ssn FROM accounts a WHERE tenant_id = 2"} {
						if s.opens(c, set, key, read) {
							done++
						} else {
							failed++
						}
					}
					for _, write := range []string{"UPDATE accounts SET ssn = ? WHERE tenant_id = 2", "UPDATE accounts SET ssn = ? WHERE account_number = ?"} {
						args := []any{ssn2, key}[:1+len(write)/52]
						res, err := c.ExecContext(context.Background(), s.q(write), args...)
						var n int64
						if err == nil {
							n, err = res.RowsAffected()
						}
						switch {
						case err != nil:
							failed++
						case n > 0:
							done++
						case len(args) == 1:
							t.Errorf("%s: %s: no row of %q", set, write, key)
						}
					}
				}
			})
			for _, v := range s.read("SELECT ssn FROM accounts") { // every value still opens
				if v != ssn1 && v != ssn2 {
					t.Errorf("%s: a value reads as %q", set, v)
				}
			}
		}
		if len(s.events) > 0 {
			t.Errorf("%d alerts for honest rows, the first: %+v", len(s.events), s.events[0])
		}
		t.Logf("%d done, %d refused", done, failed)
		if done < 60 {
			t.Errorf("%d done, %d refused", done, failed)
		}
	})
}

// opens reads ssn, the last column of one row, and reports whether it opened.
func (s *site) opens(c *sql.Conn, set, key, text string) bool {
	s.t.Helper()
	rows, err := c.QueryContext(s.t.Context(), text)
	if err != nil {
		if !errors.Is(err, driver.ErrRefused) && !strings.Contains(err.Error(), "22P05") { // the server has no such character
			s.t.Errorf("%s: %s of %q: %v", set, text, key, err)
		}
		return false
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		s.t.Fatal(err)
	}
	cells := make([]any, len(columns))
	for i := range cells {
		cells[i] = new(sql.RawBytes)
	}
	cells[len(cells)-1] = new(string)
	if !rows.Next() {
		if rows.Err() == nil {
			s.t.Errorf("%s: %s of %q: no row", set, text, key)
		}
		return false
	}
	if err := rows.Scan(cells...); err != nil {
		if !errors.Is(err, driver.ErrUnverifiable) {
			s.t.Errorf("%s: %s of %q: %v", set, text, key, err)
		}
		return false
	}
	return true
}

// TestKeysOfOtherCharacterSetsInResultsWithoutOne reads keys in the bytes of their
// column's own set: an honest row is not accused.
func TestKeysOfOtherCharacterSetsInResultsWithoutOne(t *testing.T) {
	s := newSite(t, testdb.MySQL(t)) // Postgres has one set for a database
	for _, set := range []string{"gbk", "latin1", "utf16", "utf8mb4"} {
		s.set("DROP TABLE accounts", strings.Replace(schema["mysql"][0], "account_number varchar(20)", "account_number varchar(20) CHARACTER SET "+set, 1))
		s.exec("INSERT INTO accounts (account_number, ssn) VALUES (?, ?)", "\u00b7", ssn1) // each set has it
		for _, results := range []string{"NULL", "binary", "latin1"} {
			s.onConn(func(c *sql.Conn) {
				s.on(c, "SET character_set_results = "+results)
				if !s.opens(c, results, set, "SELECT account_number, ssn FROM accounts") {
					t.Errorf("under character_set_results %s, a key in %s is refused", results, set)
				}
				res, err := c.ExecContext(t.Context(), "UPDATE accounts SET ssn = ? WHERE name IS NULL", ssn1)
				if err != nil {
					t.Errorf("under character_set_results %s, a key in %s: %v", results, set, err)
				} else if n, err := res.RowsAffected(); n != 1 || err != nil {
					t.Errorf("under character_set_results %s, a key in %s: %d rows, %v", results, set, n, err)
				}
			})
		}
		s.want(ssn1, "SELECT ssn FROM accounts")
	}
	if len(s.events) > 0 {
		t.Errorf("%d alerts for honest rows, the first: %+v", len(s.events), s.events[0])
	}
}

// TestRowsOfKeysThatTheSessionLacks writes rows whose keys its session reads, and cannot
// send as they are.
func TestRowsOfKeysThatTheSessionLacks(t *testing.T) {
	s := newSite(t, testdb.MySQL(t))
	ran := 0
	for _, column := range []string{"utf8mb4", "gbk", "utf16"} {
		s.set("DROP TABLE accounts", strings.Replace(schema["mysql"][0], "account_number varchar(20)", "account_number varchar(20) CHARACTER SET "+column, 1))
		s.exec("INSERT INTO accounts (account_number, ssn) VALUES (?, ?), ('a', ?)", "ключ", ssn1, ssn1)
		for _, set := range []string{"SET NAMES latin1", "SET NAMES ascii", "SET NAMES cp1251", "SET NAMES utf8mb3"} {
			s.onConn(func(c *sql.Conn) {
				s.on(c, set)
				for _, text := range []string{"UPDATE accounts SET ssn = ? WHERE name IS NULL", "UPDATE accounts SET ssn = ? ORDER BY account_number LIMIT 5"} {
					ran++
					res, err := c.ExecContext(t.Context(), text, ssn2)
					if err != nil {
						t.Errorf("a key in %s, %s: %s: %v", column, set, text, err)
					} else if n, err := res.RowsAffected(); n != 2 || err != nil {
						t.Errorf("a key in %s, %s: %s: %d rows, %v", column, set, text, n, err)
					}
				}
			})
		}
		s.want(ssn2+"\n"+ssn2, "SELECT ssn FROM accounts")
	}
	if ran != 24 {
		t.Errorf("%d cases", ran)
	}
}
