package sealpgx_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealpgx"
	"github.com/sealsql/sealsql/sealtest"
)

// kmsPolicy has one keyring, whose key and rest are filled in.
const kmsPolicy = `
version: 1
keyrings:
  pii:
    kms: {keys: ["%s"]}
    %s
tables:
  accounts:
    row_key: [number]
    columns:
      ssn: {keyring: pii, type: string}
  people:
    row_key: [id]
    columns:
      ssn: {keyring: pii, type: string}
`

// The ways in which values get their keys.
const (
	perValue       = "a data key for each value"
	branchMessages = "branch keys, messages"
	branchCompact  = "branch keys, compact values"
)

// kmsPool opens the site's protected database under a key service of its own.
func (s *site) kmsPool(t testing.TB, way string, conns int) (*sealpgx.Pool, *sealtest.KMS) {
	t.Helper()
	ctx := context.Background()
	k := sealtest.NewKMS()
	t.Cleanup(k.Close)
	format, branches := map[string]string{branchMessages: "message", branchCompact: "compact"}[way]
	rest := ""
	if branches {
		rest = fmt.Sprintf("format: %s\n    data_key: {per: branch, store: \"file:%s\", ttl: 15m, branch_key: shop}", format, filepath.Join(t.TempDir(), "keys.json"))
	}
	p, err := policy.Parse("test", fmt.Appendf(nil, kmsPolicy, k.CreateKey("us-east-1"), rest))
	if err != nil {
		t.Fatal(err)
	}
	config := s.config(t, s.proxy.Addr(), 0, fmt.Sprintf("&pool_max_conns=%d", conns))
	pool, err := sealpgx.NewPool(ctx, config, driver.WithPolicy(p), driver.WithAWSConfig(k.AWSConfig("us-east-1")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if !branches {
		return pool, k
	}
	keys, err := pool.Connector().BranchKeys("pii")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Create(ctx, "shop", nil); err != nil {
		t.Fatal(err)
	}
	return pool, k
}
