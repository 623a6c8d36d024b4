package main

import (
	"fmt"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/internal/server"
	serverpostgres "github.com/sealsql/sealsql/internal/server/postgres"
	"github.com/sealsql/sealsql/internal/sqlplan"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

// TestTheEstimateIsTheSizeOfWhatIsWritten: for every suite that a policy may name,
// under each kind of keyring. Signatures vary by some bytes, and the estimate is the most.
func TestTheEstimateIsTheSizeOfWhatIsWritten(t *testing.T) {
	kms := sealtest.NewKMS()
	defer kms.Close()
	if err := kms.AddKey(mrkKey, euKey); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LINT_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	const forbid = ", commitment: forbid_encrypt_allow_decrypt"
	suites := map[string]string{"0478": "", "0578": "", "0014": forbid, "0046": forbid, "0078": forbid, "0114": forbid, "0146": forbid,
		"0178": forbid, "0214": forbid, "0346": forbid, "0378": forbid}
	keyrings := map[string]string{
		"one KMS key":  "kms: {keys: [" + mrkKey + "]}",
		"two KMS keys": "kms: {keys: [" + mrkKey + ", " + euKey + "]}",
		"a raw key":    "raw_aes: {key_env: LINT_KEY}",
	}
	cases := 0
	for suite, commitment := range suites {
		for name, keyring := range keyrings {
			cases++
			t.Run(suite+" under "+name, func(t *testing.T) {
				p, err := policy.Parse("policy.yaml", fmt.Appendf(nil, `version: 1
keyrings:
  k: {%s, suite: "%s"%s}
tables:
  t:
    row_key: [id]
    columns: {v: {keyring: k, type: uuid}}
`, keyring, suite, commitment))
				if err != nil {
					t.Fatal(err)
				}
				schema := driver.Schema{"t": {{Name: "id", Type: "uuid", Unique: true}, {Name: "v", Type: "bytea"}}}
				s, err := driver.NewSealer(nil, driver.WithPolicy(p), driver.WithSchema(schema), driver.WithDialect(postgres.Dialect), driver.WithAWSConfig(kms.AWSConfig("us-east-1")))
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				const id = "11111111-2222-4333-8444-555555555555"
				sealed, err := s.Seal(t.Context(), "t", "v", driver.Row{"id": id}, id)
				if err != nil {
					t.Fatal(err)
				}
				c := tableCheck{linter: &linter{policy: p}, t: p.Tables()[0], name: "t", rel: &sqlplan.Relation{Columns: []sqlplan.RelationColumn{{Name: "id", Type: "uuid"}}},
					types: []server.KeyType{server.KeyUUID}, server: serverpostgres.Server{}}
				n, exact := c.size(c.t.Columns[0])
				over := n - len(sealed.([]byte))
				slack := 0
				if suiteOf(keyringOf(p)).Signed() {
					slack = 8
				}
				if !exact || over < 0 || over > slack {
					t.Errorf("the estimate is %d bytes (exact: %v), the value has %d", n, exact, len(sealed.([]byte)))
				}
			})
		}
	}
	if cases != 33 {
		t.Errorf("%d cases, want 33", cases)
	}
}

func keyringOf(p *policy.Policy) policy.Keyring {
	k, _ := p.Keyring("k")
	return k
}

// TestTheWidthOfCompactValues is 53 bytes beside the plaintext, whatever the context.
func TestTheWidthOfCompactValues(t *testing.T) {
	for storage, want := range map[string]int{"binary": 53 + 36, "base64": (53 + 36 + 2) / 3 * 4} {
		p, err := policy.Parse("test", fmt.Appendf(nil, `
version: 1
keyrings: {k: {raw_aes: {key_env: K}, data_key: {per: branch, store: sql, ttl: 15m, branch_key: x}, format: compact}}
tables: {t: {row_key: [id], columns: {v: {keyring: k, type: uuid, storage: %s}}}}
`, storage))
		if err != nil {
			t.Fatal(err)
		}
		c := tableCheck{linter: &linter{policy: p}, t: p.Tables()[0], name: "t", server: serverpostgres.Server{}}
		if n, exact := c.size(c.t.Columns[0]); n != want || !exact {
			t.Errorf("%s: %d bytes (exact: %v), want %d", storage, n, exact, want)
		}
	}
}
