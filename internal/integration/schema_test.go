package integration

import "testing"

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
