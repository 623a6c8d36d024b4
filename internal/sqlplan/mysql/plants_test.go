package mysql

import (
	"flag"
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/plantest"
)

var update = flag.Bool("update", false, "write the golden file of TestPlants")

// TestPlants puts a protected comparison into every place of the grammar.
func TestPlants(t *testing.T) {
	g := plantest.Grammar{
		Spans: func(text string) (out []sqlplan.Span, err error) {
			l, err := lex(text, modes{}, nil)
			if err != nil {
				return nil, err
			}
			for _, k := range l.tokens {
				if k.kind != kindOp && k.kind != kindEnd {
					out = append(out, sqlplan.Span{Start: k.start, End: k.end})
				}
			}
			return out, nil
		},
		Parse: func(text string) (tree any, err error) {
			defer func() {
				if recover() != nil {
					err = errSyntax
				}
			}()
			return runParser(text, modes{})
		},
		Sub:     "SubqueryExpr.Query",
		Package: "github.com/sqlc-dev/marino/ast",
		Types:   []string{"ExprNode", "[]ExprNode", "[][]ExprNode", "*SubqueryExpr", "*RowExpr", "[]*RowExpr"},
	}
	seeds := plantest.Statements(t, "testdata/shapes.sql", "../../integration/testdata/hostile/both.sql", "../../integration/testdata/hostile/mysql.sql")
	plantest.Plants(t, shopPlanner(), g, seeds, "testdata/plants.txt", *update)
}
