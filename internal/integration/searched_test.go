package integration

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/corpus"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// answered is what the corpus says of a statement that both databases answer alike.
const answered = "answered as by the bare driver"

// TestSearchedOnServers compares searchable columns through sealsql, and columns whose
// collation the normalisers stand for bare on the twin.
func TestSearchedOnServers(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, searchedDir)
			files, err := corpus.Read(filepath.Join(searchedDir, server.Name))
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, f := range files {
				for _, c := range f.Cases {
					w.watch(c.Text + args(c))
					n++
					if !strings.Contains(c.Name, *corpusCase) {
						continue
					}
					if *update {
						c.Want = w.outcome(c)
					}
					w.check(strings.TrimSuffix(filepath.Base(f.Path), ".txtar"), c, n)
				}
				if *update {
					if err := f.Write(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if n != corpus.Searched[server.Name] {
				t.Errorf("ran %d statements, want %d", n, corpus.Searched[server.Name])
			}
		})
	}
}

// args spells the arguments of a case, so that the proxy can look for them.
func args(c *corpus.Case) string {
	var b strings.Builder
	for _, a := range c.Args {
		b.WriteString(" " + spell(a))
	}
	return b.String()
}

// outcome says whether the statement is refused.
func (w *world) outcome(c *corpus.Case) string {
	got := w.run(w.pair("")[0], c, mode{name: "query"})
	if !reads(c.Text) {
		w.restore()
	}
	if refused, ok := errors.AsType[*driver.RefusedError](got.err); ok {
		return "refused: " + refused.Error()
	}
	return answered
}
