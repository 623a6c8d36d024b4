package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/testdb"
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
		s.exec("INSERT INTO accounts VALUES ('n', ?, 'r6', 1, NULL, NULL)", ssn2)
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

// TestColumnsThatAnotherSessionMoves between two executions of an INSERT without a column
// list, as a text and prepared, in each mode of the base drivers: no value comes into
// another column than before.
func TestColumnsThatAnotherSessionMoves(t *testing.T) {
	moves := map[string][]string{
		"postgres": {"ALTER TABLE moved DROP COLUMN name", "ALTER TABLE moved ADD COLUMN name text", "ALTER TABLE moved DROP COLUMN tenant", "ALTER TABLE moved ADD COLUMN tenant int"},
		"mysql":    {"ALTER TABLE moved MODIFY ssn blob FIRST", "ALTER TABLE moved MODIFY name text AFTER ssn", "ALTER TABLE moved MODIFY id int AFTER name"},
	}
	ran := 0
	for _, server := range testdb.Each(t) {
		for _, mode := range keyTypeModes[server.Name] {
			t.Run(server.String()+"/"+mode, func(t *testing.T) {
				ran++
				s := newSite(t, server)
				s.set("CREATE TABLE moved (id int PRIMARY KEY, name text, tenant int, ssn " + map[bool]string{true: "bytea", false: "blob"}[s.postgres()] + ")")
				if err := s.proxy.Watch(ssn1, ssn2); err != nil {
					t.Fatal(err)
				}
				k, _ := kms()
				bareName, dsn := server.DSN(s.proxy.Addr(), s.database())
				s.sealed = open(t, bareName, dsn+"&"+mode, driver.WithPolicy(s.parse(strings.ReplaceAll(keyTypePolicy, "kt:", "moved:"))), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
				texts := []string{"INSERT INTO moved VALUES (?, 'n', 7, ?)", "INSERT INTO moved SELECT ?, 'n', 7, ?"}
				var prepared []*sql.Stmt
				for _, text := range texts {
					p, err := s.sealed.Prepare(s.q(text))
					if err != nil {
						t.Fatal(err)
					}
					defer p.Close()
					prepared = append(prepared, p)
				}
				id, want := 0, ""
				write := func() {
					for _, text := range texts {
						id++
						s.exec(text, id, ssn1)
						want += fmt.Sprintf("\n%d|n|7|%s", id, ssn1)
					}
					for _, p := range prepared {
						id++
						if _, err := p.Exec(id, ssn2); err != nil {
							t.Error(err)
						}
						want += fmt.Sprintf("\n%d|n|7|%s", id, ssn2)
					}
				}
				write()
				for _, move := range moves[server.Name] {
					s.set(move)
					if strings.Contains(move, "DROP") {
						continue // such a text fails until the column is there again
					}
					if s.postgres() {
						s.set("UPDATE moved SET name = 'n', tenant = 7")
					}
					write()
				}
				s.want(want[1:], "SELECT id, name, tenant, ssn FROM moved ORDER BY id")
			})
		}
	}
	if ran == 0 || ran > 7 {
		t.Errorf("ran %d modes", ran)
	}
}
