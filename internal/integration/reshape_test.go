package integration

import (
	"errors"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
)

// TestATableThatIsMadeAnewWithItsColumnsInAnotherOrder: INSERT without a column list
// means what it meant when it was planned first, and is planned by the table as
// it is then, whatever was read of it before.
func TestATableThatIsMadeAnewWithItsColumnsInAnotherOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1, ssn2); err != nil {
			t.Fatal(err)
		}
		known := []string{
			"INSERT INTO accounts VALUES ('r1', 1, 'n', ?, NULL, NULL)",
			"INSERT INTO accounts SELECT 'r2', 1, 'n', ?, NULL, NULL",
			"REPLACE INTO accounts VALUES ('r3', 1, 'n', ?, NULL, NULL)",
			"INSERT INTO accounts VALUES ('r4', 1, 'n', '" + ssn1 + "', NULL, NULL)",
		}
		if s.postgres() {
			known[2] = "INSERT INTO accounts VALUES ('r3', 1, 'n', ?, NULL, NULL) ON CONFLICT (account_number) DO UPDATE SET ssn = EXCLUDED.ssn"
		}
		args := func(i int) []any {
			if i == len(known)-1 {
				return nil
			}
			return []any{ssn1}
		}
		prepared, err := s.sealed.Prepare(s.q("INSERT INTO accounts VALUES ('r5', 1, 'n', ?, NULL, NULL)"))
		if err != nil {
			t.Fatal(err)
		}
		defer prepared.Close()
		for i, text := range known {
			s.exec(text, args(i)...)
		}
		create := "CREATE TABLE accounts (name text, ssn blob, account_number varchar(20) PRIMARY KEY, tenant_id bigint NOT NULL DEFAULT 1, note text, balance blob)"
		if s.postgres() {
			create = strings.ReplaceAll(create, "blob", "bytea")
		}
		for _, text := range []string{"DROP TABLE accounts", create} {
			if _, err := s.bare.Exec(text); err != nil {
				t.Fatal(err)
			}
		}
		for i, text := range known {
			s.exec(text, args(i)...)
		}
		if _, err := prepared.Exec(ssn1); err != nil {
			t.Fatal(err)
		}
		s.want("r1|1|n|"+ssn1+"\nr2|1|n|"+ssn1+"\nr3|1|n|"+ssn1+"\nr4|1|n|"+ssn1+"\nr5|1|n|"+ssn1,
			"SELECT account_number, tenant_id, name, ssn FROM accounts ORDER BY account_number")

		// A text that was not planned before means the table as it is.
		s.exec("INSERT INTO accounts VALUES ('n', ?, 'r6', 1)", ssn2)
		s.want("n|"+ssn2, "SELECT name, ssn FROM accounts WHERE account_number = 'r6'")
		for _, e := range s.log() {
			if e.Kind != alert.Refused {
				t.Errorf("an alert: %v", e)
			}
		}
	})
}

// TestTotalsShowNoValueOfAnyRow: a row that WITH ROLLUP adds has NULL for the key, and
// MySQL fills it with values of any row; none of them is a moved value.
func TestTotalsShowNoValueOfAnyRow(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.exec("INSERT INTO accounts (account_number, name, ssn, balance) VALUES ('a1', 'x', ?, 5), ('a2', 'y', ?, 6)", ssn1, ssn2)
		texts := []string{
			"SELECT ssn FROM accounts GROUP BY account_number WITH ROLLUP",
			"SELECT x.ssn FROM (SELECT name, account_number, ssn FROM accounts GROUP BY name, account_number WITH ROLLUP) x",
		}
		if s.postgres() {
			texts = []string{
				"SELECT balance FROM accounts GROUP BY account_number, GROUPING SETS ((tenant_id), ())",
				"SELECT x.balance FROM (SELECT tenant_id, account_number, balance FROM accounts GROUP BY account_number, CUBE (1)) x",
			}
		}
		for _, text := range texts {
			if _, err := s.sealed.Query(text); !errors.Is(err, driver.ErrRefused) {
				t.Errorf("%s: %v", text, err)
			}
		}
		for _, e := range s.log() {
			if e.Kind != alert.Refused {
				t.Errorf("an alert: %v", e)
			}
		}
	})
}
