package server_test

import (
	"testing"
	"time"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/server/mysql"
	"github.com/sealsql/sealsql/internal/server/postgres"
)

func TestAKeyThatTwoTypesHoldAsTwoKeysIsAmbiguous(t *testing.T) {
	ran := 0
	for _, tc := range []struct {
		key  server.KeyType
		v    any
		want bool
	}{
		{server.KeyText, "ACC-1", false}, {server.KeyText, "17", false}, {server.KeyText, "0", false}, {server.KeyInteger, "17", false},
		{server.KeyInteger, int64(17), false}, {server.KeyText, int64(17), false}, {server.KeyText, "zoe", false},
		{server.KeyText, "017", true}, {server.KeyInteger, "017", true}, {server.KeyInteger, []byte(" 17"), true}, {server.KeyText, "17 ", true}, {server.KeyText, "ACC ", true},
		{server.KeyText, "1.50", true}, {server.KeyText, "+1", true}, {server.KeyText, "2024-01-02 03:04:05", true},
		{server.KeyText, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", true}, {server.KeyText, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", false},
		{server.KeyTimestamp, time.Unix(1, 0), true}, {server.KeyText, nil, false},
	} {
		for _, s := range []server.Server{postgres.Server{}, mysql.Server{}} {
			ran++
			if got := server.Ambiguous(s.Values(server.Session{}, nil, nil), &server.Column{Key: tc.key}, tc.v); got != tc.want {
				t.Errorf("%s: %v of type %d: %v, want %v", s.Name(), tc.v, tc.key, got, tc.want)
			}
		}
	}
	if ran != 38 {
		t.Errorf("ran %d cases", ran)
	}
}
