package postgres

import (
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/plantest"
)

func shopPlanner() *Planner { return New(plantest.Rules(), plantest.Shop{}) }

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
	r := plan.Route.(*sqlplan.RowByRow)
	got := []string{r.Tables[0].Lock.Text, r.Build(1).Text, r.Build(2).Text, r.Empty().Text}
	want := []string{
		`SELECT "accounts"."account_number", "accounts"."account_number" FROM accounts WHERE name = $1 ORDER BY "accounts"."account_number" FOR NO KEY UPDATE OF "accounts"`,
		`UPDATE accounts SET ssn = $1::bytea WHERE (name = $2) AND (("accounts"."account_number" = $3)) RETURNING name`,
		`UPDATE accounts SET ssn = CASE WHEN "accounts"."account_number" = $1 THEN $3::bytea WHEN "accounts"."account_number" = $4 THEN $5::bytea END WHERE (name = $2) AND (("accounts"."account_number" = $1) OR ("accounts"."account_number" = $4)) RETURNING name`,
		`UPDATE accounts SET ssn = NULL::bytea WHERE (name = $1) AND 1 = 0 RETURNING name`,
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("text %d\n got %s\nwant %s", i, got[i], want[i])
		}
	}
}

// TestKeysOfManyRowsStandInLists: each key is in one list of SET, which has about as many keys
// as there are lists, and in that of the condition.
func TestKeysOfManyRowsStandInLists(t *testing.T) {
	plan, err := shopPlanner().Plan(t.Context(), "UPDATE accounts SET ssn = $1 WHERE name = $2")
	if err != nil {
		t.Fatal(err)
	}
	r := plan.Route.(*sqlplan.RowByRow)
	for rows, lists := range map[int]int{63: 0, 64: 8 + 1, 100: 10 + 1, 1000: 33 + 1} {
		b := r.Build(rows)
		if n := strings.Count(b.Text, " IN ("); n != lists {
			t.Errorf("%d rows: %d lists, want %d", rows, n, lists)
		}
		if n := strings.Count(b.Text, `WHEN "accounts"."account_number" = `); n != rows {
			t.Errorf("%d rows: %d values", rows, n)
		}
		if len(b.Args) != 2*rows+1 {
			t.Errorf("%d rows: %d arguments, want two for each row and the user's", rows, len(b.Args))
		}
	}
}

func FuzzPlan(f *testing.F) { plantest.Fuzz(f, shopPlanner(), "postgres") }

func BenchmarkPlan(b *testing.B) { plantest.Benchmark(b, shopPlanner(), "$1") }

func parseShop(text string) (*sqlplan.Script, error) { return parse(text, sqlplan.DefaultMaxDepth) }

func TestPlansOfLargeTextsAreSmall(t *testing.T) {
	plantest.Small(t, shopPlanner(), parseShop, "postgres")
}

func TestLargeTextsEndWithTheirContext(t *testing.T) {
	plantest.EndsWithItsContext(t, shopPlanner(), "postgres")
}

func BenchmarkLarge(b *testing.B) { plantest.BenchmarkLarge(b, shopPlanner(), parseShop, "postgres") }
