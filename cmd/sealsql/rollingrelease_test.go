package main

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// release is a version of the application: the policy that it is deployed with, and what
// its statements know.
type release struct {
	name   string
	policy string
	// phone: it knows the column phone and the table visits.
	phone bool
	// email: it writes the column email, which is in clear. sealed: it writes the column
	// sealed in its place or beside it. searched: it looks up rows by the column sealed.
	email, sealed, searched bool
}

// releases are deployed one after the other. Each runs beside the one before it.
var releases = []release{
	{name: "the first", policy: "", email: true},
	{name: "a policy that names a column and a table before they exist", policy: "phone", email: true},
	{name: "statements that know them", policy: "phone", phone: true, email: true},
	{name: "every process reads note in both forms and writes it in clear", policy: "phone note-clear", phone: true, email: true},
	{name: "note is sealed", policy: "phone note-allow", phone: true, email: true},
	{name: "note is sealed, and values in clear are refused", policy: "phone note", phone: true, email: true},
	{name: "email is written to the column sealed, too", policy: "phone note sealed", phone: true, email: true, sealed: true},
	{name: "rows are looked up by the column sealed", policy: "phone note sealed", phone: true, email: true, sealed: true, searched: true},
	{name: "email is not used any more", policy: "phone note sealed", phone: true, sealed: true, searched: true},
}

// rollingPolicies are the parts of policies, by the words of [release.policy].
var rollingPolicies = []struct{ word, table, column string }{
	{"", "people", "secret: {keyring: pii, type: string}"},
	{"phone", "people", "phone: {keyring: pii, type: string}"},
	{"note-clear", "people", "note: {keyring: pii, type: string, storage: base64, plaintext_reads: allow, writes: clear}"},
	{"note-allow", "people", "note: {keyring: pii, type: string, storage: base64, plaintext_reads: allow}"},
	{"note", "people", "note: {keyring: pii, type: string, storage: base64}"},
	{"sealed", "people", "sealed: {keyring: pii, type: string, search: {equality: {column: sealed_eq}}}"},
	{"phone", "visits", "note: {keyring: pii, type: string}"},
}

// policyText is the policy of a release.
func (r release) policyText() string {
	text := `version: 1
keyrings:
  pii:
    raw_aes: {namespace: drill, name: key, key_env: SEALSQL_DRILL_KEY}
    data_key: {per: branch, store: sql, ttl: 15m, branch_key: values}
    format: compact
tables:
`
	for _, table := range []string{"people", "visits"} {
		columns := ""
		for _, p := range rollingPolicies {
			if p.table == table && (p.word == "" || strings.Contains(" "+r.policy+" ", " "+p.word+" ")) {
				columns += "      " + p.column + "\n"
			}
		}
		if columns != "" {
			text += "  " + table + ":\n    row_key: [id]\n    columns:\n" + columns
		}
	}
	return text
}

// columns are those that the release's statements name.
func (r release) columns() []string {
	names := []string{"secret", "note"}
	for _, c := range []struct {
		name string
		uses bool
	}{{"phone", r.phone}, {"email", r.email}, {"sealed", r.sealed}} {
		if c.uses {
			names = append(names, c.name)
		}
	}
	return names
}

// reads are the columns that the release reads: no more email once nobody has to write it.
func (r release) reads() []string {
	return slices.DeleteFunc(r.columns(), func(name string) bool { return name == "email" && r.searched })
}

// by is the column that rows are looked up by.
func (r release) by() string {
	if r.searched {
		return "sealed"
	}
	return "email"
}

// rolled is what a row's column holds when its counter is n. The columns email and sealed
// hold the same.
func rolled(column string, id, n int64) string {
	if column == "sealed" || column == "email" {
		return fmt.Sprintf("row%d.%d@example.org", id, n)
	}
	return fmt.Sprintf("the %s of %d.%d", column, id, n)
}

func (r release) values(id, n int64) (values []any) {
	for _, c := range r.columns() {
		values = append(values, rolled(c, id, n))
	}
	return values
}

// right reports whether a column of a row shows what it has to, where n is the row's
// counter. A process of another release may have written the row without it.
func (r release) right(column string, id, n int64, shown sql.NullString) bool {
	switch {
	case column == "sealed" && !r.searched:
		return true
	case column == "phone" && !shown.Valid:
		return true
	case column == "phone":
		var row, at int64
		_, err := fmt.Sscanf(shown.String, "the phone of %d.%d", &row, &at)
		return err == nil && row == id && at <= n
	}
	return shown.Valid && shown.String == rolled(column, id, n)
}
