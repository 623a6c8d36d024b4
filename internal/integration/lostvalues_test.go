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

// onConn runs a test on one connection through sealsql, which does not go back to the pool.
func (s *site) onConn(f func(c *sql.Conn)) {
	s.t.Helper()
	c, err := s.sealed.Conn(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	defer closeForGood(c)
	f(c)
}

func (s *site) on(c *sql.Conn, text string, args ...any) {
	s.t.Helper()
	if _, err := c.ExecContext(context.Background(), text, args...); err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
}

// rowByRow, textKey and serverKey are statements that take several texts: each a
// transaction of sealsql's own.
var stepwise = map[string]string{
	"row by row":      "UPDATE people SET ssn = ? WHERE name = 'ada'",
	"a text key":      "UPDATE accounts SET ssn = ? WHERE account_number = 'A1'",
	"an upsert":       "INSERT INTO accounts (account_number, ssn) VALUES ('A1', ?) ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)",
	"an automatic id": "INSERT INTO people (ssn) VALUES (?)",
}

// TestWhatCompletionTypeMakesOfACommit does not reach the user's next statement.
func TestWhatCompletionTypeMakesOfACommit(t *testing.T) {
	s := newSite(t, testdb.MySQL(t))
	s.exec("INSERT INTO people (name, ssn) VALUES ('ada', ?)", ssn1)
	s.exec("INSERT INTO accounts (account_number, ssn) VALUES ('a1', ?)", ssn1)
	s.set("CREATE PROCEDURE chain() SET completion_type = CHAIN")
	cases := 0
	for _, set := range []string{"SET completion_type = CHAIN", "SET completion_type = 1", "SET completion_type = 'RELEASE'", "CALL chain()"} {
		for name, text := range stepwise {
			cases++
			s.set("TRUNCATE other")
			s.onConn(func(c *sql.Conn) {
				s.on(c, set)
				s.on(c, text, ssn2)
				s.on(c, "INSERT INTO other (id) VALUES (1)")
				_, _ = c.ExecContext(t.Context(), "ROLLBACK") // nothing is open; under RELEASE it ends the connection
			})
			var n int
			if err := s.bare.QueryRow("SELECT COUNT(*) FROM other").Scan(&n); err != nil || n != 1 {
				t.Errorf("%s, %s: the next statement left %d rows, %v", set, name, n, err)
			}
		}
	}
	if cases != 16 {
		t.Errorf("%d cases", cases)
	}
}

// TestWithoutAutocommit every statement is part of the user's transaction.
func TestWithoutAutocommit(t *testing.T) {
	s := newSite(t, testdb.MySQL(t))
	s.exec("INSERT INTO people (name, ssn) VALUES ('ada', ?)", ssn1)
	s.exec("INSERT INTO accounts (account_number, ssn) VALUES ('a1', ?)", ssn1)
	s.set("CREATE PROCEDURE off() SET autocommit = 0", "CREATE FUNCTION plain() RETURNS int DETERMINISTIC RETURN 1")
	for _, set := range []string{"SET autocommit = 0", "SET @@session.autocommit = OFF", "CALL off()", "/*!40101 SET autocommit = 0 */", "BEGIN", "START TRANSACTION", "BEGIN WORK"} {
		for name, text := range stepwise {
			s.onConn(func(c *sql.Conn) {
				s.on(c, set)
				s.on(c, text, ssn2)
				s.on(c, "ROLLBACK")
			})
			var n int
			if err := s.bare.QueryRow("SELECT COUNT(*) FROM people").Scan(&n); err != nil || n != 1 {
				t.Errorf("%s, %s: %d rows, %v", set, name, n, err)
			}
			s.want(ssn1, "SELECT ssn FROM people")
			s.want(ssn1, "SELECT ssn FROM accounts")
		}
	}
}

// TestSelectLimitDoesNotBoundWhatSealsqlReads of the rows that a statement writes.
func TestSelectLimitDoesNotBoundWhatSealsqlReads(t *testing.T) {
	s := newSite(t, testdb.MySQL(t))
	s.set("CREATE FUNCTION bound() RETURNS int DETERMINISTIC NO SQL BEGIN SET sql_select_limit = 1; RETURN 1; END")
	for _, name := range []string{"a", "b", "c"} {
		s.exec("INSERT INTO people (name, ssn) VALUES (?, ?)", name, ssn1)
		s.exec("INSERT INTO accounts (account_number, ssn) VALUES (?, ?)", name, ssn1)
	}
	for _, set := range []string{"SET sql_select_limit = 1", "SET SESSION sql_select_limit = 0", "SELECT bound()"} {
		s.onConn(func(c *sql.Conn) {
			s.on(c, set)
			for _, text := range []string{"UPDATE people SET ssn = ?", "UPDATE accounts SET ssn = ? WHERE tenant_id = 1",
				"INSERT INTO accounts (account_number, ssn) VALUES ('C', '" + ssn3 + "') ON DUPLICATE KEY UPDATE ssn = ?"} {
				s.on(c, text, ssn2)
			}
		})
		s.want(strings.TrimSpace(strings.Repeat(ssn2+"\n", 3)), "SELECT ssn FROM people")
		s.want(strings.TrimSpace(strings.Repeat(ssn2+"\n", 3)), "SELECT ssn FROM accounts")
		s.exec("UPDATE people SET ssn = ?", ssn1)
		s.exec("UPDATE accounts SET ssn = ?", ssn1)
	}
}

// TestTableLocksOutliveSealsqlsTransactions: another session waits for the lock, or is
// told so at once.
func TestTableLocksOutliveSealsqlsTransactions(t *testing.T) {
	server := testdb.MySQL(t)
	s := newSite(t, server)
	s.exec("INSERT INTO people (name, ssn) VALUES ('ada', ?)", ssn1)
	s.exec("INSERT INTO accounts (account_number, ssn) VALUES ('a1', ?)", ssn1)
	locks := []string{"LOCK TABLES people WRITE, accounts WRITE", "LOCK TABLE people WRITE, accounts WRITE",
		"/* a tag */ lock tables people write, accounts write"}

	for _, lock := range locks {
		for name, text := range stepwise {
			s.onConn(func(c *sql.Conn) {
				s.on(c, lock)
				s.on(c, text, ssn2)
				if n := s.tablesInUse(); n != 2 {
					t.Errorf("%s, %s: %d tables are locked, want 2", lock, name, n)
				}
				if lock == locks[0] { // what waits takes a second
					other, err := s.bare.Conn(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					defer closeForGood(other)
					s.on(other, "SET lock_wait_timeout = 1")
					if _, err := other.ExecContext(t.Context(), "UPDATE people, accounts SET people.ssn = people.ssn, accounts.ssn = accounts.ssn"); err == nil {
						t.Errorf("%s, %s: another session wrote", lock, name)
					}
				}
				s.on(c, "INSERT INTO people (name) VALUES (NULL)")
				s.on(c, "UNLOCK TABLES")
				if n := s.tablesInUse(); n != 0 {
					t.Errorf("%s, %s: %d tables are locked after UNLOCK TABLES", lock, name, n)
				}
			})
		}
	}
	var n int
	if err := s.bare.QueryRow("SELECT COUNT(*) FROM people WHERE name IS NULL").Scan(&n); err != nil || n < len(locks)*len(stepwise) {
		t.Errorf("%d rows were committed, %v", n, err)
	}
	s.onConn(func(c *sql.Conn) { // a read lock holds for the session itself
		s.on(c, "FLUSH TABLES accounts WITH READ LOCK")
		if _, err := c.ExecContext(t.Context(), "UPDATE accounts SET ssn = ? WHERE tenant_id = 1", ssn1); err == nil {
			t.Error("a table that is locked for reading was written to")
		}
	})
}

// tablesInUse counts the locked tables of the site's database.
func (s *site) tablesInUse() (n int) {
	s.t.Helper()
	rows, err := s.bare.QueryContext(s.t.Context(), "SHOW OPEN TABLES WHERE `Database` = database() AND In_use > 0")
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		n++
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// TestWhatSetTransactionSetIsForTheUsersTransaction: a statement that takes a transaction
// of sealsql's own is refused until the user's has begun.
func TestWhatSetTransactionSetIsForTheUsersTransaction(t *testing.T) {
	s := newSite(t, testdb.MySQL(t))
	s.exec("INSERT INTO people (name, ssn) VALUES ('ada', ?)", ssn1)
	s.exec("INSERT INTO accounts (account_number, ssn) VALUES ('a1', ?)", ssn1)
	for name, text := range stepwise {
		s.onConn(func(c *sql.Conn) {
			s.on(c, "SET TRANSACTION READ ONLY")
			if _, err := c.ExecContext(t.Context(), strings.Replace(text, "?", "'"+ssn2+"'", 1)); !errors.Is(err, driver.ErrRefused) {
				t.Errorf("%s: %v", name, err)
			}
			s.on(c, "START TRANSACTION")
			if _, err := c.ExecContext(t.Context(), text, ssn2); err == nil || !strings.Contains(err.Error(), "1792") {
				t.Errorf("%s, in the transaction: %v", name, err)
			}
			s.on(c, "ROLLBACK")
			s.on(c, text, ssn1)
			s.on(c, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
			if _, err := c.ExecContext(t.Context(), text, ssn2); !errors.Is(err, driver.ErrRefused) || !strings.Contains(err.Error(), "begin a transaction") {
				t.Errorf("%s, after another isolation level: %v", name, err)
			}
			s.on(c, "BEGIN")
			s.on(c, text, ssn1)
			s.on(c, "COMMIT")
		})
	}
	s.want(ssn1, "SELECT ssn FROM accounts")
}
