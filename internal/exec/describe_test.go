package exec_test

import (
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/exec"
	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/server/postgres"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// TestAPlanThatTheServerContradictsIsNotCarriedOut gives plans to Describe as a planner
// that is wrong would make them.
func TestAPlanThatTheServerContradictsIsNotCarriedOut(t *testing.T) {
	s := testdb.Postgres(t)
	db := s.Open(t, s.NewDatabase(t))
	for _, text := range []string{
		"CREATE TABLE accounts (id int PRIMARY KEY, tenant int, name text, ssn bytea, pin bytea)",
		"CREATE TABLE other (id int, ssn bytea)",
		"CREATE VIEW v AS SELECT id, ssn FROM accounts",
		"CREATE VIEW w AS SELECT id, ssn FROM accounts",
	} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	table := &sqlplan.Table{Name: "accounts", RowKey: []string{"id"}, Sources: []string{"id"}}
	ssn, pin := &sqlplan.Column{Table: table, Name: "ssn"}, &sqlplan.Column{Table: table, Name: "pin"}
	table.Columns = []*sqlplan.Column{ssn, pin}
	rules := &sqlplan.Rules{Tables: []*sqlplan.Table{table}, Views: []sqlplan.View{{Name: "v", Table: table}}}
	e, counters := exec.NewDescribing(postgres.Server{}, db, rules)

	plain := sqlplan.ResultColumn{}
	shows := func(c *sqlplan.Column, key int) sqlplan.ResultColumn {
		return sqlplan.ResultColumn{Protected: &sqlplan.ResultProtected{Table: table, Column: c, Sources: []int{key}}}
	}
	cases := []struct {
		name, text string
		want       []sqlplan.ResultColumn
		refused    string
	}{
		{"the plan is right", "SELECT id, ssn FROM accounts", []sqlplan.ResultColumn{plain, shows(ssn, 0)}, ""},
		{"a view of the policy", "SELECT id, ssn FROM v", []sqlplan.ResultColumn{plain, shows(ssn, 0)}, ""},
		{"through a CTE and an alias", "WITH c AS (SELECT id AS i, ssn AS s FROM accounts) SELECT x.s, x.i FROM c AS x", []sqlplan.ResultColumn{shows(ssn, 1), plain}, ""},
		{"what the server computes is not compared", "SELECT id, ssn FROM accounts UNION ALL SELECT id, ssn FROM other", []sqlplan.ResultColumn{plain, shows(ssn, 0)}, ""},
		{"a row key that is not shown", "SELECT ssn FROM accounts", []sqlplan.ResultColumn{shows(ssn, -1)}, ""},
		{"no protected value, and the plan says so", "SELECT name, ssn IS NULL FROM accounts", nil, ""},
		{"RETURNING", "UPDATE accounts SET name = 'x' RETURNING ssn, id", []sqlplan.ResultColumn{shows(ssn, 1), plain}, ""},
		{"a table that is not protected", "SELECT ssn FROM other", nil, ""},
		{"a view that is not the policy's", "SELECT ssn FROM w", nil, ""},
		{"the plan sees no protected value", "SELECT id, ssn FROM accounts", nil, "shows a protected value"},
		{"the plan sees it in another place", "SELECT ssn, id FROM accounts", []sqlplan.ResultColumn{plain, shows(ssn, 0)}, "result column 1 shows a protected value"},
		{"the plan takes one column for another", "SELECT id, pin FROM accounts", []sqlplan.ResultColumn{plain, shows(ssn, 0)}, "another column"},
		{"the plan takes a plain column for a protected one", "SELECT id, name FROM accounts", []sqlplan.ResultColumn{plain, shows(ssn, 0)}, "another column"},
		{"the value would be verified against another column", "SELECT tenant, ssn FROM accounts", []sqlplan.ResultColumn{plain, shows(ssn, 0)}, "which the value is bound to"},
		{"the plan counts other columns", "SELECT a.*, a.id FROM accounts a", []sqlplan.ResultColumn{plain, shows(ssn, 0)}, "describes 6 result columns"},
		{"the plan misses a view of the policy", "SELECT ssn FROM v", nil, "shows a protected value"},
		{"the plan misses RETURNING", "DELETE FROM accounts RETURNING *", nil, "shows a protected value"},
	}
	refused := uint64(0)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			plan := &sqlplan.Plan{Protected: true, Named: true, Route: sqlplan.Direct{}, Results: []sqlplan.ResultSet{{Columns: c.want}}}
			if c.want == nil {
				plan.Results = nil
			}
			e.TablesChanged() // forgets the last plan of the text
			e.Keep(c.text, plan)
			err := onConn(t, db, func(base sqldriver.Conn) error {
				return exec.Run{Engine: e, Plan: plan, Args: server.Arguments{Text: c.text}, Conn: base}.Describe(t.Context(), c.text)
			})
			if c.refused == "" {
				if err != nil || !e.Described(plan) {
					t.Errorf("%v, remembered: %t", err, e.Described(plan))
				}
				return
			}
			refused++
			if !errors.Is(err, fault.ErrRefused) || !strings.Contains(err.Error(), c.refused) || e.Described(plan) {
				t.Errorf("got %v, remembered: %t; want a refusal with %q", err, e.Described(plan), c.refused)
			}
		})
	}
	if len(cases) != 17 || counters.LineageRefused.Load() != 8 || refused != 8 {
		t.Errorf("%d cases, %d refused, %d counted", len(cases), refused, counters.LineageRefused.Load())
	}
}

func onConn(t *testing.T, db *sql.DB, f func(base sqldriver.Conn) error) error {
	t.Helper()
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var out error
	if err := c.Raw(func(base any) error { out = f(base.(sqldriver.Conn)); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestDescribingPreparesNothingMore counts what pgx prepares on a connection: were the
// name that pgx chooses for a text another one, a text would be prepared twice.
func TestDescribingPreparesNothingMore(t *testing.T) {
	s := testdb.Postgres(t)
	db := s.Open(t, s.NewDatabase(t))
	const text = "SELECT $1::int"
	err := onConn(t, db, func(base sqldriver.Conn) error {
		if _, known, err := (postgres.Server{}).Describe(t.Context(), base, text, server.Cached); err != nil || !known {
			t.Fatalf("known: %t, %v", known, err)
		}
		for range 2 {
			rows, err := base.(sqldriver.QueryerContext).QueryContext(t.Context(), text, []sqldriver.NamedValue{{Ordinal: 1, Value: int64(7)}})
			if err != nil {
				return err
			}
			_ = rows.Close()
		}
		rows, err := base.(sqldriver.QueryerContext).QueryContext(t.Context(), "SELECT count(*) FROM pg_prepared_statements WHERE statement = '"+text+"'", nil)
		if err != nil {
			return err
		}
		defer rows.Close()
		cell := make([]sqldriver.Value, 1)
		if err := rows.Next(cell); err != nil || cell[0] != int64(1) {
			t.Errorf("the text is prepared %v times, %v; want once", cell[0], err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
