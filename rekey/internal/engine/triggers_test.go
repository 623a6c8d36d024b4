package engine

import (
	"errors"
	"testing"

	"github.com/sealsql/sealsql/internal/server"
)

// TestTriggersThatChangeWhatAJobWrites: the job ends with an error, and the page that
// a trigger changed is not written.
func TestTriggersThatChangeWhatAJobWrites(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		triggers := map[string][]string{
			"before": {"CREATE TRIGGER change_it BEFORE UPDATE ON people FOR EACH ROW SET NEW.ssn = UPPER(NEW.ssn)"},
			"moved":  {"CREATE TRIGGER change_it BEFORE UPDATE ON people FOR EACH ROW SET NEW.id = OLD.id + 1000"},
		}
		drop := "DROP TRIGGER change_it"
		if s.postgres() {
			function := func(body string) string {
				return "CREATE OR REPLACE FUNCTION change_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN " + body + " RETURN NEW; END'"
			}
			drop = "DROP TRIGGER change_it ON people"
			triggers = map[string][]string{
				"before": {function("NEW.ssn = upper(NEW.ssn);"), "CREATE TRIGGER change_it BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION change_it()"},
				"moved":  {function("NEW.id = OLD.id + 1000;"), "CREATE TRIGGER change_it BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION change_it()"},
				"after": {function("IF pg_trigger_depth() = 1 THEN UPDATE people SET ssn = upper(ssn) WHERE id = NEW.id; END IF;"),
					"CREATE TRIGGER change_it AFTER UPDATE ON people FOR EACH ROW EXECUTE FUNCTION change_it()"},
			}
		}
		s.exec("CREATE TABLE people (id bigint PRIMARY KEY, ssn text)")
		s.exec("INSERT INTO people VALUES (1, '900-00-0001'), (2, '900-00-0002')")
		p := s.policy(people)
		for name, ddl := range triggers {
			for _, text := range ddl {
				s.exec(text)
			}
			if _, err := Run(t.Context(), s.config(Backfill, p)); !errors.Is(err, server.ErrNotStored) {
				t.Errorf("%s: %v", name, err)
			}
			var kept int
			if err := s.db.QueryRow("SELECT COUNT(*) FROM people WHERE id < 3 AND ssn LIKE '900-00-000%'").Scan(&kept); err != nil || kept != 2 {
				t.Errorf("%s: %d values are as they were, %v", name, kept, err)
			}
			s.exec(drop)
		}
		s.want(s.run(s.config(Backfill, p)), 2, 2, 0, 0, 0)
	})
}
