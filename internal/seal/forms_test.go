package seal_test

import (
	"bytes"
	"testing"

	"github.com/sealsql/sealsql/inspect"
	"github.com/sealsql/sealsql/internal/seal"
	"github.com/sealsql/sealsql/policy"
)

// TestWhatLiesInAColumn names the form of a stored value in each layout.
func TestWhatLiesInAColumn(t *testing.T) {
	f := newFixture(t)
	compact := f.sealed("small", ours).([]byte)
	for compact[1] == 0x80 { // the key id, which is random, begins as a message of version 1 does
		f = newFixture(t)
		compact = f.sealed("small", ours).([]byte)
	}
	message := f.sealed("ssn", ours).([]byte)
	blob := f.blob(map[string]string{"tenant": "t1", "account": "a1"})
	foreign := append([]byte{0xff, 0xfe}, make([]byte, 80)...) // a ciphertext of another service, perhaps
	binary, text := seal.Layout{Type: policy.TypeString}, seal.Layout{Type: policy.TypeString, Base64: true}
	reads, writes := seal.Layout{Type: policy.TypeString, Compact: true}, seal.Layout{Type: policy.TypeString, Compact: true, WritesCompact: true}
	legacy, legacyText := seal.Layout{Type: policy.TypeString, Legacy: true}, seal.Layout{Type: policy.TypeString, Legacy: true, Base64: true}
	clear64 := seal.Layout{Type: policy.TypeString, Base64: true, Plaintexts: true}
	clearBytes := seal.Layout{Type: policy.TypeBytes, Plaintexts: true}
	cases := []struct {
		name   string
		layout seal.Layout
		stored any
		want   inspect.Form
	}{
		{"NULL is NULL", binary, nil, inspect.Null},
		{"nil bytes are NULL", binary, []byte(nil), inspect.Null},
		{"NULL is NULL in a base64 column", text, nil, inspect.Null},
		{"empty bytes are a plaintext", binary, []byte{}, inspect.Plaintext},
		{"the empty text is a plaintext in a base64 column", text, "", inspect.Plaintext},

		{"a message is a message", binary, message, inspect.Message},
		{"a message read as a string is a message", binary, string(message), inspect.Message},
		{"a message is a message where compact values are written", writes, message, inspect.Message},
		{"a message is a message where bare ciphertexts are read", legacy, message, inspect.Message},
		{"a message in base64 is a message in a base64 column", text, in64(message), inspect.Message},
		{"a message in base64 bytes is a message in a base64 column", text, []byte(in64(message)), inspect.Message},
		{"a message in base64 is a plaintext in a binary column", binary, in64(message), inspect.Plaintext},
		{"a message cut in its header is damaged", binary, message[:60], inspect.Damaged},
		{"a message cut behind its header is a message, which will not open", binary, message[:len(message)-1], inspect.Message},
		{"a message with a byte too many is a message, which will not open", binary, append(bytes.Clone(message), 0), inspect.Message},
		{"a message cut short is damaged in a base64 column", text, in64(message[:60]), inspect.Damaged},
		{"base64 of a message cut in a group of four is damaged", text, in64(message)[:61], inspect.Damaged},
		{"a binary message in a base64 column is a plaintext", text, message, inspect.Plaintext},

		{"a compact value is compact where compact values are written", writes, compact, inspect.Compact},
		{"a compact value is compact where messages are written", reads, compact, inspect.Compact},
		{"a compact value is a plaintext where none is read", binary, compact, inspect.Plaintext},
		{"a compact value in base64 is compact in a base64 column", seal.Layout{Base64: true, Compact: true}, in64(compact), inspect.Compact},
		{"a compact value in base64 is a plaintext in a binary column", writes, in64(compact), inspect.Plaintext},
		{"a compact value shorter than any is a plaintext", writes, compact[:52], inspect.Plaintext},
		{"a compact value read as an integer is a plaintext", writes, int64(1), inspect.Plaintext},

		{"a bare ciphertext is one where it is declared", legacy, blob, inspect.KMSBlob},
		{"a bare ciphertext is recognised where none is declared", binary, blob, inspect.KMSBlob},
		{"a bare ciphertext in base64 is one in a binary column", legacy, in64(blob), inspect.KMSBlob},
		{"a bare ciphertext in base64 is one in a base64 column", legacyText, in64(blob), inspect.KMSBlob},
		{"a bare ciphertext with a line break behind its base64 is one", legacyText, in64(blob) + "\n", inspect.KMSBlob},
		{"a binary ciphertext is one in a base64 column", legacyText, blob, inspect.KMSBlob},
		{"long bytes that are no text may be one where it is declared", legacy, foreign, inspect.KMSBlob},
		{"long bytes that are no text are a plaintext elsewhere", binary, foreign, inspect.Plaintext},
		{"long bytes in a column of bytes are a plaintext", seal.Layout{Type: policy.TypeBytes, Legacy: true}, foreign, inspect.Plaintext},
		{"a long text is a plaintext where bare ciphertexts are declared", legacy, string(bytes.Repeat([]byte("a"), 80)), inspect.Plaintext},
		{"short bytes are a plaintext where bare ciphertexts are declared", legacy, foreign[:63], inspect.Plaintext},

		{"a short text is a plaintext", binary, ssn, inspect.Plaintext},
		{"a short text is a plaintext in a base64 column", text, ssn, inspect.Plaintext},
		{"base64 of a short text is a plaintext in a base64 column", text, in64([]byte(ssn)), inspect.Plaintext},
		{"an integer is a plaintext", binary, int64(7), inspect.Plaintext},
		{"a boolean is a plaintext", binary, true, inspect.Plaintext},

		{"a text that begins like a message may be a plaintext where there are some", clear64, "AgR4", inspect.Plaintext},
		{"a longer one", clear64, "AgR4Ab+/xyz0", inspect.Plaintext},
		{"one that is no base64", clear64, "AgR4-0001", inspect.Plaintext},
		{"bytes that begin like a message", clearBytes, "\x02\x04\x78 and more", inspect.Plaintext},
		{"bytes that begin like an older message", clearBytes, "\x01\x80\x01\x78 and more", inspect.Plaintext},
		{"a message cut in its header is damaged there too", clearBytes, message[:120], inspect.Damaged},
		{"the same in base64", clear64, in64(message[:120]), inspect.Damaged},
		{"base64 of a message cut in a group of four", clear64, in64(message)[:201], inspect.Damaged},
		{"a message is a message where there are plaintexts", clear64, in64(message), inspect.Message},
	}
	for _, c := range cases {
		if got := c.layout.Classify(c.stored).Kind; got != c.want {
			t.Errorf("%s: taken for %s, want %s", c.name, got, c.want)
		}
	}
	if len(cases) != 50 {
		t.Errorf("%d cases", len(cases))
	}
	for name, raw := range map[string][]byte{"a message": message, "a compact value": compact} {
		if !seal.Sealed(raw) {
			t.Errorf("%s is not taken for a ciphertext", name)
		}
	}
	if seal.Sealed([]byte(ssn)) || seal.Sealed(nil) {
		t.Error("a plaintext is taken for a ciphertext")
	}
}
