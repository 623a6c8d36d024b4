package integration

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
)

// TestReturningOfServerMadeKeys is what ORMs send: the server makes the row
// key, and RETURNING asks for it and more.
func TestReturningOfServerMadeKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2, ssn3); err != nil {
			t.Fatal(err)
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
		s.affected(1, "INSERT INTO people (name, ssn) VALUES ('x', ?) RETURNING id", ssn3)
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
