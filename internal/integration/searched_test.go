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
			newWorld(t, server, searchedDir).runAnswered(corpus.Searched[server.Name])
		})
	}
}

// applicationsDir holds the statements that applications and their libraries send.
const applicationsDir = "../sqlplan/testdata/applications"

// TestApplicationsOnServers compares the statements that gorm, bun, ent, xorm and sqlc
// make for a table of users whose columns are searchable. After each, every row is found
// by each of its values.
func TestApplicationsOnServers(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, applicationsDir)
			w.restore() // the row keys that the servers make go on behind the seed
			w.held = func(w *world, c *corpus.Case) {
				w.checkTerms(c, []termColumn{{"users", "email", "email_eq", "id", ""}, {"users", "phone", "phone_eq", "id", ""}, {"users", "code", "code_eq", "id", "tenant_id"}, {"invites", "email", "email_eq", "id", ""}, {"sessions", "token", "token_eq", "used", ""}})
			}
			w.runAnswered(corpus.Applications[server.Name])
		})
	}
}

// runAnswered runs the statements of the world's folder, of which there are want; the
// folder says of each whether it is refused.
func (w *world) runAnswered(want int) {
	files, err := corpus.Read(filepath.Join(w.dir, w.server.Name))
	if err != nil {
		w.t.Fatal(err)
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
				w.t.Fatal(err)
			}
		}
	}
	if n != want {
		w.t.Errorf("ran %d statements, want %d", n, want)
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
