package integration

import (
	"errors"
	"testing"

	"github.com/sealsql/sealsql/driver"
)

// TestAViewThatIsMadeMeanwhileWithOtherNames: the statements name nothing that the policy
// does, and the view is made after the catalog was read, by another session.
func TestAViewThatIsMadeMeanwhileWithOtherNames(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2); err != nil {
			t.Fatal(err)
		}
		s.exec("INSERT INTO people (id, ssn) VALUES (1, ?)", ssn1)
		s.set("CREATE VIEW renamed AS SELECT id, name AS label, ssn AS tax_id FROM people")
		texts := map[string][]any{
			"INSERT INTO renamed (id, tax_id) VALUES (2, ?)":      {ssn2},
			"INSERT INTO renamed VALUES (3, 'n', '" + ssn2 + "')": nil,
			"UPDATE renamed SET tax_id = ? WHERE id = 1":          {ssn2},
			"UPDATE renamed SET label = 'a' WHERE tax_id = ?":     {ssn2},
			"DELETE FROM renamed WHERE tax_id = '" + ssn1 + "'":   nil,
			"SELECT id FROM renamed WHERE tax_id = ?":             {ssn1},
		}
		for text, args := range texts {
			if _, err := s.sealed.Exec(s.q(text), args...); !errors.Is(err, driver.ErrRefused) {
				t.Errorf("%s: %v", text, err)
			}
		}
		s.set("CREATE VIEW other_name AS SELECT id, tax_id AS number FROM renamed")
		s.want("1|"+ssn1, "SELECT id, ssn FROM people ORDER BY id")
	})
}

// TestATextIsPlannedAnewAfterItsTableWasMissing: the same text may mean a view then.
func TestATextIsPlannedAnewAfterItsTableWasMissing(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn2); err != nil {
			t.Fatal(err)
		}
		s.exec("INSERT INTO people (id, ssn) VALUES (1, ?)", ssn1)
		const text = "INSERT INTO late (id, tax_id) VALUES (2, ?)"
		if _, err := s.sealed.Exec(s.q(text), "no value"); err == nil || errors.Is(err, driver.ErrRefused) {
			t.Errorf("before the view is there: %v", err)
		}
		s.set("CREATE VIEW late AS SELECT id, ssn AS tax_id FROM people")
		if _, err := s.sealed.Exec(s.q(text), ssn2); !errors.Is(err, driver.ErrRefused) {
			t.Errorf("with the view: %v", err)
		}
	})
}
