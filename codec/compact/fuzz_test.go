package compact_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sealsql/sealsql/codec"
)

// FuzzOpen opens arbitrary bytes, as they are and behind a valid value's start,
// and compares with the format written down again.
func FuzzOpen(f *testing.F) {
	k, b := derive(f, branchKey, 1, here), newBare(branchKey, here)
	c := newCodec(f, ring{k})
	aad, err := codec.AppendContext(nil, row)
	if err != nil {
		f.Fatal(err)
	}
	id := k.ID()
	f.Add([]byte{})
	f.Add(b.seal(id, make([]byte, 16), nil, aad))
	f.Add(b.seal(id, bytes.Repeat([]byte{0xff}, 16), []byte("123-45-6789"), aad))
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, v := range [][]byte{value, append(append([]byte{1}, id[:]...), value...)} {
			before := bytes.Clone(v)
			want, genuine := b.open(v, aad)
			genuine = genuine && v[0] == 1 && bytes.Equal(v[1:5], id[:])
			got, err := c.Open(t.Context(), []byte("x"), v, row)
			if genuine != (err == nil) {
				t.Fatalf("% x: %v", v, err)
			}
			if genuine && string(got) != "x"+string(want) || !genuine && string(got) != "x" || !bytes.Equal(v, before) {
				t.Fatalf("% x opens as %q", v, got)
			}
			if e, ok := errors.AsType[*codec.Error](err); err != nil && (!ok || e.Kind == nil) {
				t.Fatal(err)
			}
		}
	})
}

// FuzzSeal seals arbitrary texts under arbitrary contexts.
func FuzzSeal(f *testing.F) {
	k, b := derive(f, branchKey, 1, here), newBare(branchKey, here)
	c := newCodec(f, ring{k})
	f.Add([]byte("123-45-6789"), "account_number", "1234567890")
	f.Add([]byte{}, "k", "")
	f.Add(make([]byte, 129), "sealsql:table", "\xff")
	f.Fuzz(func(t *testing.T, text []byte, key, value string) {
		ec := codec.Context{key: value}
		v, err := c.Seal(t.Context(), nil, text, ec)
		if err != nil {
			if !errors.Is(err, codec.ErrInvalidContext) {
				t.Fatal(err)
			}
			return
		}
		aad, err := codec.AppendContext(nil, ec)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := b.open(v, aad); !ok || !bytes.Equal(got, text) {
			t.Fatalf("the description opens % x as %q, %v", v, got, ok)
		}
		if got, err := c.Open(t.Context(), nil, v, ec); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("opened as %q, %v", got, err)
		}
	})
}
