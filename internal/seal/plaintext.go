package seal

import (
	"bytes"
	"context"
	"encoding/base64"

	"github.com/sealsql/sealsql/alert"
	"github.com/sealsql/sealsql/codec"
	"github.com/sealsql/sealsql/inspect"
	"github.com/sealsql/sealsql/policy"
)

// plaintextForm is that of values that were never sealed. It finds everything.
type plaintextForm struct{}

func (f plaintextForm) find(l Layout, h held) (Found, bool) {
	found := Found{Kind: inspect.Plaintext, form: f, bytes: h.text, cause: h.err}
	if found.cause == nil {
		_, found.cause = codec.Parse(h.raw)
	}
	// The first bytes of a message of version 2 in base64, and no base64 behind them.
	if h.err != nil && !l.clear(base64.StdEncoding.DecodedLen(len(h.text))) && (bytes.HasPrefix(h.text, []byte("AgR4")) || bytes.HasPrefix(h.text, []byte("AgV4"))) {
		found.Kind = inspect.Damaged
	}
	return found, true
}

// open hands out a plaintext if the policy allows it for the column.
func (plaintextForm) open(_ context.Context, r Request, found Found) opened {
	rejected := opened{kind: alert.NotCiphertext, cause: found.cause}
	if !r.readsPlaintexts() {
		return rejected
	}
	plaintext, null, err := r.Column.inClear(r.Stored)
	if err != nil || null {
		return rejected
	}
	if !r.Mixed {
		r.Column.PlaintextReads.Add(1)
	}
	return opened{plaintext: plaintext, noted: alert.PlaintextRead, cause: found.cause}
}

func (plaintextForm) show(Found, *inspect.Value)   {}
func (plaintextForm) evidence(Found, *alert.Event) {}

// unsealed is a plaintext as the column stores it while the policy says writes: clear.
func (c *Column) unsealed(plaintext []byte) any {
	if c.layout.Base64 || c.document != nil {
		return string(plaintext)
	}
	return bytes.Clone(plaintext)
}

// WritesClear reports whether the policy writes the column in clear, since other processes
// still read it by themselves.
func (c *Column) WritesClear() bool { return c.policy.writes == policy.WritesClear }
