package sqlplan_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/mysql"
	"github.com/sealsql/sealsql/internal/sqlplan/postgres"
	"github.com/sealsql/sealsql/internal/testing/corpus"
	"github.com/sealsql/sealsql/policy"
)

var update = flag.Bool("update", false, "write what the planner says into the corpus")

const corpusDir = "testdata/corpus"

type planner interface {
	Plan(ctx context.Context, text string) (*sqlplan.Plan, error)
}

// golden compares the statements of a folder with their golden texts. describe says what
// became of a statement; it reports false for one that is left out.
func golden(t *testing.T, dir string, want int, describe func(c *corpus.Case) (got string, ok bool)) {
	t.Helper()
	files, err := corpus.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		for _, c := range f.Cases {
			n++
			got, ok := describe(c)
			if !ok {
				continue
			}
			if *update {
				c.Want = got
			}
			if got != c.Want {
				t.Errorf("%s: %s\n%s\n got: %s\nwant: %s", filepath.Base(f.Path), c.Name, c.Text, got, c.Want)
			}
		}
		if *update {
			if err := f.Write(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n != want {
		t.Errorf("there are %d statements, want %d", n, want)
	}
}

// TestCorpus plans every statement of the corpus and compares with its golden
// text. Package integration runs the same statements on real servers.
func TestCorpus(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(corpusDir, "policy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("policy.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	for _, product := range []string{"postgres", "mariadb", "mysql"} {
		t.Run(product, func(t *testing.T) {
			dialect := "mysql"
			if product == "postgres" {
				dialect = "postgres"
			}
			cat, err := corpus.ReadCatalog(corpusDir, product)
			if err != nil {
				t.Fatal(err)
			}
			plannerFor := func(mode string) planner {
				if dialect == "postgres" {
					return postgres.New(corpus.Rules(p), cat)
				}
				return mysql.New(corpus.Rules(p), cat, mysql.Options{SQLMode: mode})
			}
			golden(t, filepath.Join(corpusDir, dialect), corpus.Size[dialect], func(c *corpus.Case) (string, bool) {
				if !c.Plans(product) {
					return "", false
				}
				plan, err := plannerFor(c.Mode+c.Session).Plan(t.Context(), c.Text)
				return corpus.Describe(p, plan, err), true
			})
		})
	}
}
