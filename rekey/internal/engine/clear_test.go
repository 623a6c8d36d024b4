package engine

import (
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/policy"
)

// TestNoJobSealsAColumnThatIsWrittenInClear: processes that cannot read ciphertexts may
// still run.
func TestNoJobSealsAColumnThatIsWrittenInClear(t *testing.T) {
	t.Setenv("SEALSQL_CLEAR_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	p, err := policy.Parse("x", []byte(`
version: 1
keyrings: {k: {raw_aes: {key_env: SEALSQL_CLEAR_KEY}}}
tables:
  people: {row_key: [id], columns: {ssn: {keyring: k, type: string, plaintext_reads: allow, writes: clear}, phone: {keyring: k, type: string}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	if w := p.Warnings(); len(w) < 2 || !strings.Contains(w[0].What+w[1].What, "writes: clear protects nothing") {
		t.Errorf("the policy's warnings are %v", w)
	}
	for mode, refused := range map[Mode]bool{Backfill: true, Reencrypt: true, Repair: true, Reindex: true, Verify: false} {
		for column, clear := range map[string]bool{"ssn": true, "phone": false} {
			err := (&Config{DB: new(sql.DB), Policy: p, Mode: mode, Table: "people", Column: column}).complete()
			if got := errors.Is(err, ErrConfig); got != (refused && clear) {
				t.Errorf("%s of %s: %v", mode, column, err)
			}
		}
	}
}
