package overhead

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/sealsql/sealsql/codec/branchkey"
	"github.com/sealsql/sealsql/driver"
	_ "github.com/sealsql/sealsql/driver/mysql"
	_ "github.com/sealsql/sealsql/driver/postgres"
	"github.com/sealsql/sealsql/internal/testing/testdb"
	"github.com/sealsql/sealsql/policy"
	"github.com/sealsql/sealsql/sealtest"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// branchPolicy names the KMS key and the file that the branch key lies in.
const branchPolicy = `
version: 1
keyrings:
  pii:
    kms: {keys: ["%s"]}
    format: %s
    data_key: {per: branch, store: "file:%s", ttl: 15m, branch_key: shop%s}
tables:
  sealed:
    row_key: [id]
    columns:
      ssn: {keyring: pii, type: string}
`

// formats are the formats of values.
var formats = []string{"message", "compact"}

// world is a KMS, a branch key under it, and the file that it lies in.
type world struct {
	format string
	kms    *sealtest.KMS
	arn    string
	store  string
}

func newWorld(t testing.TB, format string) *world {
	t.Helper()
	w := &world{format: format, kms: sealtest.NewKMS(), store: filepath.Join(t.TempDir(), "keys.json")}
	t.Cleanup(w.kms.Close)
	w.arn = w.kms.CreateKey("us-east-1")
	return w
}

// open opens a database through sealsql whose column sealed.ssn has branch keys,
// which keeps so many content keys. Compact values have none.
func (w *world) open(t testing.TB, base sqldriver.Connector, contentKeys int, opts ...driver.Option) *sql.DB {
	t.Helper()
	keep := ""
	if w.format == "message" {
		keep = fmt.Sprintf(", content_keys: %d", contentKeys)
	}
	p, err := policy.Parse("overhead", fmt.Appendf(nil, branchPolicy, w.arn, w.format, w.store, keep))
	if err != nil {
		t.Fatal(err)
	}
	c, err := driver.NewConnector(base, append(opts, driver.WithPolicy(p), driver.WithAWSConfig(w.kms.AWSConfig("us-east-1")))...)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// sealed is newWorld and open, and makes the branch key.
func sealed(t testing.TB, format string, base sqldriver.Connector, contentKeys int, opts ...driver.Option) *sql.DB {
	t.Helper()
	return newWorld(t, format).sealed(t, base, contentKeys, opts...)
}

func (w *world) sealed(t testing.TB, base sqldriver.Connector, contentKeys int, opts ...driver.Option) *sql.DB {
	t.Helper()
	db := w.open(t, base, contentKeys, opts...)
	if _, err := branchKeys(t, db).Create(context.Background(), "shop", nil); err != nil {
		t.Fatal(err)
	}
	return db
}

func branchKeys(t testing.TB, db *sql.DB) *branchkey.Keys {
	t.Helper()
	keys, err := driver.BranchKeys(db, "pii")
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
