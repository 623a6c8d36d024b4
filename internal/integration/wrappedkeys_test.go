package integration

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/driver"
)

// replaced puts another text in the place of a field of a message's header, with
// its length.
func replaced(raw, old, new []byte) []byte {
	at := bytes.Index(raw, append(binary.BigEndian.AppendUint16(nil, uint16(len(old))), old...))
	out := binary.BigEndian.AppendUint16(bytes.Clone(raw[:at]), uint16(len(new)))
	return append(append(out, new...), raw[at+2+len(old):]...)
}

// TestWrappedKeysThatWereChanged raise the alert that says so: who writes to the
// database cannot have it said that KMS is down, which is another's pager.
func TestWrappedKeysThatWereChanged(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.proxy.Watch(ssn1); err != nil {
			t.Fatal(err)
		}
		db, k, arn := s.under(policyText)
		foreign := k.CreateKey("us-east-1")
		if _, err := db.Exec(s.q("INSERT INTO accounts (account_number, ssn) VALUES ('1', ?)"), ssn1); err != nil {
			t.Fatal(err)
		}
		var genuine []byte
		if err := s.bare.QueryRow("SELECT ssn FROM accounts").Scan(&genuine); err != nil {
			t.Fatal(err)
		}
		m, err := codec.Parse(genuine)
		if err != nil {
			t.Fatal(err)
		}
		wrapped := m.WrappedKeys()[0]
		key := func(b []byte) []byte { return replaced(genuine, wrapped.Ciphertext, b) }
		named := func(s string) []byte { return replaced(genuine, wrapped.ProviderInfo, []byte(s)) }
		flipped := bytes.Clone(wrapped.Ciphertext)
		flipped[len(flipped)-1] ^= 1
		cases := []struct {
			name   string
			stored []byte
			want   error
			kind   alert.Kind
		}{
			{"emptied", key(nil), driver.ErrTampered, alert.Tampered},
			{"one byte", key([]byte{1}), driver.ErrTampered, alert.Tampered},
			{"longer than KMS takes", key(make([]byte, 7000)), driver.ErrTampered, alert.Tampered},
			{"changed", key(flipped), driver.ErrTampered, alert.Tampered},
			{"another key's ciphertext", key(script(t, k, foreign, strings.Repeat("k", 32), map[string]string{"account_number": "1"})), driver.ErrTampered, alert.Tampered},
			{"16 bytes under the key and context", key(script(t, k, arn, strings.Repeat("k", 16), m.Context())), driver.ErrTampered, alert.Tampered},
			{"32 bytes under the key and context", key(script(t, k, arn, strings.Repeat("k", 32), m.Context())), driver.ErrTampered, alert.Tampered},
			{"another key's ARN", named(foreign), driver.ErrUnknownKey, alert.UnknownKey},
			{"another Region's ARN", named(strings.Replace(arn, "us-east-1", "eu-west-1", 1)), driver.ErrUnknownKey, alert.UnknownKey},
			{"an alias", named("arn:aws:kms:us-east-1:111122223333:alias/x"), driver.ErrTampered, alert.Tampered},
			{"a host for a Region", named("arn:aws:kms:evil.example/:111122223333:key/mrk-1"), driver.ErrTampered, alert.Tampered},
			{"another provider", replaced(genuine, []byte("aws-kms"), []byte("aws-kmx")), driver.ErrUnknownKey, alert.UnknownKey},
		}
		for _, c := range cases {
			if _, err := s.bare.Exec(s.q("UPDATE accounts SET ssn = ?"), c.stored); err != nil {
				t.Fatal(err)
			}
			var got string
			if err := db.QueryRow("SELECT ssn FROM accounts").Scan(&got); !errors.Is(err, c.want) || got != "" {
				t.Errorf("%s: %q, %v", c.name, got, err)
			}
		}
		events := s.drain(db)
		if len(events) != len(cases) || len(cases) != 12 {
			t.Fatalf("%d events of %d cases", len(events), len(cases))
		}
		want := map[alert.Kind]int{}
		for _, c := range cases {
			want[c.kind]++
		}
		for _, e := range events {
			want[e.Kind]--
		}
		for kind, n := range want {
			if n != 0 {
				t.Errorf("%v: %d events are missing", kind, n)
			}
		}
	})
}
