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

// TestANameWithItsDatabase: names may say which database they are of, in full. Postgres
// refuses those of any database but the one in use.
func TestANameWithItsDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		var in string
		if err := s.bare.QueryRow(map[bool]string{true: "SELECT current_database() || '.public'", false: "SELECT database()"}[s.postgres()]).Scan(&in); err != nil {
			t.Fatal(err)
		}
		people := in + ".people"
		s.exec("INSERT INTO "+people+" (id, name, ssn) VALUES (7, 'ada', ?), (8, 'ben', '900-00-0008')", "900-00-0007")
		s.want("7|900-00-0007\n8|900-00-0008", "SELECT "+people+".id, "+people+".ssn FROM "+people+" ORDER BY "+people+".id")
		s.exec("UPDATE "+people+" SET ssn = ? WHERE name = 'ada'", "900-00-0017")
		s.exec("UPDATE " + people + " SET ssn = '900-00-0018' WHERE id = 8")
		s.want("900-00-0017\n900-00-0018", "SELECT p.ssn FROM "+people+" p ORDER BY p.id")
		for _, text := range []string{"SELECT id FROM " + people + " WHERE " + people + ".ssn = '900-00-0017'", "SELECT upper(" + people + ".ssn) FROM " + people} {
			if _, err := s.sealed.Exec(text); !errors.Is(err, driver.ErrRefused) {
				t.Errorf("%s: %v, want a refusal", text, err)
			}
		}
		s.affected(1, "DELETE FROM "+people+" WHERE name = 'ada'")
		s.exec("ALTER TABLE " + people + " ADD COLUMN more int")
		s.want("8|900-00-0018|<nil>", "SELECT id, ssn, more FROM "+people)
		s.exec("TRUNCATE TABLE " + people)
		if s.postgres() {
			_, err := s.sealed.Exec("INSERT INTO elsewhere.public.people (id, ssn) VALUES (9, '900-00-0009')")
			if got := class(err); got != "SQLSTATE 0A000" {
				t.Errorf("a table of another database: %v", err)
			}
		}
	})
}
