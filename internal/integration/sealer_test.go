package integration

import (
	"errors"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/driver"
	"github.com/sealsql/sealsql/inspect"
)

// TestTheSealerAndTheDriverAgree: what one writes the other reads, on both
// servers, and neither hands out another row's value.
func TestTheSealerAndTheDriverAgree(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		ctx := t.Context()
		v, err := driver.Sealer(s.sealed)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.proxy.Watch("900-77-0001", "900-77-0002"); err != nil {
			t.Fatal(err)
		}
		row := driver.Row{"account_number": "A1", "tenant_id": "7"}
		ssn, err := v.Seal(ctx, "accounts", "ssn", row, "900-77-0001")
		if err != nil {
			t.Fatal(err)
		}
		note, err := v.Seal(ctx, "accounts", "note", row, "")
		if err != nil {
			t.Fatal(err)
		}
		balance, err := v.Seal(ctx, "accounts", "balance", row, int32(-5))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := note.(string); !ok {
			t.Errorf("a base64 column got a %T", note)
		}
		if none, err := v.Seal(ctx, "accounts", "ssn", row, nil); none != nil || err != nil {
			t.Errorf("NULL gave %v, %v", none, err)
		}
		_, err = s.bare.Exec(s.q("INSERT INTO accounts (account_number, tenant_id, ssn, note, balance) VALUES (?, ?, ?, ?, ?)"), "A1", 7, ssn, note, balance)
		if err != nil {
			t.Fatal(err)
		}
		s.want("900-77-0001||-5", "SELECT ssn, note, balance FROM accounts WHERE account_number = ?", "A1")

		s.exec("INSERT INTO accounts (account_number, tenant_id, ssn, note, balance) VALUES (?, ?, ?, ?, ?)", "A2", 8, "900-77-0002", "n", 6)
		var stored, storedNote []byte
		if err := s.bare.QueryRow("SELECT ssn, note FROM accounts WHERE account_number = 'A2'").Scan(&stored, &storedNote); err != nil {
			t.Fatal(err)
		}
		key, err := v.Key("accounts", []byte("A2"))
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct{ stored, want any }{"ssn": {stored, "900-77-0002"}, "note": {storedNote, "n"}} {
			if got, err := v.Open(ctx, "accounts", name, key, c.stored); err != nil || got != c.want {
				t.Errorf("%s: %v, %v", name, got, err)
			}
			in, err := v.Inspect(ctx, "accounts", name, key, c.stored)
			if err != nil || !in.Right() || in.Form != inspect.Message || len(in.Wrappings) != 1 {
				t.Errorf("%s: %+v, %v", name, in, err)
			}
		}
		s.wrongRow(v, stored)
		if _, err := v.Seal(ctx, "accounts", "balance", key, 1); !errors.Is(err, driver.ErrValue) || !strings.Contains(err.Error(), "tenant_id") {
			t.Errorf("without the tenant: %v", err)
		}
		for _, name := range []string{"name", "nothing"} {
			if _, err := v.Seal(ctx, "accounts", name, key, 1); !errors.Is(err, driver.ErrPolicy) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// wrongRow opens row A2's value for row A1.
func (s *site) wrongRow(v *driver.ValueSealer, stored []byte) {
	s.t.Helper()
	before, err := driver.Of(s.sealed)
	if err != nil {
		s.t.Fatal(err)
	}
	n := before.Stats().Events[alert.Mismatch]
	other := driver.Row{"account_number": "A1"}
	if got, err := v.Open(s.t.Context(), "accounts", "ssn", other, stored); got != nil || !errors.Is(err, driver.ErrMismatch) {
		s.t.Errorf("another row's value: %v, %v", got, err)
	}
	if got := before.Stats().Events[alert.Mismatch]; got != n+1 {
		s.t.Errorf("%d events were raised", got-n)
	}
	in, err := v.Inspect(s.t.Context(), "accounts", "ssn", other, stored)
	if err != nil || in.Right() || !in.OtherContext {
		s.t.Errorf("another row's value is inspected as %+v, %v", in, err)
	}
	if plaintext, err := v.OpenAnywhere(s.t.Context(), "accounts", "ssn", stored); err != nil || string(plaintext) != "900-77-0002" {
		s.t.Errorf("under its own context: %v", err)
	}
	for _, bad := range []any{"plain", []byte{}, stored[:len(stored)-1]} {
		if got, err := v.OpenPlaintext(s.t.Context(), "accounts", "ssn", other, bad); got != nil || err == nil {
			s.t.Errorf("%v was opened", bad)
		}
	}
}
