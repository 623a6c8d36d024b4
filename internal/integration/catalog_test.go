package integration

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
)

// TestTheTableChangesItsShape while plans for it are kept.
func TestTheTableChangesItsShape(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2); err != nil {
			t.Fatal(err)
		}
		s.exec("INSERT INTO accounts (account_number, name, ssn) VALUES ('c1', 'n', ?)", ssn1)
		s.want("c1|1|n|"+ssn1+"|<nil>|<nil>", "SELECT * FROM accounts")
		s.want("n|"+ssn1, "SELECT x.name, x.ssn FROM (SELECT * FROM accounts) x")
		if _, err := s.bare.Exec("ALTER TABLE accounts ADD COLUMN extra varchar(10) DEFAULT 'e'"); err != nil {
			t.Fatal(err)
		}
		// Postgres's own driver reports a changed result type once; so it may here.
		if rows, err := s.sealed.Query("SELECT * FROM accounts"); err == nil {
			for rows.Next() {
			}
			rows.Close()
		}
		s.want("c1|1|n|"+ssn1+"|<nil>|<nil>|e", "SELECT * FROM accounts")
		s.want("n|"+ssn1, "SELECT x.name, x.ssn FROM (SELECT * FROM accounts) x")
		s.exec("INSERT INTO accounts VALUES ('c2', 1, 'm', ?, NULL, NULL, 'f')", ssn2)
		s.want(ssn2+"|f", "SELECT ssn, extra FROM accounts WHERE account_number = 'c2'")
		if _, err := s.bare.Exec("ALTER TABLE accounts DROP COLUMN extra"); err != nil {
			t.Fatal(err)
		}
		if rows, err := s.sealed.Query("SELECT * FROM accounts"); err == nil {
			for rows.Next() {
			}
			rows.Close()
		}
		s.want(ssn1+"\n"+ssn2, "SELECT ssn FROM accounts ORDER BY account_number")
	})
}

// TestARowKeyThatTheServerStoresOtherwise: a value bound to what was given would
// not open in the row that the server made of it.
func TestARowKeyThatTheServerStoresOtherwise(t *testing.T) {
	fine := time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC)
	columns := []struct {
		postgres, mysql string
		refused, kept   []any
	}{
		{"timestamptz(0)", "datetime", []any{fine, "2026-03-04 05:06:07.6"}, []any{fine.Truncate(time.Second)}},
		{"timestamp(3)", "datetime(3)", []any{fine}, []any{fine.Truncate(time.Millisecond)}},
		{"numeric(10,2)", "decimal(10,2)", []any{"1.005"}, []any{"1.50", "2.000", int64(3)}},
		{"varchar(5)", "varchar(5)", []any{"ab      "}, []any{"abcde", "ab "}},
		{"name", "enum('A','b')", []any{strings.Repeat("a", 70)}, []any{"A", "b"}},
		{"varchar(1)", "set('x','y')", []any{"y,x"}, []any{"x"}},
		{"varchar(1)", "binary(2)", []any{"abc"}, nil},
		{"timestamptz", "datetime(6)", nil, []any{fine.Truncate(time.Microsecond)}},
	}
	onBoth(t, func(t *testing.T, s *site) {
		text := "version: 1\nkeyrings: {pii: {kms: {keys: [\"${SEALSQL_TEST_KEY}\"]}}}\ntables:\n"
		for i, c := range columns {
			typ, blob := c.mysql, "blob"
			if s.postgres() {
				typ, blob = c.postgres, "bytea"
			}
			table := fmt.Sprintf("kept%d", i)
			if _, err := s.bare.Exec("CREATE TABLE " + table + " (id " + typ + " PRIMARY KEY, ssn " + blob + ")"); err != nil {
				t.Fatal(err)
			}
			text += "  " + table + ": {row_key: [id], columns: {ssn: {keyring: pii, type: string}}}\n"
		}
		p, err := policy.Parse("test", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		connector, err := driver.Of(s.sealed)
		if err == nil {
			err = connector.Reload(p)
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range columns {
			table := fmt.Sprintf("kept%d", i)
			for _, v := range c.refused {
				if _, err := s.sealed.Exec(s.q("INSERT INTO "+table+" (id, ssn) VALUES (?, ?)"), v, ssn1); !errors.Is(err, driver.ErrValue) {
					t.Errorf("%s, %v: %v", table, v, err)
				}
			}
			for _, v := range c.kept {
				s.exec("INSERT INTO "+table+" (id, ssn) VALUES (?, ?)", v, ssn1)
				s.want(ssn1, "SELECT ssn FROM "+table)
				s.affected(1, "UPDATE "+table+" SET ssn = ? WHERE id = ?", ssn2, v)
				s.want(ssn2, "SELECT ssn FROM "+table)
				s.affected(1, "DELETE FROM "+table)
			}
		}
	})
}

// TestPointsInTimeDoNotDependOnTheSession, nor on what the driver beneath cuts off.
func TestPointsInTimeDoNotDependOnTheSession(t *testing.T) {
	s := newSite(t, testdb.Postgres(t))
	if _, err := s.bare.Exec("CREATE TABLE marks (id timestamptz PRIMARY KEY, at timestamptz(0) NOT NULL DEFAULT now(), ssn bytea)"); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("test", []byte("version: 1\nkeyrings: {pii: {kms: {keys: [\"${SEALSQL_TEST_KEY}\"]}}}\ntables:\n"+
		"  marks: {row_key: [id], columns: {ssn: {keyring: pii, type: string, context: {id: id, at: at}}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	connector, err := driver.Of(s.sealed)
	if err == nil {
		err = connector.Reload(p)
	}
	if err != nil {
		t.Fatal(err)
	}
	conn, err := s.sealed.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "SET TIME ZONE 'Asia/Tokyo'"); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"INSERT INTO marks (ssn, id) VALUES ($1, $2)", "UPDATE marks SET ssn = $1 WHERE id = $2 AND at = '2026-03-04 05:06:07Z'"} {
		if _, err := conn.ExecContext(t.Context(), text, ssn1, "2026-03-04 05:06:07"); !errors.Is(err, driver.ErrValue) {
			t.Errorf("%s without a zone: %v", text, err)
		}
	}
	for _, id := range []any{"2026-03-04 05:06:07+09", time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC)} {
		if _, err := conn.ExecContext(t.Context(), "INSERT INTO marks (id, ssn) VALUES ($1, $2)", id, ssn1); err != nil {
			t.Fatal(err)
		}
	}
	s.want(ssn1+"\n"+ssn1, "SELECT ssn FROM marks")
}
