package seal

import (
	"encoding/base64"
	"testing"

	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/codec/rawaes"
	"github.com/sealsql/sealsql/inspect"
	"github.com/sealsql/sealsql/policy"
)

// oldMessage is a message of version 1, which begins with 01 80.
func oldMessage(t *testing.T) []byte {
	t.Helper()
	ring, err := rawaes.New("n", "k", make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	c, err := codec.New(codec.Config{Keyring: ring, Commitment: codec.CommitmentForbidEncryptAllowDecrypt})
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Encrypt(t.Context(), nil, []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestWhereTwoFormsBeginAlikeThePolicyDecides which comes first, and what else a
// value is whose key id no key has.
func TestWhereTwoFormsBeginAlikeThePolicyDecides(t *testing.T) {
	long := func(prefix ...byte) []byte { return append(prefix, make([]byte, 64)...) }
	message, blob := oldMessage(t), long(1, 2, 2, 0, 0x78)
	reads, writes := Layout{Compact: true, Type: policy.TypeString}, Layout{Compact: true, WritesCompact: true, Type: policy.TypeString}
	with := func(l Layout, f func(*Layout)) Layout { f(&l); return l }
	legacy := func(l *Layout) { l.Legacy = true }
	bytes := func(l *Layout) { l.Type = policy.TypeBytes }
	cases := []struct {
		name   string
		layout Layout
		value  []byte
		first  inspect.Form
		beside inspect.Form // 0: nothing
	}{
		{"a compact value where compact values are written", writes, long(1, 2, 3, 4, 5), inspect.Compact, 0},
		{"a compact value where messages are written", reads, long(1, 2, 3, 4, 5), inspect.Compact, 0},
		{"a compact value where none is read", Layout{Type: policy.TypeString}, long(1, 2, 3, 4, 5), inspect.Plaintext, 0},
		{"a message of version 1 where compact values are written", writes, message, inspect.Compact, inspect.Message},
		{"a message of version 1 where messages are written", reads, message, inspect.Message, 0},
		{"a key id that begins like a message of version 1", writes, long(1, 0x80, 3, 4, 5), inspect.Compact, 0},
		{"the same where messages are written", reads, long(1, 0x80, 3, 4, 5), inspect.Compact, inspect.Damaged},
		{"a ciphertext of KMS where compact values are written", with(writes, legacy), blob, inspect.Compact, inspect.KMSBlob},
		{"a ciphertext of KMS where messages are written", with(reads, legacy), blob, inspect.KMSBlob, 0},
		{"a key id like a ciphertext of KMS, and none is declared", reads, blob, inspect.Compact, 0},
		{"bytes in clear", with(writes, bytes), long(1, 2, 3, 4, 5), inspect.Compact, inspect.Plaintext},
		{"a value that is too short", writes, long(1)[:52], inspect.Plaintext, 0},
		{"a message of version 2", writes, []byte{2, 4, 0x78}, inspect.Damaged, 0},
	}
	for _, c := range cases {
		found := c.layout.Classify(c.value)
		if found.Kind != c.first {
			t.Errorf("%s: taken for %s, want %s", c.name, found.Kind, c.first)
		}
		if found.Kind != inspect.Compact {
			continue
		}
		other, ok := c.layout.besideCompact(c.value, true)
		if ok != (c.beside != 0) || ok && other.Kind != c.beside {
			t.Errorf("%s: if no key has its id: %s (%v), want %s", c.name, other.Kind, ok, c.beside)
		}
		if c.beside == inspect.Plaintext {
			if _, ok := c.layout.besideCompact(c.value, false); ok {
				t.Errorf("%s: a plaintext where none may be read", c.name)
			}
		}
		in64 := with(c.layout, func(l *Layout) { l.Base64 = true })
		if found := in64.Classify(base64.StdEncoding.EncodeToString(c.value)); found.Kind != inspect.Compact {
			t.Errorf("%s, in base64: taken for %s", c.name, found.Kind)
		}
	}
	if len(cases) != 13 {
		t.Errorf("%d cases", len(cases))
	}
}
