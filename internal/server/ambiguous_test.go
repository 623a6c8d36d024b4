package server_test

import (
	"testing"
	"time"

	"github.com/sealsql/sealsql/internal/server"
)

func TestAmbiguityOfKeys(t *testing.T) {
	ran := 0
	for want, cases := range map[server.Ambiguity][]struct {
		key server.KeyType
		v   any
	}{
		server.Unambiguous: {{server.KeyInteger, "17"}, {server.KeyInteger, int64(17)}, {server.KeyNumeric, uint64(17)}, {server.KeyText, nil},
			{server.KeyUUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}, {server.KeyUUID, [16]byte{1}}},
		server.AmbiguousBytes: {{server.KeyText, "ACC-1"}, {server.KeyText, int64(17)}, {server.KeyText, "17"}, {server.KeyText, "0"}, {server.KeyText, "zoe"}, {server.KeyText, "Ж1"}, {server.KeyPaddedText, "DE"},
			{server.KeyText, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}},
		server.Ambiguous: {{server.KeyText, "017"}, {server.KeyInteger, "017"}, {server.KeyInteger, []byte(" 17")}, {server.KeyText, "17 "}, {server.KeyText, "ACC "}, {server.KeyText, "1.50"},
			{server.KeyText, "+1"}, {server.KeyText, ".5"}, {server.KeyText, "1e3"}, {server.KeyText, "2024-01-02 03:04:05"}, {server.KeyText, "1999-1-02"}, {server.KeyText, "19990102"},
			{server.KeyText, "Jan 8 1999"}, {server.KeyText, "TODAY"}, {server.KeyText, "t"}, {server.KeyText, "Yes"}, {server.KeyText, "J2451187"}, {server.KeyText, "NaN"}, {server.KeyText, ""},
			{server.KeyText, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"}, {server.KeyText, "a0eebc999c0b4ef8bb6d6bb9bd380a11"}, {server.KeyText, "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"},
			{server.KeyTimestamp, time.Unix(1, 0)}, {server.KeyBytes, []byte("ACC")}, {server.KeyDate, "1999-01-02"}},
	} {
		for _, tc := range cases {
			ran++
			if got := server.AmbiguityOf(&server.Column{Key: tc.key}, tc.v); got != want {
				t.Errorf("%v of type %d: %v, want %v", tc.v, tc.key, got, want)
			}
		}
	}
	if ran != 39 {
		t.Errorf("ran %d cases", ran)
	}
}
