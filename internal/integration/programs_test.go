package integration

import (
	"bytes"
	"database/sql"
	"testing"
)

// TestWhatProgramsReturnIsCiphertext: results of functions, procedures and cursors are
// not traced to their tables. What the row holds comes out, as it is held.
func TestWhatProgramsReturnIsCiphertext(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2); err != nil {
			t.Fatal(err)
		}
		s.exec("INSERT INTO accounts (account_number, ssn) VALUES ('f1', ?), ('f2', ?)", ssn1, ssn2)
		texts := []string{"SELECT account_number, one_ssn(account_number) FROM accounts ORDER BY 1", "CALL all_ssns()"}
		if s.postgres() {
			s.set("CREATE FUNCTION one_ssn(n text) RETURNS bytea LANGUAGE sql AS 'SELECT ssn FROM accounts WHERE account_number = n'",
				"CREATE FUNCTION all_ssns() RETURNS SETOF accounts LANGUAGE sql AS 'SELECT * FROM accounts ORDER BY 1'",
				"CREATE FUNCTION open_ssns(c refcursor) RETURNS refcursor LANGUAGE plpgsql AS $$ BEGIN OPEN c FOR SELECT account_number, ssn FROM accounts ORDER BY 1; RETURN c; END $$")
			texts = []string{texts[0], "SELECT account_number, ssn FROM all_ssns()", "SELECT f.account_number, f.ssn FROM accounts a, LATERAL all_ssns() f WHERE a.account_number = f.account_number ORDER BY 1",
				"SELECT (all_ssns()).account_number, (all_ssns()).ssn", "SELECT x.account_number, x.ssn FROM (SELECT * FROM all_ssns()) x", "FETCH ALL FROM ssns"}
		} else {
			s.set("CREATE FUNCTION one_ssn(n varchar(20)) RETURNS blob READS SQL DATA RETURN (SELECT ssn FROM accounts WHERE account_number = n)",
				"CREATE PROCEDURE all_ssns() READS SQL DATA SELECT account_number, ssn FROM accounts ORDER BY 1")
		}
		tx, err := s.sealed.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		if s.postgres() {
			if _, err := tx.Exec("SELECT open_ssns('ssns')"); err != nil {
				t.Fatal(err)
			}
		}
		for _, text := range texts {
			rows, err := tx.Query(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			n := 0
			for rows.Next() {
				var key string
				var got sql.RawBytes
				if err := rows.Scan(&key, &got); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				var stored []byte
				if err := s.bare.QueryRow(s.q("SELECT ssn FROM accounts WHERE account_number = ?"), key).Scan(&stored); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, stored) {
					t.Errorf("%s: %s shows %d bytes that the row does not hold", text, key, len(got))
				}
				n++
			}
			if err := rows.Err(); err != nil || n != 2 {
				t.Errorf("%s: %d rows, %v", text, n, err)
			}
		}
	})
}
