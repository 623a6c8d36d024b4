// Package plantest is what the tests of both dialects' planners share: a policy
// and a catalog of two tables, the fuzz target, and the benchmark.
package plantest

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan"
)

// Planner is a dialect's.
type Planner interface {
	Plan(ctx context.Context, text string) (*sqlplan.Plan, error)
}

// Rules protect the column ssn of the table accounts.
func Rules() *sqlplan.Rules {
	t := &sqlplan.Table{Name: "accounts", RowKey: []string{"account_number"}, Sources: []string{"account_number"}}
	t.Columns = []*sqlplan.Column{{Table: t, Name: "ssn", Context: []int{0}}}
	return &sqlplan.Rules{Tables: []*sqlplan.Table{t}}
}

// Shop is a catalog of the tables accounts and other.
type Shop struct {
	// MySQL has its types, collations that are inexact, and names that do not
	// differ by case.
	MySQL bool
}

func (s Shop) Relation(_ context.Context, _, name string) (*sqlplan.Relation, error) {
	schema, text, bytes := "public", "text", "bytea"
	if s.MySQL {
		schema, text, bytes, name = "shop", "varchar(20)", "blob", strings.ToLower(name)
	}
	r := &sqlplan.Relation{Schema: schema, Name: name}
	column := func(name, typ string) {
		r.Columns = append(r.Columns, sqlplan.RelationColumn{Name: name, Type: typ, Inexact: s.MySQL && typ == text})
	}
	switch name {
	case "accounts":
		r.UniqueKeys = []sqlplan.UniqueKey{{Name: "accounts_pkey", Columns: []string{"account_number"}, Primary: true}}
		column("account_number", text)
		column("name", text)
		column("ssn", bytes)
		return r, nil
	case "other":
		column("id", "bigint")
		column("account_number", text)
		return r, nil
	}
	return nil, nil
}

func (Shop) Readers() []*sqlplan.Relation { return nil }
func (Shop) Version() uint64              { return 1 }

// Fuzz: whatever the text, planning ends in a plan or an error, and a refusal
// holds no literal. The seeds are the hostile statements of the dialect.
func Fuzz(f *testing.F, p Planner, dialect string) {
	seeds := 0
	for _, name := range []string{"both", dialect} {
		data, err := os.ReadFile("../../integration/testdata/hostile/" + name + ".sql")
		if err != nil {
			f.Fatal(err)
		}
		for s := range strings.SplitSeq(strings.TrimSpace(string(data)), "\n;;\n") {
			seeds++
			f.Add(s)
		}
	}
	if seeds < 50 {
		f.Fatalf("there are only %d seeds", seeds)
	}
	f.Fuzz(func(t *testing.T, text string) {
		plan, err := p.Plan(t.Context(), text)
		if (plan == nil) == (err == nil) {
			t.Fatal("neither a plan nor an error, or both")
		}
		if err != nil && strings.Contains(err.Error(), "900-12-3456") {
			t.Errorf("the refusal holds a literal: %v", err)
		}
		if plan == nil {
			return
		}
		if r, ok := plan.Route.(*sqlplan.RowByRow); ok {
			for rows := range 3 {
				_ = r.Build(rows)
			}
		}
	})
}

// Benchmark analyses texts that are not cached.
func Benchmark(b *testing.B, p Planner, placeholder string) {
	for name, text := range map[string]string{
		"protected": "SELECT a.ssn, o.id FROM other o JOIN accounts a ON a.account_number = o.account_number WHERE o.id = ",
		"other":     "SELECT o.id FROM other o WHERE o.account_number = 'a' AND o.id = ",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Plan(b.Context(), text+placeholder); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
