package integration

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/internal/testing/corpus"
	"github.com/sealsql/sealsql/internal/testing/testdb"
)

var (
	fuzzTime = flag.Duration("fuzzsql.time", 3*time.Second, "how long random statements are compared, on each server")
	fuzzSeed = flag.Uint64("fuzzsql.seed", 1, "the first statement's seed")
)

// statementsOf makes random statements over the corpus's tables.
type statementsOf struct {
	*rand.Rand
	mysql bool
}

func (g *statementsOf) one(list ...string) string { return list[g.IntN(len(list))] }

// statement is of one of many forms, some of which are refused.
func (g *statementsOf) statement() string {
	switch g.IntN(8) {
	case 0, 1, 2:
		return g.query()
	case 3:
		return g.insert()
	case 4, 5:
		return "UPDATE accounts SET " + g.assignments() + g.where()
	case 6:
		return g.upsert()
	}
	return "DELETE FROM accounts" + g.where()
}

func (g *statementsOf) value() string {
	return g.one("NULL", "''", fmt.Sprintf("'9%02d-%02d-%04d'", g.IntN(100), g.IntN(100), g.IntN(10000)), "'980-00-0001'")
}

func (g *statementsOf) key() string { return g.one("'a1'", "'a2'", "'a3'", "'b4'", "'zz'") }

func (g *statementsOf) where() string {
	return g.one("", " WHERE account_number = "+g.key(), " WHERE account_number IN ("+g.key()+", "+g.key()+")", " WHERE tenant_id = "+g.one("1", "2", "9"),
		" WHERE ssn IS NULL", " WHERE name LIKE 'A%' OR tenant_id = 2", " WHERE account_number > 'a1' AND NOT name = 'Cleo'", " WHERE account_number = "+g.key()+" AND tenant_id = 1",
		" WHERE account_number IN (SELECT account_number FROM other WHERE account_number IS NOT NULL)", " WHERE ssn = '980-00-0001'")
}

func (g *statementsOf) assignments() string {
	list := []string{"ssn = " + g.value(), "note = " + g.value(), "name = " + g.one("'X'", "NULL", "'Ada'"), "tenant_id = " + g.one("1", "2", "5"),
		"ssn = CASE WHEN tenant_id = 1 THEN " + g.value() + " ELSE ssn END", "ssn = COALESCE(ssn, " + g.value() + ")", "account_number = 'n1'", "note = ssn"}
	g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	var out []string
	taken := map[string]bool{}
	for _, s := range list[:1+g.IntN(3)] {
		if column, _, _ := strings.Cut(s, " "); !taken[column] {
			taken[column] = true
			out = append(out, s)
		}
	}
	return strings.Join(out, ", ")
}

func (g *statementsOf) insert() string {
	rows := make([]string, 1+g.IntN(3))
	for i := range rows {
		rows[i] = fmt.Sprintf("(%s, %s, %s)", g.one("'n1'", "'n2'", "'n3'", "'a1'"), g.value(), g.one("'N'", "NULL"))
	}
	return g.one("INSERT INTO accounts (account_number, ssn, name) VALUES "+strings.Join(rows, ", "),
		"INSERT INTO accounts (account_number, ssn) SELECT 'n1', "+g.value(), "INSERT INTO people (name, ssn) VALUES ('n', "+g.value()+"), ('m', "+g.value()+")",
		"INSERT INTO order_lines (order_id, line_no, secret) VALUES (5, 1, "+g.value()+"), (5, 2, "+g.value()+")", "INSERT INTO plain (id, ssn) SELECT 9, ssn FROM accounts")
}

func (g *statementsOf) upsert() string {
	set := "ON CONFLICT (account_number) DO UPDATE SET "
	proposed := func(c string) string { return "EXCLUDED." + c }
	if g.mysql {
		set, proposed = "ON DUPLICATE KEY UPDATE ", func(c string) string { return "VALUES(" + c + ")" }
	}
	return fmt.Sprintf("INSERT INTO accounts (account_number, ssn, name) VALUES (%s, %s, 'U') %s%s", g.key(), g.value(), set,
		g.one("ssn = "+proposed("ssn"), "name = "+proposed("name"), "ssn = NULL", "ssn = "+proposed("ssn")+", name = 'V'", "ssn = "+proposed("name")))
}

func (g *statementsOf) query() string {
	from := g.one("accounts", "accounts a", "(SELECT * FROM accounts) x", "(SELECT account_number, ssn, note, name, tenant_id FROM accounts) AS x", "v_accounts", "accounts AS y")
	columns := g.one("*", "ssn", "account_number, ssn", "note, name", "ssn, ssn", "count(*)", "count(ssn)", "name, ssn IS NULL", "DISTINCT account_number, ssn", "ssn AS s, tenant_id AS t",
		"CASE WHEN tenant_id = 1 THEN ssn END", "upper(ssn)", "max(account_number)", "DISTINCT ssn", "ssn, row_number() OVER (ORDER BY account_number)")
	q := "SELECT " + columns + " FROM " + from + g.where()
	switch g.IntN(6) {
	case 0:
		q = "WITH c AS (" + q + ") SELECT * FROM c"
	case 1:
		q = "SELECT o.id, a.ssn FROM other o " + g.one("JOIN", "LEFT JOIN", "RIGHT JOIN") + " accounts a " + g.one("ON a.account_number = o.account_number", "USING (account_number)")
	case 2:
		q = "SELECT account_number, ssn FROM accounts" + g.where() + " UNION ALL SELECT account_number, " + g.one("ssn", "NULL", "note") + " FROM accounts" + g.where()
	}
	return q
}

// leastStatements run however slow the machine is.
const leastStatements = 30

// TestDifferential sends random statements through sealsql and bare to an
// unprotected twin: the results and the rows afterwards are equal, or the
// statement is refused.
func TestDifferential(t *testing.T) {
	for _, server := range testdb.Each(t) {
		t.Run(server.String(), func(t *testing.T) {
			w := newWorld(t, server, corpusDir)
			n, refused, failed := 0, 0, 0
			seed := *fuzzSeed
			for until := time.Now().Add(*fuzzTime); (time.Now().Before(until) || n < leastStatements) && !t.Failed(); seed++ {
				g := &statementsOf{rand.New(rand.NewPCG(seed, 7)), server.Name == "mysql"}
				c := &corpus.Case{Name: fmt.Sprint("seed ", seed), Text: g.statement()}
				n++
				switch w.differ(c) {
				case "refused":
					refused++
				case "failed":
					failed++
				}
			}
			t.Logf("seeds %d to %d: %d statements, %d refused, %d failed on both", *fuzzSeed, seed-1, n, refused, failed)
			if refused > n*2/3 {
				t.Errorf("%d of %d statements were refused: nothing was compared", refused, n)
			}
		})
	}
}

// differ compares one statement, and says how it went.
func (w *world) differ(c *corpus.Case) string {
	dbs, m := w.pair(""), mode{name: "query"}
	if !reads(c.Text) && !strings.HasPrefix(c.Text, "WITH") {
		m.name = "exec"
	}
	w.watch(c.Text)
	leaks := len(w.proxy.Leaks())
	got := w.run(dbs[0], c, m)
	if len(w.proxy.Leaks()) > leaks {
		w.t.Errorf("%s: LEAK: %s", c.Name, c.Text)
	}
	if errors.Is(got.err, driver.ErrRefused) {
		return "refused"
	}
	want := w.run(dbs[1], c, m)
	slices.Sort(got.rows)
	slices.Sort(want.rows)
	if class(got.err) != class(want.err) || !slices.Equal(got.columns, want.columns) || !slices.Equal(got.rows, want.rows) || got.affected != want.affected && !w.rewritten(c) {
		w.t.Errorf("%s: %s\n got: %v %v %v %v\nwant: %v %v %v %v", c.Name, c.Text, got.err, got.columns, got.rows, got.affected, want.err, want.columns, want.rows, want.affected)
	}
	if !reads(c.Text) {
		w.sameState(c)
	}
	if got.err != nil {
		return "failed"
	}
	return "same"
}

// rewritten is true where MySQL counts a row as changed whose value is sealed
// again, and so never equal to the old one.
func (w *world) rewritten(c *corpus.Case) bool {
	return w.server.Name == "mysql" && (strings.HasPrefix(c.Text, "UPDATE") || strings.Contains(c.Text, "DUPLICATE"))
}
