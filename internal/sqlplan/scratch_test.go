package sqlplan_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan/mysql"
	"github.com/sealsql/sealsql/internal/sqlplan/postgres"
	"github.com/sealsql/sealsql/internal/testing/corpus"
	"github.com/sealsql/sealsql/policy"
)

func TestScratch(t *testing.T) {
	data, _ := os.ReadFile(filepath.Join(corpusDir, "policy.yaml"))
	p, err := policy.Parse("policy.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	for _, dialect := range []string{"postgres", "mysql"} {
		cat, err := corpus.ReadCatalog(corpusDir, dialect)
		if err != nil {
			t.Fatal(err)
		}
		var pl planner = postgres.New(corpus.Rules(p), cat)
		if dialect == "mysql" {
			pl = mysql.New(corpus.Rules(p), cat, mysql.Options{})
		}
		text, err := os.ReadFile("/tmp/scratch." + dialect + ".sql")
		if err != nil {
			continue
		}
		for _, s := range strings.Split(string(text), "\n") {
			if s = strings.TrimSpace(s); s == "" || strings.HasPrefix(s, "--") {
				continue
			}
			plan, err := pl.Plan(t.Context(), s)
			d := corpus.Describe(p, plan, err)
			mark := "      "
			if !strings.HasPrefix(d, "refused") && strings.Contains(s, "secret") && strings.Contains(d, "text: ") && strings.Contains(d[strings.Index(d, "text: "):], "secret") || d == "untouched" {
				mark = "SENT  "
			}
			t.Logf("%s%s\n\t%s", mark, s, strings.ReplaceAll(d, "\n", "\n\t"))
		}
	}
}
