package codec

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"testing"
)

// zeroKeyring gives every message the data key of zeros.
type zeroKeyring struct{}

func (zeroKeyring) OnEncrypt(_ context.Context, m *EncryptionMaterials) error {
	m.DataKey = m.MakeDataKey()
	m.WrappedKeys = append(m.WrappedKeys, WrappedKey{ProviderID: "zero"})
	return nil
}

func (zeroKeyring) OnDecrypt(_ context.Context, m *DecryptionMaterials, _ []WrappedKey) error {
	m.DataKey = m.MakeDataKey()
	return nil
}

var fuzzSuites = []Suite{SuiteCommit, Suite256HKDF, Suite128, Suite192HKDF}

// header makes a header that verifies, and the sealed header's AEAD.
func header(t testing.TB, s Suite, frame uint32, framed bool) (raw []byte, m *Message, seal func(label string, sequence uint32, plaintext []byte, iv []byte) []byte) {
	t.Helper()
	policy := CommitmentRequireEncryptRequireDecrypt
	if !s.Committing() {
		policy = CommitmentForbidEncryptAllowDecrypt
	}
	c, err := New(Config{Keyring: zeroKeyring{}, Suite: s, Commitment: policy, FrameLength: frame})
	if err != nil {
		t.Fatal(err)
	}
	raw, err = c.Encrypt(t.Context(), nil, nil, Context{"k": "v"})
	if err != nil {
		t.Fatal(err)
	}
	if m, err = Parse(raw); err != nil {
		t.Fatal(err)
	}
	sc := scratches.Get().(*scratch)
	defer sc.free()
	aead, _, err := sc.contentKey(s, m.info, make([]byte, s.KeyLength()), m.id)
	if err != nil {
		t.Fatal(err)
	}
	raw = raw[:m.content]
	if !framed {
		// Writers frame always; this one changes the header and signs it anew.
		at := m.body - 4
		if m.info.version == 2 {
			at -= commitmentLength
		}
		clear(raw[at : at+4])
		at--
		if m.info.version == 1 {
			at -= 5
		}
		raw[at] = 1
		raw = raw[:m.body]
		raw = appendHeaderTag(raw, 0, m.info, aead, nil)
	}
	return raw, m, func(label string, sequence uint32, plaintext, iv []byte) []byte {
		return aead.Seal(nil, iv, plaintext, appendBodyAAD(nil, m.id, label, sequence, uint64(len(plaintext))))
	}
}

// reader reads every suite of these tests.
func reader(t testing.TB) *Codec {
	t.Helper()
	c, err := New(Config{Keyring: zeroKeyring{}, Commitment: CommitmentRequireEncryptAllowDecrypt})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// FuzzBody puts any bytes behind a header that verifies.
func FuzzBody(f *testing.F) {
	for i := range fuzzSuites {
		for _, framed := range []bool{true, false} {
			raw, _, seal := header(f, fuzzSuites[i], 4, framed)
			f.Add(uint8(i), uint32(4), framed, []byte{})
			iv := make([]byte, ivLength)
			iv[11] = 1
			body := append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, finalFrameMark), 1), iv...)
			body = append(binary.BigEndian.AppendUint32(body, 3), seal(finalFrameLabel, 1, []byte("abc"), iv)...)
			f.Add(uint8(i), uint32(4), framed, body)
			body = append(binary.BigEndian.AppendUint64(bytes.Clone(iv), 3), seal(blockLabel, 1, []byte("abc"), iv)...)
			f.Add(uint8(i), uint32(4), framed, body)
			f.Add(uint8(i), uint32(1<<31), framed, bytes.Repeat([]byte{0xff}, 40))
			_ = raw
		}
	}
	c := reader(f)
	f.Fuzz(func(t *testing.T, suite uint8, frame uint32, framed bool, body []byte) {
		if frame == 0 {
			frame = 1
		}
		raw, _, _ := header(t, fuzzSuites[int(suite)%len(fuzzSuites)], frame, framed)
		m, err := Parse(append(raw, body...))
		if err != nil {
			t.Fatalf("a header that is right: %v", err)
		}
		got, err := c.Decrypt(t.Context(), []byte("before"), m, nil)
		if err == nil {
			t.Fatal("a body was accepted that nobody sealed under this message's id")
		}
		if typed, ok := errors.AsType[*Error](err); !ok || typed.Kind != ErrTampered || string(got) != "before" {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

// FuzzFrames seals frames as a program describes that the input is: each with
// a mark, a sequence number and a length of its own, and compares with the rules.
func FuzzFrames(f *testing.F) {
	f.Add(uint8(0), []byte{0, 4, 1, 3})       // one regular frame, one final
	f.Add(uint8(0), []byte{1, 0})             // an empty final frame
	f.Add(uint8(1), []byte{0, 4, 0, 4, 1, 4}) // full to the end
	f.Add(uint8(1), []byte{0, 4, 2, 4, 1, 0}) // out of sequence
	f.Add(uint8(2), []byte{1, 5})             // a final frame longer than a frame
	f.Add(uint8(2), []byte{1, 1, 1, 1})       // two final frames
	f.Add(uint8(3), []byte{0, 4, 0, 4})       // none
	f.Add(uint8(3), []byte{0, 3, 1, 0})       // a regular frame that is short
	f.Add(uint8(3), []byte{0, 4, 4, 1})       // bytes behind the end
	c := reader(f)
	f.Fuzz(func(t *testing.T, suite uint8, program []byte) {
		const frame = 4
		raw, _, seal := header(t, fuzzSuites[int(suite)%len(fuzzSuites)], frame, true)
		var want []byte
		valid, ended := true, false
		sequence := uint32(0)
		for i := 0; i+1 < len(program) && i < 64; i += 2 {
			op, n := program[i]%5, int(program[i+1]%7)
			if op == 4 {
				raw = append(raw, make([]byte, n)...)
				valid = valid && n == 0
				continue
			}
			sequence++
			if op >= 2 {
				sequence++
				valid = false
			}
			iv := make([]byte, ivLength)
			binary.BigEndian.PutUint32(iv[8:], sequence)
			plaintext := bytes.Repeat([]byte{byte(i)}, n)
			valid = valid && !ended
			want = append(want, plaintext...)
			if final := op%2 == 1; final {
				ended = true
				valid = valid && n <= frame
				raw = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(raw, finalFrameMark), sequence)
				raw = binary.BigEndian.AppendUint32(append(raw, iv...), uint32(n))
				raw = append(raw, seal(finalFrameLabel, sequence, plaintext, iv)...)
				continue
			}
			valid = valid && n == frame
			raw = append(binary.BigEndian.AppendUint32(raw, sequence), iv...)
			raw = append(raw, seal(frameLabel, sequence, plaintext, iv)...)
		}
		m, err := Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Decrypt(t.Context(), nil, m, nil)
		if ok := err == nil; ok != (valid && ended) {
			t.Fatalf("program %v: accepted %v, want %v: %v", program, ok, valid && ended, err)
		}
		if err == nil && !bytes.Equal(got, want) || err != nil && len(got) != 0 {
			t.Fatalf("program %v: %q, want %q", program, got, want)
		}
	})
}

// FuzzContext reads any bytes as a context, and writes what it read.
func FuzzContext(f *testing.F) {
	for _, c := range []Context{nil, {"k": "v"}, {"b": "é", "a": "2", "z\U0001F600": "astral", "z\uffee": "high"}, {"": ""}} {
		b, err := AppendContext(nil, c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0, 0})
	f.Add([]byte{0, 2, 0, 1, 'b', 0, 0, 0, 1, 'a', 0, 0})       // unsorted
	f.Add([]byte{0, 2, 0, 1, 'a', 0, 0, 0, 1, 'a', 0, 0})       // twice
	f.Add([]byte{0, 3, 0, 1, 'b', 0, 0, 0, 1, 'a', 0, 0, 0, 0}) // an empty key, cut short
	f.Add([]byte{0, 1, 0, 1, 0xff, 0, 0})                       // not UTF-8
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > maxContextLength {
			return
		}
		sorted, err := checkContext(b, 0)
		m := &Message{aad: b}
		if err != nil {
			if typed, ok := errors.AsType[*Error](err); !ok || typed.Kind != ErrTampered {
				t.Fatal(err)
			}
			return
		}
		c := m.Context()
		out, err := AppendContext(nil, c)
		if err != nil {
			t.Fatal(err)
		}
		if sorted != bytes.Equal(out, b) || len(out) != len(b) {
			t.Fatalf("sorted %v: %x is written as %x", sorted, b, out)
		}
		again := &Message{aad: out}
		if inOrder, err := checkContext(out, 0); err != nil || !inOrder || !maps.Equal(again.Context(), c) {
			t.Fatalf("%x is read as another context: %v", out, err)
		}
		for k, v := range c {
			if got, ok := m.stores(k); !ok || string(got) != v {
				t.Fatalf("the value of %q is not found", k)
			}
		}
		full, required, err := m.fullContext(c)
		if err != nil || len(required) != 0 || !maps.Equal(full, c) {
			t.Fatalf("joined with itself: %v, %v, %v", full, required, err)
		}
		if full, required, err = m.fullContext(Context{"not stored": "x"}); err == nil {
			_, there := c["not stored"]
			if !there && (len(required) != 1 || len(full) != len(c)+1) {
				t.Fatalf("joined with another: %v, %v", full, required)
			}
		}
	})
}
