package postgres

import (
	"flag"
	"testing"

	"github.com/sqlc-dev/oliphant"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/plantest"
)

var update = flag.Bool("update", false, "write the golden file of TestPlants")

// TestPlants puts a protected comparison into every place of the grammar.
func TestPlants(t *testing.T) {
	g := plantest.Grammar{
		Spans: func(text string) (out []sqlplan.Span, err error) {
			tokens, err := lex(text)
			for _, k := range tokens {
				if k.kind != kindOp {
					out = append(out, sqlplan.Span{Start: k.start, End: k.end})
				}
			}
			return out, err
		},
		Parse:   func(text string) (any, error) { return oliphant.Parse(text) },
		Sub:     "Node_SubLink.SubLink",
		Package: "github.com/sqlc-dev/oliphant/ast",
		Types:   []string{"*Node", "[]*Node"},
	}
	seeds := plantest.Statements(t, "testdata/shapes.sql", "../../integration/testdata/hostile/both.sql", "../../integration/testdata/hostile/postgres.sql")
	plantest.Plants(t, shopPlanner(), g, seeds, "testdata/plants.txt", *update)
}
