package engine

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

const oldKeyPolicy = `
keyrings:
  pii: {kms: {keys: ["${OLD}"]}}
tables:
  people:
    row_key: [id]
    columns:
      ssn: {keyring: pii, type: string, storage: base64}
`

const oldContextPolicy = `
keyrings:
  other: {kms: {keys: ["${OLD}"]}, suite: "0578"}
tables:
  people:
    row_key: [id]
    columns:
      ssn: {keyring: other, type: string, storage: base64, bind_location: false, context: {row: id, owner: owner}}
`

// TestReencryptReadsWhatWasWrittenBefore: an old key under the policy's own
// context, another context and suite, a value that was moved, and one that is right.
func TestReencryptReadsWhatWasWrittenBefore(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.exec("CREATE TABLE people (id bigint PRIMARY KEY, owner text, ssn text)")
		p, oldKey, oldContext := s.policy(people), s.policy(oldKeyPolicy), s.policy(oldContextPolicy)
		now, key, other := s.sealer(p), s.sealer(oldKey), s.sealer(oldContext)
		put := func(id int, v any) { s.exec("INSERT INTO people VALUES (?, ?, ?)", id, "me", v) }
		put(1, s.seal(now, "people", "ssn", driver.Row{"id": 1}, "right"))
		put(2, s.seal(key, "people", "ssn", driver.Row{"id": 2}, "old key"))
		put(3, s.seal(other, "people", "ssn", driver.Row{"id": 3, "owner": "me"}, "old context"))
		put(4, s.seal(now, "people", "ssn", driver.Row{"id": 9}, "moved"))
		put(5, s.seal(other, "people", "ssn", driver.Row{"id": 5, "owner": "another"}, "moved between owners"))
		put(6, "plain")
		put(7, nil)

		c := s.config(Reencrypt, p)
		s.want(s.run(c), 7, 0, 1, 2, 4) // nobody told how to read rows 2, 3 and 5
		c.OldKeys = []string{s.keys["OLD"]}
		c.Patience = time.Second
		s.want(s.run(c), 7, 1, 1, 2, 3)
		c.OldKeys, c.OldPolicy = nil, oldContext
		r := s.run(c)
		s.want(r, 7, 1, 2, 2, 2)
		for _, f := range r.Failures {
			if f.Reason != "mismatch" {
				t.Errorf("row %s failed with %s", f.Key, f.Reason)
			}
		}
		dry := c
		dry.Rebind, dry.DryRun = true, true
		s.want(s.run(dry), 7, 2, 3, 2, 0)
		c.Rebind = true
		s.want(s.run(c), 7, 2, 3, 2, 0)
		for id, want := range map[int]string{1: "right", 2: "old key", 3: "old context", 4: "moved", 5: "moved between owners"} {
			s.reads(now, id, want)
		}
		s.kms.DisableKey(s.keys["OLD"])
		s.want(s.run(s.config(Verify, p)), 7, 0, 5, 1, 1)
		c = s.config(Reencrypt, p)
		s.want(s.run(c), 7, 0, 5, 2, 0)
		c.Force = true
		s.want(s.run(c), 7, 5, 0, 2, 0)
	})
}

// TestReencryptToBranchKeysAndBack: the policies open what is there before the
// job, while it runs and afterwards, and a call of KMS is counted where one is due.
func TestReencryptToBranchKeysAndBack(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.exec("CREATE TABLE people (id bigint PRIMARY KEY, ssn text)")
		store := filepath.Join(t.TempDir(), "keys.json")
		with := func(per string) *policy.Policy {
			return s.policy(strings.Replace(oldKeyPolicy, `"]}}`, fmt.Sprintf(`"]}, data_key: {per: %s, store: 'file:%s', ttl: 15m, branch_key: shop}}`, per, store), 1))
		}
		value, branch, both := s.policy(oldKeyPolicy), with("branch"), with("value")
		old, now, back := s.sealer(value), s.sealer(branch), s.sealer(both)
		keys, err := back.BranchKeys("pii") // before anything is sealed under them
		if err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Create(t.Context(), "shop", nil); err != nil {
			t.Fatal(err)
		}
		const rows = 20
		for id := range rows {
			s.exec("INSERT INTO people VALUES (?, ?)", id, s.seal(old, "people", "ssn", driver.Row{"id": id}, fmt.Sprint("value ", id)))
		}
		read := func() {
			t.Helper()
			for id := range rows {
				s.reads(now, id, fmt.Sprint("value ", id))
				s.reads(back, id, fmt.Sprint("value ", id))
			}
		}
		read()
		dry := s.config(Reencrypt, branch)
		dry.DryRun = true
		if r := s.run(dry); r.Changed != rows || r.Forecast.KMSCalls != rows {
			t.Errorf("to branch keys: %d values, %+v", r.Changed, r.Forecast)
		}
		s.want(s.run(s.config(Reencrypt, branch)), rows, rows, 0, 0, 0)
		read()
		s.want(s.run(s.config(Verify, both)), rows, 0, rows, 0, 0)
		s.want(s.run(s.config(Reencrypt, both)), rows, rows, 0, 0, 0)
		read()
		s.want(s.run(s.config(Reencrypt, value)), rows, 0, rows, 0, 0)
	})
}

const twoRegions = `
keyrings:
  pii: {kms: {keys: ["${EAST}", "${WEST}"]}}
tables:
  people:
    row_key: [id]
    columns:
      ssn: {keyring: pii, type: string, storage: base64}
`

// TestRepair: values that were written while a Region was down get its wrapping;
// a wrapping that the policy no longer names goes.
func TestRepair(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.exec("CREATE TABLE people (id bigint PRIMARY KEY, ssn text)")
		p := s.policy(twoRegions)
		v := s.sealer(p)
		put := func(id int) {
			s.exec("INSERT INTO people VALUES (?, ?)", id, s.seal(v, "people", "ssn", driver.Row{"id": id}, "value"))
		}
		put(1)
		s.kms.SetFault(west, sealtest.Fault{Reset: true})
		put(2)
		put(3)
		c := s.config(Repair, p)
		c.Patience = time.Millisecond
		r, err := Run(t.Context(), c)
		if err != nil || r.Changed != 0 || r.Failed != 2 || r.Failures[0].Reason != "kms_unavailable" {
			t.Errorf("while the Region is down: %v, %+v", err, r)
		}
		survey, err := Take(t.Context(), c)
		if err != nil || survey.Missing[s.keys["WEST"]] != 2 || survey.Right != 1 {
			t.Errorf("the survey: %+v, %v", survey, err)
		}
		s.kms.Heal()
		c.Patience = time.Minute // the circuit breaker looks for the Region now and then
		s.want(s.run(c), 3, 2, 1, 0, 0)
		s.kms.DisableKey(s.keys["EAST"])
		s.want(s.run(s.config(Verify, p)), 3, 0, 3, 0, 0)
		s.kms.EnableKey(s.keys["EAST"])

		s.keys["EAST"] = s.keys["WEST"] // the policy drops the east
		one := s.policy(`
keyrings:
  pii: {kms: {keys: ["${WEST}"]}}
tables:
  people:
    row_key: [id]
    columns:
      ssn: {keyring: pii, type: string, storage: base64}
`)
		s.want(s.run(s.config(Repair, one)), 3, 3, 0, 0, 0)
		if survey, err = Take(t.Context(), s.config(Verify, one)); err != nil || len(survey.Keys) != 1 || survey.Right != 3 {
			t.Errorf("after the repair: %+v, %v", survey, err)
		}
	})
}
