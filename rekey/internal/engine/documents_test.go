package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
)

const papers = `
keyrings:
  k: {kms: {keys: ["${OLD}"]}}
tables:
  papers:
    row_key: [id]
    columns:
      doc: {keyring: k, type: json, plaintext_reads: allow, paths: {%s}}
`

// TestJobsOnDocuments: backfill seals what is in clear in documents, also beside values that
// are sealed already; verify and reencrypt know documents, and other jobs refuse them.
func TestJobsOnDocuments(t *testing.T) {
	types := map[string][]string{"postgres": {"jsonb", "json", "text"}, "mysql": {"json", "longtext"}}
	onBoth(t, func(t *testing.T, s *site) {
		for _, columnType := range types[s.server.Name] {
			s := newSite(t, s.server)
			s.exec("CREATE TABLE papers (id bigint PRIMARY KEY, doc " + columnType + ")")
			docs := []any{`{"email": "mia@secret.example", "n": 1, "phones": ["0301-555", null, 7]}`, nil, `{"n": 2}`, `[]`, `{"email": null, "phones": []}`, `{"email": "", "z": {"a": 1.50, "b": [1,  2]}}`, `{"z": "é\u00e9 \\ \" '", "email": "leo@secret.example"}`}
			for i, doc := range docs {
				s.exec("INSERT INTO papers VALUES (?, ?)", i, doc)
			}
			before := s.documents()
			one, two := s.policy(fmt.Sprintf(papers, "$.email: {type: string}")), s.policy(fmt.Sprintf(papers, `$.email: {type: string}, "$.phones[*]": {type: json}`))
			backfill := s.documentConfig(Backfill)
			backfill.Policy = one
			s.want(s.run(backfill), 7, 3, 0, 4, 0)
			if text := strings.Join(s.documents(), ""); strings.Contains(text, "mia@") || strings.Contains(text, "leo@") || !strings.Contains(text, "0301-555") {
				t.Errorf("%s: after the backfill: %s", columnType, text)
			}
			backfill.Policy = two
			s.want(s.run(backfill), 7, 1, 2, 4, 0)
			s.want(s.run(backfill), 7, 0, 3, 4, 0)
			if text := strings.Join(s.documents(), ""); strings.Contains(text, "0301-555") {
				t.Errorf("%s: after the second backfill: %s", columnType, text)
			}
			verify := s.documentConfig(Verify)
			verify.Policy = two
			s.want(s.run(verify), 7, 0, 3, 4, 0)
			again := s.documentConfig(Reencrypt)
			again.Policy, again.Force = two, true
			r := s.run(again)
			if r.Failed != 0 || r.Changed != 3 {
				t.Errorf("%s: re-encryption: %+v", columnType, r)
			}
			s.want(s.run(verify), 7, 0, 3, 4, 0)
			v := s.sealer(two)
			for i, stored := range s.documents() {
				if docs[i] == nil {
					continue
				}
				got, err := v.OpenPlaintext(t.Context(), "papers", "doc", driver.Row{"id": i}, stored)
				var x, y any
				if err != nil || json.Unmarshal(got, &x) != nil || json.Unmarshal([]byte(before[i]), &y) != nil || fmt.Sprint(x) != fmt.Sprint(y) || columnType != "json" && columnType != "jsonb" && string(got) != before[i] {
					t.Errorf("%s: row %d opens to %s, %v; want %s", columnType, i, got, err, before[i])
				}
			}
			s.exec("UPDATE papers SET doc = (SELECT d.doc FROM (SELECT doc FROM papers WHERE id = 0) d) WHERE id = 2")
			s.want(s.run(verify), 7, 0, 3, 3, 1)
			for name, change := range map[string]func(*Config){"from a column": func(c *Config) { c.Mode, c.From = Backfill, "clear" }, "origins": func(c *Config) { c.FindOrigin = true }} {
				c := verify
				change(&c)
				if _, err := Run(t.Context(), c); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "JSON documents") {
					t.Errorf("%s: %s: %v", columnType, name, err)
				}
			}
		}
	})
}

func (s *site) documentConfig(mode Mode) Config {
	c := s.config(mode, nil)
	c.Table, c.Column = "papers", "doc"
	return c
}

// documents are the documents as they are stored, in the order of their keys.
func (s *site) documents() (list []string) {
	s.t.Helper()
	rows, err := s.db.Query("SELECT doc FROM papers ORDER BY id")
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var doc []byte
		if err := rows.Scan(&doc); err != nil {
			s.t.Fatal(err)
		}
		list = append(list, string(doc))
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return list
}

// TestJobsFillTermsInDocuments: backfill and reencrypt write the equality terms of paths.
func TestJobsFillTermsInDocuments(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		t.Setenv("SEALSQL_TEST_RAW", strings.Repeat("A", 43)+"=")
		s.exec("CREATE TABLE papers (id bigint PRIMARY KEY, doc " + map[string]string{"postgres": "jsonb", "mysql": "json"}[s.server.Name] + ")")
		for i, doc := range []string{`{"email": "mia@secret.example"}`, `{"n": 2}`} {
			s.exec("INSERT INTO papers VALUES (?, ?)", i, doc)
		}
		raw := strings.Replace(papers, `{kms: {keys: ["${OLD}"]}}`, "{raw_aes: {namespace: n, name: m, key_env: SEALSQL_TEST_RAW}}", 1)
		backfill := s.documentConfig(Backfill)
		backfill.Policy = s.policy(fmt.Sprintf(raw, "$.email: {type: string}"))
		s.want(s.run(backfill), 2, 1, 0, 1, 0)
		again := s.documentConfig(Reencrypt)
		again.Policy, again.Force = s.policy(fmt.Sprintf(raw, "$.email: {type: string, search: {equality: {column: email_eq}}}")), true
		if r := s.run(again); r.Failed != 0 || r.Changed != 1 {
			t.Errorf("re-encryption: %+v", r)
		}
		first := s.documents()[0]
		if !strings.Contains(first, "email_eq") || strings.Contains(first, "mia@") {
			t.Errorf("after re-encryption: %s", first)
		}
		verify := s.documentConfig(Verify)
		verify.Policy = again.Policy
		s.want(s.run(verify), 2, 0, 1, 1, 0)
	})
}

// TestJobsKnowTermsInDocuments: terms of paths that are missing, another value's or another
// normaliser's are counted, found by verify and made anew by reindex, beside the ciphertexts
// that stay as they are.
func TestJobsKnowTermsInDocuments(t *testing.T) {
	types := map[string][]string{"postgres": {"jsonb", "json", "text"}, "mysql": {"json", "longtext"}}
	onBoth(t, func(t *testing.T, s *site) {
		t.Setenv("SEALSQL_TEST_RAW", strings.Repeat("A", 43)+"=")
		raw := strings.Replace(papers, `{kms: {keys: ["${OLD}"]}}`, "{raw_aes: {namespace: n, name: m, key_env: SEALSQL_TEST_RAW}}", 1)
		before := s.policy(fmt.Sprintf(raw, "$.email: {type: string}, $.a.city: {type: string}"))
		searched := "$.email: {type: string, search: {equality: {column: email_eq%s}}}, $.a.city: {type: string, search: {equality: {column: eq}}}"
		plain, folded := s.policy(fmt.Sprintf(raw, fmt.Sprintf(searched, ""))), s.policy(fmt.Sprintf(raw, fmt.Sprintf(searched, ", normalise: [casefold]")))
		for _, columnType := range types[s.server.Name] {
			s := newSite(t, s.server)
			s.exec("CREATE TABLE papers (id bigint PRIMARY KEY, doc " + columnType + ")")
			docs := []any{`{"email": "Mia@secret.example", "n": 1, "a": {"city": "Ulm"}}`, nil, `{"n": 2}`, `{"email": null, "a": [{"city": "Bonn", "x": 1}, {"city": "Kiel"}]}`, `{"email": "LEO@secret.example"}`}
			for i, doc := range docs {
				s.exec("INSERT INTO papers VALUES (?, ?)", i, doc)
			}
			run := func(mode Mode, p *policy.Policy) Report {
				c := s.documentConfig(mode)
				c.Policy = p
				return s.run(c)
			}
			tally := func(p *policy.Policy, want ...TermTally) {
				t.Helper()
				c := s.documentConfig(Verify)
				c.Policy = p
				survey, err := Take(t.Context(), c)
				if err != nil || !slices.Equal(survey.Terms, want) {
					t.Errorf("%s: %+v, %v; want %+v", columnType, survey, err, want)
				}
			}
			email, city := TermTally{Path: "$.email", Column: "$.email_eq", Missing: 2}, TermTally{Path: "$.a.city", Column: "$.a.eq", Missing: 3}
			s.want(run(Backfill, before), 5, 3, 0, 2, 0)
			tally(plain, email, city)
			s.want(run(Verify, plain), 5, 0, 0, 2, 3)
			s.want(run(Backfill, plain), 5, 0, 0, 5, 0)
			ciphertexts := strings.Join(s.documents(), "")
			s.want(run(Reindex, plain), 5, 3, 0, 2, 0)
			for _, c := range regexp.MustCompile(`[A-Za-z0-9+/=]{60,}`).FindAllString(ciphertexts, -1) {
				if !strings.Contains(strings.Join(s.documents(), ""), c) {
					t.Errorf("%s: reindex changed a ciphertext", columnType)
				}
			}
			tally(plain, TermTally{Path: "$.email", Column: "$.email_eq", Filled: 2}, TermTally{Path: "$.a.city", Column: "$.a.eq", Filled: 3})
			s.want(run(Verify, plain), 5, 0, 3, 2, 0)
			s.want(run(Reindex, plain), 5, 0, 3, 2, 0)
			if r := run(Verify, folded); r.Failed != 2 || r.Failures[0].Reason != "index_mismatch" {
				t.Errorf("%s: under another normaliser: %+v", columnType, r)
			}
			s.want(run(Reindex, folded), 5, 2, 1, 2, 0)
			s.want(run(Verify, folded), 5, 0, 3, 2, 0)
			v := s.sealer(folded)
			for i, stored := range s.documents() {
				var x, y any
				if docs[i] == nil {
					continue
				}
				got, err := v.OpenPlaintext(t.Context(), "papers", "doc", driver.Row{"id": i}, stored)
				if err != nil || json.Unmarshal(got, &x) != nil || json.Unmarshal([]byte(docs[i].(string)), &y) != nil || fmt.Sprint(x) != fmt.Sprint(y) {
					t.Errorf("%s: row %d opens to %s, %v", columnType, i, got, err)
				}
			}
			s.exec("UPDATE papers SET doc = ? WHERE id = 2", `{"n": 2, "email_eq": "AAAA"}`)
			tally(folded, TermTally{Path: "$.email", Column: "$.email_eq", Filled: 2, Stray: 1}, TermTally{Path: "$.a.city", Column: "$.a.eq", Filled: 3})
			if r := run(Reindex, folded); r.Failed != 1 || r.Failures[0].Reason != "index_mismatch" {
				t.Errorf("%s: a term without a value: %+v", columnType, r)
			}
		}
	})
}
