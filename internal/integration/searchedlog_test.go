package integration

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/testing/corpus"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

// termLiteral finds the literals by which a text can hold a term: of bytes, and of base64.
var termLiteral = regexp.MustCompile(`(?i)\\x[0-9a-f]{2}|\bx'[0-9a-f]{2}|_binary ?'|'[A-Za-z0-9+/]{22,}={0,2}'`)

// TestSearchedLog searches with parameters on servers that log every statement: the texts
// in the log hold no term. A server may log parameters as well: Postgres in a DETAIL of
// the entry, MySQL in the text of its Execute entries, which it makes itself.
func TestSearchedLog(t *testing.T) {
	servers, logs := testdb.EachLogged(t)
	for i, server := range servers {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, searchedDir)
			files, err := corpus.Read(filepath.Join(searchedDir, server.Name))
			if err != nil {
				t.Fatal(err)
			}
			next := func() []string {
				t.Helper()
				data, err := logs[i].Next()
				if err != nil {
					t.Fatal(err)
				}
				return loggedTexts(server.Name, string(data))
			}
			next() // of the seed, whose values are literals
			ran := 0
			for _, f := range files {
				for _, c := range f.Cases {
					if len(c.Args) == 0 || len(c.First) > 0 || strings.Contains(c.Text, "'") {
						continue
					}
					for _, m := range modes(server.Name)[:3] {
						if m.name == "exec" && reads(c.Text) {
							continue // hangs with go-sql-driver v1.10
						}
						w.run(w.pair(m.param)[0], c, m)
						if !reads(c.Text) {
							w.restore()
						}
						for _, text := range next() {
							if found := termLiteral.FindString(text); found != "" {
								t.Errorf("%s (%s): the log holds a literal like a term's: %s", c.Name, m.name, text)
							}
						}
					}
					ran++
				}
			}
			if ran < 100 {
				t.Errorf("ran %d statements", ran)
			}
			w.run(w.pair("")[0], &corpus.Case{Text: "SELECT id FROM members WHERE email = 'ada@leak.example'"}, mode{name: "query"})
			if !termLiteral.MatchString(strings.Join(next(), "\n")) {
				t.Error("the term of a literal is not found in the log: the test would find none")
			}
		})
	}
}

// loggedTexts are the statements of a log that were sent as they stand there.
func loggedTexts(dialect, log string) (list []string) {
	parameters := false
	for line := range strings.Lines(log) {
		switch {
		case dialect == "postgres":
			if !strings.HasPrefix(line, "\t") { // a further line of an entry
				parameters = strings.Contains(line, "DETAIL:  ") || strings.Contains(line, "CONTEXT:  ")
			}
		case strings.Contains(line, " Execute\t"):
			parameters = true
		case strings.Contains(line, " Query\t"), strings.Contains(line, " Prepare\t"):
			parameters = false
		}
		if !parameters {
			list = append(list, line)
		}
	}
	return list
}
