package sqlplan_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/mysql"
	"github.com/sealsql/sealsql/internal/sqlplan/postgres"
	"github.com/sealsql/sealsql/internal/testing/corpus"
	"github.com/sealsql/sealsql/policy"
)

const ddlPolicy = `
version: 1
keyrings: {k: {raw_aes: {namespace: n, name: k, key_env: SEALSQL_KEY}}}
tables:
  t: {row_key: [id], columns: {c: {keyring: k, type: string}}}
`

// ddlRules are those of searches, and tables that no catalog has yet.
func ddlRules() *sqlplan.Rules {
	rules, zero := searchRules(), "0"
	column := func(t *sqlplan.Table, c *sqlplan.Column) *sqlplan.Column {
		c.Table, c.Context = t, []int{0}
		t.Columns = append(t.Columns, c)
		return c
	}
	members := &sqlplan.Table{Name: "members", RowKey: []string{"id"}, Sources: []string{"id"}}
	column(members, &sqlplan.Column{Name: "email", Type: "string", Term: &sqlplan.Term{Column: "email_eq", Size: 32, Exact: true, Folds: true, Scope: "mail"}})
	column(members, &sqlplan.Column{Name: "phone", Type: "string"})
	column(members, &sqlplan.Column{Name: "token", Type: "bytes"})
	column(members, &sqlplan.Column{Name: "age", Type: "int64", Default: &zero})
	column(members, &sqlplan.Column{Name: "note", Type: "string", Base64: true})
	column(members, &sqlplan.Column{Name: "nick", Type: "string", Base64: true, Term: &sqlplan.Term{Column: "nick_eq", Size: 44, Base64: true, Exact: true, Scope: "nick"}})
	keyed := &sqlplan.Table{Name: "keyed", RowKey: []string{"token_eq"}, Sources: []string{"token_eq"}}
	column(keyed, &sqlplan.Column{Name: "token", Type: "string", Term: &sqlplan.Term{Column: "token_eq", Size: 32, Exact: true, Scope: "token"}})
	column(keyed, &sqlplan.Column{Name: "secret", Type: "string"})
	cleared := &sqlplan.Table{Name: "cleared", RowKey: []string{"id"}, Sources: []string{"id"}}
	column(cleared, &sqlplan.Column{Name: "phone", Type: "string"})
	rules.Tables = append(rules.Tables, members, keyed, cleared)
	for _, t := range rules.Tables {
		for _, c := range t.Columns {
			if c.Type == "" {
				c.Type = "string"
			}
		}
	}
	return rules
}

// TestDDL plans DDL and compares with its golden texts. Package integration runs such
// statements on the servers.
func TestDDL(t *testing.T) {
	none, err := policy.Parse("policy.yaml", []byte(ddlPolicy))
	if err != nil {
		t.Fatal(err)
	}
	for dialect, size := range map[string]int{"postgres": 94, "mysql": 64} {
		t.Run(dialect, func(t *testing.T) {
			cat := searchCatalog(dialect)
			cat.Relations = append(cat.Relations, &sqlplan.Relation{Schema: "public", Name: "cleared", Columns: []sqlplan.RelationColumn{{Name: "id", Type: "bigint"}, {Name: "phone", Type: "text"}}})
			for _, r := range cat.Relations {
				r.KeysKnown = true
				if r.Name == "people" {
					r.UniqueKeys = append(r.UniqueKeys, sqlplan.UniqueKey{Name: "people_code", Columns: []string{"tenant_id", "code_eq"}})
				}
			}
			var p planner = postgres.New(ddlRules(), cat)
			if dialect == "mysql" {
				p = mysql.New(ddlRules(), cat, mysql.Options{})
			}
			golden(t, filepath.Join("testdata/ddl", dialect), size, func(c *corpus.Case) (string, bool) {
				plan, err := p.Plan(t.Context(), c.Text)
				return strings.TrimSpace(corpus.Describe(none, plan, err)), true
			})
		})
	}
}

// TestDDLOfAnyTokensEnds plans each text of the golden files with each of its words left
// out, and with what does not belong there behind it.
func TestDDLOfAnyTokensEnds(t *testing.T) {
	for dialect, least := range map[string]int{"postgres": 4000, "mysql": 3000} {
		t.Run(dialect, func(t *testing.T) {
			var p planner = postgres.New(ddlRules(), searchCatalog(dialect))
			if dialect == "mysql" {
				p = mysql.New(ddlRules(), searchCatalog(dialect), mysql.Options{})
			}
			planned := 0
			golden(t, filepath.Join("testdata/ddl", dialect), map[string]int{"postgres": 94, "mysql": 64}[dialect], func(c *corpus.Case) (string, bool) {
				words := strings.Fields(c.Text)
				for i := range words {
					for _, more := range []string{"", words[i] + " ''", words[i] + " (", words[i] + " )", words[i] + ",", words[i] + " 1"} {
						text := strings.Join(append(append(slices.Clone(words[:i]), more), words[i+1:]...), " ")
						if plan, err := p.Plan(t.Context(), text); (plan == nil) == (err == nil) {
							t.Errorf("%s: neither a plan nor an error, or both", text)
						}
						planned++
					}
				}
				return "", false
			})
			if planned < least {
				t.Errorf("%d texts were planned", planned)
			}
		})
	}
}
