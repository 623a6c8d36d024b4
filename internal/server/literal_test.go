package server_test

import (
	"bytes"
	"encoding/base64"
	"testing"

	"github.com/sealsql/sealsql/internal/server"
	"github.com/sealsql/sealsql/internal/server/mysql"
	"github.com/sealsql/sealsql/internal/server/postgres"
)

func TestALiteralIsReadAsItWasSpelled(t *testing.T) {
	servers := map[string]server.Server{"mysql": mysql.Server{}, "postgres": postgres.Server{}}
	values := map[string][]byte{"no bytes": {}, "one byte": {0}, "bytes that look like quotes": []byte(`'\x''`), "all bits": {0xff, 0xfe}}
	ran := 0
	for name, s := range servers {
		for value, b := range values {
			for form, literal := range map[string]string{"bytes": s.BytesLiteral(b), "text": s.TextLiteral(base64.StdEncoding.EncodeToString(b))} {
				for _, rest := range []string{"", ", 'AA==', x'00')", "'"} {
					ran++
					got, n := s.ReadLiteral(literal + rest)
					if n != len(literal) || !bytes.Equal(got, b) {
						t.Errorf("%s, %s as %s before %q: read %x of length %d, want %x of length %d", name, value, form, rest, got, n, b, len(literal))
					}
				}
			}
		}
	}
	if ran != 48 {
		t.Errorf("%d cases ran, want 48", ran)
	}
}

func TestWhatAServerDoesNotSpellIsNoLiteral(t *testing.T) {
	for _, c := range []struct {
		name   string
		server server.Server
		text   string
	}{
		{"nothing", mysql.Server{}, ""},
		{"hexadecimal without an end", mysql.Server{}, "x'00"},
		{"hexadecimal of an odd length", mysql.Server{}, "x'0'"},
		{"a text that is not base64", mysql.Server{}, "'900-12-3456'"},
		{"Postgres's bytes on MySQL", mysql.Server{}, `E'\\x00'::bytea`},
		{"a parameter", mysql.Server{}, "?"},
		{"nothing on Postgres", postgres.Server{}, ""},
		{"bytes without their type", postgres.Server{}, `E'\\x00'`},
		{"bytes without an end", postgres.Server{}, `E'\\x00`},
		{"a text that is not base64 on Postgres", postgres.Server{}, "'900-12-3456'"},
		{"MySQL's bytes on Postgres", postgres.Server{}, "x'00'"},
		{"a literal behind a space", postgres.Server{}, " 'AA=='"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if b, n := c.server.ReadLiteral(c.text); n != 0 {
				t.Errorf("%q was read as %x of length %d", c.text, b, n)
			}
		})
	}
}
