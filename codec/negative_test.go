package codec

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// resigned changes a message of suite 0478 without a body and makes its header
// tag right again: what is wrong with it is not the tag.
func resigned(t *testing.T, change func(raw []byte, m *Message) []byte) []byte {
	t.Helper()
	raw, m, _ := header(t, SuiteCommit, 4096, true)
	s := scratches.Get().(*scratch)
	defer s.free()
	aead, _, err := s.contentKey(SuiteCommit, m.info, make([]byte, 32), m.id)
	if err != nil {
		t.Fatal(err)
	}
	raw = change(bytes.Clone(raw[:m.body]), m)
	raw = appendHeaderTag(raw, 0, m.info, aead, nil)
	iv := make([]byte, ivLength)
	iv[11] = 1
	raw = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(raw, finalFrameMark), 1)
	raw = binary.BigEndian.AppendUint32(append(raw, iv...), 0)
	return aead.Seal(raw, iv, nil, appendBodyAAD(nil, m.id, finalFrameLabel, 1, 0))
}

// withContext puts another serialized context into a header body.
func withContext(aad string) func([]byte, *Message) []byte {
	return func(raw []byte, m *Message) []byte {
		at := 3 + messageIDLengthV2
		out := binary.BigEndian.AppendUint16(bytes.Clone(raw[:at]), uint16(len(aad)))
		return append(append(out, aad...), raw[at+2+len(m.aad):]...)
	}
}

func set(at int, b ...byte) func([]byte, *Message) []byte {
	return func(raw []byte, _ *Message) []byte {
		if at < 0 {
			at += len(raw)
		}
		copy(raw[at:], b)
		return raw
	}
}

// TestMalformedHeaders have a tag that fits, and are refused all the same.
func TestMalformedHeaders(t *testing.T) {
	const typeAt = -commitmentLength - 5 // of the content type, from the header body's end
	keysAt := 3 + messageIDLengthV2 + 2 + len("\x00\x01\x00\x01k\x00\x01v")
	cases := []struct {
		name   string
		change func([]byte, *Message) []byte
		want   error
	}{
		{"as it is", set(0), nil},
		{"unsorted context, as some SDKs wrote it", withContext("\x00\x02\x00\x01b\x00\x00\x00\x01a\x00\x00"), nil},
		{"a key twice", withContext("\x00\x02\x00\x01a\x00\x00\x00\x01a\x00\x00"), ErrTampered},
		{"a key twice, not side by side", withContext("\x00\x03\x00\x01b\x00\x00\x00\x01a\x00\x00\x00\x01b\x00\x00"), ErrTampered},
		{"a pair count of zero", withContext("\x00\x00"), ErrTampered},
		{"a pair count that is too high", withContext("\x00\x02\x00\x01a\x00\x00"), ErrTampered},
		{"bytes behind the last pair", withContext("\x00\x01\x00\x01a\x00\x00\x00"), ErrTampered},
		{"half a pair count", withContext("\x00"), ErrTampered},
		{"a context that is no UTF-8", withContext("\x00\x01\x00\x01\xff\x00\x00"), ErrTampered},
		{"a public key without a signature", withContext("\x00\x01\x00\x15aws-crypto-public-key\x00\x01x"), ErrTampered},
		{"no wrapped key", set(keysAt, 0, 0), ErrTampered},
		{"more wrapped keys than there are bytes", set(keysAt, 0xff, 0xff), ErrTampered},
		{"content type 0", set(typeAt, 0), ErrTampered},
		{"content type 3", set(typeAt, 3), ErrTampered},
		{"framed, frames of length 0", set(typeAt+1, 0, 0, 0, 0), ErrTampered},
		{"not framed, with a frame length", set(typeAt, 1), ErrTampered},
		{"another commitment", set(-1, 0x55), ErrTampered},
		{"version 1's suite", set(1, 0x01, 0x78), ErrNotMessage},
		{"an unknown suite", set(1, 0x04, 0x79), ErrUnsupportedSuite},
		{"the database SDK's suite", set(1, 0x67, 0x00), ErrUnsupportedSuite},
		{"the S3 client's suite", set(1, 0x00, 0x73), ErrUnsupportedSuite},
		{"version 3", set(0, 3), ErrNotMessage},
	}
	c := reader(t)
	for _, v := range cases {
		m, err := Parse(resigned(t, v.change))
		if err == nil {
			_, err = c.Decrypt(t.Context(), nil, m, nil)
		}
		if !errors.Is(err, v.want) || v.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", v.name, err, v.want)
		}
	}
	if len(cases) != 22 {
		t.Error("the number of cases changed")
	}
}

// TestMalformedVersion1 messages.
func TestMalformedVersion1(t *testing.T) {
	raw, m, _ := header(t, Suite256HKDF, 4096, true)
	for name, change := range map[string]func([]byte){
		"a reserved byte":           func(b []byte) { b[m.body-9] = 1 },
		"an IV length of 16":        func(b []byte) { b[m.body-5] = 16 },
		"version 2's suite":         func(b []byte) { copy(b[2:], []byte{4, 0x78}) },
		"the database SDK's suite":  func(b []byte) { copy(b[2:], []byte{0x67, 1}) },
		"the type of another thing": func(b []byte) { b[1] = 0x81 },
	} {
		b := bytes.Clone(raw)
		change(b)
		if _, err := Parse(b); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := Parse(append([]byte{1, 0x80, 0, 0x72}, raw[4:]...)); !errors.Is(err, ErrUnsupportedSuite) || !strings.Contains(err.Error(), "S3") {
		t.Errorf("the S3 client's suite: %v", err)
	}
}

// TestMalformedSignatures behind a message that is right.
func TestMalformedSignatures(t *testing.T) {
	ran := 0
	for _, s := range []Suite{SuiteCommitSigned, Suite128HKDFSigned, Suite192HKDFSigned, Suite256HKDFSigned} {
		policy := CommitmentForbidEncryptAllowDecrypt
		if s.Committing() {
			policy = CommitmentRequireEncryptRequireDecrypt
		}
		c, err := New(Config{Keyring: zeroKeyring{}, Suite: s, Commitment: policy})
		if err != nil {
			t.Fatal(err)
		}
		one, err := c.Encrypt(t.Context(), nil, []byte("one"), nil)
		if err != nil {
			t.Fatal(err)
		}
		other, err := c.Encrypt(t.Context(), nil, []byte("one"), nil)
		if err != nil {
			t.Fatal(err)
		}
		at := func(raw []byte) int { // where the footer begins
			m, err := Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			return m.content + 4 + 4 + ivLength + 4 + 3 + tagLength
		}
		body, footer := one[:at(one)], one[at(one):]
		der := footer[2:]
		long := append(bytes.Clone(der), 0)
		long[1]++ // the sequence holds one byte more
		for name, b := range map[string][]byte{
			"none":                      nil,
			"a length alone":            footer[:2],
			"an empty one":              {0, 0},
			"cut short":                 footer[:len(footer)-1],
			"bytes behind it":           append(bytes.Clone(footer), 0),
			"a byte more in the DER":    appendField(nil, long),
			"no DER":                    appendField(nil, bytes.Repeat([]byte{0x30}, len(der))),
			"another message's":         other[at(other):],
			"r and s are zero":          appendField(nil, []byte{0x30, 6, 2, 1, 0, 2, 1, 0}),
			"an indefinite length":      appendField(nil, append([]byte{0x30, 0x80}, der[2:]...)),
			"a length of another field": append([]byte{0xff, 0xff}, der...),
		} {
			m, err := Parse(append(bytes.Clone(body), b...))
			if err != nil {
				t.Fatal(err)
			}
			got, err := reader(t).Decrypt(t.Context(), nil, m, nil)
			if !errors.Is(err, ErrTampered) || len(got) != 0 {
				t.Errorf("suite %s, %s: %q, %v", s, name, got, err)
			}
			ran++
		}
		m, err := Parse(one)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := reader(t).Decrypt(t.Context(), nil, m, nil); err != nil || string(got) != "one" {
			t.Errorf("suite %s, as it is: %v", s, err)
		}
	}
	if ran != 4*11 {
		t.Errorf("ran %d cases", ran)
	}
}

// TestBase64GivenAsBinary says so.
func TestBase64GivenAsBinary(t *testing.T) {
	for _, s := range []Suite{SuiteCommit, SuiteCommitSigned, Suite256HKDF} {
		raw, _, _ := header(t, s, 4096, true)
		_, err := Parse([]byte(base64.StdEncoding.EncodeToString(raw)))
		if !errors.Is(err, ErrNotMessage) || !strings.Contains(err.Error(), "base64") {
			t.Errorf("suite %s: %v", s, err)
		}
	}
}

// longKeyring makes wrapped keys with a field of n bytes.
type longKeyring struct {
	n  int
	at func(*WrappedKey) *[]byte
}

func (k longKeyring) OnEncrypt(_ context.Context, m *EncryptionMaterials) error {
	m.DataKey = RandomDataKey(m.Suite.KeyLength())
	w := WrappedKey{ProviderID: "p", Ciphertext: []byte("c")}
	*k.at(&w) = make([]byte, k.n)
	m.WrappedKeys = append(m.WrappedKeys, w)
	return nil
}

func (longKeyring) OnDecrypt(context.Context, *DecryptionMaterials, []WrappedKey) error {
	return ErrUnknownKey
}

// TestAWrappedKeyThatTheFormatCannotHold is refused: its length would be cut to
// two bytes, and the message could never be read.
func TestAWrappedKeyThatTheFormatCannotHold(t *testing.T) {
	fields := map[string]func(*WrappedKey) *[]byte{
		"ciphertext": func(w *WrappedKey) *[]byte { return &w.Ciphertext }, "provider info": func(w *WrappedKey) *[]byte { return &w.ProviderInfo }}
	for name, at := range fields {
		for n, want := range map[int]error{65535: nil, 65536: ErrLimit, 65541: ErrLimit} {
			c, err := New(Config{Keyring: longKeyring{n, at}})
			if err != nil {
				t.Fatal(err)
			}
			raw, err := c.Encrypt(t.Context(), nil, []byte("x"), nil)
			if !errors.Is(err, want) || (err == nil) != (len(raw) > 0) {
				t.Errorf("%s of %d bytes: %d bytes, %v", name, n, len(raw), err)
			}
			if err == nil {
				if _, err := Parse(raw); err != nil {
					t.Errorf("%s of %d bytes: %v", name, n, err)
				}
			}
		}
	}
}

// TestOffsetSaysWhereReadingFailed: an error that is about no byte of a message
// has none, the zero value.
func TestOffsetSaysWhereReadingFailed(t *testing.T) {
	_, cut := Parse([]byte{2, 4, 0x78, 1})
	_, foreign := Parse([]byte("plain text"))
	_, unset := New(Config{Keyring: zeroKeyring{}, Suite: 1})
	for name, c := range map[string]struct {
		err    error
		offset int
	}{"a message that is cut short": {cut, 3}, "bytes of another format": {foreign, 0}, "a suite that does not exist": {unset, 0}} {
		e, ok := errors.AsType[*Error](c.err)
		if !ok || e.Offset != c.offset {
			t.Errorf("%s: offset %d, want %d (%v)", name, e.Offset, c.offset, c.err)
		}
	}
}
