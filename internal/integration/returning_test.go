package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sealsql/sealsql/driver"
)

// lacksReturning reports that the server is a MySQL, which has no RETURNING, after it
// has checked that the text fails as it does bare and stores nothing.
func (s *site) lacksReturning(text string) bool {
	s.t.Helper()
	if s.server.Product != "mysql" {
		return false
	}
	_, err := s.sealed.Exec(text, ssn1)
	if e, ok := errors.AsType[*mysql.MySQLError](err); !ok || e.Number != 1064 {
		s.t.Errorf("%s: %v; want MySQL's syntax error", text, err)
	}
	s.want("0", "SELECT count(*) FROM people")
	return true
}

// TestReturningOfServerMadeKeys is what ORMs send: the server makes the row
// key, and RETURNING asks for it and more.
func TestReturningOfServerMadeKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2, ssn3); err != nil {
			t.Fatal(err)
		}
		if s.lacksReturning("INSERT INTO people (name, ssn) VALUES ('a', ?) RETURNING id") {
			return
		}
		cases := []struct{ want, text string }{
			{"1", "INSERT INTO people (name, ssn) VALUES ('a', ?) RETURNING id"},
			{"2|" + ssn1 + "|b\n3|<nil>|c", "INSERT INTO people (name, ssn) VALUES ('b', ?), ('c', NULL) RETURNING id, ssn, name"},
			{"4|d|" + ssn1, "INSERT INTO people (name, ssn) VALUES ('d', ?) RETURNING *"},
			{"e", "INSERT INTO people (name, ssn) VALUES ('e', ?) RETURNING name"},
			{ssn1, "INSERT INTO people (id, name, ssn) VALUES (DEFAULT, 'f', ?) RETURNING people.ssn AS x"},
			{"7|g\n8|h", "INSERT INTO people (name, ssn) VALUES ('g', '" + ssn2 + "'), ('h', ?) RETURNING id, name"},
			{"9|" + ssn1, "INSERT INTO people (id, name, ssn) VALUES (9, 'i', ?) RETURNING id, ssn"},
		}
		for _, c := range cases {
			s.want(c.want, c.text, ssn1)
		}
		if len(cases) != 7 {
			t.Error("the number of cases changed")
		}
		want := strings.Join([]string{ssn1, ssn1, "<nil>", ssn1, ssn1, ssn1, ssn2, ssn1, ssn1}, "\n")
		s.want(want, "SELECT ssn FROM people ORDER BY id")

		// Prepared, used twice, and executed without looking at its rows.
		if s.postgres() {
			s.exec("SELECT setval('people_id_seq', 100)")
		} else {
			s.exec("ALTER TABLE people AUTO_INCREMENT = 101")
		}
		stmt, err := s.sealed.Prepare(s.q("INSERT INTO people (name, ssn) VALUES (?, ?) RETURNING id, ssn"))
		if err != nil {
			t.Fatal(err)
		}
		defer stmt.Close()
		for i := range 2 {
			var id int64
			var ssn sql.NullString
			if err := stmt.QueryRow(fmt.Sprint("p", i), ssn2).Scan(&id, &ssn); err != nil || ssn.String != ssn2 || id != int64(101+i) {
				t.Errorf("prepared: id %d, %v", id, err)
			}
		}
		// MariaDB answers Exec of a RETURNING clause with rows, and counts none.
		s.affected(map[bool]int64{true: 1, false: 0}[s.postgres()], "INSERT INTO people (name, ssn) VALUES ('x', ?) RETURNING id", ssn3)
		s.want(ssn3, "SELECT ssn FROM people WHERE name = 'x'")

		// An error leaves nothing behind, with or without a transaction of the user's.
		if _, err := s.sealed.Query(s.q("INSERT INTO people (name, ssn) VALUES ('y', ?), ('x', ?) RETURNING id"), ssn1, ssn1); err == nil {
			t.Error("a duplicate was inserted")
		}
		s.want("0", "SELECT count(*) FROM people WHERE name = 'y'")
		tx, err := s.sealed.Begin()
		if err != nil {
			t.Fatal(err)
		}
		var id int64
		if err := tx.QueryRow(s.q("INSERT INTO people (name, ssn) VALUES ('z', ?) RETURNING id"), ssn1).Scan(&id); err != nil {
			t.Fatal(err)
		}
		var ssn string
		if err := tx.QueryRow(s.q("SELECT ssn FROM people WHERE id = ?"), id).Scan(&ssn); err != nil || ssn != ssn1 {
			t.Errorf("in the transaction: %v", err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		s.want("0", "SELECT count(*) FROM people WHERE name = 'z'")
	})
}

// TestAFailedInsertIsUndoneAsAWhole: on MySQL rows are inserted before their
// values are sealed. When KMS denies that, the user's transaction must not hold
// them, and goes on.
func TestAFailedInsertIsUndoneAsAWhole(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		tx, err := s.sealed.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(s.q("INSERT INTO people (name, ssn) VALUES ('a', ?)"), ssn1); err != nil {
			t.Fatal(err)
		}
		k, arn := kms()
		k.Deny(arn)
		_, err = tx.Exec(s.q("INSERT INTO people (name, ssn) VALUES ('b', ?), ('c', ?)"), ssn2, ssn3)
		k.Allow(arn)
		if !errors.Is(err, driver.ErrKeyDenied) {
			t.Errorf("KMS denies: %v", err)
		}
		if _, err := tx.Exec(s.q("INSERT INTO people (name, ssn) VALUES ('d', ?)"), ssn3); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		s.want("a|"+ssn1+"\nd|"+ssn3, "SELECT name, ssn FROM people ORDER BY name")
	})
}

// TestUpsertsSetPlainColumnsToo is what gorm's Save and every hand-written
// upsert send.
func TestUpsertsSetPlainColumnsToo(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2); err != nil {
			t.Fatal(err)
		}
		text := "INSERT INTO accounts (account_number, name, ssn, tenant_id) VALUES (?, ?, ?, 1) ON DUPLICATE KEY UPDATE name = VALUES(name), ssn = VALUES(ssn), balance = VALUES(balance)"
		if s.postgres() {
			text = "INSERT INTO accounts (account_number, name, ssn, tenant_id) VALUES (?, ?, ?, 1) ON CONFLICT (account_number) DO UPDATE SET name = EXCLUDED.name, ssn = EXCLUDED.ssn, tenant_id = EXCLUDED.tenant_id, balance = EXCLUDED.balance"
		}
		s.exec(text, "a", "Ada", ssn1)
		s.exec(text, "a", "Ben", ssn2)
		s.want("Ben|"+ssn2, "SELECT name, ssn FROM accounts")
		if !s.postgres() {
			s.exec("INSERT INTO accounts (account_number, name, ssn) VALUES ('a', 'x', ?) ON DUPLICATE KEY UPDATE name = CONCAT(VALUES(name), '!')", ssn1)
			s.want("x!|"+ssn2, "SELECT name, ssn FROM accounts")
			for _, set := range []string{"name = VALUES(ssn)", "name = CONCAT(VALUES(ssn))", "note = VALUES(ssn)"} {
				_, err := s.sealed.Exec("INSERT INTO accounts (account_number, ssn) VALUES ('a', ?) ON DUPLICATE KEY UPDATE "+set, ssn1)
				if !errors.Is(err, driver.ErrRefused) {
					t.Errorf("%s: %v", set, err)
				}
			}
		}
	})
}

// TestReturningAfterTheTableGrew: the result of a plan that is out of date is
// withheld once, and the next statement has a new plan.
func TestReturningAfterTheTableGrew(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		text := "INSERT INTO people (name, ssn) VALUES (?, ?) RETURNING *"
		if s.lacksReturning("INSERT INTO people (ssn) VALUES (?) RETURNING *") {
			return
		}
		s.want("1|a|"+ssn1, text, "a", ssn1)
		if _, err := s.bare.Exec("ALTER TABLE people ADD COLUMN extra varchar(10)"); err != nil {
			t.Fatal(err)
		}
		rows, err := s.sealed.Query(s.q(text), "b", ssn1)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
			_ = rows.Close()
		}
		// pgx's own cache is out of date as well, and says so before anything is done.
		pg, isPG := errors.AsType[*pgconn.PgError](err)
		if err != nil && !errors.Is(err, driver.ErrTableChanged) && (!isPG || pg.Code != "0A000") {
			t.Errorf("%v", err)
		}
		var id int64
		var name, ssn string
		var extra sql.NullString
		if err := s.sealed.QueryRow(s.q(text), "c", ssn2).Scan(&id, &name, &ssn, &extra); err != nil || ssn != ssn2 {
			t.Errorf("with a new plan: %v", err)
		}
	})
}
