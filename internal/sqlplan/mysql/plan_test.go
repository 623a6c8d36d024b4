package mysql

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
	switch strings.ToLower(name) {
	case "accounts":
		r := &sqlplan.Relation{Schema: "shop", Name: "accounts", UniqueKeys: []sqlplan.UniqueKey{{Name: "PRIMARY", Columns: []string{"account_number"}, Primary: true}}}
		for _, c := range []string{"account_number", "name", "text_column"} {
			r.Columns = append(r.Columns, sqlplan.RelationColumn{Name: c, Type: "varchar(20)", Inexact: true})
		}
		r.Columns = append(r.Columns, sqlplan.RelationColumn{Name: "ssn", Type: "blob"})
		return r, nil
	case "other":
		return &sqlplan.Relation{Schema: "shop", Name: "other", Columns: []sqlplan.RelationColumn{{Name: "id", Type: "bigint"}, {Name: "account_number", Type: "varchar(20)"}}}, nil
	}
	return nil, nil
}

func (shop) Readers() []*sqlplan.Relation { return nil }
func (shop) Version() uint64              { return 1 }

func shopPlanner() *Planner {
	t := &sqlplan.Table{Name: "accounts", RowKey: []string{"account_number"}, Sources: []string{"account_number"}}
	t.Columns = []*sqlplan.Column{{Table: t, Name: "ssn", Context: []int{0}}}
	return New(&sqlplan.Rules{Tables: []*sqlplan.Table{t}}, shop{}, Options{})
}

// FuzzPlan: whatever the text, planning ends in a plan or an error, and a
// refusal holds no literal.
func FuzzPlan(f *testing.F) {
	for _, name := range []string{"both.sql", "mysql.sql"} {
		data, err := os.ReadFile("../../integration/testdata/hostile/" + name)
		if err != nil {
			f.Fatal(err)
		}
		for _, s := range strings.Split(strings.TrimSpace(string(data)), "\n;;\n") {
			f.Add(s)
		}
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
		"protected": "SELECT a.ssn, o.id FROM other o JOIN accounts a ON a.account_number = o.account_number WHERE o.id = ?",
		"other":     "SELECT o.id FROM other o WHERE o.id = ? ORDER BY o.account_number",
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
