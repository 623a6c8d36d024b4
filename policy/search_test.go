package policy_test

import (
	"reflect"
	"testing"

	"github.com/sealsql/sealsql/policy"
)

func TestSearchIsReadAsItIsWritten(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte(`
version: 1
keyrings:
  k: {raw_aes: {key_env: K}, data_key: {per: branch, store: sql, ttl: 15m, branch_key: customers}}
tables:
  users:
    row_key: [id]
    columns:
      email:
        keyring: k
        type: string
        search: {equality: {column: email_eq, normalise: [nfkc, casefold, trim, last 20], group: people}}
      name: {keyring: k, type: string, search: {equality: {column: name_eq, bits: 17, verify: shown, accept_leak: true}}}
      code:
        keyring: k
        type: int64
        search: {equality: {column: code_eq, bits: 128, per: tenant, key: [{}, {branch_key: search-2026, column: code_eq2}]}}
      note: {keyring: k, type: string}
  logins:
    row_key: [email]
    columns:
      email: {keyring: k, type: string, search: {equality: {column: email_eq, normalise: [nfkc, casefold, trim, last 20], group: people}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	tables := p.Tables()
	got := map[string]*policy.Equality{}
	for _, c := range tables[0].Columns {
		if c.Equality != nil {
			c.Equality.Line = 0
		}
		got[c.Name] = c.Equality
	}
	want := map[string]*policy.Equality{
		"email": {Keys: []policy.TermKey{{Column: "email_eq"}}, Normalise: []string{"nfkc", "casefold", "trim", "last 20"}, Bits: 256, Group: "people"},
		"name":  {Keys: []policy.TermKey{{Column: "name_eq"}}, Bits: 17, ShownOnly: true, AcceptLeak: true},
		"code":  {Keys: []policy.TermKey{{Column: "code_eq"}, {Column: "code_eq2", BranchKey: "search-2026"}}, Bits: 128, Per: "tenant"},
		"note":  nil,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read as %+v", got)
	}
	if e := got["name"]; e.Exact() || e.TermSize() != 3 {
		t.Errorf("a term of 17 bits: exact %v, %d bytes", e.Exact(), e.TermSize())
	}
	if e := got["code"]; !e.Exact() || e.TermSize() != 16 {
		t.Errorf("a term of 128 bits: exact %v, %d bytes", e.Exact(), e.TermSize())
	}
	if tables[1].RowKey[0] != "email" || tables[1].Columns[0].Context[0].Source != "email" {
		t.Errorf("the protected row key was read as %+v", tables[1])
	}
	got["email"].Keys[0].Column, got["email"].Normalise[0] = "x", "x"
	again := p.Tables()[0].Columns[0].Equality
	if again.Keys[0].Column == "x" || again.Normalise[0] == "x" {
		t.Error("a caller changed the policy")
	}
}
