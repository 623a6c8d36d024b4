package postgres

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// shop is a catalog of two tables.
type shop struct{}

func (shop) Relation(_ context.Context, _, name string) (*sqlplan.Relation, error) {
	switch name {
	case "accounts":
		r := &sqlplan.Relation{Schema: "public", Name: name, UniqueKeys: []sqlplan.UniqueKey{{Name: "accounts_pkey", Columns: []string{"account_number"}, Primary: true}}}
		for _, c := range []string{"account_number", "name"} {
			r.Columns = append(r.Columns, sqlplan.RelationColumn{Name: c, Type: "text"})
		}
		r.Columns = append(r.Columns, sqlplan.RelationColumn{Name: "ssn", Type: "bytea"})
		return r, nil
	case "other":
		return &sqlplan.Relation{Schema: "public", Name: name, Columns: []sqlplan.RelationColumn{{Name: "id", Type: "bigint"}, {Name: "account_number", Type: "text"}}}, nil
	}
	return nil, nil
}

func (shop) Readers() []*sqlplan.Relation { return nil }
func (shop) Version() uint64              { return 1 }

func shopPlanner() *Planner {
	t := &sqlplan.Table{Name: "accounts", RowKey: []string{"account_number"}, Sources: []string{"account_number"}}
	t.Columns = []*sqlplan.Column{{Table: t, Name: "ssn", Context: []int{0}}}
	return New(&sqlplan.Rules{Tables: []*sqlplan.Table{t}}, shop{})
}

// TestEditedTexts shows what is sent for a statement.
func TestEditedTexts(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a parameter keeps its number", "INSERT INTO accounts (account_number, ssn) VALUES ($1, $2)", "INSERT INTO accounts (account_number, ssn) VALUES ($1, $2)"},
		{"a literal becomes a parameter", "INSERT INTO accounts (account_number, ssn) VALUES ($1, 'x') /* tag */", "INSERT INTO accounts (account_number, ssn) VALUES ($1, $2) /* tag */"},
		{"a column list is added", "INSERT INTO accounts VALUES ('a', 'n', $1)", `INSERT INTO accounts ("account_number", "name", "ssn") VALUES ('a', 'n', $1)`},
		{"the row key is added hidden", "SELECT ssn FROM accounts -- tag", `SELECT ssn, "accounts"."account_number" AS "sealsql_k1" FROM accounts -- tag`},
		{"through a derived table", "SELECT s FROM (SELECT ssn AS s FROM accounts) x",
			`SELECT s, "x"."sealsql_k1" AS "sealsql_k2" FROM (SELECT ssn AS s, "accounts"."account_number" AS "sealsql_k1" FROM accounts) x`},
		{"a row key that is there serves", "SELECT account_number, ssn FROM accounts", "SELECT account_number, ssn FROM accounts"},
		{"a row named by equality", "UPDATE accounts SET ssn = $1 WHERE account_number = $2", "UPDATE accounts SET ssn = $1 WHERE account_number = $2"},
		{"a cast goes", "UPDATE accounts SET ssn = $1::text WHERE account_number = 'k'", "UPDATE accounts SET ssn = $1 WHERE account_number = 'k'"},
		{"nothing protected", "SELECT name FROM accounts WHERE name = $1", "SELECT name FROM accounts WHERE name = $1"},
		{"returning", "DELETE FROM accounts RETURNING ssn", `DELETE FROM accounts RETURNING ssn, "accounts"."account_number" AS "sealsql_k1"`},
	}
	p := shopPlanner()
	for _, tt := range tests {
		plan, err := p.Plan(t.Context(), tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if plan.Main.Text != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.name, plan.Main.Text, tt.want)
		}
	}
	if len(tests) != 10 {
		t.Error("the number of cases changed")
	}
}

// TestRowByRowTexts shows the texts of an UPDATE whose rows must be read.
func TestRowByRowTexts(t *testing.T) {
	plan, err := shopPlanner().Plan(t.Context(), "UPDATE accounts SET ssn = $1 WHERE name = $2 RETURNING name")
	if err != nil {
		t.Fatal(err)
	}
	r := plan.RowByRow
	got := []string{r.Lock.Text, r.Build(1).Text, r.Build(2).Text, r.Empty.Text}
	want := []string{
		`SELECT "accounts"."account_number", "accounts"."account_number" FROM accounts WHERE name = $1 ORDER BY "accounts"."account_number" FOR NO KEY UPDATE OF "accounts"`,
		`UPDATE accounts SET ssn = $1::bytea WHERE (("accounts"."account_number" = $2)) RETURNING name`,
		`UPDATE accounts SET ssn = CASE WHEN "accounts"."account_number" = $1 THEN $2::bytea WHEN "accounts"."account_number" = $3 THEN $4::bytea END WHERE (("accounts"."account_number" = $1) OR ("accounts"."account_number" = $3)) RETURNING name`,
		`UPDATE accounts SET ssn = NULL::bytea WHERE 1 = 0 RETURNING name`,
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("text %d\n got %s\nwant %s", i, got[i], want[i])
		}
	}
}

func statements(t testing.TB) []string {
	var list []string
	for _, f := range []string{"both.sql", "postgres.sql"} {
		data, err := os.ReadFile("../../integration/testdata/hostile/" + f)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, strings.Split(strings.TrimSpace(string(data)), "\n;;\n")...)
	}
	return list
}

// FuzzPlan: whatever the text, planning ends in a plan or an error, and a
// refusal holds no literal.
func FuzzPlan(f *testing.F) {
	for _, s := range statements(f) {
		f.Add(s)
	}
	p := shopPlanner()
	f.Fuzz(func(t *testing.T, text string) {
		plan, err := p.Plan(t.Context(), text)
		if (plan == nil) == (err == nil) {
			t.Fatal("neither a plan nor an error, or both")
		}
		if err != nil && strings.Contains(err.Error(), "900-12-3456") {
			t.Errorf("the refusal holds a literal: %v", err)
		}
		if plan == nil || plan.RowByRow == nil {
			return
		}
		for rows := range 3 {
			_ = plan.RowByRow.Build(rows)
		}
	})
}

// BenchmarkPlan analyses a text that is not cached.
func BenchmarkPlan(b *testing.B) {
	p := shopPlanner()
	for name, text := range map[string]string{
		"protected": "SELECT a.ssn, o.id FROM other o JOIN accounts a ON a.account_number = o.account_number WHERE o.id = $1",
		"other":     "SELECT o.id FROM other o WHERE o.id = $1 ORDER BY o.account_number",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Plan(b.Context(), text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
