package integration

import "testing"

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
