package drills

import (
	"bytes"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
)

// compactAttacks are the attacks as they end on compact values: nothing in a compact
// value tells a moved one from a changed one. Those that change a message's header or
// cut a value below its least length have counterparts.
func compactAttacks() []attack {
	var out []attack
	for _, a := range attacks {
		switch a.kind {
		case alert.NotCiphertext:
			out = append(out, a)
		case alert.Mismatch, alert.Tampered:
			if strings.HasPrefix(a.name, "a bit of") || a.name == "truncated" {
				continue
			}
			a.kind = alert.Unauthentic
			out = append(out, a)
		}
	}
	const least, idAt, bodyAt = 53, 1, 5
	return append(out,
		attack{"truncated", alert.Unauthentic, func(s *swaps) (cell, []byte) {
			at := s.anywhere()
			v := s.stored(at)
			return at, v[:least+s.rnd.IntN(len(v)-least)]
		}},
		attack{"cut below the least length", alert.NotCiphertext, func(s *swaps) (cell, []byte) {
			at := s.anywhere()
			return at, s.stored(at)[:1+s.rnd.IntN(least-1)]
		}},
		attack{"a bit of the IV, the ciphertext or the tag flipped", alert.Unauthentic, func(s *swaps) (cell, []byte) {
			at := s.anywhere()
			v := bytes.Clone(s.stored(at))
			flip(v, bodyAt+s.rnd.IntN(len(v)-bodyAt), s.rnd.IntN(8))
			return at, v
		}},
		attack{"a bit of the key id flipped", alert.UnknownKey, func(s *swaps) (cell, []byte) {
			at := s.anywhere()
			v := bytes.Clone(s.stored(at))
			flip(v, idAt+s.rnd.IntN(bodyAt-idAt), s.rnd.IntN(8))
			return at, v
		}})
}

// TestSwapsOfCompactValues is TestSwaps for the compact format.
func TestSwapsOfCompactValues(t *testing.T) {
	list := compactAttacks()
	if len(list) != 13 {
		t.Errorf("%d attacks", len(list))
	}
	swap(t, list, func(t *testing.T) string {
		store := filepath.Join(t.TempDir(), "keys.json")
		return strings.Replace(swapPolicy, "SEALSQL_DRILL_KEY}}}", "SEALSQL_DRILL_KEY}, format: compact, data_key: {per: branch, store: 'file:"+store+"', ttl: 15m, branch_key: drill}}}", 1)
	}, func(t *testing.T, db *sql.DB) {
		keys, err := driver.BranchKeys(db, "pii")
		if err == nil {
			_, err = keys.Create(t.Context(), "drill", nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}
