package sealtest_test

import (
	"encoding/base64"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sealsql/sealsql/sealtest"
)

// echo sends each piece through a proxy to a server that sends everything back.
func echo(t *testing.T, watch string, pieces ...string) *sealtest.LeakProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.Copy(c, c)
		_ = c.Close()
	}()
	p, err := sealtest.NewLeakProxy(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Watch(watch); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range pieces {
		if _, err := io.WriteString(c, piece); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, len(piece))); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.Close()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLeakProxyCatchesEveryForm(t *testing.T) {
	const ssn = "900-12-3456"
	h := hex.EncodeToString([]byte(ssn))
	var wide, big string
	for _, c := range ssn {
		wide, big = wide+string(c)+"\x00", big+"\x00"+string(c)
	}
	b64 := func(lead string) string { return base64.StdEncoding.EncodeToString([]byte(lead + ssn + "tail")) }
	cases := map[string][]string{
		"as it is":            {"INSERT '" + ssn + "'"},
		"split in the middle": {"INSERT '" + ssn[:4], ssn[4:] + "'"},
		"byte by byte":        strings.Split(ssn, ""),
		"hexadecimal":         {"x'" + h + "'"},
		"upper hexadecimal":   {"X'" + strings.ToUpper(h) + "'"},
		"base64":              {b64("")},
		"base64, shifted":     {b64("a")},
		"base64, twice":       {b64("ab")},
		"base64, one by one":  strings.Split(b64("a"), ""),
		"utf-16":              {wide},
		"utf-16, split":       {wide[:7], wide[7:]},
		"utf-16, big-endian":  {big},
	}
	for name, pieces := range cases {
		if leaks := echo(t, ssn, pieces...).Leaks(); len(leaks) < 2 {
			t.Errorf("%s: found %v, want it in both directions", name, leaks)
		}
	}
	if len(cases) != 12 {
		t.Error("the number of cases changed")
	}
}

// failures is a testing.TB that counts errors.
type failures struct {
	testing.TB
	errors int
}

func (f *failures) Helper()               {}
func (f *failures) Error(...any)          { f.errors++ }
func (f *failures) Errorf(string, ...any) { f.errors++ }

func TestCheckFailsForLeaksTLSAndSilence(t *testing.T) {
	cases := map[string]struct {
		pieces []string
		errors int
	}{
		"a leak":     {[]string{"900-12-3456"}, 2}, // there and back
		"TLS":        {[]string{"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03"}, 1},
		"silence":    {nil, 1},
		"other text": {[]string{"900-12-3457"}, 0},
	}
	for name, c := range cases {
		f := &failures{TB: t}
		echo(t, "900-12-3456", c.pieces...).Check(f)
		if f.errors != c.errors {
			t.Errorf("%s: %d errors, want %d", name, f.errors, c.errors)
		}
	}
	if len(cases) != 4 {
		t.Error("the number of cases changed")
	}
}

func TestLeakProxyPassesEverythingElse(t *testing.T) {
	p := echo(t, "900-12-3456", "SELECT 900-12-3457", "900-12-345")
	p.Check(t)
	if p.Bytes() != 2*28 {
		t.Errorf("%d bytes passed, want 56", p.Bytes())
	}
}

func TestLeakProxyRefusesShortValues(t *testing.T) {
	p, err := sealtest.NewLeakProxy("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Watch("12345") == nil {
		t.Error("a short value was accepted")
	}
}
