package integration

import (
	"errors"
	"testing"

	"github.com/sealsql/sealsql/driver"
)

// TestATableOfAnotherSchemaOnly: a table that the policy means in every schema,
// and that only a schema outside the session's own has.
func TestATableOfAnotherSchemaOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		schema, blob := "SCHEMA", "bytea"
		if !s.postgres() {
			schema, blob = "DATABASE", "blob"
			defer func() {
				if _, err := s.bare.Exec("DROP DATABASE crm"); err != nil {
					t.Error(err)
				}
			}()
		}
		for _, ddl := range []string{"CREATE " + schema + " crm", "CREATE TABLE crm.people (id bigint PRIMARY KEY, ssn " + blob + ")", "DROP TABLE people"} {
			if _, err := s.bare.Exec(ddl); err != nil {
				t.Fatal(err)
			}
		}
		s.affected(1, "INSERT INTO crm.people (id, ssn) VALUES (?, ?)", "007", ssn1)
		s.affected(1, "UPDATE crm.people SET ssn = ? WHERE id = ?", ssn2, 7)
		s.want("7|"+ssn2, "SELECT id, ssn FROM crm.people")
	})
}

// TestAViewMadeMeanwhileIsNoticed: somebody else makes a view on a protected
// table after the list of views was read.
func TestAViewMadeMeanwhileIsNoticed(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1); err != nil {
			t.Fatal(err)
		}
		s.exec("INSERT INTO accounts (account_number, ssn) VALUES ('v1', ?)", ssn2)
		if _, err := s.bare.Exec("CREATE VIEW fresh AS SELECT account_number, ssn FROM accounts"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.bare.Exec("CREATE VIEW renamed AS SELECT account_number AS k, ssn AS v FROM accounts"); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			"SELECT 1 FROM renamed JOIN accounts ON accounts.account_number = renamed.k WHERE v = '" + ssn1 + "'",
			"WITH c AS (SELECT k FROM renamed, people WHERE v = '" + ssn1 + "') SELECT * FROM c",
			"SELECT account_number FROM fresh WHERE ssn = '" + ssn1 + "'",
			"INSERT INTO fresh (account_number, ssn) VALUES ('v2', '" + ssn1 + "')",
			"SELECT * FROM fresh",
		} {
			if _, err := s.sealed.Exec(text); !errors.Is(err, driver.ErrRefused) {
				t.Errorf("%s: %v", text, err)
			}
		}
	})
}
