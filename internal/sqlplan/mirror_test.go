package sqlplan_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/internal/sqlplan/mysql"
	"github.com/sealsql/sealsql/internal/sqlplan/postgres"
	"github.com/sealsql/sealsql/internal/testing/corpus"
)

const termsDir = "testdata/terms"

// termCases is how many statements each dialect's file of testdata/terms has.
var termCases = map[string]int{"postgres": 78, "mysql": 56}

// memberRules protect columns that can be searched:
//
//	members   email; phone, for each tenant; moving, whose terms change their key; ssn without
//	codes     code, which is the row key, and token
func memberRules() *sqlplan.Rules {
	members := &sqlplan.Table{Name: "members", RowKey: []string{"id"}, Sources: []string{"id", "tenant_id"}}
	members.Columns = []*sqlplan.Column{
		{Table: members, Name: "email", Context: []int{0}, Term: &sqlplan.Term{Column: "email_eq", Exact: true, Scope: "email"}},
		{Table: members, Name: "phone", Context: []int{0}, Base64: true, Term: &sqlplan.Term{Column: "phone_eq", Base64: true, Exact: true, Scope: "phone", Sources: []int{1}}},
		{Table: members, Name: "moving", Context: []int{0}, Term: &sqlplan.Term{Column: "moving_eq", Exact: true, Scope: "moving"},
			Other: &sqlplan.Term{Column: "moving_eq2", Exact: true, Scope: "moving"}},
		{Table: members, Name: "ssn", Context: []int{0}},
	}
	codes := &sqlplan.Table{Name: "codes", RowKey: []string{"code_eq"}, Sources: []string{"code_eq"}}
	codes.Columns = []*sqlplan.Column{
		{Table: codes, Name: "code", Context: []int{0}, Term: &sqlplan.Term{Column: "code_eq", Exact: true, Scope: "code"}},
		{Table: codes, Name: "token", Context: []int{0}},
	}
	serial := &sqlplan.Table{Name: "serials", RowKey: []string{"id"}, Sources: []string{"id"}}
	serial.Columns = []*sqlplan.Column{
		{Table: serial, Name: "email", Context: []int{0}, Term: &sqlplan.Term{Column: "email_eq", Exact: true, Scope: "email"}},
		{Table: serial, Name: "ssn", Context: []int{0}},
	}
	return &sqlplan.Rules{Tables: []*sqlplan.Table{members, codes, serial}}
}

// memberCatalog describes the tables of memberRules.
type memberCatalog struct{ mysql bool }

func (m memberCatalog) Relation(_ context.Context, _, name string) (*sqlplan.Relation, error) {
	text, bytes, integer := "text", "bytea", "bigint"
	if m.mysql {
		text, bytes = "varchar", "varbinary"
	}
	r := &sqlplan.Relation{Schema: "public", Name: name}
	add := func(kind string, names ...string) {
		for _, n := range names {
			r.Columns = append(r.Columns, sqlplan.RelationColumn{Name: n, Type: kind, Full: kind, Inexact: m.mysql && kind == text})
		}
	}
	unique := func(name string, columns ...string) {
		r.UniqueKeys = append(r.UniqueKeys, sqlplan.UniqueKey{Name: name, Columns: columns, Primary: name == "pkey"})
	}
	switch name {
	case "members":
		add(integer, "id", "tenant_id")
		add(text, "name")
		add(bytes, "email", "email_eq", "moving", "moving_eq", "moving_eq2", "ssn")
		add(text, "phone", "phone_eq")
		r.Columns[0].NotNull = true
		unique("pkey", "id")
		unique("members_email_key", "email_eq")
	case "codes":
		add(bytes, "code_eq", "code", "token")
		add(text, "name")
		r.Columns[0].NotNull = true
		unique("pkey", "code_eq")
	case "serials":
		add(integer, "id")
		add(bytes, "email", "email_eq", "ssn")
		add(text, "name")
		r.Columns[0].NotNull, r.Columns[0].AutoIncrement = true, m.mysql
		if !m.mysql {
			r.Columns[0].Default = "nextval('serials_id_seq'::regclass)"
		}
		unique("pkey", "id")
		unique("serials_email_key", "email_eq")
	case "other":
		add(integer, "id")
		add(text, "name")
	default:
		return nil, nil
	}
	return r, nil
}

func (memberCatalog) Readers() []*sqlplan.Relation { return nil }
func (memberCatalog) Version() uint64              { return 1 }

// TestEveryWriteWritesTheTerm plans statements that write searchable columns, and
// compares with golden texts.
func TestEveryWriteWritesTheTerm(t *testing.T) {
	for _, dialect := range []string{"postgres", "mysql"} {
		t.Run(dialect, func(t *testing.T) {
			var p planner = postgres.New(memberRules(), memberCatalog{})
			if dialect == "mysql" {
				p = mysql.New(memberRules(), memberCatalog{mysql: true}, mysql.Options{})
			}
			golden(t, filepath.Join(termsDir, dialect), termCases[dialect], func(c *corpus.Case) (string, bool) {
				plan, err := p.Plan(t.Context(), c.Text)
				if err == nil {
					checkTerms(t, c.Text, plan)
				}
				return corpus.Describe(nil, plan, err), true
			})
		})
	}
}

// checkTerms fails if the plan seals a value of a searchable column whose terms it does
// not send.
func checkTerms(t *testing.T, text string, plan *sqlplan.Plan) {
	t.Helper()
	all := slices.Collect(plan.AllSeals())
	for _, s := range all {
		if s.Term != sqlplan.TermUnused || s.Column.Term == nil || s.Value.Kind == sqlplan.OperandStored || s.Value.Kind == sqlplan.OperandNull {
			continue
		}
		uses := []sqlplan.TermUse{sqlplan.TermValue}
		if s.Column.Other != nil {
			uses = append(uses, sqlplan.TermOther)
		}
		for _, use := range uses {
			if !slices.ContainsFunc(all, func(x *sqlplan.Seal) bool {
				return x.Term == use && x.Column == s.Column && x.Value.Kind == s.Value.Kind && x.Value.Param == s.Value.Param && x.Value.Literal == s.Value.Literal
			}) {
				t.Errorf("%s: the value of %s is sealed and its term is not sent", text, s.Column.Name)
			}
		}
	}
}
