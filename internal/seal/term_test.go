package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/fault"
	"github.com/sealsql/sealsql/internal/keyrings"
	"github.com/sealsql/sealsql/internal/seal/equality"
	"github.com/sealsql/sealsql/policy"
)

const searchPolicy = `
version: 1
keyrings:
  raw: {raw_aes: {key_env: SEALSQL_TEST_SEARCH_KEY}}
tables:
  users:
    row_key: [id]
    columns:
      email: {keyring: raw, type: string, search: {equality: {column: email_eq, normalise: [nfkc, casefold, trim]}}}
      name: {keyring: raw, type: string, storage: base64, search: {equality: {column: name_eq, bits: 12}}}
      phone: {keyring: raw, type: string, search: {equality: {column: phone_eq, group: phones}}}
      code: {keyring: raw, type: string, search: {equality: {column: code_eq, per: tenant}}}
      lax: {keyring: raw, type: string, on_mismatch: null, plaintext_reads: allow, search: {equality: {column: lax_eq}}}
  logins:
    row_key: [email]
    columns:
      email: {keyring: raw, type: string, search: {equality: {column: email_eq, normalise: [nfkc, casefold, trim]}}}
      phone: {keyring: raw, type: string, search: {equality: {column: phone_eq, group: phones}}}
`

var searchKey = []byte("0123456789abcdef0123456789abcdef")

func searchFunnel(t *testing.T) *Funnel {
	t.Helper()
	t.Setenv("SEALSQL_TEST_SEARCH_KEY", base64.StdEncoding.EncodeToString(searchKey))
	p, err := policy.Parse("policy.yaml", []byte(searchPolicy))
	if err != nil {
		t.Fatal(err)
	}
	counters := alert.NewCounters()
	keys := keyrings.New(keyrings.Config{Counters: counters})
	t.Cleanup(keys.Close)
	alerts := alert.NewDispatcher(nil)
	f, err := New(p, keys, alerts, counters)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *Funnel) termOf(t *testing.T, table int, column, value string, sources ...string) any {
	t.Helper()
	term, err := f.Term(t.Context(), TermRequest{Column: f.Tables[table].Find(column), Plaintext: []byte(value), Row: Row{Sources: sources}})
	if err != nil {
		t.Fatal(err)
	}
	return term
}

func TestATermIsThatOfTheDocumentedDerivation(t *testing.T) {
	f := searchFunnel(t)
	key, err := hkdf.Key(sha512.New, searchKey, nil, "sealsql/beacon/v1", 32)
	if err != nil {
		t.Fatal(err)
	}
	want := func(s equality.Scope, normalise []string, bits int, per, value string) []byte {
		n, err := equality.Parse(normalise)
		if err != nil {
			t.Fatal(err)
		}
		h, err := equality.NewHasher(key, s, n, bits)
		if err != nil {
			t.Fatal(err)
		}
		term, err := h.Append(nil, per, []byte(value))
		if err != nil {
			t.Fatal(err)
		}
		return term
	}
	normalise := []string{"nfkc", "casefold", "trim"}
	cases := []struct {
		name string
		got  any
		want any
	}{
		{"an exact term with normalisers", f.termOf(t, 0, "email", " ADA@example.org ", "1", ""), want(equality.Scope{Table: "users", Column: "email"}, normalise, 256, "", "ada@example.org")},
		{"a short term as base64", f.termOf(t, 0, "name", "Ada", "1", ""), base64.StdEncoding.EncodeToString(want(equality.Scope{Table: "users", Column: "name"}, nil, 12, "", "Ada"))},
		{"a term of a group", f.termOf(t, 0, "phone", "555", "1", ""), want(equality.Scope{Group: "phones"}, nil, 256, "", "555")},
		{"the same in another table", f.termOf(t, 1, "phone", "555", "x"), want(equality.Scope{Group: "phones"}, nil, 256, "", "555")},
		{"a term per tenant", f.termOf(t, 0, "code", "c", "1", "7"), want(equality.Scope{Table: "users", Column: "code"}, nil, 256, "7", "c")},
	}
	for _, c := range cases {
		g, isBytes := c.got.([]byte)
		w, _ := c.want.([]byte)
		if isBytes && !bytes.Equal(g, w) || !isBytes && c.got != c.want {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
	if len(cases) != 5 {
		t.Errorf("%d cases ran", len(cases))
	}
}

func TestTheTermStandsInThePlaceOfAProtectedRowKey(t *testing.T) {
	f := searchFunnel(t)
	logins := f.Tables[1]
	if logins.RowKey[0] != "email_eq" || logins.Sources[0] != "email_eq" || len(logins.Sources) != 1 || logins.KeyOf(0) != logins.Find("email") {
		t.Errorf("row key %v, sources %v", logins.RowKey, logins.Sources)
	}
	if users := f.Tables[0]; users.KeyOf(0) != nil || users.Find("code").Search().Sources[0] != 1 || users.Sources[1] != "tenant" {
		t.Errorf("sources %v", f.Tables[0].Sources)
	}
}

func TestAValueIsHeldToTheTermThatItsRowWasFoundBy(t *testing.T) {
	f := searchFunnel(t)
	row := Row{Sources: []string{"1", "7"}, Known: []bool{true, true}}
	unknown := Row{Sources: []string{"1", ""}, Known: []bool{true, false}}
	own := func(column, value string) any { return f.termOf(t, 0, column, value, "1", "7") }
	cases := []struct {
		name, column string
		row          Row
		term         any
		want         error
		null         bool
	}{
		{"its own", "email", row, own("email", "ADA@example.org"), nil, false},
		{"its own in base64", "name", row, own("name", "ada@example.org"), nil, false},
		{"its own per tenant", "code", row, own("code", "ada@example.org"), nil, false},
		{"another value's", "email", row, own("email", "bob@example.org"), fault.ErrIndexMismatch, true},
		{"another column's", "email", row, own("phone", "ada@example.org"), fault.ErrIndexMismatch, true},
		{"another tenant's", "code", row, f.termOf(t, 0, "code", "ada@example.org", "1", "8"), fault.ErrIndexMismatch, true},
		{"a shorter one", "email", row, own("email", "ada@example.org").([]byte)[:16], fault.ErrIndexMismatch, true},
		{"none", "email", row, nil, fault.ErrIndexMismatch, true},
		{"no base64", "name", row, "%", fault.ErrIndexMismatch, true},
		{"none while a backfill runs", "lax", row, nil, nil, false},
		{"another's where the policy has NULL", "lax", row, own("lax", "bob@example.org"), nil, true},
		{"a row whose tenant is not shown", "code", unknown, own("code", "ada@example.org"), fault.ErrUnverifiable, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			col := f.Tables[0].Find(c.column)
			stored, err := f.Seal(t.Context(), Value{Column: col, Plaintext: []byte("ada@example.org"), Row: row})
			if err != nil {
				t.Fatal(err)
			}
			got, null, err := f.Open(t.Context(), Request{Column: col, Stored: stored, Row: c.row, HoldsTerm: true, Term: c.term})
			if !errors.Is(err, c.want) || null != c.null || null == (string(got) == "ada@example.org") {
				t.Errorf("%q, null %v, %v; want null %v, %v", got, null, err, c.null, c.want)
			}
		})
	}
	if len(cases) != 12 {
		t.Errorf("%d cases ran", len(cases))
	}
}
