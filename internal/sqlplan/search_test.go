package sqlplan_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/mysql"
	"github.com/sealsql/sealsql/internal/sqlplan/postgres"
	"github.com/sealsql/sealsql/internal/testing/corpus"
	"github.com/sealsql/sealsql/policy"
)

const searchDir = "testdata/search"

// searchRules protect columns of every kind of equality term.
func searchRules() *sqlplan.Rules {
	people := &sqlplan.Table{Name: "people", RowKey: []string{"id"}, Sources: []string{"id", "tenant_id"}}
	column := func(t *sqlplan.Table, name string, term *sqlplan.Term) *sqlplan.Column {
		c := &sqlplan.Column{Table: t, Name: name, Context: []int{0}, Term: term}
		t.Columns = append(t.Columns, c)
		return c
	}
	column(people, "email", &sqlplan.Term{Column: "email_eq", Exact: true, Folds: true, Trims: true, Scope: "mail", Always: true})
	column(people, "phone", &sqlplan.Term{Column: "phone_eq", Exact: true, Scope: "people.phone"})
	column(people, "code", &sqlplan.Term{Column: "code_eq", Exact: true, Scope: "people.code", Sources: []int{1}, Always: true})
	column(people, "pin", &sqlplan.Term{Column: "pin_eq", Scope: "people.pin", Always: true})
	column(people, "note", nil)
	contacts := &sqlplan.Table{Name: "contacts", RowKey: []string{"id"}, Sources: []string{"id"}}
	column(contacts, "mail", &sqlplan.Term{Column: "mail_eq", Exact: true, Folds: true, Trims: true, Scope: "mail", Always: true})
	column(contacts, "fax", &sqlplan.Term{Column: "fax_eq", Base64: true, Exact: true, Folds: true, Trims: true, Scope: "mail"})
	tokens := &sqlplan.Table{Name: "tokens", RowKey: []string{"token_eq"}, Sources: []string{"token_eq"}}
	column(tokens, "token", &sqlplan.Term{Column: "token_eq", Exact: true, Scope: "tokens.token", Always: true})
	column(tokens, "secret", nil)
	return &sqlplan.Rules{Tables: []*sqlplan.Table{people, contacts, tokens}, Views: []sqlplan.View{{Name: "v_people", Table: people}, {Name: "v_mails", Table: people}}}
}

// searchCatalog is the catalog of the tables of [searchRules].
func searchCatalog(dialect string) *corpus.Catalog {
	schema, text, bytes := "public", "text", "bytea"
	if dialect == "mysql" {
		schema, text, bytes = "shop", "varchar(200)", "varbinary(400)"
	}
	c := &corpus.Catalog{}
	relation := func(name string, view bool, columns string) {
		r := &sqlplan.Relation{Schema: schema, Name: name, View: view}
		for _, col := range strings.Fields(columns) {
			name, kind, _ := strings.Cut(col, ":")
			rc := sqlplan.RelationColumn{Name: name, Type: bytes}
			switch kind {
			case "int":
				rc.Type = "bigint"
			case "text":
				rc.Type, rc.Inexact = text, dialect == "mysql"
			case "base64":
				rc.Type = text
			}
			r.Columns = append(r.Columns, rc)
		}
		if !view {
			r.UniqueKeys = []sqlplan.UniqueKey{{Name: name + "_pkey", Columns: []string{r.Columns[0].Name}, Primary: true}}
		}
		c.Relations = append(c.Relations, r)
	}
	relation("people", false, "id:int tenant_id:int name:text email phone code pin note email_eq phone_eq code_eq pin_eq nick:text")
	relation("contacts", false, "id:int person_id:int mail mail_eq label:text fax fax_eq:base64")
	relation("tokens", false, "token_eq token secret used:int")
	relation("orders", false, "id:int person_id:int tenant_id:int mail:text email_eq:text total:int")
	relation("v_people", true, "id:int tenant_id:int name:text email email_eq")
	relation("v_mails", true, "id:int name:text email")
	return c
}

// TestSearch plans statements that compare protected columns, and compares with their
// golden texts.
func TestSearch(t *testing.T) {
	none, err := policy.Parse("policy.yaml", []byte("version: 1\nkeyrings: {k: {raw_aes: {namespace: n, name: k, key_env: SEALSQL_KEY}}}\ntables: {t: {row_key: [id], columns: {c: {keyring: k, type: string}}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int{"postgres": 206, "mysql": 165}
	for _, dialect := range []string{"postgres", "mysql"} {
		t.Run(dialect, func(t *testing.T) {
			var p planner = postgres.New(searchRules(), searchCatalog(dialect))
			if dialect == "mysql" {
				p = mysql.New(searchRules(), searchCatalog(dialect), mysql.Options{})
			}
			golden(t, filepath.Join(searchDir, dialect), sizes[dialect], func(c *corpus.Case) (string, bool) {
				plan, err := p.Plan(t.Context(), c.Text)
				return corpus.Describe(none, plan, err), true
			})
		})
	}
}
