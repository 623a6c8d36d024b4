package equality_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/sealsql/sealsql/internal/seal/equality"
)

// TestTermsAreThoseOfAnIndependentProgram compares with vectors that
// testdata/vectors.py made without this package's code.
func TestTermsAreThoseOfAnIndependentProgram(t *testing.T) {
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Beacon, Group, Table, Column string
		Normalise                    []string
		Bits                         int
		Per, Text, Term              string
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		beacon, _ := hex.DecodeString(c.Beacon)
		h := hasher(t, beacon, equality.Scope{Group: c.Group, Table: c.Table, Column: c.Column}, c.Normalise, c.Bits)
		term, err := h.Append([]byte("before"), c.Per, []byte(c.Text))
		if got := hex.EncodeToString(term[len("before"):]); err != nil || got != c.Term {
			t.Errorf("case %d: term %s, want %s (%v)", i, got, c.Term, err)
		}
		if len(term) != len("before")+h.Size() {
			t.Errorf("case %d: the term has %d bytes, Size says %d", i, len(term)-len("before"), h.Size())
		}
	}
	if len(cases) != 40 {
		t.Errorf("%d vectors, want 40", len(cases))
	}
}

func hasher(t testing.TB, beacon []byte, s equality.Scope, names []string, bits int) *equality.Hasher {
	t.Helper()
	n, err := equality.Parse(names)
	if err != nil {
		t.Fatal(err)
	}
	h, err := equality.NewHasher(beacon, s, n, bits)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

var beacon = bytes.Repeat([]byte{7}, 32)

func TestWhatHasherRefuses(t *testing.T) {
	long := strings.Repeat("x", 1<<16)
	cases := map[string]struct {
		beacon []byte
		scope  equality.Scope
		bits   int
	}{
		"a short beacon key":  {beacon[:31], equality.Scope{Table: "t", Column: "c"}, 256},
		"seven bits":          {beacon, equality.Scope{Table: "t", Column: "c"}, 7},
		"257 bits":            {beacon, equality.Scope{Table: "t", Column: "c"}, 257},
		"a name over 65,535":  {beacon, equality.Scope{Group: long}, 256},
		"a scope over 65,535": {beacon, equality.Scope{Table: long[:40000], Column: long[:40000]}, 256},
	}
	for name, c := range cases {
		if _, err := equality.NewHasher(c.beacon, c.scope, equality.Normalisers{}, c.bits); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if len(cases) != 5 {
		t.Error("the number of cases changed")
	}
	h := hasher(t, beacon, equality.Scope{Group: "g"}, nil, 256)
	if _, err := h.Append(nil, long, nil); !errors.Is(err, equality.ErrTooLong) {
		t.Errorf("a per value of 65,536 bytes: %v", err)
	}
}

func TestAHasherIsSafeForConcurrentUseAndLeavesItsInput(t *testing.T) {
	h := hasher(t, beacon, equality.Scope{Table: "t", Column: "c"}, []string{"nfkc", "casefold", "trim", "digits", "last 4"}, 256)
	text := []byte(" 900-12-3456 ")
	want, _ := h.Append(nil, "", text)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 100 {
				if got, err := h.Append(nil, "", text); err != nil || !bytes.Equal(got, want) {
					t.Errorf("term %x, want %x (%v)", got, want, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if string(text) != " 900-12-3456 " {
		t.Error("the plaintext was changed")
	}
}

func TestAHasherPrintsNoKey(t *testing.T) {
	h := hasher(t, beacon, equality.Scope{Table: "t", Column: "c"}, nil, 64)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(verb, h); got != "equality.Hasher(64 bits)" {
			t.Errorf("%s prints %q", verb, got)
		}
	}
}

func BenchmarkTerm(b *testing.B) {
	for name, names := range map[string][]string{"bytes": nil, "email": {"nfkc", "casefold", "trim"}} {
		h := hasher(b, beacon, equality.Scope{Table: "users", Column: "email"}, names, 256)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			term := make([]byte, 0, 32)
			for b.Loop() {
				var err error
				if term, err = h.Append(term[:0], "", []byte("Ada.Example@example.com")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
