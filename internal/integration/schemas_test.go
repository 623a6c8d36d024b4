package integration

import (
	"errors"
	"testing"

	"github.com/sealsql/sealsql/driver"
)

// TestARowKeyHasTheTypesOfItsOwnSchema: the policy means people in every schema, and the
// session finds one whose key is a number.
func TestARowKeyHasTheTypesOfItsOwnSchema(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		other := "own_schema_types" // testdb names its databases t1, t2 …
		s.bareExec("CREATE SCHEMA " + other)
		t.Cleanup(func() { _, _ = s.bare.Exec("DROP SCHEMA " + other + map[bool]string{true: " CASCADE"}[s.postgres()]) })
		s.bareExec("CREATE TABLE " + other + ".people (id varchar(20) PRIMARY KEY, name varchar(100), ssn " + map[bool]string{true: "bytea", false: "blob"}[s.postgres()] + ")")
		s.exec("INSERT INTO people (id, ssn) VALUES (7, ?)", "900-00-0007")
		s.exec("INSERT INTO "+other+".people (id, ssn) VALUES (?, ?), ('007', ?)", "7", "901-00-0007", "901-00-0070")
		s.want("007|901-00-0070\n7|901-00-0007", "SELECT id, ssn FROM "+other+".people ORDER BY id")
		s.want("901-00-0070", "SELECT ssn FROM "+other+".people WHERE id = '007'")
		s.exec("UPDATE "+other+".people SET ssn = ? WHERE name IS NULL AND id = '007'", "901-00-0071")
		s.want("900-00-0007", "SELECT ssn FROM people WHERE id = 7")

		s.bareExec("UPDATE " + other + ".people SET ssn = (SELECT ssn FROM (SELECT ssn FROM " + other + ".people WHERE id = '7') AS x) WHERE id = '007'")
		var ssn string
		err := s.sealed.QueryRow("SELECT ssn FROM " + other + ".people WHERE id = '007'").Scan(&ssn)
		if !errors.Is(err, driver.ErrMismatch) {
			t.Errorf("the value of row 7 in row 007: %q, %v; want ErrMismatch", ssn, err)
		}
		_, err = s.sealed.Exec("SELECT a.ssn, b.ssn FROM people a, " + other + ".people b")
		if !errors.Is(err, driver.ErrRefused) {
			t.Errorf("two schemas with keys of other types: %v, want a refusal", err)
		}
	})
}
